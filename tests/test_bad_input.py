"""Bad input, a row of a table for each: which error, what it says, and that nothing is lost.

Every case names the exception and a part of its message that holds the value and the remedy. The
estimator is a fitted one, and afterwards it is as it was: the same attributes, the same
predictions. What looks bad but is legal is at the end, with the right answer.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_array, csr_array
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge

from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
    SVDTaskReweighter,
)

RNG = np.random.default_rng(0)
N = 24
X = RNG.standard_normal((N, 3))
Y = (X[:, 0] + 0.5 * RNG.standard_normal(N) > 0).astype(int)
VALUES = X @ [1.0, 2.0, 3.0] + RNG.standard_normal(N)
TASK = np.repeat(["north", "south"], N // 2)
WIDE = np.column_stack([Y, 1.0 - Y])
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
STACKED = FRAME.assign(shop=TASK)
NAN, INF = np.nan, np.inf


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


LINEAR: dict[str, Any] = {"hidden_layer_sizes": (), "alignment": None, "random_state": 0}
ADAM: dict[str, Any] = {"solver": "adam", "learning_rate_init": 0.1, "tol": 0.01}
SMALL: dict[str, Any] = {"penalties": 2, "hidden_layer_sizes": (), "random_state": 0}


def linear(**params: Any) -> MultiTaskAlignedClassifier:
    return MultiTaskAlignedClassifier(**(LINEAR | params))


def source() -> Any:
    return FrozenEstimator(linear().fit(X, Y, task=TASK))


BY_TASK = {"X": X, "y": Y, "task": TASK}
OF_VALUES = {"X": X, "y": VALUES, "task": TASK}
# What estimators are made by, and what they are fitted to.
MODELS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "classifier": (linear, BY_TASK),
    "column": (lambda: linear(task_column="shop"), {"X": STACKED, "y": Y}),
    "position": (lambda: linear(task_column=-1), {"X": STACKED.to_numpy(object), "y": Y}),
    "frame": (linear, {"X": FRAME, "y": Y, "task": TASK}),
    "wide": (linear, {"X": X, "y": WIDE}),
    "one task": (linear, {"X": X, "y": Y}),
    "batches": (lambda: linear(**ADAM), BY_TASK),
    "regressor": (lambda: MultiTaskAlignedRegressor(**LINEAR), OF_VALUES),
    "regressor in batches": (lambda: MultiTaskAlignedRegressor(**LINEAR, **ADAM), OF_VALUES),
    "aligned": (lambda: MultiTaskAlignedClassifier(max_iter=200, random_state=0), BY_TASK),
    "searched": (lambda: MultiTaskAlignedClassifierCV(**SMALL), BY_TASK),
    "searched regressor": (lambda: MultiTaskAlignedRegressorCV(**SMALL), OF_VALUES),
    "reweighter": (SVDTaskReweighter, BY_TASK),
    "reweighter of values": (SVDTaskReweighter, OF_VALUES),
    "wide reweighter": (SVDTaskReweighter, {"X": X, "y": WIDE}),
    "transfer": (lambda: AlignedTransferClassifier(source(), random_state=0), {"X": X, "y": Y}),
    "selective": (
        lambda: SelectiveTransferClassifier(
            linear(), LogisticRegression(), cv=2, blend=True, random_state=0
        ),
        BY_TASK,
    ),
    "selective regressor": (
        lambda: SelectiveTransferRegressor(
            MultiTaskAlignedRegressor(**LINEAR), Ridge(), cv=2, random_state=0
        ),
        OF_VALUES,
    ),
}


@cache
def saved(model: str) -> bytes:
    make, good = MODELS[model]
    return pickle.dumps(make().fit(**good))


def answers(estimator: Any, good: dict[str, Any]) -> list[Any]:
    """What a fitted estimator says of the rows that it was fitted to."""
    asked = {name: value for name, value in good.items() if name != "y"}
    names = ("predict", "predict_proba", "transform")
    said = [getattr(estimator, name)(**asked) for name in names if hasattr(estimator, name)]
    return [*said, estimator.tasks_]


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
    *bad("a gap", "regressor", "fit", r"NaN: 1 rows have no value. Drop", y=put(VALUES, 3, NAN)),
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
        r"y holds 1000+\.\.\.0+, which is no label. Labels are",
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
    *bad("other lengths", "selective", "score", r"numbers of samples: \[5, 24\]", y=Y[:5]),
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
    *bad("two columns", STACKING, "fit", f"must be 1D array or scalar.*{ONE_EACH}", sample_weight=np.ones((N, 2))),
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


def arguments_of(method: str, good: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    given = good | changes
    if method in ("predict", "predict_proba", "transform"):
        given.pop("y")
    if method == "sample_weight":
        given.pop("X")
    return given


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize(
    ("model", "method", "changes", "error", "match"),
    [*FEATURES, *TARGETS, *IDS, *WEIGHTS, *FURTHER],
)
def test_it_is_refused_and_nothing_is_lost(
    model: str, method: str, changes: dict[str, Any], error: type[Exception], match: str
) -> None:
    estimator, good = pickle.loads(saved(model)), MODELS[model][1]
    attributes, parameters = set(vars(estimator)), estimator.get_params(deep=False)
    before = answers(estimator, good)
    with pytest.raises(error, match=match) as caught:
        getattr(estimator, method)(**arguments_of(method, good, changes))
    assert "torch/nn" not in str(caught.traceback[-1].path)
    assert set(vars(estimator)) == attributes
    after = estimator.get_params(deep=False)
    assert all(after[name] is value for name, value in parameters.items())
    for was, now in zip(before, answers(estimator, good), strict=True):
        assert_array_equal(now, was)


def test_a_failed_partial_fit_does_not_change_what_comes_after() -> None:
    """The weights, the optimizer's moments, the history and the order of the next batches."""
    first = MultiTaskAlignedRegressor(**LINEAR, **ADAM, batch_size=8)
    kept = pickle.dumps(first.partial_fit(X, VALUES, task=TASK))
    one, other = pickle.loads(kept), pickle.loads(kept)
    with pytest.raises(ValueError, match="The loss is"), np.errstate(over="ignore"):
        one.partial_fit(X, 1e30 * VALUES, task=TASK)
    for model in (one, other):
        model.partial_fit(X, VALUES, task=TASK).partial_fit(X, VALUES, task=TASK)
    assert one.loss_curve_ == other.loss_curve_
    assert_array_equal(one.predict(X, task=TASK), other.predict(X, task=TASK))


