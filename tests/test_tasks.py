"""Which task a row belongs to: every way to name it, and every way to get it wrong."""

from __future__ import annotations

import datetime
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator

from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl._tasks import TaskSet, check_ids, listing, read_features

F = np.array([[0.5, 1.5], [2.5, 3.5], [4.5, 5.5], [6.5, 7.5]])
IDS = np.array([3, 1, 3, 2])


def read(X, task=None, *, estimator=None, reset=True, **kwargs):
    return read_features(estimator or BaseEstimator(), X, task, reset=reset, **kwargs)


def frame(ids, names=("a", "shop", "b")):
    """The features with the ids in the middle, under any names."""
    return pd.DataFrame({0: F[:, 0], 1: ids, 2: F[:, 1]}).set_axis(list(names), axis=1)


def linear(**params):
    return MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None, **params)


# The task column


@pytest.mark.parametrize(
    ("X", "column"),
    [
        (frame(IDS), "shop"),
        (frame(IDS), 1),
        (frame(IDS), -2),
        (frame(IDS), np.int64(1)),
        (frame(IDS, names=[10, 11, 12]), 11),
        (frame(IDS, names=[10, 11, 12]), 1),
        (frame(IDS, names=[1, 0, 2]), 0),  # a name goes before a position
        (frame(IDS, names=[("x", "a"), ("id", "shop"), ("x", "b")]), ("id", "shop")),
        (frame(IDS).set_index(np.array([7, 7, 0, -1])), "shop"),
        (pl.DataFrame({"a": F[:, 0], "shop": IDS, "b": F[:, 1]}), "shop"),
        (pl.DataFrame({"a": F[:, 0], "shop": IDS, "b": F[:, 1]}), 1),
        (np.insert(F, 1, IDS, axis=1), 1),
        (np.insert(F, 1, IDS, axis=1), -2),
        (np.insert(F, 1, IDS, axis=1).astype(object), 1),
        (np.asfortranarray(np.insert(F, 1, IDS, axis=1)), 1),
        (np.insert(F, 1, IDS, axis=1).tolist(), 1),
        (np.column_stack([F, IDS]), -1),
        (np.column_stack([F, IDS]).tolist(), 2),
        (np.column_stack([IDS, F]), 0),
    ],
)
def test_the_task_column_by_name_and_by_position(X, column):
    features, ids, route = read(X, task_column=column)
    assert_array_equal(features, F)
    assert_array_equal(ids, IDS)
    assert ids.dtype.kind == "i"
    assert route == "column"


@pytest.mark.parametrize(
    ("X", "column"),
    [
        (frame(["n", "s", "n", "w"]), "shop"),
        (frame(pd.Categorical(["n", "s", "n", "w"], categories=["z", "w", "s", "n"])), "shop"),
        (frame(pd.array(["n", "s", "n", "w"], dtype="string")), "shop"),
        (frame(np.array(["n", "s", "n", "w"], dtype=object)), 1),
        (frame(["n", "s", "n", "w"]).to_numpy(dtype=object), 1),
        ([[a, name, b] for (a, b), name in zip(F.tolist(), "nsnw", strict=True)], 1),
        ([[a, b, name] for (a, b), name in zip(F.tolist(), "nsnw", strict=True)], -1),
        (pl.DataFrame({"a": F[:, 0], "shop": ["n", "s", "n", "w"], "b": F[:, 1]}), "shop"),
        (
            pl.DataFrame({"a": F[:, 0], "shop": ["n", "s", "n", "w"], "b": F[:, 1]}).with_columns(
                pl.col("shop").cast(pl.Categorical)
            ),
            "shop",
        ),
    ],
)
def test_names_of_tasks_beside_numbers(X, column):
    features, ids, _ = read(X, task_column=column)
    assert_array_equal(features, F)
    assert features.dtype == np.float64
    assert ids.dtype.kind == "U"
    assert ids.tolist() == ["n", "s", "n", "w"]


