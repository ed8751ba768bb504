"""How much capacity tasks need, together and alone: the paper's Fig. 6."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from sk_mtl._fold_scores import mean_and_error, score_tasks
from sk_mtl._pandas import import_pandas
from sk_mtl._task_data import TaskData
from sk_mtl._tasks import Array, listing


@dataclass(frozen=True, eq=False)
class CapacityCurve:
    """What `capacity_curve` finds.

    Attributes
    ----------
    capacities : ndarray of int of shape (n_capacities,)
        In increasing order.
    tasks : ndarray of shape (n_tasks,)
    score_alone, score_together : ndarray of shape (n_capacities, n_tasks)
        Scores of tasks that are trained alone, and of tasks that are trained together.
    score_alone_se, score_together_se : ndarray of shape (n_capacities, n_tasks)
        Their standard errors, as in `transfer_matrix`.

    Examples
    --------
    Two tasks that need two units each alone, and three together:

    >>> import numpy as np
    >>> from sk_mtl.diagnostics import CapacityCurve
    >>> none = np.zeros((3, 2))
    >>> curve = CapacityCurve(
    ...     capacities=np.array([1, 2, 3]),
    ...     tasks=np.array(["a", "b"]),
    ...     score_alone=np.array([[0.5, 0.5], [0.75, 0.75], [0.75, 0.75]]),
    ...     score_alone_se=none,
    ...     score_together=np.array([[0.25, 0.25], [0.5, 0.5], [0.75, 1.0]]),
    ...     score_together_se=none,
    ... )
    >>> curve.best_together, curve.best_alone.tolist(), curve.best_alone_sum
    (3, [2, 2], 4)
    >>> curve.mean_together
    array([0.25 , 0.5  , 0.875])
    """

    capacities: Array
    tasks: Array
    score_alone: Array
    score_alone_se: Array
    score_together: Array
    score_together_se: Array

    @property
    def mean_alone(self) -> Array:
        """Mean over the tasks that have a score, of shape (n_capacities,)."""
        return _mean_over_tasks(self.score_alone)

    @property
    def mean_together(self) -> Array:
        """Mean over the tasks that have a score, of shape (n_capacities,)."""
        return _mean_over_tasks(self.score_together)

    @property
    def best_together(self) -> int:
        """The shared capacity with the best mean score; the smallest of several."""
        return int(self._best(self.mean_together[:, None])[0])

    @property
    def best_alone(self) -> Array:
        """The capacity with which each task alone scores best, of shape (n_tasks,).

        The smallest of several, and 0 for a task without a score.
        """
        return self._best(self.score_alone)

    @property
    def best_alone_sum(self) -> int:
        """What the tasks need in all, each with a model of its own."""
        return int(self.best_alone.sum())

    def _best(self, scores: Array) -> Array:
        best = self.capacities[np.where(np.isnan(scores), -np.inf, scores).argmax(axis=0)]
        return np.where(np.isnan(scores).all(axis=0), 0, best)

    def to_frame(self) -> Any:
        """All scores as a table.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each capacity and task, with the columns "capacity", "task", "score_alone",
            "score_alone_se", "score_together" and "score_together_se".

        Raises
        ------
        ImportError
            Without pandas.
        """
        pd = import_pandas("to_frame")
        names = ("score_alone", "score_alone_se", "score_together", "score_together_se")
        return pd.DataFrame(
            {
                "capacity": np.repeat(self.capacities, len(self.tasks)),
                "task": np.tile(self.tasks, len(self.capacities)),
                **{name: getattr(self, name).ravel() for name in names},
            }
        )


def capacity_curve(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    capacities: Sequence[int] = (1, 2, 4, 8, 16, 32, 64),
    param_name: str = "hidden_layer_sizes",
    task: Any = None,
    task_column: Hashable = None,
    cv: Any = 5,
    scoring: Any = None,
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool = False,
) -> CapacityCurve:
    """Scores against the capacity of the shared layer, of tasks trained together and alone.

    Section 2.1 and Fig. 6 of [1]_: tasks transfer where the shared layer is too small for each to
    have a part of its own. The best shared capacity is far below the sum of the capacities that
    are best for the tasks alone.

    Parameters
    ----------
    estimator : classifier or regressor
        As in `transfer_matrix`.
    X : array-like or DataFrame of shape (n_samples, n_columns)
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
    capacities : array-like of int, default=(1, 2, 4, 8, 16, 32, 64)
        Widths of the shared layer.
    param_name : str, default="hidden_layer_sizes"
        The estimator's parameter that is set to ``(capacity,)``; of a step of a pipeline
        ``"<step>__hidden_layer_sizes"``.
    task, task_column, cv, scoring, n_jobs, random_state, progress
        As in `transfer_matrix`.

    Returns
    -------
    curve : CapacityCurve

    Raises
    ------
    ValueError
        If a capacity is not a positive integer, the estimator has no such parameter, or as in
        `transfer_matrix`.

    Warns
    -----
    UndefinedMetricWarning
        As `transfer_matrix`.

    Notes
    -----
    The estimators of this package have a linear path beside the shared layer, which does not
    depend on its capacity. ``skip_connection=False`` leaves the shared layer alone, as in the
    paper.

    There are ``n_tasks + 1`` fits for each capacity in a fold.

    References
    ----------
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.

    Examples
    --------
    Four tasks that all need the same two combinations of the features.

    >>> from sk_mtl import MultiTaskAlignedRegressor
    >>> from sk_mtl.datasets import make_noisy_label_tasks
    >>> from sk_mtl.diagnostics import capacity_curve
    >>> X, Y = make_noisy_label_tasks(
    ...     n_samples=60, n_features=5, binary=False, noisy_tasks=[], random_state=3
    ... )
    >>> model = MultiTaskAlignedRegressor(
    ...     activation="identity", skip_connection=False, random_state=0
    ... )
    >>> curve = capacity_curve(model, X, Y, capacities=(1, 2), cv=2, random_state=0)
    >>> curve.mean_together.round(2), curve.mean_alone.round(2)
    (array([0.68, 0.91]), array([0.9 , 0.91]))
    >>> curve.best_together, curve.best_alone_sum
    (2, 8)
    """
    listed = list(capacities) if np.ndim(capacities) == 1 else []
    widths = [size for size in listed if isinstance(size, Integral) and size > 0]
    if not widths or len(widths) < len(listed):
        shown = listing(listed) if listed else repr(capacities)
        raise ValueError(f"capacities must be positive integers; got {shown}.")
    if not isinstance(param_name, str):
        raise ValueError(f"param_name must be the name of a parameter; got {param_name!r}.")
    widths = sorted({int(width) for width in widths})
    data = TaskData.of(estimator, X, y, task, task_column)
    estimators = [clone(estimator).set_params(**{param_name: (width,)}) for width in widths]
    folds = data.folds(cv, random_state)
    scores = score_tasks(
        data, estimators, folds, scoring, pairs=False, n_jobs=n_jobs, progress=progress
    )
    alone = [mean_and_error(found.alone, found.overlap) for found in scores]
    together = [mean_and_error(found.together, found.overlap) for found in scores]
    return CapacityCurve(
        np.array(widths),
        data.tasks,
        *(np.stack(part) for part in zip(*alone, strict=True)),
        *(np.stack(part) for part in zip(*together, strict=True)),
    )


def _mean_over_tasks(scores: Array) -> Array:
    known = ~np.isnan(scores)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(known, scores, 0).sum(axis=1) / known.sum(axis=1))
