"""From labels to codes and back, and which tasks share a head."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_array_equal
from scipy.sparse import csr_array
from sklearn.exceptions import DataConversionWarning

from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl._labels import MISSING, LabelSet, columns_as_array, distinct, read_columns, read_labels
from sk_mtl._plan import HeadPlan
from sk_mtl._value_targets import read_values

IDS = np.array(["n", "s"])
TASK = np.array([0, 1, 1, 0])


def lists(arrays):
    return [array.tolist() for array in arrays]


def kinds(arrays):
    return "".join(array.dtype.kind for array in arrays)


def of_wide(y, n_rows):
    columns, names = read_columns(y, n_rows)
    labels = LabelSet.of_columns(columns, names)
    return labels, labels.encode_columns(columns, names)


# Columns of y


@pytest.mark.parametrize(
    "y",
    [
        [1, 0, 1],
        (1, 0, 1),
        np.array([1, 0, 1]),
        pd.Series([1, 0, 1], index=[5, 5, -1]),
        pd.Series([1, 0, 1], dtype="Int64"),
        pl.Series([1, 0, 1]),
    ],
)
def test_one_label_per_row(y):
    columns, names = read_columns(y, 3)
    assert names is None
    assert lists(columns) == [[1, 0, 1]]
    assert kinds(columns) == "i"


@pytest.mark.parametrize("shape", [(3, 1), "frame", "polars"])
def test_a_column_vector_is_one_label_per_row(shape):
    y = np.array([1, 0, 1])
    if shape == "frame":
        y = pd.DataFrame({"u": y})
    elif shape == "polars":
        y = pl.DataFrame({"u": y})
    else:
        y = y.reshape(shape)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        columns, names = read_columns(y, 3)
    assert names is None
    assert lists(columns) == [[1, 0, 1]]


def test_names_of_wide_tasks():
    y = np.array([[1, 0], [0, 0], [1, 1]])
    columns, names = read_columns(y, 3)
    assert names.tolist() == [0, 1]
    assert lists(columns) == [[1, 0, 1], [0, 0, 1]]
    for made in (pd.DataFrame, pl.DataFrame):
        columns, names = read_columns(made({"v": y[:, 0], "u": y[:, 1]}), 3)
        assert names.tolist() == ["v", "u"]  # the order of the columns, not sorted
        assert lists(columns) == [[1, 0, 1], [0, 0, 1]]
    for given in (["u", 1], [("u", 1), ("u", 2)]):
        _, names = read_columns(pd.DataFrame(y, columns=pd.Index(given, dtype=object)), 3)
        assert names.tolist() == given
        assert names.shape == (2,)


@pytest.mark.parametrize(
    ("y", "error", "match"),
    [
        (None, ValueError, "requires y to be passed, but the target y is None"),
        (np.array(1), ValueError, r"one or two dimensions; got shape \(\)"),
        ("abc", ValueError, r"one or two dimensions; got shape \(\)"),
        (np.zeros((3, 2, 2)), ValueError, r"one or two dimensions; got shape \(3, 2, 2\)"),
        (np.zeros((3, 0)), ValueError, "y has no columns"),
        (pd.DataFrame(index=range(3)), ValueError, "y has no columns"),
        ([[1, 2], [1], [1, 2]], ValueError, "y is ragged"),
        ([["a", "b"], ["a"], "a"], ValueError, "y is ragged"),
        (csr_array(np.eye(3)), TypeError, r"Sparse y is not supported.*toarray"),
        ([1, 0], ValueError, "inconsistent numbers of samples: X has 3 rows, y has 2"),
        (np.zeros((4, 2)), ValueError, "inconsistent numbers of samples: X has 3 rows, y has 4"),
        (pl.DataFrame({"u": [1], "v": [1]}), ValueError, "X has 3 rows, y has 1"),
        (
            pd.DataFrame(np.zeros((3, 3)), columns=["u", "v", "u"]),
            ValueError,
            r"y has several columns named \['u'\]",
        ),
    ],
)
def test_y_that_cannot_be_read(y, error, match):
    with pytest.raises(error, match=match):
        read_columns(y, 3)


# Labels of a column

GAPS = [
    ([[1.0, 0], [np.nan, 1], [0.0, 0]], [1.0, 0.0], float),
    (np.float32([[1, 0], [np.nan, 1], [0, 0]]), [1.0, 0.0], float),
    ([[1, 0], [None, 1], [0, 0]], [1, 0], int),
    ([["b", "a"], [None, "b"], ["a", "a"]], ["b", "a"], str),
    ([["b", "a"], [np.nan, "b"], ["a", "a"]], ["b", "a"], str),
    ([[True, True], [None, False], [False, True]], [True, False], bool),
    (np.array([[1, "a"], [np.nan, "b"], [0, "a"]], dtype=object), [1, 0], int),
    (np.array([["b", 1], [pd.NA, 2], ["a", 1]], dtype=object), ["b", "a"], str),
    (np.array([[True, 1], [np.nan, 2], [False, 1]], dtype=object), [True, False], bool),
    (np.ma.array([[1, 0], [7, 1], [0, 0]], mask=[[0, 0], [1, 0], [0, 0]]), [1, 0], int),
    (pd.DataFrame({"u": [1, np.nan, 0], "v": [1, 0, 1]}), [1.0, 0.0], float),
    (pd.DataFrame({"u": pd.array([1, None, 0], dtype="Int64"), "v": [1, 0, 1]}), [1, 0], int),
    (pd.DataFrame({"u": pd.array([1, None, 0], dtype="Float64"), "v": [1, 0, 1]}), [1, 0], float),
    (
        pd.DataFrame({"u": pd.array([True, None, False], dtype="boolean"), "v": [1, 0, 1]}),
        [True, False],
        bool,
    ),
    (pd.DataFrame({"u": ["b", None, "a"], "v": [1, 0, 1]}), ["b", "a"], str),
    (
        pd.DataFrame({"u": pd.array(["b", None, "a"], dtype="string"), "v": [1, 0, 1]}),
        ["b", "a"],
        str,
    ),
    (
        pd.DataFrame({"u": pd.Categorical(["b", None, "a"], categories=list("zba")), "v": [1] * 3}),
        ["b", "a"],
        str,
    ),
    (pd.DataFrame({"u": pd.Categorical([2, None, 1]), "v": [1, 0, 1]}), [2, 1], int),
    (pl.DataFrame({"u": [1, None, 0], "v": [1, 0, 1]}), [1, 0], int),
    (pl.DataFrame({"u": [1.0, None, 0.0], "v": [1, 0, 1]}), [1.0, 0.0], float),
    (pl.DataFrame({"u": [True, None, False], "v": [1, 0, 1]}), [True, False], bool),
    (pl.DataFrame({"u": ["b", None, "a"], "v": [1, 0, 1]}), ["b", "a"], str),
]


@pytest.mark.parametrize(("y", "first", "kind"), GAPS)
def test_gaps_and_the_type_of_labels(y, first, kind):
    columns, _ = read_columns(y, 3)
    values, labelled = read_labels(columns[0], "y")
    assert labelled.tolist() == [True, False, True]
    assert values.tolist() == first
    assert {type(value) for value in values.tolist()} == {kind}
    assert read_labels(columns[1], "y")[1].all()


@pytest.mark.parametrize(("y", "first", "kind"), GAPS)
def test_wide_labels_there_and_back(y, first, kind):
    labels, codes = of_wide(y, 3)
    assert labels.union.size == 0
    assert labels.per_task[0].tolist() == sorted(first)
    assert codes.dtype == np.intp
    assert codes[1, 0] == MISSING
    back = labels.per_task[0][codes[[0, 2], 0]].tolist()
    assert back == first
    assert {type(label) for label in back} == {kind}
    assert (codes[:, 1] != MISSING).all()


def test_dates_are_labels_and_missing_dates_gaps():
    values, labelled = read_labels(np.array(["2020-01-01", "NaT"], dtype="M8[D]"), "y")
    assert labelled.tolist() == [True, False]
    assert len(values) == 1


@pytest.mark.parametrize(
    ("column", "match"),
    [
        (np.array([1 + 1j, 0]), "Complex data not supported. y is complex"),
        (np.array([1.0, np.inf]), "Input y contains infinity.*for float64: see y"),
        (np.array([1.0, -np.inf], dtype=object), "Input y contains infinity"),
        (np.array([1, "a"], dtype=object), r"y mixes values of different types \(number, str\)"),
        (np.array([True, 2], dtype=object), r"y mixes values .* \(bool, number\)"),
    ],
)
def test_labels_that_cannot_be_read(column, match):
    with pytest.raises(ValueError, match=match):
        read_labels(column, "y")


@pytest.mark.parametrize("y", [[1, "a", "b", "b"], ["a", 1.5, "b", "b"]])
def test_numbers_in_a_list_of_strings_are_not_strings(y):
    (column,), _ = read_columns(y, 4)
    with pytest.raises(ValueError, match="y mixes values of different types"):
        LabelSet.of_rows(column, TASK, IDS)


# Stacked labels


@pytest.mark.parametrize(
    ("y", "of_n", "of_s"),
    [
        (np.array([5, 2, 9, 2]), [2, 5], [2, 9]),
        (np.array([0.5, 2, 9, 2.0]) * 2, [1.0, 4.0], [4.0, 18.0]),
        (np.array(["b", "a", "c", "a"]), ["a", "b"], ["a", "c"]),
        (np.array(["b", "a", "c", "a"], dtype=object), ["a", "b"], ["a", "c"]),
        (np.array([True, False, True, False]), [False, True], [False, True]),
        (pd.Series(["b", "a", "c", "a"], dtype="category"), ["a", "b"], ["a", "c"]),
        (pd.Series([5, 2, 9, 2], dtype="Int64"), [2, 5], [2, 9]),
        (pl.Series(["b", "a", "c", "a"]), ["a", "b"], ["a", "c"]),
    ],
)
def test_stacked_labels_there_and_back(y, of_n, of_s):
    (column,), _ = read_columns(y, 4)
    labels = LabelSet.of_rows(column, TASK, IDS)
    assert lists(labels.per_task) == [of_n, of_s]
    assert labels.union.tolist() == sorted({*of_n, *of_s})
    assert labels.sizes.tolist() == [2, 2]
    codes = labels.encode_rows(column, TASK, IDS)
    assert codes.dtype == np.intp
    back = [labels.per_task[t].tolist()[code] for t, code in zip(TASK, codes, strict=True)]
    assert back == list(y)
    assert {type(label) for label in back} == {type(of_n[0])}


def test_positions_of_classes_in_the_union():
    y, task = np.array(["c", "a", "b", "d", "b"]), np.array([0, 0, 0, 1, 1])
    labels = LabelSet.of_rows(y, task, IDS)
    assert labels.sizes.tolist() == [3, 2]
    assert labels.positions(labels.union).tolist() == [[0, 1, 2], [1, 3, 4]]  # 4 pads
    assert labels.encode_rows(y, task, IDS).tolist() == [2, 0, 1, 1, 0]


@pytest.mark.parametrize("gap", [np.nan, None, pd.NA])
def test_stacked_rows_need_a_label(gap):
    y = np.array([1, gap, gap, 0], dtype=object)
    with pytest.raises(ValueError, match="Input y contains NaN: 2 rows have no label"):
        LabelSet.of_rows(y, TASK, IDS)
    labels = LabelSet.of_rows(np.array([1, 0, 1, 0]), TASK, IDS)
    with pytest.raises(ValueError, match="Input y contains NaN: 2 rows have no label"):
        labels.encode_rows(y, TASK, IDS)


def test_continuous_labels():
    y = np.array([0.5, 1.7, 0.1, 0.9])
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        LabelSet.of_rows(y, TASK, IDS)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        LabelSet.of_columns([np.array([0.0, 1, 0, 1]), y], IDS)


def test_labels_of_another_task_are_unseen():
    labels = LabelSet.of_rows(np.array(["a", "x", "y", "b"]), TASK, IDS)
    match = r"y holds the label 'a' for task 's', whose labels are \['x', 'y'\]"
    with pytest.raises(ValueError, match=match):
        labels.encode_rows(np.array(["a", "a", "y", "b"]), TASK, IDS)


@pytest.mark.parametrize(
    ("stranger", "shown"), [(7, "7"), (0.5, "0.5"), ("0", "'0'"), (-1, "-1"), (2**40, str(2**40))]
)
def test_unseen_labels(stranger, shown):
    labels = LabelSet.of_rows(np.array([0, 0, 1, 1]), TASK, IDS)
    column = np.array([stranger] * 4)
    match = rf"y holds the label {re.escape(shown)} for task 'n', whose labels are \[0, 1\]"
    with pytest.raises(ValueError, match=match):
        labels.encode_rows(column, TASK, IDS)

    wide = LabelSet.of_columns([np.array([0, 1]), np.array([0.0, 1])], IDS)
    columns = [np.array([0, 1]), np.array([np.nan, stranger], dtype=object)]
    with pytest.raises(ValueError, match=rf"Column 's' of y holds the label {re.escape(shown)};"):
        wide.encode_columns(columns, IDS)


def test_equal_labels_of_another_kind_are_the_same():
    labels = LabelSet.of_rows(np.array([0, 0, 1, 1]), TASK, IDS)
    for y in (np.array([1.0, 0, 0, 1]), np.array([True, False, False, True])):
        assert labels.encode_rows(y, TASK, IDS).tolist() == [1, 0, 0, 1]


# Wide labels


def test_wide_label_sets_are_per_column():
    y = pd.DataFrame({"u": [0, 1, 2], "v": ["b", None, "a"], "w": [7.0, np.nan, 8.0]})
    labels, codes = of_wide(y, 3)
    assert lists(labels.per_task) == [[0, 1, 2], ["a", "b"], [7.0, 8.0]]
    assert codes.tolist() == [[0, 1, 0], [1, MISSING, MISSING], [2, 0, 1]]


def test_wide_task_without_a_label():
    y = np.array([[1, np.nan, np.nan], [0, np.nan, np.nan]])
    with pytest.raises(ValueError, match=r"The tasks \[1, 2\] have no labelled row"):
        of_wide(y, 2)
    with pytest.raises(ValueError, match=r"The tasks \['v'\] have no labelled row"):
        of_wide(pl.DataFrame({"u": [1, 0], "v": [None, None]}), 2)


def test_stacked_task_without_a_row():
    with pytest.raises(ValueError, match=r"The tasks \['w'\] have no labelled row"):
        LabelSet.of_rows(np.array([1, 0, 1, 0]), TASK, np.array(["n", "s", "w"]))


@pytest.mark.parametrize("n", [1, 3])
def test_another_number_of_columns(n):
    labels = LabelSet.of_columns([np.array([0, 1])] * 2, IDS)
    with pytest.raises(ValueError, match=rf"y has {n} column.* fitted on 2, one per task: \['n'"):
        labels.encode_columns([np.array([0, 1])] * n, IDS)


# A task that shows one class


def test_a_lone_class_takes_the_smallest_set_that_holds_it():
    task = np.repeat(np.arange(5), 3)
    y = np.array(["a", "b", "c", "d", "e", "f", "a", "b", "a", "b", "b", "b", "f", "f", "f"])
    labels = LabelSet.of_rows(y, task, np.arange(5))
    # Task 3 shows b alone: {a, b} of task 2 is smaller than {a, b, c} of task 0.
    assert lists(labels.per_task)[2:] == [["a", "b"], ["a", "b"], ["d", "e", "f"]]
    assert labels.encode_rows(y, task, np.arange(5))[9:].tolist() == [1, 1, 1, 2, 2, 2]


def test_a_lone_class_that_no_one_else_has():
    labels = LabelSet.of_rows(np.array(["x", "a", "b", "x"]), TASK, IDS)
    assert lists(labels.per_task) == [["x"], ["a", "b"]]
    assert labels.encode_rows(np.array(["x", "a", "b", "x"]), TASK, IDS).tolist() == [0, 0, 1, 0]
    alone = LabelSet.of_rows(np.array([0, 1, 1, 0]), TASK, IDS)
    assert lists(alone.per_task) == [[0], [1]]


def test_a_lone_class_of_a_wide_column():
    labels, codes = of_wide(np.array([[0, 1.0], [1, np.nan], [0, 1.0]]), 3)
    assert lists(labels.per_task) == [[0, 1], [0, 1]]
    assert codes.tolist() == [[0, 1], [1, MISSING], [0, 1]]


# Declared labels


def test_declared_for_all_tasks():
    labels = LabelSet.declared(["b", "a", "b"], IDS, wide=False)
    assert lists(labels.per_task) == [["a", "b"]] * 2
    assert labels.union.tolist() == ["a", "b"]
    assert labels.encode_rows(np.array(["b"]), np.array([1]), IDS).tolist() == [1]
    wide = LabelSet.declared([1, 0], IDS, wide=True)
    assert lists(wide.per_task) == [[0, 1]] * 2
    assert wide.union.size == 0


def test_declared_per_task():
    labels = LabelSet.declared({"s": [3, 1], "n": [2, 1, 0], "w": [9]}, IDS, wide=False)
    assert lists(labels.per_task) == [[0, 1, 2], [1, 3]]
    assert labels.union.tolist() == [0, 1, 2, 3]
    assert lists(LabelSet.declared([[1, 0], ["b", "a"]], IDS, wide=True).per_task) == [
        [0, 1],
        ["a", "b"],
    ]


def test_a_lone_declared_class_stays_alone():
    assert lists(LabelSet.declared({"n": [0, 1], "s": [1]}, IDS, wide=False).per_task)[1] == [1]


def test_declared_wrongly():
    with pytest.raises(ValueError, match=r"classes names no labels for the tasks \['s'\]"):
        LabelSet.declared({"n": [0, 1]}, IDS, wide=False)
    with pytest.raises(ValueError, match="classes lists 3 label sets, but y has 2 columns"):
        LabelSet.declared([[0, 1]] * 3, IDS, wide=True)


# Integers that float64 runs together

LARGE = 2**60


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ([[LARGE, LARGE + 1], [0.0, 1.0]], "i"),
        ([[LARGE, LARGE + 1], np.array([LARGE + 2, 0], np.uint64)], "i"),
        ([[0, 1], np.array([2**63 + 1, 2**63], np.uint64)], "u"),
        ([[-1, 1], np.array([2**63 + 1, 2**63], np.uint64)], "O"),
        ([[LARGE, LARGE + 1], [0.0, np.nan]], "O"),
        ([[2**53, 0], [0.0, np.nan]], "f"),
        ([[0, 1], np.array([0, 1], np.uint64)], "i"),
        ([[0, 1], np.array([0, 1], np.uint8)], "i"),
    ],
)
def test_columns_side_by_side_keep_their_digits(columns, kind):
    table = columns_as_array([np.asarray(column) for column in columns])
    assert table.dtype.kind == kind
    for given, kept in zip(map(np.asarray, columns), table.T, strict=True):
        gaps = given != given
        assert kept[~gaps].tolist() == given[~gaps].tolist()
        assert np.isnan(kept[gaps].astype(float)).all()


@pytest.mark.parametrize(
    "y",
    [
        [LARGE, LARGE + 1, 0.0],
        [LARGE, LARGE + 1, None],
        [np.uint64(LARGE), LARGE + 1, np.nan],
        pd.Series([LARGE, LARGE + 1, 0.0], dtype=object),
    ],
)
def test_large_integers_beside_floats_and_gaps(y):
    (column,), _ = read_columns(y, 3)
    values, _ = read_labels(column, "y")
    assert values.tolist()[:2] == [LARGE, LARGE + 1]
    assert values.dtype == np.int64
    columns, _ = read_columns([[value, 0] for value in y], 3)
    assert read_labels(columns[0], "y")[0].tolist() == values.tolist()


def test_integers_that_no_type_holds():
    for y, shown in [([2**70, 0], 2**70), ([-1, 2**63], 2**63)]:
        (column,), _ = read_columns(y, 2)
        with pytest.raises(ValueError, match=rf"y holds {shown}: no type of 64 bits.*anew"):
            read_labels(column, "y")
        assert read_values(column, "y")[0].tolist() == [float(value) for value in y]
    classes = {"n": [-1, 0], "s": np.array([0, 2**63], np.uint64)}
    with pytest.raises(ValueError, match=rf"holds all of the labels \[-1, 0, {2**63}\] exactly"):
        LabelSet.declared(classes, IDS, wide=False)


def test_label_sets_of_unlike_integers():
    classes = {"n": [LARGE, LARGE + 1], "s": np.array([LARGE + 1, LARGE + 2], np.uint64)}
    labels = LabelSet.declared(classes, IDS, wide=False)
    assert labels.union.tolist() == [LARGE, LARGE + 1, LARGE + 2]
    assert labels.positions(labels.union).tolist() == [[0, 1], [1, 2]]
    column = np.array([LARGE, LARGE + 2, LARGE + 1, LARGE + 1], np.uint64)
    assert labels.encode_rows(column, TASK, IDS).tolist() == [0, 1, 0, 1]


# Heads that label sets share


def plan_of(*label_sets):
    return HeadPlan.of_classes([np.array(labels) for labels in label_sets])


@pytest.mark.parametrize(
    ("label_sets", "family"),
    [
        ([[0, 1], [0, 1], [0, 1]], [0, 0, 0]),
        ([[0, 1], [0.0, 1.0], [False, True]], [0, 0, 0]),
        ([["a", "b"], ["c", "d"], ["a", "b"]], [0, 1, 0]),
        # More than half of the union: 2 of 3, but not 2 of 4 nor 1 of 2.
        ([[0, 1, 2], [0, 1]], [0, 0]),
        ([[0, 1, 2, 3], [0, 1]], [0, 1]),
        ([[0, 1], [0]], [0, 1]),
        ([[0, 1], [1, 2]], [0, 1]),
        ([[0, 1, 2], [1, 2, 3]], [0, 1]),  # 2 of 4
        ([[0, 1, 2, 3], [1, 2, 3, 4]], [0, 0]),  # 3 of 5
        # Numbers that coincide by accident.
        ([[0, 1], [0, 1, 2, 3, 4, 5], [0, 1]], [1, 0, 1]),
        ([["0", "1"], [0, 1]], [0, 1]),
    ],
)
def test_families(label_sets, family):
    plan = plan_of(*label_sets)
    assert plan.family.tolist() == family
    assert plan.n_families == max(family) + 1


def test_binary_tasks_need_one_column():
    plan = plan_of(["a", "b"], ["c", "d"], ["a", "b"])
    assert plan.single_column
    assert plan.columns.tolist() == [[0, 1]] * 3
    assert plan.is_open.tolist() == [[True]] * 3
    assert plan.has_weights.tolist() == [[True]] * 3


def test_multi_class_tasks_of_one_family():
    plan = plan_of(["a", "b", "d"], ["a", "b", "c", "d"])
    assert not plan.single_column
    assert plan.columns.tolist() == [[0, 1, 3, 0], [0, 1, 2, 3]]
    assert plan.is_open.tolist() == [[True, True, False, True], [True] * 4]
    assert_array_equal(plan.has_weights, plan.is_open)


def test_a_binary_task_beside_a_multi_class_one():
    plan = plan_of([0, 1], [0, 1, 2, 3, 4, 5])
    assert plan.columns.tolist() == [[0, 1, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5]]
    assert plan.is_open.tolist() == [[True, True] + [False] * 4, [True] * 6]
    # The first class of a binary family is the reference.
    assert plan.has_weights.tolist() == [[False, True] + [False] * 4, [True] * 6]


def test_two_classes_of_a_larger_family_both_have_weights():
    plan = plan_of([0, 2], [0, 1, 2])
    assert plan.family.tolist() == [0, 0]
    assert plan.columns.tolist() == [[0, 2, 0], [0, 1, 2]]
    assert plan.is_open.tolist() == [[True, False, True], [True] * 3]
    assert_array_equal(plan.has_weights, plan.is_open)


def test_one_class_has_no_weights():
    plan = plan_of(["x"], ["a", "b"])
    assert not plan.single_column
    assert plan.family.tolist() == [1, 0]
    assert plan.columns.tolist() == [[0, 0], [0, 1]]
    assert plan.is_open.tolist() == [[True, False], [True, True]]
    assert plan.has_weights.tolist() == [[False, False], [False, True]]
    alone = plan_of(["x"])
    assert not alone.single_column
    assert alone.is_open.tolist() == [[True, False]]
    assert not alone.has_weights.any()


# Through the estimator


def test_a_lone_class_is_predicted_from_the_others():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 2))
    y = np.where(X[:, 0] > 0, "b", "a")
    task = np.repeat(["n", "s"], [50, 10])
    y[50:] = "a"
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None).fit(X, y, task=task)
    assert lists(model.task_classes_) == [["a", "b"], ["a", "b"]]
    assert model.predict([[4.0, 0.0], [-4.0, 0.0]], task=["s", "s"]).tolist() == ["b", "a"]


def test_a_column_of_labels_is_a_list_of_labels():
    X = np.arange(8.0).reshape(4, 2)
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model.fit(X, [[0], [1], [0], [1]])
    assert model.predict(X).shape == (4,)


@pytest.mark.parametrize("n_values", [2, 15, 40, 5000])
@pytest.mark.parametrize("kind", [np.int64, np.float32, str])
def test_distinct_labels_of_many_rows(n_values: int, kind: Any) -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(-3, n_values, 20_000)
    labels[-1] = n_values + 7  # comes late
    labels = labels.astype(kind)
    np.testing.assert_array_equal(distinct(labels), np.unique(labels))
    np.testing.assert_array_equal(distinct(labels[:0]), labels[:0])
