"""The estimators that tune themselves: what they choose, and that they predict what they say."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import make_tasks
from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressorCV,
)
from sk_mtl.model_selection import TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task

X, Y, TASK = make_tasks(rows=8)
LOGISTIC = GridSearchCV(LogisticRegression(), {"C": np.geomspace(1e-3, 10, 9)}, cv=3)
QUICK: dict[str, Any] = {"penalties": 5, "cv": None, "random_state": 0}


def related(
    m: int, d: int = 30, k: int = 6, spread: float = 0.3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, signals with noise, tasks, and which rows are for training: m a task."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(k), m + 300)
    weights = rng.standard_normal(d) + spread * rng.standard_normal((k, d))
    features = rng.standard_normal((len(task), d))
    signal = np.einsum("nd,nd->n", features, weights[task]) + rng.standard_normal(len(task))
    return features, signal, task, np.tile(np.arange(m + 300) < m, k)


def per_task(model: Any, X: Any, y: Any, task: Any, train: Any) -> np.ndarray:
    """Predictions of one model per task for the rows that are not for training."""
    out = np.empty(len(y), dtype=float)
    for t in np.unique(task):
        own = task == t
        out[own] = clone(model).fit(X[own & train], y[own & train]).predict(X[own])
    return out[~train]


def shares(model: Any, **conditions: Any) -> float:
    """The share in the average of the models that have these properties."""
    table = pd.DataFrame(model.average_results_)
    for name, value in conditions.items():
        table = table[table[name] == value]
    return float(table["share"].sum())


def test_few_rows_of_related_tasks_are_classified_better_than_alone() -> None:
    features, signal, task, train = related(m=15)
    y = signal > 0
    model = MultiTaskAlignedClassifierCV(random_state=0)
    model.fit(features[train], y[train], task=task[train])
    alone = per_task(LOGISTIC, features, y, task, train)
    score = model.score(features[~train], y[~train], task=task[~train])
    assert score > np.mean(alone == y[~train]) + 0.08
    assert shares(model, sharing=0.0) < 0.05


def test_few_rows_of_related_tasks_are_predicted_better_than_alone() -> None:
    features, signal, task, train = related(m=15)
    model = MultiTaskAlignedRegressorCV(random_state=0)
    model.fit(features[train], signal[train], task=task[train])
    alone = per_task(RidgeCV(np.geomspace(0.1, 100, 9)), features, signal, task, train)
    score = model.score(features[~train], signal[~train], task=task[~train])
    assert score > r2_score(signal[~train], alone) + 0.2


def test_unrelated_tasks_do_not_share() -> None:
    features, signal, task, train = related(m=40, d=10, k=4, spread=30.0)
    model = MultiTaskAlignedClassifierCV(random_state=0)
    model.fit(features[train], signal[train] > 0, task=task[train])
    assert shares(model, sharing=0.95) + shares(model, sharing=1.0) < 0.01
    alone = per_task(LOGISTIC, features, signal > 0, task, train)
    score = model.score(features[~train], signal[~train] > 0, task=task[~train])
    assert score > np.mean(alone == (signal[~train] > 0)) - 0.01


def test_opposed_labels_do_no_harm() -> None:
    gains = []
    for seed in range(5):
        features, signal, task, train = related(m=40, k=2, spread=0.0, seed=seed)
        y = (signal > 0) != (task == 1)
        model = MultiTaskAlignedClassifierCV(random_state=0)
        model.fit(features[train], y[train], task=task[train])
        alone = per_task(LOGISTIC, features, y, task, train)
        score = model.score(features[~train], y[~train], task=task[~train])
        gains.append(score - np.mean(alone == y[~train]))
    assert np.mean(gains) > -0.015


def test_what_is_not_linear_is_found() -> None:
    rng = np.random.default_rng(0)
    features, task = rng.standard_normal((400, 3)), np.repeat([0, 1], 200)
    y = np.abs(features[:, 0]) > 0.7
    train = rng.random(400) < 0.6
    model = MultiTaskAlignedClassifierCV(cv=None, random_state=0)
    model.fit(features[train], y[train], task=task[train])
    assert shares(model, features="relu") > 0.99
    assert model.score(features[~train], y[~train], task=task[~train]) > 0.85


def test_units_of_the_tasks_own_are_aligned() -> None:
    """Every task has measured the same features by another instrument."""
    features, signal, task, train = related(m=40, spread=0.1)
    rng = np.random.default_rng(1)
    gain, offset = np.exp(1.5 * rng.standard_normal((6, 30))), 3 * rng.standard_normal((6, 30))
    measured = features * gain[task] + offset[task] * gain[task]
    y = signal > 0
    scores = {}
    for alignment in ("auto", None):
        model = MultiTaskAlignedClassifierCV(alignment=alignment, random_state=0)
        model.fit(measured[train], y[train], task=task[train])
        scores[alignment] = model.score(measured[~train], y[~train], task=task[~train])
    assert scores["auto"] > scores[None] + 0.1
    model = MultiTaskAlignedClassifierCV(**QUICK).fit(features[train], y[train], task=task[train])
    assert shares(model, features="rescaled") < 0.2


def test_a_trunk_that_helps_is_blended_in() -> None:
    """Two directions out of many: a network finds them, a kernel with few rows does not."""
    rng = np.random.default_rng(0)
    features, task = rng.standard_normal((2500, 30)), rng.integers(0, 2, 2500)
    hidden = features @ rng.standard_normal((30, 2))
    y = np.abs(hidden[:, 0]) > np.abs(hidden[:, 1])
    model = MultiTaskAlignedClassifierCV(penalties=[0.01, 0.1], alignment=None, random_state=0)
    model.fit(features[:1500], y[:1500], task=task[:1500])
    assert (model.network_share_ > 0.5).all()
    with_network = model.score(features[1500:], y[1500:], task=task[1500:])
    model.network_share_ = np.zeros(2)
    assert with_network > model.score(features[1500:], y[1500:], task=task[1500:]) + 0.05


def test_predictions_are_the_blend_that_the_attributes_say() -> None:
    model = MultiTaskAlignedClassifierCV(random_state=0).fit(X, Y, task=TASK)
    model.network_share_ = np.array([0.0, 0.25, 1.0])
    blended = model.predict_proba(X, task=TASK)
    network = model.best_estimator_.predict_proba(X, task=TASK)
    model.network_share_ = np.zeros(3)
    average = model.predict_proba(X, task=TASK)
    share = np.array([0.0, 0.25, 1.0])[TASK][:, None]
    np.testing.assert_allclose(blended, share * network + (1 - share) * average)
    np.testing.assert_allclose(average.sum(axis=1), 1)


def test_shares_of_the_average_follow_from_the_scores() -> None:
    model = MultiTaskAlignedClassifierCV(**QUICK).fit(X, Y, task=TASK)
    table = pd.DataFrame(model.average_results_)
    assert table["share"].sum() == pytest.approx(1)
    principal = table[(table["features"] == "principal") & (table["sharing"] == 0.95)]
    first, second = principal.nlargest(2, "share").to_dict("records")
    # A penalty's logarithm has a normal prior, of deviation 1.2 about that of 0.2.
    log_prior = [-((np.log(model["penalty"] / 0.2) / 1.2) ** 2) / 2 for model in (first, second)]
    odds = np.exp(len(X) * (first["score"] - second["score"]) + log_prior[0] - log_prior[1])
    assert first["share"] / second["share"] == pytest.approx(odds, rel=1e-3)


def test_without_folds_the_network_is_linear_and_only_shown() -> None:
    model = MultiTaskAlignedClassifierCV(**QUICK).fit(X, Y, task=TASK)
    assert not model.network_share_.any()
    assert model.best_estimator_.hidden_layer_sizes == ()
    assert model.alignment_ is None
    expected = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(), alignment=None, alpha=model.alpha_, head_alpha=model.head_alpha_
    ).fit(X, Y, task=TASK)
    found = model.best_estimator_.predict_proba(X, task=TASK)
    np.testing.assert_allclose(found, expected.predict_proba(X, task=TASK), atol=1e-6)


def test_one_penalty_and_no_sharing_of_one_task_is_one_model() -> None:
    """With one task, one penalty and no doubt of the features, the average is the linear model."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((200, 3))
    y = features @ [3.0, 2, 1] + 0.01 * rng.standard_normal(200)
    model = MultiTaskAlignedRegressorCV(penalties=[0.1], cv=None, random_state=0).fit(features, y)
    network = model.best_estimator_.predict(features)
    principal = shares(model, features="principal") + shares(model, features="standard")
    assert principal > 0.99
    np.testing.assert_allclose(model.predict(features), network, atol=0.01)


