"""Tasks beside those that a network was trained on: its B stays, R and A are theirs."""

from __future__ import annotations

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
from sk_mtl._running import run
from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array
from sk_mtl._value_targets import ValueTargets

_SHIFT = 0.3  # variance of the log-odds of one population's classes about another's

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
    groups: list[TaskGroup],
    scaler: InputScaler,
    rows: TrainingRows,
    targets: ClassTargets | ValueTargets,
    alignment: Alignment | None,
    params: dict[str, Any],
) -> AlignedNetwork:
    """An untrained network for the rows' tasks, with the B of fitted tasks, itself.

    Where these have a head for (most of) a task's labels, the task's head starts from it.
    """
    source = groups[0].network
    weight, bias = _given_heads(groups, targets.plan)
    own_scale = torch.eye(weight.shape[1])
    if source.sees_features and params["input_scaling"] is not None:
        own = InputScaler.fit(rows.features, rows.row_weight, params["input_scaling"])
        own_scale[-len(own.mean) :, -len(own.mean) :] = torch.as_tensor(own.after(scaler))
    given = GivenHeads(weight, bias, own_scale.to(weight), torch.zeros_like(weight[0, :, 0]))
    network = AlignedNetwork(
        alignment,
        source.shared,
        TaskHeads(targets.plan, weight.shape[1], targets.bias_variances(rows), given),
        capacity=source.capacity,
        skip_connection=source.skip_connection,
        penalties=penalties_of(params),
        n_uncertain=len(targets.plan.family) if params["learns_task_weight"] else 0,
    ).to(weight)
    inputs = run(network, scaler, rows.features, rows.task, AlignedNetwork.head_inputs)
    centre = torch.as_tensor(np.average(inputs, axis=0, weights=rows.row_weight)).to(weight)
    # The biases are those of rows at the centre, around what the given heads say there: which
    # the counts of another population need not bear out.
    expected = bias + torch.einsum("i,fic->fc", centre, weight)
    variances = targets.bias_variances(rows, expected.cpu().numpy())
    given_columns = (weight != 0).any(dim=1).cpu().numpy()
    variances[1] = np.where(given_columns, np.maximum(variances[1], _SHIFT), variances[1])
    network.heads.settle(centre, variances)
    return network


def _given_heads(groups: list[TaskGroup], plan: HeadPlan) -> tuple[Tensor, Tensor]:
    """What the heads of fitted tasks say about the families of a plan, 0 where nothing."""
    known = []  # labels, weights, biases and plan of every fitted family
    for group in groups:
        weights, biases = group.network.heads.of_families()
        for f, labels in enumerate(group.targets.plan.members):
            known.append((labels, weights[f].detach(), biases[f].detach(), group.targets.plan))
    n_inputs, n_columns = known[0][1].shape[0], plan.is_open.shape[1]
    weight = known[0][1].new_zeros(plan.n_families, n_inputs, n_columns)
    bias = known[0][2].new_zeros(plan.n_families, n_columns)
    for f, labels in enumerate(plan.members):
        found: dict[int, Logit] = {}
        akin = [family for family in known if alike(set(labels), set(family[0]))]
        if not labels:  # regression
            found = {0: (known[0][1][:, 0], known[0][2][0])}
        elif akin:
            found = _columns_of(labels, _logits_by_label(*akin[0]), plan.single_column)
        for column, (its_weight, its_bias) in found.items():
            weight[f, :, column], bias[f, column] = its_weight, its_bias
    return weight, bias


def _logits_by_label(
    labels: list[Any], weight: Tensor, bias: Tensor, plan: HeadPlan
) -> dict[Any, Logit]:
    """Weights and bias of the logit of each label of a family."""
    nothing = torch.zeros_like(weight[:, 0]), torch.zeros_like(bias[0])
    every = list(zip(weight.T, bias, strict=True))
    if len(labels) <= 2:  # the first label is the reference
        every = [nothing, every[0 if plan.single_column else 1]]
    return dict(zip(labels, every, strict=False))


def _columns_of(
    labels: list[Any], logits: dict[Any, Logit], single_column: bool
) -> dict[int, Logit]:
    """Weights and bias of the output columns of a family with these labels, where known."""
    known = {j: logits[label] for j, label in enumerate(labels) if label in logits}
    if len(labels) > 2:
        # About their mean, which is what a label that is not known keeps: no label is special.
        mean_weight, mean_bias = (
            torch.stack(part).mean(dim=0) for part in zip(*known.values(), strict=True)
        )
        return {j: (w - mean_weight, b - mean_bias) for j, (w, b) in known.items()}
    if len(known) < 2:
        return {}
    (w0, b0), (w1, b1) = known.values()
    return {0 if single_column else 1: (w1 - w0, b1 - b0)}
