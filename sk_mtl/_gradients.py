"""Loss and gradient of a network, by hand: for small batches autograd takes longer than both.

The backward pass of `AlignedNetwork`, part by part, in the order of its forward pass. The arrays
are views of tensors: a call of numpy's takes a fraction of the time of one of torch's, of which a
small batch's would be most. Each task's own matrices stay with torch, which is faster with them,
and so does a shared module of the user's, which may be anything and goes through autograd.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor, nn

from sk_mtl._alignment import Alignment, DiagonalAlignment, FullAlignment, LowRankAlignment
from sk_mtl._grouped import Segments, add_grouped_outer, grouped_product
from sk_mtl._heads import TaskHeads
from sk_mtl._losses import TaskLoss, squared_error
from sk_mtl._network import NONLINEAR_SHARE, AlignedNetwork
from sk_mtl._shared import SharedModule
from sk_mtl._tasks import Array

# Multiplications of a product up to which OpenBLAS takes one thread.
_SMALL, _SMALL_OF_VECTOR = 2**18, 2**13
_STACKED = 64  # columns of all heads, up to which all tasks' outputs cost less than choosing

Backward = Callable[[Array], Array | None]


class Gradients:
    """Adds the gradient of the loss to the ``grad`` of the parameters.

    Parameters
    ----------
    network : AlignedNetwork
        One that `by_hand` says yes to. Its parameters and their ``grad`` must be there already,
        and stay where they are.
    loss : TaskLoss
    """

    def __init__(self, network: AlignedNetwork, loss: TaskLoss) -> None:
        self.network = network
        self.entry_loss = _squared_error if loss.entry_loss is squared_error else _cross_entropy
        self.layers = _built_in_layers(network.shared)
        self.heads = _Heads(network.heads)

    @np.errstate(all="ignore")
    def add(
        self,
        rows: Tensor,
        task: Tensor | None,
        target: Tensor,
        weight: Tensor,
        scale: float,
        *,
        gaps: bool = False,
    ) -> tuple[float, Tensor]:
        """Add ``scale`` times the gradient of a batch's loss. Grad mode must be off.

        Of overflow the loss tells, as in torch, and not numpy's warnings.

        Returns
        -------
        loss : float
            Times ``scale``.
        outputs : Tensor of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
        """
        network = self.network
        if task is None and network.tells_tasks_apart:
            every, task = network.for_every_task(rows)
            of_tasks = target.t().reshape(-1), weight.t().reshape(-1)
            loss, stacked = self.add(every, task, *of_tasks, scale, gaps=True)
            return loss, stacked.view(-1, len(rows), stacked.shape[-1]).transpose(0, 1)
        segments = None if task is None else Segments(task, training=True)
        aligned, mask = network.aligned(rows, segments)
        inputs = aligned.numpy()
        if self.layers is None:
            shared, shared_backward = self._through_autograd(aligned, mask, segments)
        else:
            needs = network.alignment is not None
            shared, shared_backward = _through_layers(self.layers, inputs, needs)
        if network.skip_connection:
            inputs = np.concatenate([NONLINEAR_SHARE**0.5 * shared, inputs], axis=1)
        else:
            inputs = shared
        outputs, heads_backward = self.heads.forward(inputs, segments)
        gaps = gaps or task is None  # entries of weight 0 may have no label
        # Of one column, or a column for each task.
        to_reach, weights = (values.numpy().T.reshape(-1, len(rows)) for values in (target, weight))
        loss, grad = self.entry_loss(outputs, to_reach, weights * scale, gaps)

        grad_inputs = heads_backward(grad)
        grad_shared, grad_aligned = grad_inputs, None
        if network.skip_connection:
            grad_shared = NONLINEAR_SHARE**0.5 * grad_inputs[:, : shared.shape[1]]
            grad_aligned = grad_inputs[:, shared.shape[1] :]
        through = shared_backward(grad_shared)
        if network.alignment is not None and segments is not None:
            assert through is not None
            grad_aligned = through if grad_aligned is None else through + grad_aligned
            _align_backward(network.alignment, rows, segments, torch.from_numpy(grad_aligned))
        by_row = torch.from_numpy(outputs.transpose(2, 0, 1))
        return loss, by_row if task is None else by_row[:, 0]

    def _through_autograd(
        self, aligned: Tensor, mask: Tensor | None, segments: Segments | None
    ) -> tuple[Array, Backward]:
        """The shared module's outputs, and the way back through it."""
        leaf = aligned.detach().requires_grad_(self.network.alignment is not None)
        with torch.enable_grad():
            shared: Tensor = self.network.shared(leaf, mask, segments)

        def backward(grad: Array) -> Array | None:
            if shared.requires_grad:
                shared.backward(torch.from_numpy(grad))  # type: ignore[no-untyped-call]
            return None if leaf.grad is None else leaf.grad.numpy()

        return shared.detach().numpy(), backward


