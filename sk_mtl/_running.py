"""Feeds rows to a net: to train it, and to run it on any number of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sk_mtl._batches import ROWS_AT_A_TIME, TaskDataset
from sk_mtl._heads import HeadPlan
from sk_mtl._labels import MISSING
from sk_mtl._network import probabilities
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array
from sk_mtl._training import FullBatchNet, MiniBatchNet

Net = FullBatchNet | MiniBatchNet


def train(
    net: Net,
    rows: TrainingRows,
    held_out: TrainingRows | None,
    plan: HeadPlan,
    scaler: InputScaler,
    epochs: int,
    seed: int,
) -> None:
    """Train for ``epochs``, or until a callback stops it; ``seed`` decides the batches."""

    def dataset(part: TrainingRows) -> TaskDataset:
        part = part.sorted_by_task()
        task = np.arange(len(plan.family)) if part.task is None else part.task
        columns = np.where(part.codes == MISSING, MISSING, plan.columns[task, part.codes])
        example = next(net.module_.parameters())
        return TaskDataset(
            torch.as_tensor(scaler.transform(part.features)).to(example),
            None if part.task is None else torch.as_tensor(part.task, device=example.device),
            torch.as_tensor(columns, device=example.device),
            torch.as_tensor(part.weight).to(example),
        )

    split = dataset(rows), None if held_out is None else dataset(held_out)
    if isinstance(net, MiniBatchNet):
        net.iterator_train__seed = seed
    with torch.enable_grad():
        net.partial_fit(split, epochs=epochs)


def run(
    net: Net,
    scaler: InputScaler,
    features: Array,
    task: Array | None,
    compute: Callable[..., Tensor],
) -> Array:
    """``compute(rows, task)`` of a trained net for all rows, a chunk at a time."""
    example = next(net.module_.parameters())
    net.module_.eval()
    out: Array | None = None
    with torch.inference_mode():
        for start in range(0, len(features), ROWS_AT_A_TIME):
            chunk = slice(start, start + ROWS_AT_A_TIME)
            inputs = [torch.as_tensor(scaler.transform(features[chunk])).to(example)]
            order: Array | slice = slice(None)
            if task is not None:
                order = np.argsort(task[chunk], kind="stable")
                inputs = [inputs[0][torch.as_tensor(order)]]
                inputs.append(torch.as_tensor(task[chunk][order], device=example.device))
            values = compute(*inputs).cpu().numpy()
            if not np.isfinite(values).all():
                raise ValueError(
                    f"X holds values too large for {example.dtype}: the outcome is not finite. "
                    'Scale X, or fit with dtype="float64".'
                )
            if out is None:
                out = np.empty((len(features), *values.shape[1:]), dtype=values.dtype)
            out[chunk][order] = values
    assert out is not None  # check_array refuses empty X
    return out


def run_probabilities(net: Net, scaler: InputScaler, features: Array, task: Array | None) -> Array:
    """Probabilities of the output columns, (n_rows, n_columns) or (n_rows, n_tasks, n_columns)."""
    return run(net, scaler, features, task, lambda *inputs: probabilities(net.module_(*inputs)))


def run_representation(net: Net, scaler: InputScaler, features: Array, task: Array | None) -> Array:
    """The shared representation, of shape (n_rows, capacity)."""
    return run(net, scaler, features, task, net.module_.represent)
