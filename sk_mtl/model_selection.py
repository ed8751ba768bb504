"""Cross-validation of several tasks."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.validation import _num_samples

from sk_mtl._labels import read_labels
from sk_mtl._tasks import Array, as_array, check_ids, split_column

__all__ = ["LeaveOneTaskOut", "TaskStratifiedKFold"]


class _TaskSplitter(BaseCrossValidator):
    """Finds the tasks of the rows: in ``task``, or in a column of X."""

    __metadata_request__split: ClassVar = {"task": True}

    def __init__(self, task_column: Hashable = None) -> None:
        self.task_column = task_column

    def _tasks_of(self, X: Any, task: Any) -> Array:
        if (task is None) == (self.task_column is None):
            given = "neither" if task is None else "both"
            raise ValueError(
                f"{type(self).__name__} needs the rows' tasks from task= or from task_column; got "
                f"{given}. (scikit-learn's tools pass task= on only with "
                "sklearn.set_config(enable_metadata_routing=True).)"
            )
        if task is None:
            task = split_column(X, self.task_column)[1]
        ids = check_ids(task, where="task", n_rows=_num_samples(X))
        return np.unique(ids, return_inverse=True)[1]


class TaskStratifiedKFold(_TaskSplitter):
    """K folds that each hold the same share of every class of every task.

    Stacked rows are mostly sorted by task: folds that are not shuffled would hold one task each.
    Here they are drawn at random by default. Strata of fewer rows than folds are spread over as
    many folds as they have rows, without a complaint.

    Parameters
    ----------
    n_splits : int, default=5
    shuffle : bool, default=True
        Whether rows are drawn at random within a stratum, or taken in their order.
    random_state : int, RandomState instance or None, default=None
    task_column : column name or int, default=None
        Column of X that holds the tasks. Without it, ``task=`` must be passed to `split`, which
        scikit-learn's tools do with metadata routing.

    Notes
    -----
    With a real-valued target, the strata are the tasks, in the order of the target.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.model_selection import TaskStratifiedKFold
    >>> X, y, task = np.zeros((12, 1)), np.tile([0, 1], 6), np.repeat([7, 8], 6)
    >>> for train, test in TaskStratifiedKFold(3, random_state=0).split(X, y, task=task):
    ...     print(np.unique(task[test] * 10 + y[test]))
    [70 71 80 81]
    [70 71 80 81]
    [70 71 80 81]
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = True,
        random_state: Any = None,
        task_column: Hashable = None,
    ) -> None:
        super().__init__(task_column)
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    def get_n_splits(
        self, X: Any = None, y: Any = None, groups: Any = None, task: Any = None
    ) -> int:
        """Number of folds.

        Parameters
        ----------
        X, y, groups, task : ignored

        Returns
        -------
        n_splits : int
        """
        return self.n_splits

    def split(
        self, X: Any, y: Any, groups: Any = None, task: Any = None
    ) -> Iterator[tuple[Array, Array]]:
        """Row numbers of the training rows and of the fold, fold by fold.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,)
        groups : ignored
        task : array-like of shape (n_samples,), default=None

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If the tasks are not named in one way, or there are fewer rows than folds.
        """
        codes = self._tasks_of(X, task)
        n_rows = len(codes)
        if not isinstance(self.n_splits, Integral) or not 2 <= self.n_splits <= n_rows:
            raise ValueError(
                f"n_splits={self.n_splits!r} must be between 2 and the number of rows, {n_rows}."
            )
        if not isinstance(self.shuffle, (bool, np.bool_)):
            raise ValueError(f"shuffle must be True or False; got {self.shuffle!r}.")
        y = as_array(y)
        if y.ndim != 1 or len(y) != n_rows:
            raise ValueError(f"y must hold one label for each of {n_rows} rows; got {y.shape}.")
        y, labelled = read_labels(y, "y")
        if not labelled.all():
            raise ValueError(f"y contains NaN: {(~labelled).sum()} rows have no label. Drop them.")
        real = y.dtype.kind == "f" and bool((y != np.rint(y)).any())
        rank = np.unique(y, return_inverse=True)[1]
        random = check_random_state(self.random_state)
        ties = random.permutation(n_rows) if self.shuffle else np.arange(n_rows)
        # Row by row in the order of the strata, folds take turns.
        order = np.lexsort([ties, rank, codes])
        fold = np.empty(n_rows, dtype=np.intp)
        fold[order] = np.arange(n_rows) % self.n_splits
        if self.shuffle and real:
            # Neighbours in the order of the target, not each other's rank, go to chance folds.
            for start in range(0, n_rows, self.n_splits):
                few = order[start : start + self.n_splits]
                fold[few] = random.permutation(self.n_splits)[: len(few)]
        for number in range(self.n_splits):
            yield np.flatnonzero(fold != number), np.flatnonzero(fold == number)


class LeaveOneTaskOut(_TaskSplitter):
    """Each task is the test set once, the others are trained on.

    For estimators that take a task they have not seen, such as a pooled model: how much do other
    tasks tell of this one?

    Parameters
    ----------
    task_column : column name or int, default=None
        Column of X that holds the tasks. Without it, ``task=`` must be passed.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.model_selection import LeaveOneTaskOut
    >>> X, task = np.zeros((5, 1)), np.array(["a", "b", "a", "c", "b"])
    >>> for train, test in LeaveOneTaskOut().split(X, task=task):
    ...     print(train, test)
    [1 3 4] [0 2]
    [0 2 3] [1 4]
    [0 1 2 4] [3]
    """

    def get_n_splits(
        self, X: Any = None, y: Any = None, groups: Any = None, task: Any = None
    ) -> int:
        """Number of tasks.

        Parameters
        ----------
        X : array-like or DataFrame
        y, groups : ignored
        task : array-like of shape (n_samples,), default=None

        Returns
        -------
        n_splits : int
        """
        return int(self._tasks_of(X if X is not None else task, task).max()) + 1

    def split(
        self, X: Any, y: Any = None, groups: Any = None, task: Any = None
    ) -> Iterator[tuple[Array, Array]]:
        """Row numbers of the training rows and of the task, task by task.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y, groups : ignored
        task : array-like of shape (n_samples,), default=None

        Yields
        ------
        train, test : ndarray of int

        Raises
        ------
        ValueError
            If the tasks are not named in one way, or there is only one.
        """
        codes = self._tasks_of(X, task)
        if not codes.any():
            raise ValueError("LeaveOneTaskOut needs two tasks at least; got one.")
        for code in range(codes.max() + 1):
            yield np.flatnonzero(codes != code), np.flatnonzero(codes == code)
