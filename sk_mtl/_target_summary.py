"""The targets of many rows in few: counts of labels, or means and variances of values."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from sk_mtl._exact import joined
from sk_mtl._inputs import Inputs
from sk_mtl._labels import distinct, read_labels, refuse_gaps
from sk_mtl._scaling import hardly_varies
from sk_mtl._tasks import Array
from sk_mtl._value_targets import read_values

if TYPE_CHECKING:
    from typing import Self


@dataclass(frozen=True)
class TargetSummary(metaclass=ABCMeta):
    """A few targets of each task that stand for all, by their weights.

    Attributes
    ----------
    of_task : dict
        By task id: labels or values, and weights.
    """

    of_task: dict[Any, tuple[Array, Array]]

    @classmethod
    def of(cls, inputs: Inputs, ids: Array) -> Self:
        """The summary of a chunk's targets; tasks without any are left out."""
        found = {}
        for name, column, weight in _by_task(inputs, ids):
            what = "y" if inputs.names is None else f"column {name!r} of y"
            values, labelled = cls._read(column, what)
            if len(values):
                found[name] = cls._reduced(values, weight[labelled])
        return cls(found)

    def merge(self, other: Self) -> Self:
        """The summary of both parts' targets."""
        merged = dict(self.of_task)
        for name, (values, weight) in other.of_task.items():
            if name in merged:
                known, before = merged[name]
                _check_one_kind(known, values, name)
                both = joined([known, values]), np.concatenate([before, weight])
                merged[name] = self._reduced(*both)
            else:
                merged[name] = values, weight
        return type(self)(merged)

    @staticmethod
    @abstractmethod
    def _read(column: Array, what: str) -> tuple[Array, Array]:
        """The targets that a column holds, and which of its entries hold one."""

    @staticmethod
    @abstractmethod
    def _reduced(values: Array, weight: Array) -> tuple[Array, Array]:
        """Fewer targets, and their weights."""


class LabelCounts(TargetSummary):
    """Weighted counts of each task's labels."""

    @staticmethod
    def _read(column: Array, what: str) -> tuple[Array, Array]:
        values, labelled = read_labels(column, what)
        if len(values):
            check_classification_targets(values)
        return values, labelled

    @staticmethod
    def _reduced(values: Array, weight: Array) -> tuple[Array, Array]:
        kinds = distinct(values)
        return kinds, np.bincount(np.searchsorted(kinds, values), weights=weight)


class ValueMoments(TargetSummary):
    """Each task's values as two values with their mean and their variance."""

    @staticmethod
    def _read(column: Array, what: str) -> tuple[Array, Array]:
        return read_values(column, what)

    @staticmethod
    def _reduced(values: Array, weight: Array) -> tuple[Array, Array]:
        total = weight.sum()
        mean = weight @ values / total
        with np.errstate(over="ignore"):  # told once all values are known
            variance = weight @ (values - mean) ** 2 / total
            if hardly_varies(variance, mean):
                mean += weight @ (values - mean) / total
                variance = weight @ (values - mean) ** 2 / total
            deviation = np.sqrt(variance)
        return np.array([mean - deviation, mean + deviation]), np.full(2, total / 2)


def _by_task(inputs: Inputs, ids: Array) -> Iterator[tuple[Any, Array, Array]]:
    """Name, labels and weights of each task."""
    if inputs.names is not None:
        for name, column in zip(ids.tolist(), inputs.columns, strict=True):
            yield name, column, inputs.weight
        return
    column = inputs.columns[0]
    refuse_gaps(read_labels(column, "y")[1])
    if inputs.ids is None:
        yield 0, column, inputs.weight
    else:
        codes = np.searchsorted(ids, inputs.ids)
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(1, len(ids)))
        for name, rows in zip(ids.tolist(), np.split(order, starts), strict=True):
            yield name, column[rows], inputs.weight[rows]


def _check_one_kind(known: Array, new: Array, name: Any) -> None:
    """Text beside numbers: numpy would make text of all."""
    if (known.dtype.kind == "U") != (new.dtype.kind == "U"):
        raise ValueError(
            f"The labels of task {name!r} are like {known.tolist()[0]!r} in one chunk and like "
            f"{new.tolist()[0]!r} in another. Convert them to one type."
        )
