"""The schedules of Algorithm 1 and the starts of the alignment."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.covariance import empirical_covariance, oas
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from helpers import N_TASKS, StopAt, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._covariance import _shrinkage, coral_maps, covariance_within_tasks
from sk_mtl._schedule import Stage, stages_of

ALIGNED: dict[str, Any] = {
    "alignment": "full",
    "alignment_alpha": 1.0,
    "hidden_layer_sizes": (3,),
    "activation": "tanh",  # smooth: L-BFGS may stop at a kink of a ReLU
    "tol": 0,
    "max_iter": 4000,
    "random_state": 0,
}


def gradients(model: Any, X: Any, y: Any, task: Any) -> dict[str, float]:
    """Largest entry of the gradient of the objective, by part of the network."""
    network = model.module_
    z = torch.as_tensor((X - model.feature_mean_) @ model.feature_map_)
    order = np.argsort(task, kind="stable")
    logits = network(z[order], torch.as_tensor(task[order])).squeeze(-1)
    labels = torch.as_tensor(y[order].astype(float))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="sum")
    network.zero_grad()
    (loss + network.penalty()).backward()
    largest: dict[str, float] = {}
    for name, parameter in network.named_parameters():
        part = name.split(".")[0]
        largest[part] = max(largest.get(part, 0.0), float(parameter.grad.abs().max()))
    return largest


def test_after_shared_trains_b_without_alignment_then_fixes_it() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**ALIGNED, alignment_schedule="after_shared")
    model.fit(X, y, task=task)
    plain = MultiTaskAlignedClassifier(**{**ALIGNED, "alignment": None}).fit(X, y, task=task)
    for mine, its in zip(
        model.module_.shared.parameters(), plain.module_.shared.parameters(), strict=True
    ):
        torch.testing.assert_close(mine, its, atol=1e-5, rtol=1e-5)
    slope = gradients(model, X, y, task)
    assert slope["alignment"] < 1e-4
    assert slope["heads"] < 1e-4
    assert slope["shared"] > 0.01  # it would like to move
    assert model.loss_curve_[-1] < plain.loss_curve_[-1] - 1e-4
    assert np.abs(model.alignment_ - np.eye(5)).max() > 0.01


@pytest.mark.parametrize("schedule", ["joint", "alternating"])
def test_other_schedules_end_where_nothing_can_move(schedule: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**ALIGNED, alignment_schedule=schedule).fit(X, y, task=task)
    assert max(gradients(model, X, y, task).values()) < 1e-3


class Movements(Callback):
    """Which parts of the network each epoch moves."""

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.moves: list[set[str]] = []
        self.last: dict[str, torch.Tensor] = {}

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.last = {n: p.detach().clone() for n, p in net.module_.named_parameters()}

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        now = dict(net.module_.named_parameters())
        moved = {n.split(".")[0] for n, before in self.last.items() if not before.equal(now[n])}
        self.moves.append(moved)


def test_alternating_batches_take_turns_epoch_by_epoch() -> None:
    X, y, task = make_tasks()
    callback = Movements()
    model = MultiTaskAlignedClassifier(
        solver="adam",
        alignment="full",
        alignment_schedule="alternating",
        callbacks=[callback],
        max_iter=4,
        random_state=0,
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, task=task)
    assert callback.moves == [{"shared", "heads"}, {"alignment", "heads"}] * 2
    assert all(parameter.requires_grad for parameter in model.module_.parameters())


def test_alternating_lbfgs_takes_turns_of_ten_iterations() -> None:
    X, y, task = make_tasks()
    callback = Movements()
    model = MultiTaskAlignedClassifier(
        **{**ALIGNED, "max_iter": 40, "alignment_schedule": "alternating"}, callbacks=[callback]
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, task=task)
    turns = [{"shared", "heads"}] * 10 + [{"alignment", "heads"}] * 10
    assert callback.moves == turns * 2
    assert model.n_iter_ == 40


def test_stages_share_the_epochs() -> None:
    assert stages_of("joint", 5) == [Stage(((),), 5)]
    assert [stage.epochs for stage in stages_of("after_shared", 5)] == [3, 2]
    (stage,) = stages_of("alternating", 5)
    assert stage.turns == (("alignment.",), ("shared.",))


def test_too_few_iterations_of_a_stage_warn() -> None:
    X, y, task = make_tasks()
    settings = {**ALIGNED, "max_iter": 6, "alignment_schedule": "after_shared"}
    with pytest.warns(ConvergenceWarning, match="max_iter=6"):
        model = MultiTaskAlignedClassifier(**settings).fit(X, y, task=task)
    assert model.n_iter_ == 6


def test_partial_fit_is_joint() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", alignment_schedule="alternating")
    with pytest.raises(ValueError, match="'alternating'"):
        model.partial_fit(X, y, task=task)


def gaussian_tasks(rows: tuple[int, ...] = (200, 100, 50)) -> tuple[Any, Any, Any]:
    """Gaussian features with a covariance of full rank per task."""
    rng = np.random.default_rng(0)
    parts = [rng.standard_normal((n, 6)) @ rng.standard_normal((6, 6)) for n in rows]
    X = np.vstack(parts)
    return X, X[:, 0] + rng.standard_normal(len(X)), np.repeat(np.arange(len(rows)), rows)


@pytest.mark.parametrize("alignment", ["full", "low_rank"])
@pytest.mark.parametrize("input_scaling", ["auto", "standard", None])
def test_coral_gives_all_tasks_the_mean_covariance(alignment: str, input_scaling: Any) -> None:
    X, y, task = gaussian_tasks()
    model = MultiTaskAlignedRegressor(
        alignment=alignment,
        alignment_rank=2,
        alignment_init="coral",
        alignment_alpha=1e12,
        input_scaling=input_scaling,
        random_state=0,
    ).fit(X, y, task=task)
    z = (X - model.feature_mean_) @ (
        model.feature_map_ if model.feature_map_.ndim == 2 else np.diag(model.feature_map_)
    )
    share = np.bincount(task) / len(task)
    reference = sum(share[t] * empirical_covariance(z[task == t]) for t in range(3))
    aligned = model.align(X, task=task)
    for t in range(3):
        np.testing.assert_allclose(empirical_covariance(aligned[task == t]), reference, atol=1e-6)
        np.testing.assert_allclose(
            z[task == t] @ model.alignment_[t], aligned[task == t], atol=1e-9
        )


def test_diagonal_coral_matches_variances() -> None:
    X, y, task = gaussian_tasks()
    model = MultiTaskAlignedRegressor(
        alignment="diagonal", alignment_init="coral", alignment_alpha=1e12, input_scaling=None
    ).fit(X, y, task=task)
    aligned = model.align(X, task=task)
    variances = [aligned[task == t].var(axis=0) for t in range(3)]
    np.testing.assert_allclose(variances, np.tile(variances[0], (3, 1)), rtol=1e-6)
    assert not (model.alignment_ * (1 - np.eye(6))).any()


def test_coral_with_too_few_rows_shrinks_and_says_so() -> None:
    X, y, task = gaussian_tasks((200, 4))
    with pytest.warns(UserWarning, match=r"the tasks \[1\] have too few rows"):
        model = MultiTaskAlignedRegressor(
            alignment="full", alignment_init="coral", alignment_alpha=1e12
        ).fit(X, y, task=task)
    aligned = model.align(X, task=task)
    assert np.isfinite(aligned).all()
    before = (X - model.feature_mean_) @ model.feature_map_
    size = [np.linalg.norm(rows[task == 1]) / np.sqrt(4) for rows in (before, aligned)]
    assert 0.3 < size[1] / size[0] < 3  # not blown up in directions that 4 rows do not show


def test_shrinkage_is_the_oracle_approximation() -> None:
    """scikit-learn's OAS leaves terms of 2 / n_features out, small for many features."""
    rng = np.random.default_rng(0)
    for n_rows in (10, 70, 300):
        rows = rng.standard_normal((n_rows, 60)) * np.linspace(1, 4, 60)
        expected = oas(rows)[1]
        assert _shrinkage(empirical_covariance(rows), n_rows) == pytest.approx(expected, rel=0.03)
    assert _shrinkage(np.eye(3), 5) == 1


