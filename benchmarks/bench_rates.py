"""Does a schedule of Adam's learning rates lead to better models than a constant rate?

::

    python benchmarks/bench_rates.py            # everything that is not done yet
    python benchmarks/bench_rates.py --tables   # print the table, run nothing

Schedules over a training of fixed length, changing at each batch: the half wave of a cosine, a
line to 0, and the waves of RealMLP (Holzmüller et al., 2024), each over twice as many epochs as the
one before. Each with a third of the default rate, with it, and with three times it. Scores are of
held-out training rows: no test row has been looked at. "as it is" is the estimator with its own
rule of stopping, "lbfgs" the default solver.

Results go to a JSON file after each fit: a run that was interrupted goes on where it stopped. The
table is printed, and written beside the JSON file as markdown.
"""

import math
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import LambdaLR

from _data import Tasks
from _loaders import LOADERS
from _markdown import markdown
from _ours import estimator, fitted_answers
from _results import Row
from _resumable import run_all
from _scores import Answer
from _splits import split
from _table import gain, mean

RESULTS = Path(__file__).parent / "results" / "rates.json"
SIZES = {"sentiment6": 1000, "amazon400": 900, "tox21": 2000, "scene": 1000}
SEEDS, EPOCHS, BATCH = 2, 40, 200
RATES = (1 / 3, 1.0, 3.0)
DEFAULT_RATE = 1e-3
SHAPES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
    "linear": lambda done: 1 - done,
    "waves": lambda done: 0.5 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * done))),
}
HEADER = ("data", "m", *SHAPES, "rate of the best", "as it is", "lbfgs")
ABOUT = """\
Accuracy or ROC AUC in % of a fifth of the training rows, mean over tasks, then over draws, each
schedule with its best rate of three; ± standard errors of the paired differences from the first."""


def _at(shape: Callable[[float], float], n_steps: int, step: int) -> float:
    return shape(min(step / n_steps, 1.0))


def scheduled(shape: str, rate: float, train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Adam for a fixed number of epochs."""
    n_steps = EPOCHS * math.ceil(len(train.X) / BATCH)
    change = LRScheduler(
        LambdaLR, lr_lambda=partial(_at, SHAPES[shape], n_steps), step_every="batch"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the end of the epochs is meant to be reached
        model = estimator(
            train,
            seed,
            solver="adam",
            batch_size=BATCH,
            learning_rate_init=rate * DEFAULT_RATE,
            max_iter=EPOCHS,
            tol=0.0,
            n_iter_no_change=10 * EPOCHS,
            callbacks=[change],
        )
        return fitted_answers(model, train, test)


def by_itself(solver: str, train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """The estimator as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fitted_answers(estimator(train, seed, solver=solver), train, test)


METHODS: dict[str, Any] = {
    f"{shape}, {rate:.2g}": partial(scheduled, shape, rate) for shape in SHAPES for rate in RATES
} | {"as it is": partial(by_itself, "adam"), "lbfgs": partial(by_itself, "lbfgs")}


def sides(row: Row) -> tuple[Tasks, Tasks]:
    """Four fifths of the training rows, and the rest of them."""
    train, _ = split(LOADERS[row["data"]](), row["m"], row["seed"])
    rng = np.random.default_rng(row["seed"])
    held_out = rng.random(len(train.X)) < 0.2
    return train.take(np.flatnonzero(~held_out)), train.take(np.flatnonzero(held_out))


def key(row: Row) -> tuple:
    """What identifies a result."""
    return row["data"], row["m"], list(METHODS).index(row["method"]), row["seed"]


def table(rows: list[Row]) -> str:
    """One line per data set: the best rate of each schedule."""
    runs: dict[tuple, dict[int, Row]] = {}
    for row in sorted(rows, key=key):
        runs.setdefault((row["data"], row["m"], row["method"]), {})[row["seed"]] = row
    lines = [HEADER]
    for data, m in dict.fromkeys(key[:2] for key in runs):
        best = {}
        for shape in SHAPES:
            names = [name for name in METHODS if name.startswith(shape + ",")]
            done = [name for name in names if (data, m, name) in runs]
            if done:
                best[shape] = max(done, key=lambda name: mean(runs[data, m, name]))
        if "constant" not in best:
            continue
        constant = runs[data, m, best["constant"]]
        cells = [f"{mean(constant):.1f}"]
        for shape in list(SHAPES)[1:]:
            cells.append(gain(runs[data, m, best[shape]], constant) if shape in best else "")
        rates = ", ".join(best[shape].split(", ")[1] for shape in best)
        others = [runs.get((data, m, name)) for name in ("as it is", "lbfgs")]
        lines.append(
            (data, str(m), *cells, rates, *(gain(run, constant) if run else "" for run in others))
        )
    return f"# Schedules of learning rates\n\n{markdown(lines)}\n\n{ABOUT}\n"


def main() -> None:
    """Run what is not done yet and print the table."""
    settings = [
        {"data": name, "m": m, "method": method, "seed": seed}
        for seed in range(SEEDS)
        for name, m in SIZES.items()
        for method in METHODS
    ]
    run_all(__doc__ or "", RESULTS, settings, key, sides, METHODS, table)


if __name__ == "__main__":
    main()
