"""Tasks that come after fit: `add_task`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sk_mtl._base import BaseAligned
from sk_mtl._inputs import Inputs, read_inputs
from sk_mtl._labels import read_labels
from sk_mtl._rows import TrainingRows
from sk_mtl._schedule import stages_from_source
from sk_mtl._tasks import TaskSet, check_ids, listing

if TYPE_CHECKING:
    from typing import Self


class ExtensibleAligned(BaseAligned):
    """Takes further tasks into a fitted model."""

    def add_task(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Add a task to the fitted model: Algorithm 1 for a new task.

        The shared module B stays as it is; the alignment R and the head A of the new task are
        fitted to its rows. Its head is a deviation from the one that the fitted tasks with (most
        of) its labels share, if there are such tasks. Predictions for all other tasks stay the
        same, bit for bit.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            As in `fit`, the task column included.
        y : array-like of shape (n_samples,)
            Labels or values of the new task. They may be others than those of the fitted tasks.
        task : id or array-like of shape (n_samples,)
            Id of the new task, or one id per row for several new tasks. With a task column it may
            be left out. After a fit on a wide ``y`` it names the new column.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object
            With the new ids at the end of ``tasks_``.

        Raises
        ------
        ValueError
            If the id is known, is not of the kind of the others, or X has other features.
        """
        check_is_fitted(self)
        inputs = self._read_added(X, y, task, sample_weight)
        assert inputs.ids is not None
        new = TaskSet(np.unique(inputs.ids), "keyword")
        self._check_new(new)
        targets = self._learn_targets(inputs, new)
        codes = new.encode(inputs.ids, len(inputs.features))
        assert codes is not None
        target = targets.encode_rows(inputs.columns[0], codes, new.ids)
        rows = TrainingRows(inputs.features, codes, target, inputs.weight, inputs.weight)
        with self._all_or_nothing():
            ended = self._train_added(new, targets, rows)
            self._publish()
        if not ended:
            self._warn_of_early_end()
        return self

    def _read_added(self, X: Any, y: Any, task: Any, sample_weight: Any) -> Inputs:
        """Rows of new tasks, with an id each."""
        route = self._tasks.route
        if route == "none":
            raise ValueError(
                "The estimator was fitted without task ids: its one task has no name to tell it "
                "from a new one. Fit it with task= or task_column first."
            )
        if task is None and route != "column":
            raise ValueError("add_task needs the id of the new task: pass task=.")
        given = None
        if task is not None:
            given = check_ids([task] if np.ndim(task) == 0 else task, where="task")
        passed = None
        if given is not None and route != "column":
            n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
            passed = np.full(n_rows, given[0]) if np.ndim(task) == 0 else given
        inputs = read_inputs(self, X, y, passed, sample_weight, reset=False)
        assert inputs.ids is not None
        if route == "column" and given is not None and np.any(inputs.ids != given):
            raise ValueError(
                f"task={task!r}, but the task column of X holds {listing(np.unique(inputs.ids))}. "
                "Leave task out, or pass rows of that task."
            )
        if inputs.names is not None:
            raise ValueError(
                f"y has {len(inputs.columns)} columns. Pass one label per row, and tasks one by "
                "one or with an id per row."
            )
        if route == "wide":  # where labels may be missing
            values, labelled = read_labels(inputs.columns[0], "y")
            inputs = replace(inputs.take(labelled), columns=[values])
        return inputs

    def _check_new(self, new: TaskSet) -> None:
        known = set(self.tasks_.tolist())
        repeated = [name for name in new.ids.tolist() if name in known]
        if repeated:
            raise ValueError(
                f"The tasks {listing(repeated)} are known already: the estimator has "
                f"{listing(self.tasks_)}. Pass another id, or fit afresh with all rows."
            )
        if self.tasks_.dtype != object and (self.tasks_.dtype.kind == "U") != (
            new.ids.dtype.kind == "U"
        ):
            raise ValueError(
                f"The ids {listing(new.ids)} are of another type than those of the fitted tasks, "
                f"{listing(self.tasks_)}. Convert them to one type."
            )

    def _train_added(self, new: TaskSet, targets: Any, rows: TrainingRows) -> bool:
        from sk_mtl._added import AddedTasks, network_from_source
        from sk_mtl._building import build_alignment, build_net

        fitted = self.net_.module_
        settings = self._settings()
        if settings["alignment"] == "auto" and fitted.alignment is None:
            settings["alignment"] = None
        alignment = build_alignment(
            rows, new.ids, self._scaler, settings, self._covariance, to_source=True
        )
        network = network_from_source(
            fitted, self._targets.plan, self._scaler, rows, targets, alignment, settings
        )
        net = build_net(network, targets.loss, settings, len(rows.features))
        ended = self._train_net(net, targets, rows, stages_from_source(0, self.max_iter))
        like_fitted = next(fitted.parameters())
        network.to(like_fitted)
        self._added = [*self._added, AddedTasks(targets, network.alignment, network.heads)]
        self._tasks = TaskSet(np.concatenate([self._tasks.ids, new.ids]), self._tasks.route)
        self.task_weight_ = np.append(self.task_weight_, np.ones(len(new)))
        return ended
