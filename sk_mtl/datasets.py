"""Random tasks of which one knows what they share, after the figures of the paper.

The paper is S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
Multi-Task Learning", ICLR 2020, arXiv:2005.00944.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sk_mtl._tasks import Array

__all__ = ["make_covariance_tasks", "make_decision_boundary_tasks", "make_noisy_label_tasks"]

_COUNT = Interval(Integral, 1, None, closed="left")
_SHARE = Interval(Real, 0, 1, closed="both")
_AT_LEAST_0 = Interval(Real, 0, None, closed="left")
_AT_LEAST_1 = Interval(Real, 1, None, closed="left")
_FINITE = Interval(Real, None, None, closed="neither")


@validate_params(
    {
        "n_samples": [_COUNT, "array-like"],
        "n_features": [_COUNT],
        "condition_number": [_AT_LEAST_1],
        "cosine": [Interval(Real, -1, 1, closed="both")],
        "overlap": [_SHARE],
        "same_rotation": ["boolean"],
        "noise": [_AT_LEAST_0],
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
    sizes = _task_sizes(n_samples)
    thetas = _directions_at_equal_angles(rng, len(sizes), n_features, cosine)
    roots = _covariance_roots(
        rng, len(sizes), n_features, condition_number, overlap, same_rotation=same_rotation
    )
    parts = []
    for size, theta, root in zip(sizes, thetas, roots, strict=True):
        X = rng.standard_normal((size, n_features)) @ root
        deviation = noise * np.linalg.norm(root @ theta)
        parts.append((X, X @ theta + deviation * rng.standard_normal(size)))
    stacked = _stack(rng, parts)
    return (*stacked, thetas) if coef else stacked


@validate_params(
    {
        "n_samples": [_COUNT],
        "n_features": [_COUNT],
        "n_tasks": [_COUNT],
        "capacity": [_COUNT],
        "binary": ["boolean"],
        "noise": [_AT_LEAST_0],
        "noisy_tasks": ["array-like"],
        "label_noise": [_SHARE],
        "missing": [Interval(Real, 0, 1, closed="left")],
        "coef": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_noisy_label_tasks(
    *,
    n_samples: int = 200,
    n_features: int = 20,
    n_tasks: int = 4,
    capacity: int = 2,
    binary: bool = True,
    noise: float = 0.3,
    noisy_tasks: Sequence[int] = (0,),
    label_noise: float = 0.5,
    missing: float = 0.0,
    coef: bool = False,
    random_state: Any = None,
) -> tuple[Array, ...]:
    """Tasks that share their rows, some of them with random labels among the true ones.

    The setting of the paper's Propositions 1 and 3 and of its experiments with noisy labels: all
    tasks have the same standard normal inputs ``x``, and the signals ``theta_i @ x`` have
    coefficients in one common subspace. So a shared linear module of as many outputs as that has
    dimensions can serve all tasks.

    Parameters
    ----------
    n_samples : int, default=200
    n_features : int, default=20
    n_tasks : int, default=4
    capacity : int, default=2
        Dimension of the subspace that the coefficients of all tasks span.
    binary : bool, default=True
        Labels 1 where the signal plus noise is positive, else 0. If False: the signal plus noise
        itself.
    noise : float, default=0.3
        Standard deviation of the noise that all tasks have, in units of that of the signal.
    noisy_tasks : array-like of int, default=(0,)
        Tasks with random labels, by their number from 0 on.
    label_noise : float, default=0.5
        Share of the labels of each of the ``noisy_tasks`` that is replaced by labels of other,
        unseen rows. A replaced binary label is right half of the time.
    missing : float, default=0
        Share of each task's labels that is missing, below 1. Each task keeps at least one.
    coef : bool, default=False
        Whether to return the coefficients as well.
    random_state : int, RandomState instance or None, default=None
        An int gives the same data on every call.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    Y : ndarray of float of shape (n_samples, n_tasks)
        NaN where a label is missing.
    coef : ndarray of shape (n_tasks, n_features)
        The ``theta_i``, of norm 1. Only if ``coef=True``.

    Raises
    ------
    ValueError
        If a parameter is out of its range, ``capacity`` exceeds the number of tasks or of
        features, or ``noisy_tasks`` names a task that does not exist.

    Examples
    --------
    >>> from sk_mtl import SVDTaskReweighter
    >>> from sk_mtl.datasets import make_noisy_label_tasks
    >>> X, Y = make_noisy_label_tasks(capacity=1, noisy_tasks=[3], random_state=0)
    >>> X.shape, Y.shape
    ((200, 20), (200, 4))
    >>> int(SVDTaskReweighter().fit(X, Y).task_weight_.argmin())
    3
    """
    rng = check_random_state(random_state)
    if capacity > min(n_tasks, n_features):
        raise ValueError(
            f"capacity={capacity} must be at most {min(n_tasks, n_features)}, the smaller of "
            f"n_tasks={n_tasks} and n_features={n_features}. Reduce capacity."
        )
    thetas = rng.standard_normal((n_tasks, capacity)) @ _rotation(rng, n_features)[:capacity]
    thetas /= np.linalg.norm(thetas, axis=1, keepdims=True)
    X = rng.standard_normal((n_samples, n_features))
    Y = X @ thetas.T + noise * rng.standard_normal((n_samples, n_tasks))
    for t in _existing_tasks(noisy_tasks, n_tasks):
        replaced = _some_rows(rng, n_samples, round(label_noise * n_samples))
        Y[replaced, t] = np.hypot(1, noise) * rng.standard_normal(len(replaced))
    if binary:
        Y = (Y > 0).astype(float)
    n_missing = min(round(missing * n_samples), n_samples - 1)
    for column in Y.T:
        column[_some_rows(rng, n_samples, n_missing)] = np.nan
    return (X, Y, thetas) if coef else (X, Y)


@validate_params(
    {
        "n_samples": [_COUNT, "array-like"],
        "n_features": [Interval(Integral, 2, None, closed="left")],
        "angle": [_FINITE],
        "shift": [_FINITE],
        "condition_number": [_AT_LEAST_1],
        "class_sep": [_AT_LEAST_0],
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
    sizes = _task_sizes(n_samples)
    along, normal = _rotation(rng, n_features)[:2]
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
    stacked = _stack(rng, parts)
    return (*stacked, np.stack(thetas)) if coef else stacked


def _task_sizes(n_samples: Any) -> list[int]:
    """Number of rows of each task."""
    sizes = [n_samples] * 2 if isinstance(n_samples, Integral) else list(n_samples)
    if not sizes or not all(isinstance(size, Integral) and int(size) >= 1 for size in sizes):
        raise ValueError(
            f"n_samples={n_samples!r} must be a positive integer, or a list of them with one for "
            "each task."
        )
    return [int(size) for size in sizes]


def _existing_tasks(noisy_tasks: Sequence[int], n_tasks: int) -> list[int]:
    unknown = [t for t in noisy_tasks if t not in range(n_tasks)]
    if unknown:
        raise ValueError(
            f"noisy_tasks names {unknown[0]!r}, but the tasks are 0 to {n_tasks - 1}. Increase "
            f"n_tasks={n_tasks}, or name others."
        )
    return [int(t) for t in noisy_tasks]


def _some_rows(rng: np.random.RandomState, n_rows: int, n_chosen: int) -> Array:
    return rng.choice(n_rows, size=n_chosen, replace=False)


def _stack(
    rng: np.random.RandomState, parts: list[tuple[Array, Array]]
) -> tuple[Array, Array, Array]:
    """Rows of all tasks in random order: sorted ones would make folds that lack a task."""
    X, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    task = np.repeat(np.arange(len(parts)), [len(rows) for rows, _ in parts])
    order = rng.permutation(len(X))
    return X[order], y[order], task[order]


def _rotation(rng: np.random.RandomState, size: int) -> Array:
    """An orthogonal matrix, each equally likely; its rows are random orthonormal directions."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    # Rows of q would look like the first numbers drawn, which are also the weights that an
    # estimator of the same random_state starts from; its columns do not.
    rotation: Array = (q * np.sign(r.diagonal())).T
    return rotation


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
    directions: Array = root @ _rotation(rng, n_features)[:n_tasks]
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
            rotation = _rotation(rng, n_features)
        scale = np.ones(n_features)
        scale[common] = scale[others[t * n_own : (t + 1) * n_own]] = condition_number
        roots.append(scale[:, None] * rotation)
    return roots
