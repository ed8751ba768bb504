"""How alike tasks are: in the covariance of their features, and in what their labels point at."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from sk_mtl._features import read_table
from sk_mtl._labels import read_columns, read_labels, refuse_unlabelled
from sk_mtl._scaling import every_position
from sk_mtl._svd import SVDTaskReweighter
from sk_mtl._tasks import Array, check_ids, split_column


def covariance_similarity(
    X1: Any,
    X2: Any = None,
    energy: float = 0.99,
    *,
    y: Any = None,
    task: Any = None,
    task_column: Hashable = None,
) -> Any:
    """Similarity of the tasks' covariances: how much of their features' strong directions agree.

    Equation 5 of [1]_: with ``C_i = X_i.T @ X_i`` and its best approximation ``U_i D_i U_i.T`` of
    the smallest rank that holds 99 % of its singular values' sum, the norm of
    ``(U_1 D_1^0.5).T @ U_2 D_2^0.5`` over the product of the norms of ``U_1 D_1^0.5`` and
    ``U_2 D_2^0.5``. Where it is low, tasks with the same labelling function may still harm each
    other, and alignment may help.

    Parameters
    ----------
    X1 : array-like, CSR matrix or DataFrame of shape (n_samples, n_features), or list or dict
        Rows of the first task; or of all tasks, told apart by ``task``, ``task_column`` or ``y``;
        or a list (or dict by id) with the rows of each.
    X2 : array-like, CSR matrix or DataFrame of shape (n_other_samples, n_features), default=None
        Rows of the second task.
    energy : float, default=0.99
        Share of the singular values' sum that the approximations hold, in (0, 1].
    y : array-like of shape (n_samples, n_tasks), default=None
        A wide ``y``: the rows of a task are those with a label in its column.
    task : array-like of shape (n_samples,), default=None
        Task id of each row.
    task_column : column name or int, default=None
        Column of X1 that holds the task ids.

    Returns
    -------
    similarity : float, or ndarray of shape (n_tasks, n_tasks)
        In [0, 1]: of the two tasks, or of all pairs, in the order of the list, of the columns of
        ``y`` or of the sorted ids.

    Raises
    ------
    ValueError
        If tasks are told apart in no way or in two, differ in their features, have no row, or
        have a covariance of 0.

    Notes
    -----
    The score is 1 only where all rows lie on one line: the similarity of a task with itself is
    ``norm(D) / sum(D)``, small where the features vary in many directions. So compare pairs with
    the diagonal. The covariances are about 0, as in the paper: centre (or scale) X beforehand if
    its means should not count.

    References
    ----------
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.diagnostics import covariance_similarity
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 3)) * [10, 1, 1]
    >>> round(covariance_similarity(X, X[:, [0, 2, 1]]), 2)
    0.99
    >>> round(covariance_similarity(X, X[:, [1, 0, 2]]), 2)
    0.14
    >>> covariance_similarity(X, task=np.repeat(["a", "b"], 150)).shape
    (2, 2)
    """
    if not isinstance(energy, Real) or not 0 < energy <= 1:
        raise ValueError(f"energy must be in (0, 1]; got {energy!r}.")
    tables = tables_of_tasks(X1, X2, y, task, task_column)
    factors, traces = [], []
    for name, table in tables.items():
        factor, trace = _factor(table, energy)
        refuse_zero(trace, name)
        factors.append(factor)
        traces.append(trace)
    similarity = similarity_of_factors(factors, traces)
    return float(similarity[0, 1]) if X2 is not None else similarity


def alignment_similarity(
    estimator: Any, X: Any, task: Any = None, *, energy: float = 0.99
) -> tuple[Array, Array]:
    """The similarity of the tasks' covariances before and after a fitted model's alignment.

    Parameters
    ----------
    estimator : fitted MultiTaskAlignedClassifier or MultiTaskAlignedRegressor
        Or an estimator with CV, or a search, for its ``best_estimator_``.
    X : array-like or DataFrame of shape (n_samples, n_columns)
        Rows of several tasks, as in the estimator's ``predict``.
    task : array-like of shape (n_samples,), default=None
        As in the estimator's ``predict``.
    energy : float, default=0.99
        As in `covariance_similarity`.

    Returns
    -------
    before, after : ndarray of shape (n_tasks, n_tasks)
        `covariance_similarity` of the tasks' standardised features, and of their aligned ones, in
        the order of the estimator's ``tasks_`` that X has rows of.

    Raises
    ------
    ValueError
        If the estimator has no alignment, or X is not as in ``fit``.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.diagnostics import alignment_similarity
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((200, 3)) * [5, 1, 1], np.repeat([0, 1], 100)
    >>> X[task == 1] = X[task == 1][:, [1, 0, 2]]
    >>> model = MultiTaskAlignedClassifier(
    ...     alignment="full", alignment_init="coral", input_scaling=None
    ... )
    >>> model = model.fit(X, rng.random(200) > 0.5, task=task)
    >>> before, after = alignment_similarity(model, X, task)
    >>> bool(after[0, 1] > before[0, 1] + 0.2)
    True
    """
    estimator = fitted_network(estimator)
    if getattr(estimator, "alignment_", None) is None:
        raise ValueError(f"{estimator} has no alignment: tasks are as alike after it as before.")
    features, codes = estimator._read_rows(X, task)
    scores = []
    for rows in (estimator._scaler.transform(features), estimator.align(X, task=task)):
        flat, of_task, _ = every_position(rows, codes, np.ones(len(rows)))
        scores.append(covariance_similarity(flat, task=of_task, energy=energy))
    return scores[0], scores[1]


def fitted_network(estimator: Any) -> Any:
    """The estimator itself, or what one that searches has found to be best."""
    check_is_fitted(estimator)
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def task_direction_similarity(
    X: Any,
    y: Any,
    *,
    task: Any = None,
    task_column: Hashable = None,
    center: bool = True,
    scale: bool = True,
) -> Array:
    """Cosines between the directions in which tasks' labels vary with the features.

    The direction of task i is ``theta_i = X_i.T @ y_i`` of Algorithm 2 [1]_: tasks whose labels
    mean the same have a cosine near 1, opposed ones near -1, unrelated ones near 0.

    Parameters
    ----------
    X : array-like, CSR matrix or DataFrame of shape (n_samples, n_features)
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
    task : array-like of shape (n_samples,), default=None
    task_column : column name or int, default=None
    center, scale : bool, default=True
        As in `SVDTaskReweighter`: with both, the entries of theta_i are correlations.

    Returns
    -------
    cosine : ndarray of shape (n_tasks, n_tasks)
        In [-1, 1], in the order of the sorted ids or of the columns of ``y``. Between tasks with
        different sets of labels, whose directions have no sign in common, in [0, 1]. NaN for a
        task whose target does not vary.

    Raises
    ------
    ValueError
        As `SVDTaskReweighter.fit`.

    Notes
    -----
    A task of several classes has a direction per class, the columns of a matrix theta_i. Between
    tasks with the same classes the cosine is that of the matrices as long vectors; else it is the
    sum of the singular values of ``theta_i.T @ theta_j`` over the product of their norms, the
    largest cosine that any rotation of the classes can reach.

    References
    ----------
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.diagnostics import task_direction_similarity
    >>> X = np.random.default_rng(0).standard_normal((500, 4))
    >>> Y = np.column_stack([X[:, 0], -X[:, 0], X[:, 0] + X[:, 1]])
    >>> task_direction_similarity(X, Y).round(1)
    array([[ 1. , -1. ,  0.7],
           [-1. ,  1. , -0.7],
           [ 0.7, -0.7,  1. ]])
    """
    reweighter = SVDTaskReweighter(center=center, scale=scale, task_column=task_column)
    blocks, labels = reweighter.fit(X, y, task=task)._directions()
    norms = [np.linalg.norm(block) for block in blocks]
    cosine = np.full((len(blocks), len(blocks)), np.nan)
    for i, one in enumerate(blocks):
        for j, other in enumerate(blocks):
            if not norms[i] or not norms[j]:
                continue
            product = one @ other.T
            same = len(one) == len(other) and labels[i] == labels[j]
            agreement = np.trace(product) if same else np.linalg.norm(product, ord="nuc")
            cosine[i, j] = np.clip(agreement / (norms[i] * norms[j]), -1, 1)
    return cosine


def tables_of_tasks(X1: Any, X2: Any, y: Any, task: Any, task_column: Hashable) -> dict[Any, Any]:
    """Rows of every task, checked, in their order."""
    ways = {"X2": X2, "y": y, "task": task, "task_column": task_column}
    given = [name for name, value in ways.items() if value is not None]
    if len(given) > 1:
        raise ValueError(f"Tasks are told apart in two ways, by {given}. Pass one of them.")
    if not given:
        return _listed(X1)
    if X2 is not None:
        return _listed({"X1": X1, "X2": X2})
    if task_column is not None:
        X1, task = split_column(X1, task_column)
    X1 = _checked(X1, "X1")
    if y is not None:
        columns, names = read_columns(y, X1.shape[0])
        if names is None:
            raise ValueError("y has one label per row. Pass task= to tell its tasks apart.")
        rows = [np.flatnonzero(read_labels(column, "y")[1]) for column in columns]
        refuse_unlabelled([len(own) for own in rows], names)
        return {name: X1[own] for name, own in zip(names.tolist(), rows, strict=True)}
    ids = check_ids(task, where="task", n_rows=X1.shape[0])
    return {name: X1[ids == name] for name in np.unique(ids).tolist()}


def _listed(X: Any) -> dict[Any, Any]:
    if not isinstance(X, (list, tuple, Mapping)) or not len(X):
        raise ValueError(
            "covariance_similarity compares tasks: pass X2, task=, task_column=, a wide y, or a "
            "list with the rows of each task."
        )
    named = dict(X) if isinstance(X, Mapping) else dict(enumerate(X))
    tables = {name: _checked(table, f"X of task {name!r}") for name, table in named.items()}
    widths = {name: table.shape[1] for name, table in tables.items()}
    if len(set(widths.values())) > 1:
        raise ValueError(f"Tasks must have the same features; their numbers are {widths}.")
    return tables


def _checked(X: Any, name: str) -> Any:
    return read_table(X, accept_sparse="csr", name=name).astype(np.float64, copy=False)


def _factor(X: Any, energy: float) -> tuple[Array, float]:
    """``U D^0.5`` of the approximation of ``X.T @ X``, and the trace of ``D``, of X in a unit."""
    size = abs(X).max()
    X = X * 2.0 ** -np.frexp(size)[1]  # of which no power overflows: similarity has no unit
    if X.shape[0] >= X.shape[1]:
        return factor_of(dense(X.T @ X), energy)
    kept, _, trace = _strongest(dense(X @ X.T), energy)
    return np.asarray(X.T @ kept), trace


def factor_of(moment: Array, energy: float) -> tuple[Array, float]:
    """The same from ``X.T @ X`` itself."""
    kept, values, trace = _strongest(moment, energy)
    return kept * np.sqrt(values), trace


def dense(gram: Any) -> Array:
    return np.asarray(gram.toarray() if issparse(gram) else gram)


def _strongest(gram: Array, energy: float) -> tuple[Array, Array, float]:
    """Eigenvectors and eigenvalues that hold a share of their sum, and what they hold."""
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1].clip(0), vectors[:, ::-1]
    held = np.cumsum(values)
    rank = 1 + int(np.searchsorted(held, energy * held[-1] * (1 - 1e-12)))
    return vectors[:, :rank], values[:rank], float(held[rank - 1])


def refuse_zero(trace: float, name: Any) -> None:
    if trace == 0:
        raise ValueError(
            f"All features of task {name!r} are 0: its covariance has no direction. Leave the "
            "task out."
        )


def similarity_of_factors(factors: list[Array], traces: list[float]) -> Array:
    """Norms of (U_i D_i^0.5).T @ U_j D_j^0.5 over those of its factors."""
    products = np.sqrt(_squared_products(factors))
    return np.asarray(np.minimum(products / np.sqrt(np.outer(traces, traces)), 1.0))


def _squared_products(factors: list[Array]) -> Array:
    """Squared norms of ``F_i.T @ F_j`` for all pairs, from one Gram matrix."""
    n_tasks, n_features = len(factors), len(factors[0])
    ranks = [factor.shape[1] for factor in factors]
    if sum(ranks) ** 2 < n_tasks**2 * n_features:
        gram = np.square((stacked := np.hstack(factors)).T @ stacked)
        starts = np.cumsum([0, *ranks[:-1]])
        return np.asarray(np.add.reduceat(np.add.reduceat(gram, starts, 0), starts, 1))
    # Fewer products with the C_i as long vectors, a few of their rows at a time.
    squares = np.zeros((n_tasks, n_tasks))
    step = max(1, 10_000_000 // (n_tasks * n_features))
    for start in range(0, n_features, step):
        rows = slice(start, start + step)
        flat = np.stack([(factor[rows] @ factor.T).ravel() for factor in factors])
        squares += flat @ flat.T
    return squares
