"""The network's parts against loops over tasks, autograd and closed forms."""

from typing import Any

import numpy as np
import pytest
import torch

from sk_mtl._alignment import DiagonalAlignment, FullAlignment, LowRankAlignment
from sk_mtl._grouped import Segments, grouped_product
from sk_mtl._heads import TaskHeads
from sk_mtl._losses import TaskLoss
from sk_mtl._network import AlignedNetwork, probabilities
from sk_mtl._plan import HeadPlan
from sk_mtl._shared import SharedModule, fully_connected

TASK = torch.tensor([0, 0, 2, 2, 2, 3])  # task 1 has no rows here


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def normal(generator: torch.Generator, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def test_grouped_product_is_each_rows_own_product(generator: torch.Generator) -> None:
    rows, weight = normal(generator, 6, 3), normal(generator, 4, 3, 2)
    by_hand = torch.stack([row @ weight[i] for row, i in zip(rows, TASK, strict=True)])
    torch.testing.assert_close(grouped_product(rows, weight, Segments(TASK)), by_hand)


def test_grouped_product_has_the_gradient_of_finite_differences(
    generator: torch.Generator,
) -> None:
    rows = normal(generator, 6, 3).requires_grad_()
    weight = normal(generator, 4, 3, 2).requires_grad_()
    segments = Segments(TASK)
    assert torch.autograd.gradcheck(lambda r, w: grouped_product(r, w, segments), (rows, weight))


@pytest.mark.parametrize("kind", ["full", "low_rank", "diagonal"])
def test_alignment_is_the_product_with_its_matrices(kind: str, generator: torch.Generator) -> None:
    alignment: Any = {
        "full": FullAlignment(4, 3),
        "low_rank": LowRankAlignment(4, torch.eye(3, 2)),
        "diagonal": DiagonalAlignment(4, 3),
    }[kind].double()
    torch.testing.assert_close(alignment.matrices(), torch.eye(3).double().expand(4, 3, 3))
    assert alignment.penalty() == 0
    with torch.no_grad():
        for parameter in alignment.parameters():
            parameter.copy_(normal(generator, *parameter.shape))
    rows = normal(generator, 6, 3)
    matrices = alignment.matrices()
    by_hand = torch.stack([row @ matrices[i] for row, i in zip(rows, TASK, strict=True)])
    torch.testing.assert_close(alignment(rows, Segments(TASK)), by_hand)
    expected = (matrices - torch.eye(3)).square().sum()
    torch.testing.assert_close(alignment.penalty(), expected)


@pytest.mark.parametrize("activation", ["relu", "identity"])
def test_shared_layers_start_by_keeping_the_norm(activation: str) -> None:
    random_state = np.random.RandomState(0)
    layers = fully_connected(50, [400, 300], activation, random_state)
    rows = torch.nn.functional.normalize(torch.randn(100, 50, generator=torch.Generator()), dim=1)
    norms = layers(rows).square().sum(dim=1)
    assert 0.8 < float(norms.detach().mean()) < 1.2


def test_shared_layers_are_penalised_for_leaving_their_start() -> None:
    layers = fully_connected(4, [3, 2], "tanh", np.random.RandomState(0))
    shared = SharedModule(layers)
    assert shared.penalty() == 0
    with torch.no_grad():
        layers[0].weight += 0.5
        layers[0].bias += 2.0
    torch.testing.assert_close(shared.penalty(), torch.tensor(12 * 0.25 + 3 * 4.0))


def binary_heads(generator: torch.Generator) -> TaskHeads:
    plan = HeadPlan.of_classes([np.array([0, 1])] * 4)
    heads = TaskHeads(plan, 3, np.full((2, 1, 1), 0.5)).double()
    with torch.no_grad():
        for parameter in heads.parameters():
            parameter.copy_(normal(generator, *parameter.shape))
    return heads


def test_heads_of_all_tasks_agree_with_heads_of_the_rows_tasks(generator: torch.Generator) -> None:
    heads = binary_heads(generator)
    features = normal(generator, 6, 3)
    every = heads(features, None)
    own = heads(features, Segments(TASK))
    assert every.shape == (6, 4, 1)
    torch.testing.assert_close(own, every[torch.arange(6), TASK])
    weight = heads.shared[0] + heads.own[2]
    bias = heads.shared_bias[0] + heads.own_bias[2]
    torch.testing.assert_close(own[2], features[2] @ weight + bias)


def test_head_penalty_is_the_formula(generator: torch.Generator) -> None:
    heads = binary_heads(generator)
    expected = 0.5 * (
        3 * heads.shared.square().sum()
        + 7 * heads.own.square().sum()
        + heads.shared_bias.square().sum() / 0.5
        + heads.own_bias.square().sum() / 0.5
    )
    torch.testing.assert_close(heads.penalty(alpha=3, head_alpha=7), expected)


def test_classes_of_other_tasks_get_probability_zero_and_no_gradient() -> None:
    plan = HeadPlan.of_classes([np.array([0, 1]), np.arange(5), np.arange(4)])
    heads = TaskHeads(plan, 2, np.ones((2, 2, 5)))
    task = torch.tensor([0, 1, 2])
    with torch.no_grad():
        heads.own.fill_(1.0)
    logits = heads(torch.ones(3, 2), Segments(task))
    shown = (probabilities(logits) > 0).tolist()
    assert shown == [[True, True] + [False] * 3, [True] * 5, [True] * 4 + [False]]
    labels = torch.tensor([1, 4, 3])
    TaskLoss("cross_entropy")(logits, (labels, torch.ones(3), task)).backward()
    assert torch.isfinite(heads.own.grad).all()
    # The first class of a binary family is the reference, at logit 0.
    assert not heads.own.grad[0, :, [0, 2, 3, 4]].any()
    assert heads.own.grad[0, :, 1].all()
    assert not heads.own.grad[2, :, 4].any()


@pytest.mark.parametrize("n_columns", [1, 3])
def test_loss_leaves_out_missing_labels_and_sums_weights(n_columns: int) -> None:
    logits = torch.randn(4, 2, n_columns, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[0, 1], [-1, 1], [1, -1], [0, 0]])
    weight = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0], [1.0, 1.0]])
    probability = probabilities(logits)
    expected = torch.zeros(())
    for i, t in [(0, 0), (0, 1), (1, 1), (2, 0), (3, 0), (3, 1)]:
        expected -= weight[i, t] * probability[i, t, labels[i, t]].log()
    torch.testing.assert_close(TaskLoss("cross_entropy")(logits, (labels, weight, None)), expected)


def test_wide_rows_with_alignment_pass_through_every_tasks_matrix(
    generator: torch.Generator,
) -> None:
    alignment = FullAlignment(4, 3).double()
    with torch.no_grad():
        alignment.deviation.copy_(normal(generator, 4, 3, 3))
    shared = SharedModule(fully_connected(3, [2], "relu", np.random.RandomState(0))).double()
    plan = HeadPlan.of_classes([np.array([0, 1])] * 4)
    heads = TaskHeads(plan, 5, np.ones((2, 1, 1))).double()
    with torch.no_grad():
        heads.own.copy_(normal(generator, *heads.own.shape))
    penalties = {"alpha": 1.0, "head_alpha": 1.0, "alignment_alpha": 1.0}
    network = AlignedNetwork(
        alignment, shared, heads, capacity=2, skip_connection=True, penalties=penalties
    )
    rows = normal(generator, 6, 3)
    every = network(rows)
    for t in range(4):
        torch.testing.assert_close(every[:, t], network(rows, torch.full((6,), t)))
