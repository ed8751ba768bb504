"""Tasks beside those that a network was trained on: its B stays, R and A are theirs."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sk_mtl._alignment import Alignment
from sk_mtl._building import penalties_of
from sk_mtl._class_targets import ClassTargets
from sk_mtl._heads import GivenHeads, TaskHeads
from sk_mtl._network import AlignedNetwork
from sk_mtl._plan import HeadPlan, alike
from sk_mtl._rows import TrainingRows
from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array
from sk_mtl._value_targets import ValueTargets

Logit = tuple[Tensor, Tensor]  # weights and bias


@dataclass(frozen=True)
class TaskGroup:
    """Tasks that were fitted together, with the network that predicts them.

    Attributes
    ----------
    first : int
        Code of the first task; the others follow.
    targets : ClassTargets or ValueTargets
    network : AlignedNetwork
    """

    first: int
    targets: Any
    network: AlignedNetwork

    @property
    def n_tasks(self) -> int:
        return len(self.targets.plan.family)

    def alignment_matrices(self, n_features: int) -> Array:
        """The R_i, of shape (n_tasks, n_features, n_features)."""
        if self.network.alignment is None:
            return np.tile(np.eye(n_features), (self.n_tasks, 1, 1))
        matrices: Array = self.network.alignment.matrices().detach().cpu().numpy()
        return matrices


@dataclass(frozen=True)
class AddedTasks:
    """What tasks have of their own that were added to a fitted network."""

    targets: ClassTargets | ValueTargets
    alignment: Alignment | None
    heads: TaskHeads

    def network_with(self, fitted: AlignedNetwork) -> AlignedNetwork:
        """The network of these tasks: the shared module is that of ``fitted`` itself."""
        return AlignedNetwork(
            self.alignment,
            fitted.shared,
            self.heads,
            capacity=fitted.capacity,
            skip_connection=fitted.skip_connection,
            penalties=fitted.penalties,
        )


def network_from_source(
    source: AlignedNetwork,
    source_plan: HeadPlan,
    scaler: InputScaler,
    rows: TrainingRows,
    targets: ClassTargets | ValueTargets,
    alignment: Alignment | None,
    params: dict[str, Any],
) -> AlignedNetwork:
    """An untrained network for the rows' tasks, with a copy of the source's B.

    Where the source has a head for (most of) a task's labels, the task's head starts from it.
    The penalty on B is on the distance from the source's.
    """
    shared = deepcopy(source.shared)
    shared.anchor()
    weight, bias = _given_heads(source.heads, source_plan, targets.plan)
    own_scale, centre = torch.eye(weight.shape[1]), torch.zeros(weight.shape[1])
    if source.skip_connection and params["input_scaling"] is not None:
        own = InputScaler.fit(rows.features, rows.row_weight, params["input_scaling"])
        n_features = len(own.mean)
        own_scale[-n_features:, -n_features:] = torch.as_tensor(own.after(scaler))
        centre[-n_features:] = torch.as_tensor(scaler.transform(own.mean))
    given = GivenHeads(weight, bias, own_scale.to(weight), centre.to(weight))
    return AlignedNetwork(
        alignment,
        shared,
        TaskHeads(
            targets.plan, weight.shape[1], targets.bias_variances(rows, bias.cpu().numpy()), given
        ),
        capacity=source.capacity,
        skip_connection=source.skip_connection,
        penalties=penalties_of(params),
    )


def _given_heads(source: TaskHeads, source_plan: HeadPlan, plan: HeadPlan) -> tuple[Tensor, Tensor]:
    """What the heads of a source say about the families of another plan, 0 where nothing."""
    with torch.no_grad():
        weights, biases = (tensor.detach().clone() for tensor in source.of_families())
    n_columns = plan.is_open.shape[1]
    weight = weights.new_zeros(plan.n_families, weights.shape[1], n_columns)
    bias = weights.new_zeros(plan.n_families, n_columns)
    for f, labels in enumerate(plan.members):
        akin = [g for g, of in enumerate(source_plan.members) if alike(set(labels), set(of))]
        if not labels:  # regression
            found = {0: (weights[0, :, 0], biases[0, 0])}
        elif akin:
            logits = _logits_by_label(weights[akin[0]], biases[akin[0]], source_plan, akin[0])
            found = _columns_of(labels, logits, single_column=plan.single_column)
        else:
            found = {}
        for column, (its_weight, its_bias) in found.items():
            weight[f, :, column], bias[f, column] = its_weight, its_bias
    return weight, bias


def _logits_by_label(weight: Tensor, bias: Tensor, plan: HeadPlan, family: int) -> dict[Any, Logit]:
    """Weights and bias of the logit of each label of a family."""
    labels = plan.members[family]
    nothing = torch.zeros_like(weight[:, 0]), torch.zeros_like(bias[0])
    every = list(zip(weight.T, bias, strict=True))
    if len(labels) <= 2:  # the first label is the reference
        every = [nothing, every[0 if plan.single_column else 1]]
    return dict(zip(labels, every, strict=False))


def _columns_of(
    labels: list[Any], logits: dict[Any, Logit], *, single_column: bool
) -> dict[int, Logit]:
    """Weights and bias of the output columns of a family with these labels, where known."""
    if len(labels) > 2:
        return {j: logits[label] for j, label in enumerate(labels) if label in logits}
    if len(labels) < 2 or not logits.keys() >= set(labels):
        return {}
    (w0, b0), (w1, b1) = (logits[label] for label in labels)
    return {0 if single_column else 1: (w1 - w0, b1 - b0)}
