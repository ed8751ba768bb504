"""TaskWeightDisplay."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from sk_mtl._plotting import (
    ALONE,
    TOGETHER,
    check_axes,
    check_tasks,
    import_pyplot,
    name_ticks,
    score_label,
)

if TYPE_CHECKING:
    from typing import Self


class TaskWeightDisplay:
    """Bars of the tasks' weights, the largest on top.

    Negative values, of gains say, have another colour.

    Parameters
    ----------
    weight : array-like of shape (n_tasks,)
    standard_error : array-like of shape (n_tasks,), default=None
        Drawn as whiskers, where finite.
    tasks : array-like of shape (n_tasks,), default=None
        Their names; None: their numbers.
    weight_name : str, default="task weight"
        What the weights are.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : matplotlib BarContainer
        From the largest weight to the smallest.
    errorbar_ : matplotlib ErrorbarContainer or None

    Raises
    ------
    ValueError
        If the names or the standard errors are not as many as the weights.

    Examples
    --------
    >>> from sk_mtl.plotting import TaskWeightDisplay
    >>> display = TaskWeightDisplay([0.2, 1.8, 1.0], tasks=["north", "south", "west"]).plot()
    >>> [bar.get_width().item() for bar in display.bars_]
    [1.8, 1.0, 0.2]
    """

    def __init__(
        self,
        weight: Any,
        *,
        standard_error: Any = None,
        tasks: Any = None,
        weight_name: str = "task weight",
    ) -> None:
        self.weight = np.asarray(weight, dtype=np.float64)
        if self.weight.ndim != 1 or not len(self.weight):
            raise ValueError(
                f"weight must be a number for each task; its shape is {self.weight.shape}."
            )
        self.standard_error = standard_error
        if standard_error is not None:
            self.standard_error = np.asarray(standard_error, dtype=np.float64)
            if self.standard_error.shape != self.weight.shape:
                raise ValueError(
                    f"standard_error has the shape {self.standard_error.shape}, weight has "
                    f"{self.weight.shape}."
                )
        self.tasks = check_tasks(tasks, len(self.weight))
        self.weight_name = weight_name

    def plot(self, ax: Any = None, *, bar_kw: dict[str, Any] | None = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: that of a new figure.
        bar_kw : dict, default=None
            Keywords of matplotlib's ``barh``.

        Returns
        -------
        display : TaskWeightDisplay
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            # Every bar has its name, up to some 160 tasks.
            height = min(1.0 + 0.3 * len(self.tasks), 4.0 + 0.115 * len(self.tasks), 22.0)
            _, ax = plt.subplots(figsize=(6.4, height), layout="constrained")
        (ax,) = check_axes(ax, 1)
        order = np.argsort(-self.weight, kind="stable")
        weight, at = self.weight[order], np.arange(len(order))
        colours = np.where(weight < 0, ALONE, TOGETHER)
        self.bars_ = ax.barh(at, weight, **{"color": colours, **(bar_kw or {})})
        self.errorbar_, line = None, plt.rcParams["axes.edgecolor"]
        if self.standard_error is not None:
            error = self.standard_error[order]
            error = np.where(np.isfinite(error), error, np.nan)
            self.errorbar_ = ax.errorbar(
                weight, at, xerr=error, fmt="none", ecolor=line, elinewidth=1, capsize=2
            )
        if (weight < 0).any():
            ax.axvline(0, color=line, linewidth=0.8)
        ax.set(xlabel=self.weight_name, ylabel="task", ylim=(len(order) - 0.4, -0.6))
        name_ticks(ax, "y", [self.tasks[t] for t in order])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, values: str = "weight", ax: Any = None, **plot_kw: Any
    ) -> Self:
        """Draw the task weights of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            An `SVDTaskReweighter`, whose ``task_weight_`` are drawn as they are (neither
            normalised nor shrunk); a `MultiTaskAlignedClassifier` or `MultiTaskAlignedRegressor`;
            or a `SelectiveTransferClassifier` or `SelectiveTransferRegressor`.
        values : {"weight", "transfer_gain"}, default="weight"
            For the selective estimators: the share of the multi-task model in each task's
            predictions, ``weight_``; or its gain, ``transfer_gain_``, with standard errors.
        ax : matplotlib Axes, default=None
        **plot_kw : dict
            As in `plot`.

        Returns
        -------
        display : TaskWeightDisplay

        Raises
        ------
        ValueError
            If the estimator is not fitted or has no such values.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        if values not in ("weight", "transfer_gain"):
            raise ValueError(f'values must be "weight" or "transfer_gain"; got {values!r}.')
        check_is_fitted(estimator)
        told: dict[str, Any] = {}
        if values == "transfer_gain":
            weight = getattr(estimator, "transfer_gain_", None)
            told["weight_name"] = _gain_name(estimator)
            told["standard_error"] = getattr(estimator, "transfer_gain_se_", None)
        elif hasattr(estimator, "transfer_gain_"):
            weight = estimator.weight_
            told["weight_name"] = "share of the multi-task model"
        else:
            weight = getattr(estimator, "task_weight_", None)
        if weight is None:
            raise ValueError(f"{estimator} has no {values.replace('_', ' ')} of tasks.")
        return cls(weight, tasks=estimator.tasks_, **told).plot(ax, **plot_kw)


def _gain_name(estimator: Any) -> str:
    if getattr(estimator, "scoring", None) is None and is_classifier(estimator):
        return "gain in log-likelihood (nats per row)"
    return f"gain in {score_label(getattr(estimator, 'scoring', None), estimator)}"
