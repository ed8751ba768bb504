"""How MultiTaskAlignedClassifier trains: solvers, stopping, going on, failing, reproducibility."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from helpers import CONVEX, make_tasks
from sk_mtl import MultiTaskAlignedClassifier


def global_state() -> Any:
    return np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_seed_decides_the_model_and_nothing_global_changes(solver: str) -> None:
    X, y, task = make_tasks()
    before = global_state(), torch.get_rng_state(), torch.get_num_threads()
    settings: dict[str, Any] = {"solver": solver, "max_iter": 300, "tol": 0.01}
    first, second, other = (
        MultiTaskAlignedClassifier(random_state=seed, **settings)
        .fit(X, y, task=task)
        .predict_proba(X, task=task)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-6
    np.testing.assert_array_equal(before[0], global_state())
    assert torch.equal(before[1], torch.get_rng_state())
    assert before[2] == torch.get_num_threads()


def test_adam_reaches_the_optimum_of_lbfgs() -> None:
    X, y, task = make_tasks()
    exact = MultiTaskAlignedClassifier(**CONVEX).fit(X, y, task=task)
    batches = MultiTaskAlignedClassifier(
        **{**CONVEX, "max_iter": 1500, "tol": 1e-6},
        solver="adam",
        learning_rate_init=0.01,
        batch_size=len(y),
        dtype="float64",
    ).fit(X, y, task=task)
    assert batches.loss_curve_[-1] == pytest.approx(exact.loss_curve_[-1], rel=1e-4)
    np.testing.assert_allclose(
        batches.predict_proba(X, task=task), exact.predict_proba(X, task=task), atol=0.01
    )


def test_batch_size_does_not_change_the_objective() -> None:
    """The mean over batches of the batch loss is the loss of all rows, penalty included."""
    X, y, task = make_tasks()
    settings = {"solver": "adam", "learning_rate_init": 1e-12, "max_iter": 2, "dtype": "float64"}
    with pytest.warns(ConvergenceWarning):
        small = MultiTaskAlignedClassifier(**settings, batch_size=40).fit(X, y, task=task)
    with pytest.warns(ConvergenceWarning):
        whole = MultiTaskAlignedClassifier(**settings, batch_size=240).fit(X, y, task=task)
    assert small.loss_curve_[0] == pytest.approx(np.log(2), rel=1e-6)
    assert small.loss_curve_[0] == pytest.approx(whole.loss_curve_[0], rel=1e-6)


def test_too_few_iterations_warn() -> None:
    X, y, task = make_tasks()
    with pytest.warns(ConvergenceWarning, match="max_iter=3 iterations reached"):
        MultiTaskAlignedClassifier(max_iter=3).fit(X, y, task=task)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_early_stopping_keeps_the_best_epoch(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    script = [0.5, 0.9, 0.7, 0.7, 0.7, 0.7]
    states: list[Any] = []

    def scripted(net: Any, held_out: Any, y: None = None) -> float:
        weights = {name: value.clone() for name, value in net.module_.state_dict().items()}
        states.append(weights)
        return script[len(states) - 1]

    monkeypatch.setattr("sk_mtl._net_building._held_out_score", scripted)
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        solver=solver, early_stopping=True, n_iter_no_change=3, tol=1e-6, random_state=0
    ).fit(X, y, task=task)
    assert model.validation_scores_ == script[:5]
    assert model.n_iter_ == 5
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, states[1][name]), name


def test_early_stopping_scores_the_rows_that_it_holds_out() -> None:
    X, y, task = make_tasks(rows=100)
    model = MultiTaskAlignedClassifier(early_stopping=True, random_state=0).fit(X, y, task=task)
    assert model.validation_scores_ is not None
    assert model.n_iter_ == len(model.validation_scores_) < model.max_iter
    assert 0.7 < max(model.validation_scores_) <= 1
    assert all("valid_loss" in epoch for epoch in model.net_.history)


def test_warm_start_goes_on_from_the_last_fit() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0, warm_start=True, max_iter=5)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, task=task)
    first = model.loss_curve_[-1]
    model.set_params(max_iter=1000).fit(X, y, task=task)
    assert model.loss_curve_[0] < first
    assert model.n_iter_ == len(model.loss_curve_)
    with pytest.raises(ValueError, match=r"Unseen task ids \[7\]"):
        model.fit(X, y, task=np.where(task == 0, 7, task))


def test_warm_start_heeds_changed_parameters() -> None:
    """A path of penalties, each from the last optimum, ends where a fresh fit does."""
    X, y, task = make_tasks()
    path = MultiTaskAlignedClassifier(**CONVEX, warm_start=True)
    for alpha in (0.1, 1, 10):
        path.set_params(alpha=alpha, task_weight={0: 1, 1: alpha, 2: 1}).fit(X, y, task=task)
    fresh = MultiTaskAlignedClassifier(**CONVEX, alpha=10, task_weight={0: 1, 1: 10, 2: 1})
    expected = fresh.fit(X, y, task=task).predict_proba(X, task=task)
    assert np.ptp(path.task_weight_) == 9
    # The priors on the biases are the first fit's.
    np.testing.assert_allclose(path.predict_proba(X, task=task), expected, atol=1e-3)
    with pytest.raises(ValueError, match="other layers, another alignment"):
        path.set_params(hidden_layer_sizes=(3,)).fit(X, y, task=task)


def test_partial_fit_learns_from_chunks() -> None:
    X, y, task = make_tasks(rows=100)
    model = MultiTaskAlignedClassifier(solver="adam", learning_rate_init=0.01, random_state=0)
    order = np.random.default_rng(0).permutation(len(y))
    for _ in range(20):
        for chunk in np.array_split(order, 4):
            model.partial_fit(X[chunk], y[chunk], task=task[chunk])
    assert model.n_iter_ == 1
    assert len(model.loss_curve_) == 80
    reference = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    assert model.score(X, y, task=task) > reference.score(X, y, task=task) - 0.03


def test_partial_fit_takes_all_classes_at_once() -> None:
    X, y, task = make_tasks(3)
    names = np.array(["low", "mid", "top"])[y]
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0)
    first = y < 2
    model.partial_fit(X[first], names[first], task=task[first], classes=["low", "mid", "top"])
    model.partial_fit(X, names, task=task)
    assert model.classes_.tolist() == ["low", "mid", "top"]
    other = MultiTaskAlignedClassifier(solver="adam", random_state=0)
    other.partial_fit(X[first], names[first], task=task[first])
    with pytest.raises(ValueError, match="y holds the label 'top' for task 0"):
        other.partial_fit(X, names, task=task)


def test_partial_fit_is_there_for_adam_only() -> None:
    assert hasattr(MultiTaskAlignedClassifier(solver="adam"), "partial_fit")
    model = MultiTaskAlignedClassifier()
    assert not hasattr(model, "partial_fit")
    with pytest.raises(AttributeError) as error:
        model.partial_fit  # noqa: B018
    assert "solver='adam'" in str(error.value.__cause__)


def test_pickle_keeps_every_prediction() -> None:
    X, y, task = make_tasks()
    for solver in ("lbfgs", "adam"):
        model = MultiTaskAlignedClassifier(solver=solver, max_iter=300, tol=0.01, random_state=0)
        model.fit(X, y, task=task)
        copy = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(
            copy.predict_proba(X, task=task), model.predict_proba(X, task=task)
        )


def test_pickle_does_not_hold_the_training_rows() -> None:
    X, y, task = make_tasks(rows=10_000)
    model = MultiTaskAlignedClassifier(**{**CONVEX, "tol": 0.01}).fit(X, y, task=task)
    assert len(pickle.dumps(model)) < X.nbytes / 10


def assert_predicts_the_same(model: Any, X: Any, task: Any, before: Any) -> None:
    np.testing.assert_array_equal(model.predict_proba(X, task=task), before)


def test_a_failed_fit_leaves_the_fitted_model_alone() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    before = model.predict_proba(X, task=task)
    attributes = set(vars(model))
    failures: list[tuple[str, dict[str, Any], Any, Any]] = [
        ("one entry per task", {"task_weight": [1, 2]}, X, y + 5),
        ("no label", {}, X[:, :2], np.where(y == 0, np.nan, y)),
        ("The loss is", {"solver": "adam", "learning_rate_init": 1e30}, X, y),
        ("too large to square", {"input_scaling": None}, 1e200 * X, y),
        ("too large to square", {}, 1e200 * X, y),
    ]
    for message, params, features, labels in failures:
        broken = pickle.loads(pickle.dumps(model)).set_params(**params)
        with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
            broken.fit(features, labels, task=task)
        assert set(vars(broken)) == attributes
        assert broken.classes_.tolist() == [0, 1]
        assert_predicts_the_same(broken, X, task, before)


def test_a_failed_partial_fit_leaves_the_fitted_model_alone() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0).partial_fit(X, y, task=task)
    before = model.predict_proba(X, task=task)
    with pytest.raises(ValueError, match="values too large for"):
        model.partial_fit(1e39 * X, y, task=task)
    assert_predicts_the_same(model, X, task, before)
    assert len(model.net_.history) == 1
    model.partial_fit(X, y, task=task)
    assert np.isfinite(model.loss_curve_).all()


def test_every_call_of_partial_fit_shuffles_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, task = make_tasks()
    orders: list[torch.Tensor] = []

    def spy(n_rows: int, generator: torch.Generator) -> torch.Tensor:
        orders.append(torch.randperm(n_rows, generator=generator))
        return orders[-1]

    monkeypatch.setattr("sk_mtl._batches.random_order", spy)
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0)
    for _ in range(3):
        model.partial_fit(X, y, task=task)
    assert len(orders) == 3
    assert not torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[1], orders[2])


def test_classes_of_partial_fit_may_name_tasks_that_come_later() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0, task_weight="balanced")
    first = task < 2
    model.partial_fit(X[first], y[first], task=task[first], classes={t: [0, 1] for t in range(3)})
    model.partial_fit(X, y, task=task)
    assert model.tasks_.tolist() == [0, 1, 2]
    for wrong in ([[0, 1], [2, 3]], [], 3):
        with pytest.raises(ValueError, match="classes must list the labels of every task"):
            clone(model).partial_fit(X, y, task=task, classes=wrong)


def test_partial_fit_needs_a_label_and_no_early_stopping() -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1.0 - y])
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0).partial_fit(X, Y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="No labelled row has a positive weight"):
        model.partial_fit(X, np.full_like(Y, np.nan))
    np.testing.assert_array_equal(model.predict_proba(X), before)
    with pytest.raises(ValueError, match="partial_fit needs early_stopping=False"):
        model.set_params(early_stopping=True).partial_fit(X, Y)


def test_partial_fit_goes_on_from_a_fit_of_another_solver() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    before = model.predict_proba(X, task=task)
    model.set_params(solver="adam", dtype="float64", learning_rate_init=1e-6)
    model.partial_fit(X, y, task=task)
    np.testing.assert_allclose(model.predict_proba(X, task=task), before, atol=1e-3)


def test_a_start_that_is_the_optimum_counts_as_one_epoch() -> None:
    X = np.ones((40, 3))
    y, task = np.arange(40) % 2, np.arange(40) // 20
    for early_stopping in (False, True):
        model = MultiTaskAlignedClassifier(early_stopping=early_stopping, random_state=0)
        model.fit(X, y, task=task)
        assert model.n_iter_ == len(model.loss_curve_) == 1
        np.testing.assert_allclose(model.predict_proba(X, task=task), 0.5)


def test_fit_works_where_gradients_are_off() -> None:
    X, y, task = make_tasks()
    with torch.no_grad():
        model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    assert model.score(X, y, task=task) > 0.7


def test_a_small_first_chunk_does_not_set_the_size_of_batches() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0)
    first = [0, 40, 80, 120, 160, 200]
    model.partial_fit(X[first], y[first], task=task[first]).partial_fit(X, y, task=task)
    assert len(model.net_.history[-1, "batches"]) == 2


def test_a_chunk_of_tasks_without_weight_is_refused_and_nothing_is_lost() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", task_weight=[1, 1, 0], random_state=0)
    expected = model.partial_fit(X, y, task=task).predict_proba(X, task=task)
    with pytest.raises(ValueError, match="No labelled row has a positive weight"):
        model.partial_fit(X[task == 2], y[task == 2], task=task[task == 2])
    np.testing.assert_array_equal(model.predict_proba(X, task=task), expected)


def test_chunks_of_another_layout_are_refused() -> None:
    X, y, _ = make_tasks()
    wide = np.column_stack([y, 1 - y])
    model = MultiTaskAlignedClassifier(solver="adam", random_state=0)
    for first, then, layout in ((y, wide, "one label per row"), (wide, y, "a wide y")):
        fitted = clone(model).partial_fit(X, first)
        with pytest.raises(ValueError, match=rf"but the estimator was fitted on {layout}"):
            fitted.partial_fit(X, then)
