"""When does the alignment R_i gain, beside its controls?

::

    python benchmarks/bench_alignment.py                        # everything that is not done yet
    python benchmarks/bench_alignment.py --parts transfer --seeds 1
    python benchmarks/bench_alignment.py --tables               # print the tables, run nothing

Two parts: several tasks at once, and transfer from a source task to targets with few rows. The
tables say what each method is. Controls: tuned penalties without alignment, one common matrix for
all tasks instead of one each, and no sharing at all. Whatever is chosen is chosen by
cross-validation on training rows.

Results go to a JSON file, one line per part, basis, net, seed and method, after each of them: a
run that was interrupted goes on where it stopped. The tables are printed, and written beside the
JSON file as markdown. Let only one run at a time write to a file.
"""

import argparse
import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from scipy.stats import ortho_group
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits
from torch import nn

from _alignment_table import KEY, key, tables
from _common_matrix import CommonMatrix
from _data import FIRST_LABEL, Dataset, Integers, Tasks, data_folder, load, texts
from _results import Row, write, write_results
from _splits import split
from _texts import text_groups
from sk_mtl import AlignedTransferClassifier, MultiTaskAlignedClassifier

Params = dict[str, Any]
Candidates = list[Params]
Scores = Callable[[Params], float]  # accuracy in cross-validation
Fit = Callable[[Params, Tasks, Tasks], Integers]  # parameters, training rows, other rows -> labels

RESULTS = Path(__file__).parent / "results" / "alignment.json"
BASES = ("one basis", "own bases")
"""Whether all tasks have the same random rotation of their features, or each its own."""

SOURCE = "sst"
N_ROWS, N_SOURCE_ROWS, N_COMPONENTS, N_FOLDS = 200, 3000, 64, 3
NETS: dict[str, Params] = {
    "4": {"hidden_layer_sizes": (4,), "skip_connection": False},
    "32": {"hidden_layer_sizes": (32,), "skip_connection": False},
    "32 + skip": {"hidden_layer_sizes": (32,)},
}
SCARCE = "4"
SKIP_SHARE = 0.03  # penalties on hidden units beside a skip connection are divided by it

PLAIN: Params = {"alignment": None}
ALPHAS: Candidates = [PLAIN | {"alpha": alpha} for alpha in (0.2, 1.0, 5.0)]
STRENGTHS = (0.3, 10.0)


def aligned(**params: Any) -> Candidates:
    """No alignment, and full alignments with several penalties."""
    full = [{"alignment": "full", "alignment_alpha": a, **params} for a in STRENGTHS]
    return [PLAIN, *full]


COMMON: Candidates = [PLAIN, *({"common_alpha": a} for a in STRENGTHS)]


def at_best_alpha(candidates: Candidates, accuracy: Scores) -> Candidates:
    """Candidates with the alpha that is best without alignment."""
    alpha = max(ALPHAS, key=accuracy)["alpha"]
    return [candidate | {"alpha": alpha} for candidate in candidates]


def alone(candidates: Candidates) -> Candidates:
    """Candidates fitted to each task by itself."""
    return [candidate | {"alone": True} for candidate in candidates]


MULTI_TASK: dict[str, Callable[[Scores], Candidates]] = {
    "no alignment": lambda accuracy: [ALPHAS[0]],
    "no alignment, alpha tuned": lambda accuracy: ALPHAS,
    "aligned": lambda accuracy: [params | {"alpha": 0.2} for params in aligned()],
    "aligned, alpha tuned": partial(at_best_alpha, aligned()),
    "one common R, alpha tuned": partial(at_best_alpha, COMMON),
    "alone": lambda accuracy: alone(ALPHAS[:1]),
    "alone, alpha tuned": lambda accuracy: alone(ALPHAS),
    "coral": partial(at_best_alpha, aligned(alignment_init="coral")),
    "alternating": partial(at_best_alpha, aligned(alignment_schedule="alternating")),
    "after_shared": partial(at_best_alpha, aligned(alignment_schedule="after_shared")),
}
SCARCE_ONLY = ("coral", "alternating", "after_shared")

MATRIX = aligned()[1:]
TRANSFER: dict[str, Candidates] = {
    "scratch": [ALPHAS[0] | {"scratch": True}],
    "scratch, alpha tuned": [params | {"scratch": True} for params in ALPHAS],
    "A": [PLAIN],
    "R, A": MATRIX,
    "R, A, default penalty": [{"alignment": "auto"}],
    "B, A": [PLAIN | {"fine_tune_epochs": 10}],
    "B, A to the end, alpha tuned": [params | {"fine_tune_epochs": 1000} for params in ALPHAS],
    "R, B, A": [params | {"fine_tune_epochs": 10} for params in MATRIX],
}
METHODS = {"multi-task": list(MULTI_TASK), "transfer": list(TRANSFER)}


def with_common_matrix(n_features: int, capacity: int, scale: float) -> nn.Sequential:
    """A common matrix before a layer that is like the built-in ones."""
    linear = nn.Linear(n_features, capacity)
    nn.init.normal_(linear.weight, std=math.sqrt(2 / capacity))
    nn.init.zeros_(linear.bias)
    return nn.Sequential(CommonMatrix(n_features, scale), linear, nn.ReLU())


