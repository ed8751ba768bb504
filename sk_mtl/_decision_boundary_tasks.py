"""Tasks with one decision boundary, after the paper's Fig. 2."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sk_mtl._random_tasks import (
    AT_LEAST_0,
    AT_LEAST_1,
    COUNT,
    random_rotation,
    stacked_in_random_order,
    task_sizes,
)
from sk_mtl._tasks import Array

_FINITE = Interval(Real, None, None, closed="neither")


@validate_params(
    {
        "n_samples": [COUNT, "array-like"],
        "n_features": [Interval(Integral, 2, None, closed="left")],
        "angle": [_FINITE],
        "shift": [_FINITE],
        "condition_number": [AT_LEAST_1],
        "class_sep": [AT_LEAST_0],
        "coef": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_decision_boundary_tasks(
    *,
    n_samples: int | Sequence[int] = 100,
    n_features: int = 2,
    angle: float = 30.0,
    shift: float = 0.0,
    condition_number: float = 5.0,
    class_sep: float = 3.0,
    coef: bool = False,
    random_state: Any = None,
) -> tuple[Array, ...]:
    """Two-class tasks with one decision boundary, whose rows lie differently along it.

    The setting of the paper's Fig. 2. Both classes of task i are normal with the covariance
    ``cov_i``, which is stretched in one direction: along the boundary for task 0, and turned
    towards its normal ``w`` by ``angle`` from task to task. The centre of class 1 lies from that
    of class 0 in the direction ``cov_i @ w``, which makes ``w @ x = 0`` the best boundary for
    every task.

    So the line between the classes' centres, which is what a classifier with few rows or a large
    penalty follows, is normal to the boundary in task 0 and, unless ``angle`` is a multiple of
    90, at another angle in task 1.

    Parameters
    ----------
    n_samples : int or array-like of int, default=100
        Number of rows of each task; an int stands for two tasks of as many rows.
    n_features : int, default=2
        At least 2.
    angle : float, default=30
        Degrees by which the rows of each task are turned against those of the task before.
    shift : float, default=0
        Length by which they are moved along the boundary, in units of the narrow standard
        deviation of a class.
    condition_number : float, default=5
        Ratio of a class's standard deviation in the stretched direction to that in all others,
        which is 1.
    class_sep : float, default=3
        Distance of the classes' centres along ``w``, in a class's standard deviations. The best
        classifier errs on a share ``Phi(-class_sep / 2)`` of the rows of every task, Phi being
        the normal distribution function.
    coef : bool, default=False
        Whether to return the coefficients as well.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data on every call.

    Returns
    -------
    X : ndarray of shape (n_rows, n_features)
        The rows of all tasks in random order.
    y : ndarray of int of shape (n_rows,)
        Classes 0 and 1, equally many in each task (one 0 more if the task's rows are odd).
    task : ndarray of int of shape (n_rows,)
        Task of each row: 0, 1, and so on.
    coef : ndarray of shape (n_tasks, n_features)
        Coefficients of the log-odds of class 1: multiples of ``w``, without an intercept. Only if
        ``coef=True``.

    Raises
    ------
    ValueError
        If a parameter is out of its range.

    Examples
    --------
    >>> from sk_mtl.datasets import make_decision_boundary_tasks
    >>> X, y, task, coef = make_decision_boundary_tasks(n_samples=1000, coef=True, random_state=0)
    >>> ((X @ coef[0] > 0) == y).mean().round(2)  # the best classifier of either task
    np.float64(0.94)
    """
    rng = check_random_state(random_state)
    sizes = task_sizes(n_samples)
    along, normal = random_rotation(rng, n_features)[:2]
    parts, thetas = [], []
    for t, size in enumerate(sizes):
        turn = np.deg2rad(t * angle)
        stretched = np.cos(turn) * along + np.sin(turn) * normal
        root = np.eye(n_features) + (condition_number - 1) * np.outer(stretched, stretched)
        # Bayes' rule for classes around +-centre with a common covariance: the log-odds are
        # 2 centre @ inv(covariance) @ x, which is a multiple of the normal for this centre.
        theta = class_sep / np.linalg.norm(root @ normal) * normal
        centre = root @ root @ theta / 2
        y = np.arange(size) % 2
        X = rng.standard_normal((size, n_features)) @ root + np.outer(2 * y - 1, centre)
        parts.append((X + t * shift * along, y))
        thetas.append(theta)
    stacked = stacked_in_random_order(rng, parts)
    return (*stacked, np.stack(thetas)) if coef else stacked