def test_the_estimator_counts_and_names_the_columns_as_passed():
    estimator = BaseEstimator()
    read(frame(IDS), estimator=estimator, task_column="shop")
    assert estimator.n_features_in_ == 3
    assert estimator.feature_names_in_.tolist() == ["a", "shop", "b"]
    read(frame(IDS), estimator=estimator, task_column="shop", reset=False)
    with pytest.raises(ValueError, match="feature names should match"):
        read(frame(IDS)[["shop", "a", "b"]], estimator=estimator, task_column="shop", reset=False)
    with pytest.raises(ValueError, match=r"(?s)feature names should match.*- b"):
        read(frame(IDS)[["a", "shop"]], estimator=estimator, task_column="shop", reset=False)

    read(np.column_stack([F, IDS]), estimator=estimator, task_column=-1)
    assert estimator.n_features_in_ == 3
    assert not hasattr(estimator, "feature_names_in_")
    with pytest.raises(ValueError, match="X has 2 features, but BaseEstimator is expecting 3"):
        read(np.column_stack([F[:, 0], IDS]), estimator=estimator, task_column=-1, reset=False)
    read(F, IDS, estimator=estimator)
    assert estimator.n_features_in_ == 2


def test_the_passed_columns_are_not_changed():
    X = frame(IDS)
    before = X.copy()
    read(X, task_column="shop")
    pd.testing.assert_frame_equal(X, before)
    array = np.column_stack([F, IDS])
    array.setflags(write=False)
    features, ids, _ = read(array, task_column=-1)
    assert_array_equal(features, F)
    assert_array_equal(ids, IDS)


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.float16, np.float64),
        (np.int32, np.float64),
        (bool, np.float64),
        (object, np.float64),
    ],
)
def test_precision_of_the_features(dtype, kept):
    X = np.column_stack([F.astype(dtype), IDS.astype(dtype)])
    assert read(X, task_column=-1)[0].dtype == kept
    assert read(F.astype(dtype), IDS)[0].dtype == kept
    of_frame = pd.DataFrame(F.astype(dtype), columns=["a", "b"]).assign(shop=list("xyxy"))
    assert read(of_frame, task_column="shop")[0].dtype == kept


def test_without_a_task_column():
    features, ids, route = read(F)
    assert_array_equal(features, F)
    assert ids is None
    assert route == "none"
    features, ids, route = read(F, IDS)
    assert_array_equal(features, F)
    assert_array_equal(ids, IDS)
    assert route == "keyword"


# Kinds of ids


@pytest.mark.parametrize(
    ("ids", "expected", "kind"),
    [
        ([3, 1, 2], [3, 1, 2], "i"),
        (np.array([3, 1, 2], dtype=np.uint8), [3, 1, 2], "u"),
        ([3.0, -1.0, -0.0], [3, -1, 0], "i"),
        (np.array([3, 1, 2], dtype=np.float16), [3, 1, 2], "i"),
        (np.array([3, 1.0, np.float32(2)], dtype=object), [3, 1, 2], "i"),
        ([True, False, True], [True, False, True], "b"),
        (np.array([True, False], dtype=object), [True, False], "b"),
        (["b", "a", "é"], ["b", "a", "é"], "U"),
        (("1", "01"), ["1", "01"], "U"),
        (np.array(["b", "a"]), ["b", "a"], "U"),
        (np.array(["b", "a"], dtype=object), ["b", "a"], "U"),
        (np.array(["b", "a"], dtype=np.dtypes.StringDType()), ["b", "a"], "U"),
        (pd.Series(["b", "a"], index=[9, 3]), ["b", "a"], "U"),
        (pd.Series(["b", "a"], dtype="string"), ["b", "a"], "U"),
        (pd.Series(["b", "a"], dtype="category"), ["b", "a"], "U"),
        (pd.Series([2, 1], dtype="category"), [2, 1], "i"),
        (pd.Series([2, 1], dtype="Int64"), [2, 1], "i"),
        (pd.Series([True, False], dtype="boolean"), [True, False], "b"),
        (pd.Index(["b", "a"]), ["b", "a"], "U"),
        (pl.Series(["b", "a"]), ["b", "a"], "U"),
        (pl.Series([2, 1]), [2, 1], "i"),
        ([[2], [1]], [2, 1], "i"),
        (pd.DataFrame({"shop": ["b", "a"]}), ["b", "a"], "U"),
        (np.ma.array([2, 1], mask=False), [2, 1], "i"),
        ([10**30, 1], [10**30, 1], "O"),
    ],
)
def test_kinds_of_ids(ids, expected, kind):
    found = check_ids(ids, "task")
    assert found.shape == (len(expected),)
    assert found.tolist() == expected
    assert [type(value) for value in found.tolist()] == [type(value) for value in expected]
    assert found.dtype.kind == kind


