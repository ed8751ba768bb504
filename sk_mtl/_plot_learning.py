"""TaskLearningCurveDisplay."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_mtl._learning_scores import learning_scores
from sk_mtl._plotting import (
    ALONE,
    TOGETHER,
    check_axes,
    check_tasks,
    import_pyplot,
    mean_and_quartiles,
    places_on_log_axis,
    score_label,
    short_name,
)
from sk_mtl._tasks import Array

if TYPE_CHECKING:
    from typing import Self

MOST_PANELS = 12
N_COLUMNS = 4


class TaskLearningCurveDisplay:
    """Scores of tasks against their numbers of training rows, trained together and alone.

    Every task has a panel, with bands of one standard error to either side. With more than 12
    tasks, or on a single Axes, there is one picture: the mean over the tasks, and a band from
    their lower to their upper quartile.

    Parameters
    ----------
    train_sizes : array-like of shape (n_sizes, n_tasks)
        Training rows of each task.
    score_together : array-like of shape (n_sizes, n_tasks)
    score_together_se : array-like of shape (n_sizes, n_tasks)
        Standard errors.
    score_alone, score_alone_se : array-like of shape (n_sizes, n_tasks), default=None
        Of a model for each task alone.
    tasks : array-like of shape (n_tasks,), default=None
        Their names; None: their numbers.
    score_name : str, default="score"
        What the score measures.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of one for each task
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        For each panel the tasks trained together, then alone.
    bands_ : list of matplotlib collections
        In the same order.

    Raises
    ------
    ValueError
        If shapes or the number of names differ.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : The same for a single task.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.plotting import TaskLearningCurveDisplay
    >>> rng = np.random.default_rng(0)
    >>> X, shop = rng.standard_normal((80, 3)), np.repeat(["north", "south"], 40)
    >>> model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    >>> display = TaskLearningCurveDisplay.from_estimator(
    ...     model, X, X[:, 0] > 0, task=shop, train_sizes=[5, 20], cv=2, random_state=0
    ... )
    >>> [ax.get_title() for ax in display.ax_]
    ['north', 'south']
    """

    ax_: Any
    figure_: Any
    lines_: list[Any]
    bands_: list[Any]

    def __init__(
        self,
        *,
        train_sizes: Any,
        score_together: Any,
        score_together_se: Any,
        score_alone: Any = None,
        score_alone_se: Any = None,
        tasks: Any = None,
        score_name: str = "score",
    ) -> None:
        self.train_sizes = np.asarray(train_sizes, dtype=np.float64)
        if self.train_sizes.ndim != 2 or not self.train_sizes.size:
            raise ValueError(
                "train_sizes must have a row for each size and a column for each task; its shape "
                f"is {self.train_sizes.shape}."
            )
        self.score_together = self._checked(score_together, "score_together")
        self.score_together_se = self._checked(score_together_se, "score_together_se")
        self.score_alone, self.score_alone_se = score_alone, score_alone_se
        if score_alone is not None:
            self.score_alone = self._checked(score_alone, "score_alone")
            self.score_alone_se = self._checked(score_alone_se, "score_alone_se")
        self.tasks = check_tasks(tasks, self.train_sizes.shape[1])
        self.score_name = score_name

    def _checked(self, scores: Any, name: str) -> Array:
        found: Array = np.asarray(scores, dtype=np.float64)
        if found.shape != self.train_sizes.shape:
            raise ValueError(
                f"{name} has the shape {found.shape}, train_sizes has {self.train_sizes.shape}."
            )
        return found

    def plot(
        self, ax: Any = None, *, alone: bool = True, line_kw: dict[str, Any] | None = None
    ) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, or array of one for each task, default=None
            None: those of a new figure.
        alone : bool, default=True
            Whether to draw the scores of tasks trained alone too.
        line_kw : dict, default=None
            Keywords of matplotlib's ``plot``.

        Returns
        -------
        display : TaskLearningCurveDisplay
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_tasks = len(self.tasks)
        figure = None
        if ax is None:
            figure, ax = _new_axes(plt, n_tasks if n_tasks <= MOST_PANELS else 1)
        curves = [("together", TOGETHER, "-", self.score_together, self.score_together_se)]
        if alone and self.score_alone is not None:
            curves.append(("alone", ALONE, "--", self.score_alone, self.score_alone_se))
        self.lines_, self.bands_ = [], []
        single = np.ndim(ax) == 0
        axes = check_axes(ax, 1 if single else n_tasks)
        for t, panel in enumerate(axes):
            for label, colour, style, scores, errors in curves:
                look = {"label": label, "color": colour, "linestyle": style, **(line_kw or {})}
                if single and n_tasks > 1:
                    x = self.train_sizes.mean(axis=1)
                    middle, low, high = mean_and_quartiles(scores)
                else:
                    x, middle = self.train_sizes[:, t], scores[:, t]
                    error = np.where(np.isfinite(errors[:, t]), errors[:, t], np.nan)
                    low, high = middle - error, middle + error
                self._draw(panel, x, middle, low, high, look)
            task = self.tasks[t]
            name = short_name(task) if isinstance(task, str) else f"task {task}"
            if single and n_tasks > 1:
                name = f"mean and quartiles of {n_tasks} tasks"
            panel.set_title(name, fontsize="medium")
        if figure is None or single:
            for panel in axes:
                panel.set(xlabel="training rows per task", ylabel=self.score_name)
            axes[0].legend(fontsize="small")
        else:
            figure.supxlabel("training rows per task", fontsize="medium")
            figure.supylabel(self.score_name, fontsize="medium")
            figure.legend(handles=self.lines_[: len(curves)], loc="outside upper right", ncols=2)
        self.ax_, self.figure_ = axes[0] if single else axes, axes[0].figure
        return self

    def _draw(
        self, ax: Any, x: Array, middle: Array, low: Array, high: Array, look: dict[str, Any]
    ) -> None:
        self.lines_ += ax.plot(x, middle, **{"marker": "o", "markersize": 4, **look})
        colour = self.lines_[-1].get_color()
        self.bands_.append(ax.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0))
        gaps = np.diff(x)
        if (gaps > 0).all() and gaps.max(initial=0.0) > 5 * gaps.min(initial=np.inf):
            places_on_log_axis(ax, x)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        y: Any,
        *,
        task: Any = None,
        task_column: Hashable = None,
        train_sizes: Any = (0.1, 0.325, 0.55, 0.775, 1.0),
        cv: Any = 5,
        scoring: Any = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        progress: bool = False,
        ax: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Score tasks with ever more training rows, cross-validated, and draw the curves.

        Parameters
        ----------
        estimator : classifier or regressor
            As in `transfer_matrix`.
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task : array-like of shape (n_samples,), default=None
        task_column : column name or int, default=None
        train_sizes : array-like of shape (n_sizes,), default=(0.1, 0.325, 0.55, 0.775, 1.0)
            Floats: shares of each task's training rows. Integers: rows of each task; of a task
            that has fewer, all. Of a wide ``y``, rows of X. At least one row of each class of a
            task is always used.
        cv, scoring, n_jobs, random_state, progress
            As in `transfer_matrix`.
        ax : matplotlib Axes, or array of one for each task, default=None
        **plot_kw : dict
            As in `plot`.

        Returns
        -------
        display : TaskLearningCurveDisplay

        Raises
        ------
        ValueError
            If a size is neither a positive integer nor a share, or as `transfer_matrix`.

        Warns
        -----
        UndefinedMetricWarning
            As `transfer_matrix`.

        Notes
        -----
        Rows are drawn at random, the smaller sets parts of the larger ones. There are ``n_tasks +
        1`` fits for each size in a fold. Standard errors are those of `transfer_matrix`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        scores = learning_scores(
            estimator,
            X,
            y,
            train_sizes=train_sizes,
            task=task,
            task_column=task_column,
            cv=cv,
            scoring=scoring,
            n_jobs=n_jobs,
            random_state=random_state,
            progress=progress,
        )
        return cls(**scores, score_name=score_label(scoring, estimator)).plot(ax, **plot_kw)


def _new_axes(plt: Any, n_panels: int) -> tuple[Any, Any]:
    """A figure with so many axes; without an array if it is one."""
    if n_panels == 1:
        figure, axes = plt.subplots(layout="constrained")
        return figure, axes
    n_columns = min(n_panels, N_COLUMNS if n_panels > 6 else 3)
    n_rows = -(-n_panels // n_columns)
    size = (1.0 + 2.7 * n_columns, 0.8 + 2.3 * n_rows)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=size, layout="constrained", squeeze=False
    )
    for unused in axes.ravel()[n_panels:]:
        unused.remove()
    return figure, axes.ravel()[:n_panels]
