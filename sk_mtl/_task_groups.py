"""Groups of tasks that share, as the user names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sk_mtl._tasks import Array, listing


def resolve_task_groups(task_groups: Any, ids: Array) -> Array:
    """Number of each task's group, in the order of the tasks."""
    if task_groups is None:
        return np.zeros(len(ids), dtype=np.intp)
    names = ids.tolist()
    if isinstance(task_groups, Mapping):
        missing = [name for name in names if name not in task_groups]
        if missing:
            raise ValueError(f"task_groups names no group for the tasks {listing(missing)}.")
        groups = [task_groups[name] for name in names]
    else:
        groups = np.asarray(task_groups).tolist()
        if np.ndim(task_groups) != 1 or len(groups) != len(names):
            raise ValueError(
                f"task_groups must name a group for each of the {len(names)} tasks "
                f"{listing(ids)}, in this order, or be a dict by task id; got {task_groups!r}."
            )
    number: dict[Any, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in groups], dtype=np.intp)
