"""One head per task, stacked in one padded parameter, around heads that tasks share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from sk_mtl._grouped import Segments, grouped_product
from sk_mtl._plan import HeadPlan
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class GivenHeads:
    """What another model knows about the heads.

    Attributes
    ----------
    weight : Tensor of shape (n_families, n_inputs, n_columns)
    bias : Tensor of shape (n_families, n_columns)
        Heads of families; 0 where nothing is known.
    own_scale : Tensor of shape (n_inputs, n_inputs)
    centre : Tensor of shape (n_inputs,)
        The heads' own weights act on ``(features - centre) @ own_scale``: features on the scale
        of these tasks' rows, not of the other model's.
    """

    weight: Tensor
    bias: Tensor
    own_scale: Tensor
    centre: Tensor


class TaskHeads(nn.Module):
    """Logits ``features @ (shared[family of i] + own[i]) + biases`` of task i.

    Parameters
    ----------
    plan : HeadPlan
    n_inputs : int
    bias_variance : ndarray of shape (2, n_families, n_columns)
        Variances of the Gaussian priors on the biases: of a family, and of a task around it.
        Infinite: free.
    given : GivenHeads, default=None
        Added to a task's head, times a gain of the task's own that starts from 1 and has a prior
        of variance 1: labels may mean something else here than where the head comes from.
    """

    given_weight: Tensor
    given_bias: Tensor
    own_scale: Tensor
    centre: Tensor

    def __init__(
        self,
        plan: HeadPlan,
        n_inputs: int,
        bias_variance: Array,
        given: GivenHeads | None = None,
    ) -> None:
        super().__init__()
        n_tasks, n_columns = plan.is_open.shape
        self.every_column = bool(plan.has_weights.all())  # is one of every task
        self.shared = nn.Parameter(torch.zeros(plan.n_families, n_inputs, n_columns))
        self.own = nn.Parameter(torch.zeros(n_tasks, n_inputs, n_columns))
        self.shared_bias = nn.Parameter(torch.zeros(plan.n_families, n_columns))
        self.own_bias = nn.Parameter(torch.zeros(n_tasks, n_columns))
        self.family: Tensor
        self.has_weights: Tensor
        self.closed: Tensor
        self.bias_precision: Tensor
        self.register_buffer("family", torch.tensor(plan.family))
        self.register_buffer("has_weights", torch.as_tensor(plan.has_weights, dtype=torch.float32))
        closed = np.where(plan.is_open, 0.0, -np.inf)
        self.register_buffer("closed", torch.as_tensor(closed, dtype=torch.float32))
        self.register_buffer("bias_precision", torch.as_tensor(1 / bias_variance))
        self.gain = None if given is None else nn.Parameter(torch.ones(n_tasks))
        if given is not None:
            self.register_buffer("given_weight", given.weight)
            self.register_buffer("given_bias", given.bias)
            self.register_buffer("own_scale", given.own_scale)
            self.register_buffer("centre", given.centre)

    def settle(self, centre: Tensor, bias_variance: Array) -> None:
        """Let own weights act on features about a centre, with these priors of the biases."""
        self.centre.copy_(centre)
        self.bias_precision.copy_(torch.as_tensor(1 / bias_variance))

    def forward(self, features: Tensor, segments: Segments | None) -> Tensor:
        """Logits of each row's own task, or of all tasks where ``segments`` is None.

        Returns
        -------
        Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        weight, bias = self.of_tasks()
        if segments is not None:
            return grouped_product(features, weight, segments) + segments.spread(bias)
        n_tasks, n_inputs, n_columns = weight.shape
        stacked = weight.permute(1, 0, 2).reshape(n_inputs, n_tasks * n_columns)
        return (features @ stacked).view(-1, n_tasks, n_columns) + bias

    def of_tasks(self) -> tuple[Tensor, Tensor]:
        """Weights and biases of the tasks' heads; -inf closes a column.

        Returns
        -------
        weight : Tensor of shape (n_tasks, n_inputs, n_columns)
        bias : Tensor of shape (n_tasks, n_columns)
        """
        weight = self._of_family(self.shared) + self.own
        bias = self._of_family(self.shared_bias) + self.own_bias
        if self.gain is not None:
            weight, bias = self._on_scaled(weight, bias)
            weight = weight + self.gain[:, None, None] * self.given_weight[self.family]
            bias = bias + self.gain[:, None] * self.given_bias[self.family]
        if not self.every_column:
            weight = weight * self.has_weights.unsqueeze(1)
            bias = bias * self.has_weights + self.closed
        return weight, bias

    def _of_family(self, values: Tensor) -> Tensor:
        """Those of each task's family; of the only one, for all tasks."""
        return values if values.shape[0] == 1 else values.index_select(0, self.family)

    def of_families(self) -> tuple[Tensor, Tensor]:
        """Weights and biases of the families' heads, with the mean gain of their tasks."""
        if self.gain is None:
            return self.shared, self.shared_bias
        gain = torch.stack([self.gain[self.family == f].mean() for f in range(len(self.shared))])
        weight, bias = self._on_scaled(self.shared, self.shared_bias)
        return (
            weight + gain[:, None, None] * self.given_weight,
            bias + gain[:, None] * self.given_bias,
        )

    def _on_scaled(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Heads on ``(features - centre) @ own_scale`` as heads on the features."""
        weight = self.own_scale @ weight
        return weight, bias - self.centre @ weight

    def penalty(self, alpha: float, head_alpha: float) -> Tensor:
        of_family, of_task = self.bias_precision
        twice: Tensor = (
            alpha * self.shared.square().sum()
            + head_alpha * self.own.square().sum()
            + (of_family * self.shared_bias.square()).sum()
            + (of_task.index_select(0, self.family) * self.own_bias.square()).sum()
        )
        if self.gain is not None:
            twice = twice + (self.gain - 1).square().sum()
        return 0.5 * twice
