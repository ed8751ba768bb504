"""Outputs of the heads, and the gradient of their parameters, by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from sk_mtl._entry_gradients import places_of
from sk_mtl._grouped import Segments, add_grouped_outer, grouped_product
from sk_mtl._heads import TaskHeads
from sk_mtl._small_products import product
from sk_mtl._tasks import Array
from sk_mtl._vector import grad_of

_STACKED = 64  # columns of all heads, up to which all tasks' outputs cost less than choosing


class HeadGradients:
    """The heads of a network, a task's of which is its family's plus its own."""

    def __init__(self, heads: TaskHeads) -> None:
        self.heads = heads
        self.family = heads.family.numpy()
        self.has_weights = heads.has_weights.numpy()
        self.closed = heads.closed.numpy()
        names = ("shared", "own", "shared_bias", "own_bias")
        self.values = [heads.get_parameter(name).detach().numpy() for name in names]
        self.grads = [grad_of(heads.get_parameter(name)).numpy() for name in names]

    def forward(
        self, inputs: Array, segments: Segments | None
    ) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs of each row's own task or of all tasks, and the way back.

        The outputs are of shape (1 or n_tasks, n_columns, n_rows): a row of the products for each
        column, which is much faster where there are few.
        """
        n_tasks, n_inputs, n_columns = self.heads.own.shape
        n_rows = len(inputs)
        if segments is not None and n_tasks * n_columns > _STACKED:
            return self._grouped(inputs, segments)

        weight, bias = self.of_tasks()
        stacked = weight.transpose(0, 2, 1).reshape(-1, n_inputs)
        of_all = product(stacked, inputs.T)
        of_all += bias.reshape(-1, 1)
        outputs = of_all.reshape(n_tasks, n_columns, n_rows)
        choice: Any = None
        if segments is not None and n_tasks > 1:
            choice = places_of(segments.task.numpy(), n_columns * n_rows, n_rows)
            choice = choice + n_rows * np.arange(n_columns)[:, None]
            outputs = outputs.reshape(-1)[choice][None]

        def backward(grad: Array) -> Array:
            if choice is not None:
                everywhere = np.zeros((n_tasks * n_columns, n_rows), dtype=grad.dtype)
                everywhere.reshape(-1)[choice] = grad[0]
                grad = everywhere
            grad = grad.reshape(-1, n_rows)
            grad_weight = product(grad, inputs).reshape(n_tasks, n_columns, n_inputs)
            grad_bias = grad.sum(axis=1).reshape(n_tasks, n_columns)
            self.add(grad_weight.transpose(0, 2, 1), grad_bias)
            return product(grad.T, stacked)

        return outputs, backward

    def _grouped(self, inputs: Array, segments: Segments) -> tuple[Array, Callable[[Array], Array]]:
        """The outputs of each row's own task, without those of all others."""
        rows = torch.from_numpy(inputs)
        weight, bias = self.heads.of_tasks()
        outputs = grouped_product(rows, weight, segments) + segments.spread(bias)

        def backward(grad: Array) -> Array:
            by_row = torch.from_numpy(grad[0].T)
            grad_weight = torch.zeros_like(weight)
            add_grouped_outer(grad_weight, rows, by_row, segments)
            grad_bias = torch.zeros_like(bias).index_add_(0, segments.task, by_row)
            self.add(grad_weight.numpy(), grad_bias.numpy())
            return grouped_product(by_row, weight.mT, segments).numpy()

        return outputs.numpy().T[None], backward

    def of_tasks(self) -> tuple[Array, Array]:
        """As `TaskHeads.of_tasks`."""
        shared, own, shared_bias, own_bias = self.values
        if len(shared) > 1:
            shared, shared_bias = shared[self.family], shared_bias[self.family]
        weight, bias = shared + own, shared_bias + own_bias
        if not self.heads.every_column:
            weight = weight * self.has_weights[:, None]
            bias = bias * self.has_weights + self.closed
        return weight, bias

    def add(self, grad_weight: Array, grad_bias: Array) -> None:
        """A task's head is its family's plus its own, so both have its gradient."""
        if not self.heads.every_column:
            grad_weight = grad_weight * self.has_weights[:, None]
            grad_bias = grad_bias * self.has_weights
        shared, own, shared_bias, own_bias = self.grads
        own += grad_weight
        own_bias += grad_bias
        if len(shared) == 1:
            shared += grad_weight.sum(axis=0)
            shared_bias += grad_bias.sum(axis=0)
            return
        for of_families, of_tasks in ((shared, grad_weight), (shared_bias, grad_bias)):
            added = torch.from_numpy(of_tasks)
            torch.from_numpy(of_families).index_add_(0, self.heads.family, added)
