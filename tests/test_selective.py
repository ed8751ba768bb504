"""Selective transfer: what is held out, what is chosen, and what comes out, by hand."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import make_tasks
from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedRegressor,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
)
from sk_mtl._blending import of_probabilities, posterior_weights
from sk_mtl.model_selection import TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task

X, Y, TASK = make_tasks(rows=15)
FAST: dict[str, Any] = {"hidden_layer_sizes": (), "alignment": None}
MULTI = MultiTaskAlignedClassifier(**FAST)
ALONE = LogisticRegression()


def opposed() -> tuple[Any, Any, Any]:
    """Ten small tasks that agree, and a larger one whose labels mean the opposite."""
    rng = np.random.default_rng(0)
    rows, task = rng.standard_normal((400, 40)), np.repeat(list("abcdefghijk"), [30] * 10 + [100])
    y = (rows[:, 0] + 0.2 * rng.standard_normal(400) > 0) != (task == "k")
    return rows, np.where(y, "yes", "no"), task


def test_gains_and_weights_are_those_of_held_out_rows() -> None:
    folds = list(TaskStratifiedKFold(3, random_state=0).split(X, Y, task=TASK))
    model = SelectiveTransferClassifier(MULTI, ALONE, cv=folds).fit(X, Y, task=TASK)
    multi, single = np.empty(len(Y)), np.empty(len(Y))
    for train, test in folds:
        joint = clone(MULTI).fit(X[train], Y[train], task=TASK[train])
        multi[test] = joint.predict_proba(X[test], task=TASK[test])[np.arange(len(test)), Y[test]]
        for t in range(3):
            mine, its = train[TASK[train] == t], test[TASK[test] == t]
            alone = clone(ALONE).fit(X[mine], Y[mine])
            single[its] = alone.predict_proba(X[its])[np.arange(len(its)), Y[its]]
    gain = np.log(multi) - np.log(single)
    shares = np.linspace(0, 1, 11)
    likelihood = np.empty((3, 11))
    for t in range(3):
        own = t == TASK
        assert model.transfer_gain_[t] == pytest.approx(gain[own].mean())
        expected = gain[own].std(ddof=1) / np.sqrt(own.sum())
        assert model.transfer_gain_se_[t] == pytest.approx(expected)
        likelihood[t] = of_probabilities(shares, multi[own], single[own], np.ones(own.sum()))
    expected = posterior_weights(likelihood) @ shares
    np.testing.assert_allclose(model.weight_, expected, atol=0.0051)  # rounded to two digits


def test_probabilities_are_the_blend_of_both_models() -> None:
    model = SelectiveTransferClassifier(MULTI, ALONE, random_state=0).fit(X, Y, task=TASK)
    probability = model.predict_proba(X, task=TASK)
    joint = clone(MULTI).fit(X, Y, task=TASK).predict_proba(X, task=TASK)
    for t in range(3):
        own, share = t == TASK, model.weight_[t]
        alone = clone(ALONE).fit(X[own], Y[own]).predict_proba(X[own])
        np.testing.assert_allclose(probability[own], share * joint[own] + (1 - share) * alone)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X, task=TASK), probability.argmax(axis=1))
    assert model.score(X, Y, task=TASK) == np.mean(probability.argmax(axis=1) == Y)


@pytest.mark.parametrize("blend", [True, False])
def test_a_task_that_the_others_harm_goes_its_own_way(blend: bool) -> None:
    rows, y, task = opposed()
    pooled = MultiTaskAlignedClassifier(**FAST, head_alpha=1e6)  # one head: no way out
    model = SelectiveTransferClassifier(pooled, ALONE, blend=blend, random_state=0)
    model.fit(rows, y, task=task)
    assert model.choice_[10] == "single_task"
    assert model.weight_[10] == 0
    assert model.weight_[:10].mean() > 0.75
    assert model.transfer_gain_[10] < -4 * model.transfer_gain_se_[10]
    if not blend:
        assert set(model.weight_) == {0.0, 1.0}
        assert set(model.choice_) == {"single_task", "multi_task"}
    assert model.score(rows, y, task=task) > 0.8
    assert pooled.fit(rows, y, task=task).score(rows, y, task=task) < 0.75


def test_every_way_to_name_tasks_is_the_same() -> None:
    by_keyword = SelectiveTransferClassifier(MULTI, ALONE, random_state=0).fit(X, Y, task=TASK)
    expected = by_keyword.predict_proba(X, task=TASK)
    table = np.column_stack([X, TASK])
    frame = pd.DataFrame(X, columns=list("abcde")).assign(shop=TASK)
    named = clone(MULTI).set_params(task_column="shop")
    behind = make_pipeline(clone(MULTI).set_params(task_column=-1))
    for rows, multi, column in (
        (table, MULTI, -1),
        (table, clone(MULTI).set_params(task_column=-1), -1),
        (table, behind, -1),
        (frame, MULTI, "shop"),
        (frame, named, "shop"),
        (frame, named, None),  # it is enough that multi_task says so
    ):
        model = SelectiveTransferClassifier(multi, ALONE, task_column=column, random_state=0)
        model.fit(rows, Y)
        np.testing.assert_allclose(model.predict_proba(rows), expected)
        assert model.n_features_in_ == 6
        assert model.single_task_[0].n_features_in_ == 5  # it does not see the task column
    assert model.feature_names_in_.tolist() == [*"abcde", "shop"]


def test_a_wide_y_with_gaps() -> None:
    rng = np.random.default_rng(0)
    wide = np.where(rng.random((len(X), 3)) < 0.3, np.nan, X[:, :3] + X[:, 3:4] > 0)
    model = SelectiveTransferClassifier(MULTI, ALONE, random_state=0).fit(X, wide)
    probability = model.predict_proba(X)
    assert probability.shape == (len(X), 3)
    joint = clone(MULTI).fit(X, wide).predict_proba(X)
    for t in range(3):
        known = ~np.isnan(wide[:, t])
        alone = clone(ALONE).fit(X[known], wide[known, t]).predict_proba(X)[:, 1]
        share = model.weight_[t]
        np.testing.assert_allclose(
            probability[:, t], share * joint[:, t] + (1 - share) * alone, atol=1e-6
        )
    np.testing.assert_array_equal(model.predict(X), probability > 0.5)
    assert 0.7 < model.score(X, wide) < 1

    colours = np.array(["red", "green", "blue"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    two = pd.DataFrame({"colour": colours, "yes": np.where(X[:, 1] > 0, "y", "n")})
    model.fit(X, two)
    of_colour, of_yes = model.predict_proba(X)
    assert of_colour.shape == (len(X), 3)
    assert of_yes.shape == (len(X), 2)
    assert model.predict(X)[0].tolist() == [
        model.classes_[0][of_colour[0].argmax()],
        model.classes_[1][of_yes[0].argmax()],
    ]


def test_a_column_that_a_fold_leaves_alone() -> None:
    """Two columns, one with labels in few rows: a fold may have none of them to train on."""
    wide = np.column_stack([Y, np.where(np.arange(len(Y)) < 2, Y, np.nan)]).astype(float)
    wide[:2, 1] = [0, 1]
    model = SelectiveTransferClassifier(MULTI, ALONE, cv=KFold(2)).fit(X, wide)
    assert model.transfer_gain_[1] == 0
    assert model.transfer_gain_se_[1] == np.inf
    assert np.isfinite(model.predict_proba(X)).all()


def test_the_multi_task_model_is_asked_once_for_all_tasks() -> None:
    """Not once for each: of a wide y it would compute all columns every time."""
    asked: list[int] = []

    class Counted(MultiTaskAlignedClassifier):
        def predict_proba(self, X: Any, task: Any = None) -> Any:
            asked.append(len(X))
            return super().predict_proba(X, task=task)

    wide = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X[:, 2] > 0]).astype(float)
    model = SelectiveTransferClassifier(Counted(**FAST), ALONE, cv=3, random_state=0)
    for arguments in ({"y": wide}, {"y": Y, "task": TASK}):
        asked.clear()
        model.fit(X, **arguments)
        assert asked == [30, 30, 30]  # the folds
        model.weight_ = np.array([0.5, 0.5, 0.0])
        model.predict_proba(X, task=arguments.get("task"))
        assert asked[3:] == [90]


def test_labels_of_their_own_and_a_task_with_one_class() -> None:
    y = np.array(["a", "b", "c", "d"])[np.where(TASK == 1, 2 + Y, Y)]
    y[TASK == 2] = "a"
    model = SelectiveTransferClassifier(MULTI, ALONE, random_state=0).fit(X, y, task=TASK)
    assert model.classes_.tolist() == ["a", "b", "c", "d"]
    assert model.choice_[2] == "multi_task"
    assert model.weight_[2] == 1
    assert model.single_task_[2] is None
    probability = model.predict_proba(X, task=TASK)
    np.testing.assert_allclose(probability.sum(axis=1), 1)
    assert (probability[TASK == 1][:, :2] == 0).all()
    assert (model.predict(X, task=TASK)[TASK == 2] == "a").mean() > 0.8


def test_any_classifier_may_stand_for_a_task_alone() -> None:
    forest = RandomForestClassifier(20, random_state=0)
    rng = np.random.default_rng(0)
    rows, task = rng.standard_normal((300, 4)), np.repeat([0, 1, 2], 100)
    y = np.abs(rows[:, 1]) > 0.6  # not linear: the forest's business
    model = SelectiveTransferClassifier(MULTI, forest, cv=3, random_state=0).fit(rows, y, task=task)
    assert (model.weight_ < 0.5).all()
    assert model.score(rows, y, task=task) > 0.9


def test_by_default_a_task_alone_is_the_same_recipe() -> None:
    model = SelectiveTransferClassifier(MULTI, cv=2, random_state=0).fit(X, Y, task=TASK)
    own = TASK == 1
    expected = clone(MULTI).fit(X[own], Y[own]).predict_proba(X[own])
    np.testing.assert_allclose(model.single_task_[1].predict_proba(X[own]), expected)
    default = SelectiveTransferClassifier(cv=2, random_state=0).fit(X, Y, task=TASK)
    assert isinstance(default.multi_task_, MultiTaskAlignedClassifier)


def test_tasks_of_weight_zero_are_not_there() -> None:
    weight = np.where(TASK == 1, 0.0, 2.0)
    kept = TASK != 1
    folds = list(TaskStratifiedKFold(2, random_state=0).split(X, Y, task=TASK))
    model = SelectiveTransferClassifier(MULTI, ALONE, cv=3, random_state=0)
    weighted = clone(model).fit(X, Y, task=TASK, sample_weight=weight)
    removed = clone(model).fit(X[kept], Y[kept], task=TASK[kept], sample_weight=weight[kept])
    assert weighted.tasks_.tolist() == [0, 2]
    np.testing.assert_array_equal(weighted.weight_, removed.weight_)
    by_hand = clone(model).set_params(cv=folds).fit(X, Y, task=TASK, sample_weight=weight)
    assert by_hand.tasks_.tolist() == [0, 2]


def test_in_pipelines_and_searches() -> None:
    table = np.column_stack([X, TASK])
    selective = SelectiveTransferClassifier(MULTI, ALONE, cv=2, task_column=-1, random_state=0)
    pipeline = make_pipeline(keep_task(StandardScaler()), selective)
    grid = {"selectivetransferclassifier__multi_task__alpha": [0.1, 10.0]}
    search = GridSearchCV(pipeline, grid, scoring=["accuracy", "neg_log_loss"], refit="accuracy")
    search.set_params(cv=TaskStratifiedKFold(2, random_state=0, task_column=-1)).fit(table, Y)
    assert len(set(search.cv_results_["mean_test_neg_log_loss"])) == 2
    assert search.score(table, Y) > 0.6
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict_proba(table), search.predict_proba(table))


def test_folds_in_parallel_give_the_same() -> None:
    one, two = (
        SelectiveTransferClassifier(MULTI, ALONE, cv=2, n_jobs=n, random_state=0).fit(
            X, Y, task=TASK
        )
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one.weight_, two.weight_)
    np.testing.assert_array_equal(one.transfer_gain_, two.transfer_gain_)


def test_values_are_blended_too() -> None:
    rng = np.random.default_rng(1)
    rows, task = rng.standard_normal((120, 4)), np.repeat([0, 1, 2], 40)
    y = rows[:, 0] * np.array([1.0, 1.0, -1.0])[task] + 5 * task + 0.3 * rng.standard_normal(120)
    multi, alone = MultiTaskAlignedRegressor(**FAST, head_alpha=1e6), Ridge()
    folds = list(KFold(4, shuffle=True, random_state=0).split(rows))
    model = SelectiveTransferRegressor(multi, alone, cv=folds).fit(rows, y, task=task)
    errors = np.empty((2, 120))
    for train, test in folds:
        joint = clone(multi).fit(rows[train], y[train], task=task[train])
        errors[0, test] = (joint.predict(rows[test], task=task[test]) - y[test]) ** 2
        for t in range(3):
            mine, its = train[task[train] == t], test[task[test] == t]
            errors[1, its] = (
                clone(alone).fit(rows[mine], y[mine]).predict(rows[its]) - y[its]
            ) ** 2
    for t in range(3):
        expected = (errors[1] - errors[0])[task == t].mean() / y[task == t].var()
        assert model.transfer_gain_[t] == pytest.approx(expected)
    assert model.choice_[2] == "single_task"
    joint = clone(multi).fit(rows, y, task=task).predict(rows, task=task)
    for t in range(3):
        own, share = task == t, model.weight_[t]
        by_hand = share * joint[own] + (1 - share) * Ridge().fit(rows[own], y[own]).predict(
            rows[own]
        )
        np.testing.assert_allclose(model.predict(rows[own], task=task[own]), by_hand)

    wide = np.where(rng.random((120, 2)) < 0.2, np.nan, rows[:, :2])
    model = SelectiveTransferRegressor(multi, alone, cv=3, random_state=0).fit(rows, wide)
    assert model.predict(rows).shape == (120, 2)
    assert model.score(rows, wide) > 0.9
    assert model.weight_[0] < 0.5  # one head for both columns cannot be right


def test_blends_are_chosen_by_a_score_of_the_users() -> None:
    """One model ranks the rows, the other is calibrated and ranks them at random."""
    rng = np.random.default_rng(0)
    rows, task = rng.standard_normal((600, 3)), np.repeat([0, 1, 2], 200)
    y = rng.random(600) < 1 / (1 + np.exp(2.5 - rows[:, 0]))

    class Loud(LogisticRegression):
        def predict_proba(self, X: Any) -> Any:
            good = 1 / (1 + np.exp(-8 * X[:, 0]))  # the right order, wildly overconfident
            return np.column_stack([1 - good, good])

    class Dull(MultiTaskAlignedClassifier):
        def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Any:
            return super().fit(X[:, 1:], y, task=task)

        def predict_proba(self, X: Any, task: Any = None) -> Any:
            return super().predict_proba(X[:, 1:], task=task)

    dull = Dull(**FAST)
    folds = list(TaskStratifiedKFold(4, random_state=0).split(rows, y, task=task))
    by_likelihood = SelectiveTransferClassifier(dull, Loud(), cv=folds).fit(rows, y, task=task)
    by_rank = clone(by_likelihood).set_params(scoring="roc_auc").fit(rows, y, task=task)
    assert (by_likelihood.weight_ > 0.5).all()
    assert (by_rank.weight_ < by_likelihood.weight_).all()
    assert (by_rank.choice_ != "multi_task").all()
    expected = np.zeros(3)
    for train, test in folds:
        joint = clone(dull).fit(rows[train], y[train], task=task[train])
        for t in range(3):
            its = test[task[test] == t]
            multi = joint.predict_proba(rows[its], task=task[its])[:, 1]
            alone = roc_auc_score(y[its], rows[its, 0])
            expected[t] += (roc_auc_score(y[its], multi) - alone) * len(its) / 200
    np.testing.assert_allclose(by_rank.transfer_gain_, expected, atol=1e-6)


def test_folds_without_a_class_have_no_score() -> None:
    y = np.where(np.arange(len(Y)) % 15 == 0, "rare", "often")
    model = SelectiveTransferClassifier(MULTI, ALONE, scoring="roc_auc", cv=5, random_state=0)
    model.fit(X, y, task=TASK)
    assert np.isfinite(model.transfer_gain_).all()
    assert model.score(X, y, task=TASK) > 0.9


def test_values_by_a_score() -> None:
    rng = np.random.default_rng(0)
    rows, task = rng.standard_normal((120, 4)), np.repeat([0, 1], 60)
    y = rows[:, 0] * np.where(task == 1, -1, 1)
    pooled = MultiTaskAlignedRegressor(**FAST, head_alpha=1e6)
    model = SelectiveTransferRegressor(pooled, Ridge(), scoring="r2", random_state=0)
    assert model.fit(rows, y, task=task).choice_.tolist() == ["single_task"] * 2
    assert (model.transfer_gain_ < -0.5).all()


@pytest.mark.parametrize(
    ("settings", "arguments", "message"),
    [
        ({"multi_task": ALONE}, {"task": TASK}, r"LogisticRegression\(\) does not take task="),
        ({"task_column": 0}, {"task": TASK}, "Tasks are named twice"),
        ({"task_column": 9}, {}, "out of range"),
        (
            {"multi_task": make_pipeline(MultiTaskAlignedClassifier(task_column=-1))},
            {},
            r"Pass task_column= here as well",
        ),
        ({}, {"task": TASK[:5]}, "5 entries for 90 rows"),
        ({}, {"task": TASK, "y": np.column_stack([Y, Y])}, "2 columns, which are tasks"),
        ({}, {"y": np.column_stack([Y, np.full(len(Y), np.nan)])}, r"\[1\] have no labelled row"),
        ({}, {"y": np.where(np.arange(len(Y)) < 3, np.nan, Y)}, "Input y contains NaN"),
        ({}, {"sample_weight": np.zeros(len(Y))}, "zero"),
        ({"cv": 1}, {}, "cv"),
        ({"scoring": "nonsense"}, {}, "'scoring' parameter"),
        ({"blend": "yes"}, {}, "'blend' parameter"),
        ({"single_task": 3}, {}, "'single_task' parameter"),
    ],
)
def test_what_is_refused(settings: Any, arguments: Any, message: str) -> None:
    model = SelectiveTransferClassifier(**{"multi_task": MULTI, "single_task": ALONE} | settings)
    with pytest.raises(ValueError, match=message):
        model.fit(**{"X": X, "y": Y} | arguments)


def test_unseen_tasks_are_refused() -> None:
    model = SelectiveTransferClassifier(MULTI, ALONE, cv=2).fit(X, Y, task=TASK)
    with pytest.raises(ValueError, match="Unseen task ids"):
        model.predict(X[:1], task=[7])
    with pytest.raises(ValueError, match="no task was named"):
        model.predict(X)


def test_gains_of_a_score_are_those_of_the_folds() -> None:
    folds = list(TaskStratifiedKFold(3, random_state=0).split(X, Y, task=TASK))
    model = SelectiveTransferClassifier(MULTI, ALONE, cv=folds, scoring="accuracy").fit(
        X, Y, task=TASK
    )
    gain, n_rows = np.zeros((2, 3, 3))
    for f, (train, test) in enumerate(folds):
        multi = clone(MULTI).fit(X[train], Y[train], task=TASK[train])
        for t in range(3):
            own, held_out = train[TASK[train] == t], test[TASK[test] == t]
            alone = clone(ALONE).fit(X[own], Y[own])
            gain[f, t] = multi.score(X[held_out], Y[held_out], task=TASK[held_out])
            gain[f, t] -= alone.score(X[held_out], Y[held_out])
            n_rows[f, t] = len(held_out)
    expected = np.average(gain, axis=0, weights=n_rows)
    np.testing.assert_allclose(model.transfer_gain_, expected, atol=1e-12)