def test_coral_start_is_what_the_penalty_is_about() -> None:
    X, y, task = gaussian_tasks()
    model = MultiTaskAlignedRegressor(
        alignment="full", alignment_init="coral", alignment_alpha=1.0, random_state=0
    ).fit(X, y, task=task)
    start = model.module_.alignment.start.numpy()
    expected = ((model.alignment_ - start) ** 2).sum()
    assert model.module_.alignment.penalty().item() == pytest.approx(expected)
    assert expected > 1e-6


def test_tasks_that_share_rows_have_nothing_to_align_at_the_start() -> None:
    X, y, _ = gaussian_tasks()
    Y = np.column_stack([y, -y])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultiTaskAlignedRegressor(
            alignment="full", alignment_init="coral", alignment_alpha=1e12
        ).fit(X, Y)
    np.testing.assert_allclose(model.alignment_, np.tile(np.eye(6), (2, 1, 1)), atol=1e-6)


@pytest.mark.parametrize("init", ["identity", "coral"])
@pytest.mark.parametrize("alignment", ["full", "low_rank", "diagonal"])
def test_multiplying_by_hand_reproduces_transform(alignment: str, init: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(4,),
        alignment=alignment,
        alignment_rank=2,
        alignment_init=init,
        alignment_alpha=0.1,
        random_state=0,
    ).fit(X, y, task=task)
    assert model.alignment_.shape == (N_TASKS, 5, 5)
    z = (X - model.feature_mean_) @ model.feature_map_
    aligned = np.einsum("nd,nde->ne", z, model.alignment_[task])
    np.testing.assert_allclose(model.align(X, task=task), aligned, atol=1e-12)
    layer = model.module_.shared.module[0]
    by_hand = np.maximum(aligned @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(), 0)
    np.testing.assert_allclose(model.transform(X, task=task), by_hand, atol=1e-12)


