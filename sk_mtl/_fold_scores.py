"""Cross-validated scores of tasks that are trained alone, in pairs and all together."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer
from sklearn.utils import _safe_indexing
from sklearn.utils.parallel import Parallel, delayed
from tqdm import tqdm

from sk_mtl._task_data import TaskData
from sk_mtl._task_model import UndefinedScoreError
from sk_mtl._tasks import Array, listing


@dataclass(frozen=True)
class FoldScores:
    """Scores of every task's held-out rows, fold by fold; NaN where there is none.

    Attributes
    ----------
    alone, together : ndarray of shape (n_folds, n_tasks)
    paired : ndarray of shape (n_folds, n_tasks, n_tasks)
        Entry [f, i, j] is the score of task j trained with task i.
    overlap : ndarray of shape (n_folds, n_tasks)
        Number of held-out rows over the number of training rows.
    """

    alone: Array
    together: Array
    paired: Array
    overlap: Array


def score_tasks(
    data: TaskData,
    estimators: Sequence[Any],
    folds: list[tuple[Array, Array]],
    scoring: Any,
    *,
    pairs: bool,
    n_jobs: int | None,
    progress: bool,
) -> list[FoldScores]:
    """Fit every estimator to the tasks alone, to pairs of them and to all, on every fold."""
    if scoring is None:
        scoring = "accuracy" if data.classification else "r2"
    scorer = get_scorer(scoring)
    jobs = [
        (e, f, members)
        for e in range(len(estimators))
        for f, (train, _) in enumerate(folds)
        for members in _groups(data, train, pairs)
    ]
    found = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_scores)(data, estimators[e], scorer, members, *folds[f]) for e, f, members in jobs
    )
    found = tqdm(found, total=len(jobs), desc="Fits", disable=not progress)
    by_job = dict(zip(jobs, found, strict=True))
    scores = [_collect(data, folds, by_job, e, pairs) for e in range(len(estimators))]
    _warn_of_undefined(data, scores)
    return scores


def mean_and_error(values: Array, overlap: Array) -> tuple[Array, Array]:
    """Mean over the folds and its standard error; folds without a value are left out.

    The training sets of the folds overlap, so that the values are correlated: the variance of
    their mean is ``1 / n_folds + n_test / n_train`` times theirs, by Nadeau and Bengio.

    Parameters
    ----------
    values : ndarray of shape (n_folds, ...)
    overlap : ndarray of the same shape or one that broadcasts to it
        ``n_test / n_train`` of each fold.

    Returns
    -------
    mean : ndarray of shape (...)
        NaN where no fold has a value.
    error : ndarray of shape (...)
        Infinite where fewer than two folds have a value.
    """
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(known, values, 0).sum(axis=0) / n
        factor = 1 / n + np.where(known, overlap, 0).sum(axis=0) / n
        variance = np.where(known, (values - mean) ** 2, 0).sum(axis=0) / (n - 1)
    return mean, np.where(n > 1, np.sqrt(factor * variance), np.inf)


def _groups(data: TaskData, train: Array, pairs: bool) -> list[tuple[int, ...]]:
    """The tasks to be trained together, as far as they have training rows."""
    present = [t for t in range(len(data.tasks)) if data.own(t, train).any()]
    sizes = (1, 2) if pairs else (1,)
    groups = [group for size in sizes for group in combinations(present, size)]
    return list(dict.fromkeys([*groups, tuple(present)]))


def _scores(
    data: TaskData,
    estimator: Any,
    scorer: Any,
    members: tuple[int, ...],
    train: Array,
    test: Array,
) -> Array:
    """Scores of the held-out rows of some tasks by a model that is trained on them."""
    scores = np.full(len(data.tasks), np.nan)
    try:
        model = data.fit(estimator, members, train)
    except Exception as error:
        error.add_note(f"This was the fit to the tasks {listing(data.tasks[list(members)])}.")
        raise
    for t in members:
        held_out = data.own(t, test)
        if held_out.any():
            true = data.labels[t][held_out]
            complete = len(np.unique(true)) == len(np.unique(data.labels[t]))
            of_task = data.bind(model, members, t, complete=complete)
            X = _safe_indexing(data.X, data.rows[t][held_out])
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                with suppress(UndefinedScoreError):
                    scores[t] = scorer(of_task, X, true)
    return scores


def _collect(
    data: TaskData,
    folds: list[tuple[Array, Array]],
    by_job: dict[tuple[int, int, tuple[int, ...]], Array],
    e: int,
    pairs: bool,
) -> FoldScores:
    k = len(data.tasks)
    alone, together = np.full((2, len(folds), k), np.nan)
    paired = np.full((len(folds), k, k), np.nan)
    overlap = np.ones((len(folds), k))
    for f, (train, test) in enumerate(folds):
        groups = _groups(data, train, pairs)
        for members in groups:
            found = by_job[e, f, members]
            if len(members) == 1:
                alone[f, members] = found[list(members)]
            elif len(members) == 2:
                i, j = members
                paired[f, i, j], paired[f, j, i] = found[j], found[i]
        everyone = groups[-1]
        together[f] = by_job[e, f, everyone]
        for t in everyone:
            overlap[f, t] = data.own(t, test).sum() / data.own(t, train).sum()
    return FoldScores(alone, together, paired, overlap)


def _warn_of_undefined(data: TaskData, scores: list[FoldScores]) -> None:
    undefined = np.all([np.isnan(one.alone).all(axis=0) for one in scores], axis=0)
    if undefined.any():
        warnings.warn(
            f"The tasks {listing(data.tasks[undefined])} have no score in any fold: their held-out "
            "rows are too few, or lack a class that the scorer needs. Use fewer folds or another "
            "scorer, or leave them out.",
            UndefinedMetricWarning,
            stacklevel=4,
        )
