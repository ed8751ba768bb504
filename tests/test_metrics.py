"""Scores task by task: scikit-learn's metrics on the rows of each task are the oracle."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    log_loss,
    mean_squared_error,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.metadata_routing import get_routing_for_object

from helpers import N_TASKS, make_tasks
from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
)
from sk_mtl.metrics import TaskScorer
from sk_mtl.model_selection import LeaveOneTaskOut, TaskStratifiedKFold

SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "random_state": 0}
X, Y, TASK = make_tasks()


@pytest.fixture(scope="module")
def model() -> Any:
    return MultiTaskAlignedClassifier(**SMALL).fit(X, Y, task=TASK)


def by_task(metric: Callable[..., float], y: Any, values: Any, **settings: Any) -> dict[Any, Any]:
    """The metric of each task's rows; settings are split as the rows are."""
    return {
        t: metric(y[t == TASK], values[t == TASK], **{k: v[t == TASK] for k, v in settings.items()})
        for t in range(N_TASKS)
    }


@pytest.mark.parametrize("metric", [accuracy_score, balanced_accuracy_score])
def test_scores_of_labels(metric: Any, model: Any) -> None:
    expected = by_task(metric, Y, model.predict(X, task=TASK))
    assert len(set(expected.values())) == N_TASKS
    assert TaskScorer(metric, average=None)(model, X, Y, task=TASK) == expected
    mean = TaskScorer(metric)(model, X, Y, task=TASK)
    assert mean == pytest.approx(np.mean(list(expected.values())))
    worst = TaskScorer(metric, average="worst")(model, X, Y, task=TASK)
    assert worst == min(expected.values())


@pytest.mark.parametrize(
    "metric", [roc_auc_score, average_precision_score, brier_score_loss, log_loss]
)
def test_scores_of_probabilities(metric: Any, model: Any) -> None:
    """Of the second class, whatever the labels are called."""
    expected = by_task(metric, Y, model.predict_proba(X, task=TASK)[:, 1])
    scorer = TaskScorer(metric, response_method="predict_proba", average=None)
    assert scorer(model, X, Y, task=TASK) == pytest.approx(expected)
    names = np.array(["no", "yes"])[Y]
    named = clone(model).fit(X, names, task=TASK)
    assert scorer(named, X, names, task=TASK) == pytest.approx(expected)


@pytest.mark.parametrize("kind", [int, bool, str])
def test_labels_in_objects(kind: Any, model: Any) -> None:
    """scikit-learn's metrics take strings of these alone."""
    labels = Y.astype(kind)
    fitted = clone(model).fit(X, labels, task=TASK)
    for metric, response in [(accuracy_score, "predict"), (roc_auc_score, "predict_proba")]:
        scorer = TaskScorer(metric, response_method=response, average=None)
        assert scorer(fitted, X, labels.astype(object), task=TASK) == scorer(model, X, Y, task=TASK)
    mixed = np.column_stack([labels.astype(object), Y.astype(str)])
    fitted.fit(X, mixed)
    right = np.mean(fitted.predict(X) == mixed, axis=0)
    assert TaskScorer(accuracy_score, average=None)(fitted, X, mixed) == dict(enumerate(right))
    with pytest.raises(ValueError, match="have no label"):
        TaskScorer(accuracy_score)(model, X, np.where(Y == 1, None, Y), task=TASK)


def test_the_worst_loss_is_the_largest(model: Any) -> None:
    losses = by_task(log_loss, Y, model.predict_proba(X, task=TASK)[:, 1])
    for average, expected in (
        ("worst", -max(losses.values())),
        ("mean", -np.mean([*losses.values()])),
    ):
        scorer = TaskScorer(
            log_loss, response_method="predict_proba", average=average, greater_is_better=False
        )
        assert scorer(model, X, Y, task=TASK) == pytest.approx(expected)


def test_scores_of_values() -> None:
    y = X[:, 0] + TASK * X[:, 1]
    model = MultiTaskAlignedRegressor(**SMALL).fit(X, y, task=TASK)
    for metric in (r2_score, mean_squared_error):
        expected = by_task(metric, y, model.predict(X, task=TASK))
        assert TaskScorer(metric, average=None)(model, X, y, task=TASK) == pytest.approx(expected)


