"""Training and test rows: m training rows a task, drawn by a seed; the rest is the test set."""

from dataclasses import replace

import numpy as np

from _data import Dataset, Integers, Mask, Tasks

MAX_TEST_ROWS = 2000
"""At most so many test rows a task (wide y: in all)."""


def split(data: Dataset, m: int, seed: int) -> tuple[Tasks, Tasks]:
    """Draw training and test rows.

    Parameters
    ----------
    data : Dataset
        All rows.
    m : int
        Training rows a task, at most the share ``data.most`` of its rows; wide y: rows in all.
    seed : int
        Of the random draw: the same seed gives every method the same rows.

    Returns
    -------
    train, test : Tasks
        The two sides. No group of `data.group` has rows on both, over all tasks.
    """
    rng = np.random.default_rng(seed)
    may_train, may_test = _pools(data, rng)
    train, test = [], []
    for rows in _blocks(data.tasks):
        order = rng.permutation(rows)
        pool = order[may_train[order]]
        if data.each_class:
            first = _one_of_each_class(data.tasks, pool)
            pool = np.r_[first, pool[~np.isin(pool, first)]]
        chosen = pool[: min(m, int(len(rows) * data.most))]
        rest = order[may_test[order] & ~np.isin(order, chosen)]
        train.append(chosen)
        test.append(rest[:MAX_TEST_ROWS])
    train_rows, test_rows = np.concatenate(train), np.concatenate(test)
    group = np.arange(len(data.tasks.X)) if data.group is None else data.group
    assert not np.intersect1d(group[train_rows], group[test_rows]).size, "the split leaks"
    sides = data.tasks.take(train_rows), data.tasks.take(test_rows)
    return _labelled_above_median(*sides) if data.above_median else sides


def _pools(data: Dataset, rng: np.random.Generator) -> tuple[Mask, Mask]:
    """Which rows may be drawn for training and for testing: half of the groups each."""
    if data.group is None:
        anywhere = np.ones(len(data.tasks.X), dtype=bool)
        return anywhere, anywhere
    n_groups = data.group.max() + 1
    for_training = (rng.permutation(n_groups) < n_groups // 2)[data.group]
    return for_training, ~for_training


def _blocks(tasks: Tasks) -> list[Integers]:
    """The rows from which m are drawn at a time: each task's, or all where y is wide."""
    if tasks.task is None:
        return [np.arange(len(tasks.X))]
    return [tasks.rows(task) for task in range(len(tasks.names))]


def _one_of_each_class(tasks: Tasks, rows: Integers) -> Integers:
    """The first of `rows` with each class of each task."""
    columns = tasks.y[rows].reshape(len(rows), -1).T
    hits = [column == label for column in columns for label in np.unique(column)]
    return np.unique([rows[hit.argmax()] for hit in hits if hit.any()])


def _labelled_above_median(train: Tasks, test: Tasks) -> tuple[Tasks, Tasks]:
    """Label scores by whether they exceed the median of all training rows."""
    median = np.median(train.y)
    return (
        replace(train, y=(train.y > median).astype(float)),
        replace(test, y=(test.y > median).astype(float)),
    )
