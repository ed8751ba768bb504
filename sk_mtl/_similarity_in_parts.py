"""`covariance_similarity` of rows that come in parts."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sk_mtl._labels import read_columns, read_labels
from sk_mtl._merging import parts_to_merge, take_columns
from sk_mtl._scaling import parts
from sk_mtl._similarity import dense, factor_of, refuse_zero, similarity_of_factors
from sk_mtl._tasks import Array, TaskSet, read_features

if TYPE_CHECKING:
    from typing import Self


class CovarianceSimilarity(BaseEstimator):
    """Similarity of the tasks' covariances, from rows that come in chunks or lie on many machines.

    What `covariance_similarity` computes from all rows together: equation 5 of [1]_. The state is
    ``C_i = X_i.T @ X_i`` of each task, a sum over rows, so parts add up.

    Parameters
    ----------
    energy : float, default=0.99
        Share of the singular values' sum that the approximations hold, in (0, 1].
    task_column : column name or int, default=None
        Column of X that holds the task ids.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Sorted task ids; the columns of a wide ``y``.
    second_moments_ : ndarray of shape (n_tasks, n_features, n_features)
        The ``C_i``.
    similarity_ : ndarray of shape (n_tasks, n_tasks)
        Computed when asked for, from an eigendecomposition of each ``C_i``.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        Only if X has column names.

    References
    ----------
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.diagnostics import CovarianceSimilarity, covariance_similarity
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((300, 3)) * [10, 1, 1], rng.integers(0, 2, 300)
    >>> one = CovarianceSimilarity().partial_fit(X[:100], task=task[:100])
    >>> other = CovarianceSimilarity().partial_fit(X[100:], task=task[100:])
    >>> whole = covariance_similarity(X, task=task)
    >>> bool(np.allclose(one.merge(other).similarity_, whole, rtol=1e-12))
    True
    """

    __metadata_request__fit: ClassVar = {"task": True}
    __metadata_request__partial_fit: ClassVar = {"task": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "energy": [Interval(Real, 0, 1, closed="right")],
        "task_column": [Hashable],
    }

    _tasks: TaskSet

    def __init__(self, *, energy: float = 0.99, task_column: Hashable = None) -> None:
        self.energy = energy
        self.task_column = task_column

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, task: Any = None) -> Self:
        """Take in rows, and forget those before.

        Parameters
        ----------
        X : array-like, CSR matrix or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples, n_tasks), default=None
            A wide ``y``: the rows of a task are those with a label in its column. Labels of one
            column say nothing and are ignored.
        task : array-like of shape (n_samples,), default=None
            Task id of each row.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If tasks are told apart in no way or in two, or a value of X is missing or infinite.
        """
        return self._take_in(X, y, task, reset=True)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any = None, task: Any = None) -> Self:
        """Take in a chunk of rows: after all chunks, the result is `fit`'s on all rows.

        Parameters
        ----------
        X, y, task
            As in `fit`. New tasks may come at any time.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            As `fit`, and for tasks named in another way than before.
        """
        return self._take_in(X, y, task, reset=not hasattr(self, "_tasks"))

    @_fit_context(prefer_skip_nested_validation=True)
    def merge(self, *others: CovarianceSimilarity) -> Self:
        """Take in the rows that others have seen: the result is `fit`'s on all rows.

        Parameters
        ----------
        *others : CovarianceSimilarity
            Fitted, on the same columns. They stay as they are.

        Returns
        -------
        self : object
            It need not have seen rows of its own before.

        Raises
        ------
        ValueError
            If the parts have other columns, or name their tasks in another way.
        """
        first, *rest = parts_to_merge(self, others, "_tasks")
        tasks, moments = first._tasks, first.second_moments_
        for part in rest:
            tasks, moments = _sum(tasks, moments, part._tasks, part.second_moments_)
        self._set(tasks, moments)
        take_columns(self, first)
        return self

    def _take_in(self, X: Any, y: Any, task: Any, *, reset: bool) -> Self:
        X, ids, route = read_features(
            self, X, task, task_column=self.task_column, reset=reset, accept_sparse="csr"
        )
        names = None
        if y is not None:
            columns, names = read_columns(y, X.shape[0])
        if names is None and ids is None:
            raise ValueError("Pass task=, task_column= or a wide y to tell tasks apart.")
        here = TaskSet.of(names, ids, route)
        if here.wide:
            own = [np.flatnonzero(read_labels(column, "y")[1]) for column in columns]
        else:
            own = [np.flatnonzero(ids == name) for name in here.ids]
        moments = np.stack([_second_moment(X, rows) for rows in own])
        if not reset:
            here, moments = _sum(self._tasks, self.second_moments_, here, moments)
        self._set(here, moments)
        return self

    def _set(self, tasks: TaskSet, moments: Array) -> None:
        self._tasks, self.tasks_, self.second_moments_ = tasks, tasks.ids, moments

    @property
    def similarity_(self) -> Array:
        check_is_fitted(self)
        factors, traces = [], []
        for name, moment in zip(self.tasks_.tolist(), self.second_moments_, strict=True):
            factor, trace = factor_of(moment, self.energy)
            refuse_zero(trace, name)
            factors.append(factor)
            traces.append(trace)
        return similarity_of_factors(factors, traces)


def _second_moment(X: Any, rows: Array) -> Array:
    """``X.T @ X`` of some rows, in double precision."""
    total = np.zeros((X.shape[1], X.shape[1]))
    for part in parts(rows[:, None]):
        own = X[rows[part]].astype(np.float64)
        total += dense(own.T @ own)
    return total


def _sum(tasks: TaskSet, moments: Array, others: TaskSet, more: Array) -> tuple[TaskSet, Array]:
    """All tasks, and their moments added up."""
    joined = tasks.joined(others)
    position = {name: t for t, name in enumerate(joined.ids.tolist())}
    total = np.zeros((len(joined), *moments.shape[1:]))
    for known, of_known in ((tasks, moments), (others, more)):
        total[[position[name] for name in known.ids.tolist()]] += of_known
    return joined, total
