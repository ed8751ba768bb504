"""The training loss: of each labelled entry, times its weight and its task's."""

from __future__ import annotations

from collections.abc import Callable

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

    With ``log_weight``, the logarithms of task weights that are learned as well (Kendall, Gal and
    Cipolla 2018): ``w_i = 1 / sigma_i^2`` for a noise of variance ``sigma_i^2`` in the task's
    targets, whose negative log-likelihood adds ``log sigma_i = -log(w_i) / 2`` to each entry.

    Parameters
    ----------
    kind : {"cross_entropy", "squared_error"}
    """

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.entry_loss = _LOSSES[kind]

    def forward(self, outputs: Tensor, target: Target, log_weight: Tensor | None = None) -> Tensor:
        to_reach, weight, task = target
        losses = self.entry_loss(outputs, to_reach)
        if log_weight is not None:
            if task is not None:
                log_weight = log_weight.index_select(0, task)
            losses = log_weight.exp() * losses - 0.5 * log_weight
        total: Tensor = (weight * losses).sum()
        return total
