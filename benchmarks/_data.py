"""The data sets of the accuracy benchmark, all in one form.

The data folder is named by the environment variable ``SK_MTL_DATA``; its default is
``../shared/data`` relative to the root of the repository. It is not part of the package.
"""

import gzip
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from _texts import text_groups

Metric = Literal["accuracy", "roc_auc"]
Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Tasks:
    """Rows of several binary tasks, stacked or wide.

    Parameters
    ----------
    X : array of shape (n, d), float32
        Features.
    y : array of shape (n,) or (n, k), float
        Stacked: the label of each row. Wide: one column per task, NaN where it is missing.
    task : array of shape (n,) or None
        Stacked: the number of each row's task, an index into `names`. None: `y` is wide.
    names : tuple of str
        The k tasks.
    metric : {"accuracy", "roc_auc"}
        What is reported, and what the baselines tune for.
    """

    X: Floats
    y: Floats
    task: Integers | None
    names: tuple[str, ...]
    metric: Metric

    def rows(self, task: int) -> Integers:
        """Numbers of the rows that belong to `task`; all rows when y is wide."""
        return np.arange(len(self.X)) if self.task is None else np.flatnonzero(self.task == task)

    def at(self, task: int) -> Any:
        """Index of the entries of `task` in anything shaped like y; in the order of `rows`."""
        return self.rows(task) if self.task is not None else (slice(None), task)

    def labelled_rows(self, task: int) -> Integers:
        """Numbers of the rows of `task` whose label is known."""
        known: Mask = ~np.isnan(self.y[self.at(task)])
        return self.rows(task)[known]

    def take(self, rows: Integers) -> "Tasks":
        """The same tasks with some of the rows."""
        task = None if self.task is None else self.task[rows]
        return replace(self, X=self.X[rows], y=self.y[rows], task=task)

    def without_labels(self) -> "Tasks":
        """The same rows with every label missing: what a method may see of the test set."""
        return replace(self, y=np.full_like(self.y, np.nan))


@dataclass(frozen=True)
class Dataset:
    """All rows of a data set and how they are to be split.

    Parameters
    ----------
    tasks : Tasks
        All rows.
    group : array of shape (n,) or None
        Rows of one group stay on one side of a split, over all tasks. None: each row is its own.
    each_class : bool
        Training sets hold at least one row of each class of each task.
    above_median : bool
        y is a real-valued score; the label is whether it exceeds the median of the training rows.
    """

    tasks: Tasks
    group: Integers | None = None
    each_class: bool = False
    above_median: bool = False


def data_folder() -> Path:
    """The data folder; the program ends with a message where there is none."""
    default = Path(__file__).resolve().parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("SK_MTL_DATA", default)).resolve()
    if not folder.is_dir():
        sys.exit(f"No benchmark data: {folder} is not a folder. Set SK_MTL_DATA to where it is.")
    return folder


def load(name: str) -> dict[str, NDArray[Any]]:
    """The arrays of one file of the data folder."""
    path = data_folder() / f"{name}.npz"
    if not path.is_file():
        sys.exit(f"No benchmark data: {path} is missing. Set SK_MTL_DATA to a complete folder.")
    with np.load(path) as file:
        return dict(file)


def texts(name: str) -> list[str]:
    """The sentences of a text task, in the order of its feature file."""
    path = data_folder() / "sentiment6" / f"{name}.tsv.gz"
    if not path.is_file():
        sys.exit(f"No benchmark data: {path} is missing. Set SK_MTL_DATA to a complete folder.")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n").split("\t")[2] for line in lines][1:]  # 0: the header


def _stacked(z: dict[str, NDArray[Any]], metric: Metric) -> Tasks:
    """A file with X, y and task as stacked tasks."""
    ids, task = np.unique(z["task"], return_inverse=True)
    names = tuple(map(str, z.get("task_names", ids)))
    return Tasks(z["X"].astype(np.float32), z["y"].astype(float), task, names, metric)


def polarity() -> Dataset:
    """Is this text positive? Four sources, frozen sentence-encoder features (d = 384)."""
    names = ("mr", "cr", "mpqa", "sst")
    parts = [load(f"sentiment6_minilm/{name}") for name in names]
    sentences = [text for name in names for text in texts(name)]
    tasks = Tasks(
        X=np.concatenate([part["X"] for part in parts]).astype(np.float32),
        y=np.concatenate([part["y"] for part in parts]).astype(float),
        task=np.repeat(np.arange(len(names)), [len(part["y"]) for part in parts]),
        names=names,
        metric="accuracy",
    )
    if len(sentences) != len(tasks.X):
        sys.exit(f"Benchmark data: {len(sentences)} sentences but {len(tasks.X)} rows of features.")
    return Dataset(tasks, group=text_groups(sentences))


def amazon400() -> Dataset:
    """Is this product review positive? Four product domains (d = 400)."""
    tasks = _stacked(load("tabular/amazon400"), "accuracy")
    first = np.unique(tasks.X, axis=0, return_index=True)[1]  # 2 % of the reviews are repeated
    return Dataset(tasks.take(np.sort(first)))


def landmine() -> Dataset:
    """Mine or clutter, from radar features (d = 9); 29 fields, 6 % of the rows positive."""
    return Dataset(_stacked(load("tabular/landmine"), "roc_auc"), each_class=True)


def school() -> Dataset:
    """Is this exam score above the median? 139 schools, one-hot pupil features (d = 28)."""
    return Dataset(_stacked(load("tabular/school"), "accuracy"), above_median=True)


def tox21() -> Dataset:
    """Is this molecule active in 12 assays? Fingerprints (d = 2048), 17 % of labels missing."""
    z = load("molecules/tox21")
    X = np.unpackbits(z["fp"], axis=1).astype(np.float32)
    y = np.where(z["Y"] < 0, np.nan, z["Y"])
    names = tuple(map(str, z["task_names"]))
    return Dataset(Tasks(X, y, None, names, "roc_auc"), each_class=True)


LOADERS: dict[str, Callable[[], Dataset]] = {
    "polarity": polarity,
    "amazon400": amazon400,
    "landmine": landmine,
    "school": school,
    "tox21": tox21,
}