def test_rank_above_the_number_of_features() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(alignment="low_rank", alignment_rank=6)
    with pytest.raises(ValueError, match="alignment_rank=6 exceeds the number of features, 5"):
        model.fit(X, y, task=task)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("schedule", ["joint", "alternating", "after_shared"])
def test_a_request_to_stop_ends_all_stages(schedule: str, solver: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        alignment_schedule=schedule, solver=solver, callbacks=[StopAt(3)], random_state=0
    ).fit(X, y, task=task)
    assert model.n_iter_ == 3
    assert all(parameter.requires_grad for parameter in model.module_.parameters())


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_best_epoch_of_all_stages_is_kept(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = [0.5, 0.9, 0.7, 0.7, 0.7, 0.6, 0.8, 0.7, 0.7, 0.7, 0.7]
    states: list[Any] = []

    def scripted(net: Any, held_out: Any, y: None = None) -> float:
        states.append({name: value.clone() for name, value in net.module_.state_dict().items()})
        return script[len(states) - 1]

    monkeypatch.setattr("sk_mtl._net_building._held_out_score", scripted)
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        solver=solver,
        alignment_schedule="after_shared",
        task_weight="uncertainty",
        early_stopping=True,
        n_iter_no_change=3,
        tol=1e-6,
        random_state=0,
    ).fit(X, y, task=task)
    assert model.n_iter_ == len(states) == 10
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, states[1][name]), name
    weight = np.exp(states[1]["certainty"].numpy())
    np.testing.assert_allclose(model.task_weight_, weight / weight.mean())


def test_one_epoch_is_one_epoch() -> None:
    X, y, task = make_tasks()
    settings = {**ALIGNED, "max_iter": 1, "alignment_schedule": "after_shared"}
    with pytest.warns(ConvergenceWarning):
        assert MultiTaskAlignedClassifier(**settings).fit(X, y, task=task).n_iter_ == 1


def test_coral_with_a_constant_feature() -> None:
    """It has no variance to match: the other features are aligned as without it."""
    X, _, task = make_tasks(rows=400)
    weight, ids = np.ones(len(X)), np.arange(N_TASKS)
    X = X - np.stack([X[task == t].mean(axis=0) for t in ids])[task]
    reference = covariance_within_tasks(X, task, weight)
    expected = coral_maps(X, task, weight, reference, ids)
    constant = np.column_stack([X, np.zeros(len(X))])
    wider = np.pad(reference, (0, 1))
    with pytest.warns(UserWarning, match="features that depend on others"):
        maps = coral_maps(constant, task, weight, wider, ids)
    np.testing.assert_allclose(maps[:, :-1, :-1], expected, atol=0.02)
    np.testing.assert_allclose(maps[:, -1, :-1], 0, atol=1e-12)
