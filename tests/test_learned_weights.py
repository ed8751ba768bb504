"""task_weight="uncertainty": weights learned by the noise of the tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from helpers import CONVEX, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._losses import TaskLoss


def noisy_tasks() -> tuple[Any, Any, Any]:
    """Three tasks with the same signal and noise of standard deviation 0.2, 1 and 3."""
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((300, 4)), np.repeat([0, 1, 2], 100)
    return X, X @ [2, 1, 0, -1] + np.array([0.2, 1, 3])[task] * rng.standard_normal(300), task


@pytest.mark.parametrize("layout", ["stacked", "wide"])
@pytest.mark.parametrize("head_alpha", [0.5, 20])
def test_weights_are_at_the_optimum_of_the_likelihood(layout: str, head_alpha: float) -> None:
    """Where n_i / (2 w_i) is the task's loss plus its share of the penalty, up to one factor."""
    X, y, task = noisy_tasks()
    model = MultiTaskAlignedRegressor(
        **CONVEX, task_weight="uncertainty", input_scaling=None, head_alpha=head_alpha
    )
    if layout == "wide":
        Y = np.full((300, 3), np.nan)
        Y[np.arange(300), task] = y
        predicted = model.fit(X, Y).predict(X)[np.arange(300), task]
    else:
        predicted = model.fit(X, y, task=task).predict(X, task=task)
    residual = (y - predicted) / model.target_scale_[task]
    loss = 0.5 * np.bincount(task, residual**2)
    weight = model.task_weight_
    assert weight.mean() == pytest.approx(1)
    assert weight[0] > weight[1] > weight[2]
    mean = model.module_.certainty.exp().mean().item()
    share = model.module_.penalty().item() / mean / 3
    np.testing.assert_allclose(weight * (loss + share), weight[0] * (loss[0] + share), rtol=1e-4)


def test_the_loss_is_the_negative_log_likelihood() -> None:
    loss = TaskLoss("squared_error")
    certainty = torch.tensor([0.3, -0.9], dtype=torch.float64)
    weight = certainty.exp()
    generator = torch.Generator().manual_seed(0)
    outputs, values = torch.randn(2, 5, generator=generator, dtype=torch.float64)
    task = torch.tensor([0, 0, 1, 1, 1])
    rows = torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0], dtype=torch.float64)
    normal = torch.distributions.Normal(outputs, weight[task] ** -0.5)
    constant = 0.5 * np.log(2 * np.pi) * rows.sum()
    expected = -(rows * normal.log_prob(values)).sum() - constant
    found = loss(outputs.unsqueeze(1), (values, rows, task), certainty)
    torch.testing.assert_close(found, expected)


def test_a_noisy_classification_task_counts_less() -> None:
    X, y, task = make_tasks(rows=100)
    rng = np.random.default_rng(0)
    y = np.where((task == 1) & (rng.random(len(y)) < 0.4), 1 - y, y)
    model = MultiTaskAlignedClassifier(task_weight="uncertainty", random_state=0)
    model.fit(X, y, task=task)
    assert model.task_weight_.argmin() == 1
    assert model.task_weight_.mean() == pytest.approx(1)


def test_batches_learn_the_weights_of_lbfgs() -> None:
    X, y, task = noisy_tasks()
    exact = MultiTaskAlignedRegressor(**CONVEX, task_weight="uncertainty").fit(X, y, task=task)
    batches = MultiTaskAlignedRegressor(
        **{**CONVEX, "max_iter": 3000, "tol": 1e-7},
        task_weight="uncertainty",
        solver="adam",
        learning_rate_init=0.01,
        batch_size=300,
        dtype="float64",
    ).fit(X, y, task=task)
    np.testing.assert_allclose(batches.task_weight_, exact.task_weight_, rtol=0.1)


def test_they_go_on_with_partial_fit_and_warm_start() -> None:
    X, y, task = noisy_tasks()
    model = MultiTaskAlignedRegressor(
        task_weight="uncertainty", solver="adam", learning_rate_init=0.05, random_state=0
    )
    spread = [np.ptp(model.partial_fit(X, y, task=task).task_weight_) for _ in range(20)]
    assert spread[0] < spread[10] < spread[19]
    warm = MultiTaskAlignedRegressor(**CONVEX, task_weight="uncertainty", warm_start=True)
    weight = warm.fit(X, y, task=task).task_weight_
    again = warm.fit(X, y, task=task)
    np.testing.assert_allclose(again.task_weight_, weight, rtol=1e-3)
    assert again.n_iter_ < 20


def test_sample_weights_come_on_top() -> None:
    X, y, task = noisy_tasks()
    weight = np.where(np.arange(300) % 2, 2.0, 0.0)
    settings: dict[str, Any] = {**CONVEX, "task_weight": "uncertainty", "input_scaling": None}
    one = MultiTaskAlignedRegressor(**settings).fit(X, y, task=task, sample_weight=weight)
    twice = np.repeat(np.flatnonzero(weight), 2)
    other = MultiTaskAlignedRegressor(**settings).fit(X[twice], y[twice], task=task[twice])
    np.testing.assert_allclose(one.task_weight_, other.task_weight_, rtol=1e-5)


def test_a_word_that_is_no_scheme() -> None:
    X, y, task = noisy_tasks()
    with pytest.raises(ValueError, match="'uncertainty'"):
        MultiTaskAlignedRegressor(task_weight="certainty").fit(X, y, task=task)
