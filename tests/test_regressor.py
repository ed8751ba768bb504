"""MultiTaskAlignedRegressor against ridge regression, closed forms and its own promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, KFold

from helpers import CONVEX, N_TASKS
from sk_mtl import MultiTaskAlignedRegressor, SVDTaskReweighter
from sk_mtl._value_targets import ValueTargets


def make_values(rows: int = 40, seed: int = 0, noise: float = 0.5) -> tuple[Any, Any, Any]:
    """Related tasks, each with a mean of its own."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(N_TASKS), rows)
    theta = rng.standard_normal(5) + 0.4 * rng.standard_normal((N_TASKS, 5))
    X = rng.standard_normal((len(task), 5))
    y = np.einsum("nd,nd->n", X, theta[task]) + 3.0 * task
    return X, y + noise * rng.standard_normal(len(task)), task


@pytest.mark.parametrize(("alpha", "head_alpha"), [(0.5, 2.0), (3.0, 0.1)])
def test_linear_model_is_ridge_regression_on_augmented_features(
    alpha: float, head_alpha: float
) -> None:
    X, y, task = make_values()
    model = MultiTaskAlignedRegressor(
        **CONVEX, input_scaling=None, alpha=alpha, head_alpha=head_alpha
    ).fit(X, y, task=task)
    one_hot = np.eye(N_TASKS)[task]
    own = np.einsum("nt,nd->ntd", one_hot, X).reshape(len(X), -1)
    Z = np.hstack([X / np.sqrt(alpha), own / np.sqrt(head_alpha), one_hot])
    penalty = np.diag([1.0] * (Z.shape[1] - N_TASKS) + [0.0] * N_TASKS)  # free biases
    unit = model.target_scale_[task]
    solution = np.linalg.solve(Z.T @ Z + penalty, Z.T @ (y / unit))
    np.testing.assert_allclose(model.predict(X, task=task), Z @ solution * unit, atol=1e-6)


def test_a_single_task_is_ridge() -> None:
    X, y, _ = make_values()
    model = MultiTaskAlignedRegressor(**CONVEX, input_scaling=None, alpha=2, head_alpha=6).fit(X, y)
    # One vector, split between the shared and the own head, has a penalty of 1 / (1/2 + 1/6).
    np.testing.assert_allclose(model.predict(X), Ridge(1.5).fit(X, y).predict(X), atol=1e-6)
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))


def test_a_wide_y_with_gaps_is_its_stacked_rows() -> None:
    X, _, _ = make_values()
    rng = np.random.default_rng(1)
    Y = X @ rng.standard_normal((5, N_TASKS)) + [0, 50, 0]
    Y[rng.random(Y.shape) < 0.3] = np.nan
    settings: dict[str, Any] = {**CONVEX, "input_scaling": None}
    wide = MultiTaskAlignedRegressor(**settings).fit(X, Y)
    row, task = np.nonzero(~np.isnan(Y))
    stacked = MultiTaskAlignedRegressor(**settings).fit(X[row], Y[row, task], task=task)
    expected = stacked.predict(np.repeat(X, N_TASKS, axis=0), task=np.tile([0, 1, 2], len(X)))
    np.testing.assert_allclose(wide.predict(X), expected.reshape(-1, N_TASKS), atol=1e-5)
    per_task = [
        r2_score(Y[known, t], wide.predict(X)[known, t]) for t, known in enumerate(~np.isnan(Y.T))
    ]
    assert wide.score(X, Y) == pytest.approx(np.mean(per_task))


def test_units_of_the_targets_do_not_matter() -> None:
    X, y, task = make_values()
    model = MultiTaskAlignedRegressor(random_state=0).fit(X, y, task=task)
    other = MultiTaskAlignedRegressor(random_state=0).fit(X, 1e6 * y - 7e6, task=task)
    np.testing.assert_allclose(
        other.predict(X, task=task) / 1e6 + 7, model.predict(X, task=task), atol=1e-6
    )
    units = np.array([1.0, 1e3, 1e-3])[task]
    apart = MultiTaskAlignedRegressor(random_state=0).fit(X, units * y, task=task)
    difference = apart.predict(X, task=task) / units - model.predict(X, task=task)
    assert np.abs(difference).max() < 0.1 * y.std()


def test_tasks_of_one_unit_share_its_estimate() -> None:
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(200), 4)
    y = rng.standard_normal(len(task))
    ids, weight, group = np.arange(200), np.ones(len(task)), np.zeros(200, dtype=int)
    of_one = ValueTargets.of_rows(y, task, ids, weight, group).scale
    raw = y.reshape(200, 4).std(axis=1)
    assert np.abs(np.log(of_one)).mean() < 0.7 * np.abs(np.log(raw)).mean()
    units = np.exp(rng.uniform(-10, 10, 200))
    of_many = ValueTargets.of_rows(y * units[task], task, ids, weight, group).scale
    ratio = of_many / (raw * units)  # one factor for all: few rows underestimate
    np.testing.assert_allclose(ratio, np.median(ratio), rtol=0.2)
    assert 1 < np.median(ratio) < 1.6


