"""Trained networks as plain arrays and numbers, and back: what files and pickles hold of them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch.history import History
from torch import Tensor, nn

from sk_mtl._added import AddedTasks
from sk_mtl._alignment import Alignment, DiagonalAlignment, FullAlignment, LowRankAlignment
from sk_mtl._heads import GivenHeads, TaskHeads
from sk_mtl._net_building import build_net, usable_device
from sk_mtl._network import AlignedNetwork
from sk_mtl._plan import HeadPlan
from sk_mtl._shared import SharedModule, fully_connected, shared_by
from sk_mtl._tasks import Array
from sk_mtl._users_callbacks import instances
from sk_mtl._users_module import users_module

Arrays = dict[str, Array]

_ALIGNMENTS: dict[str, type[Alignment]] = {
    "full": FullAlignment,
    "low_rank": LowRankAlignment,
    "diagonal": DiagonalAlignment,
}


def plain_networks(estimator: Any) -> dict[str, Any]:
    """The attributes of a fitted estimator that hold networks, free of torch and skorch."""
    net = estimator.net_
    network = net.module_
    return {
        "net_": {
            "alignment": _kind(network.alignment),
            "capacity": network.capacity,
            "skip_connection": network.skip_connection,
            "penalties": network.penalties,
            "arrays": _arrays(network),
            "optimizer": _plain(net.optimizer_.state_dict()),
            "history": [dict(epoch) for epoch in net.history],
        },
        "_added": [
            {
                "targets": added.targets,
                "alignment": _kind(added.alignment),
                "arrays": _arrays(added.alignment, "alignment.") | _arrays(added.heads, "heads."),
            }
            for added in estimator._added
        ],
    }


def restore_networks(estimator: Any) -> None:
    """Put nets in the place of what `plain_networks` has made of them."""
    plain, settings = estimator.net_, dict(estimator._built_with)
    try:
        usable_device(settings["device"])
    except ValueError as error:
        warnings.warn(f"The network is loaded to the CPU: {error}", UserWarning, stacklevel=4)
        settings["device"] = "cpu"
    arrays = plain["arrays"]
    plan, n_features = estimator._targets.plan, len(estimator.feature_mean_)
    if plan.n_groups > len(plan.group):
        raise ValueError("more groups than tasks")
    names = [f"of_groups.{g}." for g in range(plan.n_groups)] if plan.n_groups > 1 else [""]
    of_groups = [
        SharedModule(_module(settings, n_features, _within(f"shared.{name}module", arrays)))
        for name in names
    ]
    network = AlignedNetwork(
        _alignment(plain["alignment"], arrays),
        shared_by(of_groups, plan),
        _heads(plan, arrays),
        capacity=plain["capacity"],
        skip_connection=plain["skip_connection"],
        penalties=plain["penalties"],
        n_uncertain=len(arrays.get("certainty", ())),
    )
    with _kept_as_they_are(settings["callbacks"]):
        net = build_net(network, estimator._targets.loss, settings, fixed_b=estimator._fixed_b)
    net.module_.load_state_dict(_tensors(arrays))
    net.optimizer_.load_state_dict(_with_tensors(plain["optimizer"]))
    _check_shapes(net.optimizer_)
    net.history_ = History(plain["history"])
    example = next(net.module_.heads.parameters())
    estimator.net_ = net
    estimator._added = [_added_tasks(of_tasks, example) for of_tasks in estimator._added]


@contextmanager
def _kept_as_they_are(callbacks: Any) -> Iterator[None]:
    """Initialize callbacks that are new, but keep what others have recorded."""
    each = instances(callbacks)
    before = [dict(vars(callback)) for callback in each]
    yield
    for callback, state in zip(each, before, strict=True):
        if any(name.endswith("_") for name in state):
            vars(callback).clear()
            vars(callback).update(state)


def _check_shapes(optimizer: torch.optim.Optimizer) -> None:
    """Refuse moments that do not fit their parameter: torch would read beyond them."""
    for parameter, moments in optimizer.state.items():
        for name, moment in moments.items():
            if isinstance(moment, Tensor) and moment.ndim and moment.shape != parameter.shape:
                raise ValueError(f"{name} of the optimizer has the shape {tuple(moment.shape)}")


def _added_tasks(plain: dict[str, Any], example: Tensor) -> AddedTasks:
    targets, arrays = plain["targets"], plain["arrays"]
    alignment = _alignment(plain["alignment"], arrays)
    heads = _heads(targets.plan, arrays)
    for name, module in (("alignment", alignment), ("heads", heads)):
        if module is not None:
            module.to(example).load_state_dict(_tensors(_within(name, arrays)))
    return AddedTasks(targets, alignment, heads)


def _kind(alignment: Alignment | None) -> str | None:
    return next((kind for kind, cls in _ALIGNMENTS.items() if type(alignment) is cls), None)


def _alignment(kind: str | None, arrays: Arrays) -> Alignment | None:
    """An alignment with room for the arrays."""
    if kind is None:
        return None
    own = _tensors(_within("alignment", arrays))
    start = own.get("start")
    if kind == "low_rank":
        return LowRankAlignment(len(own["down"]), own["down"][0], start)
    n_tasks, n_features = own["deviation"].shape[:2]
    if kind == "full" and own["deviation"].shape[2:] != (n_features,):  # room is made for them
        raise ValueError("alignment matrices that are not square")
    return (FullAlignment if kind == "full" else DiagonalAlignment)(n_tasks, n_features, start)


def _heads(plan: HeadPlan, arrays: Arrays) -> TaskHeads:
    """Heads with room for the arrays."""
    own = _tensors(_within("heads", arrays))
    given = None
    if "gain" in own:
        parts = ("given_weight", "given_bias", "own_scale", "centre")
        given = GivenHeads(*(own[part] for part in parts))
    n_inputs = own["shared"].shape[1]
    if own["own"].shape != (len(plan.is_open), n_inputs, plan.is_open.shape[1]):
        raise ValueError("heads of other tasks")  # before room is made for them
    variance = np.ones((2, *own["shared_bias"].shape))
    return TaskHeads(plan, n_inputs, variance, given)


def _module(settings: dict[str, Any], n_features: int, arrays: Arrays) -> nn.Module:
    """A B with its trained parameters: lazy layers of a user's module take their size from them."""
    if settings["shared_module"] is None:
        chance = np.random.RandomState(0)  # no weight stays what it draws
        sizes, activation = settings["hidden_layer_sizes"], settings["activation"]
        weights = [array for name, array in arrays.items() if name.endswith("weight")]
        if [len(weight) for weight in weights] != list(sizes):  # before room is made for them
            raise ValueError(f"hidden layers of the widths {sizes} and other weights")
        return fully_connected(n_features, sizes, activation, chance)
    module = users_module(settings["shared_module"], n_features, seed=0)
    module.load_state_dict(_tensors(arrays))
    return module


def _arrays(module: nn.Module | None, prefix: str = "") -> Arrays:
    if module is None:
        return {}
    return {name: _array(value) for name, value in module.state_dict(prefix=prefix).items()}


def _array(tensor: Tensor) -> Array:
    return np.array(tensor.detach().cpu().numpy(), order="C")  # a copy


def _tensors(arrays: Arrays) -> dict[str, Tensor]:
    return {name: torch.tensor(value) for name, value in arrays.items()}


def _within(module: str, arrays: Arrays) -> Arrays:
    """The arrays of one part of a network, by their names in the part."""
    prefix = module + "."
    return {n.removeprefix(prefix): value for n, value in arrays.items() if n.startswith(prefix)}


def _plain(value: Any) -> Any:
    """Arrays in the place of tensors, in nested containers."""
    if isinstance(value, Tensor):
        return _array(value)
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_plain(inner) for inner in value)
    return value


def _with_tensors(value: Any) -> Any:
    """The inverse of `_plain`."""
    if isinstance(value, np.ndarray):
        return torch.tensor(value)
    if isinstance(value, dict):
        return {key: _with_tensors(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_with_tensors(inner) for inner in value)
    return value