@pytest.mark.parametrize(
    "ids",
    [
        [1.0, np.nan],
        [1.0, np.inf],
        ["a", None],
        ["a", np.nan],  # numpy alone makes the string "nan" of it
        np.array(["a", np.nan], dtype=object),
        pd.Series(["a", None]),
        pd.Series(["a", None], dtype="string"),
        pd.Series(["a", None], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([True, None], dtype="boolean"),
        pl.Series(["a", None]),
        pl.Series([1, None]),
        np.ma.array([1, 2], mask=[False, True]),
        np.array(["a", None], dtype=np.dtypes.StringDType(na_object=None)),
    ],
)
def test_missing_ids(ids):
    with pytest.raises(ValueError, match=r"^task contains missing"):
        check_ids(ids, "task")
    with pytest.raises(ValueError, match=r"^Column 'shop' contains missing"):
        read(pd.DataFrame({"a": [0.0, 1.0], "shop": pd.Series(ids)}), task_column="shop")


@pytest.mark.parametrize("ids", [["a", 1], [1, "a", "b"], np.array([1.5, "a"], dtype=object)])
def test_mixed_ids(ids):
    with pytest.raises(ValueError, match=r"task mixes values of different types \(number, str\)"):
        check_ids(ids, "task")


@pytest.mark.parametrize(
    "ids", [[0.0, 0.5], np.array([0, 0.5], dtype=object), pl.Series([0.0, 0.5])]
)
def test_fractional_ids_point_at_a_scaler(ids):
    with pytest.raises(ValueError, match=r"task contains 0\.5, which is not a whole .*a scaler"):
        check_ids(ids, "task")


def test_a_scaled_task_column_points_at_the_scaler():
    with pytest.raises(ValueError, match=r"Column -1 contains .* a scaler in a step before"):
        read(np.column_stack([F, (IDS - IDS.mean()) / IDS.std()]), task_column=-1)


@pytest.mark.parametrize(
    ("ids", "shown"),
    [
        ([1e300, 1.0], "1e+300"),
        ([-(2.0**53), 1.0], "-9007199254740992.0"),
        (np.array([2**24 + 1, 2**24], dtype=np.float32), "16777216.0"),
        (np.array([2049, 2048], dtype=np.float16), "2048.0"),
    ],
)
def test_floats_too_large_to_be_whole_numbers(ids, shown):
    with pytest.raises(ValueError, match=f"task contains {re.escape(shown)}.*too large"):
        check_ids(ids, "task")


def test_the_largest_floats_that_are_exact_are_ids():
    assert check_ids([2.0**53 - 1], "task").tolist() == [2**53 - 1]
    assert check_ids(np.float32([2**24 - 1]), "task").tolist() == [2**24 - 1]
    assert check_ids([2**62 + 1, 2**62], "task").tolist() == [2**62 + 1, 2**62]


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ([2**62 + 1, np.uint64(2**62)], "i"),
        ([2**62 + 1, 1.0], "i"),
        ([2**63 + 1, 0.0], "u"),
        ([2**63 + 1, -1], "O"),
        ([2**70 + 1, 2**70], "O"),
    ],
)
def test_integers_that_floats_would_run_together_stay_apart(ids, kind):
    """As numpy would have it, these are floats."""
    found = check_ids(ids, "task")
    assert found.tolist() == ids
    assert found.dtype.kind == kind
    of_each = [TaskSet(check_ids([one], "task"), "keyword") for one in ids]
    together = of_each[0].joined(of_each[1]).ids
    assert together.tolist() == sorted(ids)
    assert together.dtype.kind == kind


