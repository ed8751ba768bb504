"""Exact solutions and leave-one-out predictions of linear models of several tasks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression, Ridge

from sk_mtl._leave_one_out import Prior, TaskProblem


def draw(sizes: list[int], d: int, *, logistic: bool, seed: int = 0) -> dict[str, Any]:
    """Rows of tasks of these sizes, in random order."""
    rng = np.random.default_rng(seed)
    task = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    features = rng.standard_normal((len(task), d)) / np.sqrt(d)
    signal = 3 * features @ rng.standard_normal(d) + 0.5 * rng.standard_normal(len(task))
    return {
        "features": features,
        "row": np.arange(len(task)),
        "task": task,
        "target": (signal > 0).astype(float) if logistic else signal,
        "weight": rng.uniform(0.5, 2, len(task)),
        "n_tasks": len(sizes),
        "logistic": logistic,
    }


def by_brute_force(drawn: dict[str, Any], prior: Prior, weight: np.ndarray) -> np.ndarray:
    """Outputs of a general optimiser, of a Gaussian process with the prior's covariance."""
    Z = np.column_stack([drawn["features"], np.ones(len(drawn["features"]))])[drawn["row"]]
    common, own = prior.deviations(Z.shape[1] - 1)
    same = drawn["task"][:, None] == drawn["task"]
    covariance = (Z * common**2) @ Z.T + same * ((Z * own**2) @ Z.T)
    root = np.linalg.cholesky(covariance + 1e-10 * np.eye(len(Z)))
    y = drawn["target"]

    def objective(u: np.ndarray) -> tuple[float, np.ndarray]:
        f = root @ u
        if drawn["logistic"]:
            loss = weight @ np.logaddexp(0, np.where(y > 0.5, -f, f))
            slope = weight * (1 / (1 + np.exp(-f)) - y)
        else:
            loss, slope = 0.5 * weight @ (f - y) ** 2, weight * (f - y)
        return loss + 0.5 * u @ u, root.T @ slope + u

    start = np.zeros(len(Z))
    found = minimize(objective, start, jac=True, method="BFGS", options={"gtol": 1e-8})
    return np.asarray(root @ found.x)


SETTINGS = [
    Prior(strength, sharing, common_bias=0.3, own_bias=0.1)
    for strength, sharing in product((0.05, 1.0), (0.0, 0.7, 1.0))
]


@pytest.mark.parametrize("prior", SETTINGS, ids=str)
@pytest.mark.parametrize("d", [4, 15], ids=["more rows", "more features"])
@pytest.mark.parametrize("logistic", [True, False])
def test_the_optimum_is_that_of_a_general_optimiser(prior: Prior, d: int, logistic: bool) -> None:
    drawn = draw([3, 12, 7], d, logistic=logistic)
    found = TaskProblem(**drawn).solve(prior)
    expected = by_brute_force(drawn, prior, drawn["weight"])
    np.testing.assert_allclose(found.outputs, expected, atol=2e-4 if logistic else 1e-5)


@pytest.mark.parametrize("prior", SETTINGS, ids=str)
@pytest.mark.parametrize("d", [4, 15], ids=["more rows", "more features"])
def test_leaving_out_is_fitting_again_for_squares(prior: Prior, d: int) -> None:
    drawn = draw([3, 12, 7], d, logistic=False)
    found = TaskProblem(**drawn).solve(prior)
    for left_out in range(22):
        weight = np.where(np.arange(22) == left_out, 0.0, drawn["weight"])
        expected = by_brute_force(drawn, prior, weight)[left_out]
        assert found.left_out[left_out] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("prior", SETTINGS, ids=str)
def test_leaving_out_is_nearly_fitting_again_for_classes(prior: Prior) -> None:
    drawn = draw([10, 30, 20], 4, logistic=True)
    found = TaskProblem(**drawn).solve(prior)
    expected = [
        by_brute_force(drawn, prior, np.where(np.arange(60) == j, 0.0, drawn["weight"]))[j]
        for j in range(0, 60, 6)
    ]
    moved = np.abs(np.array(expected) - found.outputs[::6]).max()
    assert moved > 0.1
    np.testing.assert_allclose(found.left_out[::6], expected, atol=0.15 * moved)


