"""Does it help to align tasks that were measured by different instruments, and does it cost?

::

    python benchmarks/bench_sensors.py             # everything that is not done yet
    python benchmarks/bench_sensors.py --tables    # print the table, run nothing

The polarity and the review tasks, on 64 principal components of their features, as they are ("one
instrument"), with a gain and an offset of each task's own on every feature ("own units"), and in a
random basis of each task's own ("own bases"). The estimator that tunes itself, with and without
alignment to choose from, beside the same estimator for each task alone and a tuned logistic
regression per task.

Results go to a JSON file after each fit: a run that was interrupted goes on where it stopped. The
table is printed, and written beside the JSON file as markdown.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from scipy.stats import ortho_group
from sklearn.decomposition import PCA

from _baselines import one_by_one, per_task
from _data import Tasks
from _loaders import LOADERS
from _markdown import markdown
from _ours import fitted_answers
from _results import Row
from _resumable import run_all
from _scores import Answer
from _splits import split
from _table import gain, mean
from sk_mtl import MultiTaskAlignedClassifierCV

RESULTS = Path(__file__).parent / "results" / "sensors.json"
DATA, SIZES, SEEDS, N_COMPONENTS = ("polarity", "amazon400"), (64, 200), 3, 64
INSTRUMENTS = ("one instrument", "own units", "own bases")
HEADER = (
    "data",
    "m",
    "measured by",
    "method",
    "seeds",
    "accuracy",
    "over no alignment",
    "over alone",
    "over per_task",
)
ABOUT = """\
Accuracy in %, mean over tasks, then over seeds; gains are paired over seeds, ± their standard
error. aligned: MultiTaskAlignedClassifierCV, which may align; no alignment: with alignment=None.
alone: the same estimator for each task by itself. per_task: a tuned logistic regression."""


def no_alignment(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """The estimator that tunes itself, without alignment to choose."""
    model = MultiTaskAlignedClassifierCV(alignment=None, random_state=seed)
    return fitted_answers(model, train, test)


def aligned(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """The same with its defaults."""
    return fitted_answers(MultiTaskAlignedClassifierCV(random_state=seed), train, test)


def alone(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Control: the same for each task by itself."""
    return one_by_one(MultiTaskAlignedClassifierCV(random_state=seed), train, test)


METHODS: dict[str, Callable[[Tasks, Tasks, int], list[Answer]]] = {
    "no alignment": no_alignment,
    "aligned": aligned,
    "alone": alone,
    "per_task": per_task,
}


def measured(train: Tasks, test: Tasks, instruments: str, seed: int) -> tuple[Tasks, Tasks]:
    """Both sides as the tasks' instruments show them."""
    pca = PCA(N_COMPONENTS, random_state=0).fit(train.X)
    rng = np.random.default_rng([seed, 1])
    sides = [pca.transform(rows.X).astype(float) for rows in (train, test)]
    size = sides[0].std(axis=0)
    for task in range(len(train.names)):
        gains, offsets = rng.standard_normal((2, N_COMPONENTS))
        basis = ortho_group.rvs(N_COMPONENTS, random_state=rng)
        for X, rows in zip(sides, (train, test), strict=True):
            own = rows.rows(task)
            if instruments == "own units":
                X[own] = (X[own] + offsets * size) * np.exp(gains)
            elif instruments == "own bases":
                X[own] = X[own] @ basis
    return replace(train, X=sides[0]), replace(test, X=sides[1])


def key(row: Row) -> tuple:
    """What identifies a result."""
    return row["data"], row["m"], INSTRUMENTS.index(row["measured by"]), row["method"], row["seed"]


def table(rows: list[Row]) -> str:
    """One line per setting and method."""
    runs: dict[tuple, dict[int, Row]] = {}
    for row in sorted(rows, key=key):
        setting = row["data"], row["m"], row["measured by"]
        runs.setdefault((*setting, row["method"]), {})[row["seed"]] = row
    lines = [HEADER]
    for (*setting, method), own in runs.items():
        others = [runs.get((*setting, name), {}) for name in ("no alignment", "alone", "per_task")]
        compared = ("-" if other is own else gain(own, other) for other in others)
        words = (setting[0], str(setting[1]), setting[2], method, str(len(own)))
        lines.append((*words, f"{mean(own):.2f}", *compared))
    return f"# Tasks measured by different instruments\n\n{markdown(lines)}\n\n{ABOUT}\n"


def sides(row: Row) -> tuple[Tasks, Tasks]:
    """The rows of a setting, as its instruments show them."""
    both = split(LOADERS[row["data"]](), row["m"], row["seed"])
    return measured(*both, row["measured by"], row["seed"])


def main() -> None:
    """Run what is not done yet and print the table."""
    settings = [
        {"data": name, "m": m, "measured by": instruments, "method": method, "seed": seed}
        for seed in range(SEEDS)
        for name in DATA
        for m in SIZES
        for instruments in INSTRUMENTS
        for method in METHODS
    ]
    run_all(__doc__ or "", RESULTS, settings, key, sides, METHODS, table)


if __name__ == "__main__":
    main()
