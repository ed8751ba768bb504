"""A fitted estimator of several tasks as one of a single task, for scikit-learn's scorers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples

from sk_mtl._tasks import Array


class UndefinedScoreError(Exception):
    """A scorer asked for probabilities where the held-out rows lack a class."""


class TaskModel(BaseEstimator):
    """Predicts one task by a fitted estimator of several.

    Parameters
    ----------
    model : fitted estimator
    task : ndarray of shape (1,) or None
        What it is told of the rows' task.
    at : int or None
        Position of the task among those of a wide ``y``.
    """

    def __init__(self, model: Any, task: Array | None, at: int | None) -> None:
        self.model = model
        self.task = task
        self.at = at

    def _told(self, X: Any) -> dict[str, Array]:
        return {} if self.task is None else {"task": np.repeat(self.task, _num_samples(X))}

    def predict(self, X: Any) -> Array:
        found = np.asarray(self.model.predict(X, **self._told(X)))
        if self.at is not None:
            found = found[:, self.at]
        # Labels of several kinds stand side by side as objects.
        return np.array(found.tolist()) if found.dtype == object else found


class TaskRegressor(RegressorMixin, TaskModel):
    """See TaskModel."""


class TaskClassifier(ClassifierMixin, TaskModel):
    """See TaskModel. Its classes are those of all the task's rows."""

    def __init__(
        self, model: Any, task: Array | None, at: int | None, classes: Array, complete: bool
    ) -> None:
        super().__init__(model, task, at)
        self.classes = classes
        self.complete = complete
        self.classes_ = classes

    @available_if(lambda self: hasattr(self.model, "predict_proba"))
    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the task's classes, given that the label is one of them."""
        if not self.complete:
            raise UndefinedScoreError
        found = self.model.predict_proba(X, **self._told(X))
        known = self.model.classes_
        if self.at is not None:
            known = known[self.at]
            if isinstance(found, list):
                found = found[self.at]
            else:
                found = np.column_stack([1 - found[:, self.at], found[:, self.at]])
            if np.ndim(known) == 0:  # scikit-learn's multi-label classifiers: 0 or 1 each
                known = np.array([0, 1])
        if np.array_equal(known, self.classes_):
            return np.asarray(found)
        position = {label: column for column, label in enumerate(known.tolist())}
        columns = [position.get(label, len(position)) for label in self.classes_.tolist()]
        found = np.column_stack([found, np.zeros(len(found))])[:, columns]
        total = found.sum(axis=1, keepdims=True)
        even = np.full_like(found, 1 / len(columns))
        return np.asarray(np.divide(found, total, out=even, where=total > 0))