def test_small_integers_of_unlike_types_stay_integers():
    one, other = (TaskSet(np.arange(2, dtype=kind), "keyword") for kind in (np.uint64, np.int64))
    assert one.joined(other).ids.dtype == np.int64


@pytest.mark.parametrize(
    ("ids", "dtype"),
    [
        (np.array(["2020-01-01"], dtype="M8[D]"), "datetime64"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "datetime64"),
        (np.array([5], dtype="m8[s]"), "timedelta64"),
        ([1j], "complex128"),
    ],
)
def test_ids_of_other_kinds(ids, dtype):
    with pytest.raises(ValueError, match=f"task holds {dtype}.* integers, booleans or strings"):
        check_ids(ids, "task")


@pytest.mark.parametrize(
    ("ids", "shape"),
    [
        (np.array(3), "()"),
        ("shop", "()"),
        (np.column_stack([IDS, IDS]), "(4, 2)"),
        ([("x", 1), ("x", 2)], "(2, 2)"),
        (np.zeros((4, 1, 1)), "(4, 1, 1)"),
    ],
)
def test_ids_that_are_not_one_per_row(ids, shape):
    with pytest.raises(ValueError, match=f"one task id per row.*got shape {re.escape(shape)}"):
        check_ids(ids, "task")


def test_any_sortable_values_are_ids():
    dates = [datetime.date(2021, 1, 1), datetime.date(2020, 1, 1)]
    assert check_ids(np.array(dates, dtype=object), "task").tolist() == dates


# Errors


def test_tasks_named_twice():
    with pytest.raises(ValueError, match=r"named twice: task_column='shop' and the task= keyword"):
        read(frame(IDS), IDS, task_column="shop")


def test_unknown_column():
    with pytest.raises(ValueError, match=r"'store' is not a column of X.*\['a', 'shop', 'b'\]"):
        read(frame(IDS), task_column="store")
    with pytest.raises(ValueError, match=r"'store' is not a column of X"):
        read(pl.DataFrame({"a": F[:, 0]}), task_column="store")
    with pytest.raises(ValueError, match=r"put that step into keep_task"):
        read(frame(IDS).rename(columns={"shop": "remainder__shop"}), task_column="shop")
    with pytest.raises(ValueError, match="True is not a column of X"):
        read(frame(IDS), task_column=True)


@pytest.mark.parametrize("column", [3, -4])
def test_position_out_of_range(column):
    message = f"task_column={column} is out of range: X has 3 columns. Positions run from -3 to 2"
    for X in (frame(IDS), np.column_stack([F, IDS]), np.column_stack([F, IDS]).tolist()):
        with pytest.raises(ValueError, match=message):
            read(X, task_column=column)


@pytest.mark.parametrize("column", ["shop", 1.0, True, ("a", "b")])
@pytest.mark.parametrize("X", [np.column_stack([F, IDS]), F.tolist(), csr_array(F)])
def test_a_name_needs_a_frame(X, column):
    match = rf"task_column={re.escape(repr(column))} names a column, but X is a {type(X).__name__}"
    with pytest.raises(ValueError, match=match):
        read(X, task_column=column)


