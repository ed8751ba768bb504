"""What the multi-task estimators have in common: fitting, and the shared representation."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import (
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from sk_mtl._labels import MISSING, LabelSet, columns_as_array, read_columns
from sk_mtl._parameters import AlignedParameters
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array, TaskSet, read_features
from sk_mtl._validation_split import hold_out
from sk_mtl._weighting import resolve_task_weight

if TYPE_CHECKING:
    from typing import Self


def _trains_in_batches(estimator: BaseAligned) -> bool:
    if estimator.solver == "adam":
        return True
    raise AttributeError(
        f"partial_fit needs solver='adam'; solver={estimator.solver!r} works on all rows at once."
    )


class BaseAligned(
    ClassNamePrefixFeaturesOutMixin, TransformerMixin, AlignedParameters, metaclass=ABCMeta
):
    """Alignment R_i, shared module B and task heads A_i behind scikit-learn's interface."""

    __metadata_request__fit: ClassVar = {"task": True}
    __metadata_request__partial_fit: ClassVar = {"task": True}
    __metadata_request__transform: ClassVar = {"task": True}

    @abstractmethod
    def _publish_classes(self) -> None:
        """Set the public attributes that describe the labels."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Fit the network to the rows of all tasks.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Features, and the task column if ``task_column`` is set.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            One label per row, or one per row and task; NaN, None or pandas' NA where it is
            missing.
        task : array-like of shape (n_samples,), default=None
            Task id of each row: integers, booleans or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A row of weight 0 is left out.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If tasks are named in two ways, a task has no labelled row, an id or a label is
            missing, not whole or unseen, or the loss does not stay finite.
        """
        with self._all_or_nothing():
            keep = self.warm_start and self.__sklearn_is_fitted__()
            rows, columns = self._read_training_rows(X, y, task, sample_weight, keep=keep)
            self._weigh_tasks(rows, columns)
            rows = self._weighted(rows)
            self._build(rows, keep=keep)
            if self._train(rows, self.max_iter):
                return self
        warnings.warn(
            f"max_iter={self.max_iter} iterations reached without convergence. Increase max_iter, "
            "or raise tol.",
            ConvergenceWarning,
            stacklevel=3,
        )
        return self

    @available_if(_trains_in_batches)
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
            As `fit`, for a task or a label that the first call did not name, and with
            ``early_stopping``. The estimator is then as before the call.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit does not support early_stopping=True. Pass early_stopping=False."
            )
        keep = self.__sklearn_is_fitted__()
        with self._all_or_nothing(self.net_ if keep else None):
            rows, columns = self._read_training_rows(
                X, y, task, sample_weight, keep=keep, classes=classes
            )
            if not keep:
                self._weigh_tasks(rows, columns)
            rows = self._weighted(rows)
            if not keep or self._settings() != self._built_with:
                self._build(rows, keep=keep)
            self._train(rows, 1)
        return self

    @contextmanager
    def _all_or_nothing(self, net: Any = None) -> Iterator[None]:
        """Leave the estimator, and the net if it is trained further, as they were on failure."""
        before = self.__dict__.copy()
        state = net and deepcopy((net.module_.state_dict(), net.optimizer_.state_dict()))
        n_epochs = net and len(net.history)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            if net:
                net.module_.load_state_dict(state[0])
                net.optimizer_.load_state_dict(state[1])
                del net.history[n_epochs:]
            raise

    def _read_training_rows(
        self, X: Any, y: Any, task: Any, sample_weight: Any, *, keep: bool, classes: Any = None
    ) -> tuple[TrainingRows, list[Array]]:
        """Check everything that came from the user, and learn tasks and labels unless ``keep``.

        Returns
        -------
        rows : TrainingRows
            Not weighted by tasks yet.
        columns : list of ndarray
            The labels of ``rows`` as the user gave them, by column of ``y``.
        """
        features, ids, route = read_features(
            self, X, task, task_column=self.task_column, reset=not keep
        )
        columns, names = read_columns(y, len(features))
        weight = _check_sample_weight(
            sample_weight, features, dtype=np.float64, ensure_non_negative=True
        )
        if not weight.any():
            raise ValueError("sample_weight is zero for every row: nothing is left to fit.")
        if not weight.all():
            used = weight > 0
            features, weight = features[used], weight[used]
            columns = [column[used] for column in columns]
            ids = None if ids is None else ids[used]
        if not keep:
            self._learn_tasks(columns, names, ids, route, classes)
        of_task = self._tasks.encode(ids, len(features))
        if (names is not None) != self._tasks.wide:
            raise ValueError(
                f"y has {len(columns)} column(s), but the estimator was fitted on "
                f"{'a wide y' if self._tasks.wide else 'one label per row'}."
            )
        if names is not None and hasattr(y, "columns"):
            self._tasks.check_columns(names)
        if of_task is None:
            labels = self._labels.encode_columns(columns, self.tasks_)
            per_entry = weight[:, None] * (labels != MISSING)
        else:
            labels, per_entry = self._labels.encode_rows(columns[0], of_task, self.tasks_), weight
        return TrainingRows(features, of_task, labels, per_entry, row_weight=weight), columns

    def _learn_tasks(
        self, columns: list[Array], names: Array | None, ids: Array | None, route: Any, classes: Any
    ) -> None:
        if names is not None:
            if ids is not None:
                raise ValueError(
                    f"y has {len(columns)} columns, which are tasks, and the rows name tasks as "
                    "well. Pass one label per row, or drop the task ids."
                )
            tasks = TaskSet(names, "wide")
        elif ids is None:
            tasks = TaskSet(np.array([0]), route)
        else:
            declared = list(classes) if isinstance(classes, Mapping) else []
            tasks = TaskSet(np.unique([*np.unique(ids).tolist(), *declared]), route)
        if classes is not None:
            labels = LabelSet.declared(classes, tasks.ids, wide=tasks.wide)
        elif tasks.wide:
            labels = LabelSet.of_columns(columns, tasks.ids)
        else:
            codes = tasks.encode(ids, len(columns[0]))
            assert codes is not None
            labels = LabelSet.of_rows(columns[0], codes, tasks.ids)
        self._tasks, self._labels = tasks, labels
        self.tasks_ = tasks.ids
        self._publish_classes()

    def _weigh_tasks(self, rows: TrainingRows, columns: list[Array]) -> None:
        self.__dict__.pop("task_reweighter_", None)
        if hasattr(self.task_weight, "normalized_task_weight"):
            ids = None if self._tasks.route in ("wide", "none") else self.tasks_[rows.task]
            self.task_reweighter_ = clone(self.task_weight).set_params(task_column=None)
            self.task_reweighter_.fit(
                rows.features,
                columns_as_array(columns) if self._tasks.wide else columns[0],
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
        factor = self.task_weight_ if rows.task is None else self.task_weight_[rows.task]
        weight = rows.weight * factor
        counted = weight > 0 if weight.ndim == 1 else (weight > 0).any(axis=1)
        if not counted.any():
            raise ValueError(
                "No labelled row has a positive weight: nothing is left to fit. Check "
                "sample_weight, task_weight and the labels."
            )
        return replace(rows, weight=weight).take(counted)

    net_: Any

    def _build(self, rows: TrainingRows, *, keep: bool) -> None:
        """Scale the features and make a net, untrained or with the weights of the last one."""
        from sk_mtl._building import build_net, build_network
        from sk_mtl._heads import HeadPlan

        if not keep:
            self._random_state = check_random_state(self.random_state)
            self._scaler = InputScaler.fit(rows.features, rows.row_weight, self.input_scaling)
            self.feature_mean_, self.feature_map_ = self._scaler.mean, self._scaler.weight
            self._plan = HeadPlan.of(self._labels.per_task)
        settings = self._settings()
        network = build_network(rows, self._plan, self._scaler, settings, self._random_state)
        if keep:
            try:
                network.load_state_dict(self.net_.module_.state_dict())
            except RuntimeError as error:
                raise ValueError(
                    "The last fit's network has other layers or another alignment than the "
                    "parameters ask for now. Keep them, or fit afresh (warm_start=False)."
                ) from error
        self.net_ = build_net(network, settings, len(rows.features))
        self._built_with = settings
        self._n_features_out = (settings["hidden_layer_sizes"] or [rows.features.shape[1]])[-1]

    def _train(self, rows: TrainingRows, epochs: int) -> bool:
        """Train, publish the outcome, and tell whether training ended before its last epoch."""
        from sk_mtl._running import train

        held_out = None
        if self.early_stopping:
            held = hold_out(rows.codes, rows.task, self.validation_fraction, self._random_state)
            held_out, rows = rows.take(held), rows.take(~held)
        seed = int(self._random_state.randint(np.iinfo(np.int32).max))
        before = len(self.net_.history)
        train(self.net_, rows, held_out, self._plan, self._scaler, epochs, seed)
        history = self.net_.history
        self.module_ = self.net_.module_
        self.n_iter_ = len(history) - before
        self.loss_curve_ = [epoch["train_loss"] for epoch in history]
        self.validation_scores_ = (
            [epoch["valid_score"] for epoch in history] if self.early_stopping else None
        )
        if not np.isfinite(self.loss_curve_[-1:]).all():
            raise ValueError(
                f"The loss is {self.loss_curve_[-1]} after {self.n_iter_} iterations. Reduce "
                "learning_rate_init, or scale the features (input_scaling)."
            )
        return bool(self.net_.converged_) or self.n_iter_ < epochs

    def _read_rows(self, X: Any, task: Any) -> tuple[Array, Array | None]:
        """Features and task codes of the rows to predict."""
        check_is_fitted(self)
        features, ids, _ = read_features(self, X, task, task_column=self.task_column, reset=False)
        return features, self._tasks.encode(ids, len(features))

    def transform(self, X: Any, task: Any = None) -> Array:
        """The shared representation g(z R_i B) of each row, z its standardised features.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        representation : ndarray of shape (n_samples, capacity)
            The capacity is the width of the last hidden layer.

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, an id is unseen, or the tasks share their
            rows (wide ``y``) and are aligned, so that a row has no single representation.
        """
        from sk_mtl._running import run_representation

        features, codes = self._read_rows(X, task)
        if codes is None and self.module_.alignment is not None:
            raise ValueError(
                "With a wide y and alignment, each row has one representation per task. Stack the "
                "tasks, or pass alignment=None."
            )
        shared = run_representation(self.net_, self._scaler, features, codes)
        return shared.astype(features.dtype, copy=False)

    def fit_transform(
        self, X: Any, y: Any = None, task: Any = None, sample_weight: Any = None
    ) -> Array:
        """`fit`, then `transform` of the same rows.

        Parameters
        ----------
        X, y, task, sample_weight
            As in `fit`.

        Returns
        -------
        representation : ndarray of shape (n_samples, capacity)
        """
        fitted = self.fit(X, y, task=task, sample_weight=sample_weight)
        representation: Array = fitted.transform(X, task=task)
        return representation

    @property
    def alignment_(self) -> Array | None:
        """The R_i, of shape (n_tasks, n_features, n_features), or None without alignment."""
        check_is_fitted(self)
        alignment = self.module_.alignment
        if alignment is None:
            return None
        matrices: Array = alignment.matrices().detach().cpu().numpy()
        return matrices

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags
