"""Steps of Adam on an `AlignedNetwork` with gradients by hand, on few large vectors."""

from __future__ import annotations

import torch
from torch import Tensor

from sk_mtl._gradients import Gradients, by_hand
from sk_mtl._losses import Target, TaskLoss
from sk_mtl._network import AlignedNetwork
from sk_mtl._vector import ParameterVector, VectorPenalty, penalty_of_the_rest
from sk_mtl._vector_adam import VectorAdam

_LARGE = 2**17  # values of a parameter that is not worth a copy


class Steps:
    """Gradients for Adam on all parameters that train; until `release` they are views of vectors.

    Parameters
    ----------
    network : AlignedNetwork
    loss : TaskLoss
    optimizer : VectorAdam
        See `can_step`.
    """

    def __init__(self, network: AlignedNetwork, loss: TaskLoss, optimizer: VectorAdam) -> None:
        self.optimizer = optimizer
        training = [(n, p) for n, p in network.named_parameters() if p.requires_grad]
        large = [[(n, p)] for n, p in training if p.numel() > _LARGE]
        small = [(n, p) for n, p in training if p.numel() <= _LARGE]
        self.vectors, self.penalties = [], []
        for part in [small, *large]:
            vector = ParameterVector([parameter for _, parameter in part])
            self.vectors.append(vector)
            self.penalties.append(VectorPenalty(network, vector, [name for name, _ in part]))
        self.gradients = Gradients(network, loss)
        self.at_rest = penalty_of_the_rest(network, self.penalties)
        optimizer.attach(self.vectors)

    def gradient(
        self, inputs: dict[str, Tensor], target: Target, scale: float, penalty_scale: float
    ) -> tuple[float, Tensor]:
        """Leave the gradient of the loss and the penalty; the loss, and the outputs."""
        value = penalty_scale * self.at_rest
        for penalty in self.penalties:
            value += penalty.start_gradient(penalty_scale)
        to_reach, weight, task = target
        loss, outputs = self.gradients.add(inputs["rows"], task, to_reach, weight, scale)
        return loss + value, outputs

    def serve(self, network: AlignedNetwork, optimizer: torch.optim.Optimizer) -> bool:
        """Whether they are still those of a net: nobody has put anything else in their place."""
        training = {id(p) for p in network.parameters() if p.requires_grad}
        return (
            optimizer is self.optimizer
            and training == {id(p) for vector in self.vectors for p in vector.parameters}
            and self.optimizer.is_attached()
            and all(vector.is_whole() for vector in self.vectors)
        )

    def release(self) -> None:
        """Leave a network and an optimizer like any other."""
        self.optimizer.detach()
        for vector in self.vectors:
            vector.release()


def can_step(network: AlignedNetwork, optimizer: torch.optim.Optimizer) -> bool:
    """Whether `Steps` do what the loss's autograd and the optimizer would."""
    return by_hand(network) and isinstance(optimizer, VectorAdam) and optimizer.is_plain
