"""What classifiers add to the multi-task estimators: labels in, labels and probabilities out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from sk_mtl._adding import ExtensibleAligned
from sk_mtl._base import trains_in_batches
from sk_mtl._class_targets import ClassTargets
from sk_mtl._inputs import Inputs
from sk_mtl._labels import LabelSet, union_of_labels
from sk_mtl._predicting import ClassPredictions, Probabilities
from sk_mtl._tasks import Array, TaskSet, listing

if TYPE_CHECKING:
    from typing import Self

    from sk_mtl._fitted import GroupOutputs

# Kinds of new labels beside kinds of known ones that take them in.
_LIKE = ("iu", "ui", "if", "uf")


class AlignedClassifier(ClassPredictions, ExtensibleAligned):
    """An aligned network whose targets are classes."""

    def _learn_targets(
        self, inputs: Inputs, tasks: TaskSet, classes: Any = None, known: Sequence[Any] = ()
    ) -> ClassTargets:
        group = self._groups_of(tasks, known)
        if classes is not None:
            return ClassTargets.of(LabelSet.declared(classes, tasks.ids, wide=tasks.wide), group)
        if tasks.wide:
            return ClassTargets.of(LabelSet.of_columns(inputs.columns, tasks.ids), group)
        codes = tasks.encode(inputs.ids, len(inputs.features))
        assert codes is not None
        label_sets = [classes for group in known for classes in group.labels.per_task]
        labels = LabelSet.of_rows(inputs.columns[0], codes, tasks.ids, label_sets)
        if known and isinstance(self.classes_, np.ndarray):
            _check_one_type(labels.union, self.classes_)
        return ClassTargets.of(labels, group)

    def _publish_targets(self, targets: list[ClassTargets]) -> None:
        self.task_classes_ = [classes for group in targets for classes in group.labels.per_task]
        self.classes_ = (
            self.task_classes_
            if self._tasks.wide
            else union_of_labels([group.labels.union for group in targets])
        )

    @available_if(trains_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, task: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Go once over a chunk of rows, starting from what is fitted. Needs ``solver="adam"``.

        The first call decides on the tasks, their classes and weights, the scaling of the
        features and the priors on the biases. The penalties are on the scale of one chunk's
        loss: a chunk stands for all rows.

        Parameters
        ----------
        X, y, task, sample_weight
            As in `fit`.
        classes : array-like, dict or list of array-like, default=None
            On the first call, all classes that may come: of every task, or a dict of them by
            task id, which may name tasks that come later (for a wide ``y`` also a list of them
            by column). By default those of the first chunk.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`, for a task or a label that the first call did not name, with
            ``early_stopping`` and with another schedule than "joint". The estimator is then as
            before the call.
        """
        return self._partial_fit(X, y, task, sample_weight, classes)

    def predict_proba(self, X: Any, task: Any = None) -> Probabilities:
        """Probability of each class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes), or for a wide y (n_samples, \
n_tasks) or list of ndarray
            Stacked rows: in the order of ``classes_``, 0 for classes that are not the task's. A
            wide ``y`` of binary tasks: probability of each task's second class. Another wide
            ``y``: one array of shape (n_samples, n_classes of the task) per task.

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, or an id is unseen.
        """
        features, codes = self._read_rows(X, task)
        outputs = self._outputs(features, codes, self._of_network, of_outputs=True)
        return self._of_classes(outputs, codes, len(features))

    def _of_classes(
        self, outputs: Iterable[GroupOutputs], codes: Array | None, n_rows: int
    ) -> Array | list[Array]:
        """Probabilities of the classes from those of the network's output columns."""
        if codes is None:
            return self._wide_probabilities(
                [(group.targets, found) for group, *_, found in outputs]
            )
        assert isinstance(self.classes_, np.ndarray)
        # One column more than there are classes takes what pads the tasks with fewer.
        out: Array | None = None
        for group, rows, own_task, columns in outputs:
            if out is None:
                out = np.zeros((n_rows, len(self.classes_) + 1), dtype=columns.dtype)
            targets = group.targets
            positions = targets.labels.positions(self.classes_)
            as_they_are = len(self.classes_) == columns.shape[1] and len(columns) == n_rows
            if as_they_are and _same_columns(targets, positions, columns.shape[1]):
                return columns
            own = np.take_along_axis(columns, targets.plan.columns[own_task], axis=1)
            found = out[rows]
            np.put_along_axis(found, positions[own_task], own, axis=1)
            out[rows] = found
        assert out is not None
        return out[:, :-1]

    @staticmethod
    def _of_network(network: Any, *inputs: Any) -> Any:
        """Probabilities of the output columns."""
        from sk_mtl._network import probabilities

        return probabilities(network(*inputs))

    def _wide_probabilities(self, groups: list[tuple[ClassTargets, Array]]) -> Array | list[Array]:
        per_task = [
            columns[:, t, targets.plan.columns[t, : len(classes)]]
            for targets, columns in groups
            for t, classes in enumerate(targets.labels.per_task)
        ]
        if all(len(classes) == 2 for classes in self.task_classes_):
            return np.stack([of_task[:, 1] for of_task in per_task], axis=1)
        return per_task


def _same_columns(targets: ClassTargets, positions: Array, n_columns: int) -> bool:
    """Whether output columns are the classes of every task, in their order."""
    each = np.arange(n_columns)
    return all(
        of.shape[1] == n_columns and bool((of == each).all())
        for of in (positions, targets.plan.columns)
    )


def _check_one_type(new: Array, known: Array) -> None:
    """Refuse labels that would change the type of the labels that the fitted tasks predict."""
    same = new.dtype.kind == known.dtype.kind or new.dtype.kind + known.dtype.kind in _LIKE
    if not same:
        raise ValueError(
            f"The labels {listing(new)} are of another type than those of the fitted tasks, "
            f"{listing(known)}. Convert them to one type."
        )
