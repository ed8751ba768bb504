"""From the user's labels to integer codes per task, and from codes and probabilities back."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.multiclass import check_classification_targets

from sk_mtl._exact import exact_type, of_objects, union
from sk_mtl._features import is_missing, short
from sk_mtl._tasks import Array, as_array, as_plain, listing, repeated

Codes = npt.NDArray[np.intp]

MISSING = -1  # code of an entry of a wide y that holds no label


def read_columns(y: Any, n_rows: int) -> tuple[list[Array], Array | None]:
    """Columns of ``y``, and the names of the tasks if ``y`` is wide.

    Returns
    -------
    columns : list of ndarray of shape (n_rows,)
        One column for stacked rows; a column per task for a wide ``y``.
    names : ndarray of shape (n_tasks,) or None
        None for stacked rows.
    """
    if y is None:
        raise ValueError(
            "This estimator requires y to be passed, but the target y is None. Pass one label per "
            "row, or one column of labels per task."
        )
    if hasattr(y, "columns"):
        names: Array | None = _task_names(list(y.columns))
        columns = [_column(y[name]) for name in y.columns]
    else:
        y = _dense(y)
        if y.ndim not in (1, 2):
            raise ValueError(
                f"y must have one or two dimensions; got shape {y.shape}. Pass one label per row, "
                "or one column of labels per task."
            )
        columns = [y] if y.ndim == 1 else list(y.T)
        names = None if y.ndim == 1 else np.arange(y.shape[1])
    if not columns:
        raise ValueError("y has no columns. Pass one column of labels per task.")
    if len(columns[0]) != n_rows:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"X has {n_rows} rows, y has {len(columns[0])}. Pass the same rows to both."
        )
    if names is not None and len(columns) == 1:
        warnings.warn(
            "A column-vector y was passed when a 1d array was expected. Please change the shape "
            "of y to (n_samples,), for example using ravel().",
            DataConversionWarning,
            stacklevel=2,
        )
        names = None
    return columns, names


def columns_as_array(columns: list[Array]) -> Array:
    """Columns side by side, in their common type where they have one."""
    kinds = {column.dtype.kind for column in columns}
    if len(kinds) == 1 or kinds <= set("iuf"):
        return np.stack(columns, axis=1, dtype=exact_type(columns), casting="unsafe")
    return np.stack([column.astype(object) for column in columns], axis=1)


def _task_names(names: list[Any]) -> Array:
    twice = repeated(names)
    if twice:
        raise ValueError(
            f"y has several columns named {listing(twice)}. Rename them: each column is a task."
        )
    array = np.empty(len(names), dtype=object)
    array[:] = names
    alike = len({type(name) for name in names}) == 1 and not isinstance(names[0], tuple)
    return of_objects(array) if alike else array


def _column(values: Any) -> Array:
    """A column of a DataFrame; integers stay integers beside gaps."""
    array = as_array(values)
    if array.dtype.kind == "f" and "float" not in str(values.dtype).lower():
        return np.array(values.to_list(), dtype=object)
    return array


def _dense(y: Any) -> Array:
    if hasattr(y, "toarray"):
        raise TypeError("Sparse y is not supported. Convert it with y.toarray().")
    try:
        return as_array(y)
    except ValueError as error:
        raise ValueError(
            "y is ragged: its rows differ in length. Pass one label per row, or one per row and "
            "task with NaN (or None) where a label is missing."
        ) from error


def read_labels(
    column: Array, what: str, *, exact: bool = True
) -> tuple[Array, npt.NDArray[np.bool_]]:
    """The labels that a column holds, and which of its entries hold one.

    Integers that no type holds together are refused, or with ``exact=False`` become floats.
    """
    if column.dtype.kind == "c":
        raise ValueError(
            f"Complex data not supported. {what} is complex: pass its real part, say, or its size."
        )
    labelled = np.ones(len(column), dtype=bool)
    if column.dtype == object:
        labelled = np.array([not is_missing(value) for value in column], dtype=bool)
    elif column.dtype.kind == "f":
        labelled = ~np.isnan(column)
    elif column.dtype.kind in "mM":
        labelled = ~np.isnat(column)
    values = column[labelled]
    if values.dtype == object:
        values = as_plain(values, what)
        if values.dtype == object and isinstance(values[0], (int, float, np.number)):
            largest = max(values, key=abs)
            if exact or abs(largest) > sys.float_info.max:
                raise ValueError(
                    f"{what} holds {short(largest)}: no type of 64 bits holds all of its numbers "
                    "exactly. Number the labels anew, or convert them to strings with astype(str), "
                    "values to floats with astype(float)."
                )
            values = values.astype(np.float64)
        if values.dtype == object:
            raise ValueError(
                f"{what} holds {short(values[0])}, which is no label. Labels are numbers, "
                "booleans or strings: convert them, with astype(str) say."
            )
    if values.dtype.kind == "f" and np.isinf(values).any():
        raise ValueError(
            f"Input y contains infinity or a value too large for {values.dtype}: see {what}. Drop "
            "these rows, or mark them as missing by NaN."
        )
    return values, labelled


def union_of_labels(label_sets: Sequence[Array]) -> Array:
    """All labels of several sets, sorted."""
    found = union(label_sets)
    if found.dtype == object:
        raise ValueError(
            f"No type of 64 bits holds all of the labels {listing(found)} exactly. Number them "
            "anew, or convert them to strings with astype(str)."
        )
    return found


def refuse_gaps(labelled: npt.NDArray[np.bool_], of_task: str = "") -> None:
    """Every stacked row must hold a label."""
    if not labelled.all():
        raise ValueError(
            f"Input y contains NaN: {(~labelled).sum()} rows{of_task} have no label. Drop them, or "
            "pass a wide y with one column per task."
        )


def refuse_unlabelled(n_labels: Sequence[float] | Array, ids: Array) -> None:
    """Every task must have a label; ``n_labels`` are their numbers, or weights."""
    empty = [name for name, n in zip(ids.tolist(), n_labels, strict=True) if not n]
    if empty:
        raise ValueError(
            f"The tasks {listing(empty)} have no labelled row. Leave them out, or label a row."
        )


def refuse_other_columns(columns: list[Array], ids: Array) -> None:
    """A wide ``y`` must have as many columns as the one that was fitted."""
    if len(columns) != len(ids):
        raise ValueError(
            f"y has {len(columns)} column(s), but the estimator was fitted on {len(ids)}, one "
            f"per task: {listing(ids)}."
        )


@dataclass(frozen=True)
class LabelSet:
    """The classes that each task's labels come from.

    Attributes
    ----------
    per_task : list of ndarray
        Sorted classes of each task.
    union : ndarray
        Sorted union over the tasks: the columns of stacked probabilities. Empty for a wide ``y``.
    """

    per_task: list[Array]
    union: Array

    @classmethod
    def of_rows(
        cls, column: Array, task: Codes, ids: Array, known: Sequence[Array] = ()
    ) -> LabelSet:
        """From stacked rows: every row must hold a label. ``known`` are other tasks' classes."""
        values, labelled = read_labels(column, "y")
        refuse_gaps(labelled)
        check_classification_targets(values)
        union = distinct(values)
        codes = np.searchsorted(union, values)
        pairs = np.flatnonzero(np.bincount(task * len(union) + codes))
        per_task = [union[pairs[pairs // len(union) == t] % len(union)] for t in range(len(ids))]
        refuse_unlabelled([len(classes) for classes in per_task], ids)
        per_task = _complete_lone_classes(per_task, known)
        return cls(per_task, union_of_labels(per_task))

    @classmethod
    def of_columns(cls, columns: list[Array], ids: Array) -> LabelSet:
        """From the columns of a wide ``y``."""
        per_task = []
        for column, name in zip(columns, ids.tolist(), strict=True):
            values, _ = read_labels(column, f"column {name!r} of y")
            if len(values):
                check_classification_targets(values)
            per_task.append(np.unique(values))
        refuse_unlabelled([len(classes) for classes in per_task], ids)
        return cls(_complete_lone_classes(per_task), np.empty(0))

    @classmethod
    def declared(cls, classes: Any, ids: Array, *, wide: bool) -> LabelSet:
        """From the ``classes`` argument of ``partial_fit``: for all tasks, or per task."""
        if isinstance(classes, Mapping):
            absent = [name for name in ids.tolist() if name not in classes]
            if absent:
                raise ValueError(f"classes names no labels for the tasks {listing(absent)}.")
            per_task = [_declared(classes[name]) for name in ids.tolist()]
        elif wide and isinstance(classes, (list, tuple)) and len(classes) and np.ndim(classes[0]):
            if len(classes) != len(ids):
                raise ValueError(
                    f"classes lists {len(classes)} label sets, but y has {len(ids)} columns."
                )
            per_task = [_declared(one) for one in classes]
        else:
            per_task = [_declared(classes)] * len(ids)
        return cls(per_task, np.empty(0) if wide else union_of_labels(per_task))

    @property
    def sizes(self) -> Codes:
        """Number of classes of each task."""
        return np.array([len(classes) for classes in self.per_task], dtype=np.intp)

    def positions(self, union: Array) -> Codes:
        """Where each task's classes stand in ``union``, padded with ``len(union)``."""
        table = np.full((len(self.per_task), self.sizes.max()), len(union), dtype=np.intp)
        for t, classes in enumerate(self.per_task):
            table[t, : len(classes)] = np.searchsorted(union, classes.astype(union.dtype))
        return table

    def encode_rows(self, column: Array, task: Codes, ids: Array) -> Codes:
        """Codes of stacked labels within their row's task."""
        values, labelled = read_labels(column, "y")
        refuse_gaps(labelled)
        codes = _lookup(values, self.union)
        table = np.full((len(self.per_task), len(self.union) + 1), MISSING, dtype=np.intp)
        for t, classes in enumerate(self.per_task):
            positions = np.searchsorted(self.union, classes.astype(self.union.dtype))
            table[t, positions] = np.arange(len(classes))
        codes = table[task, codes]
        if (codes == MISSING).any():
            row = np.flatnonzero(codes == MISSING)[0]
            label, name = values[row : row + 1].tolist()[0], ids.tolist()[task[row]]
            raise ValueError(
                f"y holds the label {label!r} for task {name!r}, whose labels are "
                f"{listing(self.per_task[task[row]])}."
            )
        return codes

    def encode_columns(self, columns: list[Array], ids: Array) -> Codes:
        """Codes of a wide ``y``, of shape (n_rows, n_tasks), `MISSING` where there is no label."""
        refuse_other_columns(columns, ids)
        codes = np.full((len(columns[0]), len(columns)), MISSING, dtype=np.intp)
        for t, (column, name) in enumerate(zip(columns, ids.tolist(), strict=True)):
            values, labelled = read_labels(column, f"column {name!r} of y")
            found = _lookup(values, self.per_task[t])
            if (found == len(self.per_task[t])).any():
                stranger = values[found == len(self.per_task[t])].tolist()[0]
                raise ValueError(
                    f"Column {name!r} of y holds the label {stranger!r}; its labels are "
                    f"{listing(self.per_task[t])}."
                )
            codes[labelled, t] = found
        return codes


def _declared(classes: Any) -> Array:
    """A list of labels, sorted."""
    listed = np.asarray(classes, dtype=None if isinstance(classes, np.ndarray) else object)
    if listed.ndim != 1 or not len(listed) or any(np.ndim(label) for label in listed):
        raise ValueError(
            "classes must list the labels of every task, or be a dict of such lists by task id; "
            f"got {classes!r}."
        )
    labels, known = read_labels(as_array(classes), "classes")
    if not known.all():
        raise ValueError(f"classes must not hold missing labels; got {classes!r}. Leave them out.")
    return np.unique(labels)


def distinct(values: Array) -> Array:
    """``np.unique(values)``, without sorting many of few kinds."""
    if len(values) < 10_000 or values.dtype.kind not in "biuf":
        return np.unique(values)
    seen = np.unique(values[:1000])
    if len(seen) > 16:
        return np.unique(values)
    known = np.zeros(len(values), dtype=bool)
    for value in seen:
        known |= values == value
    return np.union1d(seen, np.unique(values[~known]))


def _lookup(values: Array, classes: Array) -> Codes:
    """Position of each value in ``classes``; ``len(classes)`` if it is not there."""
    known = {label: code for code, label in enumerate(classes.tolist())}
    seen = distinct(values)
    codes = np.array([known.get(label, len(known)) for label in seen.tolist()], dtype=np.intp)
    return codes[np.searchsorted(seen, values)]


def _complete_lone_classes(per_task: list[Array], known: Sequence[Array] = ()) -> list[Array]:
    """Give a task that shows a single class the smallest label set of another task that holds it.

    With few rows a task may show one class by chance. Alone it could only repeat that class;
    with the label set of its neighbours it predicts from what they share.
    """
    sets = sorted((classes for classes in [*per_task, *known] if len(classes) > 1), key=len)
    return [
        classes
        if len(classes) > 1
        else next((other for other in sets if classes[0] in other.tolist()), classes)
        for classes in per_task
    ]
