"""Loss and gradient of a network's outputs, of shape (n_tasks, n_columns, n_rows).

What is to be reached, and weights, are of shape (n_tasks, n_rows).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from sk_mtl._tasks import Array


def cross_entropy_gradient(
    logits: Array, columns: Array, weight: Array, gaps: bool
) -> tuple[float, Array]:
    """Of logits; with gaps, entries of the weight 0 may have no label."""
    if logits.shape[1] == 1:
        return _binary_cross_entropy(logits, columns, weight)
    if gaps:
        columns = columns.clip(min=0)
    n_tasks, n_columns, n_rows = logits.shape
    places = places_of(columns, n_rows, n_rows)
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


def squared_error_gradient(
    outputs: Array, values: Array, weight: Array, gaps: bool
) -> tuple[float, Array]:
    off = outputs[:, 0] - values
    weighted = weight * off
    return 0.5 * _total(weighted, off), weighted[:, None]


def _total(weight: Array, losses: Array) -> float:
    return float((weight * losses).sum())


def places_of(index: Array, stride: int, n_rows: int) -> Array:
    """Where entry ``index`` of each row is in an array whose last axis are the rows."""
    return np.asarray(index * stride + np.arange(n_rows))
