"""Builds the skorch net that trains a network, from the parameters."""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import EarlyStopping, EpochScoring

from sk_mtl._batches import ROWS_AT_A_TIME, TaskBatches, TaskDataset
from sk_mtl._full_batch import FullBatchNet
from sk_mtl._losses import TaskLoss, squared_error
from sk_mtl._mini_batches import MiniBatchNet
from sk_mtl._network import AlignedNetwork, probabilities
from sk_mtl._tasks import Array
from sk_mtl._users_callbacks import users_callbacks
from sk_mtl._users_module import refuse_noise
from sk_mtl._vector_adam import VectorAdam

_ALIGNMENT_RATE = 0.1  # learning rate of the R_i, relative to the other parameters'


def build_net(
    network: AlignedNetwork, loss: str, params: dict[str, Any], *, fixed_b: bool = False
) -> FullBatchNet | MiniBatchNet:
    """The skorch net that trains ``network`` as the parameters say.

    Parameters
    ----------
    network : AlignedNetwork
    loss : {"cross_entropy", "squared_error"}
    params : dict
    fixed_b : bool
        Whether the shared module never moves, so that chance in it does no harm.
    """
    if params["shared_module"] is not None and not fixed_b:
        refuse_noise(network.shared.module, params["solver"])
    dtype = getattr(torch, _dtype_name(params))
    overrides = _checked(params)
    settings = {
        "module": network.to(dtype),
        "criterion": TaskLoss,
        "criterion__kind": loss,
        "max_epochs": params["max_iter"],
        "iterator_train": TaskBatches,
        "iterator_valid": TaskBatches,
        "iterator_valid__batch_size": ROWS_AT_A_TIME,
        "train_split": None,
        "stopping": _stopping(params),
        "callbacks": _callbacks(params),
        "use_caching": False,  # by scoring callbacks, of what is not in the user's terms
        "verbose": int(params["verbose"]),
        "device": usable_device(params["device"]),
    }
    if not params["verbose"] and not any(n.startswith("callbacks__print_log") for n in overrides):
        settings["callbacks__print_log"] = None  # it formats a table even if it prints none
    if params["solver"] == "lbfgs":
        settings["tol"] = params["tol"]
        net_class: type[FullBatchNet] | type[MiniBatchNet] = FullBatchNet
    else:
        batch_size = params["batch_size"]
        settings |= {
            "optimizer": VectorAdam,
            **({} if "optimizer" in overrides else {"optimizer__fused": True}),
            "optimizer__param_groups": _learning_rates(network, params),
            "lr": params["learning_rate_init"],
            "batch_size": 200 if batch_size == "auto" else batch_size,
            "iterator_train__shuffle": params["shuffle"],
            "iterator_train__seed": 0,  # set anew for each training
        }
        net_class = MiniBatchNet
    try:
        net = net_class(**(settings | overrides))
        net.initialize()
    except TypeError as error:  # from an optimizer, or a callback's parameter
        if not overrides:
            raise
        raise ValueError(
            f"net_params={overrides} cannot be used: {error}. See skorch's NeuralNet for what "
            "they may be."
        ) from error
    known = [name for name, _ in net.callbacks_]
    for name, value in overrides.items():
        taken_out = value is None and name.count("__") == 1
        if name.startswith("callbacks__") and not taken_out and name.split("__")[1] not in known:
            raise ValueError(f"net_params must not hold {name!r}: the callbacks are {known}.")
    return net


_PARAMETER_FOR = {
    "batch_size": "batch_size",
    "callbacks": "callbacks",
    "device": "device",
    "lr": "learning_rate_init",
    "max_epochs": "max_iter",
    "module": "shared_module",
    "optimizer__lr": "learning_rate_init",
    "tol": "tol",
    "train_split": "early_stopping",
    "verbose": "verbose",
    "warm_start": "warm_start",
}
_OF_BATCHES = ("optimizer", "iterator_train__", "accelerator")
_ITERATORS = tuple(
    f"iterator_{of}__{name}" for of in ("train", "valid") for name in ("batch_size", "shuffle")
)
_FREE = ("optimizer", *_ITERATORS, "callbacks__", "accelerator")
_NEEDED = ("callbacks__train_loss", "callbacks___valid_score")


