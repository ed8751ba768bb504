"""The generators against what they promise: large draws, and the maps that they draw from."""

from __future__ import annotations

from inspect import signature
from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from scipy.special import expit, ndtr
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state

from sk_mtl import datasets
from sk_mtl._covariance_tasks import _covariance_roots
from sk_mtl.datasets import (
    make_covariance_tasks,
    make_decision_boundary_tasks,
    make_noisy_label_tasks,
)

GENERATORS = pytest.mark.parametrize("make", [getattr(datasets, name) for name in datasets.__all__])


def by_task(X, y, task):
    return [(X[task == t], y[task == t]) for t in np.unique(task)]


def strong_directions(X, n_strong):
    return np.linalg.svd(X, full_matrices=False)[2][:n_strong].T


# All generators


@GENERATORS
def test_reproducible_and_without_side_effects(make):
    before = np.random.get_state()  # noqa: NPY002
    first = make(coef=True, random_state=3)
    for once, again in zip(first, make(coef=True, random_state=3), strict=True):
        assert_array_equal(once, again)
    for once, plain in zip(first[:-1], make(random_state=3), strict=True):
        assert_array_equal(once, plain)
    assert not np.array_equal(first[0], make(random_state=4)[0])
    make(random_state=np.random.RandomState(0))
    after = np.random.get_state()  # noqa: NPY002
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]
    assert not np.array_equal(make()[0], make()[0])


@GENERATORS
def test_coefficients_are_not_the_first_numbers_drawn(make):
    """An estimator with the same random_state starts from these: it must not start at the truth."""
    cosines = []
    for seed in range(50):
        *_, coef = make(n_features=100, coef=True, random_state=seed)
        start = np.random.RandomState(seed).normal(size=100)
        cosines.append(coef @ start / np.linalg.norm(coef, axis=1) / np.linalg.norm(start))
    assert np.sqrt(np.mean(np.square(cosines))) < 0.15  # 0.1 by chance


@pytest.mark.parametrize("make", [make_covariance_tasks, make_decision_boundary_tasks])
def test_numbers_of_rows(make):
    for n_samples, sizes in [
        (7, [7, 7]),
        ([3], [3]),
        (np.array([4, 1, 2]), [4, 1, 2]),
        ((1, 2), [1, 2]),
    ]:
        X, y, task, coef = make(n_samples=n_samples, n_features=30, coef=True, random_state=0)
        assert_array_equal(np.bincount(task), sizes)
        assert X.shape == (sum(sizes), 30)
        assert y.shape == (sum(sizes),)
        assert coef.shape == (len(sizes), 30)


@pytest.mark.parametrize("make", [make_covariance_tasks, make_decision_boundary_tasks])
def test_rows_are_in_random_order(make):
    *_, task = make(n_samples=1000, random_state=0)
    assert abs(task[:1000].mean() - 0.5) < 0.05


