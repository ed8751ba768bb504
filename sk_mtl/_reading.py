"""From what the user passes to the rows that a network trains on: learned, encoded, weighed."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone

from sk_mtl._class_targets import ClassTargets
from sk_mtl._exact import union
from sk_mtl._fitted import FittedNetwork
from sk_mtl._inputs import Inputs, read_inputs
from sk_mtl._parameters import learns_task_weight
from sk_mtl._rows import TrainingRows
from sk_mtl._task_groups import resolve_task_groups
from sk_mtl._tasks import Array, TaskSet, check_ids, listing
from sk_mtl._value_targets import ValueTargets
from sk_mtl._weighting import resolve_task_weight

Targets = ClassTargets | ValueTargets


class ReadsTrainingRows(FittedNetwork, metaclass=ABCMeta):
    """Learns tasks, labels and weights from the user's rows, or holds further rows to them."""

    @abstractmethod
    def _learn_targets(
        self, inputs: Inputs, tasks: TaskSet, classes: Any = None, known: Sequence[Any] = ()
    ) -> Targets:
        """What the labels of these tasks are; ``known`` are the targets of tasks before them."""

    @abstractmethod
    def _publish_targets(self, targets: list[Any]) -> None:
        """Set the public attributes that describe the labels of all groups of tasks."""

    def _read_training_rows(
        self,
        X: Any,
        y: Any,
        task: Any,
        sample_weight: Any,
        *,
        keep: bool,
        weigh: bool,
        classes: Any = None,
    ) -> TrainingRows:
        """Check everything that came from the user, and learn tasks and labels unless ``keep``."""
        if keep:
            self._check_going_on()
        inputs = read_inputs(self, X, y, task, sample_weight, reset=not keep)
        if not keep:
            self._learn(inputs, classes)
        rows = self._encode(inputs)
        if weigh:
            self._weigh_tasks(inputs, rows)
        return self._weighted(rows)

    def _check_going_on(self) -> None:
        """Refuse to train a fitted model further whose tasks are no longer those of its net."""
        if self._added:
            ids = self.tasks_[len(self._targets.plan.family) :]
            raise ValueError(
                f"The tasks {listing(ids)} were added to a fitted model, whose shared module they "
                "rely on: it cannot be trained further. Fit all tasks afresh."
            )
        if (self._groups_of(self._tasks) != self._targets.plan.group).any():
            raise ValueError(
                "task_groups differ from those of the last fit, whose shared modules they cannot "
                "have. Keep them, or fit afresh (warm_start=False)."
            )

    def _learn(self, inputs: Inputs, classes: Any = None) -> None:
        """Take in which tasks there are, and their labels."""
        self._tasks = self._learn_tasks(inputs, classes)
        self._targets = self._learn_targets(inputs, self._tasks, classes)
        self._added = []
        self._publish()

    def _groups_of(self, tasks: TaskSet, known: Sequence[Any] = ()) -> Array:
        """Numbers of the groups that tasks share in; tasks added to others have none."""
        return resolve_task_groups(None if len(known) else self.task_groups, tasks.ids)

    def _learn_tasks(self, inputs: Inputs, classes: Any) -> TaskSet:
        tasks = TaskSet.of(inputs.names, inputs.ids, inputs.route)
        if inputs.ids is not None and isinstance(classes, Mapping):  # may name tasks yet to come
            named = check_ids(list(classes), where="classes")
            return TaskSet(union([tasks.ids, named]), tasks.route)
        return tasks

    def _publish(self) -> None:
        self.tasks_ = self._tasks.ids
        self._publish_targets(self._all_targets())

    def _all_targets(self) -> list[Any]:
        return [self._targets, *(added.targets for added in self._added)]

    def _encode(self, inputs: Inputs) -> TrainingRows:
        """Rows with what the network is to put out, not weighted by tasks yet."""
        codes = self._tasks.encode(inputs.ids, len(inputs.features))
        if (inputs.names is not None) != self._tasks.wide:
            raise ValueError(
                f"y has {len(inputs.columns)} column(s), but the estimator was fitted on "
                f"{'a wide y' if self._tasks.wide else 'one label per row'}."
            )
        if inputs.named and inputs.names is not None:
            self._tasks.check_columns(inputs.names)
        weight = inputs.weight
        if codes is None:
            target, labelled = self._targets.encode_columns(inputs.columns, self.tasks_)
            weight = weight[:, None] * labelled
        else:
            target = self._targets.encode_rows(inputs.columns[0], codes, self.tasks_)
        # However a table lies in memory, its products are the same to the bit.
        features = np.ascontiguousarray(inputs.features)
        return TrainingRows(features, codes, target, weight, row_weight=inputs.weight)

    def _weigh_tasks(self, inputs: Inputs, rows: TrainingRows) -> None:
        self.__dict__.pop("task_reweighter_", None)
        if hasattr(self.task_weight, "normalized_task_weight"):
            if rows.features.ndim > 2:
                raise ValueError(
                    f"task_weight={self.task_weight} needs X of two dimensions; got "
                    f"{rows.features.ndim}. Pass weights, or fit it on the rows' means."
                )
            ids = None if self._tasks.route in ("wide", "none") else self.tasks_[rows.task]
            self.task_reweighter_ = clone(self.task_weight).set_params(task_column=None)
            self.task_reweighter_.fit(
                rows.features,
                self._targets.for_reweighter(inputs.columns, rows),
                task=ids,
                sample_weight=rows.row_weight,
            )
            self.task_weight_ = self.task_reweighter_.normalized_task_weight()
        else:
            task, _, weight = rows.by_entry()
            per_task = np.bincount(task, weights=weight, minlength=len(self.tasks_))
            self.task_weight_ = resolve_task_weight(self.task_weight, self.tasks_, per_task)

    def _weighted(self, rows: TrainingRows) -> TrainingRows:
        """The rows with their tasks' weights; those that are left without any are dropped."""
        rows = self._with_task_weight(rows)
        if not len(rows.weight):
            raise ValueError(
                "No labelled row has a positive weight: nothing is left to fit. Check "
                "sample_weight, task_weight and the labels."
            )
        return rows

    def _with_task_weight(self, rows: TrainingRows) -> TrainingRows:
        """As `_weighted`, but there may be nothing left."""
        factor = self.task_weight_
        if learns_task_weight(self.task_weight):
            factor = np.ones_like(factor)
        weight = rows.weight * (factor if rows.task is None else factor[rows.task])
        counted = weight > 0 if weight.ndim == 1 else (weight > 0).any(axis=1)
        rows = replace(rows, weight=weight)
        return rows if counted.all() else rows.take(counted)
