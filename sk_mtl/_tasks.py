"""Which task a row belongs to: from the user's way of naming tasks to integer codes.

A task is named by a column of ``X``, by the ``task=`` keyword, or by a column of a wide ``y``.
Everything behind this module sees task codes and a plain array of features.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal, TypeGuard

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import validate_data

from sk_mtl._exact import EXACT, of_objects, union
from sk_mtl._features import is_missing, read_table, short
from sk_mtl._positions import has_positions, read_positions

Array = npt.NDArray[Any]
Route = Literal["none", "column", "keyword", "wide"]


def read_features(
    estimator: Any,
    X: Any,
    task: Any,
    *,
    task_column: Hashable = None,
    reset: bool,
    accept_sparse: bool | str = False,
    accept_positions: bool = False,
) -> tuple[Any, Array | None, Route]:
    """Split ``X`` into numeric features and task ids.

    Parameters
    ----------
    estimator : estimator
        Receives ``n_features_in_`` and ``feature_names_in_`` (of ``X`` as passed) if ``reset``,
        and is checked against them otherwise.
    X : array-like or DataFrame of shape (n_samples, n_columns)
    task : array-like of shape (n_samples,) or None
    task_column : column name or position, or None
    reset : bool
    accept_sparse : bool or str
    accept_positions : bool
        Whether X may have more than two dimensions, the features along the last.

    Returns
    -------
    features : ndarray or sparse matrix of shape (n_samples, ..., n_features), floating
    ids : ndarray of shape (n_samples,) or None
        None if no task was named.
    route : {"none", "column", "keyword"}
    """
    features, ids, route = X, task, "none" if task is None else "keyword"
    if task_column is not None:
        refuse_named_twice(task, task_column)
        features, ids = split_column(X, task_column)
        route = "column"
        if features.shape[1] == 0:
            raise ValueError(
                f"X has no column beside the task column, {task_column!r}: there are 0 feature(s) "
                "to learn from."
            )
    _refuse_repeated(getattr(features, "columns", ()))
    if accept_positions and has_positions(features):
        features = read_positions(features)
    else:
        features = read_table(features, estimator, accept_sparse=accept_sparse)
    _check_dimensions(estimator, features, reset=reset)
    # This checks the width and the names of the columns alone.
    table = X if features.ndim == 2 else features.reshape(-1, features.shape[-1])
    validate_data(estimator, table, reset=reset, skip_check_array=True)
    if ids is not None:
        ids = check_ids(ids, where="task" if route == "keyword" else f"Column {task_column!r}")
        if len(ids) != features.shape[0]:
            raise ValueError(
                "Found input variables with inconsistent numbers of samples: "
                f"X has {features.shape[0]} rows, task {len(ids)} entries. Pass one id per row."
            )
    return features, ids, route  # type: ignore[return-value]


def _check_dimensions(estimator: Any, features: Array, *, reset: bool) -> None:
    """Hold later rows to the number of dimensions of the first."""
    if reset:
        estimator._n_dims_in = features.ndim
    elif features.ndim != estimator._n_dims_in:
        raise ValueError(
            f"X has {features.ndim} dimensions; the estimator was fitted on {estimator._n_dims_in}."
        )


def split_column(X: Any, column: Hashable) -> tuple[Any, Any]:
    """Take the task column out of ``X``: by name in a DataFrame, else by position."""
    if hasattr(X, "columns"):
        names = list(X.columns)
        if column not in names:
            if not is_position(column):
                raise ValueError(
                    f"task_column={column!r} is not a column of X; its columns are {names}. If a "
                    "step before this one drops or renames it, put that step into keep_task of "
                    "sk_mtl.preprocessing."
                )
            column = names[_position(column, len(names))]
        _refuse_repeated(names)
        return X[[name for name in names if name != column]], X[column]
    if not is_position(column):
        raise ValueError(
            f"task_column={column!r} names a column, but X is a {type(X).__name__} without column "
            "names. Pass a DataFrame or an integer position. If a step before this one makes the "
            "array, put that step into keep_task of sk_mtl.preprocessing."
        )
    if hasattr(X, "tocsr"):
        raise TypeError(
            "Sparse X cannot hold a task column. Pass the ids with the task= keyword instead."
        )
    # Strings beside numbers: numpy would turn the whole of a nested list into strings.
    X = np.asarray(X, dtype=None if isinstance(X, np.ndarray) else object)
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead. Only the columns of a table can hold "
            "the task: reshape your data to (n_samples, n_features), or pass the ids as task=."
        )
    position = _position(column, X.shape[1])
    return np.delete(X, position, axis=1), X[:, position]


def is_position(column: Hashable) -> TypeGuard[int | np.integer[Any]]:
    """Whether a column is meant by its number, not by its name."""
    return isinstance(column, (int, np.integer)) and not isinstance(column, bool)


def refuse_named_twice(task: Any, task_column: Hashable) -> None:
    if task is not None and task_column is not None:
        raise ValueError(
            f"Tasks are named twice: task_column={task_column!r} and the task= keyword. Drop one "
            "of them."
        )


def _refuse_repeated(names: Any) -> None:
    twice = repeated(list(names))
    if twice:
        raise ValueError(
            f"X has several columns named {listing(twice)}. Rename them: columns are told apart by "
            "name."
        )


def _position(column: int | np.integer[Any], n_columns: int) -> int:
    if not -n_columns <= column < n_columns:
        raise ValueError(
            f"task_column={column} is out of range: X has {n_columns} columns. Positions run from "
            f"{-n_columns} to {n_columns - 1}."
        )
    return int(column) % n_columns


def check_ids(values: Any, where: str, n_rows: int | None = None) -> Array:
    """Task ids as a 1-D array of one sortable kind: whole numbers, booleans or strings.

    There must be one for each of the ``n_rows``, if their number is given.
    """
    try:
        ids = as_array(values)
    except ValueError as error:
        raise ValueError(f"{where} must be one task id per row, not lists of several.") from error
    if ids.ndim == 2 and ids.shape[1] == 1:
        ids = ids.ravel()
    if ids.ndim != 1:
        raise ValueError(
            f"{where} must be one task id per row, of shape (n_samples,); got shape {ids.shape}."
        )
    if ids.dtype == object:
        ids = as_plain(ids, what=where)
        if not _sorts(ids):
            raise ValueError(
                f"{where} holds {short(ids[0])}, which cannot be sorted. Task ids are integers, "
                "booleans or strings."
            )
    if ids.dtype.kind in "mMcV":
        raise ValueError(
            f"{where} holds {ids.dtype} values. Task ids are integers, booleans or strings; "
            "convert them, with astype(str) say."
        )
    if ids.dtype.kind == "f":
        if not np.isfinite(ids).all():
            raise ValueError(f"{where} contains missing or infinite task ids. Drop those rows.")
        fraction = ids[ids != np.round(ids)]
        if fraction.size:
            raise ValueError(
                f"{where} contains {fraction[0].item()!r}, which is not a whole number. Task ids "
                "are integers, booleans or strings; a scaler in a step before this one may have "
                "rescaled the task column (keep the task column out of the scaled columns)."
            )
        exact: float = 2.0 ** min(np.finfo(ids.dtype).nmant + 1, 53)  # whole numbers below it are
        too_large = ids[np.abs(ids) >= exact]
        if too_large.size:
            raise ValueError(
                f"{where} contains {too_large[0].item()!r}, which is too large for {ids.dtype} to "
                "tell from its neighbours. Pass task ids as integers or strings."
            )
        ids = ids.astype(np.int64)
    if n_rows is not None and len(ids) != n_rows:
        raise ValueError(f"{where} has {len(ids)} entries for {n_rows} rows. Pass one id per row.")
    return ids


def as_array(values: Any) -> Array:
    """An array that keeps gaps and strings apart: numpy reads ``["a", nan]`` as two strings.

    So it does large integers, which numpy reads as floats beside gaps.
    """
    if isinstance(values, np.ma.MaskedArray):
        kept: Array = values.data.astype(object)
        kept[np.ma.getmaskarray(values)] = None
        return kept
    array = np.asarray(values)
    if array.dtype.kind == "T" or (not hasattr(values, "dtype") and _is_misread(array)):
        return np.asarray(values, dtype=object)
    return array


def _is_misread(listed: Array) -> bool:
    """Whether numpy may have changed what a list holds."""
    large = listed.dtype.kind == "f" and (np.abs(listed.astype(np.float64)) >= EXACT).any()
    return bool(large or listed.dtype.kind == "U")


def as_plain(values: Array, what: str) -> Array:
    """An object array as an array of the one kind its values have; missing values are refused.

    Integers stay objects if no type holds them all.
    """
    if any(is_missing(value) for value in values):
        raise ValueError(f"{what} contains missing values. Drop those rows or fill them in.")
    kinds = {_kind(value) for value in values}
    if len(kinds) > 1:
        raise ValueError(
            f"{what} mixes values of different types ({', '.join(sorted(kinds))}). Convert them "
            "to one type, strings say."
        )
    if kinds <= {"bool", "number", "str"}:
        return of_objects(values)
    return values


def _sorts(values: Array) -> bool:
    try:
        np.unique(values)
        set(values.tolist())
    except TypeError:
        return False
    return True


def _kind(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "bool"
    if isinstance(value, (int, float, np.number)):
        return "number"
    return "str" if isinstance(value, str) else type(value).__name__


@dataclass(frozen=True)
class TaskSet:
    """The tasks of a fitted estimator and the way their rows are named.

    Attributes
    ----------
    ids : ndarray of shape (n_tasks,)
    route : {"none", "column", "keyword", "wide"}
    """

    ids: Array
    route: Route

    @classmethod
    def of(cls, names: Array | None, ids: Array | None, route: Route) -> TaskSet:
        """The tasks of rows: columns of a wide ``y``, or their ids, or one without a name.

        Parameters
        ----------
        names : ndarray or None
            Of the columns of a wide ``y``.
        ids : ndarray or None
            Of the rows.
        route : {"none", "column", "keyword"}
            How the rows name their tasks.
        """
        if names is None:
            return cls(np.array([0]) if ids is None else np.unique(ids), route)
        if ids is not None:
            raise ValueError(
                f"y has {len(names)} columns, which are tasks, and the rows name tasks as well. "
                "Pass one label per row, or drop the task ids."
            )
        return cls(names, "wide")

    @property
    def wide(self) -> bool:
        return self.route == "wide"

    def __len__(self) -> int:
        return len(self.ids)

    def check_columns(self, names: Array) -> None:
        """Refuse a wide ``y`` with other columns than the tasks, or in another order."""
        if names.tolist() != self.ids.tolist():
            raise ValueError(
                f"y has the columns {listing(names)}; those of the first y were "
                f"{listing(self.ids)}. Pass the same columns in the same order."
            )

    def joined(self, new: TaskSet) -> TaskSet:
        """The tasks of these rows and of further ones, which must name them in the same way."""
        ways = {
            "none": "not at all",
            "column": "by task_column",
            "keyword": "by task=",
            "wide": "by y",
        }
        if new.route != self.route:
            raise ValueError(
                f"Earlier rows named their tasks {ways[self.route]}, these {ways[new.route]}. "
                "Name them in one way."
            )
        if self.wide:
            self.check_columns(new.ids)
            return self
        if (self.ids.dtype.kind == "U") != (new.ids.dtype.kind == "U"):
            raise ValueError(
                f"Earlier task ids were like {listing(self.ids, 1)}, these are like "
                f"{listing(new.ids, 1)}. Convert them to one type."
            )
        return TaskSet(union([self.ids, new.ids]), self.route)

    def encode(self, ids: Array | None, n_rows: int) -> npt.NDArray[np.intp] | None:
        """Codes of the rows' tasks; None where every row belongs to every task (wide ``y``)."""
        if self.wide:
            if ids is not None:
                raise ValueError(
                    "Task ids were given to an estimator fitted on a wide y, whose columns are "
                    "the tasks. Call it without task ids: every task is predicted for every row."
                )
            return None
        if ids is None:
            if len(self) > 1:
                raise ValueError(
                    f"The estimator was fitted on {len(self)} tasks, {listing(self.ids)}, and no "
                    "task was named for the rows of X. Pass task=, or set task_column before fit. "
                    "(A Pipeline passes task= on only with "
                    "sklearn.set_config(enable_metadata_routing=True).)"
                )
            return np.zeros(n_rows, dtype=np.intp)
        seen, inverse = np.unique(ids, return_inverse=True)
        known = {value: code for code, value in enumerate(self.ids.tolist())}
        unseen = [value for value in seen.tolist() if value not in known]
        if unseen:
            raise ValueError(
                f"Unseen task ids {listing(unseen)}; the estimator knows {listing(self.ids)}. "
                "(In cross-validation of rows sorted by task, shuffle the folds.)"
            )
        return np.array([known[value] for value in seen.tolist()], dtype=np.intp)[inverse]


def repeated(names: list[Any]) -> list[Any]:
    """The names that occur more than once."""
    return [name for name, times in Counter(names).items() if times > 1]


def listing(ids: Any, most: int = 10) -> str:
    """The first ids in words, for an error message."""
    values = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    shown = ", ".join(repr(value) for value in values[:most])
    return f"[{shown}, ... {len(values) - most} more]" if len(values) > most else f"[{shown}]"
