"""What the multi-task estimators have in common: from the user's rows to a trained network."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sk_mtl._callback_support import CallbackSupportMixin, fit_task
from sk_mtl._covariance import covariance_within_tasks
from sk_mtl._parameters import layer_sizes, learns_task_weight, net_settings
from sk_mtl._reading import ReadsTrainingRows, Targets
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler, every_position
from sk_mtl._schedule import End, Stage, stages_of
from sk_mtl._summary import few_rows
from sk_mtl._tasks import Array
from sk_mtl._undo import all_or_nothing
from sk_mtl._validation_split import hold_out

if TYPE_CHECKING:
    from typing import Self

    from sk_mtl._epoch_tasks import EpochTasks
    from sk_mtl._network import AlignedNetwork
    from sk_mtl._running import Net
    from sk_mtl._streamed_rows import RowStream

_DIVERGED = 3.0  # times the loss of a model that knows nothing
_MANY = 20_000  # rows that are summarised before a network is built: they may be in a file


def trains_in_batches(estimator: BaseAligned) -> bool:
    """Whether the estimator has `partial_fit`, for scikit-learn's ``available_if``."""
    if estimator.solver == "adam":
        return True
    raise AttributeError(
        f"It needs solver='adam'; solver={estimator.solver!r} works on all rows at once."
    )


