"""Tasks whose inputs vary in chosen directions, after the paper's Fig. 3."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sk_mtl._random_tasks import (
    AT_LEAST_0,
    AT_LEAST_1,
    COUNT,
    SHARE,
    random_rotation,
    stacked_in_random_order,
    task_sizes,
)
from sk_mtl._tasks import Array


@validate_params(
    {
        "n_samples": [COUNT, "array-like"],
        "n_features": [COUNT],
        "condition_number": [AT_LEAST_1],
        "cosine": [Interval(Real, -1, 1, closed="both")],
        "overlap": [SHARE],
        "same_rotation": ["boolean"],
        "noise": [AT_LEAST_0],
        "coef": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_covariance_tasks(
    *,
    n_samples: int | Sequence[int] = (200, 10),
    n_features: int = 100,
    condition_number: float = 10.0,
    cosine: float = 0.96,
    overlap: float = 1.0,
    same_rotation: bool = True,
    noise: float = 0.3,
    coef: bool = False,
    random_state: Any = None,
) -> tuple[Array, ...]:
    """Regression tasks with similar coefficients, whose inputs vary in chosen directions.

    The setting of the paper's Fig. 3: a row of task i is ``x = Q_i D_i g`` with standard normal
    ``g``, a random rotation ``Q_i`` and a diagonal ``D_i``, which is ``condition_number`` at a
    tenth of the coordinates (the strong ones) and 1 at the others. Its target is ``theta_i @ x``
    plus noise.

    Tasks with the same ``D`` and ``Q`` learn from each other at once. With ``overlap=0`` or
    ``same_rotation=False`` the rows of one task say little about the directions that matter to
    another, and sharing a model hurts until there are many of them.

    Parameters
    ----------
    n_samples : int or array-like of int, default=(200, 10)
        Number of rows of each task; an int stands for two tasks of as many rows. By default task
        0 is a source with many rows and task 1 a target with few. For test rows of the same
        tasks, ask for more and split them (``train_test_split(..., stratify=task)``).
    n_features : int, default=100
    condition_number : float, default=10
        Ratio of the standard deviation of the inputs in strong directions to that in the others.
    cosine : float, default=0.96
        Cosine of the angle between the coefficients of any two tasks.
    overlap : float, default=1
        Share of a task's strong coordinates that it has in common with every other task. 1: all
        tasks have the same; 0: no two tasks have one in common.
    same_rotation : bool, default=True
        Whether all tasks have the same ``Q``. If not, their strong directions are unrelated
        whatever ``overlap`` is.
    noise : float, default=0.3
        Standard deviation of the noise, in units of that of ``theta_i @ x``.
    coef : bool, default=False
        Whether to return the coefficients as well.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data on every call.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
        The rows of all tasks in random order.
    y : ndarray of shape (n_rows,)
    task : ndarray of int of shape (n_rows,)
        Task of each row: 0, 1, and so on.
    coef : ndarray of shape (n_tasks, n_features)
        The ``theta_i``, of norm 1. Only if ``coef=True``.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or there are too many tasks for ``n_features``, for
        ``overlap`` or for a negative ``cosine``.

    Examples
    --------
    >>> from sk_mtl.datasets import make_covariance_tasks
    >>> X, y, task = make_covariance_tasks(n_samples=(200, 110), overlap=0, random_state=0)
    >>> X.shape, y.shape
    ((310, 100), (310,))

    Of the target's rows keep 10 for training and 100 for testing:

    >>> target = (task == 1).nonzero()[0]
    >>> train, test = target[:10], target[10:]
    """
    rng = check_random_state(random_state)
    sizes = task_sizes(n_samples)
    thetas = _directions_at_equal_angles(rng, len(sizes), n_features, cosine)
    roots = _covariance_roots(
        rng, len(sizes), n_features, condition_number, overlap, same_rotation=same_rotation
    )
    parts = []
    for size, theta, root in zip(sizes, thetas, roots, strict=True):
        X = rng.standard_normal((size, n_features)) @ root
        deviation = noise * np.linalg.norm(root @ theta)
        parts.append((X, X @ theta + deviation * rng.standard_normal(size)))
    stacked = stacked_in_random_order(rng, parts)
    return (*stacked, thetas) if coef else stacked


def _directions_at_equal_angles(
    rng: np.random.RandomState, n_tasks: int, n_features: int, cosine: float
) -> Array:
    """Unit vectors of shape (n_tasks, n_features), any two of which have the given cosine."""
    if n_tasks > n_features:
        raise ValueError(
            f"{n_tasks} tasks need as many features at least; got n_features={n_features}. "
            "Increase n_features, or pass a shorter n_samples."
        )
    # Their Gram matrix, (1 - cosine) I + cosine J, has the eigenvalue `along` for the vector of
    # ones and `across` for what is orthogonal to it.
    along, across = 1 + (n_tasks - 1) * cosine, 1 - cosine
    if along < -1e-12:
        raise ValueError(
            f"cosine={cosine} is not possible between each two of {n_tasks} vectors. Pass at "
            f"least {-1 / (n_tasks - 1):.3g}, or a shorter n_samples."
        )
    mean = np.full((n_tasks, n_tasks), 1 / n_tasks)
    root = np.sqrt(across) * (np.eye(n_tasks) - mean) + np.sqrt(max(along, 0)) * mean
    directions: Array = root @ random_rotation(rng, n_features)[:n_tasks]
    return directions


def _covariance_roots(
    rng: np.random.RandomState,
    n_tasks: int,
    n_features: int,
    condition_number: float,
    overlap: float,
    *,
    same_rotation: bool,
) -> list[Array]:
    """``D_i Q_i.T`` of each task, so that ``root.T @ root`` is the covariance of its inputs."""
    n_strong = max(n_features // 10, 1)
    n_common = round(overlap * n_strong)
    n_own = n_strong - n_common
    if n_common + n_tasks * n_own > n_features:
        raise ValueError(
            f"{n_tasks} tasks with {n_strong} strong coordinates each, {n_own} of which are their "
            f"own, need {n_common + n_tasks * n_own} features; got n_features={n_features}. "
            f"Increase overlap={overlap}, or pass a shorter n_samples."
        )
    coordinates = rng.permutation(n_features)
    common, others = coordinates[:n_common], coordinates[n_common:]
    roots = []
    for t in range(n_tasks):
        if t == 0 or not same_rotation:
            rotation = random_rotation(rng, n_features)
        scale = np.ones(n_features)
        scale[common] = scale[others[t * n_own : (t + 1) * n_own]] = condition_number
        roots.append(scale[:, None] * rotation)
    return roots
