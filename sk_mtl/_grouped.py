"""Products of each task's rows with the task's own matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

_FEW = 16  # outputs, for which a product is several times faster the other way round
MANY = 256  # rows, from which on it is: fewer have the same outputs to the bit in any order
_COPIES_PER_TASK = 2**13  # values that are copied in the time that one more product takes
_MOST_COPIES = 2**22  # values, which bounds the memory

Bounds = list[tuple[int, int, int]]


class Segments:
    """Where each task's rows lie in a batch that is sorted by task.

    Parameters
    ----------
    task : Tensor of shape (n_rows,)
    bounds : list of (int, int, int), default=None
        Task code, first row and the row after the last; found where they are needed.
    training : bool, default=False
        Whether outputs may differ, by rounding, with what other rows are in the batch.
    """

    def __init__(self, task: Tensor, bounds: Bounds | None = None, training: bool = False) -> None:
        self.task = task
        self.training = training
        self._bounds = bounds

    @property
    def bounds(self) -> Bounds:
        if self._bounds is None:
            codes = self.task.cpu().numpy()
            starts = np.flatnonzero(np.diff(codes, prepend=-1))
            stops = [*starts[1:].tolist(), len(codes)]
            self._bounds = list(zip(codes[starts].tolist(), starts.tolist(), stops, strict=True))
        return self._bounds

    def stretched(self, times: int) -> Segments:
        """The segments of a batch that has ``times`` rows in the place of each."""
        bounds = [(task, start * times, stop * times) for task, start, stop in self.bounds]
        return Segments(self.task.repeat_interleave(times), bounds, self.training)

    def spread(self, values: Tensor) -> Tensor:
        """Each row's entry of ``values``, which has one entry per task."""
        return values.index_select(0, self.task)

    def are_short(self, n_values: int) -> bool:
        """Whether matrices of so many values cost less copied for each row than used by task."""
        n_copies = len(self.task) * n_values
        return (
            self.training
            and n_copies <= _MOST_COPIES
            and n_copies <= _COPIES_PER_TASK * len(self.bounds)
        )


def grouped_product(rows: Tensor, weight: Tensor, segments: Segments) -> Tensor:
    """``rows[j] @ weight[task of j]`` for every row ``j``.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, n_inputs)
    weight : Tensor of shape (n_tasks, n_inputs, n_outputs)
    segments : Segments

    Returns
    -------
    Tensor of shape (n_rows, n_outputs)
    """
    if segments.are_short(weight[0].numel()):
        return torch.bmm(rows.unsqueeze(1), segments.spread(weight)).squeeze(1)
    product: Tensor = _GroupedProduct.apply(  # type: ignore[no-untyped-call]
        rows, weight, segments.bounds
    )
    return product


class _GroupedProduct(torch.autograd.Function):
    """One autograd node: slicing ``weight`` in autograd would fill a whole gradient per task."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bounds: Bounds) -> Tensor:
        n_rows, n_outputs = rows.shape[0], weight.shape[2]
        if n_outputs <= _FEW and n_rows >= MANY:
            turned = rows.new_empty(n_outputs, n_rows)
            for task, start, stop in bounds:
                torch.mm(weight[task].t(), rows[start:stop].t(), out=turned[:, start:stop])
            out = turned.t()
        else:
            out = rows.new_empty(n_rows, n_outputs)
            for task, start, stop in bounds:
                torch.mm(rows[start:stop], weight[task], out=out[start:stop])
        ctx.save_for_backward(rows, weight)
        ctx.bounds = bounds
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        rows, weight = ctx.saved_tensors
        grad_rows = torch.empty_like(rows) if ctx.needs_input_grad[0] else None
        grad_weight = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        for task, start, stop in ctx.bounds:
            if grad_rows is not None:
                torch.mm(grad[start:stop], weight[task].t(), out=grad_rows[start:stop])
            if grad_weight is not None:
                _add_outer(grad_weight[task], rows[start:stop], grad[start:stop])
        return grad_rows, grad_weight, None


def add_grouped_outer(out: Tensor, rows: Tensor, grad: Tensor, segments: Segments) -> None:
    """Add ``rows[of task i].T @ grad[of task i]`` to ``out[i]`` for every task ``i``."""
    if segments.are_short(out[0].numel()):
        out.index_add_(0, segments.task, rows.unsqueeze(2) * grad.unsqueeze(1))
        return
    for task, start, stop in segments.bounds:
        _add_outer(out[task], rows[start:stop], grad[start:stop])


def _add_outer(out: Tensor, rows: Tensor, grad: Tensor) -> None:
    """Add ``rows.T @ grad``; of few columns as ``(grad.T @ rows).T``, many times faster."""
    if grad.shape[1] <= _FEW:
        out.add_(torch.mm(grad.t(), rows).t())
    else:
        out.addmm_(rows.t(), grad)
