"""Rows that pass by in chunks, as a data set: batches of random rows of a buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from sk_mtl._batches import TaskDataset, random_order
from sk_mtl._processes import Batch, Processes, as_part
from sk_mtl._rows import TrainingRows


@dataclass(frozen=True)
class RowStream:
    """Training rows that come in chunks, the same rows each time.

    Attributes
    ----------
    chunks : callable
        Starts anew and returns an iterator of TrainingRows.
    n_rows : list of int
        Of all chunks together, in each of the processes that share the training.
    total_weight : float
        Of their labelled entries, in all processes.
    buffer_rows : int
        Rows that wait to be drawn from.
    """

    chunks: Callable[[], Iterator[TrainingRows]]
    n_rows: list[int]
    total_weight: float
    buffer_rows: int


class StreamedRows(Dataset[Batch]):
    """A `RowStream` as a data set that gives batches, and nothing else.

    Parameters
    ----------
    stream : RowStream
    to_dataset : callable
        Makes a TaskDataset of TrainingRows.
    rank : int, default=0
        Of this process.
    """

    def __init__(
        self, stream: RowStream, to_dataset: Callable[[TrainingRows], TaskDataset], rank: int = 0
    ) -> None:
        self.stream, self.to_dataset, self.rank = stream, to_dataset, rank
        self.total_weight = stream.total_weight

    def __len__(self) -> int:
        return sum(self.stream.n_rows)

    def n_batches(self, batch_size: int, processes: Processes) -> int:
        return -(-max(self.stream.n_rows) // _own_size(batch_size, processes))

    def batches(
        self, batch_size: int, generator: torch.Generator | None, processes: Processes
    ) -> Iterator[Batch]:
        """All rows in batches, each sorted by task.

        Several processes have rows of their own, and each draws its share of a batch from them.
        One that has no more goes on with rows of the weight 0 until the last has come to its end.
        """
        size = _own_size(batch_size, processes)
        own = self._own_batches(size, generator)
        if not processes.several:
            yield from own
            return
        # The mean over the processes, each a mean over its part, is to be one over the batch.
        factor, n_left = processes.number * size / batch_size, self.n_batches(batch_size, processes)
        for batch in own:
            n_left -= 1
            yield as_part(batch, size, factor)
        for _ in range(n_left):
            yield as_part(batch, size, 0.0)

    def _own_batches(self, batch_size: int, generator: torch.Generator | None) -> Iterator[Batch]:
        """Batches of this process's rows.

        With a generator, rows wait in a buffer. Whenever it is full, half of it leaves, a random
        half in random order, so that a row may meet others that came long before or after it. A
        buffer for all rows gives the batches of a `TaskDataset`.
        """
        size = max(self.stream.buffer_rows, 2 * batch_size)
        if generator is None:
            size = batch_size
        waiting: list[TaskDataset] = []
        n_waiting = n_seen = 0
        for rows in self.stream.chunks():
            waiting.append(self.to_dataset(rows))
            n_waiting += len(rows.weight)
            n_seen += len(rows.weight)
            if n_waiting < size:
                continue
            n_leaving = n_waiting if generator is None else n_waiting - size // 2
            n_leaving -= n_leaving % batch_size
            together = _joined(waiting)
            order = torch.arange(n_waiting)
            if generator is not None:
                order = random_order(n_waiting, generator)
            waiting, n_waiting = [_taken(together, order[n_leaving:])], n_waiting - n_leaving
            leaving = _taken(together, order[:n_leaving])
            del together  # not to hold the rows twice while they leave
            yield from _in_batches(leaving, batch_size, generator)
        expected = self.stream.n_rows[self.rank]
        if n_seen != expected:
            raise ValueError(
                f"The chunks gave {expected} rows with a weight when they were first gone "
                f"through, and {n_seen} now. They must give the same rows each time."
            )
        if n_waiting:
            yield from _in_batches(_joined(waiting), batch_size, generator)


def _own_size(batch_size: int, processes: Processes) -> int:
    """Rows of a batch that each process draws."""
    return -(-batch_size // processes.number)


def _in_batches(
    rows: TaskDataset, batch_size: int, generator: torch.Generator | None
) -> Iterator[Batch]:
    if generator is not None:
        yield from _sorted(rows).batches(batch_size, generator, Processes(None))
        return
    for start in range(0, len(rows), batch_size):
        batch = _taken(rows, torch.arange(start, min(start + batch_size, len(rows))))
        yield _sorted(batch)[slice(None)]


def _joined(parts: Sequence[TaskDataset]) -> TaskDataset:
    if len(parts) == 1:
        return parts[0]
    tasks = [part.task for part in parts if part.task is not None]
    return TaskDataset(
        torch.cat([part.rows for part in parts]),
        torch.cat(tasks) if tasks else None,
        torch.cat([part.target for part in parts]),
        torch.cat([part.weight for part in parts]),
    )


def _taken(rows: TaskDataset, index: torch.Tensor) -> TaskDataset:
    inputs, (target, weight, task) = rows[index.to(rows.rows.device)]
    return TaskDataset(inputs["rows"], task, target, weight)


def _sorted(rows: TaskDataset) -> TaskDataset:
    return rows if rows.task is None else _taken(rows, torch.argsort(rows.task, stable=True))
