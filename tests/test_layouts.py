"""However tasks are named, the model is the same, and what comes back is in the user's terms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sk_mtl import MultiTaskAlignedClassifier

TOL = {"rtol": 0, "atol": 1e-6}
N_TASKS = 3


def linear(**params):
    """A convex model, trained until its loss no longer changes."""
    settings = {"hidden_layer_sizes": (), "alignment": None, "tol": 1e-8, "max_iter": 2000}
    settings["head_alpha"] = 2.0  # the same for every layout
    settings["n_iter_no_change"] = 2000
    return MultiTaskAlignedClassifier(**{**settings, **params})


@pytest.fixture(scope="module")
def data():
    """Binary labels of three related tasks in no order: X, y, task and new rows."""
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((90, 4)), rng.integers(N_TASKS, size=90)
    slopes = rng.standard_normal(4) + 0.7 * rng.standard_normal((N_TASKS, 4))
    y = (np.sum(X * slopes[task], axis=1) + 0.5 * rng.standard_normal(90) > 0).astype(int)
    return X, y, task, rng.standard_normal((30, 4)), np.arange(30) % N_TASKS


@pytest.fixture(scope="module")
def expected(data):
    """Probabilities of the new rows from the ``task=`` keyword."""
    X, y, task, new, new_task = data
    return linear().fit(X, y, task=task).predict_proba(new, task=new_task)


# The same model, however tasks are named


def pandas_frame(X, task):
    return pd.DataFrame(X, columns=list("abcd")).assign(shop=task)


def polars_frame(X, task):
    return pl.DataFrame({"shop": task, **dict(zip("abcd", X.T, strict=True))})


FORMS = {
    "pandas by name": ("shop", pandas_frame),
    "pandas by position": (-1, pandas_frame),
    "pandas of integer names": (4, lambda X, task: pd.DataFrame(np.column_stack([X, task]))),
    "pandas of strings": (
        "shop",
        lambda X, task: pandas_frame(X, np.array(["n", "s", "w"], dtype=object)[task]),
    ),
    "pandas categorical": (
        "shop",
        lambda X, task: pandas_frame(X, pd.Categorical(np.array(["w", "s", "n"])[task])),
    ),
    "pandas nullable": ("shop", lambda X, task: pandas_frame(X, pd.array(task, dtype="Int64"))),
    "polars by name": ("shop", polars_frame),
    "polars by position": (0, polars_frame),
    "array, last": (-1, lambda X, task: np.column_stack([X, task])),
    "array, inside": (2, lambda X, task: np.insert(X, 2, task, axis=1)),
    "array in Fortran order": (-1, lambda X, task: np.asfortranarray(np.column_stack([X, task]))),
    "object array": (
        0,
        lambda X, task: np.column_stack([np.array(list("nsw"))[task], X.astype(object)]),
    ),
    "lists": (-1, lambda X, task: np.column_stack([X, task]).tolist()),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_task_column_is_the_keyword(data, expected, form):
    X, y, task, new, new_task = data
    column, make = FORMS[form]
    model = linear(task_column=column).fit(make(X, task), y)
    assert_allclose(model.predict_proba(make(new, new_task)), expected, **TOL)
    assert model.n_features_in_ == 5
    assert model.feature_mean_.shape == (4,)
    assert len(model.tasks_) == N_TASKS


def test_tasks_differ(data, expected):
    """Otherwise the other tests here would show little."""
    X, y, _, new, _ = data
    pooled = linear().fit(X, y).predict_proba(new)
    assert np.abs(pooled - expected).max() > 0.05


@pytest.mark.parametrize(
    "ids",
    [
        np.array(["n", "s", "w"]),
        np.array(["w", "n", "s"]),
        np.array(["0", "1", "2"]),
        np.array([7, -3, 10**12]),
        np.array([2.0, 0.0, 1.0]),
    ],
)
def test_names_of_tasks_do_not_matter(data, expected, ids):
    X, y, task, new, new_task = data
    model = linear().fit(X, y, task=ids[task])
    assert_array_equal(model.tasks_, np.sort(ids))
    assert_allclose(model.predict_proba(new, task=ids[new_task]), expected, **TOL)
    # Tasks of the rows to predict may be any of those of fit, in any order.
    one = new_task == 1
    assert_allclose(
        model.predict_proba(new[one][::-1], task=ids[new_task[one]]), expected[one][::-1], **TOL
    )


def test_the_order_of_rows_does_not_matter(data, expected):
    X, y, task, new, new_task = data
    order = np.random.default_rng(1).permutation(len(y))
    for rows in (order, np.argsort(task)):
        model = linear().fit(X[rows], y[rows], task=task[rows])
        assert_allclose(model.predict_proba(new, task=new_task), expected, **TOL)
    back = np.argsort(new_task)[::-1]
    assert_allclose(model.predict_proba(new[back], task=new_task[back]), expected[back], **TOL)


def test_an_index_does_not_matter(data, expected):
    X, y, task, new, new_task = data
    index = np.random.default_rng(1).permutation(len(y)) // 2
    model = linear().fit(
        pd.DataFrame(X, index=index), pd.Series(y, index=index[::-1]), task=pd.Series(task)
    )
    X_new = pd.DataFrame(new, index=index[:30])
    assert_allclose(model.predict_proba(X_new, task=pl.Series(new_task)), expected, **TOL)


@pytest.mark.parametrize("task_at_predict", [True, False])
def test_one_task_needs_no_name(data, task_at_predict):
    X, y, _, new, _ = data
    anonymous = linear().fit(X, y)
    assert anonymous.tasks_.tolist() == [0]
    expected = anonymous.predict_proba(new)
    column = linear(task_column="shop").fit(pandas_frame(X, "n"), y)
    assert column.tasks_.tolist() == ["n"]
    assert_allclose(column.predict_proba(pandas_frame(new, "n")), expected, **TOL)
    ids = ["n"] * len(new) if task_at_predict else None
    keyword = linear().fit(X, y, task=["n"] * len(X))
    assert_allclose(keyword.predict_proba(new, task=ids), expected, **TOL)


# Labels


@pytest.mark.parametrize(
    "names",
    [
        np.array(["no", "yes"]),
        np.array(["yes", "no"]),  # sorted the other way round
        np.array(["no", "yes"], dtype=object),
        np.array([False, True]),
        np.array([-5, 10**15]),
        np.array([1.0, -0.5]) * 2,
    ],
)
def test_names_of_labels_come_back(data, expected, names):
    X, y, task, new, new_task = data
    model = linear().fit(X, names[y], task=task)
    column = np.searchsorted(model.classes_, names)
    probability = model.predict_proba(new, task=new_task)
    assert_allclose(probability[:, column], expected, **TOL)
    predicted = model.predict(new, task=new_task)
    assert predicted.dtype.kind == model.classes_.dtype.kind
    assert predicted.dtype.kind == ("U" if names.dtype == object else names.dtype.kind)
    assert_array_equal(predicted, names[expected.argmax(axis=1)])


@pytest.mark.parametrize("make", [list, pd.Series, pl.Series, pd.Categorical])
def test_containers_of_labels(data, expected, make):
    X, y, task, new, new_task = data
    model = linear().fit(X, make(np.array(["no", "yes"])[y].tolist()), task=task.tolist())
    assert_allclose(model.predict_proba(new, task=new_task), expected, **TOL)
    assert model.classes_.tolist() == ["no", "yes"]


@pytest.fixture(scope="module")
def different_sets():
    """Task 0 is binary, task 1 has three other labels, task 2 has one of each."""
    rng = np.random.default_rng(3)
    X, task = rng.standard_normal((90, 3)), np.repeat([0, 1, 2], 30)
    sets = [["a", "b"], ["c", "d", "e"], ["b", "d"]]
    y = np.array(
        [sets[t][int(2 * abs(x)) % len(sets[t])] for t, x in zip(task, X[:, 0], strict=True)]
    )
    return X, y, task, sets


def test_probabilities_of_different_label_sets(different_sets):
    X, y, task, sets = different_sets
    model = linear().fit(X, y, task=task)
    assert model.classes_.tolist() == list("abcde")
    assert [classes.tolist() for classes in model.task_classes_] == sets
    probability = model.predict_proba(X, task=task)
    assert probability.shape == (90, 5)
    assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)
    of_task = np.array([np.isin(model.classes_, sets[t]) for t in task])
    assert (probability[~of_task] == 0).all()
    assert (probability[of_task] > 0).all()
    predicted = model.predict(X, task=task)
    assert all(label in sets[t] for label, t in zip(predicted, task, strict=True))
    assert_array_equal(predicted, model.classes_[probability.argmax(axis=1)])


def test_label_sets_apart_are_models_apart(different_sets):
    """Without rows of task 2 no head is shared, so each task's head is only penalised."""
    X, y, task, _ = different_sets
    rows = task < 2
    together = linear(input_scaling=None).fit(X[rows], y[rows], task=task[rows])
    for t in (0, 1):
        one = task == t
        alone = linear(input_scaling=None).fit(X[one], y[one])
        columns = np.isin(together.classes_, alone.classes_)
        probability = together.predict_proba(X[one], task=task[one])
        assert_allclose(probability[:, columns], alone.predict_proba(X[one]), **TOL)


