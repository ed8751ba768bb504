"""Many rows in few that have the same counts, means and covariances.

What is learned before a network is trained (tasks and labels, scaling, priors, the start of the
R_i) depends on rows through these alone. So it is learned from the summary as from all rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from sk_mtl._inputs import Inputs
from sk_mtl._labels import MISSING, distinct, read_labels, refuse_gaps
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import parts
from sk_mtl._tasks import Array, TaskSet
from sk_mtl._value_targets import read_values

Entries = dict[Any, tuple[Array, Array]]  # by task id: labels or values, and weights


@dataclass(frozen=True)
class FeatureMoments:
    """Weight, mean and scatter of the features of each task.

    Sums are taken about the means, and parts are merged by the rule of Chan, Golub and LeVeque
    (1983), so that far-off means cost no digits.

    Attributes
    ----------
    ids : ndarray of shape (n_tasks,)
        Sorted.
    n_rows, weight : ndarray of shape (n_tasks,)
    mean : ndarray of shape (n_tasks, n_features)
    scatter : ndarray of shape (n_features, n_features) or (n_tasks, n_features, n_features)
        About the tasks' means: of all tasks together, or of each.
    """

    ids: Array
    n_rows: Array
    weight: Array
    mean: Array
    scatter: Array

    @classmethod
    def of(cls, X: Array, task: Array, weight: Array, *, by_task: bool) -> FeatureMoments:
        """The moments of rows; ``task`` holds ids."""
        found = [cls._of_part(X[p], task[p], weight[p], by_task) for p in parts(X)]
        return reduce(cls.merge, found)

    @classmethod
    def _of_part(cls, X: Array, task: Array, weight: Array, by_task: bool) -> FeatureMoments:
        ids, code, n_rows = np.unique(task, return_inverse=True, return_counts=True)
        order = np.argsort(code, kind="stable")
        X, code, weight = X[order].astype(np.float64), code[order], weight[order]
        starts = np.searchsorted(code, np.arange(len(ids)))
        total = np.add.reduceat(weight, starts)
        mean = np.add.reduceat(X * (weight / total[code])[:, None], starts, axis=0)
        rows = (X - mean[code]) * np.sqrt(weight)[:, None]
        if by_task:
            scatter = np.stack([own.T @ own for own in np.split(rows, starts[1:])])
        else:
            scatter = rows.T @ rows
        return cls(ids, n_rows, total, mean, scatter)

    def merge(self, other: FeatureMoments) -> FeatureMoments:
        """The moments of both parts' rows."""
        ids = np.union1d(self.ids, other.ids)
        mine, its = np.searchsorted(ids, self.ids), np.searchsorted(ids, other.ids)
        n_rows = np.zeros(len(ids), dtype=np.intp)
        n_rows[mine] += self.n_rows
        n_rows[its] += other.n_rows
        weight, mean = np.zeros(len(ids)), np.zeros((len(ids), self.mean.shape[1]))
        weight[mine], mean[mine] = self.weight, self.mean
        before = weight[its]
        weight[its] += other.weight
        share = other.weight / weight[its]
        off = other.mean - mean[its]
        mean[its] += share[:, None] * off
        off *= np.sqrt(before * share)[:, None]  # 0 for a task that only the other has
        if self.scatter.ndim == 2:
            scatter = self.scatter + other.scatter + off.T @ off
        else:
            scatter = np.zeros((len(ids), *self.scatter.shape[1:]))
            scatter[mine] = self.scatter
            scatter[its] += other.scatter + off[:, :, None] * off[:, None, :]
        return FeatureMoments(ids, n_rows, weight, mean, scatter)

    def as_rows(self) -> tuple[Array, Array, Array]:
        """Rows that have these moments, their task ids and their weights.

        Where the scatter is of all tasks together, it is put into the task of most weight.
        """
        heaviest = int(self.weight.argmax())
        rows, ids, weights = [], [], []
        for t in range(len(self.ids)):
            own = self.mean[t : t + 1]
            if self.scatter.ndim == 3:
                own = _points(self.mean[t], self.scatter[t] / self.weight[t])
            elif t == heaviest:
                own = _points(self.mean[t], self.scatter / self.weight[t])
            rows.append(own)
            ids.append(np.repeat(self.ids[t : t + 1], len(own)))
            weights.append(np.full(len(own), self.weight[t] / len(own)))
        return np.concatenate(rows), np.concatenate(ids), np.concatenate(weights)


