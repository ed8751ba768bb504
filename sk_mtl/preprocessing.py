"""Tables of several tasks: a task column that survives other steps, and changes of layout."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing

from sk_mtl._exact import joined
from sk_mtl._features import short
from sk_mtl._labels import read_columns, read_labels
from sk_mtl._tasks import Array, check_ids, is_position, listing, split_column

__all__ = ["keep_task", "melt_tasks", "stack_tasks"]


def keep_task(*steps: Any, task_column: Hashable = -1) -> ColumnTransformer:
    """Apply transformers to all columns but the one that holds the tasks.

    A scaler or an imputer before the estimator must leave the task column alone, and it must
    still be there behind them.

    Parameters
    ----------
    *steps : transformers
        Applied one after the other, as in scikit-learn's ``make_pipeline``.
    task_column : column name or int, default=-1
        A name: the outcome is a pandas DataFrame in which the column keeps its name (a polars one
        after ``.set_output(transform="polars")``). A position: the outcome is an array whose
        **last** column is the task, ``task_column=-1`` for the estimator behind it.

    Returns
    -------
    transformer : ColumnTransformer
        With the steps as its part "features": a parameter of a step "pca" is
        ``features__pca__n_components``, behind the name of this transformer in a pipeline.

    Raises
    ------
    ValueError
        If there is no step, or one that does not name its outcome's columns where the task
        column has a name. When fitted, if X has no such column.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.preprocessing import keep_task
    >>> rng = np.random.default_rng(0)
    >>> X = np.column_stack([rng.normal(5, 10, (40, 3)), np.repeat([7, 8], 20)])
    >>> y = X[:, 0] > 5
    >>> model = make_pipeline(
    ...     keep_task(StandardScaler(), task_column=-1),
    ...     MultiTaskAlignedClassifier(task_column=-1, random_state=0),
    ... )
    >>> model.fit(X, y)[-1].tasks_
    array([7, 8])
    """
    if not steps:
        raise ValueError("keep_task needs a transformer: keep_task(StandardScaler()), say.")
    if task_column is None or not isinstance(task_column, Hashable):
        raise ValueError(f"task_column must be a name or a position; got {task_column!r}.")
    for step in steps:
        if isinstance(step, type) or (step != "passthrough" and not hasattr(step, "transform")):
            raise ValueError(
                f"{step!r} is no transformer. Pass an object with fit and transform, such as "
                "StandardScaler()."
            )
    named = not is_position(task_column)
    for step in steps:
        if named and not isinstance(step, str) and not hasattr(step, "get_feature_names_out"):
            raise ValueError(
                f"{step} does not name the columns that it makes, so the task column would lose "
                "its name beside them. Give it a method get_feature_names_out (a "
                'FunctionTransformer has one with feature_names_out="one-to-one"), or pass the '
                "position of the task column."
            )
    parts = [("features", make_pipeline(*steps), _AllBut(task_column))]
    transformer = ColumnTransformer(
        parts, remainder="passthrough", verbose_feature_names_out=False, sparse_threshold=0
    )
    if named:
        transformer.set_output(transform="pandas")
    return transformer


class _AllBut:
    """Selects all columns but one. A class, not a function within one, so that it pickles."""

    def __init__(self, column: Hashable) -> None:
        self.column = column

    def __call__(self, X: Any) -> list[Any]:
        others, _ = split_column(X[:0], self.column)
        if hasattr(others, "columns"):
            return list(others.columns)
        assert is_position(self.column)
        position = self.column % X.shape[1]
        return [other for other in range(X.shape[1]) if other != position]

    def __repr__(self) -> str:
        return f"all but {self.column!r}"


def stack_tasks(
    tasks: Mapping[Any, tuple[Any, Any]] | Sequence[tuple[Any, Any]],
) -> tuple[Any, Array, Array]:
    """Put the data sets of several tasks below one another.

    Parameters
    ----------
    tasks : dict or list of (X, y)
        Each X of shape (n_samples, n_features), the same features for all; each y of shape
        (n_samples,). The keys of a dict are the task ids, for a list the positions are.

    Returns
    -------
    X : ndarray or DataFrame of shape (n_rows, n_features)
        A DataFrame if all X are, of pandas or of polars.
    y : ndarray of shape (n_rows,)
    task : ndarray of shape (n_rows,)

    Raises
    ------
    ValueError
        If the tasks differ in their features, X and y in their rows, or the task ids in type.

    Examples
    --------
    >>> from sk_mtl.preprocessing import stack_tasks
    >>> X, y, task = stack_tasks({"north": ([[1, 2], [3, 4]], [0, 1]), "south": ([[5, 6]], [1])})
    >>> X.shape, y, task
    ((3, 2), array([0, 1, 1]), array(['north', 'north', 'south'], dtype='<U5'))
    """
    named: dict[Any, Any] = {}
    if isinstance(tasks, Mapping):
        named = dict(tasks)
    elif isinstance(tasks, Sequence):
        named = dict(enumerate(tasks))
    if not named or not all(
        isinstance(of, (tuple, list)) and len(of) == 2 for of in named.values()
    ):
        raise ValueError(
            f"stack_tasks needs a list of pairs (X, y), or a dict of them by task; got "
            f"{short(tasks)}."
        )
    blocks, labels, first = [], [], None
    for name, (X, y) in named.items():
        if issparse(X):
            raise TypeError(f"X of task {name!r} is sparse. Convert it with X.toarray().")
        block = X if hasattr(X, "columns") else np.asarray(X)
        if len(block.shape) < 2:
            raise ValueError(f"X of task {name!r} must be a table; got shape {block.shape}.")
        columns = list(X.columns) if hasattr(X, "columns") else list(range(block.shape[1]))
        first = columns if first is None else first
        if columns != first:
            raise ValueError(
                f"Task {name!r} has the features {listing(columns)}, the first task "
                f"{listing(first)}. Pass the same features in the same order."
            )
        (column, *more), _ = read_columns(y, len(block))
        if more:
            raise ValueError(f"y of task {name!r} has several columns. Pass one label per row.")
        blocks.append(block)
        labels.append(column)
    ids = check_ids(np.fromiter(named, dtype=object), where="tasks")
    return _stacked(blocks), joined(labels), np.repeat(ids, [len(X) for X in blocks])


def _stacked(blocks: list[Any]) -> Any:
    """Tables below one another: a DataFrame if all are of one library, else an array."""
    if all(hasattr(block, "iloc") for block in blocks):
        import pandas as pd

        return pd.concat(blocks, ignore_index=True)
    if all(hasattr(block, "get_columns") for block in blocks):
        import polars as pl

        return pl.concat(blocks)
    return np.concatenate(blocks)


def melt_tasks(X: Any, Y: Any) -> tuple[Any, Array, Array, Array]:
    """Turn a wide Y with gaps into stacked rows, one per label that is there.

    scikit-learn's metrics and splitters refuse a Y with gaps. Stacked rows they take, as long as
    the rows of one sample stay in one fold: pass ``sample`` as ``groups`` to GroupKFold, say.

    Parameters
    ----------
    X : array-like or DataFrame of shape (n_samples, n_features)
    Y : array-like or DataFrame of shape (n_samples, n_tasks)
        NaN, None or pandas' NA where a label is missing.

    Returns
    -------
    X : ndarray or DataFrame of shape (n_labels, n_features)
    y : ndarray of shape (n_labels,)
    task : ndarray of shape (n_labels,)
        Name or number of the label's column.
    sample : ndarray of shape (n_labels,)
        Number of the sample that the row comes from.

    Raises
    ------
    ValueError
        If Y is not wide, or holds no label.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.preprocessing import melt_tasks
    >>> X = np.array([[1.0], [2.0]])
    >>> melt_tasks(X, [[0, 1], [np.nan, 0]])[1:]
    (array([0., 1., 0.]), array([0, 1, 1]), array([0, 0, 1]))
    """
    X = X if hasattr(X, "shape") else np.asarray(X)
    if len(X.shape) < 2:
        raise ValueError(f"X must be a table; got shape {X.shape}. Pass one row per sample.")
    n_rows = X.shape[0]
    columns, names = read_columns(Y, n_rows)
    if names is None:
        raise ValueError("Y has one label per row: there is nothing to melt. Pass a column a task.")
    found = [
        read_labels(column, f"column {name!r} of Y")
        for column, name in zip(columns, names.tolist(), strict=True)
    ]
    kinds = {values.dtype.kind in "US" for values, labelled in found if labelled.any()}
    if not kinds:
        raise ValueError("Y holds no label: all of its entries are missing.")
    sample = np.concatenate([np.flatnonzero(labelled) for _, labelled in found])
    code = np.repeat(np.arange(len(names)), [len(values) for values, _ in found])
    parts = [values for values, _ in found if len(values)]
    y = joined(parts if len(kinds) == 1 else [part.astype(object) for part in parts])
    order = np.lexsort([code, sample])
    melted = _safe_indexing(X, sample[order])
    if hasattr(melted, "reset_index"):
        melted = melted.reset_index(drop=True)
    return melted, y[order], names[code[order]], sample[order]