def test_tasks_in_a_column(model: Any) -> None:
    rows = np.column_stack([TASK, X])
    column = MultiTaskAlignedClassifier(task_column=0, **SMALL).fit(rows, Y)
    scorer = TaskScorer(accuracy_score, average=None, task_column=0)
    expected = TaskScorer(accuracy_score, average=None)(model, X, Y, task=TASK)
    assert scorer(column, rows, Y) == expected
    pooled = LogisticRegression().fit(rows, Y)
    assert scorer(pooled, rows, Y) == by_task(accuracy_score, Y, pooled.predict(rows))


def test_rows_of_all_tasks_in_any_order(model: Any) -> None:
    order = np.random.default_rng(0).permutation(len(X))
    scorer = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)
    shuffled = scorer(model, X[order], Y[order], task=TASK[order])
    assert shuffled == pytest.approx(scorer(model, X, Y, task=TASK))


# ---- Tasks of different classes -----------------------------------------------------------------


def test_classes_of_other_tasks_do_not_count() -> None:
    """A task of two classes is scored as such, one of three by its three columns."""
    X, y, task = make_tasks(3)
    y = np.where(task == 0, 2 * (y % 2), y)
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, y, task=task)
    probability = model.predict_proba(X, task=task)
    for metric in (log_loss, partial(roc_auc_score, multi_class="ovo")):
        expected = {0: metric(y[task == 0] // 2, probability[task == 0, 2])}
        expected |= {t: metric(y[task == t], probability[task == t]) for t in (1, 2)}
        scorer = TaskScorer(metric, response_method="predict_proba", average=None)
        assert scorer(model, X, y, task=task) == pytest.approx(expected)


def test_a_metric_is_told_the_classes_that_the_rows_do_not_show() -> None:
    X, y, task = make_tasks(3)
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, y, task=task)
    probability = model.predict_proba(X, task=task)
    part = (task > 0) | (y == 2)  # of task 0 the rows of one class
    scorer = TaskScorer(log_loss, response_method="predict_proba", average=None)
    found = scorer(model, X[part], y[part], task=task[part])
    assert found[0] == pytest.approx(-np.log(probability[(task == 0) & part, 2]).mean())
    several = partial(roc_auc_score, multi_class="ovr")
    found = TaskScorer(several, response_method="predict_proba", average=None)(
        model, X, y, task=task
    )
    assert found[1] == pytest.approx(several(y[task == 1], probability[task == 1]))


class Fixed(ClassifierMixin, BaseEstimator):
    """Sure of class 0, whatever the row; knows three classes."""

    def fit(self, X: Any, y: Any) -> Any:
        self.classes_ = np.arange(3)
        return self

    def predict_proba(self, X: Any) -> Any:
        return np.tile([1.0, 0.0, 0.0], (len(X), 1))


def test_a_class_that_an_estimator_rules_out_still_counts() -> None:
    """No other model's zero is a class that the task does not have."""
    rows = np.column_stack([np.zeros(4), [0, 0, 1, 1]])
    scorer = TaskScorer(log_loss, response_method="predict_proba", average=None, task_column=-1)
    found = scorer(Fixed().fit(rows, None), rows, np.array([0, 0, 0, 1]))
    impossible = log_loss([0, 1], [[1, 0], [1, 0]])
    assert found == pytest.approx({0: np.nan, 1: impossible}, nan_ok=True)
    forest = RandomForestClassifier(5, random_state=0).fit(rows, [0, 0, 0, 1])
    assert scorer(forest, rows[:2], np.array([0, 0])) == pytest.approx({0: 0})


# ---- Tasks without a score ----------------------------------------------------------------------


def test_a_task_on_which_the_metric_is_not_defined(model: Any) -> None:
    rows = (TASK > 0) | (Y == 1)
    settings: dict[str, Any] = {"response_method": "predict_proba"}
    each = TaskScorer(roc_auc_score, average=None, **settings)(
        model, X[rows], Y[rows], task=TASK[rows]
    )
    expected = by_task(roc_auc_score, Y, model.predict_proba(X, task=TASK)[:, 1])
    assert each == pytest.approx(expected | {0: np.nan}, nan_ok=True)
    for average, combine in (("mean", np.mean), ("worst", np.min)):
        scorer = TaskScorer(roc_auc_score, average=average, **settings)
        found = scorer(model, X[rows], Y[rows], task=TASK[rows])
        assert found == pytest.approx(combine([expected[1], expected[2]]))
        one_class = Y == 1
        nothing = scorer(model, X[one_class], Y[one_class], task=TASK[one_class])
        assert np.isnan(nothing)


def test_a_task_without_rows_in_a_fold_has_a_score_that_is_missing() -> None:
    rows = np.vstack([np.column_stack([X, TASK]), np.column_stack([X[:2], [9, 9]])])
    y = np.append(Y, [0, 1])
    pipeline = make_pipeline(MultiTaskAlignedClassifier(task_column=-1, **SMALL))
    cv = TaskStratifiedKFold(3, random_state=0, task_column=-1)
    for folds in (list(cv.split(rows, y)), list(cv.split(rows, y))[::-1]):
        scorer = TaskScorer(accuracy_score, average=None, task_column=-1)
        found = cross_validate(pipeline, rows, y, cv=folds, scoring=scorer, error_score="raise")
        absent = [9 not in rows[test, -1] for _, test in folds]
        assert sum(absent) == 1
        assert np.isnan(found["test_9"]).tolist() == absent
        assert not np.isnan(found["test_0"]).any()


def test_scores_of_an_estimator_that_does_not_know_tasks_need_them_in_every_fold() -> None:
    rows = np.column_stack([X, TASK])
    settings: dict[str, Any] = {"cv": LeaveOneTaskOut(task_column=-1)}
    with pytest.raises(KeyError, match=r"no score of task 0, but of \[1\]"):
        cross_validate(
            LogisticRegression(),
            rows,
            Y,
            scoring=TaskScorer(accuracy_score, average=None, task_column=-1),
            **settings,
        )
    found = cross_validate(
        LogisticRegression(),
        rows,
        Y,
        scoring=TaskScorer(accuracy_score, task_column=-1),
        **settings,
    )
    for t in range(N_TASKS):
        alone = LogisticRegression().fit(rows[t != TASK], Y[t != TASK])
        assert found["test_score"][t] == alone.score(rows[t == TASK], Y[t == TASK])


# ---- Wide y -------------------------------------------------------------------------------------


def wide(gaps: float) -> Any:
    rng = np.random.default_rng(0)
    labels = (X[:, :3] + rng.standard_normal((len(X), 3)) > 0).astype(float)
    labels[rng.random(labels.shape) < gaps] = np.nan
    return labels


def test_gaps_are_left_out() -> None:
    labels = wide(0.5)
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, labels)
    there = ~np.isnan(labels)
    probability, guess = model.predict_proba(X), model.predict(X)
    auc = {t: roc_auc_score(labels[m, t], probability[m, t]) for t, m in enumerate(there.T)}
    right = {t: np.mean(labels[m, t] == guess[m, t]) for t, m in enumerate(there.T)}
    scorer = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)
    assert scorer(model, X, labels) == pytest.approx(auc)
    assert TaskScorer(accuracy_score, average=None)(model, X, labels) == pytest.approx(right)
    assert TaskScorer(accuracy_score)(model, X, labels) == pytest.approx(model.score(X, labels))
    labels[:, 1] = np.nan
    assert scorer(model, X, labels) == pytest.approx(auc | {1: np.nan}, nan_ok=True)


