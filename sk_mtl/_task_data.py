"""Rows of several tasks in any layout: folds of them, and fits to any of the tasks."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import KFold, check_cv
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples, check_array

from sk_mtl._folds import named_folds
from sk_mtl._labels import columns_as_array, read_columns, read_labels, refuse_gaps
from sk_mtl._task_model import TaskClassifier, TaskRegressor
from sk_mtl._tasks import Array, TaskSet, split_column
from sk_mtl._telling import refuse_unnamed_column, takes_task, told_tasks
from sk_mtl._value_targets import read_values
from sk_mtl.model_selection import TaskStratifiedKFold


@dataclass(frozen=True)
class TaskData:
    """Rows of all tasks, of which any can be fitted.

    Attributes
    ----------
    X : table
        As the estimator takes it.
    columns : list of ndarray
        The columns of ``y``: one, or for a wide ``y`` one per task.
    ids : ndarray of shape (n_rows,) or None
        Task of each row; None without tasks, or for a wide ``y``.
    told : bool
        Whether the estimator takes the ids as ``task=``.
    task_column : column name, int or None
        Column of ``X`` that holds the ids.
    tasks : ndarray of shape (n_tasks,)
    rows : list of ndarray of int
        The labelled rows of each task.
    labels : list of ndarray
        Their labels.
    classification : bool
    """

    X: Any
    columns: list[Array]
    ids: Array | None
    told: bool
    task_column: Hashable
    tasks: Array
    rows: list[Array]
    labels: list[Array]
    classification: bool

    @classmethod
    def of(cls, estimator: Any, X: Any, y: Any, task: Any, task_column: Hashable) -> TaskData:
        """Read what the user passed."""
        if isinstance(estimator, type) or not hasattr(estimator, "fit"):
            raise ValueError(
                f"estimator={estimator!r} is none. Pass an object, such as "
                "MultiTaskAlignedClassifier()."
            )
        classification = is_classifier(estimator)
        if not classification and not is_regressor(estimator):
            raise ValueError(f"{estimator} is neither a classifier nor a regressor.")
        X, ids, told, column = told_tasks(estimator, X, task, task_column)
        n_rows = _num_samples(X)
        columns, names = read_columns(y, n_rows)
        tasks = TaskSet.of(names, ids, "none" if ids is None else "keyword").ids
        if names is None:
            refuse_unnamed_column(estimator, ids)
        rows, labels = [], []
        for t, name in enumerate(tasks.tolist()):
            inside = slice(None) if ids is None else ids == tasks[t]
            read = read_labels if classification else read_values
            column_of_task = columns[t if names is not None else 0][inside]
            found, labelled = read(column_of_task, f"y of task {name!r}")
            if names is None:
                refuse_gaps(labelled, f" of task {name!r}")
            if len(found) < 2:
                raise ValueError(
                    f"The task {name!r} has {len(found)} labelled row(s), which cannot be both "
                    "trained and tested on. Leave the task out, or label more rows."
                )
            rows.append(np.arange(n_rows)[inside][labelled])
            labels.append(found)
        return cls(X, columns, ids, told, column, tasks, rows, labels, classification)

    @property
    def wide(self) -> bool:
        return len(self.columns) > 1

    def folds(self, cv: Any, random_state: Any) -> list[tuple[Array, Array]]:
        """Row numbers of the training and of the held-out rows, fold by fold."""
        n_rows = _num_samples(self.X)
        y = None if self.wide else self.columns[0]
        ids = np.zeros(n_rows, dtype=int) if self.ids is None else self.ids
        if not isinstance(cv, Integral):
            splitter = check_cv(cv, y, classifier=self.classification)
            named = getattr(splitter, "task_column", None) is not None
            told = takes_task(splitter, "split") and not named
            found = splitter.split(self.X, y, **({"task": ids} if told else {}))
        elif self.wide:
            splitter = KFold(int(cv), shuffle=True, random_state=random_state)
            found = splitter.split(np.zeros(n_rows))
        else:
            splitter = TaskStratifiedKFold(int(cv), random_state=random_state)
            found = splitter.split(np.zeros(n_rows), y, task=ids)
        folds = list(named_folds(found, n_rows))
        if not folds or not all(len(train) for train, _ in folds):
            raise ValueError(f"cv={cv} gives no folds, or one without training rows.")
        return folds

    def own(self, t: int, among: Array) -> Array:
        """Which labelled rows of task t are among these rows."""
        return np.isin(self.rows[t], among)

    def fit(self, estimator: Any, members: Sequence[int], train: Array) -> Any:
        """A clone of the estimator, fitted to the training rows of some tasks.

        It sees the layout that the user has: of a wide ``y`` the columns of these tasks, and one
        task as a ``y`` of one dimension.
        """
        own = [self.rows[t][self.own(t, train)] for t in members]
        rows = np.unique(np.concatenate(own))
        columns = [self.columns[t][rows] for t in members] if self.wide else [self.columns[0][rows]]
        y = columns[0] if len(columns) == 1 else columns_as_array(columns)
        told = {"task": self.ids[rows]} if self.told and self.ids is not None else {}
        return clone(estimator).fit(_safe_indexing(self.X, rows), y, **told)

    def bind(self, model: Any, members: Sequence[int], t: int, *, complete: bool) -> Any:
        """A model fitted to some tasks, as an estimator of task t alone.

        ``complete`` tells whether there are held-out rows of all classes.
        """
        at = members.index(t) if self.wide and len(members) > 1 else None
        name = self.tasks[t : t + 1] if self.told else None
        if not self.classification:
            return TaskRegressor(model, name, at)
        classes = np.unique(self.labels[t])
        return TaskClassifier(model, name, at, classes, complete and len(classes) > 1)

    def features(self, estimator: Any) -> Array:
        """Features of all rows as numbers, behind the first steps if it is a pipeline."""
        X, column = self.X, self.task_column
        if isinstance(estimator, Pipeline) and len(estimator) > 1:
            last = getattr(estimator[-1], "task_column", None)
            if (last is None) == (column is None):
                y = self.columns[0] if len(self.columns) == 1 else columns_as_array(self.columns)
                X, column = clone(estimator[:-1]).fit(X, y).transform(X), last
        if column is not None:
            X, _ = split_column(X, column)
        try:
            return np.asarray(check_array(X, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise ValueError(
                "The tasks' features are compared, so X must be a table of numbers without gaps, "
                "at least behind the first steps of a pipeline whose last step has the task "
                "column. Encode and impute beforehand, or in such a pipeline."
            ) from error
