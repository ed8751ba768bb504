"""What training with another task does to a task: gains of all pairs, cross-validated."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_mtl._fold_scores import mean_and_error, score_tasks
from sk_mtl._pandas import import_pandas
from sk_mtl._task_data import TaskData
from sk_mtl._tasks import Array


@dataclass(frozen=True, eq=False)
class TransferMatrix:
    """What `transfer_matrix` finds.

    Attributes
    ----------
    tasks : ndarray of shape (n_tasks,)
        Sorted task ids, or the columns of a wide ``y``.
    gain : ndarray of shape (n_tasks, n_tasks)
        Entry [i, j]: score of task j trained with task i, minus its score alone. 0 on the
        diagonal.
    standard_error : ndarray of shape (n_tasks, n_tasks)
        Of the gains. Infinite where a score is defined in fewer than two folds.
    score_alone : ndarray of shape (n_tasks,)
    score_together : ndarray of shape (n_tasks,)
        Score of each task where all are trained together.
    gain_together : ndarray of shape (n_tasks,)
        The difference of the two.
    gain_together_se : ndarray of shape (n_tasks,)
        Its standard error.
    n_folds : int

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.diagnostics import transfer_matrix
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((40, 3)), np.repeat(["north", "south"], 20)
    >>> model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    >>> matrix = transfer_matrix(model, X, X[:, 0] > 0, task=task, cv=2, random_state=0)
    >>> matrix.tasks.tolist(), matrix.gain.shape, matrix.n_folds
    (['north', 'south'], (2, 2), 2)
    >>> bool(np.allclose(matrix.gain_together, matrix.score_together - matrix.score_alone))
    True
    """

    tasks: Array
    gain: Array
    standard_error: Array
    score_alone: Array
    score_together: Array
    gain_together: Array
    gain_together_se: Array
    n_folds: int

    def to_frame(self) -> Any:
        """The gains as a table.

        Returns
        -------
        frame : pandas.DataFrame of shape (n_tasks, n_tasks)
            A row for each task that is trained with, a column for each task that is scored.

        Raises
        ------
        ImportError
            Without pandas.
        """
        pd = import_pandas("to_frame")
        rows = pd.Index(self.tasks, name="trained_with")
        return pd.DataFrame(self.gain, index=rows, columns=pd.Index(self.tasks, name="task"))


def transfer_matrix(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    task: Any = None,
    task_column: Hashable = None,
    cv: Any = 5,
    scoring: Any = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool = False,
) -> TransferMatrix:
    """Which tasks help each other: scores of tasks trained in pairs against scores alone.

    On every fold, clones of the estimator are fitted to each task alone, to each pair of tasks
    and to all tasks, and score the held-out rows of each task that they were trained on.

    Parameters
    ----------
    estimator : classifier or regressor
        Any of scikit-learn's interface whose ``fit`` and ``predict`` take ``task=``, that reads
        a task column of X (such as a Pipeline that ends in one of this package's estimators with
        a ``task_column``), or that takes a wide ``y``.
    X : array-like or DataFrame of shape (n_samples, n_columns)
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        Stacked rows, or wide with gaps. Of a wide ``y`` the estimator is given the columns that
        it is trained on, with the rows that have a label there; a single task as a ``y`` of one
        dimension.
    task : array-like of shape (n_samples,), default=None
        Task id of each row.
    task_column : column name or int, default=None
        Column of X that holds the task ids. None: the estimator's own ``task_column``, if it has
        one.
    cv : int, splitter or iterable, default=5
        Folds: their number (random, of all classes of all tasks alike; of a wide ``y`` of its
        rows), a scikit-learn splitter, or pairs of row numbers.
    scoring : str or callable, default=None
        A scorer of scikit-learn, which sees a task's rows and a single-task estimator. None:
        accuracy or R^2.
    n_jobs : int, default=None
        Fits at a time, as in scikit-learn.
    random_state : int, RandomState instance or None, default=None
        Decides the folds.
    progress : bool, default=False
        Whether to show a progress bar.

    Returns
    -------
    matrix : TransferMatrix

    Raises
    ------
    ValueError
        If tasks are named in two ways, the estimator cannot be told of them, or a task has fewer
        than two labelled rows.

    Warns
    -----
    UndefinedMetricWarning
        If a task has no score in any fold: its results are then NaN.

    Notes
    -----
    Gains are means over folds. Their standard errors are those of the differences in the same
    folds, corrected as in [1]_ for training sets that overlap: the variance of the mean is
    ``1 / n_folds + n_test / n_train`` times that of the differences.

    A fold without held-out or training rows of a task does not count for it: a task may have
    fewer rows than there are folds. Neither does, for a scorer of probabilities, a fold whose
    held-out rows lack one of the task's classes. Probabilities are those of the task's classes,
    given that the label is one of them.

    There are ``n_tasks * (n_tasks + 1) / 2 + 1`` fits in a fold.

    References
    ----------
    .. [1] C. Nadeau, Y. Bengio, "Inference for the Generalization Error", Machine Learning 52,
       2003.

    Examples
    --------
    Two tasks that agree, and one whose labels mean the opposite.

    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.diagnostics import transfer_matrix
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((90, 5)), np.repeat(["a", "b", "c"], 30)
    >>> y = (X[:, 0] > 0) != (task == "c")
    >>> model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), head_alpha=1000)
    >>> matrix = transfer_matrix(model, X, y, task=task, cv=3, random_state=0)
    >>> matrix.gain.shape, bool(matrix.gain[0, 1] > matrix.gain[2, 1])
    ((3, 3), True)
    >>> bool(matrix.gain_together[2] < -2 * matrix.gain_together_se[2])
    True
    """
    data = TaskData.of(estimator, X, y, task, task_column)
    return measure_transfer(
        data,
        estimator,
        cv=cv,
        scoring=scoring,
        pairs=True,
        n_jobs=n_jobs,
        random_state=random_state,
        progress=progress,
    )


def measure_transfer(
    data: TaskData,
    estimator: Any,
    *,
    cv: Any,
    scoring: Any,
    pairs: bool,
    n_jobs: int | None,
    random_state: Any,
    progress: bool,
) -> TransferMatrix:
    """The transfer matrix; without ``pairs``, its gains are NaN but for those of all tasks."""
    folds = data.folds(cv, random_state)
    (scores,) = score_tasks(
        data, [estimator], folds, scoring, pairs=pairs, n_jobs=n_jobs, progress=progress
    )
    overlap = scores.overlap
    gain, error = mean_and_error(scores.paired - scores.alone[:, None], overlap[:, None])
    np.fill_diagonal(gain, 0.0)
    np.fill_diagonal(error, 0.0)
    gain_together, gain_together_se = mean_and_error(scores.together - scores.alone, overlap)
    return TransferMatrix(
        tasks=data.tasks,
        gain=gain,
        standard_error=error,
        score_alone=mean_and_error(scores.alone, overlap)[0],
        score_together=mean_and_error(scores.together, overlap)[0],
        gain_together=gain_together,
        gain_together_se=gain_together_se,
        n_folds=len(folds),
    )
