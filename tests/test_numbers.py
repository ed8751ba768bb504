"""Numbers: training that diverges, bad scales and collinearity, precision, and the same again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SVDTaskReweighter,
)

RNG = np.random.default_rng(0)
N = 200
X = RNG.standard_normal((N, 6))
TASK = np.repeat([0, 1], N // 2)
Y = (X[:, 0] - X[:, 1] + RNG.standard_normal(N) > 0).astype(int)
VALUES = X @ np.arange(6.0) + RNG.standard_normal(N)
LINEAR: dict[str, Any] = {"hidden_layer_sizes": (), "alignment": None}
EXACT: dict[str, Any] = LINEAR | {"tol": 1e-9, "max_iter": 5000, "n_iter_no_change": 50}
KINDS = [(MultiTaskAlignedClassifier, Y), (MultiTaskAlignedRegressor, VALUES)]
SCALES = 10.0 ** np.linspace(-12, 12, 6)


# Training that diverges


@pytest.mark.parametrize("rate", [10.0, 1e4, 1e10])
@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_a_rate_that_is_too_large_is_told(kind: Any, y: Any, rate: float) -> None:
    """By a warning; where the loss is no number any more, by an error."""
    model = kind(solver="adam", learning_rate_init=rate, random_state=0)
    if rate == 1e10 and kind is MultiTaskAlignedRegressor:
        with pytest.raises(ValueError, match=r"The loss is (inf|nan) after .* Reduce learning"):
            model.fit(X, y, task=TASK)
        assert not model.__sklearn_is_fitted__()
        return
    with pytest.warns(
        ConvergenceWarning, match=r"knows nothing has .* diverged. Reduce learning_rate_init"
    ):
        model.fit(X, y, task=TASK)
    assert np.isfinite(model.predict(X, task=TASK)).all()


def test_the_last_step_counts() -> None:
    """One epoch of one batch: its loss is that of the weights before the step."""
    model = MultiTaskAlignedClassifier(
        solver="adam", learning_rate_init=1e30, random_state=0, batch_size=N
    )
    with pytest.raises(ValueError, match=r"The loss is inf after 1 iterations. Reduce learning"):
        model.partial_fit(X, Y, task=TASK)
    assert not model.__sklearn_is_fitted__()


@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_rates_that_fit_are_not_complained_about(kind: Any, y: Any) -> None:
    for rate in (1e-3, 0.1):
        model = kind(solver="adam", learning_rate_init=rate, random_state=0, tol=1e-3)
        model.fit(X, y, task=TASK)
        assert model.loss_curve_[-1] < model.loss_curve_[0]


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_features_far_too_large_to_leave_unscaled(kind: Any, y: Any, solver: str) -> None:
    """Scaled, they are fine; unscaled there is a warning, or in float32 an error."""
    large = 1e100 * X
    model = kind(solver=solver, learning_rate_init=0.05, random_state=0)
    expected = model.fit(X, y, task=TASK).score(X, y, task=TASK)
    found = model.fit(large, y, task=TASK).score(large, y, task=TASK)
    assert found == pytest.approx(expected, abs=0.01)
    model.set_params(input_scaling=None)
    if solver == "adam":
        with pytest.raises(ValueError, match=r"too large for torch.float32.* Scale X, or fit"):
            model.fit(large, y, task=TASK)
    else:
        with pytest.warns(
            ConvergenceWarning,
            match=r"no step that lowers .* Scale the features|diverged. .* scale the features",
        ):
            model.fit(large, y, task=TASK)
        assert np.isfinite(model.predict(large, task=TASK)).all()


@pytest.mark.parametrize("alpha", [1e-6, 1e-16, 1e-300, 0.0])
def test_next_to_no_penalty_is_none(alpha: float) -> None:
    """Without noise the answer is known; L-BFGS must not stop where it started."""
    exact = X @ np.arange(6.0)
    model = MultiTaskAlignedRegressor(**EXACT, alpha=alpha, head_alpha=alpha)
    said = model.fit(X, exact, task=TASK).predict(X, task=TASK)
    assert_allclose(said, exact, atol=1e-3 * exact.std())


@pytest.mark.parametrize("alpha", [1e30, 1e300])
def test_an_enormous_penalty_leaves_the_means(alpha: float) -> None:
    model = MultiTaskAlignedRegressor(**LINEAR, alpha=alpha, head_alpha=alpha)
    said = model.fit(X, VALUES, task=TASK).predict(X, task=TASK)
    means = np.array([VALUES[t == TASK].mean() for t in (0, 1)])
    assert_allclose(said, means[TASK], rtol=1e-9)


# Bad scales and collinearity


@pytest.mark.parametrize("input_scaling", ["standard", "principal"])
@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_scales_from_1e_12_to_1e_12_are_as_good_as_scaled_beforehand(
    kind: Any, y: Any, input_scaling: str
) -> None:
    """With next to no penalty the scale is no choice but a question of numbers."""
    params = EXACT | {"alpha": 1e-4, "head_alpha": 1e-4, "input_scaling": input_scaling}
    said = []
    for features in (X * SCALES, StandardScaler().fit_transform(X)):
        model = kind(**params).fit(features, y, task=TASK)
        ask = model.predict_proba if kind is MultiTaskAlignedClassifier else model.predict
        said.append(ask(features, task=TASK))
    size = 1.0 if kind is MultiTaskAlignedClassifier else y.std()
    assert_allclose(said[0], said[1], atol=2e-3 * size)


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize(("kind", "y"), KINDS)
def test_networks_take_bad_scales(kind: Any, y: Any, solver: str) -> None:
    model = kind(solver=solver, learning_rate_init=0.02, random_state=0)
    scaled = StandardScaler().fit_transform(X)
    expected = model.fit(scaled, y, task=TASK).score(scaled, y, task=TASK)
    bad = X * SCALES
    assert model.fit(bad, y, task=TASK).score(bad, y, task=TASK) > expected - 0.02


@pytest.mark.parametrize(
    ("kind", "y"), [(MultiTaskAlignedClassifierCV, Y), (MultiTaskAlignedRegressorCV, VALUES)]
)
def test_averages_take_bad_scales_and_collinear_features(kind: Any, y: Any) -> None:
    model = kind(hidden_layer_sizes=(), penalties=3, random_state=0)
    expected = model.fit(X, y, task=TASK).score(X, y, task=TASK)
    for bad in (X * SCALES, collinear()):
        assert model.fit(bad, y, task=TASK).score(bad, y, task=TASK) > expected - 0.02


def collinear() -> Any:
    """A column twice, one that is nearly another, and a sum of three."""
    nearly = X[:, 0] + 1e-9 * np.random.default_rng(1).standard_normal(N)
    return np.column_stack([X, X[:, 0], nearly, X[:, :3].sum(axis=1)])


def test_collinear_features_are_ridge_regression() -> None:
    params = EXACT | {"alpha": 1.0, "head_alpha": 1e8, "input_scaling": None}
    features = collinear()
    said = MultiTaskAlignedRegressor(**params).fit(features, VALUES).predict(features)
    # The targets are standardised, by their own standard deviation for one task.
    assert_allclose(said, Ridge(alpha=1.0).fit(features, VALUES).predict(features), atol=1e-5)


def test_collinear_features_are_logistic_regression() -> None:
    params = EXACT | {"alpha": 1.0, "head_alpha": 1e8, "input_scaling": None}
    features = collinear()
    model = MultiTaskAlignedClassifier(**params).fit(features, Y)
    of_family, of_task = 1 / model.module_.heads.bias_precision.numpy()
    bias = np.sqrt(of_family.item() + of_task.item())  # its prior, as a feature's penalty
    Z = np.column_stack([features, np.full(N, bias)])
    reference = LogisticRegression(fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    expected = reference.fit(Z, Y).predict_proba(Z)
    assert_allclose(model.predict_proba(features), expected, atol=1e-5)


def test_reweighting_does_not_know_units() -> None:
    plain = SVDTaskReweighter(n_components=2).fit(X, VALUES, task=TASK)
    bad = SVDTaskReweighter(n_components=2).fit(X * SCALES, VALUES, task=TASK)
    assert_allclose(bad.task_weight_, plain.task_weight_, rtol=1e-9)
    twice = np.column_stack([X, X])
    more = SVDTaskReweighter(n_components=2).fit(twice, VALUES, task=TASK)
    assert_allclose(more.task_weight_, 2**0.5 * plain.task_weight_, rtol=1e-9)


# Precision

# Largest differences between float32 and float64 that are promised: of a probability, and of a
# value in standard deviations of the target.
SINGLE = {"lbfgs": (1e-4, 1e-3), "adam": (1e-4, 1e-2)}


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (16,)])
def test_float32_is_float64_within_bounds(solver: str, hidden_layer_sizes: Any) -> None:
    params = {
        "solver": solver,
        "hidden_layer_sizes": hidden_layer_sizes,
        "alignment": None,
        "learning_rate_init": 0.02,
        "random_state": 0,
    }
    for kind, y in KINDS:
        said = []
        for dtype in ("float32", "float64"):
            model = kind(dtype=dtype, **params).fit(X.astype(dtype), y, task=TASK)
            assert str(model.module_.heads.own.dtype) == f"torch.{dtype}"
            ask = model.predict_proba if kind is MultiTaskAlignedClassifier else model.predict
            said.append(ask(X.astype(dtype), task=TASK))
        bound, of_values = SINGLE[solver]
        if kind is MultiTaskAlignedRegressor:
            bound = of_values * VALUES.std()
        assert_allclose(said[0], said[1], rtol=0, atol=bound)


def test_rows_in_float32_are_the_same_rows() -> None:
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, Y, task=TASK)
    single = model.predict_proba(X.astype(np.float32), task=TASK)
    assert_allclose(single, model.predict_proba(X, task=TASK), atol=1e-6)


# The same again

LARGE = np.random.default_rng(3).standard_normal((600, 30))
LARGE_TASK = np.arange(600) % 3
LARGE_Y = (LARGE[:, 0] - LARGE[:, 1] + 0.5 * LARGE[:, 2] * LARGE_TASK > 0).astype(int)
QUICK = MultiTaskAlignedClassifier(random_state=0, tol=0.01, hidden_layer_sizes=(16,))
AGAIN: dict[str, Any] = {
    "lbfgs": QUICK,
    "adam": clone(QUICK).set_params(solver="adam", learning_rate_init=0.02),
    "searched": MultiTaskAlignedClassifierCV(
        penalties=2, cv=2, hidden_layer_sizes=(4,), tol=0.05, random_state=0
    ),
    "selective": SelectiveTransferClassifier(
        clone(QUICK), LogisticRegression(), cv=2, random_state=0
    ),
}


def outcome(name: str, **params: Any) -> Any:
    model = clone(AGAIN[name]).set_params(**params)
    return model.fit(LARGE, LARGE_Y, task=LARGE_TASK).predict_proba(LARGE, task=LARGE_TASK)


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_another_process_makes_the_same_model_bit_for_bit(tmp_path: Path) -> None:
    command = [sys.executable, __file__, str(tmp_path / "said.npz")]
    subprocess.run(command, check=True, cwd=Path(__file__).parent)
    elsewhere = np.load(tmp_path / "said.npz")
    with threads(1):
        for name in AGAIN:
            assert_array_equal(outcome(name), elsewhere[name])


@pytest.mark.parametrize("name", ["searched", "selective"])
def test_jobs_make_the_same_model_bit_for_bit(name: str) -> None:
    with threads(1):  # as joblib's workers have
        assert_array_equal(outcome(name, n_jobs=2), outcome(name, n_jobs=1))


@pytest.mark.parametrize("name", ["lbfgs", "adam"])
def test_threads_make_the_same_model_within_rounding(name: str) -> None:
    """Not promised bit for bit: torch may add up parts of a sum in another order."""
    with threads(1):
        one = outcome(name)
        assert_array_equal(outcome(name), one)
    with threads(2):
        two = outcome(name)
        assert_array_equal(outcome(name), two)
        assert torch.get_num_threads() == 2
    assert_allclose(two, one, rtol=0, atol={"lbfgs": 1e-6, "adam": 1e-3}[name])


def test_seeds_matter() -> None:
    assert np.abs(outcome("adam", random_state=1) - outcome("adam")).max() > 1e-4


if __name__ == "__main__":
    torch.set_num_threads(1)
    np.savez(sys.argv[1], **{name: outcome(name) for name in AGAIN})
