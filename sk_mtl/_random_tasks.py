"""What the random tasks of `sk_mtl.datasets` are made of: ranges, sizes, rotations, the order."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval

from sk_mtl._tasks import Array

# Ranges of parameters.
COUNT = Interval(Integral, 1, None, closed="left")
SHARE = Interval(Real, 0, 1, closed="both")
AT_LEAST_0 = Interval(Real, 0, None, closed="left")
AT_LEAST_1 = Interval(Real, 1, None, closed="left")


def task_sizes(n_samples: Any) -> list[int]:
    """Number of rows of each task."""
    sizes = [n_samples] * 2 if isinstance(n_samples, Integral) else list(n_samples)
    if not sizes or not all(isinstance(size, Integral) and int(size) >= 1 for size in sizes):
        raise ValueError(
            f"n_samples={n_samples!r} must be a positive integer, or a list of them with one for "
            "each task."
        )
    return [int(size) for size in sizes]


def stacked_in_random_order(
    rng: np.random.RandomState, parts: list[tuple[Array, Array]]
) -> tuple[Array, Array, Array]:
    """Rows of all tasks in random order: sorted ones would make folds that lack a task."""
    X, y = (np.concatenate(column) for column in zip(*parts, strict=True))
    task = np.repeat(np.arange(len(parts)), [len(rows) for rows, _ in parts])
    order = rng.permutation(len(X))
    return X[order], y[order], task[order]


def random_rotation(rng: np.random.RandomState, size: int) -> Array:
    """An orthogonal matrix, each equally likely; its rows are random orthonormal directions."""
    q, r = np.linalg.qr(rng.standard_normal((size, size)))
    # Rows of q would look like the first numbers drawn, which are also the weights that an
    # estimator of the same random_state starts from; its columns do not.
    rotation: Array = (q * np.sign(r.diagonal())).T
    return rotation
