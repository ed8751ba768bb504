"""Builds the network of an estimator, and the skorch net that trains it, from the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from skorch.callbacks import EarlyStopping, EpochScoring

from sk_mtl._alignment import Alignment, DiagonalAlignment, FullAlignment, LowRankAlignment
from sk_mtl._batches import ROWS_AT_A_TIME, TaskBatches, TaskDataset
from sk_mtl._heads import HeadPlan, TaskHeads
from sk_mtl._intercepts import bias_variances
from sk_mtl._network import AlignedNetwork, SharedLayers, TaskLoss, probabilities
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array
from sk_mtl._training import FullBatchNet, MiniBatchNet

_ALIGNMENT_RATE = 0.1  # learning rate of the R_i, relative to the other parameters'


def build_network(
    rows: TrainingRows,
    plan: HeadPlan,
    scaler: InputScaler,
    params: dict[str, Any],
    random_state: np.random.RandomState,
) -> AlignedNetwork:
    """An untrained network for the rows' tasks."""
    n_features = rows.features.shape[1]
    n_tasks = len(plan.family)
    sizes = params["hidden_layer_sizes"]
    shared = SharedLayers(n_features, sizes, params["activation"], random_state)
    # Without hidden layers the features are the representation: nothing to skip.
    skip_connection = params["skip_connection"] and bool(sizes)
    capacity = sizes[-1] if sizes else n_features
    variances = bias_variances(
        _class_counts(rows, plan), plan.family, plan.is_open, plan.has_weights
    )
    return AlignedNetwork(
        _build_alignment(rows, n_tasks, scaler, params),
        shared,
        TaskHeads(plan, capacity + n_features * skip_connection, variances),
        skip_connection=skip_connection,
        penalties={name: params[name] for name in ("alpha", "head_alpha", "alignment_alpha")},
    )


def _class_counts(rows: TrainingRows, plan: HeadPlan) -> Array:
    """Weight of each task's rows that are of an output column's class, and that are not."""
    task, codes, weight = rows.by_entry()
    of_class = np.zeros((len(plan.family), max(plan.is_open.shape[1], 2)))
    np.add.at(of_class, (task, plan.columns[task, codes]), weight)
    total = of_class.sum(axis=1, keepdims=True)
    if plan.log_odds:
        of_class = of_class[:, 1:]
    return np.stack([of_class, total - of_class], axis=-1)


def _build_alignment(
    rows: TrainingRows, n_tasks: int, scaler: InputScaler, params: dict[str, Any]
) -> Alignment | None:
    kind = params["alignment"]
    n_features = rows.features.shape[1]
    rank = params["alignment_rank"]
    if kind == "auto":
        if n_tasks == 1 or rows.task is None:
            return None
        # Low rank pays once its 2 d r entries a task are fewer than the full d^2.
        kind = "low_rank" if 2 * rank < n_features else "full"
    if kind is None:
        return None
    if kind == "full":
        return FullAlignment(n_tasks, n_features)
    if kind == "diagonal":
        return DiagonalAlignment(n_tasks, n_features)
    if rank > n_features:
        raise ValueError(
            f"alignment_rank={rank} exceeds the number of features, {n_features}. Reduce "
            'alignment_rank, or pass alignment="full".'
        )
    scaled = scaler.transform(rows.features)
    scaled = scaled * np.sqrt(rows.row_weight)[:, None]
    strongest = np.linalg.eigh(scaled.T @ scaled)[1][:, : -rank - 1 : -1]
    return LowRankAlignment(n_tasks, torch.as_tensor(strongest.copy()))