def _points(mean: Array, covariance: Array) -> Array:
    """Points of equal weight with a mean and a covariance: pairs on its axes.

    The axes are those of the correlations, so that features in small units keep their digits.
    """
    deviation = np.sqrt(covariance.diagonal())
    unit = np.where(deviation > 0, deviation, 1.0)
    values, vectors = np.linalg.eigh(covariance / unit[:, None] / unit)
    kept = values > 0
    if not kept.any():
        return mean[None]
    steps = unit[:, None] * vectors[:, kept] * np.sqrt(kept.sum() * values[kept])
    steps[deviation == 0] = 0  # a constant stays one
    return np.concatenate([mean + steps.T, mean - steps.T])


@dataclass(frozen=True)
class LabelCounts:
    """Weighted counts of each task's labels."""

    of_task: Entries

    @classmethod
    def of(cls, inputs: Inputs, ids: Array) -> LabelCounts:
        counts = {}
        for name, column, weight in _by_task(inputs, ids):
            values, labelled = read_labels(column, _what(inputs, name))
            if not len(values):
                continue
            check_classification_targets(values)
            kinds = distinct(values)
            codes = np.searchsorted(kinds, values)
            counts[name] = kinds, np.bincount(codes, weights=weight[labelled])
        return cls(counts)

    def merge(self, other: LabelCounts) -> LabelCounts:
        merged = dict(self.of_task)
        for name, (labels, counts) in other.of_task.items():
            if name in merged:
                known, before = merged[name]
                _check_one_kind(known, labels, name)
                both = np.concatenate([known, labels])
                labels, codes = np.unique(both, return_inverse=True)
                counts = np.bincount(codes, weights=np.concatenate([before, counts]))
            merged[name] = labels, counts
        return LabelCounts(merged)


@dataclass(frozen=True)
class ValueMoments:
    """Each task's values as two values with their mean and their variance."""

    of_task: Entries

    @classmethod
    def of(cls, inputs: Inputs, ids: Array) -> ValueMoments:
        found = {}
        for name, column, weight in _by_task(inputs, ids):
            values, labelled = read_values(column, _what(inputs, name))
            if len(values):
                found[name] = _two_values(values, weight[labelled])
        return cls(found)

    def merge(self, other: ValueMoments) -> ValueMoments:
        merged = dict(self.of_task)
        for name, (values, weight) in other.of_task.items():
            if name in merged:
                known, before = merged[name]
                both = np.concatenate([known, values]), np.concatenate([before, weight])
                merged[name] = _two_values(*both)
            else:
                merged[name] = values, weight
        return ValueMoments(merged)


def _two_values(values: Array, weight: Array) -> tuple[Array, Array]:
    total = weight.sum()
    mean = weight @ values / total
    with np.errstate(over="ignore"):  # told once all values are known
        deviation = np.sqrt(weight @ (values - mean) ** 2 / total)
    return np.array([mean - deviation, mean + deviation]), np.full(2, total / 2)


