"""Bad rows, labels, ids and weights: which call of which model, which error, and what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csr_array

from fitted_models import FRAME, STACKED, TASK, VALUES, WIDE, N, X, Y

NAN, INF = np.nan, np.inf
SPARSE = FRAME.astype(pd.SparseDtype(float, 0.0))


def put(values: Any, where: Any, value: Any) -> Any:
    """A copy of an array with another value at one place."""
    changed = np.array(values, copy=True)
    changed = changed.astype(np.result_type(changed, type(value)))
    changed[where] = value
    return changed


def objects(make: Callable[[int], Any]) -> Any:
    """An array of one object per row."""
    array = np.empty(N, dtype=object)
    array[:] = [make(row) for row in range(N)]
    return array


def bad(
    name: str,
    models: str | tuple[str, ...],
    method: str,
    match: str,
    error: type[Exception] = ValueError,
    **changes: Any,
) -> list[Any]:
    """A case: a call of a fitted model's method with other arguments than the good ones."""
    models = (models,) if isinstance(models, str) else models
    return [
        pytest.param(model, method, changes, error, match, id=f"{model}-{method}-{name}")
        for model in models
    ]


STACKING = ("classifier", "reweighter", "selective", "searched")
NETWORKS = ("classifier", "regressor")

# Each case is one thing that is wrong with one argument.
FEATURES = [
    *bad("one dimension", STACKING, "fit", r"(?s)Expected 2D array, got 1D.*Reshape", X=X[:, 0]),
    *bad("three dimensions", NETWORKS, "fit", r"dim 3.* Reshape it to", X=X[:, :, None]),
    *bad("a scalar", NETWORKS, "fit", r"(?s)got scalar array.*Reshape", X=np.array(3.0)),
    *bad("None", STACKING, "fit", r"X is None|got scalar array", X=None),
    *bad("no rows", STACKING, "fit", r"0 sample\(s\).*minimum of 1", X=X[:0]),
    *bad("no columns", STACKING, "fit", r"0 feature\(s\).*minimum of 1", X=X[:, :0]),
    *bad("NaN", STACKING, "fit", r"(?s)X contains NaN.*imput", X=put(X, (3, 1), NAN)),
    *bad("infinity", STACKING, "fit", r"X contains infinity", X=put(X, (3, 1), -INF)),
    *bad("infinity", NETWORKS, "fit", r"infinity.*Drop these rows, or cap", X=put(X, (3, 1), INF)),
    *bad("words", NETWORKS, "fit", r"column 0 holds .*'red'.* Encode", X=np.full((N, 3), "red")),
    *bad("bytes", NETWORKS, "fit", r"column 0 holds b'x'.*Encode", X=np.full((N, 3), b"x")),
    *bad(
        "a column of text",
        STACKING[:2],
        "fit",
        r"'red'. The columns \['b'\] of X hold text: encode them",
        X=FRAME.assign(b="red"),
    ),
    *bad(
        "categories",
        NETWORKS,
        "fit",
        r"The columns \['b'\] of X hold text: encode them",
        X=FRAME.assign(b=pd.Categorical(["u", "v"] * (N // 2))),
    ),
    *bad(
        "a column of dates",
        STACKING[:2],
        "fit",
        r"^X must be a table of numbers: column 'b' holds .*2020.* turn dates into numbers",
        TypeError,
        X=FRAME.assign(b=pd.Timestamp("2020-01-01")),
    ),
    *bad(
        "dates",
        NETWORKS,
        "fit",
        r"datetime64\[D\] values. Turn them into numbers: days",
        X=np.full((N, 3), "2020-01-01", dtype="M8[D]"),
    ),
    *bad(
        "durations",
        "reweighter",
        "fit",
        r"X holds timedelta64\[s\] values. Turn them into numbers",
        X=np.zeros((N, 3), dtype="m8[s]"),
    ),
    *bad(
        "complex",
        NETWORKS,
        "fit",
        r"(?s)Complex data not supported.*Pass real and imaginary parts as columns",
        X=X + 1j,
    ),
    *bad(
        "dicts",
        NETWORKS,
        "fit",
        r"not 'dict'. X must be a table of numbers: column 0 holds {}",
        TypeError,
        X=np.array([[{}] * 3] * N, dtype=object),
    ),
    *bad(
        "lists in a column",
        NETWORKS,
        "fit",
        r"column 'b' holds \[1\]. Encode .* leave out the rest",
        X=FRAME.assign(b=[[1]] * N),
    ),
    *bad("None in cells", NETWORKS, "fit", r"contains NaN", X=np.full((N, 3), None)),
    *bad(
        "nullable integers with a gap",
        STACKING[:2],
        "fit",
        r"(?s)X contains NaN.*imput",
        X=FRAME.assign(b=pd.array([1] * (N - 1) + [None], dtype="Int64")),
    ),
    *bad(
        "a masked array",
        STACKING[:2],
        "fit",
        r"X has 1 masked entries. Fill them in",
        X=np.ma.array(X, mask=np.arange(X.size).reshape(X.shape) == 7),
    ),
    *bad(
        "ragged",
        NETWORKS,
        "fit",
        r"its rows differ in length. Pad them",
        X=[[1.0]] + [[1.0, 2]] * 23,
    ),
    *bad(
        "tables of other shapes",
        NETWORKS,
        "fit",
        r"its rows differ in length. Pad them",
        X=[np.zeros((2, 3))] * 12 + [np.zeros((2, 2))] * 12,
    ),
    *bad(
        "integers of 400 digits",
        (*NETWORKS, "reweighter"),
        "fit",
        r"int too large.* Larger integers than 1e308 have none: divide",
        X=[[10**400, 1, 2]] * N,
    ),
    *bad("a set", NETWORKS, "fit", r"got \{1\}. Pass an array of shape", TypeError, X={1}),
    *bad("a string", NETWORKS, "fit", r"got 'shops.csv'. Pass an array", X="shops.csv"),
    *bad(
        "a structured array",
        NETWORKS,
        "fit",
        r"must be a table of numbers: got array.* Pass an array of shape \(n_samples, n_features\)",
        TypeError,
        X=np.zeros(N, dtype=[("a", float), ("b", float)]),
    ),
    *bad(
        "sparse",
        NETWORKS,
        "fit",
        r"dense data is required. Use '.toarray",
        TypeError,
        X=csr_array(X),
    ),
    *bad(
        "a frame of sparse columns",
        (*NETWORKS, "searched", "searched regressor", "selective", "transfer"),
        "fit",
        r"^X is a DataFrame of sparse columns.* with X.sparse.to_dense\(\)",
        TypeError,
        X=SPARSE,
    ),
    *bad(
        "sparse columns beside the task",
        "column",
        "fit",
        r"^X is a DataFrame of sparse columns.* with X.sparse.to_dense\(\)",
        TypeError,
        X=SPARSE.assign(shop=TASK),
    ),
    *bad(
        "a matrix",
        (*NETWORKS, "searched", "reweighter"),
        "fit",
        r"np.matrix is not supported(?!.*table of numbers).* with np.asarray",
        TypeError,
        X=X.view(np.matrix),
    ),
    *bad(
        "too large to square",
        (*NETWORKS, "reweighter", "searched"),
        "fit",
        r"X holds values up to 1e\+300 \(in column 1\), too large to square. Divide",
        X=put(X, (3, 1), 1e300),
    ),
    *bad(
        "too large to square, sparse",
        "reweighter",
        "fit",
        r"values up to 1e\+300 \(in column 1\).* Divide",
        X=csr_array(put(X, (3, 1), -1e300)),
    ),
    *bad(
        "too small to square",
        (*NETWORKS, "reweighter", "searched"),
        "fit",
        r"X holds no value beyond 1e-300 in column 2, too small to square. Divide",
        X=np.column_stack([X[:, :2], 1e-300 * Y]),
    ),
    *bad(
        "too large for float32",
        ("batches", "regressor in batches"),
        "predict",
        r"too large for torch.float32.* Scale X, or fit with dtype",
        X=put(X, (0, 0), 1e30),
    ),
    *bad(
        "too large to predict",
        (*NETWORKS, "searched", "searched regressor", "aligned", "transfer"),
        "predict",
        r"X holds values up to 1e\+300 \(in column 0\), too large to square. Divide",
        X=put(X, (0, 0), -1e300),
    ),
    *bad(
        "names of several types",
        NETWORKS,
        "fit",
        r"(?s)\['int', 'str'\].* X.columns.astype\(str\)",
        TypeError,
        X=FRAME.rename(columns={"a": 1}),
    ),
    *bad(
        "fewer features", NETWORKS, "predict", r"X has 2 features, but .* expecting 3", X=X[:, :2]
    ),
    *bad(
        "more features", "selective", "predict", r"X has 6 features, but .* 3", X=np.hstack([X, X])
    ),
    *bad(
        "other names",
        "frame",
        "predict",
        r"(?s)names should match.*unseen at fit time:\n- z",
        X=FRAME.rename(columns={"c": "z"}),
    ),
    *bad("another order", "frame", "predict", r"(?s)same order", X=FRAME[["b", "a", "c"]]),
    *bad("NaN", ("classifier", "selective"), "predict", r"X contains NaN", X=put(X, (0, 0), NAN)),
    *bad("infinity", "reweighter", "transform", r"infinity.*Drop", X=put(X, (0, 0), INF)),
    *bad("three dimensions", "aligned", "transform", r"dim 3.* Reshape it", X=X[:, :, None]),
    *bad("sparse", "classifier", "predict", r"Use '.toarray", TypeError, X=coo_array(X)),
    *bad(
        "columns of one name",
        STACKING[:2],
        "fit",
        r"X has several columns named \['a'\]. Rename them",
        X=FRAME.set_axis(["a", "b", "a"], axis=1),
    ),
]

TARGETS = [
    *bad("None", STACKING, "fit", r"target y is None. Pass one label per row", y=None),
    *bad("too short", STACKING, "fit", r"X has 24 rows, y has 5. Pass the same rows", y=Y[:5]),
    *bad("a scalar", STACKING, "fit", r"got shape \(\). Pass one label per row", y=3),
    *bad("three dimensions", NETWORKS, "fit", r"got shape \(24, 1, 1\). Pass", y=Y[:, None, None]),
    *bad("ragged", STACKING, "fit", r"y is ragged.*Pass one label per row", y=[[1], [1, 2]] * 12),
    *bad(
        "fractions for classes",
        ("classifier", "selective", "searched"),
        "fit",
        r"label type: continuous. .*discrete classes",
        y=VALUES,
    ),
    *bad("a gap", STACKING, "fit", r"NaN: 1 rows have no label. Drop them", y=put(Y, 3, NAN)),
    *bad("a gap", "regressor", "fit", r"NaN: 1 rows have no label. Drop", y=put(VALUES, 3, NAN)),
    *bad(
        "a gap",
        "selective regressor",
        "fit",
        r"1 rows of task 'north' have no label. Drop",
        y=put(VALUES, 3, NAN),
    ),
    *bad("gaps alone", NETWORKS, "fit", r"NaN: 24 rows have no .* Drop", y=[None] * N),
    *bad("infinity", STACKING, "fit", r"y contains infinity.*Drop these rows", y=put(Y, 3, INF)),
    *bad("complex", STACKING, "fit", r"Complex data not supported.* pass its real part", y=Y + 1j),
    *bad("mixed", STACKING, "fit", r"\(number, str\). Convert them to one", y=["a"] + [1] * 23),
    *bad(
        "dicts",
        STACKING,
        "fit",
        r"y holds {}, which is no label. Labels are",
        y=objects(lambda i: {}),
    ),
    *bad("lists", STACKING, "fit", r"y holds \[0\], which is no label", y=objects(lambda i: [i])),
    *bad("sets", NETWORKS, "fit", r"y holds \{1\}, which is no label", y=objects(lambda i: {1})),
    *bad(
        "integers of 400 digits",
        NETWORKS,
        "fit",
        r"y holds 1000+\.\.\.0+: no type of 64 bits holds all of its numbers exactly. Number",
        y=[10**400] + [1] * 23,
    ),
    *bad(
        "text", "regressor", "fit", r"y holds 'a', which is not a number. Regression", y=["a"] * N
    ),
    *bad(
        "dates",
        "regressor",
        "fit",
        r"y holds .*2020.*, which is not a number",
        y=np.full(N, "2020-01-01", dtype="M8[D]"),
    ),
    *bad("sparse", STACKING, "fit", r"Sparse y .* y.toarray", TypeError, y=csr_array(WIDE)),
    *bad("columns and ids", STACKING, "fit", r"y has 2 columns.*drop the task ids", y=WIDE),
    *bad(
        "too large to square",
        ("regressor", "reweighter of values", "selective regressor", "searched regressor"),
        "fit",
        r"y holds values up to 1e\+300 for task 'north', too large to square. Divide y",
        y=put(VALUES, 3, 1e300),
    ),
    *bad(
        "too small to square",
        ("regressor", "reweighter of values"),
        "fit",
        r"y holds values up to .*e-300 for task 'north', too small to square. Divide y",
        y=1e-300 * VALUES,
    ),
    *bad("no columns", "wide", "fit", r"y has no columns. Pass one column", y=np.zeros((N, 0))),
    *bad(
        "columns of one name",
        ("wide", "wide reweighter"),
        "fit",
        r"several columns named \['a'\]. Rename",
        y=pd.DataFrame(WIDE, columns=["a", "a"]),
    ),
    *bad(
        "a task without a label",
        ("wide", "wide reweighter"),
        "fit",
        r"The tasks \[1\] have no labelled row.* Leave",
        y=put(WIDE, (slice(None), 1), NAN),
    ),
    *bad(
        "fractions in a column",
        "wide",
        "fit",
        r"label type: continuous",
        y=np.column_stack([VALUES, Y]),
    ),
    *bad("other lengths", "selective", "score", r"X has 24 rows, y has 5", y=Y[:5]),
    *bad("one column", "wide", "score", r"y has 1 columns for 2 tasks", y=Y),
    *bad("no label", "wide", "score", r"no label of positive weight", y=np.full((N, 2), NAN)),
]

IDS = [
    *bad("too short", STACKING, "fit", r"task.* 5 entries.*(row|24)", task=TASK[:5]),
    *bad("empty", NETWORKS, "fit", r"24 rows, task 0 entries. Pass one id", task=[]),
    *bad("one for all", STACKING, "fit", r"one task id per row.*got shape \(\)", task="north"),
    *bad("two columns", NETWORKS, "fit", r"one task id per row.*\(24, 2\)", task=WIDE),
    *bad("ragged", NETWORKS, "fit", r"one task id per row, not lists", task=[[1], [1, 2]] * 12),
    *bad(
        "dicts",
        STACKING,
        "fit",
        r"holds {}, which cannot be sorted. Task ids are",
        task=objects(lambda i: {}),
    ),
    *bad(
        "lists",
        NETWORKS,
        "fit",
        r"holds \[0\], which cannot be sorted",
        task=objects(lambda i: [i]),
    ),
    *bad("functions", NETWORKS, "fit", r"holds <.*len>, which cannot", task=objects(lambda i: len)),
    *bad("complex", STACKING, "fit", r"complex128 values.*convert them", task=np.ones(N) * 1j),
    *bad(
        "records", NETWORKS, "fit", r"holds \[\('a'.* Task ids are", task=np.zeros(N, [("a", int)])
    ),
    *bad("a gap", STACKING, "fit", r"missing or infinite task ids. Drop", task=put(Y, 0, NAN)),
    *bad("None", STACKING, "fit", r"missing values. Drop those rows", task=[None] * N),
    *bad(
        "fractions",
        STACKING,
        "fit",
        r"0\.5, which is not a whole number.*scaler",
        task=put(1.0 * Y, 0, 0.5),
    ),
    *bad("mixed", STACKING, "fit", r"\(number, str\). Convert", task=["a"] + [1] * 23),
    *bad(
        "unseen",
        STACKING[:1] + STACKING[2:],
        "predict",
        r"Unseen task ids \['west'\]; .* knows \['north', 'south'\]",
        task=["west"] * N,
    ),
    *bad("numbers for names", "classifier", "predict", r"Unseen task ids \[0, 1\]", task=Y),
    *bad(
        "none",
        ("classifier", "selective", "searched"),
        "predict",
        r"no task was named.* Pass task=",
        task=None,
    ),
    *bad(
        "too short",
        ("classifier", "searched"),
        "predict",
        r"24 rows, task 1 entries",
        task=["north"],
    ),
    *bad("too short", "selective", "predict", r"task has 1 entries for 24 rows", task=["north"]),
    *bad("of a wide model", "wide", "predict", r"wide y, .*Call it without task ids", task=TASK),
    *bad("twice", ("column", "position"), "predict", r"named twice: .*Drop one", task=TASK),
    *bad(
        "an array for a frame",
        "column",
        "predict",
        r"X is a ndarray without column names. Pass a",
        X=X,
    ),
    *bad(
        "no such column",
        "column",
        "predict",
        r"'shop' is not a column of X; .*\['a', 'b', 'c'\]",
        X=FRAME,
    ),
    *bad(
        "columns of one name",
        "column",
        "fit",
        r"several columns named \['b'\]. Rename",
        X=STACKED.set_axis(["b", "b", "c", "shop"], axis=1),
    ),
    *bad(
        "unseen in the column",
        "column",
        "predict",
        r"Unseen task ids \['west'\]",
        X=STACKED.assign(shop="west"),
    ),
    *bad(
        "a gap in the column",
        "column",
        "fit",
        r"Column 'shop' contains missing values. Drop",
        X=STACKED.assign(shop=[None, *TASK[1:]]),
    ),
    *bad(
        "scaled",
        "position",
        "fit",
        r"Column -1 contains .* a scaler in a step before",
        X=np.column_stack([X, (Y - 0.5) / 3]),
    ),
    *bad(
        "nothing else", "position", "fit", r"no column beside the task column, -1", X=TASK[:, None]
    ),
    *bad(
        "sparse",
        "position",
        "fit",
        r"Sparse X cannot hold a task column. Pass .* task=",
        TypeError,
        X=csr_array(X),
    ),
    *bad(
        "given to one task",
        "one task",
        "predict",
        r"Unseen task ids \['north', 'south'\]; the estimator knows \[0\]",
        task=TASK,
    ),
]

ONE_EACH = "Pass sample_weight as one finite number of 0 or more for each row"
WEIGHTS = [
    *bad("negative", STACKING, "fit", f"Negative values.*{ONE_EACH}", sample_weight=-np.ones(N)),
    *bad(
        "NaN", STACKING, "fit", f"contains NaN.*{ONE_EACH}", sample_weight=put(np.ones(N), 0, NAN)
    ),
    *bad(
        "infinity", STACKING, "fit", f"infinity.*{ONE_EACH}", sample_weight=put(np.ones(N), 0, INF)
    ),
    *bad(
        "too short",
        STACKING,
        "fit",
        rf"\(5,\), expected \(24,\).*{ONE_EACH}",
        sample_weight=np.ones(5),
    ),
    *bad(
        "two columns",
        STACKING,
        "fit",
        f"must be 1D array or scalar.*{ONE_EACH}",
        sample_weight=np.ones((N, 2)),
    ),
    *bad(
        "zero", STACKING, "fit", r"(non-zero number|zero for every row)", sample_weight=np.zeros(N)
    ),
    *bad("words", STACKING, "fit", f"'balanced'.*{ONE_EACH}", sample_weight="balanced"),
    *bad("complex", STACKING, "fit", f"(?s)Complex.*{ONE_EACH}", sample_weight=np.ones(N) * 1j),
    *bad("None in cells", STACKING, "fit", f"NaN.*{ONE_EACH}", sample_weight=[None] * N),
    *bad(
        "dicts",
        NETWORKS,
        "fit",
        f"'dict'.*{ONE_EACH}",
        TypeError,
        sample_weight=objects(lambda i: {}),
    ),
    *bad(
        "enormous",
        STACKING,
        "fit",
        r"values up to 1e\+308. Divide it by its mean",
        sample_weight=np.full(N, 1e308),
    ),
    *bad(
        "minute",
        STACKING,
        "fit",
        r"values up to 1e-308. Divide it by its mean",
        sample_weight=np.full(N, 1e-308),
    ),
    *bad(
        "all of a task 0",
        "reweighter",
        "fit",
        r"\['south'\] have no labelled row of positive weight. Leave",
        sample_weight=1.0 * (TASK == "north"),
    ),
    *bad(
        "no labelled row",
        "wide",
        "fit",
        r"tasks \[1\] have no labelled row",
        y=put(WIDE, (slice(1, None), 1), NAN),
        sample_weight=put(np.ones(N), 0, 0.0),
    ),
]

FURTHER = [
    # partial_fit, which trains the fitted net further
    *bad(
        "an unseen label",
        "batches",
        "partial_fit",
        r"label 6 for task 'north', whose labels are \[0, 1\]",
        y=Y + 5,
    ),
    *bad(
        "an unseen task", "batches", "partial_fit", r"Unseen task ids \['west'\]", task=["west"] * N
    ),
    *bad("no task", "batches", "partial_fit", r"no task was named.* Pass task=", task=None),
    *bad(
        "other columns",
        "batches",
        "partial_fit",
        r"X has 2 features, but .* expecting 3",
        X=X[:, :2],
    ),
    *bad("a wide y", "batches", "partial_fit", r"no task was named", y=WIDE, task=None),
    *bad("NaN", "batches", "partial_fit", r"X contains NaN", X=put(X, (0, 0), NAN)),
    *bad(
        "X too large for float32",
        "batches",
        "partial_fit",
        r"too large for torch.float32.* Scale X",
        X=1e30 * X,
    ),
    *bad(
        "a loss that overflows",
        "regressor in batches",
        "partial_fit",
        r"The loss is (inf|nan) after \d+ iterations. Reduce learning_rate_init",
        y=1e30 * VALUES,
    ),
    *bad(
        "an unseen label",
        "reweighter",
        "partial_fit",
        r"label 5 for task 'north'.* Pass all labels as classes=",
        y=Y + 5,
    ),
    *bad(
        "named in another way",
        "reweighter",
        "partial_fit",
        r"by task=, these by y. Name them in one way",
        y=WIDE,
        task=None,
    ),
    *bad(
        "ids of another type",
        "reweighter",
        "partial_fit",
        r"like \['north'.* like \[0\]. Convert them to one",
        task=np.zeros(N, int),
    ),
    *bad("other columns", "reweighter", "partial_fit", r"X has 2 features, but .* 3", X=X[:, :2]),
    *bad(
        "other names",
        "wide reweighter",
        "partial_fit",
        r"columns \['u', 'v'\]; .* \[0, 1\]. Pass the same columns",
        y=pd.DataFrame(WIDE, columns=["u", "v"]),
    ),
    # add_task
    *bad(
        "a known task",
        "classifier",
        "add_task",
        r"\['north'\] are known already: .* Pass another id",
        task="north",
    ),
    *bad("no id", "classifier", "add_task", r"needs the id of the new task: pass task=", task=None),
    *bad(
        "an id of another type",
        "classifier",
        "add_task",
        r"ids \[3\] are of another type.*Convert",
        task=3,
    ),
    *bad(
        "labels of another type",
        "classifier",
        "add_task",
        r"labels \['u', 'v'\] are of another type.*Convert",
        y=["u", "v"] * 12,
        task="west",
    ),
    *bad(
        "two columns",
        "classifier",
        "add_task",
        r"y has 2 columns. Pass one label per row",
        y=WIDE,
        task="west",
    ),
    *bad(
        "a gap",
        "classifier",
        "add_task",
        r"1 rows have no label. Drop",
        y=put(Y, 0, NAN),
        task="west",
    ),
    *bad("fractions", "classifier", "add_task", r"label type: continuous", y=VALUES, task="west"),
    *bad("other columns", "classifier", "add_task", r"X has 2 features", X=X[:, :2], task="west"),
    *bad("a dict", "classifier", "add_task", r"holds {}, which cannot be sorted", task={}),
    *bad("NaN for an id", "classifier", "add_task", r"missing or infinite task ids", task=NAN),
    *bad(
        "X too large",
        "aligned",
        "add_task",
        r"too large to square. Divide",
        X=1e200 * X,
        task="west",
    ),
    *bad(
        "y too large",
        "regressor",
        "add_task",
        r"'west', too large to square. Divide y",
        y=1e200 * VALUES,
        task="west",
    ),
    *bad(
        "weights of 0",
        "classifier",
        "add_task",
        r"non-zero|zero for every",
        task="west",
        sample_weight=np.zeros(N),
    ),
    *bad(
        "to a model without ids",
        "one task",
        "add_task",
        r"fitted without task ids.*Fit it with task=",
        task=1,
    ),
    *bad(
        "another id in the column",
        "column",
        "add_task",
        r"task='west', but the task column of X holds \['east'\]. Leave",
        X=STACKED.assign(shop="east"),
        task="west",
    ),
    *bad("two columns", "wide", "add_task", r"y has 2 columns. Add them one by one", task=7),
    *bad(
        "a column without a label",
        "wide",
        "add_task",
        r"Task 7 has no labelled row",
        y=np.full(N, NAN),
        task=7,
    ),
    *bad(
        "a name beside numbers",
        "wide",
        "add_task",
        r"\['west'\] are of another type",
        y=Y,
        task="west",
    ),
    # sample_weight of a reweighter
    *bad(
        "neither",
        "reweighter",
        "sample_weight",
        r"either task= or y=; got neither",
        y=None,
        task=None,
    ),
    *bad(
        "an unseen task",
        "reweighter",
        "sample_weight",
        r"Unseen task ids \['west'\]",
        y=None,
        task=["west"],
    ),
    *bad(
        "one column", "wide reweighter", "sample_weight", r"y has the columns|named", y=WIDE[:, 0]
    ),
]
