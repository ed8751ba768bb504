"""Loss and gradient of a network, by hand: for small batches autograd takes longer than both.

The backward pass of `AlignedNetwork`, part by part, in the order of its forward pass. A shared
module of the user's, which may be anything, goes through autograd; the rest does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sk_mtl._alignment import Alignment, DiagonalAlignment, FullAlignment, LowRankAlignment
from sk_mtl._grouped import Segments, add_grouped_outer, grouped_product
from sk_mtl._heads import TaskHeads
from sk_mtl._losses import TaskLoss, squared_error
from sk_mtl._network import NONLINEAR_SHARE, AlignedNetwork
from sk_mtl._shared import SharedModule

_STACKED = 64  # columns of all heads, up to which all tasks' outputs cost less than choosing

Backward = Callable[[Tensor], Tensor | None]


class Gradients:
    """Adds the gradient of the loss to the ``grad`` of the parameters, which must be there.

    Parameters
    ----------
    network : AlignedNetwork
        One that `by_hand` says yes to.
    loss : TaskLoss
    """

    def __init__(self, network: AlignedNetwork, loss: TaskLoss) -> None:
        self.network = network
        self.entry_loss = _squared_error if loss.entry_loss is squared_error else _cross_entropy
        self.layers = _built_in_layers(network.shared)

    def add(
        self,
        rows: Tensor,
        task: Tensor | None,
        target: Tensor,
        weight: Tensor,
        scale: float,
        *,
        gaps: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """Add ``scale`` times the gradient of a batch's loss. Grad mode must be off.

        Returns
        -------
        loss : Tensor of shape ()
            Times ``scale``.
        outputs : Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        network = self.network
        if task is None and network.tells_tasks_apart:
            every, task = network.for_every_task(rows)
            of_tasks = target.t().reshape(-1), weight.t().reshape(-1)
            loss, outputs = self.add(every, task, *of_tasks, scale, gaps=True)
            return loss, outputs.view(-1, len(rows), outputs.shape[-1]).transpose(0, 1)
        segments = None if task is None else Segments(task, training=True)
        aligned, mask = network.aligned(rows, segments)
        if self.layers is None:
            shared, shared_backward = self._through_autograd(aligned, mask, segments)
        else:
            needs = network.alignment is not None
            shared, shared_backward = _through_layers(self.layers, aligned, needs)
        inputs = shared
        if network.skip_connection:
            inputs = torch.cat([NONLINEAR_SHARE**0.5 * shared, aligned], dim=1)
        outputs, heads_backward = _through_heads(network.heads, inputs, segments)
        gaps = gaps or task is None  # entries of weight 0 may have no label
        loss, grad = self.entry_loss(outputs, target, weight * scale, gaps)

        grad_inputs = heads_backward(grad)
        assert grad_inputs is not None
        grad_shared, grad_aligned = grad_inputs, None
        if network.skip_connection:
            grad_shared = NONLINEAR_SHARE**0.5 * grad_inputs[:, : shared.shape[1]]
            grad_aligned = grad_inputs[:, shared.shape[1] :]
        through = shared_backward(grad_shared)
        if network.alignment is not None and segments is not None:
            assert through is not None
            grad_aligned = through if grad_aligned is None else through + grad_aligned
            _align_backward(network.alignment, rows, segments, grad_aligned)
        return loss, outputs

    def _through_autograd(
        self, aligned: Tensor, mask: Tensor | None, segments: Segments | None
    ) -> tuple[Tensor, Backward]:
        """The shared module's outputs, and the way back through it."""
        leaf = aligned.detach().requires_grad_(self.network.alignment is not None)
        with torch.enable_grad():
            shared: Tensor = self.network.shared(leaf, mask, segments)

        def backward(grad: Tensor) -> Tensor | None:
            if shared.requires_grad:
                shared.backward(grad)  # type: ignore[no-untyped-call]
            return leaf.grad

        return shared.detach(), backward


_ALIGNMENTS = (type(None), FullAlignment, LowRankAlignment, DiagonalAlignment)