@pytest.mark.parametrize("model", ["aligned", "searched", "selective", "reweighter", "transfer"])
@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt])
def test_a_refit_that_breaks_off_late_is_undone(
    model: str, error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After all has been read, and other rows: with other tasks, labels and features."""
    estimator, good = pickle.loads(saved(model)), MODELS[model][1]
    attributes, before = set(vars(estimator)), answers(estimator, good)
    monkeypatch.setattr(
        "sk_mtl._svd._leading_directions"
        if model == "reweighter"
        else "sk_mtl._base.BaseAligned._train_net",
        lambda *args, **kwargs: (_ for _ in ()).throw(error()),
    )
    other = {"X": FRAME[["b", "a"]], "y": np.repeat(["u", "v"], 12), "task": np.arange(N) % 3}
    if model == "transfer":
        other = {"X": FRAME, "y": np.repeat(["u", "v"], 12)}
    with pytest.raises(error):
        estimator.fit(**other)
    assert set(vars(estimator)) == attributes
    for was, now in zip(before, answers(estimator, good), strict=True):
        assert_array_equal(now, was)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_not_fitted_says_so_and_stays_so(model: str) -> None:
    estimator, good = MODELS[model][0](), MODELS[model][1]
    attributes = set(vars(estimator))
    for method in ("predict", "predict_proba", "transform", "add_task"):
        if hasattr(estimator, method):
            with pytest.raises(NotFittedError, match=r"is not fitted yet. Call 'fit'"):
                getattr(estimator, method)(**arguments_of(method, good, {}))
    with pytest.raises(ValueError, match="y is None"):
        estimator.fit(**(good | {"y": None}))
    assert set(vars(estimator)) == attributes
    ask = estimator.predict if hasattr(estimator, "predict") else estimator.transform
    with pytest.raises(NotFittedError):
        ask(good["X"], task=good.get("task"))


# What is legal, and its right answer.

TOGETHER = {"task": TASK}


def probabilities(features: Any, **params: Any) -> Any:
    model = MultiTaskAlignedClassifier(**({"random_state": 0} | params))
    return model.fit(features, Y, **TOGETHER).predict_proba(features, **TOGETHER)


def test_constant_features_change_nothing() -> None:
    constant = np.column_stack([X, np.full(N, 7.0), np.zeros(N)])
    linear_params = {"hidden_layer_sizes": (), "alignment": None, "tol": 1e-8, "max_iter": 5000}
    assert_allclose(
        probabilities(constant, **linear_params), probabilities(X, **linear_params), atol=1e-6
    )
    reweighter = SVDTaskReweighter()
    expected = reweighter.fit(X, Y, task=TASK).task_weight_
    assert_allclose(reweighter.fit(constant, Y, task=TASK).task_weight_, expected, rtol=1e-12)


def test_constant_features_alone_give_the_same_answer_for_all_rows() -> None:
    said = probabilities(np.full((N, 3), 7.0))
    for task in np.unique(TASK):
        assert np.ptp(said[task == TASK], axis=0).max() == 0


def test_a_column_twice_is_a_column_of_twice_the_variance() -> None:
    """Without scaling, a penalty on both halves of a weight is half of that on the whole."""
    params: dict[str, Any] = {**LINEAR, "input_scaling": None, "tol": 1e-9, "max_iter": 5000}
    twice = probabilities(X[:, [0, 1, 2, 0]], **params)
    assert_allclose(twice, probabilities(X * [2**0.5, 1, 1], **params), atol=1e-6)


def test_one_row_a_task() -> None:
    ids = np.arange(N)
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, Y, task=ids)
    assert model.tasks_.tolist() == ids.tolist()
    assert model.score(X, Y, task=ids) > 0.7
    values = MultiTaskAlignedRegressor(random_state=0).fit(X, VALUES, task=ids)
    assert values.score(X, VALUES, task=ids) > 0.5
    with pytest.raises(ValueError, match="All task weights are zero"):
        SVDTaskReweighter().fit(X, Y, task=ids).normalized_task_weight()


def test_one_row_in_all() -> None:
    one = MultiTaskAlignedClassifier().fit(X[:1], Y[:1])
    assert_array_equal(one.predict(X), np.full(N, Y[0]))
    value = MultiTaskAlignedRegressor().fit(X[:1], VALUES[:1])
    assert_allclose(value.predict(X[:1]), VALUES[:1], rtol=1e-12)


def test_one_class_is_sure() -> None:
    for model in (linear(), MultiTaskAlignedClassifierCV(**SMALL)):
        model.fit(X, np.full(N, "yes"), task=TASK)
        assert_array_equal(model.predict_proba(X, task=TASK), np.ones((N, 1)))
        assert_array_equal(model.predict(X, task=TASK), np.full(N, "yes"))


def test_one_value_is_predicted() -> None:
    for model in (MultiTaskAlignedRegressor(), MultiTaskAlignedRegressorCV(**SMALL)):
        model.fit(X, np.full(N, 3.25), task=TASK)
        assert_allclose(model.predict(X, task=TASK), 3.25, rtol=1e-12)


@pytest.mark.parametrize("unit", [2.0**-400, 2.0**400, 1e-140, 1e140])
def test_units_of_features_and_values_do_not_matter(unit: float) -> None:
    params: dict[str, Any] = {"hidden_layer_sizes": (4,), "tol": 1e-6}
    assert_allclose(probabilities(unit * X, **params), probabilities(X, **params), atol=1e-5)
    model = MultiTaskAlignedRegressor(random_state=0)
    expected = model.fit(X, VALUES, task=TASK).predict(X, task=TASK)
    found = model.fit(X, unit * VALUES, task=TASK).predict(X, task=TASK)
    assert_allclose(found / unit, expected, rtol=1e-6)
    reweighter = SVDTaskReweighter()
    weight = reweighter.fit(X, VALUES, task=TASK).task_weight_
    assert_allclose(reweighter.fit(unit * X, unit * VALUES, task=TASK).task_weight_, weight)


@pytest.mark.parametrize("unit", [1e-140, 1e140])
def test_units_that_float32_cannot_hold_are_scaled_before_it(unit: float) -> None:
    params: dict[str, Any] = {**LINEAR, **ADAM}
    assert_allclose(probabilities(unit * X, **params), probabilities(X, **params), atol=1e-4)


def test_weights_of_any_size_that_they_add_up_to() -> None:
    """Enormous weights leave the penalty behind, minute ones the data."""
    for size, accuracy in ((1e30, 1.0), (1e-30, None)):
        model = linear(max_iter=5000).fit(X, X[:, 0] > 0, task=TASK, sample_weight=np.full(N, size))
        if accuracy:
            assert model.score(X, X[:, 0] > 0, task=TASK) == accuracy
        else:
            assert_allclose(model.predict_proba(X, task=TASK), 0.5, atol=1e-6)


def test_numbers_in_strings_booleans_and_objects_are_numbers() -> None:
    expected = probabilities(X.round(3))
    rows = X.round(3)
    for same in (rows.astype(str), rows.astype(object), rows.tolist(), torch.tensor(rows)):
        assert_array_equal(probabilities(same), expected)
    assert_array_equal(probabilities(X > 0), probabilities((X > 0).astype(float)))


@pytest.mark.parametrize("constant", [0.1, 5.0, 1e10 / 3])
def test_a_constant_that_changes_later_is_no_shock(constant: float) -> None:
    """Its rounding errors must not pass for a feature of a tiny unit."""
    features = np.column_stack([X, np.full(N, constant)])
    model = MultiTaskAlignedClassifier(random_state=0).fit(features, Y, task=TASK)
    assert np.abs(model.feature_map_).max() < 100
    other = np.column_stack([X, np.full(N, constant + 0.5)])
    said = model.predict_proba(other, task=TASK)
    assert_allclose(said, model.predict_proba(features, task=TASK), atol=0.01)