@pytest.mark.parametrize(
    "baseline",
    [
        OneVsRestClassifier(LogisticRegression()),
        MultiOutputClassifier(LogisticRegression()),
        RandomForestClassifier(10, max_depth=3, random_state=0),
    ],
    ids=lambda baseline: type(baseline).__name__,
)
def test_classifiers_of_scikit_learn_to_compare_with(baseline: Any) -> None:
    """Their probabilities are one array or a list, their classes lists or column numbers."""
    labels = wide(0).astype(int)
    fitted = baseline.fit(X, labels)
    probability = fitted.predict_proba(X)
    if isinstance(probability, list):
        probability = np.stack([of_task[:, 1] for of_task in probability], axis=1)
    scorer = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)
    expected = {t: roc_auc_score(labels[:, t], probability[:, t]) for t in range(3)}
    assert scorer(fitted, X, labels) == pytest.approx(expected)


def test_columns_that_the_estimator_does_not_predict() -> None:
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, wide(0))
    with pytest.raises(ValueError, match="y has 2 columns; the estimator predicts others"):
        TaskScorer(accuracy_score)(model, X, wide(0)[:, :2])


# ---- Weights and searches -----------------------------------------------------------------------


WEIGHT = np.random.default_rng(1).uniform(0.1, 3, len(X))


