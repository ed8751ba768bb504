"""SVDTaskReweighter in the aligned space X_i R_i: with R_i that are known, and learned ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

FORMS = pytest.mark.parametrize(("center", "scale"), [(True, True), (False, False)])


class KnownMaps(BaseEstimator):
    """Aligner with R_i that are given; notes what it was fitted with."""

    def __init__(self, maps=None):
        self.maps = maps

    def fit(self, X, y, task=None, sample_weight=None):
        self.seen_ = X, y, task, sample_weight
        return self

    def align(self, X, task=None):
        return np.stack([x @ self.maps[name] for x, name in zip(X, task, strict=True)])


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def stacked(rng):
    """Labels of three tasks with features and rows of their own: (X, y, task)."""
    task = rng.permutation(np.repeat(["a", "b", "c"], [80, 30, 40]))
    X = rng.standard_normal((150, 5)) * [1, 2, 1, 3, 1] + [0, 1, 0, 0, -2]
    y = (X[:, 0] + X[:, 1] * (task == "b") + rng.standard_normal(150) > 0).astype(int)
    return X, y, task


@pytest.fixture
def maps(rng):
    return {name: rng.standard_normal((5, 4)) for name in "abc"}


def aligned_by_hand(X, task, maps):
    return np.einsum("ij,ijk->ik", X, np.stack([maps[name] for name in task]))


@FORMS
def test_same_as_aligning_by_hand(stacked, maps, rng, center, scale):
    X, y, task = stacked
    weight = rng.integers(0, 3, size=len(X))
    by_hand = SVDTaskReweighter(center=center, scale=scale, n_components=2)
    Z = aligned_by_hand(X, task, maps)
    by_hand.fit(Z, y, task=task, sample_weight=weight)
    model = clone(by_hand).set_params(aligner=KnownMaps(maps))
    model.fit(X, y, task=task, sample_weight=weight)
    for name in ("task_weight_", "components_", "task_directions_", "mean_", "scale_"):
        assert_allclose(getattr(model, name), getattr(by_hand, name), rtol=1e-10, atol=1e-10)
    assert_allclose(model.transform(X, task=task), by_hand.transform(Z), rtol=1e-10, atol=1e-10)
    assert model.n_features_in_ == 5


def test_paper_formula_to_the_letter(stacked, maps):
    X, y, task = stacked
    model = SVDTaskReweighter(center=False, scale=False, aligner=KnownMaps(maps))
    model.fit(X, y, task=task)
    theta = np.stack([(X[task == t] @ maps[t]).T @ y[task == t] for t in "abc"])
    assert_allclose(model.task_directions_, theta, rtol=1e-10)
    assert_allclose(model.task_weight_, np.abs(theta @ np.linalg.svd(theta)[2][0]), rtol=1e-10)


def test_aligner_is_cloned_and_sees_the_rows(stacked, maps):
    X, y, task = stacked
    frame = pd.DataFrame(X, columns=list("uvwxy")).assign(shop=task)
    aligner, weight = KnownMaps(maps), np.arange(150.0)
    model = SVDTaskReweighter(aligner=aligner, task_column="shop")
    model.fit(frame, y, sample_weight=weight)
    assert not hasattr(aligner, "seen_")
    for seen, passed in zip(model.aligner_.seen_, (X, y, task, weight), strict=True):
        assert_array_equal(seen, passed)
    by_keyword = SVDTaskReweighter(aligner=aligner).fit(X, y, task=task, sample_weight=weight)
    assert_array_equal(model.task_weight_, by_keyword.task_weight_)
    assert_array_equal(model.transform(frame), by_keyword.transform(X, task=task))


def test_no_aligner_needs_no_task(stacked):
    X, y, task = stacked
    model = SVDTaskReweighter().fit(X, y, task=task)
    assert model.aligner_ is None
    assert_array_equal(model.transform(X), model.transform(X, task=task))
    assert_array_equal(model.fit_transform(X, y, task=task), model.transform(X))


def test_frozen_aligner_takes_chunks(stacked, maps):
    X, y, task = stacked
    fitted = KnownMaps(maps).fit(X, y)
    whole = SVDTaskReweighter(aligner=FrozenEstimator(fitted)).fit(X, y, task=task)
    parts = clone(whole)
    for rows in np.array_split(np.argsort(task), 4):
        parts.partial_fit(X[rows], y[rows], task=task[rows], classes=[0, 1])
    assert parts.aligner_.estimator is fitted
    assert_allclose(parts.task_weight_, whole.task_weight_, rtol=1e-10)


def test_failed_fit_leaves_no_trace(stacked, maps):
    X, y, task = stacked
    model = SVDTaskReweighter(aligner=KnownMaps(maps)).fit(X, y, task=task)
    aligner, weight = model.aligner_, model.task_weight_
    model.set_params(aligner=KnownMaps({"a": maps["a"]}))
    with pytest.raises(KeyError):
        model.fit(X, y, task=task)
    assert model.aligner_ is aligner
    assert model.task_weight_ is weight


# With the package's own estimators


def learner(**params):
    return MultiTaskAlignedClassifier(
        alignment="full", alignment_alpha=1, hidden_layer_sizes=(), random_state=0, **params
    )


def test_aligned_classifier_as_aligner(stacked):
    X, y, task = stacked
    fitted = learner().fit(X, y, task=task)
    expected = SVDTaskReweighter().fit(fitted.align(X, task=task), y, task=task)
    for aligner in (learner(), FrozenEstimator(fitted)):
        model = SVDTaskReweighter(aligner=aligner).fit(X, y, task=task)
        assert_allclose(model.task_weight_, expected.task_weight_, rtol=1e-6)
    with pytest.raises(ValueError, match="no task was named for the rows of X"):
        model.transform(X)


def test_alignment_brings_tasks_with_other_sensors_together(rng):
    """Task b sees task a's features in the reverse order: its signal is elsewhere."""
    X, task = rng.standard_normal((400, 6)), np.repeat(["a", "b"], [260, 140])
    y = (X[:, 0] + X[:, 1] + 0.5 * rng.standard_normal(400) > 0).astype(int)
    X[task == "b"] = X[task == "b"][:, ::-1]
    apart = SVDTaskReweighter().fit(X, y, task=task)
    aligner = learner().set_params(alignment_alpha=0.01, head_alpha=100)
    together = SVDTaskReweighter(aligner=aligner).fit(X, y, task=task)

    def cosine(model):
        a, b = model.task_directions_
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    assert abs(cosine(apart)) < 0.2
    assert cosine(together) > 0.9


