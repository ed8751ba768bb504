"""The parameters of the estimators that train a network, their ranges and defaults."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sk_mtl._tasks import listing


class AlignedParameters(BaseEstimator):
    """Holds what the user sets. Named as in MLPClassifier where that has the concept."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "relu", "tanh"})],
        "skip_connection": ["boolean"],
        "shared_module": [callable, None],
        "alignment": [StrOptions({"auto", "full", "low_rank", "diagonal"}), None],
        "alignment_alpha": [Interval(Real, 0, None, closed="left")],
        "alignment_rank": [Interval(Integral, 1, None, closed="left")],
        "alignment_init": [StrOptions({"identity", "coral"})],
        "alignment_schedule": [StrOptions({"joint", "alternating", "after_shared"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "head_alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "task_weight": [
            StrOptions({"balanced", "uncertainty"}),
            Mapping,
            "array-like",
            HasMethods(["fit", "normalized_task_weight"]),
            None,
        ],
        "task_groups": [Mapping, "array-like", None],
        "task_column": [Hashable],
        "input_scaling": [StrOptions({"auto", "principal", "standard"}), None],
        "solver": [StrOptions({"adam", "lbfgs"})],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "device": [str],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
        "callbacks": [list, None],
        "net_params": [Mapping, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        hidden_layer_sizes: int | Sequence[int] = (32,),
        activation: str = "relu",
        skip_connection: bool = True,
        shared_module: Any = None,
        alignment: str | None = "auto",
        alignment_alpha: float = 1000.0,
        alignment_rank: int = 8,
        alignment_init: str = "identity",
        alignment_schedule: str = "joint",
        alpha: float = 0.2,
        head_alpha: float | str = "auto",
        task_weight: Any = None,
        task_groups: Any = None,
        task_column: Hashable = None,
        input_scaling: str | None = "auto",
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
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.skip_connection = skip_connection
        self.shared_module = shared_module
        self.alignment = alignment
        self.alignment_alpha = alignment_alpha
        self.alignment_rank = alignment_rank
        self.alignment_init = alignment_init
        self.alignment_schedule = alignment_schedule
        self.alpha = alpha
        self.head_alpha = head_alpha
        self.task_weight = task_weight
        self.task_groups = task_groups
        self.task_column = task_column
        self.input_scaling = input_scaling
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


def layer_sizes(sizes: Any) -> list[int]:
    """``hidden_layer_sizes`` as a list."""
    listed = [sizes] if isinstance(sizes, Integral) else list(sizes)
    wrong = [size for size in listed if not isinstance(size, Integral) or size < 1]
    if wrong:
        raise ValueError(f"hidden_layer_sizes must be positive integers; got {listing(wrong)}.")
    return [int(size) for size in listed]


def net_settings(params: dict[str, Any]) -> dict[str, Any]:
    """The parameters that a net is built from, out of all of an estimator's."""
    settings = params | {"learns_task_weight": learns_task_weight(params["task_weight"])}
    for name in ("task_weight", "task_groups", "task_column", "random_state"):
        settings.pop(name, None)
    return settings


def learns_task_weight(task_weight: Any) -> bool:
    return isinstance(task_weight, str) and task_weight == "uncertainty"
