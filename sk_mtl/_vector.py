"""Parameters of a network in one vector: what acts on all of them is one operation, not many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sk_mtl._alignment import LowRankAlignment
from sk_mtl._network import AlignedNetwork


class ParameterVector:
    """The values and the gradient of parameters, which are views of it until `release`.

    Parameters
    ----------
    parameters : sequence of Parameter
        Of one dtype, on one device.

    Attributes
    ----------
    values, gradient : Tensor of shape (n_values,)
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        with torch.no_grad():
            if len(self.parameters) == 1:  # no copy of a large one
                self.values = self.parameters[0].detach().contiguous().view(-1)
            else:
                self.values = torch.cat([p.detach().reshape(-1) for p in self.parameters])
        self.gradient = torch.zeros_like(self.values)
        for parameter, value, grad in zip(
            self.parameters, self.split(self.values), self.split(self.gradient), strict=True
        ):
            parameter.data, parameter.grad = value, grad

    def split(self, vector: Tensor) -> list[Tensor]:
        """Parts of a vector of the parameters' shapes."""
        parts = torch.split(vector, [p.numel() for p in self.parameters])
        return [part.view(p.shape) for part, p in zip(parts, self.parameters, strict=True)]

    def join(self, per_parameter: Sequence[Tensor | float]) -> Tensor:
        """The inverse of `split`, also of numbers that hold for all values of a parameter."""
        if len(per_parameter) == 1 and not isinstance(per_parameter[0], Tensor):
            return self.values.new_full((1,), per_parameter[0])  # of a large parameter: no copies
        return torch.cat(
            [
                (torch.zeros_like(p.detach()) + value).reshape(-1)
                for p, value in zip(self.parameters, per_parameter, strict=True)
            ]
        )

    def is_whole(self) -> bool:
        """Whether the parameters are still views, and have not been put elsewhere."""
        first, last = self.parameters[0], self.parameters[-1]
        parts = (self.values, first), (self.gradient, first.grad)
        end = self.values.data_ptr() + self.values.nbytes
        return last.data_ptr() + last.nbytes == end and all(
            part is not None and part.data_ptr() == vector.data_ptr() for vector, part in parts
        )

    def release(self) -> None:
        """Give the parameters memory of their own."""
        for parameter in self.parameters:
            parameter.grad = None
            if len(self.parameters) > 1:
                parameter.data = parameter.data.clone()


class VectorPenalty:
    """The part of `AlignedNetwork.penalty` on the parameters in a vector, and its gradient.

    Grad mode must be off where it is used.

    Parameters
    ----------
    network : AlignedNetwork
        Without learned task weights.
    vector : ParameterVector
        Some of its parameters.
    names : sequence of str
        Their names.
    """

    def __init__(
        self, network: AlignedNetwork, vector: ParameterVector, names: Sequence[str]
    ) -> None:
        self.vector = vector
        stiffness: dict[str, Any] = dict(network.stiffness())
        self.low_rank: LowRankAlignment | None = None
        if isinstance(network.alignment, LowRankAlignment):  # its penalty is no sum of squares
            stiffness |= {"alignment.down": 0.0, "alignment.up": 0.0}
            if "alignment.up" in names:
                self.low_rank = network.alignment
                self.alpha = network.penalties["alignment_alpha"]
        starts = network.starts()
        self.stiffness = vector.join([stiffness[name] for name in names]).numpy()
        self.start = None
        if any(name in starts for name in names):
            self.start = vector.join([starts.get(name, 0.0) for name in names]).numpy()
        self._values, self._gradient = vector.values.numpy(), vector.gradient.numpy()
        self._scale, self._scaled = 1.0, self.stiffness

    @np.errstate(all="ignore")  # the loss tells
    def start_gradient(self, scale: float) -> float:
        """Make the gradient ``scale`` times the penalty's; ``scale`` times the penalty."""
        if scale != self._scale:
            self._scale, self._scaled = scale, scale * self.stiffness
        off = self._values if self.start is None else self._values - self.start
        np.multiply(off, self._scaled, out=self._gradient)
        value = 0.5 * torch.dot(torch.from_numpy(off), self.vector.gradient).item()
        if self.low_rank is not None:
            down, up = self.low_rank.down, self.low_rank.up
            inner, outer = down.mT @ down, up @ up.mT
            grad_of(down).add_(down @ outer, alpha=scale * self.alpha)
            grad_of(up).add_(inner @ up, alpha=scale * self.alpha)
            value += 0.5 * scale * self.alpha * (inner * outer).sum().item()
        return value


@torch.no_grad()
def penalty_of_the_rest(network: AlignedNetwork, penalties: Sequence[VectorPenalty]) -> float:
    """The penalty on parameters in no vector, which are held still."""
    return network.penalty().item() - sum(penalty.start_gradient(1.0) for penalty in penalties)


def grad_of(parameter: Tensor) -> Tensor:
    """The gradient of a parameter that has one."""
    assert parameter.grad is not None
    return parameter.grad
