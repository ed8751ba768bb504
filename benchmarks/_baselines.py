"""What people do without us: one tuned model per task, and one tuned model over all tasks.

Each method takes training rows, test rows (their labels are never looked at) and a seed, and
returns the probability of class 1 in the shape of the test set's y.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from _data import Integers, Metric, Tasks

Probabilities = NDArray[np.float64]

PER_TASK_C = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
POOLED_C = (1e-4, 1e-3, 1e-2, 1e-1)
DEFAULT_C = 1e-2
MAX_ITER = 10_000


def per_task(train: Tasks, test: Tasks, seed: int) -> Probabilities:
    """One scaled LogisticRegression per task, its C chosen by cross-validation on that task."""
    probability = np.full(test.y.shape, np.nan)
    for task in range(len(train.names)):
        rows = train.labelled_rows(task)
        X, y = train.X[rows].astype(float), _labels(train, task)
        if len(np.unique(y)) < 2:
            probability[test.at(task)] = y[0]
            continue
        model = TunedLogisticRegression(train.metric, seed).fit(X, y)
        X_test = test.X[test.rows(task)].astype(float)
        probability[test.at(task)] = model.predict_proba(X_test)[:, 1]
    return probability


class TunedLogisticRegression(ClassifierMixin, BaseEstimator):
    """A scaled LogisticRegression, its C chosen by cross-validation: `per_task` for one task."""

    def __init__(self, metric: Metric, seed: int) -> None:
        self.metric = metric
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> "TunedLogisticRegression":
        """Choose C and fit to all rows. Labels are 0 and 1."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = _tuned(
            StandardScaler(), X.astype(float), codes, PER_TASK_C, self.metric, self.seed
        )
        return self

    def predict_proba(self, X: NDArray[Any]) -> Probabilities:
        """Of both classes."""
        return np.asarray(self.model_.predict_proba(X.astype(float)))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The more probable class."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


def pooled(train: Tasks, test: Tasks, seed: int) -> Probabilities:
    """One LogisticRegression over all tasks: scaled features and a dummy per task, tuned.

    With wide y, each known label is a row, and the labels of a row of X stay in one fold.
    """
    tasks = range(len(train.names))
    rows = np.concatenate([train.labelled_rows(task) for task in tasks])
    X = np.concatenate([_with_task(train, task, train.labelled_rows(task)) for task in tasks])
    y = np.concatenate([_labels(train, task) for task in tasks])
    scale_and_dummies = ColumnTransformer(
        [
            ("features", StandardScaler(), slice(0, -1)),
            ("task", OneHotEncoder(categories=[list(tasks)], sparse_output=False), [-1]),
        ]
    )
    groups = rows if train.task is None else None
    model = _tuned(scale_and_dummies, X, y, POOLED_C, train.metric, seed, groups)
    probability = np.full(test.y.shape, np.nan)
    for task in tasks:
        X_test = _with_task(test, task, test.rows(task))
        probability[test.at(task)] = model.predict_proba(X_test)[:, 1]
    return probability


def _labels(train: Tasks, task: int) -> Integers:
    """The known labels of a task."""
    y = train.y[train.at(task)]
    known: Integers = y[~np.isnan(y)].astype(int)
    return known


def _with_task(tasks: Tasks, task: int, rows: Integers) -> NDArray[np.float64]:
    """Features of some rows, and the number of their task as the last column."""
    return np.column_stack([tasks.X[rows].astype(float), np.full(len(rows), task)])


def _tuned(
    preprocessing: Any,
    X: NDArray[np.float64],
    y: Integers,
    C_values: tuple[float, ...],
    metric: Metric,
    seed: int,
    groups: Integers | None = None,
) -> Any:
    """A fitted LogisticRegression behind `preprocessing`, C chosen by three shuffled folds.

    Folds are as many as the rarer class has rows, if fewer than three; with a single row of it,
    C is `DEFAULT_C`. Rows with the same entry of `groups` stay in one fold.
    """
    classifier = LogisticRegression(C=DEFAULT_C, max_iter=MAX_ITER)
    model = Pipeline([("preprocessing", preprocessing), ("classifier", classifier)])
    n_folds = min(3, np.bincount(y).min())
    if n_folds < 2:
        return model.fit(X, y)
    folds = StratifiedKFold if groups is None else StratifiedGroupKFold
    search = GridSearchCV(
        model,
        {"classifier__C": list(C_values)},
        scoring=metric,
        cv=folds(n_folds, shuffle=True, random_state=seed),
        error_score="raise",
    )
    return search.fit(X, y, groups=groups)
