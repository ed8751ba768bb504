"""The alignment matrices R_i, one per task: a start plus a penalised deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sk_mtl._grouped import Segments, grouped_product


class Alignment(nn.Module):
    """``R_i = S_i + D_i``: D_i is trained from 0, and penalised.

    Parameters
    ----------
    start : Tensor of shape (n_tasks, n_features, n_features) or None
        The S_i; None stands for the identity.
    """

    start: Tensor | None

    def __init__(self, start: Tensor | None) -> None:
        super().__init__()
        self.register_buffer("start", start)

    def forward(self, rows: Tensor, segments: Segments) -> Tensor:
        """Each row times its task's R_i, of the shape of ``rows``, (n_rows, n_features)."""
        started = rows if self.start is None else grouped_product(rows, self.start, segments)
        return started + self.deviate(rows, segments)

    def matrices(self) -> Tensor:
        """The R_i, of shape (n_tasks, n_features, n_features)."""
        deviations = self.deviations()
        start = torch.eye(deviations.shape[-1]) if self.start is None else self.start
        return start.to(deviations) + deviations

    def deviate(self, rows: Tensor, segments: Segments) -> Tensor:
        """Each row times its task's D_i."""
        raise NotImplementedError

    def deviations(self) -> Tensor:
        """The D_i, of shape (n_tasks, n_features, n_features)."""
        raise NotImplementedError

    def penalty(self) -> Tensor:
        """Sum over the tasks of the squared Frobenius norm of D_i."""
        raise NotImplementedError


class FullAlignment(Alignment):
    """A free matrix ``D_i`` of shape (n_features, n_features)."""

    def __init__(self, n_tasks: int, n_features: int, start: Tensor | None = None) -> None:
        super().__init__(start)
        self.deviation = nn.Parameter(torch.zeros(n_tasks, n_features, n_features))

    def deviate(self, rows: Tensor, segments: Segments) -> Tensor:
        return grouped_product(rows, self.deviation, segments)

    def deviations(self) -> Tensor:
        return self.deviation

    def penalty(self) -> Tensor:
        return self.deviation.square().sum()


class LowRankAlignment(Alignment):
    """``D_i = P_i Q_i``: ``P_i`` of shape (n_features, rank), ``Q_i`` (rank, n_features).

    ``P_i`` starts at ``directions``, of shape (n_features, rank), and ``Q_i`` at 0: training
    begins with what becomes of the strongest input directions.
    """

    def __init__(self, n_tasks: int, directions: Tensor, start: Tensor | None = None) -> None:
        super().__init__(start)
        n_features, rank = directions.shape
        self.down = nn.Parameter(directions.repeat(n_tasks, 1, 1))
        self.up = nn.Parameter(torch.zeros(n_tasks, rank, n_features))

    def deviate(self, rows: Tensor, segments: Segments) -> Tensor:
        return grouped_product(grouped_product(rows, self.down, segments), self.up, segments)

    def deviations(self) -> Tensor:
        return self.down @ self.up

    def penalty(self) -> Tensor:
        # |P Q|^2 = tr(P'P Q Q'): never forms the product.
        return ((self.down.mT @ self.down) * (self.up @ self.up.mT)).sum()


class DiagonalAlignment(Alignment):
    """``D_i = diag(d_i)``: a scale of its own per task and feature."""

    def __init__(self, n_tasks: int, n_features: int, start: Tensor | None = None) -> None:
        super().__init__(start)
        self.deviation = nn.Parameter(torch.zeros(n_tasks, n_features))

    def deviate(self, rows: Tensor, segments: Segments) -> Tensor:
        return rows * segments.spread(self.deviation)

    def deviations(self) -> Tensor:
        return torch.diag_embed(self.deviation)

    def penalty(self) -> Tensor:
        return self.deviation.square().sum()
