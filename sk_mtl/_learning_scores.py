"""Cross-validated scores of tasks, together and alone, from few training rows to all of them."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from sk_mtl._fold_scores import mean_and_error, score_tasks
from sk_mtl._task_data import TaskData
from sk_mtl._tasks import Array, listing


def learning_scores(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    train_sizes: Any,
    task: Any,
    task_column: Hashable,
    cv: Any,
    scoring: Any,
    n_jobs: int | None,
    random_state: Any,
    progress: bool,
) -> dict[str, Array]:
    """What `TaskLearningCurveDisplay` takes; its ``from_estimator`` says what the arguments are."""
    sizes = _checked(train_sizes)
    data = TaskData.of(estimator, X, y, task, task_column)
    random = check_random_state(random_state)
    folds = data.folds(cv, random)
    n_tasks, overlap, rows, parts = len(data.tasks), [], [], []
    for train, test in folds:
        overlap.append([data.own(t, test).sum() / data.own(t, train).sum() for t in range(n_tasks)])
        ordered = _in_order_of_use(data, train, random)
        for size in sizes:
            part = np.concatenate([_first(size, *group) for group in ordered])
            parts.append((part, test))
            rows.append([data.own(t, part).sum() for t in range(n_tasks)])
    (scores,) = score_tasks(
        data, [estimator], parts, scoring, pairs=False, n_jobs=n_jobs, progress=progress
    )
    by_size = (len(folds), len(sizes), n_tasks)
    # Of the whole folds: parts of them overlap less.
    shared = np.array(overlap)[:, None]
    together, together_se = mean_and_error(scores.together.reshape(by_size), shared)
    alone, alone_se = mean_and_error(scores.alone.reshape(by_size), shared)
    n_rows = np.array(rows, dtype=float).reshape(by_size).mean(axis=0)
    if isinstance(sizes[0], int):
        n_rows = np.repeat(np.array(sizes, dtype=float)[:, None], n_tasks, axis=1)
    return {
        "train_sizes": n_rows,
        "tasks": data.tasks,
        "score_together": together,
        "score_together_se": together_se,
        "score_alone": alone,
        "score_alone_se": alone_se,
    }


def _checked(train_sizes: Any) -> list[float]:
    """Increasing numbers of rows, or shares of all rows."""
    sizes = np.unique(np.asarray(train_sizes))
    counts = sizes.dtype.kind in "iu" and (sizes > 0).all()
    shares = sizes.dtype.kind == "f" and ((sizes > 0) & (sizes <= 1)).all()
    if not len(sizes) or not (counts or shares):
        raise ValueError(
            "train_sizes must be positive integers, rows of each task, or floats in (0, 1], "
            f"shares of its training rows; got {listing(train_sizes)}."
        )
    return list(sizes.tolist())


def _in_order_of_use(
    data: TaskData, train: Array, random: np.random.RandomState
) -> list[tuple[Array, int]]:
    """Training rows, of each task or (of a wide ``y``) of all, and how many must be used.

    Rows are in random order, but for one of each class of each task, which come first.
    """
    order = random.permutation(len(data.columns[0]))
    tasks = range(len(data.tasks))
    groups = [tasks] if data.wide else [[t] for t in tasks]
    ordered = []
    for group in groups:
        rows, needed = [], []
        for t in group:
            used = data.own(t, train)
            of_task, labels = data.rows[t][used], data.labels[t][used]
            if not data.classification:
                labels = np.zeros(len(of_task))
            at_random = order[of_task].argsort()
            first = np.unique(labels[at_random], return_index=True)[1]
            rows.append(of_task)
            needed.append(of_task[at_random][first])
        needed_rows, all_rows = np.unique(np.concatenate(needed)), np.unique(np.concatenate(rows))
        by_need = np.lexsort([order[all_rows], ~np.isin(all_rows, needed_rows)])
        ordered.append((all_rows[by_need], len(needed_rows)))
    return ordered


def _first(size: float, rows: Array, needed: int) -> Array:
    wanted = size if isinstance(size, int) else round(size * len(rows))
    return rows[: max(wanted, needed, 2)]
