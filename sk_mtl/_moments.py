"""Targets of several tasks as numeric columns, and their running moments with the features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis

from sk_mtl._exact import EXACT, union
from sk_mtl._labels import LabelSet, distinct, read_labels
from sk_mtl._tasks import Array, TaskSet, listing

Targets = dict[Any, tuple[Array, Array]]  # by task id: labelled rows, ascending, and their labels
Classes = dict[Any, Array | None]  # by task id: None for a real-valued target

_CHUNK = 8192  # rows that are in memory more than once at a time
_SPARSE_CHUNK = 16 * _CHUNK  # for rows of which a few hundredths are not 0


def read_targets(columns: list[Array], tasks: TaskSet, ids: Array | None, weight: Array) -> Targets:
    """Labelled rows of positive weight, and their labels, of every task."""
    names = tasks.ids.tolist()
    if tasks.wide:
        found = {}
        for name, column in zip(names, columns, strict=True):
            values, labelled = read_labels(column, f"column {name!r} of y")
            rows = np.flatnonzero(labelled & (weight > 0))
            found[name] = rows, values[weight[labelled] > 0]
        return found
    values, labelled = read_labels(columns[0], "y")
    if not labelled.all():
        raise ValueError(
            f"Input y contains NaN: {(~labelled).sum()} rows have no label. Drop them, or pass a "
            "wide y with one column per task."
        )
    task = tasks.encode(ids, len(values))
    assert task is not None  # stacked rows have one task each
    used = np.flatnonzero(weight)
    order = used[np.argsort(task[used], kind="stable")]
    bounds = np.searchsorted(task[order], np.arange(1, len(names)))
    return {
        name: (rows, values[rows])
        for name, rows in zip(names, np.split(order, bounds), strict=True)
    }


def learn_classes(targets: Targets, known: Classes, declared: Any, tasks: TaskSet) -> Classes:
    """Classes of every task, None for real-valued targets. Known tasks keep theirs."""
    learned = dict(known)
    if declared is not None:
        per_task = LabelSet.declared(declared, tasks.ids, wide=tasks.wide).per_task
        learned = dict(zip(tasks.ids.tolist(), per_task, strict=True)) | learned
    any_real = not tasks.wide and any(_is_real(values) for _, values in targets.values())
    for name, (_, values) in targets.items():
        if not len(values):
            continue  # a later chunk settles it
        if name not in learned:
            learned[name] = None if any_real or _is_real(values) else distinct(values)
        elif _are_two_numbers(grown := _union(learned[name], values)):
            learned[name] = grown
        _check_labels(values, learned[name], name)
    return learned


def merge_classes(known: Classes, others: Classes) -> Classes:
    """Classes of every task after two parts of the rows, if both have read its labels alike."""
    merged = dict(others) | known
    for name, theirs in others.items():
        mine = merged[name]
        grown = None if mine is None or theirs is None else _union(mine, theirs)
        if mine is None or theirs is None:
            # Where one part has seen real values, all labels must be numbers as they are.
            merged[name] = None
            alike = all(of is None or _are_two_numbers(of) for of in (mine, theirs))
        elif grown is not None and _are_two_numbers(grown):
            merged[name], alike = grown, True
        else:
            alike = grown is not None and len(mine) == len(theirs) == len(grown)
        if not alike:
            raise ValueError(
                f"The parts differ in the labels of task {name!r}: {_in_words(mine)} in one, "
                f"{_in_words(theirs)} in another. Pass all labels as classes= to partial_fit when "
                "a part first sees the task."
            )
    return merged


def _in_words(classes: Array | None) -> str:
    return "real values" if classes is None else listing(classes)


def _union(classes: Array | None, labels: Array) -> Array | None:
    """All labels together; None if some are real values, or text beside numbers."""
    if classes is None or (classes.dtype.kind in "biuf") != (labels.dtype.kind in "biuf"):
        return None
    return union([classes, labels])


def _are_two_numbers(classes: Array | None) -> bool:
    """Whether labels are taken as the numbers that they are, and are not real values."""
    if classes is None or len(classes) > 2 or classes.dtype.kind not in "biuf":
        return False
    return bool((np.abs(classes.astype(np.float64)) <= EXACT).all())


def _is_real(values: Array) -> bool:
    """Whether some values are fractional, or past it. Whole numbers may be classes."""
    if values.dtype.kind != "f":
        return False
    values = values.astype(np.float64, copy=False)  # float16 ends before it is no longer exact
    return bool(((values != np.rint(values)) | (np.abs(values) >= EXACT)).any())


def _check_labels(values: Array, classes: Array | None, name: Any) -> None:
    if classes is None:
        if values.dtype.kind not in "biuf":
            raise ValueError(
                f"y holds the label {values.tolist()[0]!r} for task {name!r}, whose targets are "
                "numbers."
            )
        return
    known = set(classes.tolist())
    strangers = [label for label in distinct(values).tolist() if label not in known]
    if strangers:
        raise ValueError(
            f"y holds the label {strangers[0]!r} for task {name!r}, whose labels are "
            f"{listing(classes)}. Pass all labels as classes= to partial_fit when it first sees "
            "the task; a real-valued target must show a fractional value there."
        )


def _target_columns(values: Array, classes: Array | None) -> Array:
    """Numbers as they are, or an indicator of the second of two classes, or a one-hot block."""
    if classes is None or _are_two_numbers(classes):
        return values[:, None].astype(np.float64)
    shown = classes if len(classes) > 2 else classes[-1:]
    return np.asarray(values[:, None] == shown, dtype=np.float64)


def chunks(targets: Targets, *, shared: bool, sparse: bool) -> Iterator[tuple[Array, Targets]]:
    """Rows of each chunk, and the tasks that may have labels there: all of them for a wide y."""
    size = _SPARSE_CHUNK if sparse else _CHUNK
    groups = [{name: target} for name, target in targets.items()]
    if shared:
        groups = [targets]
    for group in groups:
        rows = next(rows for rows, _ in group.values())
        if len(group) > 1:
            last = max((rows[-1] for rows, _ in group.values() if len(rows)), default=-1)
            has_label = np.zeros(1 + last, dtype=bool)
            for of_task, _ in group.values():
                has_label[of_task] = True
            rows = np.flatnonzero(has_label)
        for start in range(0, len(rows), size):
            yield rows[start : start + size], group


def rows_of(X: Any, chunk: Array) -> Any:
    """The rows of a chunk, without a copy where there are no gaps between them."""
    return X[chunk[0] : chunk[-1] + 1] if _without_gaps(chunk) else X[chunk]


def _without_gaps(chunk: Array) -> bool:
    return bool(chunk[-1] - chunk[0] == len(chunk) - 1)


@dataclass(frozen=True)
class Moments:
    """Weighted moments of one task's labelled rows: features x, target columns y.

    Sums are taken about the means, so that far-off means cost no digits, and parts are merged
    by the rule of Chan, Golub and LeVeque (1983).
    """

    weight: float
    x_mean: Array  # (n_features,)
    y_mean: Array  # (n_columns,)
    cross: Array  # (n_columns, n_features): sum of weight * (y - y_mean) (x - x_mean)
    y_scatter: float  # sum of weight * norm(y - y_mean) ** 2

    def merge(self, other: Moments) -> tuple[Moments, Array]:
        """Moments of both parts, and what the distance of their means adds to x's scatter."""
        weight = self.weight + other.weight
        share = other.weight / weight
        common = self.weight * share
        dx, dy = other.x_mean - self.x_mean, other.y_mean - self.y_mean
        both = Moments(
            weight,
            self.x_mean + share * dx,
            self.y_mean + share * dy,
            self.cross + other.cross + common * np.outer(dy, dx),
            self.y_scatter + other.y_scatter + common * float(dy @ dy),
        )
        return both, common * dx**2

    def theta(self, center: bool, scale: bool) -> Array:
        """``X.T @ y``, transposed: (n_columns, n_features). X is scaled by the caller."""
        theta = self.cross
        if not center:
            theta = theta + self.weight * np.outer(self.y_mean, self.x_mean)
        if scale:
            size = np.linalg.norm(self.y_mean)
            theta = theta / self.weight
            theta /= deviation(np.array(self.y_scatter / self.weight), size, self.weight)
        return theta


