"""SVDTaskReweighter against numpy, PLSSVD and brute force."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array, csr_matrix
from sklearn.base import clone
from sklearn.cross_decomposition import PLSSVD
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter, _moments

FORMS = pytest.mark.parametrize(
    ("center", "scale"), [(True, True), (True, False), (False, True), (False, False)]
)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    """Every test with more rows than this goes through several chunks."""
    monkeypatch.setattr(_moments, "_CHUNK", 37)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def shared(rng):
    """Features far from zero and real targets that all tasks have for all rows."""
    X = rng.standard_normal((120, 7)) * [1, 2, 3, 1, 1, 0.1, 5] + [3, 0, -5, 1, 0, 0, 9]
    Y = X[:, :4] @ rng.standard_normal((4, 5)) + rng.standard_normal((120, 5)) + [0, 1, 5, -9, 2]
    return X, Y


@pytest.fixture
def stacked(rng):
    """Three tasks with rows, means and targets of their own: (X, y, task)."""
    task = rng.permutation(np.repeat(["a", "b", "c"], [100, 20, 50]))
    offset = pd.Series({"a": 0.0, "b": 5.0, "c": -3.0})[task].to_numpy()
    X = rng.standard_normal((170, 6)) * [1, 2, 1, 1, 1, 1] + offset[:, None]
    y = X[:, 0] * np.where(task == "c", 3.0, 1.0) + X[:, 1] + rng.standard_normal(170)
    return X, y, task


def two_pass(X, targets, weights, *, center, scale):
    """theta of every task by the plain formulas: ``targets[i]`` (m, c), ``weights[i]`` (m,).

    ``X`` is a list of the tasks' rows.
    """
    totals = [w.sum() for w in weights]
    means = [w @ x / t for w, x, t in zip(weights, X, totals, strict=True)]
    scatter = sum(w @ (x - m) ** 2 for w, x, m in zip(weights, X, means, strict=True))
    deviation = np.sqrt(scatter / sum(totals))
    thetas = []
    for x, y, w, total, mean in zip(X, targets, weights, totals, means, strict=True):
        y_mean = w @ y / total
        size = np.sqrt((w @ (y - y_mean) ** 2).sum() / total)
        theta = ((x - mean) if center else x).T @ (w[:, None] * ((y - y_mean) if center else y))
        thetas.append(theta / (total * size * deviation[:, None]) if scale else theta)
    return thetas


def assert_fits(model, thetas, r=1, rtol=1e-10):
    left, values, _ = np.linalg.svd(np.hstack(thetas), full_matrices=False)
    U = left[:, :r]
    assert_allclose(model.singular_values_, values[:r], rtol=rtol)
    assert_allclose(model.components_.T @ model.components_, U @ U.T, atol=rtol)
    assert_allclose(model.components_ @ model.components_.T, np.eye(r), atol=rtol)
    assert_allclose(model.task_weight_, [np.linalg.norm(t.T @ U) for t in thetas], rtol=rtol)


def assert_same(one, other, rtol=1e-10):
    assert_array_equal(one.tasks_, other.tasks_)
    for name in ("task_weight_", "singular_values_", "scale_"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol)
    for name in ("components_", "mean_"):
        assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, atol=rtol)
    largest = np.abs(one.task_directions_).max()
    assert_allclose(one.task_directions_, other.task_directions_, atol=rtol * largest)


# The formulas


@pytest.mark.parametrize("kind", [np.asarray, csr_array, csr_matrix])
def test_paper_formula_to_the_letter(shared, kind):
    X, Y = shared
    Y[:, 0] = Y[:, 0] > 0  # 0 and 1 stay 0 and 1
    Y[:, 1] = np.sign(Y[:, 1])  # and so do -1 and 1
    model = SVDTaskReweighter(n_components=2, center=False, scale=False).fit(kind(X), Y)
    U = np.linalg.svd(X.T @ Y)[0][:, :2]
    assert_allclose(model.task_weight_, np.linalg.norm((X.T @ Y).T @ U, axis=1), rtol=1e-10)
    assert_allclose(model.task_directions_, (X.T @ Y).T, rtol=1e-10)
    assert_fits(model, [X.T @ y[:, None] for y in Y.T], r=2)


def test_float32_features(shared):
    X, Y = shared
    X = X.astype(np.float32)
    assert_same(SVDTaskReweighter().fit(X, Y), SVDTaskReweighter().fit(X.astype(float), Y), 1e-12)
    far = X + np.float32(1e5)  # what is left of the digits counts
    assert_same(
        SVDTaskReweighter().fit(far, Y), SVDTaskReweighter().fit(far.astype(float), Y), 1e-12
    )


@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("r", [1, 3])
def test_directions_are_plssvds(shared, scale, r):
    X, Y = shared
    model = SVDTaskReweighter(n_components=r, scale=scale).fit(X, Y)
    pls = PLSSVD(n_components=r, scale=scale).fit(X, Y)
    signs = np.sign((model.components_ * pls.x_weights_.T).sum(axis=1, keepdims=True))
    assert_allclose(model.components_, signs * pls.x_weights_.T, rtol=1e-10, atol=1e-12)
    # PLSSVD divides by n - 1 in the variance.
    factor = np.sqrt(len(X) / (len(X) - 1)) if scale else 1.0
    assert_allclose(model.transform(X), factor * pls.transform(X) * signs.T, rtol=1e-9, atol=1e-9)


def test_scaled_directions_are_correlations(shared):
    X, Y = shared
    expected = np.corrcoef(X.T, Y.T)[7:, :7]
    assert_allclose(SVDTaskReweighter().fit(X, Y).task_directions_, expected, rtol=1e-10)


@FORMS
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_missing_labels(shared, rng, center, scale, kind):
    X, Y = shared
    X[rng.random(X.shape) < 0.3] = 0
    Y[rng.random(Y.shape) < 0.4] = np.nan
    model = SVDTaskReweighter(n_components=2, center=center, scale=scale).fit(kind(X), Y)
    there = [~np.isnan(y) for y in Y.T]
    thetas = two_pass(
        [X[t] for t in there],
        [y[t][:, None] for y, t in zip(Y.T, there, strict=True)],
        [np.ones(t.sum()) for t in there],
        center=center,
        scale=scale,
    )
    assert_fits(model, thetas, r=2)


@FORMS
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_stacked_tasks_with_weights(stacked, rng, center, scale, kind):
    X, y, task = stacked
    weight = rng.random(len(X))
    model = SVDTaskReweighter(center=center, scale=scale)
    model.fit(kind(X), y, task=task, sample_weight=weight)
    rows = [task == name for name in "abc"]
    thetas = two_pass(
        [X[r] for r in rows],
        [y[r][:, None] for r in rows],
        [weight[r] for r in rows],
        center=center,
        scale=scale,
    )
    assert_array_equal(model.tasks_, ["a", "b", "c"])
    assert_fits(model, thetas)
    assert_allclose(model.task_directions_, np.hstack(thetas).T, rtol=1e-10)


@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_far_off_means_cost_no_digits(shared, kind):
    X, Y = shared
    X, Y = np.round(X, 3), np.round(Y, 3)  # so that adding 1e4 loses little
    near = SVDTaskReweighter(n_components=2).fit(X, Y)
    far = SVDTaskReweighter(n_components=2).fit(kind(X + 1e4), Y - 1e4)
    assert_allclose(far.scale_, near.scale_, rtol=1e-10)
    assert_allclose(far.task_weight_, near.task_weight_, rtol=1e-10)
    assert_allclose(far.components_, near.components_, atol=1e-10)


def test_more_rows_do_not_weigh_more_if_scaled(rng):
    """Rows of task b repeated ten times over: only the unscaled weight grows."""
    X = rng.standard_normal((60, 4))
    y, task = X[:, 0] + rng.standard_normal(60), np.repeat(["a", "b"], 30)
    rows = np.r_[:30, np.tile(np.arange(30, 60), 10)]

    def ratio(rows, scale):
        model = SVDTaskReweighter(scale=scale).fit(X[rows], y[rows], task=task[rows])
        return model.task_weight_[1] / model.task_weight_[0]

    before, after = ratio(np.arange(60), True), ratio(rows, True)
    assert abs(after / before - 1) < 0.3
    assert ratio(rows, False) > 5 * ratio(np.arange(60), False)


# Targets


def one_hot(labels):
    return (labels[:, None] == np.unique(labels)).astype(float)


@FORMS
@pytest.mark.parametrize("labels", [np.arange(4), np.array(["x", "y", "z", "zz"])])
def test_multiclass_task_is_a_one_hot_block(shared, rng, center, scale, labels):
    X, Y = shared
    classes = labels[np.digitize(X[:, 0], [2.0, 3.0, 4.0])]
    y = pd.DataFrame({"class": classes, "real": Y[:, 0]})
    model = SVDTaskReweighter(n_components=2, center=center, scale=scale).fit(X, y)
    thetas = two_pass(
        [X, X],
        [one_hot(classes), Y[:, :1]],
        [np.ones(120)] * 2,
        center=center,
        scale=scale,
    )
    assert_array_equal(model.tasks_, ["class", "real"])
    assert_fits(model, thetas, r=2)
    left, values, _ = np.linalg.svd(thetas[0])
    direction = model.task_directions_[0]
    assert_allclose(np.abs(direction), np.abs(left[:, 0]) * np.linalg.norm(values), rtol=1e-9)
    assert_allclose(model.task_directions_[1], thetas[1].ravel(), rtol=1e-9)


def test_two_words_become_zero_and_one(shared):
    X, Y = shared
    numbers = (Y > 0).astype(float)
    words = np.where(numbers > 0, "yes", "no").astype(object)
    words[3, 1], numbers[3, 1] = None, np.nan
    model = SVDTaskReweighter(center=False, scale=False)
    assert_same(clone(model).fit(X, words), clone(model).fit(X, numbers))


def test_scaled_binary_weight_does_not_depend_on_coding(shared):
    X, Y = shared
    Y = np.column_stack([Y[:, 0] > 0, Y[:, 1]]).astype(float)
    recoded = Y * [7.0, 1.0] + [3.0, 0.0]
    model = SVDTaskReweighter()
    assert_same(clone(model).fit(X, Y), clone(model).fit(X, recoded))


def test_whole_numbers_are_classes_unless_another_task_is_real(rng):
    X, task = rng.standard_normal((60, 8)), np.repeat([0, 1], 30)
    counts = rng.integers(0, 3, size=60).astype(float)
    model = SVDTaskReweighter(n_components=6, center=False, scale=False)
    model.fit(X, counts, task=task)  # a column per class
    counts[45] = 0.5
    with pytest.raises(ValueError, match=r"n_components=6 must be at most 2"):
        model.fit(X, counts, task=task)
    model.set_params(n_components=1).fit(X, counts, task=task)
    assert_allclose(model.task_directions_[0], X[:30].T @ counts[:30], rtol=1e-10)


def test_noisy_task_gets_the_lowest_weight_in_most_draws():
    lowest = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        X = rng.standard_normal((200, 10))
        signal = X @ rng.standard_normal(10)
        Y = (signal[:, None] + rng.standard_normal((200, 4)) > 0).astype(int)
        Y[:, 2] = rng.integers(0, 2, size=200)
        lowest += SVDTaskReweighter().fit(X, Y).task_weight_.argmin() == 2
    assert lowest >= 18


# Chunks and weights


@FORMS
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
def test_chunks_add_up_wide(shared, rng, center, scale, kind):
    X, Y = shared
    Y[rng.random(Y.shape) < 0.3] = np.nan
    Y[:50, 3] = np.nan  # no label in the first chunk
    Y[:, 4] = np.digitize(np.nan_to_num(Y[:, 4]), [0, 3])
    weight = rng.random(120)
    whole = SVDTaskReweighter(n_components=2, center=center, scale=scale)
    whole.fit(kind(X), Y, sample_weight=weight)
    parts = clone(whole)
    for rows in (slice(50), slice(50, 51), slice(51, None)):
        parts.partial_fit(kind(X[rows]), Y[rows], sample_weight=weight[rows])
        if rows.start is None:
            assert parts.task_weight_[3] == 0
    assert_same(parts, whole)
    assert_same(parts.fit(kind(X), Y, sample_weight=weight), whole)  # fit forgets


@FORMS
def test_chunks_add_up_stacked(stacked, center, scale):
    X, y, task = stacked
    whole = SVDTaskReweighter(center=center, scale=scale).fit(X, y, task=task)
    parts = clone(whole)
    order = np.argsort(task, kind="stable")[::-1]  # task a comes last
    for rows in np.array_split(order, 4):
        parts.partial_fit(X[rows], y[rows], task=task[rows])
    assert_same(parts, whole)


def test_classes_declare_labels_to_come(shared):
    X, Y = shared
    y = np.digitize(Y[:, 0], [-1, 1])
    first = y < 2
    whole = SVDTaskReweighter().fit(np.r_[X[first], X[~first]], np.r_[y[first], y[~first]])
    parts = SVDTaskReweighter().partial_fit(X[first], y[first], classes=[0, 1, 2])
    parts.partial_fit(X[~first], y[~first])
    assert_same(parts, whole)
    per_task = SVDTaskReweighter()
    per_task.partial_fit(X[first], y[first], task=y[first] * 0, classes={0: [0, 1, 2]})
    assert_same(per_task.partial_fit(X[~first], y[~first], task=y[~first] * 0), whole)


def test_classes_of_a_known_task_stay(shared):
    X, Y = shared
    y = np.digitize(Y[:, 0], [0])
    model = SVDTaskReweighter().partial_fit(X, y).partial_fit(X, y, classes=[0, 1, 2])
    assert_same(model, SVDTaskReweighter().fit(X, y))


def test_failed_chunk_is_not_taken_in(shared):
    X, Y = shared
    y = np.digitize(Y[:, 0], [-1, 1])
    model = SVDTaskReweighter().partial_fit(X[:60], np.minimum(y[:60], 1))
    before = pickle.dumps(model)
    y[60] = 2
    with pytest.raises(ValueError, match=r"the label 2 for task 0, whose labels are \[0, 1\]"):
        model.partial_fit(X[60:], y[60:])
    assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="n_components=8 must be at most 1"):
        model.set_params(n_components=8).partial_fit(X[:60], np.minimum(y[:60], 1))
    assert pickle.dumps(model.set_params(n_components=1)) == before


@FORMS
def test_weights_remove_and_repeat_rows(stacked, rng, center, scale):
    X, y, task = stacked
    weight = rng.integers(0, 3, size=len(X))
    repeated = np.repeat(np.arange(len(X)), weight)
    model = SVDTaskReweighter(center=center, scale=scale)
    assert_same(
        clone(model).fit(X, y, task=task, sample_weight=weight),
        clone(model).fit(X[repeated], y[repeated], task=task[repeated]),
    )


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_class_of_zero_weight_is_not_there(shared, n_tasks):
    X, Y = shared
    y = np.digitize(Y[:, :n_tasks], [-1, 1]).astype(float)
    used = (y < 2).all(axis=1)
    y = y if n_tasks > 1 else y.ravel()
    model = SVDTaskReweighter(center=False, scale=False)  # here codings differ
    assert_same(clone(model).fit(X, y, sample_weight=used), clone(model).fit(X[used], y[used]))


# Number of components


@pytest.mark.parametrize("share", [0.3, 0.9, 0.99, 1 - 1e-9])
def test_share_of_energy(shared, share):
    X, Y = shared
    model = SVDTaskReweighter(n_components=share).fit(X, Y)
    values = np.linalg.svd(np.corrcoef(X.T, Y.T)[7:, :7], compute_uv=False)
    energy = np.cumsum(values**2) / (values**2).sum()
    assert model.n_components_ == (energy < share).sum() + 1
    assert_allclose(model.singular_values_, values[: model.n_components_], rtol=1e-8)


def test_small_singular_values_keep_their_digits(rng):
    theta = np.linalg.qr(rng.standard_normal((6, 3)))[0] * [1, 1e-3, 1e-7]
    theta = theta @ np.linalg.qr(rng.standard_normal((3, 3)))[0]
    model = SVDTaskReweighter(n_components=3, center=False, scale=False).fit(np.eye(6), theta)
    assert_allclose(model.singular_values_, [1, 1e-3, 1e-7], rtol=1e-8)
    assert_allclose(model.components_ @ model.components_.T, np.eye(3), atol=1e-12)


def test_more_tasks_than_features(rng):
    X, Y = rng.standard_normal((80, 3)), rng.standard_normal((80, 6))
    model = SVDTaskReweighter(n_components=3, center=False, scale=False).fit(X, Y)
    assert_fits(model, [X.T @ y[:, None] for y in Y.T], r=3)
    # Three directions of three: nothing is lost.
    assert_allclose(model.task_weight_, np.linalg.norm(X.T @ Y, axis=0), rtol=1e-10)


def test_signs_are_settled(shared):
    X, Y = shared
    model = SVDTaskReweighter(n_components=3).fit(X, Y)
    largest = np.abs(model.components_).argmax(axis=1)
    assert (model.components_[np.arange(3), largest] > 0).all()
    assert_allclose(SVDTaskReweighter(n_components=3).fit(X, -Y).components_, model.components_)


def test_constant_features_and_targets_are_harmless(shared):
    X, Y = shared
    X[:, 2], Y[:, 1] = 0.1, 0.7
    model = SVDTaskReweighter(n_components=2).fit(X, Y)
    assert model.scale_[2] == 1
    assert_allclose(model.components_[:, 2], 0, atol=1e-12)
    assert_allclose(model.task_weight_[1], 0, atol=1e-12)


# transform and sample_weight


@FORMS
def test_transform_by_hand(stacked, center, scale):
    X, y, task = stacked
    model = SVDTaskReweighter(center=center, scale=scale).fit(X, y, task=task)
    mean = X.mean(axis=0) if center else np.zeros(6)
    residual = X - pd.DataFrame(X).groupby(task).transform("mean").to_numpy()
    deviation = residual.std(axis=0) if scale else np.ones(6)
    assert_allclose(model.mean_, mean, rtol=1e-10)
    assert_allclose(model.scale_, deviation, rtol=1e-10)
    expected = (X - mean) / deviation @ model.components_.T
    for features in (X, csr_array(X)):
        projection = model.transform(features)
        assert projection.shape == (170, 1)
        assert_allclose(projection, expected, rtol=1e-10, atol=1e-12)


def test_task_column_is_left_out(stacked):
    X, y, task = stacked
    frame = pd.DataFrame(X, columns=list("uvwxyz")).assign(shop=task)
    by_keyword = SVDTaskReweighter().fit(X, y, task=task)
    by_name = SVDTaskReweighter(task_column="shop").fit(frame, y)
    assert_same(by_name, by_keyword)
    assert by_name.n_features_in_ == 7
    assert_array_equal(by_name.feature_names_in_, frame.columns)
    assert_allclose(by_name.transform(frame), by_keyword.transform(X))
    numbers = np.column_stack([X, np.unique(task, return_inverse=True)[1]])
    by_position = SVDTaskReweighter(task_column=-1).fit(numbers, y)
    assert_allclose(by_position.task_weight_, by_keyword.task_weight_)


def test_set_output(shared):
    X, Y = shared
    model = SVDTaskReweighter(n_components=2).set_output(transform="pandas")
    projection = model.fit(X, Y).transform(X)
    assert list(projection.columns) == ["svdtaskreweighter0", "svdtaskreweighter1"]
    assert_array_equal(model.get_feature_names_out(), projection.columns)


def normalized(alpha, shrinkage):
    return (1 - shrinkage) * alpha / alpha.mean() + shrinkage


SHRINKAGE = pytest.mark.parametrize("shrinkage", [0, 0.3, 1])


@SHRINKAGE
def test_sample_weight_of_stacked_rows(stacked, shrinkage):
    X, y, task = stacked
    model = SVDTaskReweighter(shrinkage=shrinkage).fit(X, y, task=task)
    expected = normalized(model.task_weight_, shrinkage)
    assert_allclose(model.normalized_task_weight(), expected, rtol=1e-12)
    assert_allclose(expected.mean(), 1)
    assert_allclose(model.sample_weight(task=["c", "a", "c"]), expected[[2, 0, 2]], rtol=1e-12)
    LogisticRegression().fit(X, y > 0, sample_weight=model.sample_weight(task=task))


@SHRINKAGE
def test_sample_weight_of_wide_y(shared, rng, shrinkage):
    X, Y = shared
    Y[rng.random(Y.shape) < 0.3] = np.nan
    model = SVDTaskReweighter(shrinkage=shrinkage).fit(X, Y)
    expected = np.where(np.isnan(Y), 0, normalized(model.task_weight_, shrinkage))
    assert_allclose(model.sample_weight(Y), expected, rtol=1e-12)


def test_shrinkage_leaves_the_papers_weights_alone(shared):
    X, Y = shared
    assert_same(SVDTaskReweighter(shrinkage=0).fit(X, Y), SVDTaskReweighter(shrinkage=1).fit(X, Y))


def test_sample_weight_of_one_task(shared):
    X, Y = shared
    assert_array_equal(SVDTaskReweighter().fit(X, Y[:, 0]).sample_weight(Y[:3, 0]), [1, 1, 1])


# Errors


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({}, "Pass either task= or y=; got neither"),
        ({"y": [0], "task": ["a"]}, "got both"),
        ({"task": ["a", "d"]}, r"Unseen task ids \['d'\]; the estimator knows \['a', 'b', 'c'\]"),
        ({"y": [0]}, "stacked rows of 3 task.*pass the task id of each row as task="),
    ],
)
def test_sample_weight_errors_stacked(stacked, kwargs, message):
    X, y, task = stacked
    model = SVDTaskReweighter().fit(X, y, task=task)
    with pytest.raises(ValueError, match=message):
        model.sample_weight(**kwargs)


def test_sample_weight_errors_wide(shared):
    X, Y = shared
    model = SVDTaskReweighter().fit(X, Y)
    with pytest.raises(ValueError, match="pass y= instead of task="):
        model.sample_weight(task=[0])
    with pytest.raises(ValueError, match=r"y has the columns \[0, 1\]; those of the first y were"):
        model.sample_weight(Y[:, :2])
    model.fit(X, np.ones_like(Y))
    with pytest.raises(ValueError, match="All task weights are zero"):
        model.sample_weight(Y)
    with pytest.raises(NotFittedError):
        SVDTaskReweighter().sample_weight(Y)


@pytest.mark.parametrize(
    ("n_components", "message"),
    [
        (6, r"n_components=6 must be at most 5, .*features \(7\) .*columns \(5\)"),
        (0, "The 'n_components' parameter"),
        (1.0, "The 'n_components' parameter"),
    ],
)
def test_bad_n_components(shared, n_components, message):
    with pytest.raises(ValueError, match=message):
        SVDTaskReweighter(n_components=n_components).fit(*shared)


@pytest.mark.parametrize("shrinkage", [-0.1, 1.5, "auto", None])
def test_bad_shrinkage(shared, shrinkage):
    with pytest.raises(ValueError, match=rf"'shrinkage' .* range \[0.0, 1.0\]. Got {shrinkage!r}"):
        SVDTaskReweighter(shrinkage=shrinkage).fit(*shared)


def test_bad_rows(shared):
    X, Y = shared
    model = SVDTaskReweighter()
    with pytest.raises(ValueError, match="rows name tasks as well"):
        model.fit(X, Y, task=[0] * 120)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        model.fit(X, Y, sample_weight=-np.ones(120))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(np.where(X > 10, np.nan, X), Y)
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(X, None)
    Y[:5, 0] = np.nan
    with pytest.raises(ValueError, match="5 rows have no label"):
        model.fit(X, Y[:, 0])
    labelled_by_5 = np.isnan(Y[:, 0])
    with pytest.raises(ValueError, match=r"tasks \[0\] have no labelled row of positive weight"):
        model.fit(X, Y, sample_weight=labelled_by_5)


def test_bad_chunks(shared):
    X, Y = shared
    y, task = Y[:, 0], np.repeat(["a", "b"], 60)
    model = SVDTaskReweighter().partial_fit(X, y, task=task)
    with pytest.raises(ValueError, match="named their tasks by task=, these not at all"):
        model.partial_fit(X, y)
    with pytest.raises(ValueError, match=r"like \['a', ... 1 more\], these are like \[1\]"):
        model.partial_fit(X, y, task=[1] * 120)
    with pytest.raises(ValueError, match="the label 'no' for task 'a', whose targets are numbers"):
        model.partial_fit(X, ["no"] * 120, task=task)
    with pytest.raises(ValueError, match="X has 6 features, but SVDTaskReweighter is expecting 7"):
        model.partial_fit(X[:, :6], y, task=task)
    model = SVDTaskReweighter().partial_fit(X, Y)
    with pytest.raises(ValueError, match=r"y has the columns \[0, 1\]; those of the first y"):
        model.partial_fit(X, Y[:, :2])


# With scikit-learn


def test_pickle_and_clone(stacked):
    X, y, task = stacked
    model = SVDTaskReweighter(center=False).fit(X, y, task=task)
    copy = pickle.loads(pickle.dumps(model))
    assert_same(copy, model)
    assert_array_equal(copy.sample_weight(task=task), model.sample_weight(task=task))
    assert clone(model).get_params() == model.get_params()


def test_task_is_routed_through_a_grid_search(stacked):
    X, y, task = stacked
    pipeline = make_pipeline(SVDTaskReweighter(), LogisticRegression())
    grid = {"svdtaskreweighter__n_components": [1, 2]}
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(pipeline, grid, cv=3).fit(X, (y > 0).astype(int), task=task)
    assert_array_equal(search.best_estimator_[0].tasks_, ["a", "b", "c"])


def test_shrinkage_is_searched_inside_the_classifier(stacked):
    X, y, task = stacked
    X, y = np.column_stack([X, np.unique(task, return_inverse=True)[1]]), (y > 0).astype(int)
    model = MultiTaskAlignedClassifier(
        task_column=-1, task_weight=SVDTaskReweighter(), hidden_layer_sizes=(), random_state=0
    )
    search = GridSearchCV(model, {"task_weight__shrinkage": [0.0, 0.75]}, cv=2).fit(X, y)
    reweighter = search.best_estimator_.task_reweighter_
    shrinkage = search.best_params_["task_weight__shrinkage"]
    assert reweighter.shrinkage == shrinkage
    assert_allclose(
        search.best_estimator_.task_weight_, normalized(reweighter.task_weight_, shrinkage)
    )


def test_full_shrinkage_is_equal_weights(stacked):
    X, y, task = stacked
    equal = MultiTaskAlignedClassifier(hidden_layer_sizes=(), random_state=0)
    shrunk = clone(equal).set_params(task_weight=SVDTaskReweighter(shrinkage=1))
    equal.fit(X, y > 0, task=task)
    shrunk.fit(X, y > 0, task=task)
    assert_array_equal(shrunk.predict_proba(X, task=task), equal.predict_proba(X, task=task))