def by_hand(network: AlignedNetwork) -> bool:
    """Whether `Gradients` knows all parts of a network, and all of them train."""
    return (
        type(network.alignment) in _ALIGNMENTS
        and network.certainty is None
        and network.heads.gain is None
        and all(p.requires_grad for n, p in network.named_parameters() if ".module." not in n)
    )


@dataclass(frozen=True)
class _Layer:
    """A layer with its activation, and the gradient before that from what it has put out."""

    weight: Tensor
    bias: Tensor
    activate: Callable[[Tensor], Tensor]
    slope: Callable[[Tensor, Tensor], Tensor]


_ACTIVATIONS: dict[type[nn.Module], Any] = {
    nn.Identity: (lambda z: z, lambda grad, out: grad),
    nn.ReLU: (torch.relu, lambda grad, out: grad * out.sign()),
    nn.Tanh: (torch.tanh, lambda grad, out: grad * (1 - out * out)),
    nn.Sigmoid: (torch.sigmoid, lambda grad, out: grad * (out * (1 - out))),
}


def _built_in_layers(shared: nn.Module) -> list[_Layer] | None:
    """The layers of `fully_connected`; None if there are others, or some are held still."""
    module: Any = shared.module if isinstance(shared, SharedModule) else None
    if type(module) is not nn.Sequential or not all(p.requires_grad for p in module.parameters()):
        return None
    modules: list[Any] = list(module)
    if len(modules) % 2:
        return None
    layers = []
    for layer, activation in zip(modules[::2], modules[1::2], strict=True):
        known = type(layer) is nn.Linear and layer.bias is not None
        if not known or type(activation) not in _ACTIVATIONS:
            return None
        layers.append(_Layer(layer.weight, layer.bias, *_ACTIVATIONS[type(activation)]))
    return layers


def _through_layers(
    layers: list[_Layer], aligned: Tensor, needs_grad: bool
) -> tuple[Tensor, Backward]:
    """The last layer's outputs; the way back to the layers' inputs where that is of use."""
    outputs = [aligned]
    for layer in layers:
        outputs.append(layer.activate(torch.addmm(layer.bias, outputs[-1], layer.weight.t())))

    def backward(grad: Tensor) -> Tensor | None:
        for j in reversed(range(len(layers))):
            layer = layers[j]
            grad = layer.slope(grad, outputs[j + 1])
            _grad(layer.weight).addmm_(grad.t(), outputs[j])
            _grad(layer.bias).add_(grad.sum(dim=0))
            if j or needs_grad:
                grad = grad @ layer.weight
        return grad if needs_grad else None

    return outputs[-1], backward


def _through_heads(
    heads: TaskHeads, inputs: Tensor, segments: Segments | None
) -> tuple[Tensor, Backward]:
    """Outputs of each row's own task, or of all tasks; few columns in all are one product."""
    weight, bias = heads.of_tasks()
    n_tasks, n_inputs, n_columns = weight.shape
    if segments is not None and n_tasks * n_columns > _STACKED:
        outputs = grouped_product(inputs, weight, segments) + segments.spread(bias)

        def grouped_backward(grad: Tensor) -> Tensor:
            grad_weight = torch.zeros_like(weight)
            add_grouped_outer(grad_weight, inputs, grad, segments)
            grad_bias = torch.zeros_like(bias).index_add_(0, segments.task, grad)
            _add_to_heads(heads, grad_weight, grad_bias)
            return grouped_product(grad, weight.mT, segments)

        return outputs, grouped_backward

    # A column of the outputs for each row of these: much faster where there are few.
    stacked = weight.mT.reshape(-1, n_inputs)
    of_all = torch.addmm(bias.reshape(-1, 1), stacked, inputs.t())
    n_rows, choice = inputs.shape[0], None
    outputs = of_all.t()
    if segments is None:
        outputs = outputs.view(n_rows, n_tasks, n_columns)
    elif n_tasks > 1:
        choice = segments.task.expand(1, n_columns, n_rows)
        outputs = of_all.view(n_tasks, n_columns, n_rows).gather(0, choice)[0].t()

    def backward(grad: Tensor) -> Tensor:
        grad = grad.reshape(n_rows, -1).t()
        if choice is not None:
            everywhere = grad.new_zeros(n_tasks, n_columns, n_rows)
            grad = everywhere.scatter_(0, choice, grad.unsqueeze(0)).view(-1, n_rows)
        grad_weight = (grad @ inputs).view(n_tasks, n_columns, n_inputs).mT
        _add_to_heads(heads, grad_weight, grad.sum(dim=1).view(n_tasks, n_columns))
        return grad.t() @ stacked

    return outputs, backward


