"""Feeds rows to a network: to train it, and to run it on any number of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sk_mtl._batches import ROWS_AT_A_TIME, TaskDataset
from sk_mtl._network import AlignedNetwork
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler
from sk_mtl._schedule import Stage
from sk_mtl._tasks import Array
from sk_mtl._training import FullBatchNet, MiniBatchNet

Net = FullBatchNet | MiniBatchNet


def train(
    net: Net,
    rows: TrainingRows,
    held_out: TrainingRows | None,
    scaler: InputScaler,
    stages: list[Stage],
    seed: int,
) -> bool:
    """Go through the stages, and tell whether each that is to converge did.

    ``seed`` decides the batches, and what a module of the user's draws.
    """

    def dataset(part: TrainingRows) -> TaskDataset:
        part = part.sorted_by_task()
        example = next(net.module_.heads.parameters())
        target = torch.as_tensor(part.target, device=example.device)
        return TaskDataset(
            torch.as_tensor(scaler.transform(part.features)).to(example),
            None if part.task is None else torch.as_tensor(part.task, device=example.device),
            target.to(example) if target.is_floating_point() else target,
            torch.as_tensor(part.weight).to(example),
        )

    split = dataset(rows), None if held_out is None else dataset(held_out)
    device = split[0].rows.device
    if isinstance(net, MiniBatchNet):
        net.iterator_train__seed = seed
    converged, best = True, None
    with torch.enable_grad(), torch.random.fork_rng([device] if device.type != "cpu" else []):
        torch.manual_seed(seed)
        for stage in stages:
            before = len(net.history)
            net.train_stage(split, stage)
            converged &= (
                stage.may_be_cut or net.converged_ or len(net.history) - before < stage.epochs
            )
            if held_out is not None:
                best = _better(best, net, before)
            if net.interrupted_:
                break
    if best is not None:
        net.module_.load_state_dict(best[1])
    return converged


Best = tuple[float, dict[str, Tensor]]  # score on the held-out rows, and the weights that have it


def _better(best: Best | None, net: Net, since: int) -> Best | None:
    """The best epoch so far: each stage leaves the net with the weights of its own best."""
    scores = [epoch["valid_score"] for epoch in net.history[since:]]
    if not scores or (best is not None and best[0] >= max(scores)):
        return best
    state = {name: value.clone() for name, value in net.module_.state_dict().items()}
    return max(scores), state


def run(
    network: AlignedNetwork,
    scaler: InputScaler,
    features: Array,
    task: Array | None,
    compute: Callable[..., Tensor],
) -> Array:
    """``compute(network, rows, task)`` of a trained network for all rows, a chunk at a time."""
    example = next(network.heads.parameters())
    network.eval()
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
            values = compute(network, *inputs).cpu().numpy()
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