@dataclass(frozen=True)
class Summary:
    """What a stream's rows say before training.

    Attributes
    ----------
    tasks : TaskSet
    named : bool
        Whether the columns of a wide ``y`` brought the tasks' names.
    features : FeatureMoments
        Of stacked tasks each; of all rows with a label under the id 0 otherwise.
    targets : LabelCounts or ValueMoments
    """

    tasks: TaskSet
    named: bool
    features: FeatureMoments
    targets: Any

    @classmethod
    def of(cls, inputs: Inputs, kind: Any, *, by_task: bool) -> Summary:
        """The summary of a chunk; ``kind`` is `LabelCounts` or `ValueMoments`."""
        n_rows = len(inputs.features)
        tasks = TaskSet.of(inputs.names, inputs.ids, inputs.route)
        ids = np.zeros(n_rows, dtype=np.intp) if inputs.ids is None else inputs.ids
        features = FeatureMoments.of(inputs.features, ids, inputs.weight, by_task=by_task)
        return cls(tasks, inputs.named, features, kind.of(inputs, tasks.ids))

    def merge(self, other: Summary) -> Summary:
        return Summary(
            self.tasks.joined(other.tasks),
            self.named,
            self.features.merge(other.features),
            self.targets.merge(other.targets),
        )

    def as_inputs(self) -> Inputs:
        """A row for each label (or two values) of each task, without features."""
        entries = [(n, *self.targets.of_task[n]) for n in self.tasks.ids.tolist() if n in self]
        values = [of_task for _, of_task, _ in entries]
        weight = np.concatenate([w for *_, w in entries]) if entries else np.zeros(0)
        sizes = [len(of_task) for of_task in values]
        features = np.zeros((len(weight), self.features.mean.shape[1]))
        if not self.tasks.wide:
            here = np.isin(self.tasks.ids, [name for name, *_ in entries])
            ids = None if self.tasks.route == "none" else np.repeat(self.tasks.ids[here], sizes)
            column = np.concatenate(values)
            return Inputs(features, ids, self.tasks.route, [column], None, False, weight)
        columns, start = [], 0
        for name in self.tasks.ids.tolist():
            column = np.full(len(weight), None, dtype=object)
            if name in self:
                own = self.targets.of_task[name][0]
                column[start : start + len(own)] = own.tolist()
                start += len(own)
            columns.append(column)
        return Inputs(features, None, "none", columns, self.tasks.ids, self.named, weight)

    def __contains__(self, name: Any) -> bool:
        return name in self.targets.of_task


def few_rows(rows: TrainingRows) -> TrainingRows:
    """Rows that a network is built from as from these, but for ``alignment_init="coral"``."""
    task = np.zeros(len(rows.features), dtype=np.intp) if rows.task is None else rows.task
    moments = FeatureMoments.of(rows.features, task, rows.row_weight, by_task=False)
    features, code, weight = moments.as_rows()
    labels = _label_rows(rows)
    return above_labels(features, None if rows.task is None else code, weight, labels)


def _label_rows(rows: TrainingRows) -> TrainingRows:
    """A row without features for each label of each task; of values, nobody asks."""
    task, target, weight = rows.by_entry()
    if target.dtype.kind == "f":
        task, target, weight = task[:0], np.empty(0, dtype=np.intp), weight[:0]
    n_columns = 1 + int(target.max(initial=0))
    pairs, code = np.unique(task * n_columns + target, return_inverse=True)
    weight = np.bincount(code, weights=weight, minlength=len(pairs))
    task, target = np.divmod(pairs, n_columns)
    features, none = np.zeros((len(pairs), rows.features.shape[1])), np.zeros(len(pairs))
    if rows.task is not None:
        return TrainingRows(features, task, target.astype(rows.target.dtype), weight, none)
    shape = len(pairs), rows.target.shape[1]
    targets, weights = np.full(shape, MISSING, dtype=rows.target.dtype), np.zeros(shape)
    each = np.arange(len(pairs))
    targets[each, task], weights[each, task] = target, weight
    return TrainingRows(features, None, targets, weights, none)


def above_labels(
    features: Array, task: Array | None, weight: Array, labels: TrainingRows
) -> TrainingRows:
    """Rows whose features count and no label, then rows whose labels count and no feature."""
    n_rows = len(features)
    target, of_label = (
        np.concatenate([np.zeros((n_rows, *values.shape[1:]), values.dtype), values])
        for values in (labels.target, labels.weight)
    )
    return TrainingRows(
        np.concatenate([features, labels.features]),
        None if task is None else np.concatenate([task, labels.task]),
        target,
        of_label,
        np.concatenate([weight, np.zeros(len(labels.features))]),
    )


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


def _what(inputs: Inputs, name: Any) -> str:
    return "y" if inputs.names is None else f"column {name!r} of y"


def _check_one_kind(known: Array, new: Array, name: Any) -> None:
    """Text beside numbers: numpy would make text of all."""
    if (known.dtype.kind == "U") != (new.dtype.kind == "U"):
        raise ValueError(
            f"The labels of task {name!r} are like {known.tolist()[0]!r} in one chunk and like "
            f"{new.tolist()[0]!r} in another. Convert them to one type."
        )
