"""Features as numbers that can be reckoned with, or an error that says what to do about them."""

from __future__ import annotations

from reprlib import Repr
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse
from sklearn.utils.validation import check_array

Array = npt.NDArray[Any]

_REPR = Repr()
_REPR.maxstring = _REPR.maxother = 60
short = _REPR.repr  # of a value in an error message

LARGEST, SMALLEST = 1e150, 1e-150  # what can be squared and summed in double precision


def read_table(
    X: Any, estimator: Any = None, *, accept_sparse: bool | str = False, name: str = "X"
) -> Any:
    """A table of floats, of shape (n_rows, n_features)."""
    if X is None:
        raise ValueError(f"{name} is None. Pass a table of shape (n_samples, n_features).")
    if isinstance(X, np.ma.MaskedArray) and np.ma.getmaskarray(X).any():
        raise ValueError(
            f"{name} has {np.ma.getmaskarray(X).sum()} masked entries. Fill them in, by "
            "scikit-learn's SimpleImputer say, or drop their rows."
        )
    if isinstance(X, np.ndarray) and X.dtype.kind in "mM":
        raise ValueError(
            f"{name} holds {X.dtype} values. Turn them into numbers: days since a date, say."
        )
    try:
        table = check_array(
            X,
            dtype=[np.float64, np.float32],
            accept_sparse=accept_sparse,
            estimator=estimator,
            input_name=name,
        )
    except (TypeError, ValueError, OverflowError) as error:
        said = str(error)
        advice = _advice(X, said, name, getattr(estimator, "task_column", name))
        if not advice:
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        # numpy lists every type that it could not join; a DataFrame has no .toarray().
        if "DType" in said or "Sparse data" in said:
            raise kind(advice) from error
        raise kind(f"{said.rstrip('. ')}. {advice}") from error
    refuse_enormous(table, name)
    return table


def _advice(X: Any, error: str, name: str, task_column: Any) -> str:
    """What to do, where scikit-learn's message does not say it."""
    if "infinity" in error:
        return "Drop these rows, or cap the values."
    if "Complex data" in error:
        return "Pass real and imaginary parts as columns of their own."
    if "dim 3" in error or "dim 4" in error:
        return "Reshape it to (n_samples, n_features)."
    if "NaN" in error and hasattr(X, "columns"):
        gaps = [column for column in X.columns if any(map(is_missing, X[column].to_numpy()))]
        return f"The columns {gaps} of {name} have gaps."
    if "Sparse data" in error and hasattr(X, "columns"):
        return (
            f"{name} is a DataFrame of sparse columns, but dense data is required. Convert these "
            f"with {name}.sparse.to_dense(), a dense task column apart."
        )
    if issparse(X) or any(word in error for word in ("NaN", "Reshape", "minimum", "np.matrix")):
        return ""  # they say it
    text = _text_columns(X)
    if text:
        of_tasks = " If one names the tasks, set task_column to it." if task_column is None else ""
        return (
            f"The columns {text} of {name} hold text: encode them, by scikit-learn's "
            f"OneHotEncoder say, or leave them out.{of_tasks}"
        )
    return f"{name} must be a table of numbers: {_what_is_wrong(X)}"


def _text_columns(X: Any) -> list[Any]:
    """Names of a DataFrame's columns that hold text."""
    return [
        name
        for name in getattr(X, "columns", ())
        if any(isinstance(value, str) for value in X[name].to_numpy().tolist())
    ]


def _what_is_wrong(X: Any) -> str:
    """The first value that is no number, and what to do about it."""
    if hasattr(X, "columns"):
        columns = [(name, X[name].to_numpy()) for name in X.columns]
    else:
        try:
            table = np.asarray(X, dtype=object)
        except ValueError:
            return "its rows differ in length. Pad them, or leave out what not all rows have."
        if table.ndim == 1 and len({np.shape(row) for row in table}) > 1:
            return "its rows differ in length. Pad them, or leave out what not all rows have."
        if table.ndim != 2:
            return f"got {short(X)}. Pass an array of shape (n_samples, n_features)."
        columns = list(enumerate(table.T))
    for column, values in columns:
        for value in values:
            if not isinstance(value, (int, float, np.number, np.bool_)):
                return (
                    f"column {column!r} holds {short(value)}. Encode text and categories, turn "
                    "dates into numbers, and leave out the rest."
                )
    return "convert it to floats. Larger integers than 1e308 have none: divide their columns."


def is_missing(value: Any) -> bool:
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, (float, np.floating)) and np.isnan(value))
    )


def refuse_enormous(table: Any, name: str) -> None:
    """Values whose squares overflow."""
    values = table.data if issparse(table) else table
    flat = values.ravel(order="K")
    with np.errstate(over="ignore"):  # one pass: most tables are far from it
        suspect = values.dtype == np.float64 and not flat @ flat < LARGEST**2
    if suspect and max(values.max(), -values.min()) > LARGEST:
        column = int(abs(table).argmax()) % table.shape[-1]
        raise ValueError(
            f"{name} holds values up to {abs(values).max():.3g} (in column {column}), too large "
            "to square. Divide its columns by their size."
        )


def refuse_minute(table: Any, name: str) -> None:
    """Columns whose squares vanish: they would pass for constant ones."""
    if table.dtype != np.float64:  # no other number is that small
        return
    if issparse(table):  # one pass, where the columns' ends would take two conversions
        stored = np.abs(table.data)
        if not (stored[stored > 0] < SMALLEST).any():
            return
    ends = table.max(axis=0), -table.min(axis=0)  # not of a copy without signs
    size = np.maximum(*(end.toarray().ravel() if issparse(end) else end for end in ends))
    lost = np.flatnonzero((size > 0) & (size < SMALLEST))
    if lost.size:
        raise ValueError(
            f"{name} holds no value beyond {size[lost[0]]:.3g} in column {lost[0]}, too small to "
            "square. Divide the column by its size."
        )


def refuse_unsquarable(y: Array, task: Array, ids: Array) -> None:
    """Values of a target of which the variance within a task cannot be had."""
    sizes = np.zeros(len(ids))
    np.maximum.at(sizes, task, np.abs(y))
    for size, name in zip(sizes.tolist(), ids.tolist(), strict=True):
        if size > LARGEST or 0 < size < SMALLEST:
            wrong = "large" if size > LARGEST else "small"
            raise ValueError(
                f"y holds values up to {size:.3g} for task {name!r}, too {wrong} to square. "
                "Divide y by its size."
            )