def test_sparse_rows_have_no_task_column():
    with pytest.raises(TypeError, match=r"Sparse X cannot hold a task column.*task= keyword"):
        read(csr_array(F), task_column=0, accept_sparse=True)
    features, ids, _ = read(csr_array(F), IDS, accept_sparse="csr")
    assert_array_equal(features.toarray(), F)
    assert_array_equal(ids, IDS)


@pytest.mark.parametrize("X", [IDS, IDS.tolist(), F[None], np.array(1.0)])
def test_a_task_column_needs_two_dimensions(X):
    with pytest.raises(ValueError, match=f"Expected 2D array, got {np.ndim(X)}D array"):
        read(X, task_column=0)


@pytest.mark.parametrize("X", [IDS[:, None], pd.DataFrame({"shop": IDS})])
def test_nothing_but_the_task_column(X):
    with pytest.raises(ValueError, match="X has no column beside the task column, 0: there are 0"):
        read(X, task_column=0)


@pytest.mark.parametrize("names", [["a", "shop", "a"], ["shop", "shop", "b"]])
def test_columns_of_the_same_name(names):
    twice = max(names, key=names.count)
    with pytest.raises(ValueError, match=rf"several columns named \['{twice}'\]"):
        read(frame(IDS, names), task_column="shop")


@pytest.mark.parametrize(
    ("ids", "n"), [(IDS[:3], 3), ([*IDS, 1], 5), (list("abc"), 3), (pl.Series([1]), 1)]
)
def test_wrong_number_of_ids(ids, n):
    with pytest.raises(ValueError, match=f"numbers of samples: X has 4 rows, task {n} entries"):
        read(F, ids)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_features_that_are_not_finite(bad):
    X = frame(IDS).astype({"a": float})
    X.loc[0, "a"] = bad
    with pytest.raises(ValueError, match="Input X contains"):
        read(X, task_column="shop")


def test_no_rows():
    with pytest.raises(ValueError, match="0 sample"):
        read(frame(IDS).iloc[:0], task_column="shop")


# TaskSet


def test_codes_of_known_ids():
    tasks = TaskSet(np.array(["n", "s", "w"]), "keyword")
    assert len(tasks) == 3
    assert not tasks.wide
    codes = tasks.encode(np.array(["w", "n", "w"]), 3)
    assert codes.tolist() == [2, 0, 2]
    assert codes.dtype == np.intp
    # Other widths of the same kind, and kinds that compare equal.
    assert tasks.encode(np.array(["s"], dtype="<U9"), 1).tolist() == [1]
    assert TaskSet(np.array([0, 5]), "column").encode(np.int8([5, 0]), 2).tolist() == [1, 0]
    assert TaskSet(np.array([False, True]), "column").encode(np.array([1, 0]), 2).tolist() == [1, 0]


def test_one_task_needs_no_name():
    assert TaskSet(np.array(["n"]), "keyword").encode(None, 3).tolist() == [0, 0, 0]


def test_no_task_named_for_several():
    with pytest.raises(ValueError, match=r"fitted on 2 tasks, \['n', 's'\], and no task was named"):
        TaskSet(np.array(["n", "s"]), "keyword").encode(None, 3)


@pytest.mark.parametrize(
    ("ids", "unseen"), [(["n", "x", "y"], r"\['x', 'y'\]"), ([0, 1], r"\[0, 1\]")]
)
def test_unseen_ids(ids, unseen):
    with pytest.raises(
        ValueError, match=rf"Unseen task ids {unseen}; .* knows \['n', 's'\].*shuffle the folds"
    ):
        TaskSet(np.array(["n", "s"]), "keyword").encode(np.array(ids), len(ids))


def test_strings_are_not_numbers():
    with pytest.raises(ValueError, match=r"Unseen task ids \['1'\]; the estimator knows \[1, 2\]"):
        TaskSet(np.array([1, 2]), "keyword").encode(np.array(["1"]), 1)


