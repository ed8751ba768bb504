"""Parts of the rows, seen apart and put together: `merge` of reweighters and of covariances."""

from __future__ import annotations

import pickle
from functools import reduce
from itertools import permutations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.cross_decomposition import PLSSVD
from sklearn.frozen import FrozenEstimator

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter
from sk_mtl.diagnostics import CovarianceSimilarity, covariance_similarity

RTOL = 1e-12
ATTRIBUTES = ("task_weight_", "singular_values_", "components_", "task_directions_", "mean_")


def stacked(kind: str = "labels", n_rows: int = 300) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 5)) * [1, 2, 3, 1, 0.1] + [30, 0, -5, 1, 0]
    task = np.array(["a", "b", "c"])[rng.integers(0, 3, n_rows)]
    signal = X[:, 1] * np.where(task == "b", 2, 1) + X[:, 3] + rng.standard_normal(n_rows)
    y = {"values": signal, "labels": signal > 1, "classes": np.digitize(signal, [0, 2])}[kind]
    return X, y, task


def assert_same(one: SVDTaskReweighter, other: SVDTaskReweighter) -> None:
    assert_array_equal(one.tasks_, other.tasks_)
    for name in (*ATTRIBUTES, "scale_"):
        ours, theirs = getattr(one, name), getattr(other, name)
        assert_allclose(ours, theirs, rtol=RTOL, atol=RTOL * np.abs(theirs).max(), err_msg=name)


@pytest.mark.parametrize("kind", ["values", "labels", "classes"])
@pytest.mark.parametrize("options", [{}, {"center": False, "scale": False}])
def test_parts_add_up_in_any_order(kind: str, options: dict[str, Any]) -> None:
    X, y, task = stacked(kind)
    classes = {"classes": [0, 1, 2]} if kind == "classes" else {}
    whole = SVDTaskReweighter(n_components=2, **options).fit(X, y, task=task)
    parts = [
        SVDTaskReweighter().partial_fit(X[r], y[r], task=task[r], **classes)
        for r in np.array_split(np.argsort(task, kind="stable"), 4)
    ]
    before = [pickle.dumps(part) for part in parts]
    for order in permutations(parts):
        merged = SVDTaskReweighter(n_components=2, **options).merge(*order)
        assert_same(merged, whole)
    assert [pickle.dumps(part) for part in parts] == before  # which stay as they are
    assert_allclose(merged.transform(X), whole.transform(X), rtol=1e-9, atol=1e-9)


def test_pairwise_merging_and_further_chunks() -> None:
    X, y, task = stacked()
    rows = np.array_split(np.arange(len(X)), 4)
    parts = [SVDTaskReweighter().fit(X[r], y[r], task=task[r]) for r in rows[:3]]
    tree = reduce(lambda one, other: one.merge(other), parts)
    tree.partial_fit(X[rows[3]], y[rows[3]], task=task[rows[3]])
    assert_same(tree, SVDTaskReweighter().fit(X, y, task=task))


def test_parts_of_a_wide_y_are_plssvd() -> None:
    rng = np.random.default_rng(1)
    X = rng.standard_normal((200, 6)) + 100
    Y = X[:, :4] @ rng.standard_normal((4, 3)) + rng.standard_normal((200, 3))
    parts = [SVDTaskReweighter().fit(X[r], Y[r]) for r in np.array_split(np.arange(200), 7)]
    merged = SVDTaskReweighter(n_components=2).merge(*parts)
    pls = PLSSVD(n_components=2).fit(X, Y)
    signs = np.sign((merged.components_ * pls.x_weights_.T).sum(axis=1, keepdims=True))
    assert_allclose(merged.components_, signs * pls.x_weights_.T, rtol=1e-9, atol=1e-10)


