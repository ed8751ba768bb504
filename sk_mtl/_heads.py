"""One head per task, stacked in one padded parameter, around heads that label sets share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sk_mtl._grouped import Segments, grouped_product
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class HeadPlan:
    """Which output column stands for which class of which task.

    Tasks whose label sets agree for the most part form a *family*: they share a head. A family
    of two classes needs one column only, the log-odds of the second class. Where all families
    are such, there is a single column; otherwise the first column of a binary family stays at 0.

    Attributes
    ----------
    family : ndarray of shape (n_tasks,)
    columns : ndarray of shape (n_tasks, max n_classes)
        Output column of each class of a task; 0 pads.
    is_open : ndarray of bool of shape (n_tasks, n_columns)
        Columns that belong to a class of the task.
    has_weights : ndarray of bool of shape (n_tasks, n_columns)
    """

    family: Array
    columns: Array
    is_open: Array
    has_weights: Array

    @classmethod
    def of(cls, per_task: list[Array]) -> HeadPlan:
        family, members = _families([classes.tolist() for classes in per_task])
        sizes = np.array([len(labels) for labels in members])[family]
        n_classes = np.array([len(classes) for classes in per_task])
        if (sizes == 2).all() and (n_classes == 2).all():
            ones = np.ones((len(per_task), 1), dtype=bool)
            return cls(family, np.tile([0, 1], (len(per_task), 1)), ones, ones)
        columns = np.zeros((len(per_task), n_classes.max()), dtype=np.intp)
        # Never a single column: that would be log-odds.
        is_open = np.zeros((len(per_task), max(sizes.max(), 2)), dtype=bool)
        for t, classes in enumerate(per_task):
            own = [members[family[t]].index(label) for label in classes.tolist()]
            columns[t, : len(own)] = own
            is_open[t, own] = True
        has_weights = is_open.copy()
        has_weights[sizes <= 2, 0] = False
        return cls(family, columns, is_open, has_weights)

    @property
    def log_odds(self) -> bool:
        """Whether the single column is the log-odds of each task's second class."""
        return bool(self.is_open.shape[1] == 1)

    @property
    def n_families(self) -> int:
        return int(self.family.max()) + 1


def _families(label_sets: list[list[Any]]) -> tuple[Array, list[list[Any]]]:
    """Group label sets that have more than half of their union in common, the largest first.

    With few rows a task may lack a class of its label set by chance; it still shares with the
    others. Codes that coincide by accident (0 and 1 of a binary task beside 0 to 5) do not.
    """
    family = np.empty(len(label_sets), dtype=np.intp)
    members: list[set[Any]] = []
    for t in sorted(range(len(label_sets)), key=lambda t: -len(label_sets[t])):
        labels = set(label_sets[t])
        close = [f for f, of in enumerate(members) if 2 * len(labels & of) > len(labels | of)]
        if not close:
            members.append(set())
        family[t] = close[0] if close else len(members) - 1
        members[family[t]] |= labels
    return family, [sorted(labels) for labels in members]


class TaskHeads(nn.Module):
    """Logits ``features @ (shared[family of i] + own[i]) + biases`` of task i.

    Parameters
    ----------
    plan : HeadPlan
    n_inputs : int
    bias_variance : ndarray of shape (2, n_families, n_columns)
        Variances of the Gaussian priors on the biases: of a family, and of a task around it.
    """

    def __init__(self, plan: HeadPlan, n_inputs: int, bias_variance: Array) -> None:
        super().__init__()
        n_tasks, n_columns = plan.is_open.shape
        self.log_odds = plan.log_odds
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

    def forward(self, features: Tensor, segments: Segments | None) -> Tensor:
        """Logits of each row's own task, or of all tasks where ``segments`` is None.

        Returns
        -------
        Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        weight = self.shared.index_select(0, self.family) + self.own
        bias = self.shared_bias.index_select(0, self.family) + self.own_bias
        if not self.log_odds:
            weight = weight * self.has_weights.unsqueeze(1)
            bias = bias * self.has_weights + self.closed
        if segments is not None:
            return grouped_product(features, weight, segments) + segments.spread(bias)
        n_tasks, n_inputs, n_columns = weight.shape
        stacked = weight.permute(1, 0, 2).reshape(n_inputs, n_tasks * n_columns)
        return (features @ stacked).view(-1, n_tasks, n_columns) + bias

    def penalty(self, alpha: float, head_alpha: float) -> Tensor:
        of_family, of_task = self.bias_precision
        twice: Tensor = (
            alpha * self.shared.square().sum()
            + head_alpha * self.own.square().sum()
            + (of_family * self.shared_bias.square()).sum()
            + (of_task.index_select(0, self.family) * self.own_bias.square()).sum()
        )
        return 0.5 * twice
