"""The rows that an estimator trains on, checked and encoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sk_mtl._tasks import Array


@dataclass(frozen=True)
class TrainingRows:
    """What an estimator trains on.

    Attributes
    ----------
    features : ndarray of shape (n_rows, ..., n_features)
    task : ndarray of shape (n_rows,) or None
        Task codes; None where every row belongs to every task.
    target : ndarray of shape (n_rows,) or (n_rows, n_tasks)
        What the network is trained to put out: the column of the label's class, or a value.
        `MISSING` (or 0) where there is no label.
    weight : ndarray like ``target``
        Sample weight times the task's weight; 0 where there is no label.
    row_weight : ndarray of shape (n_rows,)
        The sample weight alone.
    """

    features: Array
    task: Array | None
    target: Array
    weight: Array
    row_weight: Array

    def take(self, rows: Array) -> TrainingRows:
        task = None if self.task is None else self.task[rows]
        return TrainingRows(
            self.features[rows], task, self.target[rows], self.weight[rows], self.row_weight[rows]
        )

    def by_entry(self) -> tuple[Array, Array, Array]:
        """Task, target and weight of every entry that counts."""
        counts = self.weight > 0
        task = np.nonzero(counts)[1] if self.task is None else self.task[counts]
        return task, self.target[counts], self.weight[counts]
