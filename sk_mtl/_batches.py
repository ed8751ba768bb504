"""In-memory batches for skorch: whole slices of tensors instead of row-by-row collation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from sk_mtl._processes import Batch, Processes
from sk_mtl._tasks import Array

ROWS_AT_A_TIME = 4096  # bounds the memory of full-batch passes and of predictions


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
        # On the CPU numpy chooses rows, several times faster.
        self._arrays: list[Array | None] | None = None
        if rows.device.type == "cpu":
            self._arrays = [None if v is None else v.numpy() for v in self._values]

    @property
    def _values(self) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
        return self.rows, self.task, self.target, self.weight

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def total_weight(self) -> float:
        return float(self.weight.sum(dtype=torch.float64))

    def __getitem__(self, index: slice | Tensor) -> Batch:
        """A batch: the network's arguments, and those of the loss."""
        parts: list[Any]
        if isinstance(index, slice):
            parts = [None if v is None else v[index] for v in self._values]
        elif self._arrays is None:
            parts = [None if v is None else v.index_select(0, index) for v in self._values]
        else:
            chosen = index.numpy()
            parts = [
                None if v is None else torch.from_numpy(v.take(chosen, axis=0))
                for v in self._arrays
            ]
        rows, task, target, weight = parts
        inputs = {"rows": rows} if task is None else {"rows": rows, "task": task}
        return inputs, (target, weight, task)

    def n_batches(self, batch_size: int, processes: Processes) -> int:
        return -(-len(self) // batch_size)

    def batches(
        self, batch_size: int, generator: torch.Generator | None, processes: Processes
    ) -> Iterator[Batch]:
        """All rows in batches, each sorted by task; in random order if there is a generator.

        Of several processes, which all have these rows, each has its share of every batch.
        """
        if generator is None and not processes.several:
            for start in range(0, len(self), batch_size):
                yield self[slice(start, start + batch_size)]
            return
        if generator is None:
            order = torch.arange(len(self))
        else:
            order = random_order(len(self), generator)
            if self.task is not None:
                order = _sorted_within_batches(order, batch_size)
        for chosen in torch.split(order.to(self.rows.device), batch_size):
            if processes.several:
                yield processes.share(self.__getitem__, chosen)
            else:
                yield self[chosen]


class TaskBatches:
    """Batches of a data set, in an order of their own each time, rows sorted by task.

    Parameters
    ----------
    dataset : TaskDataset or StreamedRows
    batch_size : int
    shuffle : bool
    seed : int
        Of the orders, if ``shuffle``.
    processes : Processes, default=None
        Those that share the batches.
    """

    def __init__(
        self,
        dataset: TaskDataset,
        batch_size: int,
        shuffle: bool = False,
        seed: int = 0,
        processes: Processes | None = None,
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.processes = Processes(None) if processes is None else processes
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return self.dataset.n_batches(self.batch_size, self.processes)

    def __iter__(self) -> Iterator[Batch]:
        generator = self._generator if self.shuffle else None
        return self.dataset.batches(self.batch_size, generator, self.processes)

    def state(self) -> Tensor:
        """What decides the orders to come."""
        return self._generator.get_state()

    def set_state(self, state: Tensor) -> None:
        self._generator.set_state(state)


def _sorted_within_batches(order: Tensor, batch_size: int) -> Tensor:
    """Positions of batches in their own order: as the dataset is, they are sorted by task."""
    whole = len(order) - len(order) % batch_size
    batches = order[:whole].view(-1, batch_size).sort(dim=1).values
    return torch.cat([batches.view(-1), order[whole:].sort().values])


def random_order(n_rows: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(n_rows, generator=generator)
