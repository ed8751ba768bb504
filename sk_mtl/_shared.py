"""The shared module B: fully connected layers, or a module of the user's."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sk_mtl._grouped import Segments
from sk_mtl._plan import HeadPlan

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


class SharedModule(nn.Module):
    """A module from rows to their shared representation, penalised for leaving its start.

    A layer that the data says little about remains what it was, a pretrained one or one of
    random features, where a penalty on the weights themselves would switch it off.

    Parameters
    ----------
    module : nn.Module
        Maps (n_rows, ..., n_features) to (n_rows, capacity). If its ``forward`` has an argument
        ``mask``, it is told which positions of a row are not padding.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._takes_mask = takes_mask(module)
        self._anchored = [name for name, p in module.named_parameters() if p.requires_grad]
        self.anchor()

    def anchor(self) -> None:
        """Take the parameters as they are for the start."""
        for j, name in enumerate(self._anchored):
            start = self.module.get_parameter(name).detach().clone()
            self.register_buffer(f"start_{j}", start)

    def forward(
        self, rows: Tensor, mask: Tensor | None = None, segments: Segments | None = None
    ) -> Tensor:
        told = {"mask": mask} if self._takes_mask and mask is not None else {}
        shared: Tensor = self.module(rows, **told)
        return shared

    def starts(self) -> dict[str, Tensor]:
        """Where the penalised parameters started, by their names."""
        return {
            f"module.{name}": getattr(self, f"start_{j}") for j, name in enumerate(self._anchored)
        }

    def penalty(self) -> Tensor:
        """Squared distance of the parameters from their start."""
        distance = torch.zeros(())
        for name, start in self.starts().items():
            distance = distance + (self.get_parameter(name) - start).square().sum()
        return distance


class SharedModules(nn.Module):
    """A `SharedModule` for each group of tasks.

    Parameters
    ----------
    of_groups : list of SharedModule
    group : Tensor of shape (n_tasks,)
        The tasks' groups.
    """

    group: Tensor

    def __init__(self, of_groups: list[SharedModule], group: Tensor) -> None:
        super().__init__()
        self.of_groups: Any = nn.ModuleList(of_groups)
        self.register_buffer("group", group)

    def forward(
        self, rows: Tensor, mask: Tensor | None = None, segments: Segments | None = None
    ) -> Tensor:
        assert segments is not None  # a row has a task where tasks have groups
        group = segments.spread(self.group)
        made, places = [], []
        for g, module in enumerate(self.of_groups):
            place = (group == g).nonzero().squeeze(1)
            if len(place):
                made.append(module(rows[place], None if mask is None else mask[place]))
                places.append(place)
        return torch.cat(made)[torch.cat(places).argsort()]

    def starts(self) -> dict[str, Tensor]:
        """Where the penalised parameters started, by their names."""
        return {
            f"of_groups.{g}.{name}": start
            for g, module in enumerate(self.of_groups)
            for name, start in module.starts().items()
        }

    def penalty(self) -> Tensor:
        """Squared distance of the parameters from their start."""
        return torch.stack([module.penalty() for module in self.of_groups]).sum()

    @property
    def module(self) -> nn.Module:
        """The first group's module: the others are of its kind."""
        first: nn.Module = self.of_groups[0].module
        return first


def shared_by(of_groups: list[SharedModule], plan: HeadPlan) -> SharedModule | SharedModules:
    """One module for all tasks, or one for each of their groups."""
    if plan.n_groups == 1:
        return of_groups[0]
    return SharedModules(of_groups, torch.tensor(plan.group))


def plain_layers(shared: nn.Module) -> list[tuple[nn.Linear, nn.Module]] | None:
    """Layers and activations of a B like those of `fully_connected`, if all of it trains.

    None for another B.
    """
    module: Any = shared.module if isinstance(shared, SharedModule) else None
    if type(module) is not nn.Sequential or not all(p.requires_grad for p in module.parameters()):
        return None
    modules: list[Any] = list(module)
    layers = list(zip(modules[::2], modules[1::2], strict=False))
    known = all(
        type(layer) is nn.Linear and layer.bias is not None and type(act) in _ACTIVATIONS.values()
        for layer, act in layers
    )
    return layers if known and len(modules) == 2 * len(layers) else None


def takes_mask(module: nn.Module) -> bool:
    """Whether the module's ``forward`` wants to know which positions are not padding."""
    try:
        return "mask" in inspect.signature(module.forward).parameters
    except ValueError:  # compiled modules do not tell
        return False


def padding_mask(rows: Tensor) -> tuple[Tensor, Tensor | None]:
    """Rows with 0 in the place of padding, and where there is none if rows have positions."""
    if rows.ndim == 2:
        return rows, None
    mask = ~rows[..., 0].isnan()
    return rows.masked_fill(~mask.unsqueeze(-1), 0.0), mask


def fully_connected(
    n_features: int,
    layer_sizes: Sequence[int],
    activation: str,
    random_state: np.random.RandomState,
) -> nn.Sequential:
    """Layers, each followed by the activation.

    Weights start at random such that a layer keeps the squared norm of its input, biases at 0.
    """
    gain = 2.0 if activation == "relu" else 1.0
    layers: list[nn.Module] = []
    for n_in, n_out in zip([n_features, *layer_sizes], layer_sizes, strict=False):
        linear = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
        start = random_state.normal(scale=np.sqrt(gain / n_out), size=(n_out, n_in))
        with torch.no_grad():
            linear.weight.copy_(torch.as_tensor(start))
            linear.bias.zero_()
        layers += [linear, _ACTIVATIONS[activation]()]
    return nn.Sequential(*layers)
