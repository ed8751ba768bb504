"""The estimators of this package as methods of the benchmark."""

from typing import Any

import numpy as np
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold

from _baselines import TunedLogisticRegression, TunedRidge, one_by_one
from _data import Metric, Tasks
from _scores import Answer, values
from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
)
from sk_mtl.metrics import TaskScorer
from sk_mtl.model_selection import TaskStratifiedKFold

ALPHAS = [0.02, 0.2, 1.0, 5.0]
GRID: list[dict[str, list[Any]]] = [
    {"alpha": ALPHAS, "head_alpha": [0.2, 2.0], "hidden_layer_sizes": [(), (32,)]},
    {"alpha": ALPHAS, "alignment": [None]},
]
"""20 settings."""

SCORERS: dict[Metric, tuple[Any, str]] = {
    "accuracy": (accuracy_score, "predict"),
    "roc_auc": (roc_auc_score, "predict_proba"),
    "r2": (r2_score, "predict"),
    "explained": (r2_score, "predict"),
}
"""What is chosen by, and of what: the mean over tasks."""


def estimator(train: Tasks, seed: int, **params: Any) -> Any:
    """The multi-task estimator for labels or for values."""
    kind = MultiTaskAlignedRegressor if train.of_values else MultiTaskAlignedClassifier
    return kind(random_state=seed, **params)


def fitted_answers(model: Any, train: Tasks, test: Tasks) -> list[Answer]:
    """Fit a multi-task estimator, and ask it."""
    told = {} if train.task is None else {"task": train.task}
    model.fit(train.X, _targets(train), **told)
    told = {} if test.task is None else {"task": test.task}
    return answers(model, test, test.X, **told)


def answers(model: Any, test: Tasks, X: Any, **told: Any) -> list[Answer]:
    """What a fitted multi-task estimator says of the test rows, X and what is told with it."""
    tasks = range(len(test.names))
    if test.of_values:
        predicted = model.predict(X, **told)
        return [values(predicted[test.at(task)]) for task in tasks]
    said = model.predict_proba(X, **told)
    if test.task is not None:
        return [_of_task(model.classes_, said[test.at(t)], model.task_classes_[t]) for t in tasks]
    if isinstance(said, list):
        return [(model.classes_[t].astype(float), said[t]) for t in tasks]
    return [(model.classes_[t], np.column_stack([1 - said[:, t], said[:, t]])) for t in tasks]


def _targets(train: Tasks) -> Any:
    """y as a user has it: labels of stacked tasks are integers."""
    return train.y if train.of_values or train.task is None else train.y.astype(int)


def _of_task(classes: Any, probability: Any, own: Any) -> Answer:
    return own.astype(float), probability[:, np.isin(classes, own)]


def aligned(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """MultiTaskAlignedClassifier or Regressor with its defaults."""
    return fitted_answers(estimator(train, seed), train, test)


def aligned_alone(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Control: the same recipe without sharing, an estimator for each task."""
    return one_by_one(estimator(train, seed), train, test)


def aligned_tied(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Control: the same recipe with one head for all tasks, up to its bias."""
    return fitted_answers(estimator(train, seed, head_alpha=1e6, alignment=None), train, test)


def aligned_grid(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """GridSearchCV over 20 settings of it, in 3 folds; the task is the last column of X."""
    X, X_test, column = train.X, test.X, None
    cv: Any = KFold(3, shuffle=True, random_state=seed)
    if train.task is not None and test.task is not None:
        X, X_test = (np.column_stack([side.X, side.task]) for side in (train, test))
        column = -1
        cv = TaskStratifiedKFold(3, random_state=seed, task_column=column)
    metric, response = SCORERS[train.metric]
    scoring = TaskScorer(metric, response_method=response, task_column=column)
    search = GridSearchCV(estimator(train, seed, task_column=column), GRID, cv=cv, scoring=scoring)
    return answers(search.fit(X, _targets(train)).best_estimator_, test, X_test)


def aligned_cv(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """MultiTaskAlignedClassifierCV or RegressorCV with its defaults."""
    kind = MultiTaskAlignedRegressorCV if train.of_values else MultiTaskAlignedClassifierCV
    return fitted_answers(kind(random_state=seed), train, test)


def selective(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """SelectiveTransfer: ours, blended task by task with what `per_task` fits."""
    multi = estimator(train, seed)
    if train.of_values:
        model: Any = SelectiveTransferRegressor(multi, TunedRidge(), random_state=seed)
    else:
        alone = TunedLogisticRegression(train.metric, seed)
        model = SelectiveTransferClassifier(multi, alone, random_state=seed)
    if train.metric == "roc_auc":
        model.set_params(scoring="roc_auc")
    return fitted_answers(model, train, test)
