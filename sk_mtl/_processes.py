"""Several processes that train one net together: Hugging Face Accelerate's, by ``net_params``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from sk_mtl._losses import Target

Batch = tuple[dict[str, Tensor], Target]


class Processes:
    """This process and the others.

    Each takes its share of every batch, and gradients are averaged before a step. So all of them
    have the same net at all times. skorch's own way, to wrap the module as a
    DistributedDataParallel, hides the module's penalty, and waits for the hooks of an autograd
    that gradients by hand do not need.

    Parameters
    ----------
    accelerator : accelerate.Accelerator or None
        Of which ``num_processes``, ``process_index`` and ``reduce`` are used.

    Attributes
    ----------
    number : int
    rank : int
        Of this one, from 0.
    """

    def __init__(self, accelerator: Any) -> None:
        self.accelerator = accelerator
        self.number = int(accelerator.num_processes) if accelerator is not None else 1
        self.rank = int(accelerator.process_index) if accelerator is not None else 0

    @classmethod
    def of(cls, net_params: Mapping[str, Any] | None) -> Processes:
        return cls((net_params or {}).get("accelerator"))

    @property
    def several(self) -> bool:
        return self.number > 1

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Put the mean over the processes in the place of tensors, in one message."""
        message = torch.cat([tensor.reshape(-1) for tensor in tensors])
        message = self.accelerator.reduce(message, reduction="mean")
        parts = torch.split(message, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view(tensor.shape))

    def all_of(self, value: Any) -> list[Any]:
        """The values of all processes, by rank."""
        if not self.several:
            return [value]
        values: list[Any] = [None] * self.number
        torch.distributed.all_gather_object(values, value)
        return values

    def share(self, batch_of: Callable[[Tensor], Batch], index: Tensor) -> Batch:
        """This process's rows of a batch, of the same number in every process."""
        size = -(-len(index) // self.number)
        own = index[self.rank :: self.number]
        if not len(own):
            return as_part(batch_of(index[:1]), size, 0.0)
        return as_part(batch_of(own), size, self.number * size / len(index))


def as_part(batch: Batch, size: int, factor: float) -> Batch:
    """Rows with their weights times a factor, filled up to a size by rows of the weight 0.

    Losses of parts of one size can be averaged.
    """
    inputs, (target, weight, task) = batch
    missing = size - len(target)

    def filled(values: Tensor) -> Tensor:
        return torch.cat([values[:1].expand(missing, *values.shape[1:]), values])

    weight = factor * weight
    if missing:  # the first row once more: they stay sorted by task
        inputs = {name: filled(values) for name, values in inputs.items()}
        target, weight = filled(target), filled(weight)
        weight[:missing] = 0
        task = inputs.get("task")
    return inputs, (target, weight, task)
