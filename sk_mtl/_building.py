"""Builds the network of an estimator, from the parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import eigh

from sk_mtl._alignment import Alignment, DiagonalAlignment, FullAlignment, LowRankAlignment
from sk_mtl._class_targets import ClassTargets
from sk_mtl._covariance import coral_maps
from sk_mtl._heads import TaskHeads
from sk_mtl._network import AlignedNetwork
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler, every_position
from sk_mtl._shared import SharedModule, fully_connected, shared_by
from sk_mtl._tasks import Array
from sk_mtl._users_module import capacity_of, users_module
from sk_mtl._value_targets import ValueTargets


def build_network(
    rows: TrainingRows,
    targets: ClassTargets | ValueTargets,
    scaler: InputScaler,
    alignment: Alignment | None,
    params: dict[str, Any],
    random_state: np.random.RandomState,
) -> AlignedNetwork:
    """An untrained network for the rows' tasks."""
    n_features = rows.features.shape[-1]
    sizes = params["hidden_layer_sizes"]
    of_groups, widths = [], []
    module: torch.nn.Module
    for _ in range(targets.plan.n_groups):
        if params["shared_module"] is None:
            module = fully_connected(n_features, sizes, params["activation"], random_state)
            capacity = sizes[-1] if sizes else n_features
            # Without hidden layers the features are the representation: nothing to skip.
            skip_connection = params["skip_connection"] and bool(sizes)
        else:
            seed = int(random_state.randint(np.iinfo(np.int32).max))
            module = users_module(params["shared_module"], n_features, seed)
            capacity = capacity_of(module, scaler.transform(rows.features[:2]), seed)
            skip_connection = params["skip_connection"] and rows.features.ndim == 2
        of_groups.append(SharedModule(module))
        widths.append(capacity)
    if len(set(widths)) > 1:
        raise ValueError(
            f"shared_module made modules of the capacities {widths} for the groups of tasks. Make "
            "them of one capacity."
        )
    shared = shared_by(of_groups, targets.plan)
    n_inputs = capacity + n_features * skip_connection
    return AlignedNetwork(
        alignment,
        shared,
        TaskHeads(targets.plan, n_inputs, targets.bias_variances(rows)),
        capacity=capacity,
        skip_connection=skip_connection,
        penalties=penalties_of(params),
        n_uncertain=len(targets.plan.family) if params["learns_task_weight"] else 0,
    )


def penalties_of(params: dict[str, Any]) -> dict[str, float]:
    return {name: params[name] for name in ("alpha", "head_alpha", "alignment_alpha")}


def build_alignment(
    rows: TrainingRows,
    ids: Array,
    scaler: InputScaler,
    params: dict[str, Any],
    reference: Array,
    *,
    to_source: bool = False,
) -> Alignment | None:
    """The R_i at their start.

    Parameters
    ----------
    rows : TrainingRows
    ids : ndarray of shape (n_tasks,)
    scaler : InputScaler
    params : dict
    reference : ndarray of shape (n_features, n_features)
        The covariance that ``alignment_init="coral"`` aims at.
    to_source : bool
        Whether tasks are aligned to those of another model, so that even one is worth it.
    """
    kind, rank = params["alignment"], params["alignment_rank"]
    n_tasks, n_features = len(ids), rows.features.shape[-1]
    if kind == "auto":
        if rows.task is None or (n_tasks == 1 and not to_source):
            return None
        # Low rank pays once its 2 d r entries a task are fewer than the full d^2.
        kind = "low_rank" if 2 * rank < n_features else "full"
    if kind is None:
        return None
    if kind == "low_rank" and rank > n_features:
        raise ValueError(
            f"alignment_rank={rank} exceeds the number of features, {n_features}. Reduce "
            'alignment_rank, or pass alignment="full".'
        )
    # Among themselves, a single task, or tasks that share their rows, have nothing to align.
    apart = to_source or (rows.task is not None and n_tasks > 1)
    coral = params["alignment_init"] == "coral" and apart
    if kind != "low_rank" and not coral:
        return (FullAlignment if kind == "full" else DiagonalAlignment)(n_tasks, n_features)
    scaled = scaler.transform(rows.features)
    scaled, task, weight = every_position(scaled, rows.task, rows.row_weight)
    start = None
    if coral:
        maps = coral_maps(scaled, task, weight, reference, ids, diagonal=kind == "diagonal")
        start = torch.as_tensor(maps)
    if kind == "full":
        return FullAlignment(n_tasks, n_features, start)
    if kind == "diagonal":
        return DiagonalAlignment(n_tasks, n_features, start)
    scaled = scaled * np.sqrt(weight)[:, None]
    return LowRankAlignment(n_tasks, torch.as_tensor(_strongest(scaled, rank)), start)


def _strongest(rows: Array, rank: int) -> Array:
    """Orthonormal directions in which rows are the longest, of shape (n_features, rank)."""
    n_rows, n_features = rows.shape
    if rank <= n_rows < n_features:  # from the smaller Gram matrix, where that is precise
        squares, left = eigh(rows @ rows.T, subset_by_index=(n_rows - rank, n_rows - 1))
        if squares[0] > 1e-9 * squares[-1]:
            return np.asarray((rows.T @ left / np.sqrt(squares))[:, ::-1].copy())
    last = (n_features - rank, n_features - 1)
    return np.asarray(eigh(rows.T @ rows, subset_by_index=last)[1][:, ::-1].copy())