def build_net(
    network: AlignedNetwork, params: dict[str, Any], n_rows: int
) -> FullBatchNet | MiniBatchNet:
    """The skorch net that trains ``network`` as the parameters say."""
    dtype = getattr(torch, _dtype_name(params))
    shared_settings = {
        "module": network.to(dtype),
        "criterion": TaskLoss,
        "max_epochs": params["max_iter"],
        "iterator_train": TaskBatches,
        "iterator_valid": TaskBatches,
        "iterator_valid__batch_size": ROWS_AT_A_TIME,
        "train_split": None,
        "verbose": int(params["verbose"]),
        # It formats its table even when it does not print it.
        **({} if params["verbose"] else {"callbacks__print_log": None}),
        "device": _device(params["device"]),
    }
    overrides = _checked(params["net_params"])
    users = [*(params["callbacks"] or []), *(overrides.pop("callbacks", None) or [])]
    if params["solver"] == "lbfgs":
        settings = {"tol": params["tol"], "batch_size": ROWS_AT_A_TIME}
        net_class: type[FullBatchNet] | type[MiniBatchNet] = FullBatchNet
    else:
        batch_size = params["batch_size"]
        settings = {
            "optimizer": torch.optim.Adam,
            **({} if "optimizer" in overrides else {"optimizer__fused": True}),
            "optimizer__param_groups": _learning_rates(network, params["learning_rate_init"]),
            "lr": params["learning_rate_init"],
            "batch_size": min(200, n_rows) if batch_size == "auto" else min(batch_size, n_rows),
            "iterator_train__shuffle": params["shuffle"],
            "iterator_train__seed": 0,  # set anew for each training
        }
        net_class = MiniBatchNet
    settings = {"callbacks": _callbacks(params, users), **shared_settings, **settings, **overrides}
    net = net_class(**settings)
    net.initialize()
    return net


_OF_THE_ESTIMATOR = {
    "batch_size": "batch_size",
    "criterion": "none: the loss is the estimator's",
    "device": "device",
    "lr": "learning_rate_init",
    "max_epochs": "max_iter",
    "module": "hidden_layer_sizes",
    "tol": "tol",
    "train_split": "early_stopping",
    "verbose": "verbose",
}


def _checked(net_params: dict[str, Any] | None) -> dict[str, Any]:
    """The user's arguments of the net, if they are not the business of a parameter."""
    overrides = dict(net_params or {})
    taken = [name for name in overrides if name in _OF_THE_ESTIMATOR]
    if taken:
        raise ValueError(
            f"net_params must not hold {taken[0]!r}. The estimator's parameter for it: "
            f"{_OF_THE_ESTIMATOR[taken[0]]}."
        )
    return overrides


def _dtype_name(params: dict[str, Any]) -> str:
    """L-BFGS needs the digits for its line search; Adam does not."""
    if params["dtype"] != "auto":
        return str(params["dtype"])
    return "float64" if params["solver"] == "lbfgs" else "float32"


def _device(device: str) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f'device={device!r} cannot be used here: {reason}. Pass "cpu", or "auto" for a GPU '
            "where there is one."
        ) from error
    return device


def _learning_rates(network: AlignedNetwork, rate: float) -> list[tuple[str, dict[str, float]]]:
    """One parameter group each: Adam's steps in proportion to a parameter's size.

    The layers keep the norm of their input instead of the size of its entries, so a weight is
    sqrt(fan_in / fan_out) times what it is in a net with entries around 1, for which learning
    rates are known.
    """
    groups = []
    for name, parameter in network.named_parameters():
        factor = 1.0
        if name.startswith("alignment."):
            factor = _ALIGNMENT_RATE
        elif name in ("heads.shared", "heads.own"):
            factor = parameter.shape[1] ** 0.5
        elif name.startswith("shared."):
            fan_out, fan_in = parameter.shape[0], parameter[0].numel()
            factor = (fan_in / fan_out) ** 0.5
        groups.append((name, {"lr": rate * factor}))
    return groups


def _callbacks(params: dict[str, Any], users: list[Any]) -> list[Any]:
    """The user's callbacks, before the one that ends training: they see the last epoch too."""
    if params["early_stopping"]:
        score = EpochScoring(
            held_out_accuracy,
            name="valid_score",
            lower_is_better=False,
            use_caching=False,
        )
        stop = {"monitor": "valid_score", "lower_is_better": False, "load_best": True}
        callbacks: list[Any] = [("_valid_score", score), *users]
    else:
        stop, callbacks = {"monitor": "train_loss"}, users
    patience = {"patience": params["n_iter_no_change"], "threshold": params["tol"]}
    return [*callbacks, ("_stopping", EarlyStopping(threshold_mode="abs", **stop, **patience))]


def held_out_accuracy(net: Any, held_out: TaskDataset, y: None = None) -> float:
    """Weighted share of the held-out entries whose most probable class is theirs."""
    right = total = 0.0
    net.module_.eval()
    with torch.inference_mode():
        for inputs, (labels, weight) in net.get_iterator(held_out, training=False):
            guess = probabilities(net.infer(inputs)).argmax(dim=-1)
            right += float((weight * (guess == labels)).sum())
            total += float(weight.sum())
    return right / total
