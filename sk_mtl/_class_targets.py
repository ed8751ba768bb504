"""Labels as targets of the network: output columns, and priors from the class counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sk_mtl._intercepts import bias_variances
from sk_mtl._labels import MISSING, LabelSet, columns_as_array
from sk_mtl._plan import HeadPlan
from sk_mtl._rows import TrainingRows
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class ClassTargets:
    """The classes of a classifier's tasks and the output columns that stand for them."""

    labels: LabelSet
    plan: HeadPlan
    loss = "cross_entropy"

    @classmethod
    def of(cls, labels: LabelSet, group: Array | None = None) -> ClassTargets:
        return cls(labels, HeadPlan.of_classes(labels.per_task, group))

    def encode_rows(self, column: Array, task: Array, ids: Array) -> Array:
        """Output columns of stacked labels, of shape (n_rows,)."""
        return np.asarray(self.plan.columns[task, self.labels.encode_rows(column, task, ids)])

    def encode_columns(self, columns: list[Array], ids: Array) -> tuple[Array, Array]:
        """Output columns of a wide ``y``, `MISSING` without a label; and where there is one."""
        codes = self.labels.encode_columns(columns, ids)
        labelled = codes != MISSING
        found = self.plan.columns[np.arange(len(ids)), codes]
        return np.where(labelled, found, MISSING), labelled

    def loss_of_nothing(self, rows: TrainingRows) -> float:
        """Mean loss of a model whose outputs are all 0."""
        return float(np.log(max(self.plan.is_open.shape[1], 2)))

    def for_reweighter(self, columns: list[Array], rows: TrainingRows) -> Array:
        """The labels themselves: a reweighter has its own way with classes."""
        return columns[0] if rows.task is not None else columns_as_array(columns)

    def strata(self, rows: TrainingRows) -> Array:
        """What a validation split keeps the shares of."""
        return rows.target

    def bias_variances(self, rows: TrainingRows, expected: Array | None = None) -> Array:
        """Variances of the priors on the biases, of families and of tasks; see `_intercepts`.

        Parameters
        ----------
        rows : TrainingRows
        expected : ndarray of shape (n_families, n_columns), default=None
            What the biases are known to be near to, 0 by default.
        """
        task, target, weight = rows.by_entry()
        of_class = np.zeros((len(self.plan.family), max(self.plan.is_open.shape[1], 2)))
        np.add.at(of_class, (task, target), weight)
        total = of_class.sum(axis=1, keepdims=True)
        if self.plan.single_column:
            of_class = of_class[:, 1:]
        counts = np.stack([of_class, total - of_class], axis=-1)
        return bias_variances(counts, self.plan, expected)
