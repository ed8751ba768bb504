"""How alike tasks are beyond chance: halves of different tasks against halves of one task."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.preprocessing import StandardScaler
from sklearn.utils import check_random_state

from sk_mtl._similarity import covariance_similarity, task_direction_similarity
from sk_mtl._task_data import TaskData
from sk_mtl._tasks import Array, listing

N_SPLITS = 5
# Standard error of a label similarity up to which a task is compared with others, roughly.
LARGEST_ERROR = 0.5


def likeness(data: TaskData, features: Array, random_state: Any) -> tuple[Array, Array]:
    """Similarities of tasks, in units of those of two halves of one task.

    Returns
    -------
    covariance : ndarray of shape (n_tasks, n_tasks)
        Of the directions in which features vary, in [0, 1].
    labels : ndarray of shape (n_tasks, n_tasks)
        Of how labels depend on the features, in [-1, 1]; NaN for tasks of which two halves have
        too little in common to tell.
    """
    random = check_random_state(random_state)
    X = StandardScaler().fit_transform(features)[np.concatenate(data.rows)]
    task = np.repeat(np.arange(len(data.rows)), [len(rows) for rows in data.rows])
    if data.classification:  # as strings, so that none is taken for a number
        y = np.concatenate([labels.astype(str) for labels in data.labels])
    else:
        y = np.concatenate([_standardised(values) for values in data.labels])
    covariances, directions, chances = [], [], []
    for _ in range(N_SPLITS):
        half = 2 * task + _halves(y if data.classification else np.zeros(len(y)), task, random)
        _refuse_empty(data, X, half)
        covariances.append(covariance_similarity(X, task=half))
        uncorrelated = _decorrelated(X, half)
        directions.append(task_direction_similarity(uncorrelated, y, task=half, scale=False))
        chances.append(_cosines_by_chance(uncorrelated, half))
    covariance, _ = _between_tasks(np.mean(covariances, axis=0))
    labels, own = _between_tasks(np.mean(directions, axis=0))
    with np.errstate(invalid="ignore"):
        error = np.mean(chances, axis=0) * np.sqrt(1 - own**2) / own
    # NaN where a half shows a single class or row.
    unknown = ~((own > 0) & (error <= LARGEST_ERROR))
    labels[unknown] = labels[:, unknown] = np.nan
    return covariance, labels


def _standardised(values: Array) -> Array:
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def _halves(y: Array, task: Array, random: np.random.RandomState) -> Array:
    """0 or 1 for each row: a random half of the rows of every task and class."""
    order = np.lexsort([random.uniform(size=len(y)), np.unique(y, return_inverse=True)[1], task])
    first = np.searchsorted(task, task)  # rows are sorted by task
    half = np.empty(len(y), dtype=int)
    half[order] = np.arange(len(y))
    return (half - first) % 2


def _refuse_empty(data: TaskData, X: Array, half: Array) -> None:
    """Rows at the mean of all have no direction."""
    varies = np.unique(half[(np.abs(X) > 1e-10).any(axis=1)])
    empty = np.setdiff1d(half, varies) // 2
    if len(empty):
        raise ValueError(
            f"Half of the rows of the tasks {listing(data.tasks[np.unique(empty)])} differ in no "
            "feature from its mean over all rows: there is nothing to compare. Leave them out."
        )


def _decorrelated(X: Array, task: Array) -> Array:
    """Rows times the inverse of their task's ridged covariance.

    Their covariance with the labels is then the coefficients of a ridge regression, of which the
    penalty assumes about as much signal as noise.
    """
    out = np.zeros_like(X)
    for name in np.unique(task):
        Z = X[task == name] - X[task == name].mean(axis=0)
        n, d = Z.shape
        ridge = np.square(Z).sum() / n**2
        if ridge == 0:
            continue
        if n < d:
            out[task == name] = np.linalg.solve(Z @ Z.T / n + ridge * np.eye(n), Z)
        else:
            out[task == name] = np.linalg.solve(Z.T @ Z / n + ridge * np.eye(d), Z.T).T
    return out


def _cosines_by_chance(X: Array, half: Array) -> list[float]:
    """Root mean squares of the cosines of halves' directions if labels were nothing but noise.

    The coefficients of a half then have a covariance proportional to that of its rows.
    """
    found = []
    for name in np.unique(half)[::2]:
        one, other = X[half == name], X[half == name + 1]
        both = one.any() and other.any()
        found.append(covariance_similarity(one, other, energy=1.0) if both else np.nan)
    return found


def _between_tasks(of_halves: Array) -> tuple[Array, Array]:
    """Similarities of tasks in units of those of two halves of one, and the latter."""
    own = of_halves[::2, 1::2].diagonal().copy()
    between = (
        of_halves[::2, ::2] + of_halves[::2, 1::2] + of_halves[1::2, ::2] + of_halves[1::2, 1::2]
    ) / 4
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.clip(between / np.sqrt(np.outer(own, own)), -1.0, 1.0)
    np.fill_diagonal(relative, 1.0)
    return relative, own