OUT_OF_RANGE = {
    make_covariance_tasks: {
        "n_samples": 0,
        "n_features": 0,
        "condition_number": 0.5,
        "cosine": 1.1,
        "overlap": -0.1,
        "same_rotation": 2,
        "noise": -1.0,
        "coef": "yes",
        "random_state": "seed",
    },
    make_noisy_label_tasks: {
        "n_samples": [200, 10],
        "n_features": 2.5,
        "n_tasks": 0,
        "capacity": 0,
        "binary": None,
        "noise": np.nan,
        "noisy_tasks": 1,
        "label_noise": 1.1,
        "missing": 1.0,
        "coef": 2,
        "random_state": -1,
    },
    make_decision_boundary_tasks: {
        "n_samples": "many",
        "n_features": 1,
        "angle": np.inf,
        "shift": "far",
        "condition_number": 0,
        "class_sep": -1.0,
        "coef": None,
        "random_state": 0.5,
    },
}


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [(make, *item) for make, values in OUT_OF_RANGE.items() for item in values.items()],
)
def test_parameter_out_of_range(make, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {make.__name__} must be"):
        make(**{name: value})


def test_every_parameter_is_tested_out_of_range():
    for make, values in OUT_OF_RANGE.items():
        assert list(values) == list(signature(make).parameters)


@pytest.mark.parametrize("make", [make_covariance_tasks, make_decision_boundary_tasks])
@pytest.mark.parametrize("n_samples", [[], [3, 0], [2.5], [[1, 2]]])
def test_bad_numbers_of_rows(make, n_samples):
    with pytest.raises(ValueError, match="must be a positive integer, or a list of them"):
        make(n_samples=n_samples)


# Covariance tasks (Fig. 3)


@pytest.mark.parametrize("condition_number", [1, 4, 10])
def test_covariance_of_a_large_draw(condition_number):
    X, *_ = make_covariance_tasks(
        n_samples=[200_000], n_features=20, condition_number=condition_number, random_state=0
    )
    expected = np.repeat([1.0, condition_number], [18, 2]) ** 2
    assert_allclose(np.linalg.eigvalsh(X.T @ X / len(X)), expected, rtol=0.03)
    assert_allclose(X.mean(axis=0), 0, atol=0.01 * condition_number)


@pytest.mark.parametrize("same_rotation", [True, False])
def test_roots_of_the_covariances(same_rotation):
    roots = _covariance_roots(check_random_state(0), 3, 40, 10.0, 0.5, same_rotation=same_rotation)
    for root in roots:
        scale = np.linalg.norm(root, axis=1)
        assert_array_equal(np.unique(scale.round(12), return_counts=True), [[1, 10], [36, 4]])
        rotation = root / scale[:, None]
        assert_allclose(rotation @ rotation.T, np.eye(40), atol=1e-12)
        same = np.allclose(rotation, roots[0] / np.linalg.norm(roots[0], axis=1)[:, None])
        assert same == (same_rotation or root is roots[0])


@pytest.mark.parametrize(("overlap", "n_common"), [(0, 0), (0.3, 1), (0.5, 2), (0.75, 3), (1, 4)])
def test_overlap_of_the_strong_directions(overlap, n_common):
    tasks = by_task(
        *make_covariance_tasks(
            n_samples=[20_000] * 3,
            n_features=40,
            condition_number=1e4,
            overlap=overlap,
            random_state=1,
        )
    )
    for (X, _), (Z, _) in combinations(tasks, 2):
        angles = np.sort(subspace_angles(strong_directions(X, 4), strong_directions(Z, 4)))
        right = np.pi / 2
        assert_allclose(angles, [0] * n_common + [right] * (4 - n_common), atol=1e-3)


def test_rotations_of_their_own_leave_no_common_direction():
    X, _, task = make_covariance_tasks(
        n_samples=1000, condition_number=1e4, same_rotation=False, random_state=0
    )
    angles = subspace_angles(*(strong_directions(X[task == t], 10) for t in (0, 1)))
    # Ten random directions of a hundred.
    assert np.cos(angles).max() < 0.75
    assert_allclose((np.cos(angles) ** 2).mean(), 0.1, atol=0.05)


@pytest.mark.parametrize(
    ("n_tasks", "cosine"),
    [(1, 0.5), (2, 0.96), (2, -1), (2, 0), (4, 1), (5, 0.3), (5, -0.25), (10, 0.96)],
)
def test_cosines_between_coefficients(n_tasks, cosine):
    *_, coef = make_covariance_tasks(
        n_samples=[1] * n_tasks, n_features=20, cosine=cosine, overlap=1, coef=True, random_state=0
    )
    expected = np.where(np.eye(n_tasks, dtype=bool), 1, cosine)
    assert_allclose(coef @ coef.T, expected, atol=1e-12)


@pytest.mark.parametrize("noise", [0, 0.3, 2])
def test_noise_is_a_share_of_the_signal(noise):
    *data, coef = make_covariance_tasks(
        n_samples=20_000, noise=noise, overlap=0, coef=True, random_state=0
    )
    for (X, y), theta in zip(by_task(*data), coef, strict=True):
        signal = X @ theta
        residual = y - signal
        assert_allclose(residual.std(), noise * signal.std(), rtol=0.03)
        assert_allclose(X.T @ residual / len(X), 0, atol=0.6 * noise)


def test_stratified_split_keeps_the_tasks():
    X, y, task = make_covariance_tasks(n_samples=(200, 50), random_state=0)
    *_, task_train, task_test = train_test_split(
        X, y, task, stratify=task, test_size=0.2, random_state=0
    )
    assert_array_equal(np.bincount(task_train), [160, 40])
    assert_array_equal(np.bincount(task_test), [40, 10])


def test_as_many_disjoint_strong_directions_as_fit():
    X, y, task = make_covariance_tasks(
        n_samples=[100] * 10, overlap=0, condition_number=1e6, random_state=0
    )
    strong = np.hstack([strong_directions(X, 10) for X, _ in by_task(X, y, task)])
    assert_allclose(strong.T @ strong, np.eye(100), atol=1e-4)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_samples": [1] * 4, "n_features": 3}, "4 tasks need as many features.*n_features=3"),
        (
            {"n_samples": [5] * 3, "cosine": -0.6},
            "cosine=-0.6 is not possible between each two of 3 vectors. Pass at least -0.5",
        ),
        (
            {"n_samples": [5] * 11, "overlap": 0},
            "11 tasks with 10 strong coordinates each, 10 of which are their own, need 110 "
            "features; got n_features=100. Increase overlap=0",
        ),
    ],
)
def test_covariance_tasks_that_do_not_fit(params, message):
    with pytest.raises(ValueError, match=message):
        make_covariance_tasks(**params)


