"""The training loss: of each labelled entry, times its weight and its task's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sk_mtl._labels import MISSING

Target = tuple[Tensor, Tensor, Tensor | None]  # outputs to reach, weights, task codes


def cross_entropy(logits: Tensor, columns: Tensor) -> Tensor:
    """Minus the log-probability of each entry's class."""
    if logits.shape[-1] == 1:
        return nn.functional.binary_cross_entropy_with_logits(
            logits.squeeze(-1), columns.to(logits), reduction="none"
        )
    losses = nn.functional.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        columns.reshape(-1),
        reduction="none",
        ignore_index=MISSING,
    )
    return losses.view(columns.shape)


def squared_error(outputs: Tensor, values: Tensor) -> Tensor:
    """Half the squared distance of each entry."""
    return 0.5 * (outputs.squeeze(-1) - values).square()


_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cross_entropy": cross_entropy,
    "squared_error": squared_error,
}


class TaskLoss(nn.Module):
    """Losses summed over the labelled entries, each times its weight.

    With ``n_uncertain`` tasks, each task's weight is learned as well (Kendall, Gal and Cipolla
    2018): ``w_i = 1 / sigma_i^2`` for a noise of variance ``sigma_i^2`` in the task's targets,
    whose negative log-likelihood adds ``log sigma_i = -log(w_i) / 2`` to each entry. Penalties
    are to be multiplied by the mean weight: so they mean what they do with weights of mean 1.

    Parameters
    ----------
    kind : {"cross_entropy", "squared_error"}
    n_uncertain : int, default=0
    """

    def __init__(self, kind: str, n_uncertain: int = 0) -> None:
        super().__init__()
        self.entry_loss = _LOSSES[kind]
        self.certainty = nn.Parameter(torch.zeros(n_uncertain)) if n_uncertain else None

    def forward(self, outputs: Tensor, target: Target) -> Tensor:
        to_reach, weight, task = target
        losses = self.entry_loss(outputs, to_reach)
        if self.certainty is not None:
            log_weight: Tensor = self.certainty
            if task is not None:
                log_weight = log_weight.index_select(0, task)
            losses = log_weight.exp() * losses - 0.5 * log_weight
        total: Tensor = (weight * losses).sum()
        return total

    def mean_weight(self) -> Tensor | float:
        """Mean of the learned weights, which the penalty is multiplied by."""
        return 1.0 if self.certainty is None else self.certainty.exp().mean()

    def normalized_weight(self) -> Tensor:
        """The learned weights, normalised to a mean of 1."""
        assert self.certainty is not None
        return self.certainty.exp() / self.mean_weight()
