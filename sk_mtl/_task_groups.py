"""Groups of tasks that share, as the user names them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from sk_mtl._features import is_missing
from sk_mtl._tasks import Array, listing


def resolve_task_groups(task_groups: Any, ids: Array) -> Array:
    """Number of each task's group, in the order of the tasks."""
    if task_groups is None:
        return np.zeros(len(ids), dtype=np.intp)
    names = ids.tolist()
    if hasattr(task_groups, "items"):  # a dict, or a Series by task id
        task_groups = dict(task_groups.items())
        missing = [name for name in names if name not in task_groups]
        if missing:
            raise ValueError(f"task_groups names no group for the tasks {listing(missing)}.")
        groups = [task_groups[name] for name in names]
    else:
        is_array = isinstance(task_groups, np.ndarray)
        groups = task_groups.tolist() if is_array else list(task_groups)
        if len(groups) != len(names):
            raise ValueError(
                f"task_groups must name a group for each of the {len(names)} tasks "
                f"{listing(ids)}, in this order, or be a dict by task id; got {task_groups!r}."
            )
    nameless = [group for group in groups if not _is_name(group)]
    if nameless:
        raise ValueError(
            f"task_groups holds {nameless[0]!r}, which is no name of a group. Name each group by a "
            "number or a string."
        )
    number: dict[Any, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in groups], dtype=np.intp)


def _is_name(group: Any) -> bool:
    return isinstance(group, Hashable) and (isinstance(group, tuple) or not is_missing(group))
