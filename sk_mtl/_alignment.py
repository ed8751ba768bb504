"""The alignment matrices R_i, one per task: the identity plus a penalised deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sk_mtl._grouped import Segments, grouped_product


class FullAlignment(nn.Module):
    """``R_i = I + D_i`` with a free matrix ``D_i`` of shape (n_features, n_features)."""

    def __init__(self, n_tasks: int, n_features: int) -> None:
        super().__init__()
        self.deviation = nn.Parameter(torch.zeros(n_tasks, n_features, n_features))

    def forward(self, rows: Tensor, segments: Segments) -> Tensor:
        return rows + grouped_product(rows, self.deviation, segments)

    def penalty(self) -> Tensor:
        """Sum over the tasks of the squared Frobenius norm of ``R_i - I``."""
        return self.deviation.square().sum()

    def matrices(self) -> Tensor:
        """The ``R_i``, of shape (n_tasks, n_features, n_features)."""
        return torch.eye(self.deviation.shape[1]).to(self.deviation) + self.deviation


class LowRankAlignment(nn.Module):
    """``R_i = I + P_i Q_i``: ``P_i`` of shape (n_features, rank), ``Q_i`` (rank, n_features).

    ``P_i`` starts at ``directions``, of shape (n_features, rank), and ``Q_i`` at 0: training
    begins with what becomes of the strongest input directions.
    """

    def __init__(self, n_tasks: int, directions: Tensor) -> None:
        super().__init__()
        n_features, rank = directions.shape
        self.down = nn.Parameter(directions.repeat(n_tasks, 1, 1))
        self.up = nn.Parameter(torch.zeros(n_tasks, rank, n_features))

    def forward(self, rows: Tensor, segments: Segments) -> Tensor:
        return rows + grouped_product(grouped_product(rows, self.down, segments), self.up, segments)

    def penalty(self) -> Tensor:
        # |P Q|^2 = tr(P'P Q Q'): never forms the product.
        return ((self.down.mT @ self.down) * (self.up @ self.up.mT)).sum()

    def matrices(self) -> Tensor:
        return torch.eye(self.down.shape[1]).to(self.down) + self.down @ self.up


class DiagonalAlignment(nn.Module):
    """``R_i = I + diag(d_i)``: a scale of its own per task and feature."""

    def __init__(self, n_tasks: int, n_features: int) -> None:
        super().__init__()
        self.deviation = nn.Parameter(torch.zeros(n_tasks, n_features))

    def forward(self, rows: Tensor, segments: Segments) -> Tensor:
        return rows + rows * segments.spread(self.deviation)

    def penalty(self) -> Tensor:
        return self.deviation.square().sum()

    def matrices(self) -> Tensor:
        return torch.diag_embed(1 + self.deviation)


Alignment = FullAlignment | LowRankAlignment | DiagonalAlignment
