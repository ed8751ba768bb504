"""The linear map of the features."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

from sk_mtl._scaling import InputScaler

ONES = np.ones(60)


def correlated(n_rows: int = 60, n_features: int = 5, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n_rows, n_features)) @ rng.standard_normal((n_features, n_features))


def test_principal_is_the_square_root_of_the_covariance() -> None:
    X = StandardScaler().fit_transform(correlated())
    z = InputScaler.fit(X, ONES, "principal").transform(X)
    # Equal deviations only rescale, so the covariance of z is that of X C^(1/2): C (C + floor).
    covariance = X.T @ X / 60
    expected = covariance @ (covariance + 0.1 * np.eye(5))
    found = z.T @ z / 60
    np.testing.assert_allclose(found, expected / np.trace(expected), atol=1e-12)


@pytest.mark.parametrize("n_rows", [4, 60])
@pytest.mark.parametrize("kind", ["principal", "standard"])
def test_mean_squared_norm_is_one(n_rows: int, kind: str) -> None:
    X = 100 * correlated(n_rows) + 7
    z = InputScaler.fit(X, np.ones(n_rows), kind).transform(X)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-10)
    assert (z**2).sum(axis=1).mean() == pytest.approx(1)


def test_few_rows_give_the_same_map_as_the_covariance() -> None:
    """More features than rows take the way through the rows' Gram matrix."""
    X = correlated(8, 20)
    weight = np.ones(8)
    few = InputScaler.fit(X, weight, "principal")
    padded = InputScaler.fit(np.repeat(X, 4, axis=0), np.ones(32), "principal")
    np.testing.assert_allclose(few.weight, padded.weight, atol=1e-10)


def test_weights_are_repetitions() -> None:
    X = correlated()
    times = np.random.default_rng(0).integers(1, 4, 60)
    weighted = InputScaler.fit(X, times.astype(float), "principal")
    repeated = InputScaler.fit(X.repeat(times, axis=0), np.ones(times.sum()), "principal")
    np.testing.assert_allclose(weighted.weight, repeated.weight, atol=1e-12)
    np.testing.assert_allclose(weighted.mean, repeated.mean, atol=1e-12)


def distances(X: np.ndarray, kind: str = "principal") -> np.ndarray:
    z = InputScaler.fit(X, np.ones(len(X)), kind).transform(X)
    return np.asarray(z @ z.T)


@pytest.mark.parametrize("kind", ["principal", "standard"])
def test_a_pca_before_changes_distances_no_more_than_a_rotation(kind: str) -> None:
    X = StandardScaler().fit_transform(correlated())
    expected, found = distances(X, kind), distances(PCA().fit_transform(X), kind)
    # "standard" does nothing to standardised features but for the floor.
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["principal", "standard"])
@pytest.mark.parametrize("n_features", [20, 40])
def test_a_pca_of_other_rows_changes_distances_little(kind: str, n_features: int) -> None:
    many = correlated(1000, n_features) + correlated(1000, n_features, seed=1)
    pca = PCA().fit(StandardScaler().fit_transform(many))
    scaled = StandardScaler().fit_transform(many)[:80]
    expected, found = distances(scaled, kind), distances(pca.transform(scaled), kind)
    assert np.corrcoef(expected.ravel(), found.ravel())[0, 1] > 0.98


def whitened(X: np.ndarray) -> bool:
    """Whether no feature has over four times the deviation of another, once scaled."""
    z = InputScaler.fit(X, np.ones(len(X)), "standard").transform(X)
    return bool(np.ptp(np.log2(z.std(axis=0))) < 2)


def test_what_is_no_pca_is_divided() -> None:
    rng = np.random.default_rng(0)
    falling = 10.0 ** -np.arange(0, 3, 0.25)
    independent = rng.standard_normal((80, 12))
    assert not whitened(independent * falling)
    assert whitened(independent * rng.permutation(falling))  # no order
    assert whitened(independent[:, :6] * falling[:6])  # six features: by chance
    common = rng.standard_normal((80, 1))
    assert whitened((independent + 2 * common) * falling)  # correlated
    blocks = independent * np.repeat([1, 0.01], 6) * rng.uniform(0.5, 2, 12)
    assert whitened(blocks)  # parts that differ in their units
    units = np.r_[100.0, falling[1:]]
    assert whitened(independent * units)  # a PCA of one feature in large units, and others


def test_a_feature_in_units_of_its_own_does_not_drown_the_others() -> None:
    X = correlated()
    X[:, 0] *= 1e6
    z = InputScaler.fit(X, ONES, "standard").transform(X)
    assert z.std(axis=0).min() > 0.5 * z.std(axis=0).max()


def test_units_matter_by_a_factor_of_two_at_most() -> None:
    X = StandardScaler().fit_transform(correlated())
    units = np.array([1, 1e3, 1e-3, 1e6, 1e-6])
    plain = InputScaler.fit(X, ONES, "standard").transform(X).std(axis=0)
    scaled = InputScaler.fit(X * units, ONES, "standard").transform(X * units).std(axis=0)
    assert np.ptp(np.log2(scaled / plain)) <= 1 + 1e-9


def test_weak_features_of_one_unit_stay_weaker() -> None:
    X = StandardScaler().fit_transform(correlated())
    X[:, 0] *= 0.1
    z = InputScaler.fit(X, ONES, "standard").transform(X).std(axis=0)
    assert z[0] < 0.6 * z[1:].min()


def test_a_factorial_design_is_no_principal_component() -> None:
    X = np.array([[a, b] for a in (100.0, 200.0) for b in (0.1, 0.2)] * 10)
    one = InputScaler.fit(X, np.ones(40), "principal").transform(X)
    other = InputScaler.fit(X[:, ::-1], np.ones(40), "principal").transform(X[:, ::-1])
    np.testing.assert_allclose(one, other[:, ::-1])


@pytest.mark.parametrize("kind", ["principal", "standard"])
def test_constant_features_are_harmless(kind: str) -> None:
    X = np.full((60, 3), 5.0)
    np.testing.assert_array_equal(InputScaler.fit(X, ONES, kind).transform(X), 0)


def test_none_leaves_the_features_alone() -> None:
    X = correlated()
    np.testing.assert_array_equal(InputScaler.fit(X, ONES, None).transform(X), X)
