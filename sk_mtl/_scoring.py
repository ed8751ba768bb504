"""One score of a wide ``y`` with gaps: the mean over its tasks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import _check_sample_weight

from sk_mtl._labels import read_columns
from sk_mtl._tasks import Array, TaskSet


def mean_over_columns(
    tasks: TaskSet,
    predicted: Array,
    y: Any,
    sample_weight: Any,
    read: Callable[[Array, str], tuple[Array, Array]],
    metric: Callable[[Array, Array, Array], float],
    least_rows: int = 1,
) -> float:
    """Mean over the tasks of a metric of the labelled rows of a wide ``y``."""
    columns, names = read_columns(y, len(predicted))
    if len(columns) != len(tasks):
        raise ValueError(f"y has {len(columns)} columns for {len(tasks)} tasks.")
    if names is not None and hasattr(y, "columns"):
        tasks.check_columns(names)
    weight = _check_sample_weight(sample_weight, predicted, ensure_non_negative=True)
    per_task = []
    for column, guess, name in zip(columns, predicted.T, tasks.ids.tolist(), strict=True):
        true, labelled = read(column, f"column {name!r} of y")
        if np.count_nonzero(weight[labelled]) >= least_rows:
            per_task.append(metric(true, guess[labelled], weight[labelled]))
    if not per_task:
        raise ValueError("y holds no label of positive weight: there is nothing to score.")
    return float(np.mean(per_task))
