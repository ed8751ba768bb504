"""The shared module B: fully connected layers, or a module of the user's."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

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

    def forward(self, rows: Tensor, mask: Tensor | None = None) -> Tensor:
        told = {"mask": mask} if self._takes_mask and mask is not None else {}
        shared: Tensor = self.module(rows, **told)
        return shared

    def penalty(self) -> Tensor:
        """Squared distance of the parameters from their start."""
        distance = torch.zeros(())
        for j, name in enumerate(self._anchored):
            gone = self.module.get_parameter(name) - getattr(self, f"start_{j}")
            distance = distance + gone.square().sum()
        return distance


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
