"""Would batches of few tasks do as well? A study on a prototype, for alignment of many tasks.

::

    python benchmarks/bench_few_tasks.py            # everything that is not done yet
    python benchmarks/bench_few_tasks.py --tables   # print the table, run nothing

With full alignment a step of Adam goes through the matrices of all tasks, whatever tasks a batch
is of. Batches of rows of a few tasks, and steps on the matrices of these tasks only (lazy Adam),
would cost what few tasks cost: a task's matrix then takes fewer steps an epoch. Here a hidden layer
of 32 units behind full matrices R_i, trained with the gradients of autograd: rows of all tasks
in a batch, of four, and of four with lazy Adam; each for equal numbers of epochs and with the best
of three learning rates, by held-out training rows. No test row has been looked at.

Results go to a JSON file after each fit: a run that was interrupted goes on where it stopped. The
table is printed, and written beside the JSON file as markdown.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor, nn
from torch.nn import functional

from _data import Dataset, Tasks
from _loaders import LOADERS
from _markdown import markdown
from _results import Row, write, write_results
from _scores import Answer, score, values
from _splits import split
from _table import gain, mean

RESULTS = Path(__file__).parent / "results" / "few_tasks.json"
SIZES = {"landmine": 256, "school": 64, "school_scores": 64, "rotated": 64}
SEEDS, EPOCHS, BATCH, TASKS = 3, (10, 40), 128, 4
RATES = (1e-3, 3e-3, 1e-2)
SCHEMES = ("all tasks", "four tasks", "four tasks, lazy")
ALPHA, ALIGNMENT_ALPHA, UNITS = 0.2, 1.0, 32
ABOUT = """\
Held-out score (ROC AUC, accuracy, explained variance, accuracy; in %) and training loss, each
scheme with its best rate of three by the score; ± standard errors over draws of the paired
differences from batches of all tasks. "rotated": 200 tasks, each with a basis of its own."""


def rotated() -> Dataset:
    """Tasks whose rows say the same in bases of their own."""
    rng = np.random.default_rng(0)
    k, n, d = 200, 160, 16
    task = np.arange(k).repeat(n)
    hidden = rng.standard_normal((k * n, d)) / np.sqrt(1 + np.arange(d))
    signal = hidden @ rng.standard_normal(d) + np.abs(hidden[:, :4]).sum(axis=1)
    y = signal + 0.3 * rng.standard_normal(k * n) > np.median(signal)
    bases = np.linalg.qr(np.eye(d) + 0.15 * rng.standard_normal((k, d, d)))[0]
    X = np.einsum("nd,nde->ne", hidden, bases[task])
    names = tuple(map(str, range(k)))
    return Dataset(Tasks(X.astype(np.float32), y.astype(float), task, names, "accuracy"))


class Net(nn.Module):
    """``relu(x R_i B) (a + a_i) + b_i`` with ``R_i = I + D_i``."""

    def __init__(self, n_tasks: int, n_features: int) -> None:
        super().__init__()
        self.deviation = nn.Embedding(n_tasks, n_features**2, sparse=True)
        nn.init.zeros_(self.deviation.weight)
        self.layer = nn.Linear(n_features, UNITS)
        self.shared = nn.Parameter(torch.zeros(UNITS))
        self.own = nn.Parameter(torch.zeros(n_tasks, UNITS))
        self.bias = nn.Parameter(torch.zeros(n_tasks))

    def forward(self, rows: Tensor, task: Tensor) -> Tensor:
        here, which = task.unique(return_inverse=True)
        d = rows.shape[1]
        matrices = self.deviation(here).view(-1, d, d)[which]
        aligned = rows + torch.bmm(rows[:, None], matrices)[:, 0]
        shared = torch.relu(self.layer(aligned))
        return (shared * (self.shared + self.own[task])).sum(dim=1) + self.bias[task]

    def penalty(self) -> Tensor:
        """All of it but that of the D_i."""
        weights = (self.layer.weight, self.shared, self.own)
        total: Tensor = sum((w.square().sum() for w in weights), torch.zeros(()))
        return 0.5 * ALPHA * total


def orders(task: Tensor, few: bool, generator: torch.Generator) -> Iterator[Tensor]:
    """The batches of an epoch, of rows of all tasks or of few."""
    if not few:
        yield from torch.randperm(len(task), generator=generator).split(BATCH)
        return
    turn = torch.randperm(int(task.max()) + 1, generator=generator)
    batches: list[Tensor] = []
    for group in turn.split(TASKS):
        rows = torch.isin(task, group).nonzero()[:, 0]
        batches += rows[torch.randperm(len(rows), generator=generator)].split(BATCH)
    for number in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[number]


def train(data: Tasks, scheme: str, rate: float, epochs: int, seed: int) -> tuple[Net, float]:
    """The net after so many epochs, and its loss with its penalties."""
    torch.manual_seed(seed)
    assert data.task is not None
    rows, task = torch.from_numpy(data.X), torch.from_numpy(data.task)
    y = torch.from_numpy(data.y).float()
    loss_of = functional.mse_loss if data.of_values else functional.binary_cross_entropy_with_logits
    net, generator = Net(len(data.names), rows.shape[1]), torch.Generator().manual_seed(seed)
    lazy, n = scheme.endswith("lazy"), len(rows)
    of_task = torch.bincount(task, minlength=len(data.names))
    dense = [p for p in net.parameters() if p is not net.deviation.weight]
    net.deviation.sparse = lazy
    optimizers: list[torch.optim.Optimizer] = [torch.optim.Adam(dense, lr=rate)]
    kind = torch.optim.SparseAdam if lazy else torch.optim.Adam
    optimizers.append(kind([net.deviation.weight], lr=rate))

    def of_matrices(which: Tensor) -> Tensor:
        """Half of the D_i's penalty, of all tasks or in its rows' share of those of a batch."""
        if not lazy:
            return net.deviation.weight.square().sum() / n
        here, counts = which.unique(return_counts=True)
        share = counts / (of_task[here] * len(which))
        return (share * net.deviation(here).square().sum(dim=1)).sum()

    for _ in range(epochs):
        for batch in orders(task, scheme != "all tasks", generator):
            loss = loss_of(net(rows[batch], task[batch]), y[batch]) + net.penalty() / n
            loss = loss + 0.5 * ALIGNMENT_ALPHA * of_matrices(task[batch])
            for optimizer in optimizers:
                optimizer.zero_grad()
            loss.backward()
            for optimizer in optimizers:
                optimizer.step()
    with torch.no_grad():
        penalty = net.penalty() + 0.5 * ALIGNMENT_ALPHA * net.deviation.weight.square().sum()
        return net, float(loss_of(net(rows, task), y) + penalty / n)


def answers(net: Net, test: Tasks) -> list[Answer]:
    """What the net says of the rows of each task."""
    assert test.task is not None
    with torch.no_grad():
        said = net(torch.from_numpy(test.X), torch.from_numpy(test.task)).double()
    if test.of_values:
        return [values(said.numpy()[test.at(t)]) for t in range(len(test.names))]
    positive = said.sigmoid().numpy()
    both = np.column_stack([1 - positive, positive])
    return [(np.array([0.0, 1.0]), both[test.at(t)]) for t in range(len(test.names))]


def sides(name: str, seed: int) -> tuple[Tasks, Tasks]:
    """Four fifths of the training rows, standardised, and the rest of them."""
    data, _ = split(LOADERS[name]() if name in LOADERS else rotated(), SIZES[name], seed)
    held_out = np.random.default_rng(seed).random(len(data.X)) < 0.2
    kept, rest = data.take(np.flatnonzero(~held_out)), data.take(np.flatnonzero(held_out))
    centre, width = kept.X.mean(axis=0), kept.X.std(axis=0)
    for side in (kept, rest):
        side.X[:] = (side.X - centre) / np.where(width > 0, width, 1)
        if side.of_values:
            side.y[:] = side.y / 10
    return kept, rest


def key(row: Row) -> tuple:
    """What identifies a result."""
    order = list(SIZES).index(row["data"]), row["epochs"], SCHEMES.index(row["scheme"])
    return *order, row["rate"], row["seed"]


def table(rows: list[Row]) -> str:
    """One line per data set and number of epochs: the best rate of each scheme."""
    head = ["data", "rows a task", "epochs", "score"] + [f"{s}: score" for s in SCHEMES[1:]]
    head += ["loss"] + [f"{s}: loss" for s in SCHEMES[1:]] + ["best rates"]
    lines = [head]
    for data in SIZES:
        for epochs in EPOCHS:
            best = []
            for scheme in SCHEMES:
                of_rate: list[dict[int, Row]] = []
                for rate in RATES:
                    setting = {"data": data, "epochs": epochs, "scheme": scheme, "rate": rate}
                    runs = [row for row in rows if setting.items() <= row.items()]
                    of_rate.append({row["seed"]: row for row in runs})
                best.append(max(filter(None, of_rate), key=mean, default={}))
            if all(best):
                losses = [{s: r | {"score": r["loss"]} for s, r in runs.items()} for runs in best]
                line = [data, str(SIZES[data]), str(epochs), f"{mean(best[0]):.1f}"]
                line += [gain(runs, best[0]) for runs in best[1:]]
                line += [f"{mean(losses[0]):.3f}"]
                line += [f"{mean(runs) - mean(losses[0]):+.3f}" for runs in losses[1:]]
                lines.append(
                    [*line, ", ".join(f"{next(iter(r.values()))['rate']:g}" for r in best)]
                )
    return f"# Batches of few tasks\n\n{markdown(lines)}\n\n{ABOUT}\n"


def main() -> None:
    """Run what is not done yet and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--tables", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    rows: list[Row] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
    done = {key(row) for row in rows}
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for seed in range(0 if arguments.tables else SEEDS):
            for name in SIZES:
                kept, rest = sides(name, seed)
                for epochs in EPOCHS:
                    for scheme in SCHEMES:
                        for rate in RATES:
                            row: Row = {"data": name, "epochs": epochs, "scheme": scheme}
                            row |= {"rate": rate, "seed": seed}
                            if key(row) in done:
                                continue
                            net, loss = train(kept, scheme, rate, epochs, seed)
                            row |= {"score": round(score(rest, answers(net, rest)), 3)}
                            rows.append(row | {"loss": round(loss, 5)})
                            write_results(RESULTS, rows, key)
                            print(*key(row), rows[-1]["score"], rows[-1]["loss"], flush=True)
    print("\n" + table(rows))
    write(RESULTS.with_suffix(".md"), table(rows))


if __name__ == "__main__":
    main()