def chunk_moments(
    X: Any, chunk: Array, weight: Array, targets: Targets, classes: Classes
) -> tuple[dict[Any, Moments], Array]:
    """Moments of the tasks that have labels in a chunk, and the scatter of X within tasks.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_rows, n_features)
        The chunk's rows.
    chunk : ndarray of shape (n_rows,)
        Where they stand among all rows, ascending.
    weight : ndarray
        Weight of each of all rows.
    targets, classes : dict
    """
    names, entry_weights, blocks = [], [], []
    without_gaps = _without_gaps(chunk)
    for name, (rows, values) in targets.items():
        inside = slice(*np.searchsorted(rows, [chunk[0], chunk[-1] + 1]))
        columns = _target_columns(values[inside], classes.get(name))
        if not len(columns):
            continue
        position = rows[inside] - chunk[0]
        if not without_gaps:
            position = np.searchsorted(chunk, rows[inside])
        entry_weight = np.zeros(len(chunk))
        entry_weight[position] = weight[rows[inside]]
        block = np.zeros((len(chunk), columns.shape[1]))
        block[position] = columns
        names.append(name)
        entry_weights.append(entry_weight)
        blocks.append(block)
    W = np.column_stack(entry_weights)
    totals, row_weight = W.sum(axis=0), W.sum(axis=1)
    X = X.astype(np.float64, copy=False)
    if issparse(X):
        centre, variance = mean_variance_axis(X, axis=0, weights=row_weight)
        scatter, unsubtracted = variance * totals.sum(), centre
    else:
        centre = (row_weight / totals.sum()) @ X
        X, unsubtracted = X - centre, np.zeros_like(centre)
        scatter = row_weight @ np.square(X)

    def product(A: Array) -> Array:
        """``A.T @ (X - centre)`` that keeps sparse X sparse."""
        return np.asarray(A.T @ X - np.outer(A.sum(axis=0), unsubtracted))

    y_means = [w @ block / w.sum() for w, block in zip(entry_weights, blocks, strict=True)]
    centred = [block - mean for block, mean in zip(blocks, y_means, strict=True)]
    weighted = [w[:, None] * block for w, block in zip(entry_weights, centred, strict=True)]
    bounds = np.cumsum([block.shape[1] for block in weighted])[:-1]
    # Tasks with labels for the same rows have the mean of all of these.
    differ = len(names) > 1 and bool((W[:, :1] != W).any())
    of_all = product(np.hstack([W / totals, *weighted] if differ else weighted))
    first = len(names) if differ else 0
    x_offsets = of_all[:first] if differ else np.zeros((len(names), len(centre)))
    crosses = np.split(of_all[first:], bounds)
    moments = {}
    for i, name in enumerate(names):
        y_scatter = float((weighted[i] * centred[i]).sum())
        x_mean = centre + x_offsets[i]
        moments[name] = Moments(float(totals[i]), x_mean, y_means[i], crosses[i], y_scatter)
    return moments, scatter - totals @ x_offsets**2


def deviation(variance: Array, mean: Any, n_rows: float) -> Array:
    """Standard deviations, 1 where rounding errors are all there is (as StandardScaler)."""
    eps = np.finfo(np.float64).eps
    constant = variance <= n_rows * eps * variance + (n_rows * mean * eps) ** 2
    return np.where(constant, 1.0, np.sqrt(np.maximum(variance, 0.0)))