def test_wide_tasks_have_no_codes():
    tasks = TaskSet(np.array(["u", "v"]), "wide")
    assert tasks.wide
    assert tasks.encode(None, 3) is None
    with pytest.raises(ValueError, match="Task ids were given to an estimator fitted on a wide y"):
        tasks.encode(np.array(["u"]), 1)


def test_listing():
    assert listing(np.array(["n", "s"])) == "['n', 's']"
    assert listing([("a", 1), 2]) == "[('a', 1), 2]"
    assert listing(np.arange(12)) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 2 more]"
    assert listing(range(3), most=3) == "[0, 1, 2]"


# Through the estimator


@pytest.fixture(scope="module")
def two_tasks():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((24, 2))
    return X, (X[:, 0] > 0).astype(int), np.repeat(["n", "s"], 12)


def test_the_estimator_asks_for_the_task(two_tasks):
    X, y, task = two_tasks
    model = linear().fit(X, y, task=task)
    assert model.tasks_.tolist() == ["n", "s"]
    for method in (model.predict, model.predict_proba, model.transform):
        with pytest.raises(ValueError, match=r"fitted on 2 tasks.*no task was named"):
            method(X)
        with pytest.raises(ValueError, match=r"Unseen task ids \['w'\]"):
            method(X[:1], task=["w"])
    with pytest.raises(ValueError, match="no task was named"):
        model.score(X, y)


def test_the_estimator_refuses_ids_for_a_wide_y(two_tasks):
    X, y, task = two_tasks
    Y = np.column_stack([y, 1 - y])
    with pytest.raises(ValueError, match="y has 2 columns, which are tasks, and the rows name"):
        linear().fit(X, Y, task=task)
    with pytest.raises(ValueError, match="y has 2 columns, which are tasks, and the rows name"):
        linear(task_column=0).fit(np.column_stack([task == "s", X]), Y)
    with pytest.raises(ValueError, match="Task ids were given to an estimator fitted on a wide y"):
        linear().fit(X, Y).predict(X, task=task)


def test_the_estimator_refuses_a_column_beside_the_keyword(two_tasks):
    X, y, task = two_tasks
    with_column = pd.DataFrame(X, columns=["a", "b"]).assign(shop=task)
    with pytest.raises(ValueError, match="Tasks are named twice"):
        linear(task_column="shop").fit(with_column, y, task=task)
    model = linear(task_column="shop").fit(with_column, y)
    assert model.n_features_in_ == 3
    assert model.feature_names_in_.tolist() == ["a", "b", "shop"]
    assert model.feature_mean_.shape == (2,)
    with pytest.raises(ValueError, match="Tasks are named twice"):
        model.predict(with_column, task=task)
    with pytest.raises(ValueError, match="'shop' is not a column of X"):
        model.predict(with_column.drop(columns="shop"))


def test_a_column_of_text_is_named():
    frame = pd.DataFrame({"a": [1.0, 2.0], "colour": ["red", "blue"], "shop": [0, 1]})
    message = r"could not convert string to float: 'red'. The columns \['colour'\] of X hold text"
    with pytest.raises(ValueError, match=message) as caught:
        MultiTaskAlignedClassifier(task_column="shop").fit(frame, [0, 1])
    assert "task_column" not in str(caught.value)
    with pytest.raises(ValueError, match="If one names the tasks, set task_column to it"):
        MultiTaskAlignedClassifier().fit(frame, [0, 1])


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame])
def test_columns_with_gaps_are_named(table):
    frame = table({"a": [1.0, 2.0], "age": [3.0, None], "spent": [np.nan, 1.0], "shop": [0, 1]})
    with pytest.raises(ValueError, match=r"(?s)NaN.*The columns \['age', 'spent'\] of X have gaps"):
        MultiTaskAlignedClassifier(task_column="shop").fit(frame, [0, 1])


def test_a_step_that_loses_the_task_column():
    rows = frame(IDS)
    with pytest.raises(ValueError, match=r"X is a ndarray .*put that step into keep_task"):
        read(rows.to_numpy(), task_column="shop")