def _checked(params: dict[str, Any]) -> dict[str, Any]:
    """The user's arguments of the net, if they are not the business of a parameter."""
    overrides = dict(params["net_params"] or {})
    for name in overrides:
        refused = f"net_params must not hold {name!r}."
        if name in _PARAMETER_FOR:
            raise ValueError(f"{refused} The estimator's parameter for it: {_PARAMETER_FOR[name]}.")
        if not isinstance(name, str) or not name.startswith(_FREE) or name.startswith(_NEEDED):
            raise ValueError(
                f"{refused} It is for optimizer, optimizer__*, {', '.join(_ITERATORS)}, "
                "callbacks__* and accelerator; the rest is the estimator's."
            )
        if params["solver"] == "lbfgs" and name.startswith(_OF_BATCHES):
            raise ValueError(f'{refused} "lbfgs" has no use for it. Pass solver="adam".')
    return overrides


def _dtype_name(params: dict[str, Any]) -> str:
    """L-BFGS needs the digits for its line search; Adam does not."""
    if params["dtype"] != "auto":
        return str(params["dtype"])
    return "float64" if params["solver"] == "lbfgs" else "float32"


def usable_device(device: str) -> str:
    """The device that training takes place on, if it can be had here."""
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


def _learning_rates(
    network: AlignedNetwork, params: dict[str, Any]
) -> list[tuple[str, dict[str, float]]]:
    """One parameter group each: Adam's steps in proportion to a parameter's size.

    The layers keep the norm of their input instead of the size of its entries, so a weight is
    sqrt(fan_in / fan_out) times what it is in a net with entries around 1, for which learning
    rates are known.
    """
    rate, built_in = params["learning_rate_init"], params["shared_module"] is None
    groups = []
    for name, parameter in network.named_parameters():
        factor = 1.0
        if name.startswith("alignment."):
            factor = _ALIGNMENT_RATE
        elif name in ("heads.shared", "heads.own"):
            factor = parameter.shape[1] ** 0.5
        elif name.startswith("shared.") and built_in:
            fan_out, fan_in = parameter.shape[0], parameter[0].numel()
            factor = (fan_in / fan_out) ** 0.5
        groups.append((name, {"lr": rate * factor}))
    return groups


def _callbacks(params: dict[str, Any]) -> list[Any]:
    """The user's callbacks, after what they may want to monitor."""
    callbacks = users_callbacks(params)
    if params["early_stopping"]:
        score = EpochScoring(_held_out_score, name="valid_score", lower_is_better=False)
        callbacks.insert(0, ("_valid_score", score))
    return callbacks


def _stopping(params: dict[str, Any]) -> EarlyStopping:
    monitor: dict[str, Any] = {"monitor": "train_loss"}
    if params["early_stopping"]:
        monitor = {"monitor": "valid_score", "lower_is_better": False, "load_best": True}
    tol = params["tol"]
    if params["solver"] == "lbfgs":
        # Close to the optimum the loss is off by the square of what the parameters are.
        tol = min(tol, (100 * tol) ** 2)
    patience = params["n_iter_no_change"]
    return EarlyStopping(**monitor, patience=patience, threshold=tol, threshold_mode="abs")


def _held_out_score(net: Any, held_out: TaskDataset, y: Array) -> float:
    """Accuracy on the held-out entries, or the share of their squares that is explained."""
    of_values = net.criterion_.entry_loss is squared_error
    good = total = 0.0
    net.module_.eval()
    with torch.inference_mode():
        for inputs, (target, weight, _) in net.get_iterator(held_out, training=False):
            outputs = net.infer(inputs)
            if of_values:
                squares = target.square()
                good += float((weight * (squares - (outputs.squeeze(-1) - target).square())).sum())
                total += float((weight * squares).sum())
            else:
                guess = probabilities(outputs).argmax(dim=-1)
                good += float((weight * (guess == target)).sum())
                total += float(weight.sum())
    return good / total if total else 0.0
