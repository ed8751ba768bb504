"""What estimators of several tasks make of their predictions: labels, and one score."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils.validation import _check_sample_weight

from sk_mtl._labels import columns_as_array, read_columns, read_labels, refuse_gaps
from sk_mtl._tasks import Array, TaskSet
from sk_mtl._value_targets import read_values

# An array, or of some wide y a list of them: a union would have every caller tell them apart.
Probabilities = Array | Any


class ClassPredictions(ClassifierMixin):
    """Labels and accuracy from the probabilities of a classifier of several tasks."""

    __metadata_request__predict_proba: ClassVar = {"task": True}

    classes_: Any
    task_classes_: list[Array]
    _tasks: TaskSet
    predict_proba: Callable[..., Any]

    def predict(self, X: Any, task: Any = None) -> Array:
        """Most probable class of each row's task.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        label : ndarray of shape (n_samples,) or (n_samples, n_tasks)

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, or an id is unseen.
        """
        probability = self.predict_proba(X, task=task)
        if not self._tasks.wide:
            return np.asarray(self.classes_[probability.argmax(axis=1)])
        if isinstance(probability, np.ndarray):
            best = list((probability > 0.5).T.astype(np.intp))
        else:
            best = [of_task.argmax(axis=1) for of_task in probability]
        return columns_as_array(
            [classes[codes] for classes, codes in zip(self.task_classes_, best, strict=True)]
        )

    def score(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> float:
        """Accuracy; for a wide ``y`` the mean over the tasks, each over its labelled rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        predicted = self.predict(X, task=task)
        if not self._tasks.wide:
            true = _stacked(y, len(predicted), read_labels)
            return float(accuracy_score(true, predicted, sample_weight=sample_weight))

        def accuracy(true: Array, guess: Array, weight: Array) -> float:
            return float(np.average(guess == true, weights=weight))

        return _mean_over_columns(self._tasks, predicted, y, sample_weight, read_labels, accuracy)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class ValuePredictions(RegressorMixin):
    """R^2 from the values of a regressor of several tasks."""

    _tasks: TaskSet
    predict: Callable[..., Any]

    def score(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> float:
        """R^2; for a wide ``y`` the mean over the tasks, each over its labelled rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        predicted = self.predict(X, task=task)
        if not self._tasks.wide:
            true = _stacked(y, len(predicted), read_values)
            return float(r2_score(true, predicted, sample_weight=sample_weight))

        def r2(true: Array, guess: Array, weight: Array) -> float:
            return float(r2_score(true, guess, sample_weight=weight))

        return _mean_over_columns(
            self._tasks, predicted, y, sample_weight, read_values, r2, least_rows=2
        )


def _stacked(y: Any, n_rows: int, read: Callable[[Array, str], tuple[Array, Array]]) -> Array:
    """The targets of stacked rows as fit reads them: scikit-learn takes no labels in objects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataConversionWarning)  # fit has told of a column vector
        columns, names = read_columns(y, n_rows)
    if names is not None:
        raise ValueError(
            f"y has {len(columns)} columns, but the estimator was fitted on one label per row."
        )
    values, labelled = read(columns[0], "y")
    refuse_gaps(labelled)
    return values


def _mean_over_columns(
    tasks: TaskSet,
    predicted: Array,
    y: Any,
    sample_weight: Any,
    read: Callable[[Array, str], tuple[Array, Array]],
    metric: Callable[[Array, Array, Array], float],
    least_rows: int = 1,
) -> float:
    """Mean over the tasks of a metric of the labelled rows of a wide ``y``."""
    columns, names = read_columns(y, len(predicted))
    if len(columns) != len(tasks):
        raise ValueError(f"y has {len(columns)} columns for {len(tasks)} tasks.")
    if names is not None and hasattr(y, "columns"):
        tasks.check_columns(names)
    weight = _check_sample_weight(sample_weight, predicted, ensure_non_negative=True)
    per_task = []
    for column, guess, name in zip(columns, predicted.T, tasks.ids.tolist(), strict=True):
        true, labelled = read(column, f"column {name!r} of y")
        if np.count_nonzero(weight[labelled]) >= least_rows:
            per_task.append(metric(true, guess[labelled], weight[labelled]))
    if not per_task:
        raise ValueError("y holds no label of positive weight: there is nothing to score.")
    return float(np.mean(per_task))
