"""Feeds rows to a network: to train it, and to run it on any number of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from skorch.callbacks import Callback
from torch import Tensor
from torch.func import functional_call

from sk_mtl._batches import ROWS_AT_A_TIME, TaskDataset
from sk_mtl._full_batch import FullBatchNet
from sk_mtl._mini_batches import MiniBatchNet
from sk_mtl._network import AlignedNetwork
from sk_mtl._processes import Processes
from sk_mtl._resuming import checkpoints_of
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler, parts
from sk_mtl._schedule import End, Stage
from sk_mtl._scored_rows import ScoredRows, reader_of_rows
from sk_mtl._seeding import seeded
from sk_mtl._streamed_rows import RowStream, StreamedRows
from sk_mtl._tasks import Array

Net = FullBatchNet | MiniBatchNet
Tensors = tuple[Tensor, Tensor | None, Tensor, Tensor]


def train(
    net: Net,
    rows: TrainingRows | RowStream,
    held_out: TrainingRows | None,
    stages: list[Stage],
    seed: int,
    estimator: Any,
    epoch_tasks: Callback | None = None,
) -> End:
    """Go through the stages, and tell how that ended.

    ``seed`` decides the batches, and what a module of the user's draws.
    """
    example = next(net.module_.heads.parameters())

    def tensors(part: TrainingRows) -> Tensors:
        return _by_task(part, estimator._scaler, example)

    def dataset(part: TrainingRows | RowStream) -> Any:  # what the batches come from
        if isinstance(part, RowStream):
            rank = Processes.of(estimator.net_params).rank
            return StreamedRows(part, lambda chunk: TaskDataset(*tensors(chunk)), rank)
        return ScoredRows(part, estimator._targets, tensors(part))

    split = dataset(rows), None if held_out is None else dataset(held_out)
    if isinstance(net, MiniBatchNet):
        net.iterator_train__seed = seed
    checkpoints = checkpoints_of(net, estimator, split, stages, seed)
    with (
        _observed(net, estimator, epoch_tasks),
        torch.enable_grad(),
        seeded(seed, example.device),
    ):
        return net.train(*split, stages, checkpoints)


_TOO_LARGE = (
    "X holds values too large for {}, far beyond those of fit: the outcome is not finite. Scale "
    'X, or fit with dtype="float64".'
)


def _inputs(rows: Array, example: Tensor) -> Tensor:
    """Rows as a network takes them, small enough for it to square.

    Larger ones would overflow within it, where not all that comes out shows it.
    """
    inputs = torch.as_tensor(rows).to(example)
    # Positions of NaN are padding.
    real = inputs if rows.ndim == 2 else inputs.nan_to_num(0.0, torch.inf, -torch.inf)
    if not torch.linalg.vector_norm(real).isfinite():
        raise ValueError(_TOO_LARGE.format(example.dtype))
    return inputs


def _by_task(rows: TrainingRows, scaler: InputScaler, example: Tensor) -> Tensors:
    """Scaled features, task codes, targets and weights in the order of the tasks.

    Features, which may be in a file, are copied a part at a time.
    """
    order = None
    if rows.task is not None and (np.diff(rows.task) < 0).any():
        order = np.argsort(rows.task, kind="stable")

    def by_task(values: Array) -> Tensor:
        return torch.as_tensor(values if order is None else values[order], device=example.device)

    features = torch.empty(rows.features.shape, dtype=example.dtype, device=example.device)
    for part in parts(rows.features):
        chosen: Any = part if order is None else order[part]
        features[part] = _inputs(scaler.transform(rows.features[chosen]), example)
    target = by_task(rows.target)
    if target.is_floating_point():
        target = target.to(example)
    task = None if rows.task is None else by_task(rows.task)
    return features, task, target, by_task(rows.weight).to(example)


@contextmanager
def _observed(net: Net, estimator: Any, epoch_tasks: Callback | None) -> Iterator[None]:
    """Let a net know who looks at it while it trains, and forget it again."""
    own = net.callbacks_
    net.reader_ = reader_of_rows(estimator)
    if epoch_tasks is not None:
        net.callbacks_ = [*own, ("epoch_tasks", epoch_tasks)]
    try:
        yield
    finally:
        net.callbacks_, net.reader_ = own, None


def run(
    network: AlignedNetwork,
    scaler: InputScaler,
    features: Array,
    task: Array | None,
    compute: Callable[..., Tensor],
    *,
    of_outputs: bool = False,
) -> Array:
    """``compute(network, rows, task)`` of a trained network for all rows, a chunk at a time.

    With ``of_outputs``, what is computed depends on the network's outputs alone.
    """
    example = next(network.heads.parameters())
    network.eval()
    call: Any = network
    scale = scaler.transform
    sorts = task is not None and network.heads.own.shape[0] > 1
    out: Array | None = None
    with torch.inference_mode():
        absorbs = of_outputs and scaler.weight.ndim == 2 and network.meets_rows_first(features)
        if absorbs and scaler.is_moderate:
            # A product with d by d numbers for every row becomes one for the first weights.
            weights = network.absorbing(torch.as_tensor(scaler.weight).to(example))

            def call(*inputs: Tensor) -> Any:
                return functional_call(network, weights, inputs)

            scale = scaler.centre
        for start in range(0, len(features), ROWS_AT_A_TIME):
            chunk = slice(start, start + ROWS_AT_A_TIME)
            inputs = [_inputs(scale(features[chunk]), example)]
            order: Array | slice = slice(None)
            if task is not None:
                if sorts:
                    order = np.argsort(task[chunk], kind="stable")
                    inputs = [inputs[0][torch.as_tensor(order)]]
                inputs.append(torch.as_tensor(task[chunk][order], device=example.device))
            values = compute(call, *inputs).cpu().numpy()
            if not np.isfinite(values).all():
                raise ValueError(_TOO_LARGE.format(example.dtype))
            if out is None:
                out = np.empty((len(features), *values.shape[1:]), dtype=values.dtype)
            if sorts:
                out[chunk][order] = values
            else:
                out[chunk] = values
    assert out is not None  # check_array refuses empty X
    return out
