"""The rows that an estimator trains on, checked and encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sk_mtl._labels import MISSING
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class TrainingRows:
    """What an estimator trains on.

    Attributes
    ----------
    features : ndarray of shape (n_rows, n_features)
    task : ndarray of shape (n_rows,) or None
        Task codes; None where every row belongs to every task.
    codes : ndarray of shape (n_rows,) or (n_rows, n_tasks)
        Label codes within the task, `MISSING` where there is no label.
    weight : ndarray like ``codes``
        Sample weight times the task's weight; 0 where there is no label.
    row_weight : ndarray of shape (n_rows,)
        The sample weight alone.
    """

    features: Array
    task: Array | None
    codes: Array
    weight: Array
    row_weight: Array

    def take(self, rows: Array) -> TrainingRows:
        task = None if self.task is None else self.task[rows]
        return TrainingRows(
            self.features[rows], task, self.codes[rows], self.weight[rows], self.row_weight[rows]
        )

    def sorted_by_task(self) -> TrainingRows:
        return self if self.task is None else self.take(np.argsort(self.task, kind="stable"))

    def by_entry(self) -> tuple[Array, Array, Array]:
        """Task, code and weight of every labelled entry."""
        labelled = self.codes != MISSING
        if self.task is None:
            return np.nonzero(labelled)[1], self.codes[labelled], self.weight[labelled]
        return self.task, self.codes, self.weight
