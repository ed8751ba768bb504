"""The network: alignment R_i, shared module B, task heads A_i."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from sk_mtl._alignment import Alignment
from sk_mtl._grouped import Segments
from sk_mtl._heads import TaskHeads
from sk_mtl._labels import MISSING

# Prior variance of what the hidden layers add to the linear path beside them, relative to its.
_NONLINEAR_SHARE = 0.03

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "identity": nn.Identity,
    "logistic": nn.Sigmoid,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


class SharedLayers(nn.Module):
    """The shared module B: fully connected layers, each followed by the activation.

    Weights start at random such that a layer keeps the squared norm of its input, biases at 0.
    The penalty is on the distance from that start: a layer that the data says little about
    remains a layer of random features, where a penalty on the weights themselves would switch it
    off. Biases are penalised as well, or they would be a way round the heads' priors.
    """

    def __init__(
        self,
        n_features: int,
        layer_sizes: Sequence[int],
        activation: str,
        random_state: np.random.RandomState,
    ) -> None:
        super().__init__()
        gain = 2.0 if activation == "relu" else 1.0
        layers: list[nn.Module] = []
        for n_in, n_out in zip([n_features, *layer_sizes], layer_sizes, strict=False):
            linear = nn.Linear(n_in, n_out, device="meta").to_empty(device="cpu")
            start = random_state.normal(scale=np.sqrt(gain / n_out), size=(n_out, n_in))
            with torch.no_grad():
                linear.weight.copy_(torch.as_tensor(start))
                linear.bias.zero_()
            layers += [linear, _ACTIVATIONS[activation]()]
        self.layers = nn.Sequential(*layers)
        for j, parameter in enumerate(self.layers.parameters()):
            self.register_buffer(f"start_{j}", parameter.detach().clone())

    def forward(self, rows: Tensor) -> Tensor:
        shared: Tensor = self.layers(rows)
        return shared

    def penalty(self) -> Tensor:
        """Squared distance of the parameters from their start."""
        distance = torch.zeros(())
        for j, parameter in enumerate(self.layers.parameters()):
            distance = distance + (parameter - getattr(self, f"start_{j}")).square().sum()
        return distance


class AlignedNetwork(nn.Module):
    """Logits ``g(z R_i B) A_i + z R_i W_i + c_i`` of the rows of task i.

    Parameters
    ----------
    alignment : module or None
        The R_i.
    shared : module
        B with its activations g, from (n_rows, n_features) to (n_rows, capacity).
    heads : TaskHeads
        A_i, W_i (present if ``skip_connection``) and the biases c_i, in one parameter.
    skip_connection : bool
    penalties : dict
        ``alpha``, ``head_alpha`` and ``alignment_alpha``.
    """

    def __init__(
        self,
        alignment: Alignment | None,
        shared: SharedLayers,
        heads: TaskHeads,
        *,
        skip_connection: bool,
        penalties: dict[str, float],
    ) -> None:
        super().__init__()
        self.alignment = alignment
        self.shared = shared
        self.heads = heads
        self.skip_connection = skip_connection
        self.penalties = penalties

    def forward(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """Logits of each row's own task, or of all tasks where ``task`` is None.

        Rows must be sorted by task.
        """
        if task is None and self.alignment is not None:
            n_tasks = self.heads.own.shape[0]
            every = torch.arange(n_tasks, device=rows.device).repeat_interleave(len(rows))
            stacked: Tensor = self(rows.repeat(n_tasks, 1), every)
            return stacked.view(n_tasks, len(rows), -1).transpose(0, 1)
        segments = None if task is None else Segments.of(task)
        aligned, shared = self._represent(rows, segments)
        if self.skip_connection:
            shared = torch.cat([_NONLINEAR_SHARE**0.5 * shared, aligned], dim=1)
        logits: Tensor = self.heads(shared, segments)
        return logits

    def _represent(self, rows: Tensor, segments: Segments | None) -> tuple[Tensor, Tensor]:
        if self.alignment is not None and segments is not None:
            rows = self.alignment(rows, segments)
        return rows, self.shared(rows)

    def represent(self, rows: Tensor, task: Tensor | None = None) -> Tensor:
        """The shared representation ``g(z R_i B)``, of shape (n_rows, capacity)."""
        return self._represent(rows, None if task is None else Segments.of(task))[1]

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
        }
        return {
            name: known[name]
            if name in known
            else weights["alignment_alpha"]
            if name.startswith("alignment.")
            else self._shared_alpha
            for name, _ in self.named_parameters()
        }


class TaskLoss(nn.Module):
    """Cross-entropy summed over the labelled entries, each times its weight."""

    def forward(self, logits: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        labels, weight = target
        if logits.shape[-1] == 1:
            return nn.functional.binary_cross_entropy_with_logits(
                logits.squeeze(-1), labels.to(logits), weight, reduction="sum"
            )
        losses = nn.functional.cross_entropy(
            logits.reshape(-1, logits.shape[-1]),
            labels.reshape(-1),
            reduction="none",
            ignore_index=MISSING,
        )
        return losses @ weight.reshape(-1)


def probabilities(logits: Tensor) -> Tensor:
    """Class probabilities over the output columns, two of them for log-odds."""
    if logits.shape[-1] == 1:
        positive = torch.sigmoid(logits)
        return torch.cat([1 - positive, positive], dim=-1)
    return torch.softmax(logits, dim=-1)