def _add_to_heads(heads: TaskHeads, grad_weight: Tensor, grad_bias: Tensor) -> None:
    """A task's head is its family's plus its own, so both have its gradient."""
    if not heads.every_column:
        grad_weight = grad_weight * heads.has_weights.unsqueeze(1)
        grad_bias = grad_bias * heads.has_weights
    _grad(heads.own).add_(grad_weight)
    _grad(heads.own_bias).add_(grad_bias)
    if heads.own.shape[0] == 1:
        _grad(heads.shared).add_(grad_weight)
        _grad(heads.shared_bias).add_(grad_bias)
    elif heads.shared.shape[0] == 1:
        _grad(heads.shared)[0].add_(grad_weight.sum(dim=0))
        _grad(heads.shared_bias)[0].add_(grad_bias.sum(dim=0))
    else:
        _grad(heads.shared).index_add_(0, heads.family, grad_weight)
        _grad(heads.shared_bias).index_add_(0, heads.family, grad_bias)


def _align_backward(alignment: Alignment, rows: Tensor, segments: Segments, grad: Tensor) -> None:
    """Rows of several positions are rows of their own, those of padding 0."""
    if rows.ndim > 2:
        segments = segments.stretched(rows[0, ..., 0].numel())
        rows, grad = rows.nan_to_num(0.0).flatten(0, -2), grad.flatten(0, -2)
    if isinstance(alignment, FullAlignment):
        add_grouped_outer(_grad(alignment.deviation), rows, grad, segments)
    elif isinstance(alignment, LowRankAlignment):
        between = grouped_product(rows, alignment.down, segments)
        add_grouped_outer(_grad(alignment.up), between, grad, segments)
        before = grouped_product(grad, alignment.up.mT, segments)
        add_grouped_outer(_grad(alignment.down), rows, before, segments)
    elif isinstance(alignment, DiagonalAlignment):
        _grad(alignment.deviation).index_add_(0, segments.task, rows * grad)


def _cross_entropy(
    logits: Tensor, columns: Tensor, weight: Tensor, gaps: bool
) -> tuple[Tensor, Tensor]:
    if logits.shape[-1] == 1:
        flat, positive = logits.squeeze(-1), columns.to(logits)
        loss = nn.functional.binary_cross_entropy_with_logits(
            flat, positive, weight, reduction="sum"
        )
        return loss, ((torch.sigmoid(flat) - positive) * weight).unsqueeze(-1)
    if gaps:
        columns = columns.clamp(min=0)
    across = -1
    if logits.ndim == 2:  # classes along the first axis, where torch is faster
        across, logits, columns = 0, logits.t(), columns.unsqueeze(0)
    else:
        columns = columns.unsqueeze(-1)
    weight = weight.view(columns.shape)
    log_probability = torch.log_softmax(logits, dim=across)
    if gaps:
        log_probability.masked_fill_(weight == 0, 0.0)
    minus = -weight
    loss = torch.dot(log_probability.gather(across, columns).view(-1), minus.view(-1))
    grad = log_probability.exp_().mul_(weight).scatter_add_(across, columns, minus)
    return loss, grad.t() if across == 0 else grad


def _squared_error(
    outputs: Tensor, values: Tensor, weight: Tensor, gaps: bool
) -> tuple[Tensor, Tensor]:
    off = outputs.squeeze(-1) - values
    weighted = weight * off
    return 0.5 * (weighted * off).sum(), weighted.unsqueeze(-1)


def _grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
