"""Many rows in few that have the same counts, means and covariances.

What is learned before a network is trained (tasks and labels, scaling, priors, the start of the
R_i) depends on rows through these alone. So it is learned from the summary as from all rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_mtl._exact import joined
from sk_mtl._feature_moments import FeatureMoments
from sk_mtl._inputs import Inputs
from sk_mtl._labels import MISSING
from sk_mtl._rows import TrainingRows
from sk_mtl._target_summary import TargetSummary
from sk_mtl._tasks import Array, TaskSet


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
    targets : TargetSummary
    """

    tasks: TaskSet
    named: bool
    features: FeatureMoments
    targets: TargetSummary

    @classmethod
    def of(cls, inputs: Inputs, kind: type[TargetSummary], *, by_task: bool) -> Summary:
        """The summary of a chunk, its targets of a kind."""
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
            here = [name in self for name in self.tasks.ids.tolist()]
            ids = None if self.tasks.route == "none" else np.repeat(self.tasks.ids[here], sizes)
            column = joined(values)
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