def test_few_rows_lean_on_other_tasks() -> None:
    """Against a ridge regression per task, on average over draws."""
    ours, alone = [], []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        theta = rng.standard_normal(5) + 0.2 * rng.standard_normal((N_TASKS, 5))
        task = np.repeat(np.arange(N_TASKS), 208)
        X = rng.standard_normal((len(task), 5))
        y = np.einsum("nd,nd->n", X, theta[task]) + rng.standard_normal(len(task))
        few = np.arange(len(task)) % 208 < 8
        model = MultiTaskAlignedRegressor(random_state=0).fit(X[few], y[few], task=task[few])
        for t in range(N_TASKS):
            train, test = few & (task == t), ~few & (task == t)
            ours.append(model.score(X[test], y[test], task=task[test]))
            alone.append(Ridge().fit(X[train], y[train]).score(X[test], y[test]))
    assert np.mean(ours) > np.mean(alone) + 0.05


def test_a_constant_target_is_predicted() -> None:
    X, y, task = make_values()
    y[task == 1] = 42.0
    model = MultiTaskAlignedRegressor(random_state=0).fit(X, y, task=task)
    np.testing.assert_allclose(model.predict(X, task=task)[task == 1], 42, atol=0.5 * y.std())
    constant = MultiTaskAlignedRegressor(random_state=0).fit(X, np.full(len(y), 7), task=task)
    np.testing.assert_allclose(constant.predict(X, task=task), 7)


def test_a_row_of_weight_zero_is_not_there() -> None:
    X, y, task = make_values()
    weight = (np.arange(len(y)) % 3 > 0).astype(float)
    used = weight > 0
    one = MultiTaskAlignedRegressor(random_state=0).fit(X, y, task=task, sample_weight=weight)
    other = MultiTaskAlignedRegressor(random_state=0).fit(X[used], y[used], task=task[used])
    np.testing.assert_array_equal(one.predict(X, task=task), other.predict(X, task=task))


def test_whole_numbers_are_no_classes_to_a_reweighter() -> None:
    X, y, task = make_values()
    whole = np.round(10 * y)
    model = MultiTaskAlignedRegressor(task_weight=SVDTaskReweighter(), random_state=0)
    model.fit(X, whole, task=task)
    assert model.task_reweighter_.task_directions_.shape == (N_TASKS, 5)
    expected = SVDTaskReweighter().fit(X, whole + 0.25, task=task).normalized_task_weight()
    np.testing.assert_allclose(model.task_weight_, expected, rtol=0.05)


def test_grid_search_in_a_frame_with_a_task_column() -> None:
    X, y, task = make_values()
    frame = pd.DataFrame(X, columns=list("abcde")).assign(shop=task)
    search = GridSearchCV(
        MultiTaskAlignedRegressor(task_column="shop", random_state=0),
        {"head_alpha": [0.5, 50]},
        cv=KFold(3, shuffle=True, random_state=0),
        scoring=["r2", "neg_mean_absolute_error"],
        refit="r2",
    ).fit(frame, y)
    assert search.best_score_ > 0.7
    assert search.predict(frame).shape == y.shape


def test_partial_fit_learns_from_chunks() -> None:
    X, y, task = make_values(rows=200)
    model = MultiTaskAlignedRegressor(solver="adam", learning_rate_init=0.01, random_state=0)
    order = np.random.default_rng(0).permutation(len(y))
    for _ in range(20):
        for chunk in np.array_split(order, 3):
            model.partial_fit(X[chunk], y[chunk], task=task[chunk])
    reference = MultiTaskAlignedRegressor(random_state=0).fit(X, y, task=task)
    assert model.score(X, y, task=task) > reference.score(X, y, task=task) - 0.03


def test_early_stopping_scores_by_r2() -> None:
    X, y, task = make_values(rows=200)
    model = MultiTaskAlignedRegressor(early_stopping=True, random_state=0).fit(X, y, task=task)
    assert model.validation_scores_ is not None
    assert 0.8 < max(model.validation_scores_) <= 1
    assert model.n_iter_ == len(model.validation_scores_)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.array(["low", "high"] * 60), r"holds 'low', which is not a number"),
        (np.where(np.arange(120) == 3, np.nan, 1.0), "1 rows have no label"),
        (np.where(np.arange(120) == 3, np.inf, 1.0), "infinity"),
        (np.where(np.arange(120) == 3, 1e200, 1.0), "too large to square"),
    ],
)
def test_targets_that_are_no_numbers(y: Any, message: str) -> None:
    X, _, task = make_values()
    with pytest.raises(ValueError, match=message):
        MultiTaskAlignedRegressor().fit(X, y, task=task)


def test_a_wide_task_without_values_is_named() -> None:
    X, y, _ = make_values()
    Y = pd.DataFrame({"a": y, "b": np.nan})
    with pytest.raises(ValueError, match=r"tasks \['b'\] have no labelled row"):
        MultiTaskAlignedRegressor().fit(X, Y)
