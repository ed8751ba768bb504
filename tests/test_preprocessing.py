"""keep_task, stack_tasks and melt_tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_array
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import make_tasks
from sk_mtl.preprocessing import keep_task, melt_tasks, stack_tasks


@pytest.fixture
def frame() -> tuple[pd.DataFrame, Any]:
    X, y, task = make_tasks()
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame.insert(2, "shop", np.array(["n", "s", "w"])[task])
    frame.loc[::7, "b"] = np.nan
    return frame, y


def test_a_named_column_comes_through(frame: Any) -> None:
    X, y = frame
    transformer = keep_task(SimpleImputer(), StandardScaler(), PCA(3), task_column="shop")
    out = transformer.fit_transform(X, y)
    assert list(out.columns) == ["pca0", "pca1", "pca2", "shop"]
    assert out["shop"].tolist() == X["shop"].tolist()
    features = X.drop(columns="shop")
    expected = make_pipeline(SimpleImputer(), StandardScaler(), PCA(3)).fit_transform(features)
    np.testing.assert_allclose(out[["pca0", "pca1", "pca2"]].to_numpy(float), expected)


@pytest.mark.parametrize("position", [2, -3])
def test_a_position_comes_out_last(position: int) -> None:
    X, _, task = make_tasks()
    rows = np.insert(X, 2, task, axis=1)[:, : 5 if position == -3 else 6]
    out = keep_task(StandardScaler(), task_column=position).fit_transform(rows)
    np.testing.assert_array_equal(out[:, -1], task)
    np.testing.assert_allclose(out[:, :-1].mean(axis=0), 0, atol=1e-12)


def test_columns_that_are_not_there(frame: Any) -> None:
    X, _ = frame
    with pytest.raises(ValueError, match="task_column='store' is not a column of X"):
        keep_task(StandardScaler(), task_column="store").fit(X)
    with pytest.raises(ValueError, match="'shop' names a column, but X is a ndarray"):
        keep_task(StandardScaler(), task_column="shop").fit(X.drop(columns="shop").to_numpy())
    with pytest.raises(ValueError, match="task_column=9 is out of range: X has 6 columns"):
        keep_task(StandardScaler(), task_column=9).fit(X.to_numpy())
    with pytest.raises(ValueError, match="needs a transformer"):
        keep_task()


@pytest.mark.parametrize("position", [0, 5, -2])
def test_a_position_holds_in_a_frame_too(position: int) -> None:
    X, _, task = make_tasks()
    rows = pd.DataFrame(np.insert(X, position % 6, task, axis=1), columns=list("fabcde"))
    out = keep_task(StandardScaler(), task_column=position).fit_transform(rows)
    expected = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(out, np.column_stack([expected, task]))


def test_stacked_tasks_give_their_rows_back() -> None:
    X, y, task = make_tasks()
    parts = {name: (X[task == t], y[task == t]) for t, name in enumerate("nsw")}
    stacked, labels, ids = stack_tasks(parts)
    np.testing.assert_array_equal(stacked, X)
    np.testing.assert_array_equal(labels, y)
    assert ids.tolist() == np.array(list("nsw"))[task].tolist()
    assert stack_tasks(list(parts.values()))[2].tolist() == task.tolist()
    frames = {n: (pd.DataFrame(part, columns=list("abcde")), of) for n, (part, of) in parts.items()}
    pd.testing.assert_frame_equal(stack_tasks(frames)[0], pd.DataFrame(X, columns=list("abcde")))


def test_polars_tables_stay_polars() -> None:
    X, y, task = make_tasks()
    parts = [(pl.DataFrame(X[task == t], schema=list("abcde")), y[task == t]) for t in range(3)]
    stacked, labels, _ = stack_tasks(parts)
    assert stacked.equals(pl.DataFrame(X, schema=list("abcde")))
    molten, _, _, sample = melt_tasks(stacked, np.column_stack([labels, labels]))
    assert molten.equals(stacked[sample])


def test_tasks_that_cannot_be_stacked() -> None:
    X, y, _ = make_tasks()
    with pytest.raises(ValueError, match="Task 1 has the features"):
        stack_tasks([(X, y), (X[:, :3], y)])
    other = pl.DataFrame(X, schema=list("abcde"))
    with pytest.raises(ValueError, match=r"Task 1 has the features \['e', 'd'"):
        stack_tasks([(other, y), (other[list("edcba")], y)])
    with pytest.raises(ValueError, match=r"X of task 0 must be a table; got shape \(5,\)"):
        stack_tasks([(X[0], y[:5])])
    with pytest.raises(ValueError, match=r"tasks mixes values of different types \(number, str\)"):
        stack_tasks({"north": (X, y), 3: (X, y)})
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        stack_tasks([(X, y[:-1])])
    with pytest.raises(ValueError, match=r"needs a list of pairs \(X, y\)"):
        stack_tasks([])
    with pytest.raises(ValueError, match="task 0 has several columns"):
        stack_tasks([(X, np.column_stack([y, y]))])


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_molten_rows_are_the_labels_that_are_there(kind: str) -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1 - y, y]).astype(float)
    Y[np.random.default_rng(0).random(Y.shape) < 0.3] = np.nan
    given: Any = (X, Y)
    if kind == "frame":
        given = pd.DataFrame(X, columns=list("abcde")), pd.DataFrame(Y, columns=["p", "q", "r"])
    rows, labels, task, sample = melt_tasks(*given)
    codes = task if kind == "array" else np.searchsorted(["p", "q", "r"], task)
    assert type(rows) is type(given[0])
    np.testing.assert_array_equal(np.asarray(rows), X[sample])
    np.testing.assert_array_equal(labels, Y[sample, codes])
    assert len(labels) == (~np.isnan(Y)).sum()
    assert len(set(zip(sample.tolist(), task.tolist(), strict=True))) == len(labels)


def test_large_integers_beside_floats_keep_their_digits() -> None:
    X, large = np.eye(2), [2**60, 2**60 + 1]
    for other, kind in [(np.array(large, np.uint64), np.int64), ([0.0, 1.0], np.int64)]:
        stacked = stack_tasks([(X, large), (X, other)])[1]
        assert stacked.tolist() == [*large, *(int(value) for value in other)]
        assert stacked.dtype == kind
    with_gap = stack_tasks([(X, [0, np.nan]), (X, large)])[1]
    assert with_gap[[0, 2, 3]].tolist() == [0, *large]
    assert np.isnan(with_gap[1])
    _, labels, task, _ = melt_tasks(X, pd.DataFrame({"p": [np.nan, 1], "q": large}))
    assert labels.tolist() == [2**60, 1, 2**60 + 1]
    assert labels.dtype == np.int64
    assert task.tolist() == ["q", "p", "q"]


def test_nothing_to_melt() -> None:
    X, y, _ = make_tasks()
    with pytest.raises(ValueError, match="nothing to melt"):
        melt_tasks(X, y)
    with pytest.raises(ValueError, match="Y holds no label"):
        melt_tasks(X, np.full((len(X), 2), np.nan))


def test_what_the_steps_see_can_be_read_off() -> None:
    assert "all but 'shop'" in repr(keep_task(StandardScaler(), task_column="shop"))


def test_sparse_tables_are_not_stacked() -> None:
    with pytest.raises(TypeError, match=r"X of task 'a' is sparse. Convert it with X.toarray"):
        stack_tasks({"a": (csr_array(np.eye(2)), [0, 1])})
