"""Tasks that share their rows, some with random labels, after the paper's Propositions 1 and 3."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from sk_mtl._random_tasks import AT_LEAST_0, COUNT, SHARE, random_rotation
from sk_mtl._tasks import Array


@validate_params(
    {
        "n_samples": [COUNT],
        "n_features": [COUNT],
        "n_tasks": [COUNT],
        "capacity": [COUNT],
        "binary": ["boolean"],
        "noise": [AT_LEAST_0],
        "noisy_tasks": ["array-like"],
        "label_noise": [SHARE],
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
    thetas = rng.standard_normal((n_tasks, capacity)) @ random_rotation(rng, n_features)[:capacity]
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
