"""Groups of tasks that are better trained together, from how alike they are."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import cut_tree, fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.utils.validation import check_array

from sk_mtl._tasks import check_ids


def group_tasks(
    similarity: Any,
    tasks: Any = None,
    *,
    n_groups: int | None = None,
    threshold: float | None = None,
) -> dict[Any, int]:
    """Group tasks by their similarity, or by what they gain from each other.

    Hierarchical clustering with average linkage: the two groups of tasks that are most alike on
    average are merged, time and again.

    Parameters
    ----------
    similarity : array-like of shape (n_tasks, n_tasks)
        The larger, the more alike: of `task_direction_similarity`, `covariance_similarity`, or
        the ``gain`` of a `transfer_matrix`. Of the two entries of a pair the mean counts; the
        diagonal does not. NaN counts as the lowest entry.
    tasks : array-like of shape (n_tasks,), default=None
        Task ids; numbers by default.
    n_groups : int, default=None
        How many groups. None: as many as ``threshold`` leaves, or without one as many as describe
        the similarities best: one more must save more than it takes to say what is in it.
    threshold : float, default=None
        Groups are merged as long as their similarity is above it on average: 0 for gains.

    Returns
    -------
    groups : dict
        Number of the group of each task, by id: 0 for the group of the first task, and so on.
        What ``task_groups`` of the estimators takes.

    Raises
    ------
    ValueError
        If the matrix is not square or has no finite entry, ids do not fit it or repeat, or
        both ``n_groups`` and ``threshold`` are given.

    Examples
    --------
    >>> from sk_mtl.diagnostics import group_tasks
    >>> cosine = [[1.0, 0.9, 0.1], [0.9, 1.0, 0.0], [0.1, 0.0, 1.0]]
    >>> group_tasks(cosine, ["north", "south", "online"])
    {'north': 0, 'south': 0, 'online': 1}
    """
    matrix = check_array(similarity, ensure_all_finite="allow-nan", input_name="similarity")
    n_tasks = len(matrix)
    if matrix.shape != (n_tasks, n_tasks):
        raise ValueError(f"similarity must be a square matrix; got shape {matrix.shape}.")
    names = list(range(n_tasks)) if tasks is None else check_ids(tasks, "tasks").tolist()
    if len(names) != n_tasks or len(set(names)) != n_tasks:
        raise ValueError(
            f"tasks must name each of the {n_tasks} tasks of similarity once; got {names}."
        )
    if n_groups is not None and threshold is not None:
        raise ValueError("Pass n_groups or threshold, not both.")
    whole = n_groups is None or isinstance(n_groups, Integral)
    if not whole or (n_groups is not None and not 1 <= n_groups <= n_tasks):
        raise ValueError(f"n_groups must be an integer from 1 to {n_tasks}; got {n_groups!r}.")
    if threshold is not None and (not isinstance(threshold, Real) or np.isnan(threshold)):
        raise ValueError(f"threshold must be a number; got {threshold!r}.")
    if n_tasks == 1:
        return {names[0]: 0}
    pairs = ~np.eye(n_tasks, dtype=bool)
    if not np.isfinite(matrix[pairs]).any():
        raise ValueError("similarity has no finite entry beside its diagonal.")
    alike = np.where(np.isnan(matrix), np.nanmin(matrix[pairs]), matrix)
    alike = (alike + alike.T) / 2
    top = alike[pairs].max()
    distance = np.where(pairs, top - alike, 0.0)
    tree = linkage(squareform(distance, checks=False), method="average")
    if n_groups is not None:
        labels = cut_tree(tree, n_groups).ravel()
    elif threshold is not None:
        labels = fcluster(tree, np.nextafter(top - threshold, -np.inf), criterion="distance")
    else:
        labels = _best_split(tree, alike)
    number: dict[int, int] = {}
    for label in labels.tolist():
        number.setdefault(label, len(number))
    return {name: number[label] for name, label in zip(names, labels.tolist(), strict=True)}


def _best_split(tree: Any, alike: Any) -> Any:
    """The cut of the tree that describes the similarities in the fewest words.

    Pairs within groups have one mean, pairs across groups another, both the same variance. A
    further group must save more than it takes to say which tasks are in it.
    """
    n_tasks = len(alike)
    upper = np.triu_indices(n_tasks, 1)
    values = alike[upper]
    best, least = np.ones(n_tasks, dtype=int), np.inf
    for n_groups in range(1, n_tasks + 1):
        labels = cut_tree(tree, n_groups).ravel()
        within = labels[upper[0]] == labels[upper[1]]
        parts = [part for part in (values[within], values[~within]) if len(part)]
        squares = sum(((part - part.mean()) ** 2).sum() for part in parts)
        variance = squares / len(values) + 1e-9 * max(1.0, np.abs(values).max() ** 2)
        n_found = len(set(labels.tolist()))
        length = (
            0.5 * len(values) * np.log(variance)
            + 0.5 * len(parts) * np.log(len(values))
            + n_tasks * np.log(n_found)
        )
        if length < least:
            best, least = labels, length
    return best
