"""Folds by task and class."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from helpers import N_TASKS, make_tasks
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
