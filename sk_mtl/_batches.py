"""In-memory batches for skorch: whole slices of tensors instead of row-by-row collation."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sk_mtl._losses import Target

ROWS_AT_A_TIME = 4096  # bounds the memory of full-batch passes and of predictions

Batch = tuple[dict[str, Tensor], Target]


class TaskDataset(Dataset[Batch]):
    """Rows sorted by task, with what the network is to put out and weights.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, ..., n_features)
    task : Tensor of shape (n_rows,) or None
        None where every row belongs to every task; sorted otherwise.
    target, weight : Tensor of shape (n_rows,) or (n_rows, n_tasks)
    """

    def __init__(self, rows: Tensor, task: Tensor | None, target: Tensor, weight: Tensor) -> None:
        self.rows, self.task, self.target, self.weight = rows, task, target, weight

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: slice | Tensor) -> Batch:
        """A batch: the network's arguments, and those of the loss."""
        inputs = {"rows": self.rows[index]}
        task = None
        if self.task is not None:
            task = inputs["task"] = self.task[index]
        return inputs, (self.target[index], self.weight[index], task)


class TaskBatches:
    """Batches of a `TaskDataset`, in an order of their own each time, rows sorted by task.

    Parameters
    ----------
    dataset : TaskDataset
    batch_size : int
    shuffle : bool
    seed : int
        Of the orders, if ``shuffle``.
    """

    def __init__(
        self, dataset: TaskDataset, batch_size: int, shuffle: bool = False, seed: int = 0
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return -(-len(self.dataset) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        if self.shuffle:
            order = random_order(len(self.dataset), self._generator)
            for chosen in torch.split(order, self.batch_size):
                # The dataset is sorted by task, so sorted positions are too.
                yield self.dataset[chosen.sort().values.to(self.dataset.rows.device)]
        else:
            for start in range(0, len(self.dataset), self.batch_size):
                yield self.dataset[slice(start, start + self.batch_size)]


def random_order(n_rows: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(n_rows, generator=generator)
