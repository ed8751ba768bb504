"""Do principal components, found on other rows, serve as well as the features themselves?

::

    python benchmarks/bench_components.py            # everything that is not done yet
    python benchmarks/bench_components.py --tables   # print the table, run nothing

The features of each data set as they are, and their 100 strongest components by a PCA of the test
rows (without their labels), as features come that somebody has reduced before. The estimators'
``input_scaling`` must not make the weak components as large as the strong ones.

Results go to a JSON file after each fit: a run that was interrupted goes on where it stopped. The
table is printed, and written beside the JSON file as markdown.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA

from _baselines import per_task
from _data import Tasks
from _loaders import LOADERS
from _markdown import markdown
from _ours import aligned, aligned_cv
from _results import Row
from _resumable import run_all
from _splits import split
from _table import gain, mean

RESULTS = Path(__file__).parent / "results" / "components.json"
DATA = ("polarity", "sentiment6", "amazon400", "scene", "emotions", "birds", "sider", "school")
SIZES, SEEDS, N_COMPONENTS = (64, 256), 2, 100
FEATURES = ("as they are", "components")
METHODS = {"per_task": per_task, "aligned": aligned, "aligned_cv": aligned_cv}
HEADER = ("data", "m", "method", "seeds", *FEATURES, "difference")
ABOUT = """\
Accuracy or ROC AUC in %, mean over tasks, then over seeds; ± standard errors of the paired
differences. per_task: tuned logistic regression on standardised features."""


def reduced(train: Tasks, test: Tasks) -> tuple[Tasks, Tasks]:
    """Both sides in components of the test rows."""
    n_components = min(N_COMPONENTS, *test.X.shape)
    pca = PCA(n_components, random_state=0).fit(test.X)
    sides = (replace(rows, X=pca.transform(rows.X).astype(np.float32)) for rows in (train, test))
    return next(sides), next(sides)


def key(row: Row) -> tuple:
    """What identifies a result."""
    return row["data"], row["m"], row["method"], FEATURES.index(row["features"]), row["seed"]


def table(rows: list[Row]) -> str:
    """One line per setting and method."""
    runs: dict[tuple, dict[int, Row]] = {}
    for row in sorted(rows, key=key):
        setting = row["data"], row["m"], row["method"], row["features"]
        runs.setdefault(setting, {})[row["seed"]] = row
    lines = [HEADER]
    for *setting, features in runs:
        raw, own = runs.get((*setting, FEATURES[0])), runs[*setting, features]
        if features == FEATURES[1] and raw:
            means = f"{mean(raw):.1f}", f"{mean(own):.1f}", gain(own, raw)
            lines.append((setting[0], str(setting[1]), setting[2], str(len(own)), *means))
    return f"# Principal components of other rows\n\n{markdown(lines)}\n\n{ABOUT}\n"


def sides(row: Row) -> tuple[Tasks, Tasks]:
    """The rows of a setting, with its features."""
    both = split(LOADERS[row["data"]](), row["m"], row["seed"])
    return both if row["features"] == FEATURES[0] else reduced(*both)


def main() -> None:
    """Run what is not done yet and print the table."""
    settings = [
        {"data": name, "m": m, "method": method, "features": features, "seed": seed}
        for seed in range(SEEDS)
        for m in SIZES
        for name in DATA
        for features in FEATURES
        for method in METHODS
    ]
    run_all(__doc__ or "", RESULTS, settings, key, sides, METHODS, table)


if __name__ == "__main__":
    main()
