"""Task weights: what ``task_weight=`` stands for."""

from __future__ import annotations

from typing import Any

import numpy as np

from sk_mtl._parameters import learns_task_weight
from sk_mtl._tasks import Array, listing
from sk_mtl._weights import adds_up


def resolve_task_weight(task_weight: Any, ids: Array, rows_per_task: Array) -> Array:
    """Weight of each task in the loss, from every form but an estimator.

    Parameters
    ----------
    task_weight : None, "balanced", "uncertainty", mapping or array-like of shape (n_tasks,)
    ids : ndarray of shape (n_tasks,)
    rows_per_task : ndarray of shape (n_tasks,)
        Sum of the sample weights of the labelled rows.

    Returns
    -------
    ndarray of shape (n_tasks,)
    """
    if task_weight is None or learns_task_weight(task_weight):
        # Learned weights start from equal ones.
        return np.ones(len(ids))
    if isinstance(task_weight, str):  # "balanced", the only string left that may come here
        # A task that partial_fit has no row of yet counts like an average one.
        shown = np.where(rows_per_task > 0, rows_per_task, rows_per_task.sum() / len(ids))
        return np.asarray(rows_per_task.sum() / (len(ids) * shown))
    if hasattr(task_weight, "items"):  # a dict, or a Series by task id
        task_weight = dict(task_weight.items())
        unknown = [name for name in task_weight if name not in ids.tolist()]
        absent = [name for name in ids.tolist() if name not in task_weight]
        if unknown or absent:
            raise ValueError(
                f"task_weight must name every task once. Unknown: {listing(unknown)}; "
                f"missing: {listing(absent)}."
            )
        task_weight = [task_weight[name] for name in ids.tolist()]
    try:
        weight = np.array(task_weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"task_weight must hold numbers; got {task_weight!r}.") from error
    if weight.shape != (len(ids),):
        raise ValueError(
            f"task_weight must have one entry per task, {len(ids)} in all, in the order of "
            f"tasks_, {listing(ids)}; got shape {weight.shape}."
        )
    if not np.isfinite(weight).all() or (weight < 0).any() or not adds_up(weight):
        raise ValueError(
            "task_weight must be finite and non-negative with a sum from 1e-100 to 1e+100, better "
            f"a mean of 1; got {task_weight!r}."
        )
    return weight
