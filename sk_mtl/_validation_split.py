"""The rows that early stopping holds out: stratified by task and class."""

from __future__ import annotations

import numpy as np

from sk_mtl._labels import MISSING
from sk_mtl._tasks import Array


def hold_out(
    codes: Array, task: Array | None, fraction: float, random_state: np.random.RandomState
) -> Array:
    """Which rows are held out, each task's classes in their share.

    Rows in the order of their labels (at random among equals) are sampled at even steps, which
    takes the same share of every stratum, of stacked rows as of the label patterns of a wide
    ``y``. The last training row of a class stays where it is.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,) or (n_rows, n_tasks)
    task : ndarray of shape (n_rows,) or None
    fraction : float
    random_state : RandomState

    Returns
    -------
    ndarray of bool of shape (n_rows,)
    """
    n_rows = len(codes)
    labels = codes[:, None] if codes.ndim == 1 else codes
    keys = labels if task is None else np.column_stack([task, labels])
    order = np.lexsort([random_state.permutation(n_rows), *keys.T[::-1]])
    steps = np.floor(np.arange(n_rows + 1) * fraction + random_state.uniform())
    held = np.zeros(n_rows, dtype=bool)
    held[order] = np.diff(steps) > 0
    for column in labels.T:
        stratum = column if task is None else task * (column.max() + 2) + column
        _, stratum = np.unique(stratum, return_inverse=True)
        trained = np.bincount(stratum[~held], minlength=stratum.max() + 1)
        held &= (trained[stratum] > 0) | (column == MISSING)
    if held.all() or not held.any():
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves no row to train or to "
            f"validate on: {n_rows} rows, each class of a task keeps one for training. Pass more "
            "rows, another validation_fraction, or early_stopping=False."
        )
    return held
