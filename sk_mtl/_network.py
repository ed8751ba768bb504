"""The network: alignment R_i, shared module B, task heads A_i."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sk_mtl._alignment import Alignment
from sk_mtl._grouped import Segments
from sk_mtl._heads import TaskHeads
from sk_mtl._shared import SharedModule

# Prior variance of what the hidden layers add to the linear path beside them, relative to its.
_NONLINEAR_SHARE = 0.03


class AlignedNetwork(nn.Module):
    """Outputs ``g(z R_i B) A_i + z R_i W_i + c_i`` of the rows of task i: logits, or values.

    Rows may have more than two dimensions, the features along the last. Positions that hold NaN
    are padding.

    Parameters
    ----------
    alignment : module or None
        The R_i.
    shared : SharedModule
        B with its activations g, from (n_rows, ..., n_features) to (n_rows, capacity).
    heads : TaskHeads
        A_i, W_i (present if ``skip_connection``) and the biases c_i, in one parameter.
    capacity : int
        Width of the shared representation.
    skip_connection : bool
    penalties : dict
        ``alpha``, ``head_alpha`` and ``alignment_alpha``.
    """

    def __init__(
        self,
        alignment: Alignment | None,
        shared: SharedModule,
        heads: TaskHeads,
        *,
        capacity: int,
        skip_connection: bool,
        penalties: dict[str, float],
    ) -> None:
        super().__init__()
        self.alignment = alignment
        self.shared = shared
        self.heads = heads
        self.capacity = capacity
        self.skip_connection = skip_connection
        self.penalties = penalties

    def forward(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """Outputs of each row's own task, or of all tasks where ``task`` is None.

        Rows must be sorted by task.

        Returns
        -------
        Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        if task is None and self.alignment is not None:
            n_tasks = self.heads.own.shape[0]
            every = torch.arange(n_tasks, device=rows.device).repeat_interleave(len(rows))
            stacked: Tensor = self(torch.cat([rows] * n_tasks), every)
            return stacked.view(n_tasks, len(rows), -1).transpose(0, 1)
        segments = None if task is None else Segments.of(task)
        aligned, mask = self._align(rows, segments)
        features = self.shared(aligned, mask)
        if self.skip_connection:
            features = torch.cat([_NONLINEAR_SHARE**0.5 * features, aligned], dim=1)
        outputs: Tensor = self.heads(features, segments)
        return outputs

    def align(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """The aligned rows ``z R_i``, 0 where there is padding."""
        return self._align(rows, None if task is None else Segments.of(task))[0]

    def represent(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """The shared representation ``g(z R_i B)``, of shape (n_rows, capacity)."""
        aligned, mask = self._align(rows, None if task is None else Segments.of(task))
        shared: Tensor = self.shared(aligned, mask)
        return shared

    def _align(self, rows: Tensor, segments: Segments | None) -> tuple[Tensor, Tensor | None]:
        """Aligned rows, and where they are not padding if they have positions."""
        mask = None
        if rows.ndim > 2:
            mask = ~rows[..., 0].isnan()
            rows = rows.masked_fill(~mask.unsqueeze(-1), 0.0)
        if self.alignment is not None and segments is not None:
            positions = rows[0, ..., 0].numel()
            if positions > 1:
                segments = segments.stretched(positions)
            flat: Tensor = self.alignment(rows.reshape(-1, rows.shape[-1]), segments)
            rows = flat.view(rows.shape)
        return rows, mask

    def penalty(self) -> Tensor:
        """Half the penalised squares, on the scale of the loss summed over rows."""
        weights = self.penalties
        total = 0.5 * self._shared_alpha * self.shared.penalty()
        total = total + self.heads.penalty(weights["alpha"], weights["head_alpha"])
        if self.alignment is not None:
            total = total + 0.5 * weights["alignment_alpha"] * self.alignment.penalty()
        return total

    @property
    def _shared_alpha(self) -> float:
        """The layers' penalty, which matches that of the heads on them: sides of one product."""
        return self.penalties["alpha"] / (_NONLINEAR_SHARE if self.skip_connection else 1.0)

    def stiffness(self) -> dict[str, Tensor | float]:
        """How strongly the penalty holds each parameter, by its name: its second derivative."""
        weights = self.penalties
        of_family, of_task = self.heads.bias_precision
        known: dict[str, Tensor | float] = {
            "heads.shared": weights["alpha"],
            "heads.own": weights["head_alpha"],
            "heads.shared_bias": of_family,
            "heads.own_bias": of_task.index_select(0, self.heads.family),
            "heads.gain": 1.0,
        }
        return {
            name: known[name]
            if name in known
            else weights["alignment_alpha"]
            if name.startswith("alignment.")
            else self._shared_alpha
            for name, _ in self.named_parameters()
        }


def probabilities(logits: Tensor) -> Tensor:
    """Class probabilities over the output columns, two of them for log-odds."""
    if logits.shape[-1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=-1)
    return torch.softmax(logits, dim=-1)