# Layouts


def test_tasks_of_different_labels() -> None:
    labels = np.where(
        TASK == 0, np.where(Y, "yes", "no"), np.where(X[:, 0] > 0.5, "c", np.where(Y, "b", "a"))
    )
    model = MultiTaskAlignedClassifierCV(**QUICK).fit(X, labels, task=TASK)
    probability = model.predict_proba(X, task=TASK)
    assert model.classes_.tolist() == ["a", "b", "c", "no", "yes"]
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (probability[TASK == 0, :3] == 0).all()
    assert (probability[TASK > 0, 3:] == 0).all()
    assert model.score(X, labels, task=TASK) > 0.8


def test_wide_labels_with_gaps() -> None:
    rng = np.random.default_rng(0)
    labels = np.where(rng.random((len(X), 3)) < 0.3, np.nan, X[:, :3] > 0)
    model = MultiTaskAlignedClassifierCV(penalties=5, random_state=0).fit(X, labels)
    probability, predicted = model.predict_proba(X), model.predict(X)
    np.testing.assert_array_equal(predicted, probability > 0.5)
    known = ~np.isnan(labels)
    right = [np.mean((predicted == labels)[own, t]) for t, own in enumerate(known.T)]
    assert model.score(X, labels) == pytest.approx(np.mean(right))
    assert min(right) > 0.9


