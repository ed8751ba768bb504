"""Bad input, a row of a table for each: which error, what it says, and that nothing is lost.

Every case names the exception and a part of its message that holds the value and the remedy. The
estimator is a fitted one, and afterwards it is as it was: the same attributes, the same
predictions. What looks bad but is legal is at the end, with the right answer.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from bad_rows import FEATURES, FURTHER, IDS, TARGETS, WEIGHTS
from fitted_models import (
    ADAM,
    FRAME,
    LINEAR,
    MODELS,
    SMALL,
    TASK,
    VALUES,
    N,
    X,
    Y,
    answers,
    linear,
    saved,
)
from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SVDTaskReweighter,
)


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


@pytest.mark.parametrize("constant", [0.1, 7.0, 1e10 / 3])
@pytest.mark.parametrize("n_rows", [1000, 30_000])
def test_constants_of_many_rows_do_not_vary(constant: float, n_rows: int) -> None:
    """Nor do they by the rounding errors of sums: not among features, nor as values of a task."""
    rows = np.resize(np.arange(N), n_rows)
    features = np.column_stack([X, np.full(N, constant)])[rows]
    values = np.where(TASK == "south", constant, VALUES)[rows]
    settings: dict[str, Any] = {**LINEAR, "solver": "adam", "max_iter": 1, "tol": 0}
    chunks = [(features[part::3], values[part::3], TASK[rows][part::3]) for part in range(3)]
    with pytest.warns(ConvergenceWarning):
        model = MultiTaskAlignedRegressor(**settings).fit(features, values, task=TASK[rows])
    with pytest.warns(ConvergenceWarning):
        streamed = MultiTaskAlignedRegressor(**settings).fit_chunks(chunks)
    for one in (model, streamed):
        assert np.abs(one.feature_map_).max() < 100
        # The unit of a constant task is what the other says of one of so many rows.
        unit = VALUES[TASK == "north"].std() / np.sqrt(1 + n_rows / 2)
        assert one.target_scale_[1] == pytest.approx(unit, rel=0.01)


@pytest.mark.parametrize("constant", [0.1, 5.0, 1e10 / 3])
def test_a_constant_that_changes_later_is_no_shock(constant: float) -> None:
    """Its rounding errors must not pass for a feature of a tiny unit."""
    features = np.column_stack([X, np.full(N, constant)])
    model = MultiTaskAlignedClassifier(random_state=0).fit(features, Y, task=TASK)
    assert np.abs(model.feature_map_).max() < 100
    other = np.column_stack([X, np.full(N, constant + 0.5)])
    said = model.predict_proba(other, task=TASK)
    assert_allclose(said, model.predict_proba(features, task=TASK), atol=0.01)