def test_a_part_may_show_one_task_or_one_number_alone() -> None:
    X, y, task = stacked()
    y = y.astype(int)
    whole = SVDTaskReweighter(n_components=2).fit(X, y, task=task)
    model = SVDTaskReweighter(n_components=2)
    for name in "cab":
        for label in (1, 0):
            r = (task == name) & (y == label)
            model.partial_fit(X[r], y[r], task=task[r])
    assert_same(model, whole)
    one_number = [
        SVDTaskReweighter().partial_fit(X[y == label], y[y == label], task=task[y == label])
        for label in (0, 1)
    ]
    assert_same(SVDTaskReweighter(n_components=2).merge(*one_number), whole)


@pytest.mark.parametrize("first", [0, 2**60])
def test_parts_of_unlike_integers(first: int) -> None:
    X, y, task = stacked()
    ids, labels = first + np.searchsorted(["a", "b", "c"], task), first + y
    whole = SVDTaskReweighter().fit(X, y, task=task)
    own = [ids == first, ids > first]
    parts: list[Any] = [
        (X[rows], labels[rows].astype(kind), ids[rows].astype(kind))
        for rows, kind in zip(own, (np.uint64, np.int64), strict=True)
    ]
    chunks = SVDTaskReweighter()
    for X_part, y_part, ids_part in parts:
        chunks.partial_fit(X_part, y_part, task=ids_part)
    one, other = (SVDTaskReweighter().fit(X, y, task=ids) for X, y, ids in parts)
    for model in (chunks, one.merge(other)):
        assert model.tasks_.tolist() == [first, first + 1, first + 2]
        assert model.tasks_.dtype == np.int64
        assert_allclose(model.task_weight_, whole.task_weight_, rtol=RTOL)


def test_labels_of_one_task_in_unlike_integers() -> None:
    X, y, task = stacked("classes")
    whole = SVDTaskReweighter().fit(X, y, task=task)
    rows = np.arange(len(X)) < 150
    one = SVDTaskReweighter().fit(X[rows], 2**60 + y[rows], task=task[rows])
    other = (np.uint64(2**60) + y.astype(np.uint64))[~rows]
    merged = one.merge(SVDTaskReweighter().fit(X[~rows], other, task=task[~rows]))
    assert_allclose(merged.task_weight_, whole.task_weight_, rtol=RTOL)


def test_a_state_travels_as_a_pickle_or_a_file(tmp_path: Any) -> None:
    X, y, task = stacked()
    half = SVDTaskReweighter().fit(X[:150], y[:150], task=task[:150])
    half.save(tmp_path / "state")
    rest = pickle.loads(pickle.dumps(SVDTaskReweighter().fit(X[150:], y[150:], task=task[150:])))
    merged = SVDTaskReweighter.load(tmp_path / "state").merge(rest)
    assert_same(merged, SVDTaskReweighter().fit(X, y, task=task))
    n_bytes = (tmp_path / "state").stat().st_size
    big = SVDTaskReweighter().fit(np.tile(X, (20, 1)), np.tile(y, 20), task=np.tile(task, 20))
    big.save(tmp_path / "state")
    assert abs((tmp_path / "state").stat().st_size - n_bytes) < 100  # whatever the rows


def test_frozen_aligners_merge() -> None:
    X, y, task = stacked()
    aligner = FrozenEstimator(MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task))
    whole = SVDTaskReweighter(aligner=aligner).fit(X, y, task=task)
    first, second = (
        SVDTaskReweighter(aligner=aligner).fit(X[r], y[r], task=task[r])
        for r in (slice(150), slice(150, None))
    )
    assert_same(first.merge(second), whole)
    with pytest.raises(ValueError, match="One part is aligned and another is not"):
        first.merge(SVDTaskReweighter().fit(X, y, task=task))


