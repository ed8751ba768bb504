"""Rows of several tasks, as a multi-task model takes them, and task by task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, check_cv
from sklearn.utils.validation import _num_samples, check_array, validate_data

from sk_mtl._folds import named_folds
from sk_mtl._tasks import Array, TaskSet, split_column
from sk_mtl._telling import refuse_unnamed_column, told_tasks
from sk_mtl.model_selection import TaskStratifiedKFold


@dataclass(frozen=True)
class NamedRows:
    """Rows, and how their tasks are known.

    Attributes
    ----------
    X : table
        As the multi-task estimator takes it.
    features : table
        Without the task column.
    ids : ndarray of shape (n_rows,) or None
    told : bool
        Whether the multi-task estimator takes the ids as ``task=``.
    """

    X: Any
    features: Any
    ids: Array | None
    told: bool

    @classmethod
    def of(cls, estimator: Any, X: Any, task: Any, *, reset: bool) -> NamedRows:
        """What the user passed to a selective estimator, checked."""
        multi, own = estimator._multi, estimator.task_column
        if not hasattr(X, "columns"):
            X = check_array(X, dtype=None, ensure_all_finite=False, estimator=estimator)
        validate_data(estimator, X, reset=reset, skip_check_array=True)
        features = X
        column = getattr(multi, "task_column", None) if own is None else own
        if column is not None and task is None:
            features, _ = split_column(X, column)
            if isinstance(features, np.ndarray) and features.dtype == object:
                features = check_array(features, dtype="numeric", ensure_all_finite=False)
        X, ids, told, left = told_tasks(multi, X, task, own)
        refuse_unnamed_column(multi, ids)
        return cls(features if left is None and column is not None else X, features, ids, told)

    def __len__(self) -> int:
        return int(_num_samples(self.X))

    def telling(self, rows: Any) -> dict[str, Any]:
        """The keyword that tells the multi-task estimator of some rows' tasks, if it needs one."""
        return {"task": self.ids[rows]} if self.told and self.ids is not None else {}


@dataclass(frozen=True)
class TaskRows:
    """The labelled rows of one task: their numbers among all rows, labels and weights."""

    rows: Array
    labels: Array
    weight: Array

    def take(self, which: Array) -> TaskRows:
        return TaskRows(self.rows[which], self.labels[which], self.weight[which])


@dataclass(frozen=True)
class SelectiveData:
    """Rows of all tasks, of which any can be fitted.

    Attributes
    ----------
    named : NamedRows
    columns : list of ndarray
        The columns of ``y``.
    weight : ndarray or None
    tasks : TaskSet
    of_task : list of TaskRows
    """

    named: NamedRows
    columns: list[Array]
    weight: Array | None
    tasks: TaskSet
    of_task: list[TaskRows]

    @property
    def rows(self) -> Array:
        """The rows that have a label of some task."""
        return np.unique(np.concatenate([task.rows for task in self.of_task]))

    def folds(self, cv: Any, random: np.random.RandomState) -> Iterator[tuple[Array, Array]]:
        """Numbers of the rows to train on, and of those held out; none of too few rows."""
        used = self.rows
        if not isinstance(cv, Integral):
            target = None if self.tasks.wide else self.columns[0]
            found = check_cv(cv, target).split(self.named.X, target)
            for train, test in named_folds(found, len(self.named)):
                yield np.intersect1d(train, used), np.intersect1d(test, used)
            return
        seed = int(random.randint(np.iinfo(np.int32).max))
        n_splits = min(int(cv), len(used))
        if n_splits < 2:
            return
        if self.tasks.wide:
            folds = KFold(n_splits, shuffle=True, random_state=seed).split(used)
        else:
            ids = np.zeros(len(used), dtype=int) if self.named.ids is None else self.named.ids[used]
            splitter = TaskStratifiedKFold(n_splits, random_state=seed)
            folds = splitter.split(used, self.columns[0][used], task=ids)
        for train, test in folds:
            yield used[train], used[test]
