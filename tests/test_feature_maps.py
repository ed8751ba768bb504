"""Maps of the features in which linear models are averaged."""

from __future__ import annotations

import numpy as np
import pytest

from sk_mtl._feature_maps import principal, relu, relu_kernel, rescaled, standard
from sk_mtl._scaling import InputScaler

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8)) @ RNG.standard_normal((8, 8))
ONES = np.ones(60)


def test_the_kernel_is_that_of_many_rectified_linear_units() -> None:
    """By Monte Carlo: twice the mean product of the outputs of random units with a bias."""
    rows, others = X[:3] / 5, X[3:7] / 5
    units = np.random.default_rng(1).standard_normal((400_000, 9))
    of_rows, of_others = (
        np.maximum(np.column_stack([z, np.ones(len(z))]) @ units.T, 0) for z in (rows, others)
    )
    expected = 2 * of_rows @ of_others.T / len(units)
    np.testing.assert_allclose(relu_kernel(rows, others), expected, rtol=0.02, atol=0.01)


@pytest.mark.parametrize("n_rows", [60, 6], ids=["more rows", "more features"])
@pytest.mark.parametrize(("make", "kind"), [(principal, "principal"), (standard, "standard")])
def test_linear_maps_have_the_products_of_the_scaled_rows(make, kind, n_rows) -> None:
    rows, weight = X[:n_rows], ONES[:n_rows]
    scaler = InputScaler.fit(rows, weight, kind)
    mapped = make(rows, None, weight, 3).transform(rows, None)
    assert mapped.shape[1] == min(n_rows, 8) or (n_rows < 8 and mapped.shape[1] == n_rows - 1)
    z = scaler.transform(rows)
    np.testing.assert_allclose(mapped @ mapped.T, z @ z.T, atol=1e-9)


def test_the_kernel_map_has_the_products_of_the_kernel() -> None:
    mapped = relu(X, None, ONES, 3)
    z = InputScaler.fit(X, ONES, "standard").transform(X)
    found = mapped.transform(X, None)
    np.testing.assert_allclose(found @ found.T, relu_kernel(z, z), atol=1e-6)


def test_with_many_rows_or_tasks_the_maps_are_cut() -> None:
    many = np.random.default_rng(0).standard_normal((900, 700))
    for n_tasks, most in ((2, 512), (100, 271), (10_000, 128)):
        for make in (principal, relu):
            made = make(many, None, np.ones(900), n_tasks)
            assert made.transform(many[:2], None).shape == (2, most)


def test_the_strongest_directions_are_kept() -> None:
    many = np.random.default_rng(0).standard_normal((900, 700)) * np.r_[np.ones(100) * 9, [1] * 600]
    mapped = principal(many, None, np.ones(900), 10_000).transform(many, None)
    z = InputScaler.fit(many, np.ones(900), "principal").transform(many)
    strongest = np.sort(np.linalg.eigvalsh(z.T @ z))[-128:].sum()
    assert (mapped**2).sum() == pytest.approx(strongest)


def test_units_and_origins_of_a_task_are_found() -> None:
    """After it, the tasks' rows are as if all had been measured by one instrument."""
    rng = np.random.default_rng(0)
    task = np.repeat([0, 1, 2], 400)
    rows = rng.standard_normal((1200, 4))
    gain, offset = np.exp(rng.standard_normal((3, 4))), 5 * rng.standard_normal((3, 4))
    made = rescaled(rows * gain[task] + offset[task], task, np.ones(1200), 3)
    mapped = made.transform(rows * gain[task] + offset[task], task)
    for t in range(3):
        np.testing.assert_allclose(mapped[task == t].mean(axis=0), 0, atol=0.02)
    spread = np.array([mapped[task == t].std(axis=0) for t in range(3)])
    np.testing.assert_allclose(spread / spread.mean(axis=0), 1, atol=0.05)


def test_tasks_of_one_unit_are_left_alone() -> None:
    rng = np.random.default_rng(0)
    task = np.repeat(np.arange(6), 20)
    rows = rng.standard_normal((120, 30))
    made = rescaled(rows, task, np.ones(120), 6)
    assert np.abs(np.log(made.alignment)).max() < 0.1
    assert np.abs(made.centre).max() < 0.1 * np.abs(made.scaler.transform(rows)).max()


def test_nothing_to_align_of_one_task_or_shared_rows() -> None:
    assert rescaled(X, None, ONES, 3) is None
    assert rescaled(X, np.zeros(60, dtype=int), ONES, 1) is None