_ALIGNMENTS = (type(None), FullAlignment, LowRankAlignment, DiagonalAlignment)


def by_hand(network: AlignedNetwork) -> bool:
    """Whether `Gradients` knows all parts of a network, and all of them train."""
    return (
        type(network.alignment) in _ALIGNMENTS
        and network.certainty is None
        and network.heads.gain is None
        and network.heads.own.device.type == "cpu"
        and all(p.requires_grad for n, p in network.named_parameters() if ".module." not in n)
    )


@dataclass(frozen=True)
class _Layer:
    """A layer with its activation, which is made in place, and the gradient before it from what
    it has put out, likewise.
    """

    weight: Array
    bias: Array
    grad_weight: Array
    grad_bias: Array
    activate: Callable[[Array], None]
    slope: Callable[[Array, Array], Array]


_ACTIVATIONS: dict[type[nn.Module], Any] = {
    nn.Identity: (lambda z: None, lambda grad, out: grad),
    nn.ReLU: (lambda z: np.maximum(z, 0, out=z), lambda grad, out: grad * (out > 0)),
    nn.Tanh: (lambda z: np.tanh(z, out=z), lambda grad, out: grad * (1 - out * out)),
    nn.Sigmoid: (lambda z: expit(z, out=z), lambda grad, out: grad * (out * (1 - out))),
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
        arrays = _values(layer.weight), _values(layer.bias), _grad(layer.weight), _grad(layer.bias)
        layers.append(_Layer(*arrays, *_ACTIVATIONS[type(activation)]))
    return layers


def _through_layers(
    layers: list[_Layer], aligned: Array, needs_grad: bool
) -> tuple[Array, Backward]:
    """The last layer's outputs; the way back to the layers' inputs where that is of use."""
    outputs = [aligned]
    for layer in layers:
        z = _product(outputs[-1], layer.weight.T)
        z += layer.bias
        layer.activate(z)
        outputs.append(z)

    def backward(grad: Array) -> Array | None:
        for j in reversed(range(len(layers))):
            layer = layers[j]
            grad = layer.slope(grad, outputs[j + 1])
            _add_product(layer.grad_weight, grad.T, outputs[j])
            np.add(layer.grad_bias, grad.sum(axis=0), out=layer.grad_bias)
            if j or needs_grad:
                grad = _product(grad, layer.weight)
        return grad if needs_grad else None

    return outputs[-1], backward


class _Heads:
    """The heads of a network, a task's of which is its family's plus its own."""

    def __init__(self, heads: TaskHeads) -> None:
        self.heads = heads
        self.family = heads.family.numpy()
        self.has_weights = heads.has_weights.numpy()
        self.closed = heads.closed.numpy()
        names = "shared", "own", "shared_bias", "own_bias"
        self.values = [_values(heads.get_parameter(name)) for name in names]
        self.grads = [_grad(heads.get_parameter(name)) for name in names]

    def forward(
        self, inputs: Array, segments: Segments | None
    ) -> tuple[Array, Callable[[Array], Array]]:
        """Outputs of each row's own task or of all tasks, and the way back.

        The outputs are of shape (1 or n_tasks, n_columns, n_rows): a row of the products for each
        column, which is much faster where there are few.
        """
        weight, bias = self.of_tasks()
        n_tasks, n_inputs, n_columns = weight.shape
        n_rows = len(inputs)
        if segments is not None and n_tasks * n_columns > _STACKED:
            return self._grouped(inputs, segments)

        stacked = weight.transpose(0, 2, 1).reshape(-1, n_inputs)
        of_all = _product(stacked, inputs.T)
        of_all += bias.reshape(-1, 1)
        outputs = of_all.reshape(n_tasks, n_columns, n_rows)
        choice: Any = None
        if segments is not None and n_tasks > 1:
            choice = _places(segments.task.numpy(), n_columns * n_rows, n_rows)
            choice = choice + n_rows * np.arange(n_columns)[:, None]
            outputs = outputs.reshape(-1)[choice][None]

        def backward(grad: Array) -> Array:
            if choice is not None:
                everywhere = np.zeros((n_tasks * n_columns, n_rows), dtype=grad.dtype)
                everywhere.reshape(-1)[choice] = grad[0]
                grad = everywhere
            grad = grad.reshape(-1, n_rows)
            grad_weight = _product(grad, inputs).reshape(n_tasks, n_columns, n_inputs)
            grad_bias = grad.sum(axis=1).reshape(n_tasks, n_columns)
            self.add(grad_weight.transpose(0, 2, 1), grad_bias)
            return _product(grad.T, stacked)

        return outputs, backward

    def _grouped(self, inputs: Array, segments: Segments) -> tuple[Array, Callable[[Array], Array]]:
        """The outputs of each row's own task, without those of all others."""
        rows = torch.from_numpy(inputs)
        weight, bias = self.heads.of_tasks()
        outputs = grouped_product(rows, weight, segments) + segments.spread(bias)

        def backward(grad: Array) -> Array:
            by_row = torch.from_numpy(grad[0].T)
            grad_weight = torch.zeros_like(weight)
            add_grouped_outer(grad_weight, rows, by_row, segments)
            grad_bias = torch.zeros_like(bias).index_add_(0, segments.task, by_row)
            self.add(grad_weight.numpy(), grad_bias.numpy())
            return grouped_product(by_row, weight.mT, segments).numpy()

        return outputs.numpy().T[None], backward

    def of_tasks(self) -> tuple[Array, Array]:
        """As `TaskHeads.of_tasks`."""
        shared, own, shared_bias, own_bias = self.values
        if len(shared) > 1:
            shared, shared_bias = shared[self.family], shared_bias[self.family]
        weight, bias = shared + own, shared_bias + own_bias
        if not self.heads.every_column:
            weight = weight * self.has_weights[:, None]
            bias = bias * self.has_weights + self.closed
        return weight, bias

    def add(self, grad_weight: Array, grad_bias: Array) -> None:
        """A task's head is its family's plus its own, so both have its gradient."""
        if not self.heads.every_column:
            grad_weight = grad_weight * self.has_weights[:, None]
            grad_bias = grad_bias * self.has_weights
        shared, own, shared_bias, own_bias = self.grads
        own += grad_weight
        own_bias += grad_bias
        if len(shared) == 1:
            shared += grad_weight.sum(axis=0)
            shared_bias += grad_bias.sum(axis=0)
        else:
            np.add.at(shared, self.family, grad_weight)
            np.add.at(shared_bias, self.family, grad_bias)


def _align_backward(alignment: Alignment, rows: Tensor, segments: Segments, grad: Tensor) -> None:
    """Rows of several positions are rows of their own, those of padding 0."""
    if rows.ndim > 2:
        segments = segments.stretched(rows[0, ..., 0].numel())
        rows, grad = rows.nan_to_num(0.0).flatten(0, -2), grad.flatten(0, -2)
    if isinstance(alignment, FullAlignment):
        add_grouped_outer(_tensor_grad(alignment.deviation), rows, grad, segments)
    elif isinstance(alignment, LowRankAlignment):
        between = grouped_product(rows, alignment.down, segments)
        add_grouped_outer(_tensor_grad(alignment.up), between, grad, segments)
        before = grouped_product(grad, alignment.up.mT, segments)
        add_grouped_outer(_tensor_grad(alignment.down), rows, before, segments)
    elif isinstance(alignment, DiagonalAlignment):
        _tensor_grad(alignment.deviation).index_add_(0, segments.task, rows * grad)


def _cross_entropy(logits: Array, columns: Array, weight: Array, gaps: bool) -> tuple[float, Array]:
    """Loss and gradient of logits of shape (n_tasks, n_columns, n_rows)."""
    if logits.shape[1] == 1:
        return _binary_cross_entropy(logits, columns, weight)
    if gaps:
        columns = columns.clip(min=0)
    n_tasks, n_columns, n_rows = logits.shape
    places = _places(columns, n_rows, n_rows)
    if n_tasks > 1:
        places = places + n_columns * n_rows * np.arange(n_tasks)[:, None]
    grad = np.subtract(logits, logits.max(axis=1, keepdims=True), order="C")
    own = grad.reshape(-1)[places]
    np.exp(grad, out=grad)
    total = grad.sum(axis=1)
    losses = np.log(total) - own
    if gaps:
        losses[weight == 0] = 0.0
    grad *= (weight / total)[:, None]
    grad.reshape(-1)[places] -= weight
    return _total(weight, losses), grad


def _binary_cross_entropy(logits: Array, positive: Array, weight: Array) -> tuple[float, Array]:
    """By torch, whose exponentials and logarithms are faster than numpy's."""
    odds = torch.from_numpy(logits[:, 0])
    is_positive = torch.from_numpy(positive.astype(logits.dtype, order="C"))
    weights = torch.from_numpy(np.ascontiguousarray(weight))
    loss = nn.functional.binary_cross_entropy_with_logits(
        odds, is_positive, weights, reduction="sum"
    )
    grad = torch.sigmoid(odds).sub_(is_positive).mul_(weights)
    return loss.item(), grad.numpy()[:, None]


def _squared_error(outputs: Array, values: Array, weight: Array, gaps: bool) -> tuple[float, Array]:
    off = outputs[:, 0] - values
    weighted = weight * off
    return 0.5 * _total(weighted, off), weighted[:, None]


def _product(left: Array, right: Array) -> Array:
    """``left @ right``. Large ones are torch's.

    They wake threads, and those of numpy's BLAS would wait for torch's, and torch's for them.
    """
    if _is_small(left, right):
        return np.asarray(left @ right)
    return torch.mm(torch.from_numpy(left), torch.from_numpy(right)).numpy()


def _add_product(out: Array, left: Array, right: Array) -> None:
    """Add ``left @ right`` to ``out``."""
    if _is_small(left, right):
        np.add(out, left @ right, out=out)
    else:
        torch.from_numpy(out).addmm_(torch.from_numpy(left), torch.from_numpy(right))


def _is_small(left: Array, right: Array) -> bool:
    """Whether numpy's BLAS takes one thread for a product."""
    n_rows, n_columns = len(left), int(right.shape[1])
    return left.size * n_columns <= (_SMALL if n_rows > 1 < n_columns else _SMALL_OF_VECTOR)


def _total(weight: Array, losses: Array) -> float:
    return float((weight * losses).sum())


def _places(index: Array, stride: int, n_rows: int) -> Array:
    """Where entry ``index`` of each row is in an array whose last axis are the rows."""
    return np.asarray(index * stride + np.arange(n_rows))


def _values(parameter: Tensor) -> Array:
    return parameter.detach().numpy()


def _grad(parameter: Tensor) -> Array:
    return _tensor_grad(parameter).numpy()


def _tensor_grad(parameter: Tensor) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad
