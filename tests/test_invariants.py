"""What holds for any data: layouts, types, numbers of tasks, label sets and gaps are drawn.

Bit for bit where the order of the sums is the same; elsewhere sums of the same numbers in another
order differ by rounding errors (`ROUNDING`, relative), and optima that L-BFGS finds from either
by the tolerance that it is given (`OPTIMUM`, of a probability or of a value in units of the
target).
"""

from __future__ import annotations

import pickle
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SVDTaskReweighter,
)
from sk_mtl.persistence import trusted_types

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

settings.register_profile(
    "same",
    derandomize=True,  # the same examples every time
    deadline=None,
    max_examples=15,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("same")

ROUNDING = {np.float64: 1e-9, np.float32: 1e-4}
OPTIMUM = 1e-4
CONVEX: dict[str, Any] = {
    "hidden_layer_sizes": (),
    "alignment": None,
    "tol": 1e-8,
    "n_iter_no_change": 50,
    "max_iter": 2000,
}
NETWORK: dict[str, Any] = {"hidden_layer_sizes": (4,), "max_iter": 20, "random_state": 0}

NAMES = {
    "codes": lambda k: np.arange(k),
    "numbers": lambda k: np.arange(k) * 7 - 5,
    "words": lambda k: np.array([f"w{i:02d}" for i in range(k)]),
    "floats": lambda k: np.arange(k) * 2.0,
}


@dataclass(frozen=True)
class Problem:
    """Stacked rows, and how they are to be named and passed.

    Attributes
    ----------
    ids, labels : ndarray
        Names of the tasks and of the classes, ascending.
    """

    X: Any
    code: Any
    y: Any
    ids: Any
    labels: Any
    layout: str

    def arguments(self, rows: Any = slice(None), *, fit: bool = True) -> dict[str, Any]:
        """Of ``fit``, or of ``predict``."""
        X, task = self.X[rows], self.ids[self.code[rows]]
        if self.layout == "frame":
            features = pd.DataFrame(X, columns=[f"f{j}" for j in range(X.shape[1])])
            given_ = {"X": features.assign(task=task)}
        elif self.layout == "column":
            given_ = {"X": np.column_stack([X.astype(object), task])}
        else:
            given_ = {"X": X, "task": task}
        return given_ | ({"y": self.labels[self.y[rows]]} if fit else {})

    def make(self, kind: Any, **params: Any) -> Any:
        column = {"frame": "task", "column": -1}.get(self.layout)
        return kind(task_column=column, **params)


@st.composite
def problems(draw: st.DrawFn, layouts: str = "frame column keyword", most: int = 3) -> Problem:
    k = draw(st.integers(1, 4))
    n_classes = draw(st.integers(2, most))
    n_features = draw(st.integers(1, 4))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    # Every task has rows of every class, and of most classes several.
    sizes = [draw(st.integers(2 * n_classes, 12)) for _ in range(k)]
    code = np.repeat(np.arange(k), sizes)
    y = np.concatenate([rng.permutation(np.arange(size) % n_classes) for size in sizes])
    X = rng.standard_normal((len(y), n_features)) + 0.5 * y[:, None]
    unit = 10.0 ** draw(st.integers(-3, 3))
    mixed = rng.permutation(len(y))
    return Problem(
        (unit * X).astype(dtype)[mixed],
        code[mixed],
        y[mixed],
        NAMES[draw(st.sampled_from(["codes", "numbers", "words"]))](k),
        NAMES[draw(st.sampled_from(sorted(NAMES)))](n_classes),
        draw(st.sampled_from(layouts.split())),
    )


@given(problems(), st.integers(0, 99))
def test_permuted_rows_have_permuted_predictions(problem: Problem, seed: int) -> None:
    model = problem.make(MultiTaskAlignedClassifier, **NETWORK).fit(**problem.arguments())
    order = np.random.default_rng(seed).permutation(len(problem.y))
    before = model.predict_proba(**problem.arguments(fit=False))
    after = model.predict_proba(**problem.arguments(order, fit=False))
    assert_allclose(after, before[order], rtol=ROUNDING[problem.X.dtype.type])


@given(problems(), st.integers(0, 99))
def test_a_tasks_predictions_do_not_depend_on_the_rows_beside_it(
    problem: Problem, seed: int
) -> None:
    """Any rows alone, and all rows of a task alone, are what they are among others."""
    model = problem.make(MultiTaskAlignedClassifier, **NETWORK).fit(**problem.arguments())
    together = model.predict_proba(**problem.arguments(fit=False))
    some = np.random.default_rng(seed).random(len(problem.y)) < 0.3
    some[seed % len(some)] = True
    for rows in (some, problem.code == problem.code[0], np.arange(len(some)) == 0):
        alone = model.predict_proba(**problem.arguments(rows, fit=False))
        assert_allclose(alone, together[rows], rtol=ROUNDING[problem.X.dtype.type])


@given(problems(), st.integers(0, 99))
def test_the_order_of_the_training_rows_does_not_matter(problem: Problem, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(problem.y))
    model = problem.make(MultiTaskAlignedClassifier, **CONVEX)
    one = model.fit(**problem.arguments()).predict_proba(**problem.arguments(fit=False))
    other = clone(model).fit(**problem.arguments(order))
    assert_allclose(other.predict_proba(**problem.arguments(fit=False)), one, atol=OPTIMUM)


@given(problems(), st.sampled_from(["codes", "numbers", "words"]))
def test_names_of_tasks_in_the_same_order_change_nothing(problem: Problem, kind: str) -> None:
    """Bit for bit."""
    renamed = replace(problem, ids=NAMES[kind](len(problem.ids)))
    one, other = (
        p.make(MultiTaskAlignedClassifier, **NETWORK).fit(**p.arguments())
        for p in (problem, renamed)
    )
    assert other.tasks_.tolist() == renamed.ids.tolist()
    assert_array_equal(
        other.predict_proba(**renamed.arguments(fit=False)),
        one.predict_proba(**problem.arguments(fit=False)),
    )


@given(problems(), st.integers(0, 99))
def test_names_of_tasks_in_another_order_change_nothing(problem: Problem, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(problem.ids))
    renamed = replace(problem, ids=problem.ids[order])
    one, other = (
        p.make(MultiTaskAlignedClassifier, **CONVEX).fit(**p.arguments())
        for p in (problem, renamed)
    )
    assert_allclose(
        other.predict_proba(**renamed.arguments(fit=False)),
        one.predict_proba(**problem.arguments(fit=False)),
        atol=OPTIMUM,
    )


@given(problems(), st.sampled_from(sorted(NAMES)))
def test_names_of_labels_in_the_same_order_change_nothing_else(problem: Problem, kind: str) -> None:
    """Bit for bit."""
    renamed = replace(problem, labels=NAMES[kind](len(problem.labels)))
    one, other = (
        p.make(MultiTaskAlignedClassifier, **NETWORK).fit(**p.arguments())
        for p in (problem, renamed)
    )
    assert other.classes_.tolist() == renamed.labels.tolist()
    asked = problem.arguments(fit=False)
    assert_array_equal(other.predict_proba(**asked), one.predict_proba(**asked))
    column = np.searchsorted(problem.labels, one.predict(**asked))
    assert_array_equal(other.predict(**asked), renamed.labels[column])


@given(problems(), st.integers(0, 99))
def test_names_of_labels_in_another_order_permute_the_probabilities(
    problem: Problem, seed: int
) -> None:
    order = np.random.default_rng(seed).permutation(len(problem.labels))
    renamed = replace(problem, labels=problem.labels[order])
    one, other = (
        p.make(MultiTaskAlignedClassifier, **CONVEX).fit(**p.arguments())
        for p in (problem, renamed)
    )
    asked = problem.arguments(fit=False)
    assert_allclose(
        other.predict_proba(**asked)[:, order], one.predict_proba(**asked), atol=OPTIMUM
    )


@given(problems(), st.integers(0, 99))
def test_weights_of_0_are_removed_rows(problem: Problem, seed: int) -> None:
    """Bit for bit, of a classifier, a regressor and a reweighter, whatever the rows hold."""
    rng = np.random.default_rng(seed)
    kept = rng.random(len(problem.y)) < 0.7
    kept[: len(problem.ids)] = True
    X = problem.X.copy()
    X[~kept] *= 1e3
    weighted = replace(problem, X=X)
    asked = replace(problem, code=np.full_like(problem.code, problem.code[0])).arguments(fit=False)
    for kind, params in (
        (MultiTaskAlignedClassifier, NETWORK),
        (MultiTaskAlignedRegressor, NETWORK),
        (SVDTaskReweighter, {}),
    ):
        values = {} if kind is not MultiTaskAlignedRegressor else {"y": rng.normal(size=len(X))}
        few = {name: y[kept] for name, y in values.items()}
        one = problem.make(kind, **params).fit(
            **(weighted.arguments() | values), sample_weight=kept.astype(float)
        )
        other = problem.make(kind, **params).fit(**(problem.arguments(kept) | few))
        assert one.tasks_.tolist() == other.tasks_.tolist()
        assert_array_equal(one.transform(**asked), other.transform(**asked))
        if hasattr(one, "predict"):
            assert_array_equal(one.predict(**asked), other.predict(**asked))


@given(problems(most=4), st.booleans())
def test_probabilities_are_shares_of_the_tasks_own_classes(problem: Problem, own: bool) -> None:
    """Also of tasks with label sets of their own, and of one that lacks classes of the others."""
    labels = np.where(problem.code == 0, problem.y % 2, problem.y)
    labels = labels + (10 * problem.code if own else 0)
    problem = replace(problem, y=labels, labels=np.arange(50))
    for kind, params in (
        (MultiTaskAlignedClassifier, NETWORK),
        (MultiTaskAlignedClassifierCV, {"penalties": 2, "hidden_layer_sizes": (), "cv": None}),
    ):
        model = problem.make(kind, **params).fit(**problem.arguments())
        said = model.predict_proba(**problem.arguments(fit=False))
        tolerance = 1e-6 if said.dtype == np.float32 else 1e-12
        assert_allclose(said.sum(axis=1), 1, rtol=tolerance)
        assert said.min() >= 0
        for t, classes in enumerate(model.task_classes_):
            foreign = ~np.isin(model.classes_, classes)
            assert (said[problem.code == t][:, foreign] == 0).all()


@st.composite
def wide_targets(draw: st.DrawFn) -> tuple[Any, Any]:
    """Rows, and values of several tasks with gaps."""
    k, n_features = draw(st.integers(2, 4)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    X = rng.standard_normal((draw(st.integers(15, 40)), n_features))
    Y = X @ rng.standard_normal((n_features, k)) + rng.standard_normal((len(X), k))
    Y[rng.random(Y.shape) < draw(st.sampled_from([0.0, 0.3, 0.6]))] = np.nan
    for t in range(k):  # every task has rows of both signs
        Y[2 * t : 2 * t + 2, t] = [1.0, -1.0]
    return X, Y


@given(wide_targets(), st.booleans())
def test_stacked_and_wide_rows_are_the_same_model(data: tuple[Any, Any], classes: bool) -> None:
    """Unscaled: the scaling counts a row of a wide y once, and once a label if they are stacked."""
    X, Y = data
    kind: Any = MultiTaskAlignedRegressor
    if classes:
        kind, Y = MultiTaskAlignedClassifier, np.where(np.isnan(Y), np.nan, Y > 0)
    params = CONVEX | {"input_scaling": None, "head_alpha": 1.0}
    row, task = np.nonzero(~np.isnan(Y))
    wide = kind(**params).fit(X, Y)
    stacked = kind(**params).fit(X[row], Y[row, task], task=task)
    of_wide = wide.predict_proba(X) if classes else wide.predict(X)
    for t in range(Y.shape[1]):
        ids = np.full(len(X), t)
        said = stacked.predict(X, task=ids)
        if classes:
            said = stacked.predict_proba(X, task=ids)[:, 1]
        assert_allclose(of_wide[:, t], said, atol=OPTIMUM * (1 if classes else Y[row, task].std()))
    reweighters = [SVDTaskReweighter(scale=False), SVDTaskReweighter(scale=False)]
    reweighters[0].fit(X, Y)
    reweighters[1].fit(X[row], Y[row, task], task=task)
    assert_allclose(reweighters[0].task_weight_, reweighters[1].task_weight_, rtol=1e-9)


MODELS: dict[str, tuple[Any, dict[str, Any]]] = {
    "classifier": (MultiTaskAlignedClassifier, NETWORK),
    "classifier of one task's parameters": (
        MultiTaskAlignedClassifier,
        NETWORK | {"alignment": "low_rank", "alignment_rank": 1, "solver": "adam"},
    ),
    "regressor": (MultiTaskAlignedRegressor, NETWORK),
    "searched": (
        MultiTaskAlignedClassifierCV,
        {"penalties": 2, "hidden_layer_sizes": (2,), "max_iter": 10, "cv": 2, "random_state": 0},
    ),
    "searched regressor": (
        MultiTaskAlignedRegressorCV,
        {"penalties": 2, "hidden_layer_sizes": (), "random_state": 0},
    ),
    "reweighter": (SVDTaskReweighter, {}),
    "selective": (
        SelectiveTransferClassifier,
        {
            "multi_task": MultiTaskAlignedClassifier(**CONVEX | {"max_iter": 20}),
            "cv": 2,
            "random_state": 0,
        },
    ),
}


def said_by(model: Any, asked: dict[str, Any]) -> list[Any]:
    methods = ("predict", "predict_proba", "transform", "align")
    return [getattr(model, name)(**asked) for name in methods if hasattr(model, name)]


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=4)
@given(problems())
def test_round_trips_keep_every_bit(model: str, problem: Problem) -> None:
    """Clone and fit again, pickle, skops, save and load; the copy has the same parameters."""
    kind, params = MODELS[model]
    fitted = clone(problem.make(kind, **params))  # a multi-task model of its own
    if model == "selective" and problem.layout != "keyword":
        fitted.set_params(multi_task__task_column=fitted.task_column)
    given_, asked = problem.arguments(), problem.arguments(fit=False)
    if "regressor" in model:
        given_["y"] = np.cos(np.arange(len(problem.y)))
    fitted.fit(**given_)
    with tempfile.TemporaryDirectory() as folder:
        fitted.save(Path(folder) / "model.safetensors")
        loaded = kind.load(Path(folder) / "model.safetensors")
    copies = [
        clone(fitted).fit(**given_),
        pickle.loads(pickle.dumps(fitted)),
        skops.io.loads(skops.io.dumps(fitted), trusted=trusted_types()),
        loaded,
    ]
    expected = said_by(fitted, asked)
    for copy in copies:
        assert str(copy.get_params()) == str(fitted.get_params())
        for now, then in zip(said_by(copy, asked), expected, strict=True):
            assert now.dtype == then.dtype
            assert_array_equal(now, then)
