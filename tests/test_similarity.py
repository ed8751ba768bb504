"""Covariance similarity against equation 5 written out; directions against cosines by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array, csr_matrix

from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedClassifierCV, SVDTaskReweighter
from sk_mtl._similarity import _squared_products
from sk_mtl.diagnostics import (
    alignment_similarity,
    covariance_similarity,
    task_direction_similarity,
)


def by_definition(X1: Any, X2: Any, energy: float = 0.99) -> float:
    """Equation 5, step by step."""
    factors = []
    for X in (X1, X2):
        U, D, _ = np.linalg.svd(X.T @ X)
        r = next(r for r in range(1, len(D) + 1) if D[:r].sum() >= energy * D.sum() - 1e-12)
        factors.append(U[:, :r] @ np.diag(np.sqrt(D[:r])))
    one, two = factors
    norm = np.linalg.norm
    return float(norm(one.T @ two) / (norm(one) * norm(two)))


def tables(n_features: int = 12, sizes: tuple[int, ...] = (40, 7, 90, 13)) -> list[Any]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((n, n_features)) * rng.gamma(1, 1, n_features) for n in sizes]


@pytest.mark.parametrize("energy", [0.5, 0.9, 0.99, 1.0])
def test_pairs_are_equation_5(energy: float) -> None:
    X = tables()
    expected = [[by_definition(one, two, energy) for two in X] for one in X]
    for i, j in np.ndindex(4, 4):
        assert covariance_similarity(X[i], X[j], energy) == pytest.approx(expected[i][j], abs=1e-9)
    np.testing.assert_allclose(covariance_similarity(X, energy=energy), expected, atol=1e-9)


def test_every_layout_gives_the_same() -> None:
    X = tables()
    expected = covariance_similarity(X)
    stacked, task = np.vstack(X), np.repeat(["a", "b", "c", "d"], [len(x) for x in X])
    frame = pd.DataFrame(stacked).assign(shop=task)
    frame.columns = frame.columns.astype(str)
    wide = np.where(task[:, None] == np.unique(task), 1.0, np.nan)
    order = np.random.default_rng(1).permutation(len(task))
    for found in (
        covariance_similarity(dict(zip("abcd", X, strict=True))),
        covariance_similarity(stacked[order], task=task[order]),
        covariance_similarity(frame, task_column="shop"),
        covariance_similarity(
            np.column_stack([stacked, np.repeat(range(4), [40, 7, 90, 13])]), task_column=-1
        ),
        covariance_similarity(stacked, y=wide),
        covariance_similarity([csr_matrix(x) for x in X]),
        covariance_similarity(csr_array(stacked), task=task),
        covariance_similarity(csr_array(stacked), y=wide),
    ):
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert covariance_similarity(csr_array(X[0]), X[1]) == pytest.approx(expected[0, 1])


def test_rows_shared_by_tasks_count_for_each() -> None:
    X = tables()[0]
    wide = np.array([[1, np.nan], [0, 1], [np.nan, 0], [1, 1]] * 10)
    expected = by_definition(X[~np.isnan(wide[:, 0])], X[~np.isnan(wide[:, 1])])
    assert covariance_similarity(X, y=wide)[0, 1] == pytest.approx(expected)


@pytest.mark.parametrize("rank", [1, 3, 12])
def test_the_one_gram_product_in_both_ways(rank: int) -> None:
    """Few directions in all are multiplied as they are, many as the matrices they make up."""
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((12, rank)) for _ in range(5)]
    expected = [[np.linalg.norm(f.T @ g) ** 2 for g in factors] for f in factors]
    np.testing.assert_allclose(_squared_products(factors), expected)


def test_a_line_is_like_itself_and_not_like_another() -> None:
    assert covariance_similarity([[1.0, 2, 0]], [[-2.0, -4, 0]]) == pytest.approx(1)
    assert covariance_similarity([[1.0, 2, 0]], [[0.0, 0, 3]]) == 0
    alone = covariance_similarity(np.eye(4), task=np.zeros(4, dtype=int))
    np.testing.assert_allclose(alone, [[0.5]])  # norm(D) / sum(D)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X1": [[1.0, 2.0]]}, "Expected 2D array"),
        ({"X1": np.eye(2)}, "pass X2, task=, task_column=, a wide y, or a list"),
        ({"X1": np.eye(2), "X2": np.eye(2), "task": [0, 1]}, r"by \['X2', 'task'\]"),
        ({"X1": np.eye(2), "X2": np.eye(3)}, r"numbers are \{'X1': 2, 'X2': 3\}"),
        ({"X1": np.eye(2), "X2": np.zeros((4, 2))}, "features of task 'X2' are 0"),
        ({"X1": np.eye(2), "X2": np.full((2, 2), np.nan)}, "contains NaN"),
        ({"X1": np.eye(2), "task": [0, 1, 1]}, "3 entries for 2 rows"),
        ({"X1": np.eye(2), "y": [[0, np.nan], [1, np.nan]]}, r"tasks \[1\] have no labelled row"),
        ({"X1": np.eye(2), "y": [0, 1]}, "one label per row"),
        ({"X1": np.eye(2), "X2": np.eye(2), "energy": 0}, r"energy must be in \(0, 1\]; got 0"),
        ({"X1": np.eye(2), "X2": np.eye(2), "energy": 1.1}, "got 1.1"),
        ({"X1": {"a": np.empty((0, 2)), "b": np.eye(2)}}, "0 sample"),
        ({"X1": np.eye(2), "task_column": 5}, "out of range"),
    ],
)
def test_what_cannot_be_compared(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        covariance_similarity(**arguments)


def test_one_row_and_constant_features_have_an_answer() -> None:
    X = tables()[0]
    X[:, 0] = 5.0
    for other in (X[:1], np.ones((3, 12))):
        found = covariance_similarity(X, other)
        assert found == pytest.approx(by_definition(X, other))


def test_alignment_makes_rotated_tasks_alike() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((400, 5)) * [6, 3, 1, 1, 1], np.repeat([0, 1], 200)
    rotation = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    X[task == 1] = X[task == 1] @ rotation
    settings: dict[str, Any] = {"alignment": "full", "random_state": 0, "hidden_layer_sizes": (4,)}
    model = MultiTaskAlignedClassifier(alignment_init="coral", **settings)
    model.fit(X, rng.random(400) > 0.5, task=task)
    before, after = alignment_similarity(model, X, task)
    scaled = (X - model.feature_mean_) @ model.feature_map_
    assert before[0, 1] == pytest.approx(by_definition(scaled[task == 0], scaled[task == 1]))
    aligned = model.align(X, task=task)
    assert after[0, 1] == pytest.approx(by_definition(aligned[task == 0], aligned[task == 1]))
    assert after[0, 1] > before[0, 1]
    assert after[0, 1] == pytest.approx(np.sqrt(after[0, 0] * after[1, 1]), abs=0.01)

    search = MultiTaskAlignedClassifierCV(penalties=2, cv=None)
    search.fit(X, X[:, 0] > 0, task=task).best_estimator_ = model
    for found, expected in zip(alignment_similarity(search, X, task), (before, after), strict=True):
        np.testing.assert_array_equal(found, expected)

    with pytest.raises(ValueError, match="has no alignment"):
        alignment_similarity(model.set_params(alignment=None).fit(X, X[:, 0] > 0, task=task), X)


def test_cosines_of_real_targets_are_those_of_their_correlations() -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((60, 4)), rng.standard_normal((60, 3))
    theta = (X - X.mean(0)).T @ (Y - Y.mean(0)) / X.std(0)[:, None]
    norm = np.linalg.norm(theta, axis=0)
    np.testing.assert_allclose(
        task_direction_similarity(X, Y), theta.T @ theta / np.outer(norm, norm), atol=1e-12
    )
    raw = X.T @ Y
    norm = np.linalg.norm(raw, axis=0)
    np.testing.assert_allclose(
        task_direction_similarity(X, Y, center=False, scale=False),
        raw.T @ raw / np.outer(norm, norm),
        atol=1e-12,
    )


def test_opposed_labels_have_opposed_directions() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((600, 4)), np.repeat([0, 1, 2], 200)
    y = np.where(task == 1, X[:, 0] < 0, X[:, 0] > 0)
    cosine = task_direction_similarity(X, y, task=task)
    assert cosine[0, 1] < -0.9
    assert cosine[0, 2] > 0.9
    names = np.where(y, "good", "bad")
    np.testing.assert_allclose(task_direction_similarity(X, names, task=task), cosine)
    np.testing.assert_allclose(np.diag(cosine), 1)


def test_classes_of_their_own_have_no_sign() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((600, 4)), np.repeat([0, 1, 2], 200)
    y = np.where(X[:, 0] > 0, "good", "bad").astype(object)
    y[task == 1] = np.where(X[task == 1, 0] > 0, "angry", "calm")
    thirds = np.digitize(X[task == 2, 0], [-0.4, 0.4])
    y[task == 2] = np.array(["low", "middle", "high"])[thirds]
    cosine = task_direction_similarity(X, y.astype(str), task=task)
    assert cosine[0, 1] > 0.9
    assert cosine[0, 2] > 0.9
    # Three classes of one task against the same three of another: class by class, with a sign.
    y, two = np.digitize(X[:, 0], [-0.4, 0.4]).astype(str), np.repeat([0, 1], 300)
    turned = np.where(two == 1, np.array(["1", "2", "0"])[y.astype(int)], y)
    assert task_direction_similarity(X, y, task=two)[0, 1] > 0.9
    assert task_direction_similarity(X, turned, task=two)[0, 1] < 0.3
    apart = np.where(two == 1, np.array(["x", "y", "z"])[y.astype(int)], y)
    assert task_direction_similarity(X, apart, task=two)[0, 1] > 0.9


def test_a_target_that_does_not_vary_has_no_direction() -> None:
    X = np.random.default_rng(0).standard_normal((30, 3))
    cosine = task_direction_similarity(X, np.column_stack([X[:, 0], np.ones(30)]))
    assert np.isnan(cosine[1]).all()
    assert np.isnan(cosine[0, 1])
    assert cosine[0, 0] == pytest.approx(1)


def test_directions_are_those_of_the_reweighter() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((90, 4)), np.repeat([0, 1, 2], 30)
    y = X[:, 0] + 0.5 * task * X[:, 1]
    directions = SVDTaskReweighter().fit(X, y, task=task).task_directions_
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    np.testing.assert_allclose(task_direction_similarity(X, y, task=task), unit @ unit.T)
