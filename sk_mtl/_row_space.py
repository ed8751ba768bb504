"""Training in the span of the rows: of more features than rows, most directions say nothing."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from sk_mtl._alignment import FullAlignment, LowRankAlignment
from sk_mtl._batches import TaskDataset
from sk_mtl._network import AlignedNetwork
from sk_mtl._shared import plain_layers

_WORTH = 0.8  # directions, relative to the features, that are few enough
_WEIGHT, _START = "shared.module.0.weight", "shared.start_0"  # of the first layer


class RowSpace:
    """A network on coordinates of the rows in a basis U, which trains as one on the features does.

    Gradients lie in the span of what the features are multiplied with: rows, and where there is
    alignment the first layer. Penalties do not mind rotations. So L-BFGS takes the same way in
    either; here it takes less time, as U has fewer columns than rows.

    Attributes
    ----------
    network : AlignedNetwork
    rows : TaskDataset
        Its rows ``z U``.
    """

    def __init__(self, whole: AlignedNetwork, rows: TaskDataset, basis: Tensor) -> None:
        self.whole, self.basis = whole, basis
        self.rows = TaskDataset(rows.rows @ basis, rows.task, rows.target, rows.weight)
        self.network = deepcopy(whole)
        self.axes = _feature_axes(whole)
        self.rest: dict[str, Tensor] = {}  # of parameters that lie beside the span in part
        named = dict(self.network.named_parameters()) | dict(self.network.named_buffers())
        for name in self.axes:
            value = named[name].detach()
            named[name].data = within = self._turned(name, value, basis)
            self.rest[name] = value - self._turned(name, within, basis.T)

    @classmethod
    def of(cls, network: AlignedNetwork, rows: TaskDataset) -> RowSpace | None:
        """None where it would not be the same, or not worth it."""
        n_features = rows.rows.shape[-1]
        if rows.rows.ndim > 2 or len(rows) > _WORTH * n_features or not _turns(network):
            return None
        spanning = torch.cat([rows.rows.double(), _spanning(network, n_features)])
        if len(spanning) > _WORTH * n_features:
            return None
        return cls(network, rows, torch.linalg.qr(spanning.T)[0].to(rows.rows))

    @torch.no_grad()
    def widen(self) -> None:
        """Give the network on the features what the other has learned."""
        for name, parameter in self.whole.named_parameters():
            learned: Tensor = self.network.get_parameter(name)
            if name in self.axes:
                learned = self.rest[name] + self._turned(name, learned, self.basis.T)
            parameter.copy_(learned)

    def _turned(self, name: str, value: Tensor, by: Tensor) -> Tensor:
        """A parameter on other features; heads have other inputs before these."""
        axes = self.axes[name]
        first = value.shape[axes[0]] - by.shape[0]
        kept, moved = torch.split(value, [first, by.shape[0]], dim=axes[0])
        for axis in axes:
            moved = torch.tensordot(moved, by, ([axis], [0])).movedim(-1, axis)
        return torch.cat([kept, moved], dim=axes[0]) if first else moved


def _turns(network: AlignedNetwork) -> bool:
    """Whether a network's features may be any basis: nothing acts on them one by one."""
    alignment = network.alignment
    known = isinstance(alignment, (FullAlignment, LowRankAlignment)) and alignment.start is None
    if isinstance(alignment, FullAlignment) and alignment.deviation.any():
        return False  # what it does to directions beside the span would be lost
    return (alignment is None or known) and plain_layers(network.shared) is not None


def _feature_axes(network: AlignedNetwork) -> dict[str, tuple[int, ...]]:
    """The axes of parameters and buffers, by name, along which the features are."""
    axes: dict[str, tuple[int, ...]] = {}
    if plain_layers(network.shared):
        axes |= {_WEIGHT: (1,), _START: (1,)}
    if network.sees_features:
        axes |= {"heads.shared": (1,), "heads.own": (1,)}
    if isinstance(network.alignment, LowRankAlignment):
        axes |= {"alignment.down": (1,), "alignment.up": (2,)}
    elif network.alignment is not None:
        axes["alignment.deviation"] = (1, 2)
    return axes


def _spanning(network: AlignedNetwork, n_features: int) -> Tensor:
    """What parameters begin with that training would leave the rows' span by."""
    heads, alignment = network.heads, network.alignment
    parts = [torch.empty(0, n_features)]
    if plain_layers(network.shared):
        weight, start = network.get_parameter(_WEIGHT), network.get_buffer(_START)
        # The penalty is on the distance; alignment moves rows to where the weights are.
        parts += [weight - start] if alignment is None else [weight, start]
    if network.sees_features:
        parts += [weight[:, -n_features:].mT for weight in (heads.shared, heads.own)]
    if isinstance(alignment, LowRankAlignment):
        parts += [alignment.down.mT, alignment.up]
    vectors = torch.cat([part.detach().reshape(-1, n_features).double() for part in parts])
    distinct: Tensor = torch.unique(vectors[vectors.any(dim=1)], dim=0)
    return distinct