def test_wide_labels_of_several_classes() -> None:
    labels = np.column_stack([Y, np.digitize(X[:, 0], [-0.5, 0.5]), X[:, 1] > 0])
    model = MultiTaskAlignedClassifierCV(penalties=5, random_state=0).fit(X, labels)
    probability = model.predict_proba(X)
    assert [of_task.shape[1] for of_task in probability] == [2, 3, 2]
    for of_task in probability:
        np.testing.assert_allclose(of_task.sum(axis=1), 1)
    assert model.score(X, labels) > 0.8


def test_wide_and_stacked_rows_give_one_average() -> None:
    """Nearly: what one label of a row says of another is left out only where they are known to be
    of one row."""
    labels = (X[:, :3] > 0).astype(int)
    wide = MultiTaskAlignedClassifierCV(**QUICK, alignment=None).fit(X, labels)
    stacked = MultiTaskAlignedClassifierCV(**QUICK, alignment=None)
    task = np.repeat([0, 1, 2], len(X))
    stacked.fit(np.tile(X, (3, 1)), labels.T.ravel(), task=task)
    found = stacked.predict_proba(np.tile(X, (3, 1)), task=task)[:, 1]
    np.testing.assert_allclose(found, wide.predict_proba(X).T.ravel(), atol=1e-3)


def test_groups_of_tasks_share_nothing() -> None:
    other = np.where(TASK == 2, 1 - Y, Y)
    groups = {0: "a", 1: "a", 2: "b"}
    one = MultiTaskAlignedClassifierCV(**QUICK, task_groups=groups).fit(X, Y, task=TASK)
    two = MultiTaskAlignedClassifierCV(**QUICK, task_groups=groups).fit(X, other, task=TASK)
    own = TASK < 2
    np.testing.assert_allclose(
        one.predict_proba(X[own], task=TASK[own]), two.predict_proba(X[own], task=TASK[own])
    )


def test_a_task_column_and_scikit_learns_tools() -> None:
    frame = pd.DataFrame(X, columns=list("abcde")).assign(shop=np.array(["n", "s", "w"])[TASK])
    folds = TaskStratifiedKFold(2, random_state=0, task_column="shop")
    search = MultiTaskAlignedClassifierCV(task_column="shop", **QUICK)
    pipeline = make_pipeline(keep_task(StandardScaler(), task_column="shop"), search)
    assert cross_val_score(pipeline, frame, Y, cv=folds, scoring="roc_auc").min() > 0.7
    grid = GridSearchCV(search, {"penalties": [3, 5]}, cv=folds).fit(frame, Y)
    assert grid.best_score_ > 0.7
    fitted = grid.best_estimator_
    assert fitted.feature_names_in_.tolist() == [*"abcde", "shop"]
    assert fitted.tasks_.tolist() == ["n", "s", "w"]
    assert fitted.transform(frame).shape == (len(X), len(fitted.get_feature_names_out()))