def test_weights_of_rows(model: Any) -> None:
    guess = model.predict(X, task=TASK)
    expected = by_task(accuracy_score, Y, guess, sample_weight=WEIGHT)
    assert expected != pytest.approx(by_task(accuracy_score, Y, guess))
    scorer = TaskScorer(accuracy_score, average=None)
    assert scorer(model, X, Y, task=TASK, sample_weight=WEIGHT) == pytest.approx(expected)
    labels = wide(0.5)
    there = ~np.isnan(labels[:, 0])
    on_wide = MultiTaskAlignedClassifier(**SMALL).fit(X, labels)
    found = scorer(on_wide, X, labels, sample_weight=WEIGHT)[0]
    right = (on_wide.predict(X)[:, 0] == labels[:, 0])[there]
    assert found == pytest.approx(np.average(right, weights=WEIGHT[there]))


def test_a_search_with_weights_and_several_scorers() -> None:
    rows = np.column_stack([X, TASK])
    model = MultiTaskAlignedClassifier(task_column=-1, **SMALL)
    scoring = {
        average: TaskScorer(accuracy_score, average=average, task_column=-1)
        for average in ("mean", "worst")
    }
    cv = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"head_alpha": [2]}, cv=cv, scoring=scoring, refit="worst")
    search.fit(rows, Y, sample_weight=WEIGHT)
    expected = clone(model).fit(rows, Y, sample_weight=WEIGHT).predict_proba(rows)
    np.testing.assert_array_equal(search.predict_proba(rows), expected)


def test_weights_are_asked_for_on_demand() -> None:
    scorer = TaskScorer(accuracy_score)
    asked = ["task", "sample_weight"]
    assert get_routing_for_object(scorer).consumes("score", asked) == {"task"}
    assert get_routing_for_object(scorer.set_score_request(sample_weight=True)).consumes(
        "score", asked
    ) == set(asked)


def test_a_search_is_scored_as_its_best_estimator() -> None:
    scorer = TaskScorer(accuracy_score, average=None)
    pipeline = make_pipeline(StandardScaler(), MultiTaskAlignedClassifier(**SMALL))
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            pipeline,
            {},
            cv=TaskStratifiedKFold(2, random_state=0),
            scoring=TaskScorer(accuracy_score),
        ).fit(X, Y, task=TASK)
        expected = by_task(accuracy_score, Y, search.best_estimator_.predict(X, task=TASK))
        assert scorer(search, X, Y, task=TASK) == expected


def test_an_estimator_that_tunes_itself_is_scored_as_it_predicts() -> None:
    """Not as its network, which is one part of what it blends."""
    search = MultiTaskAlignedClassifierCV(penalties=3, cv=None, random_state=0)
    search.fit(X, Y, task=TASK)
    probability = search.predict_proba(X, task=TASK)
    assert np.ptp(probability - search.best_estimator_.predict_proba(X, task=TASK)) > 0
    scorer = TaskScorer(log_loss, response_method="predict_proba", average=None)
    assert scorer(search, X, Y, task=TASK) == by_task(log_loss, Y, probability[:, 1])


def test_scorers_say_what_they_miss(model: Any) -> None:
    with pytest.raises(ValueError, match="does not know the tasks of the rows"):
        TaskScorer(accuracy_score)(model, X, Y)
    with pytest.raises(ValueError, match="named twice: task_column=0 and the task= keyword"):
        TaskScorer(accuracy_score, task_column=0)(model, X, Y, task=TASK)
    with pytest.raises(ValueError, match="average must be one of"):
        TaskScorer(accuracy_score, average="median")
    with pytest.raises(ValueError, match="response_method must be one of"):
        TaskScorer(accuracy_score, response_method="transform")