def estimator(net: str, seed: int, params: Params) -> MultiTaskAlignedClassifier:
    """The estimator; ``common_alpha`` stands for one common matrix with this penalty."""
    params = NETS[net] | params
    if "common_alpha" in params:
        # All of a shared module has one penalty: the scale of D makes it common_alpha on R.
        penalty = params["alpha"] / (SKIP_SHARE if params.get("skip_connection", True) else 1)
        scale = math.sqrt(penalty / params.pop("common_alpha"))
        (capacity,) = params.pop("hidden_layer_sizes")
        module = partial(with_common_matrix, capacity=capacity, scale=scale)
        params |= {"shared_module": module, "input_scaling": "principal", "alignment": None}
    return MultiTaskAlignedClassifier(random_state=seed, tol=1e-3, **params)


def fit_tasks(net: str, seed: int, params: Params, train: Tasks, X: Tasks) -> Integers:
    """Predict the labels of the rows of several tasks."""
    params = dict(params)
    if not params.pop("alone", False):
        model = estimator(net, seed, params).fit(train.X, train.y, task=train.task)
        return model.predict(X.X, task=X.task)
    label = np.empty_like(X.y)
    for task in range(len(train.names)):
        rows = train.rows(task)
        model = estimator(net, seed, params).fit(train.X[rows], train.y[rows])
        label[X.rows(task)] = model.predict(X.X[X.rows(task)])
    return label


def fit_target(
    net: str, seed: int, source: Any, params: Params, train: Tasks, X: Tasks
) -> Integers:
    """Predict the labels of the rows of a target."""
    params = dict(params)
    if params.pop("scratch", False):
        model: Any = estimator(net, seed, params)
    else:
        model = AlignedTransferClassifier(source, random_state=seed, tol=1e-3, **params)
    return model.fit(train.X, train.y).predict(X.X)


def choose_and_score(
    fit: Fit, train: Tasks, test: Tasks, seed: int
) -> tuple[Scores, Callable[[Candidates], tuple[Params, float, list[float]]]]:
    """Accuracy in cross-validation; and, of the best candidate, itself, seconds and accuracies.

    Both remember what they have fitted.
    """
    assert train.task is not None
    strata = [f"{t}:{c:g}" for t, c in zip(train.task, train.y, strict=True)]
    folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed).split(train.X, strata)
    parts = [(train.take(fitted), train.take(held_out)) for fitted, held_out in folds]

    @cache
    def accuracy(frozen: tuple[tuple[str, Any], ...]) -> float:
        params = dict(frozen)
        hits = [fit(params, some, rest.without_labels()) == rest.y for some, rest in parts]
        return float(np.concatenate(hits).mean())

    @cache
    def test_scores(frozen: tuple[tuple[str, Any], ...]) -> tuple[float, list[float]]:
        start = time.perf_counter()
        label = fit(dict(frozen), train, test.without_labels())
        seconds = time.perf_counter() - start
        hit = label == test.y
        present = [rows for rows in map(test.rows, range(len(test.names))) if len(rows)]
        return seconds, [100 * float(hit[rows].mean()) for rows in present]

    def remembered(params: Params) -> float:
        return accuracy(tuple(sorted(params.items())))

    def score(candidates: Candidates) -> tuple[Params, float, list[float]]:
        best = max(candidates, key=remembered) if len(candidates) > 1 else candidates[0]
        return best, *test_scores(tuple(sorted(best.items())))

    return remembered, score


def sentiment6() -> Dataset:
    """Six sentence-classification tasks, frozen sentence-encoder features (d = 384)."""
    parts = [load(f"sentiment6_minilm/{name}") for name in FIRST_LABEL]
    labels = [part["y"] + first for part, first in zip(parts, FIRST_LABEL.values(), strict=True)]
    tasks = Tasks(
        X=np.concatenate([part["X"] for part in parts]).astype(np.float32),
        y=np.concatenate(labels).astype(float),
        task=np.repeat(np.arange(len(parts)), [len(part["y"]) for part in parts]),
        names=tuple(FIRST_LABEL),
        metric="accuracy",
    )
    return Dataset(tasks, group=text_groups([text for name in FIRST_LABEL for text in texts(name)]))


def in_basis(basis: str, pca: PCA, rows: Tasks, seed: int) -> Tasks:
    """Principal components, rotated: alike for all tasks, or each task by a matrix of its own."""
    assert rows.task is not None
    rotations = ortho_group(N_COMPONENTS, seed=seed).rvs(len(rows.names))
    which = rows.task if basis == "own bases" else np.zeros_like(rows.task)
    X = np.empty((len(rows.X), N_COMPONENTS))
    reduced = pca.transform(rows.X)
    for number, rotation in enumerate(rotations):
        X[which == number] = reduced[which == number] @ rotation
    return Tasks(X, rows.y, rows.task, rows.names, rows.metric)


