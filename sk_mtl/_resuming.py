"""Checkpoints of a training, from which it goes on as if its process had not been killed."""

from __future__ import annotations

import hashlib
import inspect
import json
from dataclasses import dataclass, fields
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from skorch.history import History
from torch import Tensor

from sk_mtl._batches import TaskDataset
from sk_mtl._codec import Decoder, Encoder
from sk_mtl._files import read, write
from sk_mtl._processes import Processes
from sk_mtl._progress import Progress
from sk_mtl._replacing import remove_parts
from sk_mtl._schedule import Stage
from sk_mtl.callbacks import ResumableFit

_OF_NO_EFFECT = ("callbacks", "verbose")  # on what a training comes to


class Checkpoints:
    """The file of one training, of the rows, parameters and start that it was begun with.

    Parameters
    ----------
    callback : ResumableFit
        Where the file is, and how often it is written.
    identity : str
        Of the training; names the file.
    """

    def __init__(self, callback: ResumableFit, identity: str) -> None:
        self.callback = callback
        self.every = int(callback.every)
        self.path = Path(callback.folder) / f"{identity}.checkpoint"
        self._kept_at = 0

    def restore(self, net: Any) -> bool:
        """Put a net where the file says, and tell whether there is one."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._kept_at = len(net.history)
        try:
            document, arrays = read(self.path)
        except FileNotFoundError:
            return False
        _restore(net, document, _StateDecoder(arrays, {}))
        self.callback.resumed_at_ = self._kept_at = len(net.history)
        return True

    def keep(self, net: Any) -> bool:
        """Write the file if it is time for that, and tell whether it was."""
        if len(net.history) - self._kept_at < self.every:
            return False
        encoder = _StateEncoder()
        write(self.path, _document(net, encoder), encoder.arrays)
        self._kept_at = len(net.history)
        return True

    def remove(self) -> None:
        """Leave nothing behind."""
        self.path.unlink(missing_ok=True)
        remove_parts(self.path)


def checkpoints_of(
    net: Any,
    estimator: Any,
    split: tuple[TaskDataset, TaskDataset | None],
    stages: list[Stage],
    seed: int,
) -> Checkpoints | None:
    """The checkpoints of a training that is about to begin, if a callback asks for any."""
    asking = [callback for _, callback in net.callbacks_ if isinstance(callback, ResumableFit)]
    if not asking:
        return None
    if not isinstance(estimator.random_state, Integral):
        raise ValueError(
            "ResumableFit needs random_state to be an integer: otherwise a fit that begins again "
            f"is another one than before. Got random_state={estimator.random_state!r}."
        )
    if Processes.of(estimator.net_params).several:
        raise ValueError(
            "ResumableFit is for a fit in one process: those of an accelerator would take turns "
            "at one file. Leave one of the two out."
        )
    encoder = Encoder()
    params = encoder.parameters(estimator.get_params(deep=False), "")
    for name in _OF_NO_EFFECT:
        params.pop(name, None)
    about = [type(estimator).__name__, params, [str(stage) for stage in stages], seed]
    digest = hashlib.sha256(json.dumps(about).encode())
    tensors: list[Tensor | None] = [
        torch.from_numpy(np.asarray(array)) for array in encoder.arrays.values()
    ]
    for rows in split:
        if rows is not None:
            tensors += [rows.rows, rows.task, rows.target, rows.weight]
    tensors += net.module_.state_dict().values()
    for tensor in tensors:
        if tensor is not None:
            digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
            digest.update(np.ascontiguousarray(tensor.detach().cpu().numpy()).data)
    return Checkpoints(asking[0], digest.hexdigest()[:32])


def _document(net: Any, encoder: _StateEncoder) -> dict[str, Any]:
    """All that decides how the training of a net goes on."""
    progress: Progress = net.progress_
    state = {
        "module": net.module_.state_dict(),
        "trains": {name: p.requires_grad for name, p in net.module_.named_parameters()},
        "optimizer": net.optimizer_.state_dict(),
        "history": [dict(epoch) for epoch in net.history],
        "progress": {field.name: getattr(progress, field.name) for field in fields(progress)},
        "chance": _chance(net),
    }
    callbacks = {
        name: encoder.parameters(_records(callback), f"{name}.")
        for name, callback in _callbacks(net)
    }
    return {"checkpoint": encoder.value(state, "state"), "callbacks": callbacks}


def _restore(net: Any, document: dict[str, Any], decoder: _StateDecoder) -> None:
    state = decoder.value(document["checkpoint"])
    net.module_.load_state_dict(state["module"])
    for name, parameter in net.module_.named_parameters():
        parameter.requires_grad_(state["trains"][name])
    net.optimizer_.load_state_dict(state["optimizer"])
    net.history_ = History(state["history"])
    net.progress_ = Progress(**state["progress"])
    for device, chance in state["chance"].items():
        _generators(device).set_rng_state(chance)
    for of, callback in _callbacks(net):
        for name, encoded in document["callbacks"].get(of, {}).items():
            if encoded == {"code": name}:  # it is as the training's beginning made it
                continue
            value = decoder.value(encoded)
            if isinstance(value, _Inner):
                getattr(callback, name).load_state_dict(value.state)
            else:
                setattr(callback, name, value)


def _callbacks(net: Any) -> list[tuple[str, Any]]:
    return [("", net.stopping), *net.callbacks_]


def _records(callback: Any) -> dict[str, Any]:
    """What a callback has noted; the rest are the arguments that it was made with."""
    given = inspect.signature(type(callback)).parameters
    return {name: value for name, value in vars(callback).items() if name not in given}


def _chance(net: Any) -> dict[str, Tensor]:
    """States of torch's generators, which modules draw from."""
    kinds = {"cpu", next(net.module_.heads.parameters()).device.type}
    return {kind: _generators(kind).get_rng_state() for kind in sorted(kinds)}


def _generators(kind: str) -> Any:
    return torch if kind == "cpu" else getattr(torch, kind)


@dataclass
class _Inner:
    """The state of an object that keeps one as torch's do: a schedule of learning rates, say."""

    state: dict[str, Any]


class _StateEncoder(Encoder):
    """Takes tensors too, and the states of objects that have one."""

    def value(self, value: Any, where: str) -> Any:
        if isinstance(value, Tensor):
            return {"tensor": super().value(value.detach().cpu().numpy(), where)}
        if hasattr(value, "state_dict") and not isinstance(value, type):
            return {"state": self.value(value.state_dict(), where)}
        return super().value(value, where)


class _StateDecoder(Decoder):
    def value(self, encoded: Any) -> Any:
        match encoded:
            case {"tensor": array}:
                return torch.tensor(super().value(array))
            case {"state": state}:
                return _Inner(self.value(state))
        return super().value(encoded)
