"""Rows that pass by in chunks, as a data set: batches of random rows of a buffer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.utils.data import Dataset

from sk_mtl._batches import Batch, TaskDataset, random_order
from sk_mtl._rows import TrainingRows


@dataclass(frozen=True)
class RowStream:
    """Training rows that come in chunks, the same rows each time.

    Attributes
    ----------
    chunks : callable
        Starts anew and returns an iterator of TrainingRows.
    n_rows : int
        Of all chunks together.
    total_weight : float
        Of their labelled entries.
    buffer_rows : int
        Rows that wait to be drawn from.
    """

    chunks: Callable[[], Iterator[TrainingRows]]
    n_rows: int
    total_weight: float
    buffer_rows: int


class StreamedRows(Dataset[Batch]):
    """A `RowStream` as a data set that gives batches, and nothing else.

    Parameters
    ----------
    stream : RowStream
    to_dataset : callable
        Makes a TaskDataset of TrainingRows.
    """

    def __init__(
        self, stream: RowStream, to_dataset: Callable[[TrainingRows], TaskDataset]
    ) -> None:
        self.stream, self.to_dataset = stream, to_dataset
        self.total_weight = stream.total_weight

    def __len__(self) -> int:
        return self.stream.n_rows

    def batches(self, batch_size: int, generator: torch.Generator | None) -> Iterator[Batch]:
        """All rows in batches, each sorted by task.

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
        if n_seen != self.stream.n_rows:
            raise ValueError(
                f"The chunks gave {self.stream.n_rows} rows with a weight when they were first "
                f"gone through, and {n_seen} now. They must give the same rows each time."
            )
        if n_waiting:
            yield from _in_batches(_joined(waiting), batch_size, generator)


def _in_batches(
    rows: TaskDataset, batch_size: int, generator: torch.Generator | None
) -> Iterator[Batch]:
    if generator is not None:
        yield from _sorted(rows).batches(batch_size, generator)
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
