"""Tasks that come after fit: `add_task`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import _num_samples, check_is_fitted

from sk_mtl._base import BaseAligned
from sk_mtl._exact import joined
from sk_mtl._inputs import Inputs, read_inputs
from sk_mtl._labels import read_labels
from sk_mtl._rows import TrainingRows
from sk_mtl._schedule import End, stages_from_source
from sk_mtl._tasks import TaskSet, check_ids, listing
from sk_mtl._undo import all_or_nothing

if TYPE_CHECKING:
    from typing import Self


class ExtensibleAligned(BaseAligned):
    """Takes further tasks into a fitted model."""

    def add_task(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Add a task to the fitted model: Algorithm 1 for a new task.

        The shared module B stays as it is; the alignment R and the head A of the new task are
        fitted to its rows. Its head is a deviation from the one that the fitted tasks with (most
        of) its labels share, if there are such tasks, times a gain of its own. Predictions for
        all other tasks stay the same, bit for bit. ``early_stopping``, ``task_weight`` and
        callbacks do not apply: the new task is fitted alone, with weight 1.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            As in `fit`, the task column included.
        y : array-like of shape (n_samples,)
            Labels or values of the new task. The labels may be others than the fitted tasks', of
            the same type. After a fit on a wide ``y``, NaN where there is none.
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
            If an id is known or is not of the kind of the others, a task has no labelled row,
            labels are of another type than the fitted ones, X has other features, or the model
            was fitted without task ids. The model is then as before the call.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_mtl import MultiTaskAlignedClassifier
        >>> rng = np.random.default_rng(0)
        >>> X, shop = rng.standard_normal((60, 3)), np.repeat(["north", "south"], 30)
        >>> model = MultiTaskAlignedClassifier(random_state=0).fit(X, X[:, 0] > 0, task=shop)
        >>> X_new = rng.standard_normal((10, 3))
        >>> model.add_task(X_new, X_new[:, 0] > 0, task="west").tasks_
        array(['north', 'south', 'west'], dtype='<U5')
        """
        check_is_fitted(self)
        self._validate_params()
        if self._targets.plan.n_groups > 1:
            raise ValueError(
                "The fitted tasks are in groups that share no module, and a new task would need "
                "one of these. Fit afresh, with the new task in one of task_groups."
            )
        inputs, new = self._read_added(X, y, task, sample_weight)
        self._check_new(new)
        codes = new.encode(inputs.ids, len(inputs.features))
        assert codes is not None
        targets = self._learn_targets(inputs, new, known=self._all_targets())
        target = targets.encode_rows(inputs.columns[0], codes, new.ids)
        rows = TrainingRows(inputs.features, codes, target, inputs.weight, inputs.weight)
        with all_or_nothing(self):
            end = self._train_added(new, targets, rows)
            self._publish()
        self._warn_of(end, stacklevel=3)
        return self

    def _as_fitted(self) -> Self:
        """The model without the tasks that were added after fit."""
        if not self._added:
            return self
        fitted = type(self)()
        fitted.__dict__ = vars(self) | {"_added": []}
        n_fitted = len(self._targets.plan.family)
        fitted._tasks = replace(self._tasks, ids=self._tasks.ids[:n_fitted])
        fitted._publish()
        return fitted

    def _read_added(self, X: Any, y: Any, task: Any, sample_weight: Any) -> tuple[Inputs, TaskSet]:
        """Labelled rows of new tasks, and these."""
        route = self._tasks.route
        if route == "none":
            raise ValueError(
                "The estimator was fitted without task ids: its one task has no name to tell it "
                "from a new one. Fit it with task= or task_column first."
            )
        if task is None and route != "column":
            raise ValueError("add_task needs the id of the new task: pass task=.")
        if route == "wide":
            return self._read_added_column(X, y, task, sample_weight)
        per_row = task
        if route == "column":
            per_row = None
        elif np.ndim(task) == 0:
            per_row = np.repeat(check_ids([task], where="task"), _num_samples(X))
        inputs = read_inputs(self, X, y, per_row, sample_weight, reset=False)
        if inputs.names is not None:
            raise ValueError(
                f"y has {len(inputs.columns)} columns. Pass one label per row, and an id per row "
                "for several tasks."
            )
        ids = np.unique(np.asarray(inputs.ids))
        if route == "column" and task is not None and ids.tolist() != [task]:
            raise ValueError(
                f"task={task!r}, but the task column of X holds {listing(ids)}. Leave task out, "
                "or pass rows of that task alone."
            )
        return inputs, TaskSet(ids, "keyword")

    def _read_added_column(
        self, X: Any, y: Any, task: Any, sample_weight: Any
    ) -> tuple[Inputs, TaskSet]:
        """Rows with a label in the new column of a wide ``y``."""
        inputs = read_inputs(self, X, y, None, sample_weight, reset=False)
        if inputs.names is not None:
            raise ValueError(f"y has {len(inputs.columns)} columns. Add them one by one.")
        name = np.empty(1, dtype=object)
        name[0] = task
        if not isinstance(task, tuple):  # a name with levels
            name = check_ids([task], where="task")
        values, labelled = read_labels(inputs.columns[0], "y")
        if not len(values):
            raise ValueError(f"Task {task!r} has no labelled row of positive weight.")
        inputs = replace(inputs.take(labelled), columns=[values])
        return inputs, TaskSet(name, "none")

    def _check_new(self, new: TaskSet) -> None:
        known = set(self.tasks_.tolist())
        repeated = [name for name in new.ids.tolist() if name in known]
        if repeated:
            raise ValueError(
                f"The tasks {listing(repeated)} are known already: the estimator has "
                f"{listing(self.tasks_)}. Pass another id, or fit afresh with all rows."
            )
        mixed = (self.tasks_.dtype.kind == "U") != (new.ids.dtype.kind == "U")
        if mixed and self.tasks_.dtype != object:
            raise ValueError(
                f"The ids {listing(new.ids)} are of another type than those of the fitted tasks, "
                f"{listing(self.tasks_)}. Convert them to one type."
            )

    def _train_added(self, new: TaskSet, targets: Any, rows: TrainingRows) -> End:
        from sk_mtl._added import AddedTasks, network_from_source
        from sk_mtl._building import build_alignment
        from sk_mtl._net_building import build_net

        fitted = self.net_.module_
        settings = self._settings() | {
            "callbacks": None,  # they belong to `fit`, and may look at held-out rows
            "early_stopping": False,
            "learns_task_weight": False,
            "dtype": _dtype_of(fitted),
        }
        if settings["alignment"] == "auto" and fitted.alignment is None:
            settings["alignment"] = None
        alignment = build_alignment(
            rows, new.ids, self._scaler, settings, self._covariance, to_source=True
        )
        groups = self._task_groups()
        network = network_from_source(groups, self._scaler, rows, targets, alignment, settings)
        net = build_net(network, targets.loss, settings, fixed_b=True)
        end = self._train_net(net, targets, rows, None, stages_from_source(0, self.max_iter))
        self._added = [*self._added, AddedTasks(targets, network.alignment, network.heads)]
        self._tasks = TaskSet(joined([self._tasks.ids, new.ids]), self._tasks.route)
        self.task_weight_ = np.append(self.task_weight_, np.ones(len(new)))
        return end


def _dtype_of(network: Any) -> str:
    return str(network.heads.own.dtype).removeprefix("torch.")