# Noisy labels (Propositions 1 and 3)


@pytest.mark.parametrize("capacity", [1, 3, 5])
def test_coefficients_span_the_capacity(capacity):
    *_, coef = make_noisy_label_tasks(n_tasks=5, capacity=capacity, coef=True, random_state=0)
    assert np.linalg.matrix_rank(coef) == capacity
    assert_allclose(np.linalg.norm(coef, axis=1), 1)


def test_signal_and_noise_of_real_targets():
    X, Y, coef = make_noisy_label_tasks(
        n_samples=50_000, binary=False, noise=0.5, noisy_tasks=[], coef=True, random_state=0
    )
    assert_allclose(X.T @ X / len(X), np.eye(20), atol=0.03)
    assert_allclose(np.linalg.lstsq(X, Y, rcond=None)[0], coef.T, atol=0.02)
    assert_allclose((Y - X @ coef.T).std(axis=0), 0.5, rtol=0.02)


def test_binary_labels_are_signs_of_the_signal():
    X, Y, coef = make_noisy_label_tasks(noise=0, noisy_tasks=[], coef=True, random_state=0)
    assert_array_equal(Y, X @ coef.T > 0)
    assert Y.dtype == float


@pytest.mark.parametrize("label_noise", [0, 0.2, 1])
def test_share_of_replaced_labels(label_noise):
    params = {"noise": 0, "noisy_tasks": (1, 3), "label_noise": label_noise, "random_state": 0}
    X, Y, coef = make_noisy_label_tasks(n_samples=1000, binary=False, coef=True, **params)
    replaced = ~np.isclose(Y, X @ coef.T)
    assert_array_equal(replaced.sum(axis=0), np.array([0, 1, 0, 1]) * label_noise * 1000)
    assert_allclose(Y.std(axis=0), 1, rtol=0.1)  # replaced or not

    X, Y, coef = make_noisy_label_tasks(n_samples=50_000, coef=True, **params)
    wrong = ((X @ coef.T > 0) != Y).mean(axis=0)
    assert_allclose(wrong, np.array([0, 1, 0, 1]) * label_noise / 2, atol=0.01)