@pytest.mark.parametrize("stored", [None, "pickle", "save"])
@pytest.mark.parametrize("kind", ["labels", "values", "wide"])
def test_a_task_that_the_network_learns_later_changes_nothing(
    kind: str, stored: str | None, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    cls = MultiTaskAlignedRegressorCV if kind == "values" else MultiTaskAlignedClassifierCV
    # Labels of which the new ones come first, so that the columns of probabilities would move.
    several = np.array(["k", "m", "z"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    y = {"labels": several, "values": X[:, 0], "wide": np.column_stack([Y, X[:, 1] > 0])}[kind]
    told = {} if kind == "wide" else {"task": np.array(["n", "s", "w"])[TASK]}
    new_y = np.where(rng.random(len(X)) > 0.5, "a", "b") if kind == "labels" else X[:, 1] > 0
    model = cls(**QUICK).fit(X, y, **told)
    model.network_share_ = np.full(len(model.tasks_), 0.5)
    ask = "predict" if kind == "values" else "predict_proba"
    before = [getattr(model, ask)(X, **told), model.transform(X, **told)]
    score, tasks = model.score(X, y, **told), model.tasks_

    network = model.best_estimator_.add_task(X, new_y, task=7 if kind == "wide" else "new")
    if stored == "pickle":
        model = pickle.loads(pickle.dumps(model))
    elif stored == "save":
        model.save(tmp_path / "model")
        model = cls.load(tmp_path / "model")
    after = [getattr(model, ask)(X, **told), model.transform(X, **told)]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.score(X, y, **told) == score
    np.testing.assert_array_equal(model.tasks_, tasks)
    assert len(network.tasks_) == len(model.best_estimator_.tasks_) == len(tasks) + 1
    if told:
        with pytest.raises(ValueError, match=r"Unseen task ids \['new'\]"):
            model.predict(X, task=["new"] * len(X))


# Invariances


def test_names_and_order_do_not_matter() -> None:
    model = MultiTaskAlignedClassifierCV(**QUICK).fit(X, Y, task=TASK)
    order = np.random.default_rng(0).permutation(len(X))
    names = np.array(["t2", "t0", "t1"])[TASK]
    labels = np.where(Y, "b", "a")
    other = MultiTaskAlignedClassifierCV(**QUICK).fit(X[order], labels[order], task=names[order])
    # The landmarks of the kernel are all rows: their order does not matter either.
    np.testing.assert_allclose(
        other.predict_proba(X, task=names), model.predict_proba(X, task=TASK), atol=1e-5
    )


def test_a_weight_of_zero_is_no_row() -> None:
    weight = np.where(np.arange(len(X)) % 5, 1.0, 0.0)
    kept = weight > 0
    one = MultiTaskAlignedRegressorCV(penalties=5, random_state=0)
    one.fit(X, X[:, 0], task=TASK, sample_weight=weight)
    two = MultiTaskAlignedRegressorCV(penalties=5, random_state=0)
    two.fit(X[kept], X[kept, 0], task=TASK[kept])
    np.testing.assert_array_equal(one.predict(X, task=TASK), two.predict(X, task=TASK))


def test_random_state_decides_and_the_callers_is_left_alone() -> None:
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # type: ignore[index]  # noqa: NPY002
    one = MultiTaskAlignedClassifierCV(penalties=4, random_state=3).fit(X, Y, task=TASK)
    two = MultiTaskAlignedClassifierCV(penalties=4, random_state=3, n_jobs=2).fit(X, Y, task=TASK)
    np.testing.assert_array_equal(one.predict_proba(X, task=TASK), two.predict_proba(X, task=TASK))
    assert (np.random.get_state()[1] == before).all()  # type: ignore[index]  # noqa: NPY002


# Corners


def test_a_row_a_task() -> None:
    model = MultiTaskAlignedClassifierCV(random_state=0)
    model.fit(X[[0, 20, 40]], [0, 1, 0], task=[0, 1, 2])
    assert np.isfinite(model.predict_proba(X, task=TASK)).all()


def test_a_task_of_no_weight() -> None:
    weight = {0: 1.0, 1: 1.0, 2: 0.0}
    model = MultiTaskAlignedClassifierCV(task_weight=weight, random_state=0)
    model.fit(X + 5 * (TASK == 1)[:, None], Y, task=TASK)
    assert np.isfinite(model.predict_proba(X, task=TASK)).all()
    assert model.score(X[TASK == 2], Y[TASK == 2], task=TASK[TASK == 2]) > 0.6


def test_one_class() -> None:
    model = MultiTaskAlignedClassifierCV(random_state=0).fit(X, np.zeros(len(X)), task=TASK)
    assert (model.predict(X, task=TASK) == 0).all()


def test_constant_features_and_targets() -> None:
    model = MultiTaskAlignedRegressorCV(random_state=0)
    model.fit(np.ones((30, 2)), np.repeat([1.0, 2, 3], 10), task=np.repeat([0, 1, 2], 10))
    np.testing.assert_allclose(model.predict([[1, 1]] * 3, task=[0, 1, 2]), [1, 2, 3], atol=1e-3)
