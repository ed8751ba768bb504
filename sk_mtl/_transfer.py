"""AlignedTransferClassifier: a new task alone, from a fitted model."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.utils._param_validation import HasMethods, Interval

from sk_mtl._classifier import MultiTaskAlignedClassifier
from sk_mtl._classifying import AlignedClassifier
from sk_mtl._docs import documented
from sk_mtl._parameters import AlignedParameters, net_settings
from sk_mtl._rows import TrainingRows
from sk_mtl._schedule import Stage, stages_from_source, stages_of
from sk_mtl._tasks import listing

if TYPE_CHECKING:
    from sk_mtl._network import AlignedNetwork

_OF_THE_SOURCE = (
    "hidden_layer_sizes",
    "activation",
    "skip_connection",
    "shared_module",
    "input_scaling",
)


class _TransferParameters(BaseEstimator):
    """Holds what the user sets."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        name: constraint
        for name, constraint in AlignedParameters._parameter_constraints.items()
        if name not in (*_OF_THE_SOURCE, "alignment_schedule", "task_groups")
    } | {
        "source": [HasMethods(["fit"]), None],
        "fine_tune_epochs": [Interval(Integral, 0, None, closed="left")],
    }
    # Not parameters: B is the source's.
    alignment_schedule = "joint"
    task_groups = None

    def __init__(
        self,
        source: Any = None,
        *,
        fine_tune_epochs: int = 0,
        alignment: str | None = "auto",
        alignment_alpha: float = 1000.0,
        alignment_rank: int = 8,
        alignment_init: str = "identity",
        alpha: float = 0.2,
        head_alpha: float = 2.0,
        task_weight: Any = None,
        task_column: Hashable = None,
        solver: str = "lbfgs",
        batch_size: int | str = "auto",
        learning_rate_init: float = 1e-3,
        max_iter: int = 1000,
        tol: float = 1e-4,
        shuffle: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        device: str = "cpu",
        dtype: str = "auto",
        callbacks: list[Any] | None = None,
        net_params: Mapping[str, Any] | None = None,
        random_state: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self.source = source
        self.fine_tune_epochs = fine_tune_epochs
        self.alignment = alignment
        self.alignment_alpha = alignment_alpha
        self.alignment_rank = alignment_rank
        self.alignment_init = alignment_init
        self.alpha = alpha
        self.head_alpha = head_alpha
        self.task_weight = task_weight
        self.task_column = task_column
        self.solver = solver
        self.batch_size = batch_size
        self.learning_rate_init = learning_rate_init
        self.max_iter = max_iter
        self.tol = tol
        self.shuffle = shuffle
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.device = device
        self.dtype = dtype
        self.callbacks = callbacks
        self.net_params = net_params
        self.random_state = random_state
        self.verbose = verbose


@documented
class AlignedTransferClassifier(AlignedClassifier, _TransferParameters):
    """Classifier for a new task, which starts from a model fitted to other tasks.

    Algorithm 1 of [1]_ for transfer learning: the shared module B is the source's; an alignment R
    and a head A are fitted to the rows of the target task alone. The target's labels may be
    others than the source's. Where the source has a head for (most of) them, the target's head
    is a penalised deviation from that, times a learned gain: labels that mean the opposite find
    a negative one, and what does not carry over goes to 0.

    All of `MultiTaskAlignedClassifier`'s ways to name tasks work here as well: the target may be
    several tasks.

    Parameters
    ----------
    source : fitted MultiTaskAlignedClassifier or None, default=None
        Where to start from. In tools that clone, such as GridSearchCV, wrap it in scikit-learn's
        FrozenEstimator, which keeps it fitted. None: no source, a fit from scratch with
        `MultiTaskAlignedClassifier`'s default layers; the control to compare a source with.
    fine_tune_epochs : int, default=0
        Epochs (iterations of "lbfgs") in which B is trained as well, penalised for leaving the
        source's by ``alpha``. It holds still for the rest.
    {alignment_parameters}
    alpha : float, default=0.2
        L2 penalty on the difference of B from the source's, and on the deviation from the
        source's head that the target's tasks have in common.
    head_alpha : float, default=2
        L2 penalty on the deviation of each of the target's tasks from what they have in common.
    {task_parameters}
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Sorted union of the target's labels; for a wide ``y`` a list with each task's.
    task_classes_ : list of ndarray
        Labels of each task.
    {common_attributes}

    See Also
    --------
    MultiTaskAlignedClassifier.add_task : Adds a task to a fitted model, as one of its tasks.

    References
    ----------
    {paper}

    Examples
    --------
    Twelve rows of a task that two others with many rows resemble.

    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sk_mtl import AlignedTransferClassifier, MultiTaskAlignedClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((412, 10))
    >>> task = np.repeat([0, 1, 2], [200, 200, 12])
    >>> y = X[:, 0] + X[:, 1] + 0.5 * (task - 1) * X[:, 2] > 0
    >>> old, new = task < 2, task == 2
    >>> source = MultiTaskAlignedClassifier(random_state=0).fit(X[old], y[old], task=task[old])
    >>> model = AlignedTransferClassifier(FrozenEstimator(source)).fit(X[new], y[new])
    >>> scratch = AlignedTransferClassifier(random_state=0).fit(X[new], y[new])
    >>> X_test = rng.standard_normal((1000, 10))
    >>> y_test = X_test[:, 0] + X_test[:, 1] + 0.5 * X_test[:, 2] > 0
    >>> bool(model.score(X_test, y_test) > scratch.score(X_test, y_test) + 0.1)
    True
    """

    def _fitted_source(self) -> Any:
        """The source itself, or None."""
        source = self.source
        if isinstance(source, FrozenEstimator):
            source = source.estimator
        if source is None:
            return None
        if not isinstance(source, AlignedClassifier):
            raise ValueError(
                f"source must be a fitted MultiTaskAlignedClassifier; got {source!r}. Of a "
                "pipeline, pass the last step, and transform X as its other steps do."
            )
        if not source.__sklearn_is_fitted__():
            raise NotFittedError(
                f"source={source!r} is not fitted. Fit it first. Where this estimator is cloned, "
                "in GridSearchCV say, wrap the fitted source in sklearn.frozen.FrozenEstimator: "
                "clone leaves that as it is."
            )
        if source._targets.plan.n_groups > 1:
            raise ValueError(
                "The tasks of source are in groups that share no module: there is not one to start "
                "from. Fit the tasks of one group apart."
            )
        return source

    def _settings(self) -> dict[str, Any]:
        source = self._fitted_source()
        if source is None:
            alone = MultiTaskAlignedClassifier(
                head_alpha=self.head_alpha, input_scaling="principal"
            )
            trunk = alone._settings()
        else:
            trunk = source._built_with
        return trunk | net_settings(self.get_params(deep=False))

    def _set_scaling(self, rows: TrainingRows, settings: dict[str, Any]) -> None:
        source = self._fitted_source()
        if source is None:
            super()._set_scaling(rows, settings)
            return
        self._check_features(source, rows)
        self._scaler, self._covariance = source._scaler, source._covariance
        self.feature_mean_, self.feature_map_ = source.feature_mean_, source.feature_map_

    def _check_features(self, source: Any, rows: TrainingRows) -> None:
        n_features, expected = rows.features.shape[-1], len(source.feature_mean_)
        if n_features != expected or rows.features.ndim != source._n_dims_in:
            raise ValueError(
                f"X has {n_features} features in {rows.features.ndim} dimensions; the source was "
                f"fitted on {expected} in {source._n_dims_in}. Pass the same features."
            )

        def names(estimator: Any) -> list[Any] | None:
            shown = getattr(estimator, "feature_names_in_", None)
            return None if shown is None else [n for n in shown if n != estimator.task_column]

        mine, its = names(self), names(source)
        if mine is not None and its is not None and mine != its:
            raise ValueError(
                f"X has the features {listing(mine)}; the source was fitted on {listing(its)}. "
                "Pass the same columns in the same order."
            )

    def _make_network(self, rows: TrainingRows, settings: dict[str, Any]) -> AlignedNetwork:
        from sk_mtl._added import network_from_source
        from sk_mtl._building import build_alignment

        source = self._fitted_source()
        if source is None:
            return super()._make_network(rows, settings)
        alignment = build_alignment(
            rows, self.tasks_, self._scaler, settings, self._covariance, to_source=True
        )
        network = network_from_source(
            source._task_groups(), self._scaler, rows, self._targets, alignment, settings
        )
        network.own_b()
        return network

    @property
    def _fixed_b(self) -> bool:
        return self.source is not None and self.fine_tune_epochs == 0

    def _stages(self, epochs: int) -> list[Stage]:
        if self.source is None:
            return stages_of("joint", epochs)
        return stages_from_source(max(0, self.fine_tune_epochs - self._epochs_done), epochs)

    @property
    def _accepts_positions(self) -> bool:
        source = getattr(self.source, "estimator", self.source)
        return getattr(source, "_n_dims_in", 2) > 2