class BaseAligned(CallbackSupportMixin, ReadsTrainingRows):
    """Alignment R_i, shared module B and task heads A_i behind scikit-learn's interface."""

    __metadata_request__fit: ClassVar = {"task": True}
    __metadata_request__partial_fit: ClassVar = {"task": True}

    _covariance: Array  # of the scaled features, within tasks
    _random_state: np.random.RandomState
    _epochs_done: int  # by all calls since the first fit
    _built_with: dict[str, Any]

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Fit the network to the rows of all tasks.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Features, and the task column if ``task_column`` is set. With ``shared_module`` also
            an array of shape (n_samples, ..., n_features).
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            One label or value per row, or one per row and task; NaN, None or pandas' NA where it
            is missing.
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
        KeyboardInterrupt
            From the keyboard, before the first epoch is done. The estimator is then as before the
            call.

        Warns
        -----
        ConvergenceWarning
            If ``max_iter`` was reached first.
        UserWarning
            If training was interrupted from the keyboard: the model is that of the epochs done.
        """
        with (
            fit_task(self, "fit", self.max_iter, X, y, task, sample_weight) as epoch_tasks,
            all_or_nothing(self),
        ):
            keep = self.warm_start and self.__sklearn_is_fitted__()
            rows = self._read_training_rows(X, y, task, sample_weight, keep=keep, weigh=True)
            # "coral" needs the covariance of each task, which the few rows do not have.
            coral = self.alignment_init == "coral"
            many = len(rows.features) > _MANY and rows.features.ndim == 2 and not coral
            self._build(few_rows(rows) if many else rows, keep=keep)
            end = self._train(rows, self._stages(self.max_iter), epoch_tasks)
        self._warn_of(end, stacklevel=4)
        return self

    def _partial_fit(self, X: Any, y: Any, task: Any, sample_weight: Any, classes: Any) -> Self:
        """Go once over a chunk of rows."""
        from sk_mtl._users_callbacks import instances
        from sk_mtl.callbacks import ResumableFit

        if self.early_stopping or self.alignment_schedule != "joint":
            raise ValueError(
                'partial_fit needs early_stopping=False and alignment_schedule="joint"; got '
                f"{self.early_stopping} and {self.alignment_schedule!r}."
            )
        if any(isinstance(callback, ResumableFit) for callback in instances(self.callbacks)):
            raise ValueError("ResumableFit is for fit. Between calls of partial_fit, call save.")
        keep = self.__sklearn_is_fitted__()
        with (
            fit_task(self, "partial-fit", 1, X, y, task, sample_weight) as epoch_tasks,
            all_or_nothing(self, self.net_ if keep else None),
        ):
            rows = self._read_training_rows(
                X, y, task, sample_weight, keep=keep, weigh=not keep, classes=classes
            )
            if not keep or self._settings() != self._built_with:
                self._build(rows, keep=keep)
            self._train(rows, self._stages(1), epoch_tasks)
        return self

    def _settings(self) -> dict[str, Any]:
        """The parameters that a net is built from."""
        settings = net_settings(self.get_params(deep=False))
        settings["hidden_layer_sizes"] = layer_sizes(self.hidden_layer_sizes)
        if settings["head_alpha"] == "auto":
            settings["head_alpha"] = 0.4 if self._labels_share_rows else 2.0
        if settings["input_scaling"] == "auto":
            settings["input_scaling"] = "standard" if self._labels_share_rows else "principal"
            if self.shared_module is not None:
                settings["input_scaling"] = None
        return settings

    @property
    def _labels_share_rows(self) -> bool:
        """Whether tasks are labels of the same rows.

        These are of different kinds more often than tasks with rows of their own, and their
        features in units of their own.
        """
        return bool(self._tasks.wide and self._targets.loss == "cross_entropy")

    def _build(self, rows: TrainingRows, *, keep: bool) -> None:
        """Scale the features and make a net, untrained or with the weights of the last one."""
        from sk_mtl._net_building import build_net

        settings = self._settings()
        if not keep:
            self._random_state = check_random_state(self.random_state)
            self._epochs_done = 0
            self._set_scaling(rows, settings)
        network = self._make_network(rows, settings)
        net = build_net(network, self._targets.loss, settings, fixed_b=self._fixed_b)
        if keep:
            try:
                network.load_state_dict(self.net_.module_.state_dict())
            except RuntimeError as error:
                raise ValueError(
                    "The last fit's network has other layers, another alignment or other task "
                    "weights than the parameters ask for now. Keep them, or fit afresh "
                    "(warm_start=False)."
                ) from error
        self.net_ = net
        self._built_with = settings
        self._n_features_out = network.capacity

    @property
    def _fixed_b(self) -> bool:
        """Whether the shared module never moves."""
        return False

    def _set_scaling(self, rows: TrainingRows, settings: dict[str, Any]) -> None:
        self._scaler = InputScaler.fit(rows.features, rows.row_weight, settings["input_scaling"])
        self.feature_mean_, self.feature_map_ = self._scaler.mean, self._scaler.weight
        scaled = self._scaler.transform(rows.features)
        self._covariance = covariance_within_tasks(
            *every_position(scaled, rows.task, rows.row_weight)
        )

    def _make_network(self, rows: TrainingRows, settings: dict[str, Any]) -> AlignedNetwork:
        from sk_mtl._building import build_alignment, build_network

        alignment = build_alignment(rows, self.tasks_, self._scaler, settings, self._covariance)
        return build_network(
            rows, self._targets, self._scaler, alignment, settings, self._random_state
        )

    def _stages(self, epochs: int) -> list[Stage]:
        aligned = self.net_.module_.alignment is not None
        return stages_of(self.alignment_schedule if aligned else "joint", epochs)

    def _train(
        self, rows: TrainingRows | RowStream, stages: list[Stage], epoch_tasks: EpochTasks | None
    ) -> End:
        """Train but for the rows held out, publish the outcome, and tell how training ended."""
        before = len(self.net_.history)
        held_out = None
        if self.early_stopping and isinstance(rows, TrainingRows):
            strata = self._targets.strata(rows)
            held = hold_out(strata, rows.task, self.validation_fraction, self._random_state)
            held_out, rows = rows.take(held), rows.take(~held)
        net, targets = self.net_, self._targets
        end = self._train_net(net, targets, rows, held_out, stages, epoch_tasks)
        history = self.net_.history
        self.n_iter_ = len(history) - before
        self.loss_curve_ = [epoch["train_loss"] for epoch in history]
        self.validation_scores_ = (
            [epoch["valid_score"] for epoch in history] if self.early_stopping else None
        )
        if learns_task_weight(self.task_weight):
            weight = np.exp(self.net_.module_.log_weight().detach().cpu().numpy())
            self.task_weight_ = weight / weight.mean()
        self._epochs_done += self.n_iter_
        return end

    def _train_net(
        self,
        net: Net,
        targets: Targets,
        rows: TrainingRows | RowStream,
        held_out: TrainingRows | None,
        stages: list[Stage],
        epoch_tasks: EpochTasks | None = None,
    ) -> End:
        """Train a net, and check that its loss is finite and has come down."""
        from sk_mtl._running import train

        before = len(net.history)
        seed = int(self._random_state.randint(np.iinfo(np.int32).max))
        end = train(net, rows, held_out, stages, seed, self, epoch_tasks)
        if end is End.INTERRUPTED and len(net.history) == before:
            raise KeyboardInterrupt  # there is no model yet
        last = net.history[-1]["train_loss"] if len(net.history) else 0.0
        after = last + net.module_.penalty().item()  # the last step is in no loss yet
        if not np.isfinite(after):
            raise ValueError(
                f"The loss is {after} after {len(net.history)} iterations. Reduce "
                "learning_rate_init (or a penalty or weight that is enormous), or scale the "
                "features (input_scaling)."
            )
        some = rows if isinstance(rows, TrainingRows) else next(rows.chunks())
        nothing = targets.loss_of_nothing(some)
        if held_out is None and last > _DIVERGED * nothing + 0.1:
            warnings.warn(
                f"The loss is {last:.3g} after {len(net.history)} iterations, where a model that "
                f"knows nothing has {nothing:.3g}: training has diverged. Reduce "
                "learning_rate_init, or scale the features (input_scaling).",
                ConvergenceWarning,
                stacklevel=5,
            )
        return end

    def __copy__(self) -> Self:
        """Shares the fitted attributes, as copies of scikit-learn's estimators do."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        return twin

    def _warn_of(self, end: End, stacklevel: int) -> None:
        """Tell the user if training has come to less than was asked for."""
        if end is End.INTERRUPTED:
            warnings.warn(
                "Training was interrupted: the model is that of the epochs done until then.",
                UserWarning,
                stacklevel=stacklevel,
            )
        if end is End.CUT_SHORT:
            warnings.warn(
                f"max_iter={self.max_iter} iterations reached without convergence. Increase "
                "max_iter, or raise tol.",
                ConvergenceWarning,
                stacklevel=stacklevel,
            )

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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.input_tags.three_d_array = self._accepts_positions
        return tags