def test_one_task_is_scikit_learns_logistic_regression() -> None:
    drawn = draw([40], 5, logistic=True)
    found = TaskProblem(**drawn).solve(Prior(0.5, 0.0, common_bias=1e8, own_bias=1e-9))
    model = LogisticRegression(C=2.0, tol=1e-10, max_iter=1000)
    model.fit(drawn["features"], drawn["target"], sample_weight=drawn["weight"])
    expected = np.column_stack([model.coef_, model.intercept_])
    np.testing.assert_allclose(found.coefficients, expected, atol=1e-3)


def test_tasks_that_share_nothing_are_fitted_alone() -> None:
    drawn = draw([14, 9], 5, logistic=False)
    problem = TaskProblem(**drawn)
    found = problem.solve(Prior(0.5, 0.0, common_bias=1e-12, own_bias=1e8))
    for t in range(2):
        own = drawn["task"] == t
        model = Ridge(alpha=0.5)
        model.fit(drawn["features"][own], drawn["target"][own], drawn["weight"][own])
        np.testing.assert_allclose(found.coefficients[t, :-1], model.coef_, atol=1e-5)
        assert found.coefficients[t, -1] == pytest.approx(model.intercept_, abs=1e-5)


@pytest.mark.parametrize("d", [3, 40], ids=["more rows", "more features"])
def test_weights_explain_the_outputs(d: int) -> None:
    drawn = draw([5, 11, 5, 2], d, logistic=True)
    problem = TaskProblem(**drawn)
    found = problem.solve(Prior(0.1, 0.6, 0.2, 0.2))
    weights = problem.weights_of_features(found)
    assert weights.shape == (4, d + 1)
    Z = np.column_stack([drawn["features"], np.ones(len(drawn["row"]))])
    expected = np.einsum("nd,nd->n", Z, weights[drawn["task"]])
    np.testing.assert_allclose(found.outputs, expected, atol=1e-9)


@pytest.mark.parametrize("prior", SETTINGS, ids=str)
def test_tasks_that_share_rows_are_left_out_together(prior: Prior) -> None:
    """Or else one task's target would tell the other's."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    row, task = np.nonzero(rng.random((20, 4)) < 0.7)
    rest = {"target": rng.standard_normal(len(row)), "weight": rng.uniform(0.5, 2, len(row))}
    drawn = {"features": X, "row": row, "task": task, "n_tasks": 4, "logistic": False, **rest}
    found = TaskProblem(**drawn).solve(prior)
    for left_out in range(0, 20, 3):
        own = row == left_out
        expected = by_brute_force(drawn, prior, np.where(own, 0.0, rest["weight"]))
        np.testing.assert_allclose(found.left_out[own], expected[own], atol=1e-4)


def test_a_start_changes_the_way_and_not_the_end() -> None:
    drawn = draw([12, 7], 6, logistic=True)
    problem = TaskProblem(**drawn)
    prior = Prior(0.01, 0.5, 0.1, 0.1)
    far = problem.solve(Prior(10.0, 0.9, 1.0, 1.0))
    one, other = problem.solve(prior), problem.solve(prior, far)
    np.testing.assert_allclose(one.outputs, other.outputs, atol=1e-3)


def test_separable_classes_with_hardly_a_penalty_stay_finite() -> None:
    X = np.linspace(-1, 1, 20)[:, None]
    target = (X[:, 0] > 0).astype(float)
    rest = {"target": target, "weight": np.full(20, 100.0), "n_tasks": 1, "logistic": True}
    problem = TaskProblem(X, np.arange(20), np.zeros(20, dtype=int), **rest)
    found = problem.solve(Prior(1e-6, 0.0, 1.0, 1.0))
    assert np.isfinite(found.outputs).all()
    assert ((found.outputs > 0) == (target > 0.5)).all()


def test_a_task_without_entries_has_what_is_common() -> None:
    drawn = draw([12, 9], 4, logistic=True) | {"n_tasks": 3}
    found = TaskProblem(**drawn).solve(Prior(0.1, 1.0, 0.2, 1e-12))
    np.testing.assert_allclose(found.coefficients[2], found.coefficients[0], atol=1e-6)
