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
from sk_mtl._entry_gradients import cross_entropy_gradient, squared_error_gradient
from sk_mtl._grouped import Segments, add_grouped_outer, grouped_product
from sk_mtl._head_gradients import HeadGradients
from sk_mtl._losses import TaskLoss, squared_error
from sk_mtl._network import NONLINEAR_SHARE, AlignedNetwork
from sk_mtl._shared import plain_layers
from sk_mtl._small_products import add_product, product
from sk_mtl._tasks import Array
from sk_mtl._vector import grad_of

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
        of_values = loss.entry_loss is squared_error
        self.entry_gradient = squared_error_gradient if of_values else cross_entropy_gradient
        self.layers = _built_in_layers(network.shared)
        self.heads = HeadGradients(network.heads)

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
        features = aligned.numpy()
        if self.layers is None:
            shared, shared_backward = self._through_autograd(aligned, mask, segments)
        else:
            needs = network.alignment is not None
            shared, shared_backward = _through_layers(self.layers, features, needs)
        inputs, capacity = shared, shared.shape[1]
        if network.skip_connection:
            inputs = np.empty((len(shared), capacity + features.shape[1]), dtype=shared.dtype)
            np.multiply(NONLINEAR_SHARE**0.5, shared, out=inputs[:, :capacity])
            inputs[:, capacity:] = features
        outputs, heads_backward = self.heads.forward(inputs, segments)
        gaps = gaps or task is None  # entries of weight 0 may have no label
        # Of one column, or a column for each task.
        to_reach, weights = (values.numpy().T.reshape(-1, len(rows)) for values in (target, weight))
        loss, grad = self.entry_gradient(outputs, to_reach, weights * scale, gaps)

        grad_inputs = heads_backward(grad)
        grad_shared, grad_aligned = grad_inputs, None
        if network.skip_connection:
            grad_shared = NONLINEAR_SHARE**0.5 * grad_inputs[:, :capacity]
            grad_aligned = grad_inputs[:, capacity:]
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
    """A layer; its activation, and the gradient before that by what it has put out: in place."""

    weight: Array
    bias: Array
    grad_weight: Array
    grad_bias: Array
    activate: Callable[[Array], Any]
    slope: Callable[[Array, Array], Any]


_ACTIVATIONS: dict[type[nn.Module], Any] = {
    nn.Identity: (lambda z: None, lambda grad, out: None),
    nn.ReLU: (
        lambda z: np.maximum(z, 0, out=z),
        lambda grad, out: np.multiply(grad, out > 0, out=grad),
    ),
    nn.Tanh: (
        lambda z: np.tanh(z, out=z),
        lambda grad, out: np.multiply(grad, 1 - out * out, out=grad),
    ),
    nn.Sigmoid: (
        lambda z: expit(z, out=z),
        lambda grad, out: np.multiply(grad, out * (1 - out), out=grad),
    ),
}


def _built_in_layers(shared: nn.Module) -> list[_Layer] | None:
    """The layers of `fully_connected`; None if there are others, or some are held still."""
    plain = plain_layers(shared)
    if plain is None:
        return None
    layers = []
    layer: Any
    for layer, activation in plain:
        values = [parameter.detach().numpy() for parameter in (layer.weight, layer.bias)]
        grads = [grad_of(parameter).numpy() for parameter in (layer.weight, layer.bias)]
        layers.append(_Layer(*values, *grads, *_ACTIVATIONS[type(activation)]))
    return layers


def _through_layers(
    layers: list[_Layer], aligned: Array, needs_grad: bool
) -> tuple[Array, Backward]:
    """The last layer's outputs; the way back to the layers' inputs where that is of use.

    It writes into the gradient that it is given.
    """
    outputs = [aligned]
    for layer in layers:
        z = product(outputs[-1], layer.weight.T)
        z += layer.bias
        layer.activate(z)
        outputs.append(z)

    def backward(grad: Array) -> Array | None:
        for j in reversed(range(len(layers))):
            layer = layers[j]
            layer.slope(grad, outputs[j + 1])
            add_product(layer.grad_weight, grad.T, outputs[j])
            np.add(layer.grad_bias, grad.sum(axis=0), out=layer.grad_bias)
            if j or needs_grad:
                grad = product(grad, layer.weight)
        return grad if needs_grad else None

    return outputs[-1], backward


def _align_backward(alignment: Alignment, rows: Tensor, segments: Segments, grad: Tensor) -> None:
    """Rows of several positions are rows of their own, those of padding 0."""
    if rows.ndim > 2:
        segments = segments.stretched(rows[0, ..., 0].numel())
        rows, grad = rows.nan_to_num(0.0).flatten(0, -2), grad.flatten(0, -2)
    if isinstance(alignment, FullAlignment):
        add_grouped_outer(grad_of(alignment.deviation), rows, grad, segments)
    elif isinstance(alignment, LowRankAlignment):
        between = grouped_product(rows, alignment.down, segments)
        add_grouped_outer(grad_of(alignment.up), between, grad, segments)
        before = grouped_product(grad, alignment.up.mT, segments)
        add_grouped_outer(grad_of(alignment.down), rows, before, segments)
    elif isinstance(alignment, DiagonalAlignment):
        grad_of(alignment.deviation).index_add_(0, segments.task, rows * grad)
