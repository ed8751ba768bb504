"""What people do without us: a model for each task, or one for all tasks with the same labels.

Each method takes training rows, test rows (their labels are never looked at) and a seed, and
returns an `Answer` for each task.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from _data import Floats, Integers, Metric, Tasks
from _scores import Answer, values

PER_TASK_C = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
POOLED_C = (1e-4, 1e-3, 1e-2, 1e-1)
DEFAULT_C = 1e-2
ALPHAS = tuple(np.geomspace(1e-2, 1e5, 15))
MAX_ITER = 10_000


class TunedLogisticRegression(ClassifierMixin, BaseEstimator):
    """A scaled LogisticRegression, its C chosen by cross-validation."""

    def __init__(self, metric: Metric, seed: int) -> None:
        self.metric = metric
        self.seed = seed

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> "TunedLogisticRegression":
        """Choose C and fit to all rows."""
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.model_ = _tuned(
            StandardScaler(), X.astype(float), codes, PER_TASK_C, self.metric, self.seed
        )
        return self

    def predict_proba(self, X: NDArray[Any]) -> Floats:
        """Of all classes."""
        return np.asarray(self.model_.predict_proba(X.astype(float)))

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """The most probable class."""
        return np.asarray(self.classes_[self.predict_proba(X).argmax(axis=1)])


class TunedRidge(RegressorMixin, BaseEstimator):
    """A scaled ridge regression, its alpha chosen by leave-one-out."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> "TunedRidge":
        """Choose alpha and fit to all rows."""
        self.model_ = make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(X.astype(float), y)
        return self

    def predict(self, X: NDArray[Any]) -> Floats:
        """Values."""
        return np.asarray(self.model_.predict(X.astype(float)))


def one_by_one(model: Any, train: Tasks, test: Tasks) -> list[Answer]:
    """A clone of a model for each task; the label itself where a task shows one alone."""
    found = []
    for task in range(len(train.names)):
        X, y = train.X[train.labelled_rows(task)], train.labels(task)
        X_test = test.X[test.rows(task)]
        found.append(fit_and_ask(clone(model), X, y, X_test, of_values=train.of_values))
    return found


def fit_and_ask(model: Any, X: Any, y: Floats, X_test: Any, *, of_values: bool) -> Answer:
    """What a model says of test rows once it is fitted."""
    if of_values:
        return values(model.fit(X, y).predict(X_test))
    labels, codes = np.unique(y, return_inverse=True)
    if len(labels) < 2:
        return labels, np.ones((len(X_test), 1))
    return labels, np.asarray(model.fit(X, codes).predict_proba(X_test), dtype=float)


def per_task(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """One tuned linear model per task."""
    if train.of_values:
        return one_by_one(TunedRidge(), train, test)
    return one_by_one(TunedLogisticRegression(train.metric, seed), train, test)


def families(train: Tasks) -> Iterator[list[int]]:
    """Tasks that share labels; all tasks, if these are of values."""
    left = list(range(len(train.names)))
    while left:
        labels = set(np.unique(train.labels(left[0])))
        same = [
            task
            for task in left
            if train.of_values or task == left[0] or labels & set(np.unique(train.labels(task)))
        ]
        yield same
        left = [task for task in left if task not in same]


def all_in_one(
    fit: Callable[[Floats, Floats, Integers | None], Any], train: Tasks, test: Tasks
) -> list[Answer]:
    """One model for each family of tasks: of features with the task's number as last column.

    Of a wide y, each known label is a row; ``fit`` is given which row of X it belongs to. Values
    of a wide y are standardised by column: the targets may be in different units.
    """
    units = {task: _units(train, task) for task in range(len(train.names))}
    found: dict[int, Answer] = {}
    for family in families(train):
        rows = np.concatenate([train.labelled_rows(task) for task in family])
        X = np.concatenate([_with_task(train, task, train.labelled_rows(task)) for task in family])
        y = np.concatenate([train.labels(task) for task in family])
        labels, codes = np.unique(y, return_inverse=True)
        if train.of_values:
            parts = [(train.labels(task) - units[task][0]) / units[task][1] for task in family]
            codes = np.concatenate(parts)
        if len(labels) > 1:
            model = fit(X, codes, rows if train.task is None else None)
        for task in family:
            X_test = _with_task(test, task, test.rows(task))
            if train.of_values:
                mean, spread = units[task]
                found[task] = values(model.predict(X_test) * spread + mean)
            elif len(labels) > 1:
                found[task] = labels, np.asarray(model.predict_proba(X_test), dtype=float)
            else:
                found[task] = labels, np.ones((len(X_test), 1))
    return [found[task] for task in range(len(train.names))]


def _units(train: Tasks, task: int) -> tuple[float, float]:
    """Mean and spread of a target that is one of several columns."""
    if not train.of_values or train.task is not None:
        return 0.0, 1.0
    y = train.labels(task)
    return float(y.mean()), float(y.std()) or 1.0


def pooled(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """One tuned linear model over all tasks: scaled features and a dummy per task."""
    tasks = list(range(len(train.names)))
    scale_and_dummies = ColumnTransformer(
        [
            ("features", StandardScaler(), slice(0, -1)),
            ("task", OneHotEncoder(categories=[tasks], sparse_output=False), [-1]),
        ]
    )

    def fit(X: Floats, y: Floats, groups: Integers | None) -> Any:
        if train.of_values:
            return make_pipeline(scale_and_dummies, RidgeCV(ALPHAS)).fit(X, y)
        return _tuned(scale_and_dummies, X, y, POOLED_C, train.metric, seed, groups)

    return all_in_one(fit, train, test)


def _with_task(tasks: Tasks, task: int, rows: Integers) -> Floats:
    """Features of some rows, and the number of their task as the last column."""
    return np.column_stack([tasks.X[rows].astype(float), np.full(len(rows), task)])


def _tuned(
    preprocessing: Any,
    X: Floats,
    y: Integers,
    C_values: tuple[float, ...],
    metric: Metric,
    seed: int,
    groups: Integers | None = None,
) -> Any:
    """A fitted LogisticRegression behind `preprocessing`, C chosen by three shuffled folds.

    Folds are as many as the rarest class has rows, if fewer than three; with a single row of it,
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
