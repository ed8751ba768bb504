"""How an estimator is told which task a row belongs to: by ``task=``, or by a column of X."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from sklearn import get_config
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _num_samples

from sk_mtl._tasks import Array, check_ids, refuse_named_twice, split_column


def told_tasks(
    estimator: Any, X: Any, task: Any, task_column: Hashable
) -> tuple[Any, Array | None, bool, Hashable]:
    """X as the estimator takes it, task ids, whether it takes those, and the column left in X."""
    own = getattr(estimator, "task_column", None)
    if own is not None and task_column is not None and own != task_column:
        raise ValueError(
            f"task_column={task_column!r}, but the estimator's is {own!r}. Pass one of them."
        )
    column = task_column if own is None else own
    if column is not None:
        refuse_named_twice(task, column)
        features, ids = split_column(X, column)
        ids = check_ids(ids, where=f"Column {column!r}")
        if own is None and takes_task(estimator, "fit"):
            return features, ids, True, None
        return X, ids, False, column
    if task is None:
        return X, None, False, None
    if not takes_task(estimator, "fit") and not _passes_task_on(estimator):
        raise ValueError(
            f"{estimator} does not take task=. Pass the tasks as a column of X, and task_column=. "
            "(A Pipeline passes task= on only with "
            "sklearn.set_config(enable_metadata_routing=True).)"
        )
    return X, check_ids(task, where="task", n_rows=_num_samples(X)), True, None


def takes_task(consumer: Any, method: str) -> bool:
    """Whether a method takes ``task=``, of itself."""
    request = get_routing_for_object(consumer)
    return isinstance(request, MetadataRequest) and "task" in getattr(request, method).requests


def _passes_task_on(estimator: Any) -> bool:
    """Whether it is a pipeline or the like that passes ``task=`` on."""
    routes = get_config()["enable_metadata_routing"]
    return bool(routes and get_routing_for_object(estimator).consumes("fit", ["task"]))


def refuse_unnamed_column(estimator: Any, ids: Array | None) -> None:
    """A part of the estimator reads a task column that the user has not named to us."""
    if ids is not None or not hasattr(estimator, "get_params"):
        return
    for name, value in estimator.get_params().items():
        if name.endswith("__task_column") and value is not None:
            raise ValueError(
                f"{name}={value!r}, but where the tasks stand in X was not said. Pass task_column= "
                "here as well: the column's name or position in X."
            )