# A wide y


@pytest.fixture(scope="module")
def wide():
    """Rows with a label for some of three tasks (NaN elsewhere), and the same entries stacked."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, 4))
    scores = X @ (rng.standard_normal((4, 1)) + 0.7 * rng.standard_normal((4, N_TASKS)))
    Y = (scores + 0.5 * rng.standard_normal(scores.shape) > 0).astype(float)
    Y[rng.random(Y.shape) < 0.4] = np.nan
    rows, task = np.nonzero(~np.isnan(Y))
    return X, Y, rows, task


def test_wide_labels_are_stacked_rows(wide):
    # The features of all rows count once for the scale of a wide y, so leave it out.
    X, Y, rows, task = wide
    stacked = linear(input_scaling=None).fit(X[rows], Y[rows, task], task=task)
    model = linear(input_scaling=None).fit(X, Y)
    probability = model.predict_proba(X)
    assert probability.shape == (60, N_TASKS)
    for t in range(N_TASKS):
        of_task = stacked.predict_proba(X, task=np.full(60, t))
        assert_allclose(probability[:, t], of_task[:, 1], **TOL)
    assert_array_equal(model.predict(X), (probability > 0.5).astype(float))
    # Every labelled entry counts once within its task, and every task once.
    stacked_scores = [
        stacked.score(X[rows][task == t], Y[rows, task][task == t], task=task[task == t])
        for t in range(N_TASKS)
    ]
    assert model.score(X, Y) == pytest.approx(np.mean(stacked_scores), abs=1e-12)


def as_objects(Y, gap, labels):
    return np.array([[gap if np.isnan(v) else labels[int(v)] for v in row] for row in Y], object)


def columns_of(Y, gap, labels):
    return {
        name: [gap if np.isnan(v) else labels[int(v)] for v in column]
        for name, column in zip("uvw", Y.T, strict=True)
    }


def test_large_integers_beside_a_column_with_gaps(wide):
    """float64 runs them together, and holds the other column."""
    X, Y, _, _ = wide
    large = np.where(X[:, 0] > 0, 2**60, 2**60 + 1)
    frame = pd.DataFrame({"u": Y[:, 0], "v": large})
    model = linear().fit(X, frame)
    expected = linear().fit(X, np.column_stack([Y[:, 0], 10 + large - 2**60]))
    predicted, known = model.predict(X), ~np.isnan(Y[:, 0])
    assert_array_equal(predicted - [0, 2**60 - 10], expected.predict(X))
    assert predicted.dtype == np.int64
    right = np.mean((predicted[:, 0] == Y[:, 0])[known]), np.mean(predicted[:, 1] == large)
    assert right[1] < 1
    assert model.score(X, frame) == pytest.approx(np.mean(right), abs=1e-12)


@pytest.mark.parametrize(
    ("form", "labels"),
    [
        (lambda Y: Y.tolist(), [0.0, 1.0]),
        (lambda Y: Y.astype(np.float32), [0.0, 1.0]),
        (lambda Y: pd.DataFrame(Y, columns=list("uvw")), [0.0, 1.0]),
        (lambda Y: pd.DataFrame(Y, columns=list("uvw")).astype("Int64"), [0, 1]),
        (lambda Y: pd.DataFrame(Y, columns=list("uvw")).astype("boolean"), [False, True]),
        (lambda Y: as_objects(Y, None, [0, 1]), [0, 1]),
        (lambda Y: as_objects(Y, np.nan, [False, True]), [False, True]),
        (lambda Y: as_objects(Y, pd.NA, ["no", "yes"]), ["no", "yes"]),
        (lambda Y: as_objects(Y, np.nan, ["no", "yes"]).tolist(), ["no", "yes"]),
        (lambda Y: np.ma.array(np.nan_to_num(Y).astype(int), mask=np.isnan(Y)), [0, 1]),
        (lambda Y: pd.DataFrame(columns_of(Y, None, ["no", "yes"])), ["no", "yes"]),
        (lambda Y: pl.DataFrame(columns_of(Y, None, ["no", "yes"])), ["no", "yes"]),
        (lambda Y: pl.DataFrame(columns_of(Y, None, [0, 1])), [0, 1]),
        (lambda Y: pl.DataFrame(columns_of(Y, None, [False, True])), [False, True]),
    ],
)
def test_forms_of_a_wide_y(wide, form, labels):
    X, Y, _, _ = wide
    expected = linear().fit(X, Y)
    model = linear().fit(X, form(Y))
    assert [classes.tolist() for classes in model.classes_] == [labels] * N_TASKS
    assert_allclose(model.predict_proba(X), expected.predict_proba(X), **TOL)
    predicted = model.predict(X)
    assert predicted.dtype != object
    assert predicted.shape == Y.shape
    assert {type(label) for label in predicted.ravel().tolist()} == {type(labels[0])}
    assert_array_equal(predicted, np.array(labels)[expected.predict(X).astype(int)])
    assert model.score(X, form(Y)) == pytest.approx(expected.score(X, Y), abs=1e-12)


def test_names_of_wide_tasks(wide):
    X, Y, _, _ = wide
    assert linear().fit(X, Y).tasks_.tolist() == [0, 1, 2]
    model = linear().fit(X, pd.DataFrame(Y, columns=["w", "u", "v"]))
    assert model.tasks_.tolist() == ["w", "u", "v"]


def test_the_order_of_wide_tasks_does_not_matter(wide):
    X, Y, _, _ = wide
    expected = linear().fit(X, Y).predict_proba(X)
    assert_allclose(linear().fit(X, Y[:, ::-1]).predict_proba(X)[:, ::-1], expected, **TOL)


def test_wide_multi_class_probabilities(wide):
    X, Y, _, _ = wide
    quarters = np.digitize(X[:, 0], [-0.7, 0.0, 0.7])
    labels = pd.DataFrame(
        {"u": Y[:, 0], "q": np.array(["a", "b", "c", "d"])[quarters], "v": Y[:, 1]}
    )
    labels.loc[::3, "q"] = None
    model = linear(input_scaling=None).fit(X, labels)
    assert [classes.tolist() for classes in model.classes_] == [
        [0.0, 1.0],
        list("abcd"),
        [0.0, 1.0],
    ]
    probability = model.predict_proba(X)
    assert isinstance(probability, list)
    assert [of_task.shape for of_task in probability] == [(60, 2), (60, 4), (60, 2)]
    for of_task in probability:
        assert_allclose(of_task.sum(axis=1), 1, rtol=1e-12)
    predicted = model.predict(X)
    assert predicted.shape == (60, 3)
    for t, of_task in enumerate(probability):
        assert_array_equal(predicted[:, t], model.classes_[t][of_task.argmax(axis=1)])
    # Its labels are its own, so the model of q is that of q alone.
    labelled = np.arange(60) % 3 != 0
    alone = linear(input_scaling=None).fit(X[labelled], labels["q"][labelled])
    assert_allclose(probability[1], alone.predict_proba(X), **TOL)
    accuracy = [
        np.mean((predicted[:, t] == labels.iloc[:, t])[labels.iloc[:, t].notna()]) for t in range(3)
    ]
    assert model.score(X, labels) == pytest.approx(np.mean(accuracy), abs=1e-12)


def test_wide_score_is_weighted(wide):
    X, Y, _, _ = wide
    model = linear().fit(X, Y)
    weight = np.random.default_rng(0).integers(0, 3, size=60)
    repeated = np.repeat(np.arange(60), weight)
    assert model.score(X, Y, sample_weight=weight) == pytest.approx(
        model.score(X[repeated], Y[repeated]), abs=1e-12
    )


def test_wide_score_needs_every_column(wide):
    X, Y, _, _ = wide
    model = linear().fit(X, Y)
    for wrong in (Y[:, :2], np.column_stack([Y, Y]), np.zeros(60)):
        with pytest.raises(ValueError, match=r"y has \d columns for 3 tasks"):
            model.score(X, wrong)
    assert model.score(X, Y + 5) == 0  # labels that no task knows are never right


# Score and transform


def test_stacked_score(data, expected):
    X, y, task, new, new_task = data
    model = linear().fit(X, y, task=task)
    truth = np.random.default_rng(5).integers(2, size=30)
    right = expected.argmax(axis=1) == truth
    assert model.score(new, truth, task=new_task) == right.mean()
    weight = np.arange(30.0)
    score = model.score(new, truth, task=new_task, sample_weight=weight)
    assert score == pytest.approx(weight @ right / weight.sum(), abs=1e-12)
    column = linear(task_column=-1).fit(np.column_stack([X, task]), y)
    assert column.score(np.column_stack([new, new_task]), truth) == right.mean()


@pytest.mark.parametrize(
    ("names", "form"),
    [
        ([0, 1], lambda labels: labels.astype(object)),
        ([False, True], lambda labels: pd.Series(labels, dtype=object)),
        ([0, 1], lambda labels: pd.DataFrame({"y": labels.astype(object)})),
        ([0, 1], lambda labels: labels[:, None]),
        (["no", "yes"], lambda labels: labels.astype(object)),
        (["no", "yes"], lambda labels: labels.astype(np.dtypes.StringDType())),
    ],
)
def test_stacked_score_reads_labels_as_fit_does(data, expected, names, form):
    X, y, task, new, new_task = data
    model = linear().fit(X, np.array(names)[y], task=task)
    truth = np.random.default_rng(5).integers(2, size=30)
    score = model.score(new, form(np.array(names)[truth]), task=new_task)
    assert score == np.mean(expected.argmax(axis=1) == truth)


def test_stacked_score_refuses_what_fit_refuses(data):
    X, y, task, _, _ = data
    model = linear().fit(X, y, task=task)
    for wrong, message in [
        (np.where(np.arange(90) == 7, np.nan, y), "1 rows have no label"),
        (np.column_stack([y, y]), "y has 2 columns, but the estimator was fitted on one label"),
        (y[:-1], "X has 90 rows, y has 89"),
    ]:
        with pytest.raises(ValueError, match=message):
            model.score(X, wrong, task=task)


@pytest.mark.parametrize("sizes", [(5,), (6, 3)])
@pytest.mark.parametrize("alignment", ["auto", "full", "diagonal"])
def test_transform_has_the_capacity(data, sizes, alignment):
    X, y, task, new, new_task = data
    model = linear(
        hidden_layer_sizes=sizes, alignment=alignment, tol=0.1, random_state=0, task_column="shop"
    ).fit(pandas_frame(X, task), y)
    shared = model.transform(pandas_frame(new, new_task))
    assert shared.shape == (30, sizes[-1])
    assert len(model.get_feature_names_out()) == sizes[-1]
    assert np.isfinite(shared).all()
    # A row's representation depends on its task through R_i alone.
    other = model.transform(pandas_frame(new, (new_task + 1) % N_TASKS))
    assert np.abs(other - shared).max() > 0


def test_without_layers_the_scaled_features_are_the_representation(data, wide):
    X, y, task, new, new_task = data
    model = linear().fit(X, y, task=task)
    scaled = (new - model.feature_mean_) @ model.feature_map_
    assert_allclose(model.transform(new, task=new_task), scaled, atol=1e-12)
    X, Y, _, _ = wide
    assert linear().fit(X, Y).transform(X).shape == (60, 4)


# Sample weights


def fitted_as(X, y, task, new, new_task, weight=None, **params):
    """Probabilities of the new rows in every route: keyword, column, one task, wide."""
    Y = np.column_stack([y, 1 - y])
    yield linear(**params).fit(X, y, task=task, sample_weight=weight).predict_proba(new, new_task)
    column = linear(task_column=-1, **params)
    column.fit(np.column_stack([X, task]), y, sample_weight=weight)
    yield column.predict_proba(np.column_stack([new, new_task]))
    yield linear(**params).fit(X, y, sample_weight=weight).predict_proba(new)
    yield linear(**params).fit(X, Y, sample_weight=weight).predict_proba(new)


@pytest.mark.parametrize("input_scaling", ["principal", "standard", None])
def test_a_weight_is_so_many_rows(data, input_scaling):
    X, y, task, new, new_task = data
    weight = np.random.default_rng(6).integers(0, 3, size=len(y))
    rows = np.repeat(np.arange(len(y)), weight)
    weighted = fitted_as(X, y, task, new, new_task, weight, input_scaling=input_scaling)
    repeated = fitted_as(X[rows], y[rows], task[rows], new, new_task, input_scaling=input_scaling)
    unweighted = fitted_as(X, y, task, new, new_task, input_scaling=input_scaling)
    for with_weight, with_rows, plain in zip(weighted, repeated, unweighted, strict=True):
        assert_allclose(with_weight, with_rows, **TOL)
        assert np.abs(with_weight - plain).max() > 1e-3


def test_weight_zero_removes_rows_exactly(data):
    X, y, task, new, new_task = data
    keep = np.random.default_rng(7).random(len(y)) < 0.7
    X, y = X.copy(), y.copy()
    y[~keep] = 9  # a label that no other row has
    X[~keep] *= 1e6
    weighted = fitted_as(X, y, task, new, new_task, keep.astype(float))
    removed = fitted_as(X[keep], y[keep], task[keep], new, new_task)
    for with_weight, without_rows in zip(weighted, removed, strict=True):
        assert_array_equal(with_weight, without_rows)


def test_weight_zero_removes_a_task(data):
    X, y, task, new, _ = data
    model = linear().fit(X, y, task=task, sample_weight=(task != 1) * 1.0)
    assert model.tasks_.tolist() == [0, 2]
    with pytest.raises(ValueError, match=r"Unseen task ids \[1\]; the estimator knows \[0, 2\]"):
        model.predict(new[:1], task=[1])


def test_weights_of_one_change_nothing(data, expected):
    X, y, task, new, new_task = data
    model = linear().fit(X, y, task=task, sample_weight=np.ones(len(y)))
    assert_array_equal(model.predict_proba(new, task=new_task), expected)


def test_labels_of_the_same_rows_share_less_by_default(wide):
    X, Y, rows, task = wide
    of_wide = {"head_alpha": 0.4, "input_scaling": "standard"}
    found = MultiTaskAlignedClassifier(random_state=0).fit(X, Y).predict_proba(X)
    expected = MultiTaskAlignedClassifier(random_state=0, **of_wide).fit(X, Y).predict_proba(X)
    assert_array_equal(found, expected)
    of_stacked = {"head_alpha": 2.0, "input_scaling": "principal"}
    entries = (X[rows], Y[rows, task])
    found, expected = (
        MultiTaskAlignedClassifier(random_state=0, **params).fit(*entries, task=task)
        for params in ({}, of_stacked)
    )
    assert_array_equal(
        found.predict_proba(X[rows], task=task), expected.predict_proba(X[rows], task=task)
    )
