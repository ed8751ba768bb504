"""Folds by task and class, scores by task."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, mean_squared_error, roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate

from helpers import N_TASKS, make_tasks
from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl.metrics import TaskScorer
from sk_mtl.model_selection import LeaveOneTaskOut, TaskStratifiedKFold


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_fold_has_its_share_of_every_class_of_every_task(shuffle: bool) -> None:
    rng = np.random.default_rng(0)
    task, y = rng.integers(0, 4, 500), rng.integers(0, 3, 500)
    X = np.zeros((500, 1))
    seen = []
    for train, test in TaskStratifiedKFold(5, shuffle=shuffle, random_state=0).split(
        X, y, task=task
    ):
        assert not set(train) & set(test)
        assert len(train) + len(test) == 500
        assert len(test) == 100
        seen.append(test)
        for t in range(4):
            for c in range(3):
                stratum = (task == t) & (y == c)
                assert abs(stratum[test].sum() - stratum.sum() / 5) < 1
    np.testing.assert_array_equal(np.sort(np.concatenate(seen)), np.arange(500))


def test_the_seed_decides_the_folds() -> None:
    X, y, task = make_tasks()

    def folds(seed: int) -> list[list[int]]:
        splitter = TaskStratifiedKFold(3, random_state=seed)
        return [test.tolist() for _, test in splitter.split(X, y, task=task)]

    assert folds(0) == folds(0) != folds(1)


def test_folds_of_real_values_are_even_in_each_task() -> None:
    X, _, task = make_tasks()
    y = X[:, 0] + 10 * task
    splitter = TaskStratifiedKFold(4, random_state=0)
    for _, test in splitter.split(X, y, task=task):
        assert np.bincount(task[test]).tolist() == [20, 20, 20]
        for t in range(N_TASKS):
            assert (
                abs(y[test][task[test] == t].mean() - y[task == t].mean())
                < 0.4 * y[task == t].std()
            )


def test_tasks_in_a_column_need_no_routing() -> None:
    X, y, task = make_tasks()
    rows = np.column_stack([X, task])
    model = MultiTaskAlignedClassifier(task_column=-1, random_state=0)
    scores = cross_validate(
        model,
        rows,
        y,
        cv=TaskStratifiedKFold(3, random_state=0, task_column=-1),
        scoring=TaskScorer(accuracy_score, average=None, task_column=-1),
    )
    assert all(len(scores[f"test_{t}"]) == 3 for t in range(N_TASKS))


def test_tasks_are_routed() -> None:
    X, y, task = make_tasks()
    with sklearn.config_context(enable_metadata_routing=True):
        search = GridSearchCV(
            MultiTaskAlignedClassifier(random_state=0),
            {"head_alpha": [1, 10]},
            cv=TaskStratifiedKFold(3, random_state=0),
            scoring=TaskScorer(roc_auc_score, response_method="predict_proba"),
        ).fit(X, y, task=task)
        assert search.best_score_ > 0.8
        assert search.score(X, y, task=task) > 0.8


def test_each_task_is_left_out_once() -> None:
    X, y, task = make_tasks()
    splitter = LeaveOneTaskOut(task_column=-1)
    rows = np.column_stack([X, task])
    assert splitter.get_n_splits(rows) == N_TASKS
    left = [np.unique(task[test]).tolist() for _, test in splitter.split(rows)]
    assert left == [[0], [1], [2]]
    assert len(cross_val_score(LogisticRegression(), rows, y, cv=splitter)) == N_TASKS
    with pytest.raises(ValueError, match="needs two tasks"):
        list(LeaveOneTaskOut().split(X, task=np.zeros(len(X), int)))


@pytest.mark.parametrize("splitter", [TaskStratifiedKFold(3), LeaveOneTaskOut()])
def test_splitters_need_the_tasks_once(splitter: Any) -> None:
    X, y, task = make_tasks()
    with pytest.raises(ValueError, match=r"needs the rows' tasks .* got neither"):
        list(splitter.split(X, y))
    with pytest.raises(ValueError, match="got both"):
        list(type(splitter)(task_column=0).split(X, y, task=task))
    with pytest.raises(ValueError, match="task has 3 entries"):
        list(splitter.split(X, y, task=[1, 2, 3]))


def test_more_folds_than_rows() -> None:
    with pytest.raises(ValueError, match="n_splits=5 must be between 2 and the number of rows, 4"):
        list(TaskStratifiedKFold(5).split(np.zeros((4, 1)), [0, 1, 0, 1], task=[0, 0, 1, 1]))


def by_hand(metric: Any, values: Any, y: Any, task: Any) -> list[float]:
    return [metric(y[task == t], values[task == t]) for t in range(N_TASKS)]


def test_scores_are_those_of_each_task() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    accuracy = by_hand(accuracy_score, model.predict(X, task=task), y, task)
    auc = by_hand(roc_auc_score, model.predict_proba(X, task=task)[:, 1], y, task)
    for average, combine in (("mean", np.mean), ("worst", np.min)):
        scorer = TaskScorer(accuracy_score, average=average)
        assert scorer(model, X, y, task=task) == pytest.approx(combine(accuracy))
        scorer = TaskScorer(roc_auc_score, response_method="predict_proba", average=average)
        assert scorer(model, X, y, task=task) == pytest.approx(combine(auc))
    losses = by_hand(mean_squared_error, model.predict(X, task=task), y, task)
    worst = TaskScorer(mean_squared_error, average="worst", greater_is_better=False)
    assert worst(model, X, y, task=task) == pytest.approx(-np.max(losses))


def test_gaps_of_a_wide_y_are_left_out() -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1 - y]).astype(float)
    Y[::3, 0] = np.nan
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, Y)
    known = ~np.isnan(Y[:, 0])
    scores = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)(model, X, Y)
    expected = roc_auc_score(Y[known, 0], model.predict_proba(X)[known, 0])
    assert scores[0] == pytest.approx(expected)
    assert TaskScorer(accuracy_score)(model, X, Y) == pytest.approx(model.score(X, Y))


def test_classes_of_other_tasks_do_not_count() -> None:
    X, y, task = make_tasks(3)
    y = np.where(task == 0, y % 2, y)
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    scores = TaskScorer(log_loss, response_method="predict_proba", average=None)(
        model, X, y, task=task
    )
    two = task == 0
    expected = log_loss(y[two], model.predict_proba(X[two], task=task[two])[:, 1])
    assert scores[0] == pytest.approx(expected)


def test_a_task_without_both_classes_has_no_auc() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    rows = (task > 0) | (y == 1)
    scorer = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)
    assert sorted(scorer(model, X[rows], y[rows], task=task[rows])) == [1, 2]


def test_scorers_say_what_they_miss() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    with pytest.raises(ValueError, match="does not know the tasks of the rows"):
        TaskScorer(accuracy_score)(model, X, y)
    with pytest.raises(ValueError, match="average must be one of"):
        TaskScorer(accuracy_score, average="median")
    with pytest.raises(ValueError, match="response_method must be one of"):
        TaskScorer(accuracy_score, response_method="transform")
