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
    """Heads of families that are known from another model, and stay as they are.

    Attributes
    ----------
    weight : Tensor of shape (n_families, n_inputs, n_columns)
    bias : Tensor of shape (n_families, n_columns)
    known : Tensor of bool of shape (n_families, n_columns)
        Columns that are known. The others are trained.
    """

    weight: Tensor
    bias: Tensor
    known: Tensor


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
    """

    def __init__(
        self,
        plan: HeadPlan,
        n_inputs: int,
        bias_variance: Array,
        given: GivenHeads | None = None,
    ) -> None:
        super().__init__()
        n_tasks, n_columns = plan.is_open.shape
        self.single_column = plan.single_column
        self.shared = nn.Parameter(torch.zeros(plan.n_families, n_inputs, n_columns))
        self.own = nn.Parameter(torch.zeros(n_tasks, n_inputs, n_columns))
        self.shared_bias = nn.Parameter(torch.zeros(plan.n_families, n_columns))
        self.own_bias = nn.Parameter(torch.zeros(n_tasks, n_columns))
        self.family: Tensor
        self.has_weights: Tensor
        self.closed: Tensor
        self.bias_precision: Tensor
        self.register_buffer("family", torch.as_tensor(plan.family))
        self.register_buffer("has_weights", torch.as_tensor(plan.has_weights, dtype=torch.float32))
        closed = np.where(plan.is_open, 0.0, -np.inf)
        self.register_buffer("closed", torch.as_tensor(closed, dtype=torch.float32))
        self.register_buffer("bias_precision", torch.as_tensor(1 / bias_variance))
        self.has_given = given is not None
        if given is not None:
            self.given_weight: Tensor
            self.given_bias: Tensor
            self.trained: Tensor
            self.register_buffer("given_weight", given.weight)
            self.register_buffer("given_bias", given.bias)
            self.register_buffer("trained", (~given.known).to(given.bias))

    def forward(self, features: Tensor, segments: Segments | None) -> Tensor:
        """Logits of each row's own task, or of all tasks where ``segments`` is None.

        Returns
        -------
        Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        shared, shared_bias = self.of_families()
        weight = shared.index_select(0, self.family) + self.own
        bias = shared_bias.index_select(0, self.family) + self.own_bias
        if not self.single_column:
            weight = weight * self.has_weights.unsqueeze(1)
            bias = bias * self.has_weights + self.closed
        if segments is not None:
            return grouped_product(features, weight, segments) + segments.spread(bias)
        n_tasks, n_inputs, n_columns = weight.shape
        stacked = weight.permute(1, 0, 2).reshape(n_inputs, n_tasks * n_columns)
        return (features @ stacked).view(-1, n_tasks, n_columns) + bias

    def of_families(self) -> tuple[Tensor, Tensor]:
        """Weights and biases of the families' heads."""
        if not self.has_given:
            return self.shared, self.shared_bias
        return (
            self.given_weight + self.trained.unsqueeze(1) * self.shared,
            self.given_bias + self.trained * self.shared_bias,
        )

    def penalty(self, alpha: float, head_alpha: float) -> Tensor:
        of_family, of_task = self.bias_precision
        twice: Tensor = (
            alpha * self.shared.square().sum()
            + head_alpha * self.own.square().sum()
            + (of_family * self.shared_bias.square()).sum()
            + (of_task.index_select(0, self.family) * self.own_bias.square()).sum()
        )
        return 0.5 * twice
