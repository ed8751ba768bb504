"""Real values as targets of the network: standardised per task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import digamma, polygamma

from sk_mtl._features import refuse_unsquarable, short
from sk_mtl._labels import read_labels, refuse_gaps, refuse_other_columns, refuse_unlabelled
from sk_mtl._plan import HeadPlan
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import hardly_varies
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class ValueTargets:
    """The location and unit of each task's values.

    Attributes
    ----------
    mean, scale : ndarray of shape (n_tasks,)
    group : ndarray of shape (n_tasks,)
        Tasks of different groups share no head.
    """

    mean: Array
    scale: Array
    group: Array
    loss = "squared_error"

    @classmethod
    def of_rows(
        cls,
        column: Array,
        task: Array,
        ids: Array,
        weight: Array,
        group: Array,
        known: Sequence[float] = (),
    ) -> ValueTargets:
        """From stacked rows: every row must hold a value. ``known`` are other tasks' units."""
        values = _stacked_values(column)
        return cls._of_entries(task, values, weight, ids, group, known)

    @classmethod
    def of_columns(
        cls, columns: list[Array], ids: Array, weight: Array, group: Array
    ) -> ValueTargets:
        """From the columns of a wide ``y``."""
        values, labelled = _wide_values(columns, ids)
        row, task = np.nonzero(labelled)
        return cls._of_entries(task, values[labelled], weight[row], ids, group)

    @classmethod
    def _of_entries(
        cls,
        task: Array,
        values: Array,
        weight: Array,
        ids: Array,
        group: Array,
        known: Sequence[float] = (),
    ) -> ValueTargets:
        total = np.bincount(task, weights=weight, minlength=len(ids))
        refuse_unlabelled(total, ids)
        refuse_unsquarable(values, task, ids)
        share = weight / total[task]
        mean: Array = np.bincount(task, weights=share * values, minlength=len(ids))
        centred = values - mean[task]
        variance: Array = np.bincount(task, weights=share * centred**2)
        off: Array = np.bincount(task, weights=share * centred)
        mean = np.where(hardly_varies(variance, mean), mean + off, mean)
        variance = np.bincount(task, weights=share * (values - mean[task]) ** 2)
        return cls(mean, _units(variance, total, np.abs(mean), known), group)

    @property
    def plan(self) -> HeadPlan:
        return HeadPlan.of_values(self.group)

    def encode_rows(self, column: Array, task: Array, ids: Array) -> Array:
        """Standardised values of stacked rows, of shape (n_rows,)."""
        return np.asarray((_stacked_values(column) - self.mean[task]) / self.scale[task])

    def encode_columns(self, columns: list[Array], ids: Array) -> tuple[Array, Array]:
        """Standardised values of a wide ``y``, 0 where there is none; and where there is one."""
        refuse_other_columns(columns, ids)
        values, labelled = _wide_values(columns, ids)
        return np.where(labelled, (values - self.mean) / self.scale, 0.0), labelled

    def decode(self, standardised: Array, task: Array | None) -> Array:
        """Values in the users' units, of each row's own task or of all tasks."""
        if task is None:
            return standardised * self.scale + self.mean
        return np.asarray(standardised * self.scale[task] + self.mean[task])

    def loss_of_nothing(self, rows: TrainingRows) -> float:
        """Mean loss of a model whose outputs are all 0."""
        _, target, weight = rows.by_entry()
        return float(0.5 * np.average(target**2, weights=weight))

    def for_reweighter(self, columns: list[Array], rows: TrainingRows) -> Array:
        """Standardised values: not to be taken for classes, whole numbers as they may be."""
        return np.where(rows.weight > 0, rows.target, np.nan)

    def strata(self, rows: TrainingRows) -> Array:
        """What a validation split keeps the shares of: nothing but labelled or not."""
        return np.where(rows.weight > 0, 0, -1)

    def bias_variances(self, rows: TrainingRows, expected: Array | None = None) -> Array:
        """No prior: where the values of a task lie is no reason to doubt it."""
        return np.full((2, self.plan.n_families, 1), np.inf)


def read_values(column: Array, what: str) -> tuple[Array, Array]:
    """The numbers that a column holds, and which of its entries hold one."""
    values, labelled = read_labels(column, what, exact=False)
    if len(values) and values.dtype.kind not in "biuf":
        raise ValueError(
            f"{what} holds {short(values.tolist()[0])}, which is not a number. Regression needs "
            "numbers; use the classifier for labels."
        )
    return values.astype(np.float64), labelled


def _stacked_values(column: Array) -> Array:
    values, labelled = read_values(column, "y")
    refuse_gaps(labelled)
    return values


def _wide_values(columns: list[Array], ids: Array) -> tuple[Array, Array]:
    """Values of shape (n_rows, n_tasks), 0 where there is none; and where there is one."""
    table = np.zeros((len(columns[0]), len(columns)))
    where = np.zeros(table.shape, dtype=bool)
    for t, (column, name) in enumerate(zip(columns, ids.tolist(), strict=True)):
        values, where[:, t] = read_values(column, f"column {name!r} of y")
        table[where[:, t], t] = values
    return table, where


def _units(variance: Array, weight: Array, size: Array, known: Sequence[float]) -> Array:
    """Standard deviations of the tasks, shrunk to their geometric mean as far as rows are few.

    Of n normal values, the logarithm of the standard deviation has a known bias and variance
    (those of a chi-squared of n - 1 degrees of freedom). What the tasks' logarithms vary beyond
    that are units of their own, which stay; tasks in one unit share their estimate. ``known``
    are units of further tasks.
    """
    varies = variance > (10 * np.finfo(np.float64).eps * size) ** 2
    if not varies.any() and not len(known):
        return np.ones_like(variance)
    freedom = 0.5 * np.maximum(weight[varies] - 1, 0.5)
    log_unit = 0.5 * np.log(variance[varies] * weight[varies] / 2) - 0.5 * digamma(freedom)
    sampling = 0.25 * polygamma(1, freedom)
    every, doubt = np.r_[log_unit, np.log(known)], np.r_[sampling, np.zeros(len(known))]
    level = np.average(every, weights=1 / (doubt + 0.1))
    between = max(0.0, np.mean((every - level) ** 2 - doubt))
    unit = np.exp(level) / np.sqrt(1 + weight)  # of a constant task
    unit[varies] = np.exp(level + between / (between + sampling) * (log_unit - level))
    return np.asarray(unit)