def first_rows(rows: Tasks, counts: dict[str, int]) -> Tasks:
    """The first rows of some tasks, so many each."""
    chosen = [rows.rows(rows.names.index(name))[:count] for name, count in counts.items()]
    return rows.take(np.concatenate(chosen))


def multi_task(
    data: Dataset, basis: str, net: str, seed: int, methods: list[str]
) -> Iterator[tuple[str, Row]]:
    """Results of methods that fit all tasks at once."""
    train, test = split(data, N_ROWS, seed)
    pca = PCA(N_COMPONENTS, random_state=0).fit(train.X)
    train, test = (in_basis(basis, pca, rows, seed) for rows in (train, test))
    accuracy, score = choose_and_score(partial(fit_tasks, net, seed), train, test, seed)
    for method in methods:
        if method in SCARCE_ONLY and net != SCARCE:
            continue
        params, seconds, scores = score(MULTI_TASK[method](accuracy))
        yield method, result(train.names, scores, [params], seconds)


def transfer(
    data: Dataset, basis: str, net: str, seed: int, methods: list[str]
) -> Iterator[tuple[str, Row]]:
    """Results of methods that fit one target at a time, from a source."""
    train, test = split(data, N_SOURCE_ROWS, seed)
    of_source = first_rows(train, {SOURCE: N_SOURCE_ROWS})
    pca = PCA(N_COMPONENTS, random_state=0).fit(of_source.X)
    train, test, of_source = (in_basis(basis, pca, rows, seed) for rows in (train, test, of_source))
    source = estimator(net, seed, PLAIN).fit(of_source.X, of_source.y)
    targets = [name for name in FIRST_LABEL if name != SOURCE]
    scorers = []
    for name in targets:
        rows, of_test = first_rows(train, {name: N_ROWS}), first_rows(test, {name: len(test.X)})
        fit = partial(fit_target, net, seed, source)
        scorers.append(choose_and_score(fit, rows, of_test, seed)[1])
    for method in methods:
        results = [score(TRANSFER[method]) for score in scorers]
        chosen, seconds, scores = zip(*results, strict=True)
        yield method, result(targets, [s for (s,) in scores], chosen, np.mean(seconds))


def result(names: Any, scores: list[float], chosen: Any, seconds: Any) -> Row:
    """The fields of a result that a method determines."""
    used = sum("common_alpha" in c or c.get("alignment") is not None for c in chosen)
    return {
        "score": round(float(np.mean(scores)), 3),
        "aligned": [used, len(chosen)],
        "seconds": round(float(seconds), 3),
        "chosen": [{name: value for name, value in c.items() if value is not None} for c in chosen],
        "sklearn": sklearn.__version__,
        "tasks": {name: round(s, 3) for name, s in zip(names, scores, strict=True)},
    }


PARTS = {"multi-task": multi_task, "transfer": transfer}


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--bases", nargs="+", choices=BASES, default=list(BASES))
    parser.add_argument("--nets", nargs="+", choices=NETS, default=list(NETS))
    parser.add_argument("--seeds", type=int, default=5, help="how many (default: 5)")
    parser.add_argument("--redo", action="store_true", help="run finished results again")
    parser.add_argument("--tables", action="store_true", help="only print what is stored")
    parser.add_argument("--threads", type=int, default=1, help="of the linear algebra (default: 1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file of the results")
    return parser.parse_args()


def run(arguments: argparse.Namespace, rows: list[Row]) -> list[Row]:
    """Stored results and those that are not done yet."""
    data_folder()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", "The least populated class", UserWarning)
    data = sentiment6()
    order = {
        (part, basis, net, method): number
        for number, (part, basis, net, method) in enumerate(
            (part, basis, net, method)
            for part in PARTS
            for basis in BASES
            for net in NETS
            for method in METHODS[part]
        )
    }
    settings = [
        (seed, part, basis, net)
        for seed in range(arguments.seeds)
        for part in arguments.parts
        for basis in arguments.bases
        for net in arguments.nets
        if part == "multi-task" or (basis == BASES[0] and net != SCARCE)
    ]
    done = set() if arguments.redo else {key(row) for row in rows}
    for seed, part, basis, net in settings:
        todo = [m for m in METHODS[part] if (part, basis, net, m, seed) not in done]
        for method, fields in PARTS[part](data, basis, net, seed, todo) if todo else ():
            row = dict(zip(KEY, (part, basis, net, method, seed), strict=True)) | fields
            rows = [old for old in rows if key(old) != key(row)] + [row]
            rows.sort(key=lambda row: (order[key(row)[:-1]], row["seed"]))
            write_results(arguments.out, rows, key)
            print(*key(row), f"{row['score']:.2f}", flush=True)
    return rows


def main() -> None:
    """Run what is not done yet and print the tables."""
    arguments = parse_arguments()
    out: Path = arguments.out
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else []
    if not arguments.tables:
        with threadpool_limits(arguments.threads):
            rows = run(arguments, rows)
    print("\n" + tables(rows, METHODS))
    write(out.with_suffix(".md"), tables(rows, METHODS))


if __name__ == "__main__":
    main()