def test_what_does_not_fit_together_is_refused_and_changes_nothing() -> None:
    X, y, task = stacked("classes")
    model = SVDTaskReweighter().fit(X, y, task=task)
    before = pickle.dumps(model)
    names = pd.DataFrame(X, columns=list("vwxyz"))
    for other, message in [
        (SVDTaskReweighter().fit(X[:, :4], y, task=task), "have seen 5 and 4 columns"),
        (SVDTaskReweighter().fit(names, y, task=task), r"have seen the columns None and \['v'"),
        (SVDTaskReweighter().fit(X, y + 1, task=task), r"labels of task 'a': \[0, 1, 2\] in one"),
        (SVDTaskReweighter().fit(X, y / 2, task=task), "real values in another"),
        (SVDTaskReweighter().fit(X, y), "Earlier rows named their tasks by task="),
        ("state", "merge takes fitted estimators of the class SVDTaskReweighter; got 'state'"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.merge(other)
        assert pickle.dumps(model) == before
    with pytest.raises(ValueError, match="nothing to merge"):
        SVDTaskReweighter().merge()


# Covariances


@pytest.mark.parametrize("kind", [np.asarray, csr_array, "task_column", "wide"])
def test_covariances_add_up_in_any_order(kind: Any) -> None:
    X, _, task = stacked()
    Y = np.where(np.array(["a", "b", "c"]) == task[:, None], 1.0, np.nan)
    table = pd.DataFrame(X, columns=list("vwxyz")).assign(task=task)
    whole = covariance_similarity(X, task=task)

    def part(rows: Any) -> CovarianceSimilarity:
        if kind == "wide":
            return CovarianceSimilarity().fit(X[rows], Y[rows])
        if kind == "task_column":
            return CovarianceSimilarity(task_column="task").fit(table.iloc[rows])
        return CovarianceSimilarity().fit(kind(X[rows]), task=task[rows])

    parts = [part(rows) for rows in np.array_split(np.argsort(task, kind="stable"), 4)]
    if kind == "wide":  # all tasks are columns, also where a part has no row of them
        assert parts[0].second_moments_.shape == (3, 5, 5)
    for order in permutations(parts):
        merged = CovarianceSimilarity().merge(*order)
        assert_allclose(merged.similarity_, whole, rtol=RTOL)
    exact = [X[task == name].T @ X[task == name] for name in "abc"]
    assert_allclose(merged.second_moments_, exact, rtol=RTOL, atol=RTOL * np.abs(exact).max())


def test_covariances_by_chunks_of_single_precision() -> None:
    X, _, task = stacked(n_rows=20_000)
    X = X.astype(np.float32)
    model = CovarianceSimilarity(energy=0.9)
    for rows in np.array_split(np.arange(len(X)), 7):
        assert model.partial_fit(X[rows], task=task[rows]) is model
    assert_allclose(model.similarity_, covariance_similarity(X, energy=0.9, task=task), rtol=RTOL)
    model.fit(X[:50], task=task[:50])  # forgets
    assert_allclose(
        model.similarity_, covariance_similarity(X[:50], energy=0.9, task=task[:50]), rtol=RTOL
    )


def test_covariances_that_do_not_fit_together() -> None:
    X, _, task = stacked()
    model = CovarianceSimilarity().fit(X, task=task)
    with pytest.raises(ValueError, match="have seen 5 and 4 columns"):
        model.merge(CovarianceSimilarity().fit(X[:, :4], task=task))
    with pytest.raises(
        ValueError, match="merge takes fitted estimators of the class CovarianceSimilarity; got 3"
    ):
        model.merge(3)
    with pytest.raises(ValueError, match="Pass task=, task_column= or a wide y"):
        CovarianceSimilarity().fit(X)
    with pytest.raises(ValueError, match=r"y has 2 columns.* the rows name tasks as well"):
        CovarianceSimilarity().fit(X, X[:, :2], task=task)
    with pytest.raises(ValueError, match="All features of task 'a' are 0"):
        CovarianceSimilarity().fit(X * (task != "a")[:, None], task=task).similarity_  # noqa: B018
    with pytest.raises(ValueError, match="nothing to merge"):
        CovarianceSimilarity().merge()