@pytest.mark.parametrize(("missing", "n_missing"), [(0, 0), (0.3, 6), (0.29, 6), (0.999, 19)])
@pytest.mark.parametrize("binary", [True, False])
def test_share_of_missing_labels(missing, n_missing, binary):
    _, Y = make_noisy_label_tasks(n_samples=20, missing=missing, binary=binary, random_state=0)
    assert_array_equal(np.isnan(Y).sum(axis=0), [n_missing] * 4)
    if missing == 0.3:
        assert not (np.isnan(Y) == np.isnan(Y[:, :1])).all()  # not the same rows


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"capacity": 5}, "capacity=5 must be at most 4, the smaller of n_tasks=4"),
        ({"n_tasks": 30, "capacity": 21}, "must be at most 20.*n_features=20. Reduce capacity"),
        ({"noisy_tasks": [0, 4]}, "noisy_tasks names 4, but the tasks are 0 to 3"),
        ({"noisy_tasks": [-1]}, "noisy_tasks names -1.*Increase n_tasks=4, or name others"),
    ],
)
def test_noisy_label_tasks_that_do_not_fit(params, message):
    with pytest.raises(ValueError, match=message):
        make_noisy_label_tasks(**params)


# One decision boundary (Fig. 2)


@pytest.mark.parametrize("n_features", [2, 5])
def test_log_odds_are_true_and_the_boundary_is_shared(n_features):
    *data, coef = make_decision_boundary_tasks(
        n_samples=[200_000] * 3,
        n_features=n_features,
        shift=1.0,
        class_sep=2.0,
        coef=True,
        random_state=0,
    )
    assert_allclose(np.abs(coef @ coef[0]), np.linalg.norm(coef, axis=1) * np.linalg.norm(coef[0]))
    for (X, y), theta in zip(by_task(*data), coef, strict=True):
        probability = expit(X @ theta)
        assert_allclose(((probability > 0.5) != y).mean(), ndtr(-1.0), atol=0.003)
        edges = np.linspace(0, 1, 11)[1:-1]
        bins = np.digitize(probability, edges)
        shares = np.bincount(bins, weights=y) / np.bincount(bins)
        assert_allclose(shares, np.bincount(bins, probability) / np.bincount(bins), atol=0.02)
        model = LogisticRegression(C=np.inf).fit(X, y)
        assert_allclose(model.coef_[0], theta, atol=0.03 * np.linalg.norm(theta))
        assert_allclose(model.intercept_, 0, atol=0.05)


def test_shape_of_the_classes():
    *data, coef = make_decision_boundary_tasks(
        n_samples=[100_000] * 3, angle=30, shift=4, condition_number=6, coef=True, random_state=0
    )
    normal = coef[0] / np.linalg.norm(coef[0])
    for t, (X, y) in enumerate(by_task(*data)):
        centre = [X[y == label].mean(axis=0) for label in (0, 1)]
        # The middle moves along the boundary.
        middle = (centre[0] + centre[1]) / 2
        assert_allclose(middle @ normal, 0, atol=0.05)
        assert_allclose(np.linalg.norm(middle), 4 * t, atol=0.05)
        for label in (0, 1):
            rows = X[y == label] - centre[label]
            values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
            assert_allclose(np.sqrt(values), [1, 6], rtol=0.02)
            turn = np.rad2deg(np.arcsin(abs(vectors[:, 1] @ normal)))
            assert_allclose(turn, 30 * t, atol=0.5)
        width = np.sqrt(1 + 35 * np.sin(np.deg2rad(30 * t)) ** 2)
        assert_allclose((centre[1] - centre[0]) @ normal, 3 * width, rtol=0.02)


def test_classes_are_balanced():
    _, y, task = make_decision_boundary_tasks(n_samples=(10, 7), random_state=0)
    assert_array_equal(np.bincount(y[task == 0]), [5, 5])
    assert_array_equal(np.bincount(y[task == 1]), [4, 3])


def test_same_data_without_angle_and_shift():
    X, y, task = make_decision_boundary_tasks(n_samples=50_000, angle=0, random_state=0)
    (X0, y0), (X1, y1) = by_task(X, y, task)
    for label in (0, 1):
        rows = X0[y0 == label], X1[y1 == label]
        assert_allclose(*(r.mean(axis=0) for r in rows), atol=0.1)
        assert_allclose(*(np.cov(r.T) for r in rows), atol=0.5)