def test_parameters_of_the_aligner_are_searched(stacked):
    X, y, task = stacked
    X = np.column_stack([X, np.unique(task, return_inverse=True)[1]])
    model = MultiTaskAlignedClassifier(
        task_column=-1,
        task_weight=SVDTaskReweighter(aligner=learner()),
        hidden_layer_sizes=(),
        random_state=0,
    )
    grid = {"task_weight__aligner__alignment_alpha": [0.1, 100.0], "task_weight__shrinkage": [0.0]}
    search = GridSearchCV(model, grid, cv=2).fit(X, y)
    reweighter = search.best_estimator_.task_reweighter_
    best = search.best_params_["task_weight__aligner__alignment_alpha"]
    assert reweighter.aligner_.alignment_alpha == best
    assert_array_equal(search.best_estimator_.task_weight_, reweighter.normalized_task_weight())


def test_tasks_are_routed_to_transform(stacked, maps):
    X, y, task = stacked
    pipeline = make_pipeline(SVDTaskReweighter(aligner=KnownMaps(maps)), LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=True):
        predicted = pipeline.fit(X, y, task=task).predict(X, task=task)
    model = SVDTaskReweighter(aligner=KnownMaps(maps))
    projection = model.fit_transform(X, y, task=task)
    assert_array_equal(predicted, LogisticRegression().fit(projection, y).predict(projection))


# Errors


def test_partial_fit_needs_a_frozen_aligner(stacked, maps):
    X, y, task = stacked
    model = SVDTaskReweighter(aligner=KnownMaps(maps))
    with pytest.raises(AttributeError) as error:
        model.partial_fit(X, y, task=task)
    assert "got KnownMaps. Fit it, and pass aligner=FrozenEst" in str(error.value.__cause__)


def test_tasks_that_share_rows_are_not_aligned(stacked, maps):
    X, y, _ = stacked
    model = SVDTaskReweighter(aligner=KnownMaps(maps))
    with pytest.raises(ValueError, match=r"columns of a wide y and share X.*Pass aligner=None"):
        model.fit(X, np.column_stack([y, 1 - y]))


def test_bad_aligners(stacked, maps):
    X, y, task = stacked
    with pytest.raises(ValueError, match=r"'aligner' .* implementing 'fit' and 'align'"):
        SVDTaskReweighter(aligner=LogisticRegression()).fit(X, y, task=task)
    maps["b"][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"Input align\(X\) contains NaN"):
        SVDTaskReweighter(aligner=KnownMaps(maps)).fit(X, y, task=task)
