"""Whole fits and searches: rows 13, 14 and 16 of the table."""

import warnings
from functools import partial
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from _speed_cases import Case
from _speed_clock import Epochs, Work
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedClassifierCV
from sk_mtl.model_selection import TaskStratifiedKFold

K, M, D = 6, 64, 384


def _tasks(d: int = D) -> tuple[Any, Any, Any]:
    """Six related tasks in features with a falling spectrum, as those of an encoder."""
    rng = np.random.default_rng(0)
    task = np.arange(K).repeat(M)
    X = rng.standard_normal((K * M, d)) / np.sqrt(1 + np.arange(d))
    direction = rng.standard_normal(d) + 0.5 * rng.standard_normal((K, d))
    signal = np.einsum("nd,nd->n", X, direction[task])
    return X, (signal + 0.5 * rng.standard_normal(K * M) > 0).astype(int), task


def _per_task(make: Any, d: int = D) -> None:
    X, y, task = _tasks(d)
    for t in range(K):
        rows = StandardScaler().fit_transform(X[task == t])
        make().fit(rows, y[task == t])


def _fit(d: int) -> dict[str, Work | Epochs]:
    X, y, task = _tasks(d)
    return {
        "ours": lambda: MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task),
        "six LogisticRegression": partial(_per_task, LogisticRegression, d),
    }


def _grid() -> dict[str, Work | Epochs]:
    X, y, task = _tasks()
    table = np.column_stack([X, task])
    alphas = list(np.geomspace(0.01, 10, 5))

    def ours() -> None:
        model = MultiTaskAlignedClassifier(task_column=D, random_state=0)
        grid = {"alpha": alphas, "head_alpha": [0.2, 1.0, 5.0, 25.0]}
        folds = list(TaskStratifiedKFold(5, random_state=0).split(X, y, task=task))
        GridSearchCV(model, grid, cv=folds, n_jobs=2).fit(table, y)

    def per_task() -> None:
        grid = {"C": list(np.geomspace(1e-3, 10, 20))}
        _per_task(lambda: GridSearchCV(LogisticRegression(), grid, cv=5, n_jobs=2))

    return {"ours": ours, "the same per task": per_task}


def _cv() -> dict[str, Work | Epochs]:
    X, y, task = _tasks()
    model = MultiTaskAlignedClassifierCV(random_state=0)
    tried = len(model.fit(X, y, task=task).average_results_["score"])

    def per_task() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _per_task(lambda: LogisticRegressionCV(Cs=tried))

    return {
        "ours": lambda: model.fit(X, y, task=task),
        f"six LogisticRegressionCV of {tried} penalties": per_task,
    }


CASES = [
    Case(
        "13",
        "default fit, 6 tasks x 64 rows, d=384",
        partial(_fit, D),
        {"six LogisticRegression": 5.0},
        {"six LogisticRegression": 2.0},
    ),
    Case("13", "default fit, 6 tasks x 64 rows, d=1536", partial(_fit, 4 * D), {}),
    Case(
        "14",
        "GridSearchCV of 20 settings, 5 folds, 6 x 64 rows, n_jobs=2",
        _grid,
        {"the same per task": 5.0},
        {"the same per task": 2.0},
    ),
    Case(
        "16",
        "MultiTaskAlignedClassifierCV, 6 tasks x 64 rows, d=384",
        _cv,
        {"six LogisticRegressionCV": 5.0},
    ),
]
