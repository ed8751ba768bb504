"""CapacityDisplay."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_mtl._capacity import CapacityCurve, capacity_curve
from sk_mtl._plotting import (
    ALONE,
    TOGETHER,
    check_axes,
    check_tasks,
    import_pyplot,
    places_on_log_axis,
    score_label,
)
from sk_mtl._tasks import Array

if TYPE_CHECKING:
    from typing import Self

FEW_TASKS = 8  # that have lines of their own


class CapacityDisplay:
    """Scores against the capacity of the shared layer, of tasks trained together and alone.

    Lines are means over the tasks, bands one standard error to either side; with up to 8 tasks,
    thin lines are the tasks. Markers are at the best capacities.

    Parameters
    ----------
    curve : CapacityCurve
        What `capacity_curve` finds.
    score_name : str, default="score"
        What the score measures.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of two matplotlib Line2D
        Means of the tasks together, and alone.
    bands_ : list of two matplotlib collections
    task_lines_ : list of matplotlib Line2D
        Of every task together, then alone; empty with many tasks.
    best_ : list of two matplotlib Line2D
        The markers.

    Raises
    ------
    ValueError
        If the scores are not of all capacities and tasks.

    See Also
    --------
    sk_mtl.diagnostics.capacity_curve : Computes the scores.

    Notes
    -----
    Standard errors of means are those of the tasks, taken to be independent.

    Examples
    --------
    >>> from sk_mtl import MultiTaskAlignedRegressor
    >>> from sk_mtl.datasets import make_noisy_label_tasks
    >>> from sk_mtl.plotting import CapacityDisplay
    >>> X, Y = make_noisy_label_tasks(
    ...     n_samples=60, n_features=5, binary=False, noisy_tasks=[], random_state=3
    ... )
    >>> model = MultiTaskAlignedRegressor(
    ...     activation="identity", skip_connection=False, random_state=0
    ... )
    >>> display = CapacityDisplay.from_estimator(
    ...     model, X, Y, capacities=(1, 2, 4), cv=2, random_state=0
    ... )
    >>> display.lines_[0].get_xdata()
    array([1, 2, 4])
    """

    def __init__(self, curve: CapacityCurve, *, score_name: str = "score") -> None:
        shape = (len(curve.capacities), len(check_tasks(curve.tasks, len(curve.tasks))))
        for name in ("score_alone", "score_alone_se", "score_together", "score_together_se"):
            found = np.shape(getattr(curve, name))
            if found != shape:
                raise ValueError(
                    f"curve.{name} has the shape {found}; {shape[0]} capacities and {shape[1]} "
                    "tasks make another."
                )
        self.curve = curve
        self.score_name = score_name

    def plot(self, ax: Any = None, *, line_kw: dict[str, Any] | None = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: that of a new figure.
        line_kw : dict, default=None
            Keywords of matplotlib's ``plot`` for the means.

        Returns
        -------
        display : CapacityDisplay
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        (ax,) = check_axes(ax, 1)
        curve = self.curve
        r, n_tasks = curve.capacities, len(curve.tasks)
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_, self.bands_, self.task_lines_, self.best_ = [], [], [], []
        alone = f"alone (sum of best r: {curve.best_alone_sum})"
        for label, colour, style, mean, scores, errors in (
            (
                f"together (best r: {curve.best_together})",
                TOGETHER,
                "-",
                curve.mean_together,
                curve.score_together,
                curve.score_together_se,
            ),
            (alone, ALONE, "--", curve.mean_alone, curve.score_alone, curve.score_alone_se),
        ):
            look = {"color": colour, "linestyle": style, "linewidth": 2, "label": label}
            self.lines_ += ax.plot(r, mean, **{**look, **(line_kw or {})})
            error = _error_of_mean(scores, errors)
            self.bands_.append(
                ax.fill_between(r, mean - error, mean + error, color=colour, alpha=0.2, linewidth=0)
            )
            if n_tasks <= FEW_TASKS:
                thin = {"color": colour, "linestyle": style, "linewidth": 0.8, "alpha": 0.5}
                self.task_lines_ += ax.plot(r, scores, **thin)
            if not np.isnan(mean).all():
                best = np.nanargmax(mean)
                self.best_ += ax.plot(
                    r[best], mean[best], marker="o", markersize=8, color=colour, linestyle=""
                )
        ax.set(xlabel="capacity r of the shared layer", ylabel=self.score_name)
        places_on_log_axis(ax, r)
        ax.legend(fontsize="small")
        return self

    @classmethod
    def from_estimator(
        cls,
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
        ax: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Score tasks together and alone for all capacities, and draw the curves.

        Parameters
        ----------
        estimator : classifier or regressor
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        capacities : array-like of int, default=(1, 2, 4, 8, 16, 32, 64)
        param_name : str, default="hidden_layer_sizes"
        task, task_column, cv, scoring, n_jobs, random_state, progress
            These are as in `capacity_curve`.
        ax : matplotlib Axes, default=None
        **plot_kw : dict
            As in `plot`.

        Returns
        -------
        display : CapacityDisplay

        Raises
        ------
        ValueError
            As `capacity_curve`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        curve = capacity_curve(
            estimator,
            X,
            y,
            capacities=capacities,
            param_name=param_name,
            task=task,
            task_column=task_column,
            cv=cv,
            scoring=scoring,
            n_jobs=n_jobs,
            random_state=random_state,
            progress=progress,
        )
        return cls(curve, score_name=score_label(scoring, estimator)).plot(ax, **plot_kw)


def _error_of_mean(scores: Array, errors: Array) -> Array:
    """Standard error of the mean over the tasks that have a score, one per row."""
    known = ~np.isnan(scores)
    squares = np.where(known, errors, 0.0) ** 2
    with np.errstate(invalid="ignore"):
        error = np.sqrt(squares.sum(axis=1)) / known.sum(axis=1)
    return np.where(np.isfinite(error), error, np.nan)
