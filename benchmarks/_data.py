"""The data sets of the accuracy benchmark, all in one form.

The data folder is named by the environment variable ``SK_MTL_DATA``; its default is
``../shared/data`` relative to the root of the repository. It is not part of the package.
"""

import gzip
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Metric = Literal["accuracy", "roc_auc", "r2", "explained"]
Integers = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]

FIRST_LABEL = {"mr": 0, "sst": 0, "cr": 0, "mpqa": 0, "subj": 2, "trec": 4}
"""Text tasks whose labels mean the same have the same labels."""


@dataclass(frozen=True)
class Tasks:
    """Rows of several tasks, stacked or wide.

    Parameters
    ----------
    X : array of shape (n, d), float32
        Features.
    y : array of shape (n,) or (n, k), float
        Stacked: the label of each row, or its value. Wide: one column per task, NaN where it is
        missing. Labels that mean the same in several tasks are the same.
    task : array of shape (n,) or None
        Stacked: the number of each row's task, an index into `names`. None: `y` is wide.
    names : tuple of str
        The k tasks.
    metric : {"accuracy", "roc_auc", "r2", "explained"}
        What is reported, and what the baselines tune for. The last two are of values: the mean
        R^2 of the tasks, and the share of the squares of all test rows that is explained.
    """

    X: Floats
    y: Floats
    task: Integers | None
    names: tuple[str, ...]
    metric: Metric

    @property
    def of_values(self) -> bool:
        """Whether y holds values, not labels."""
        return self.metric in ("r2", "explained")

    def labels(self, task: int) -> Floats:
        """The known labels of a task, in the order of `labelled_rows`."""
        y = self.y[self.at(task)]
        return y[~np.isnan(y)]

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
    most : float
        Training rows are at most this share of a task's rows.
    """

    tasks: Tasks
    group: Integers | None = None
    each_class: bool = False
    above_median: bool = False
    most: float = 0.5


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
    return [columns[2] for columns in table(f"sentiment6/{name}")]


def table(name: str) -> list[list[str]]:
    """The lines of a text file of the data folder, each a list of its columns."""
    path = data_folder() / f"{name}.tsv.gz"
    if not path.is_file():
        sys.exit(f"No benchmark data: {path} is missing. Set SK_MTL_DATA to a complete folder.")
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n").split("\t") for line in lines][1:]  # 0: the header
