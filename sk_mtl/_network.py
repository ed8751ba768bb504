"""The network: alignment R_i, shared module B, task heads A_i."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

import sk_mtl._forking  # noqa: F401 - so that networks run in forked processes
from sk_mtl._alignment import Alignment
from sk_mtl._grouped import MANY, Segments
from sk_mtl._heads import TaskHeads
from sk_mtl._shared import SharedModule, SharedModules, padding_mask

# Prior variance of what the hidden layers add to the linear path beside them, relative to its.
NONLINEAR_SHARE = 0.03


class AlignedNetwork(nn.Module):
    """Outputs ``g(z R_i B) A_i + z R_i W_i + c_i`` of the rows of task i: logits, or values.

    Rows may have more than two dimensions, the features along the last. Positions that hold NaN
    are padding.

    Parameters
    ----------
    alignment : module or None
        The R_i.
    shared : SharedModule or SharedModules
        B with its activations g, from (n_rows, ..., n_features) to (n_rows, capacity).
    heads : TaskHeads
        A_i, W_i (present if ``skip_connection``) and the biases c_i, in one parameter.
    capacity : int
        Width of the shared representation.
    skip_connection : bool
    penalties : dict
        ``alpha``, ``head_alpha`` and ``alignment_alpha``.
    n_uncertain : int, default=0
        Number of tasks, if their weights are learned.
    """

    def __init__(
        self,
        alignment: Alignment | None,
        shared: SharedModule | SharedModules,
        heads: TaskHeads,
        *,
        capacity: int,
        skip_connection: bool,
        penalties: dict[str, float],
        n_uncertain: int = 0,
    ) -> None:
        super().__init__()
        self.alignment = alignment
        self.shared = shared
        self.heads = heads
        self.capacity = capacity
        self.skip_connection = skip_connection
        self.penalties = penalties
        self.certainty = nn.Parameter(torch.zeros(n_uncertain)) if n_uncertain else None

    def forward(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """Outputs of each row's own task, or of all tasks where ``task`` is None.

        Rows must be sorted by task.

        Returns
        -------
        Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        if task is None and self.tells_tasks_apart:
            stacked: Tensor = self(*self.for_every_task(rows))
            return stacked.view(-1, len(rows), stacked.shape[-1]).transpose(0, 1)
        segments = None if task is None else Segments(task)
        outputs: Tensor = self.heads(self._head_inputs(rows, segments), segments)
        return outputs

    def for_every_task(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The rows once for each task, and the tasks."""
        n_tasks = self.heads.own.shape[0]
        task = torch.arange(n_tasks, device=rows.device).repeat_interleave(len(rows))
        return torch.cat([rows] * n_tasks), task

    def head_inputs(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """What the heads see: the shared representation, and the aligned rows if they skip it."""
        return self._head_inputs(rows, None if task is None else Segments(task))

    def _head_inputs(self, rows: Tensor, segments: Segments | None) -> Tensor:
        aligned, mask = self.aligned(rows, segments)
        shared: Tensor = self.shared(aligned, mask, segments)
        if self.skip_connection:
            return torch.cat([NONLINEAR_SHARE**0.5 * shared, aligned], dim=1)
        return shared

    def align(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """The aligned rows ``z R_i``, 0 where there is padding."""
        return self.aligned(rows, None if task is None else Segments(task))[0]

    def represent(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """The shared representation ``g(z R_i B)``, of shape (n_rows, capacity)."""
        segments = None if task is None else Segments(task)
        aligned, mask = self.aligned(rows, segments)
        shared: Tensor = self.shared(aligned, mask, segments)
        return shared

    def aligned(self, rows: Tensor, segments: Segments | None) -> tuple[Tensor, Tensor | None]:
        """Aligned rows, and where they are not padding if they have positions."""
        rows, mask = padding_mask(rows)
        if self.alignment is not None and segments is not None:
            n_positions = rows[0, ..., 0].numel()
            if n_positions > 1:
                segments = segments.stretched(n_positions)
            flat: Tensor = self.alignment(rows.reshape(-1, rows.shape[-1]), segments)
            rows = flat.view(rows.shape)
        return rows, mask

    @property
    def tells_tasks_apart(self) -> bool:
        """Whether what the heads see of a row depends on the row's task."""
        return self.alignment is not None or isinstance(self.shared, SharedModules)

    @property
    def sees_features(self) -> bool:
        """Whether the last inputs of the heads are the aligned features themselves."""
        module = self.shared.module
        return self.skip_connection or (isinstance(module, nn.Sequential) and not len(module))

    def meets_rows_first(self, rows: Any) -> bool:
        """Whether rows meet nothing but weights of plain layers and of heads: see `absorbing`."""
        module = self.shared.module if isinstance(self.shared, SharedModule) else None
        return (
            rows.ndim == 2
            and self.alignment is None
            and self.heads.gain is None
            and type(module) is nn.Sequential
            and (not len(module) or type(module[0]) is nn.Linear)
        )

    def absorbing(self, matrix: Tensor) -> dict[str, Tensor]:
        """Parameters with which rows give the outputs that ``rows @ matrix`` gives without."""
        absorbed: dict[str, Tensor] = {}
        module: Any = self.shared.module
        if len(module):
            absorbed["shared.module.0.weight"] = module[0].weight @ matrix.t()
        if self.sees_features:
            first = self.capacity if self.skip_connection else 0
            for name in ("shared", "own"):
                weight = self.heads.get_parameter(name)
                seen = matrix @ weight[:, first:]
                absorbed[f"heads.{name}"] = torch.cat([weight[:, :first], seen], dim=1)
        return absorbed

    def own_b(self) -> None:
        """Take a copy of the shared module, penalised for leaving what it is now."""
        try:
            self.shared = deepcopy(self.shared)
        except RuntimeError as error:
            raise ValueError(f"The source's shared module cannot be copied: {error}") from error
        assert isinstance(self.shared, SharedModule)  # groups have none to start from
        self.shared.anchor()

    def penalty(self) -> Tensor:
        """Half the penalised squares, on the scale of the loss summed over rows."""
        weights = self.penalties
        total = self.heads.penalty(weights["alpha"], weights["head_alpha"])
        if self.shared.starts():
            total = total + 0.5 * self._shared_alpha * self.shared.penalty()
        if self.alignment is not None:
            total = total + 0.5 * weights["alignment_alpha"] * self.alignment.penalty()
        log_weight = self.log_weight()
        if log_weight is not None:  # so that penalties mean what they do with a mean of 1
            total = total * log_weight.exp().mean()
        return total

    @property
    def _shared_alpha(self) -> float:
        """The layers' penalty, which matches that of the heads on them: sides of one product."""
        return self.penalties["alpha"] / (NONLINEAR_SHARE if self.skip_connection else 1.0)

    def log_weight(self) -> Tensor | None:
        """Logarithms of the learned task weights, bounded where a task is fitted exactly."""
        return None if self.certainty is None else self.certainty.clamp(-10, 10)

    def starts(self) -> dict[str, Tensor]:
        """What the penalty holds parameters to, by their names, where it is not 0."""
        return {f"shared.{name}": start for name, start in self.shared.starts().items()}

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
            "certainty": 0.0,
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
    if logits.ndim == 2 and len(logits) >= MANY:  # torch is faster across the first axis
        return torch.softmax(logits.t().contiguous(), dim=0).t()
    return torch.softmax(logits, dim=-1)
