"""TransferDisplay."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_mtl._heat_maps import check_square, heat_map, heat_map_size, ink, key, signed, write_values
from sk_mtl._plotting import check_axes, check_tasks, import_pyplot, name_ticks, score_label
from sk_mtl._tasks import Array
from sk_mtl._transfer_matrix import TransferMatrix, transfer_matrix

if TYPE_CHECKING:
    from typing import Self

    from matplotlib.collections import PolyCollection

CERTAIN = 2.0  # standard errors


class TransferDisplay:
    """Heat map of what training with each task does to each other task.

    A cell's row is the task trained with, its column the task that is scored; the last row is
    for training with all tasks together. Gains are blue and losses red. A triangle, upwards or
    downwards, marks those that exceed 2 standard errors (SE). No task is trained with itself: the
    diagonal is 0.

    Parameters
    ----------
    matrix : TransferMatrix
        What `transfer_matrix` finds; also the ``transfer`` of a `TransferReport` with pairs. Cells
        without a score are hatched.
    score_name : str, default="score"
        What the score measures.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
        Of an array of shape (n_tasks + 1, n_tasks).
    text_ : ndarray of matplotlib Text of shape (n_tasks + 1, n_tasks) or None
    gain_marks_, loss_marks_ : matplotlib PolyCollection
        The triangles.
    colorbar_ : matplotlib Colorbar or None

    Raises
    ------
    ValueError
        If the matrix of gains is not square, or the names are not as many as the tasks.

    See Also
    --------
    sk_mtl.diagnostics.transfer_matrix : Computes the gains.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.plotting import TransferDisplay
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((90, 5)), np.repeat(["a", "b", "c"], 30)
    >>> y = (X[:, 0] > 0) != (task == "c")
    >>> model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), head_alpha=1000)
    >>> display = TransferDisplay.from_estimator(model, X, y, task=task, cv=3, random_state=0)
    >>> display.im_.get_array().shape
    (4, 3)
    """

    def __init__(self, matrix: TransferMatrix, *, score_name: str = "score") -> None:
        n_tasks = len(check_square(matrix.gain, "matrix.gain"))
        check_tasks(matrix.tasks, n_tasks)
        self.matrix = matrix
        self.score_name = score_name

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "RdBu",
        vmax: float | None = None,
        include_values: bool | None = None,
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            None: that of a new figure.
        cmap : str or matplotlib Colormap, default="RdBu"
        vmax : float, default=None
            The gain, and the loss, at which colours end. None: the largest.
        include_values : bool, default=None
            Whether to write the numbers into the cells; None: if they fit.
        colorbar : bool, default=True
        im_kw : dict, default=None
            Keywords of matplotlib's ``imshow``.

        Returns
        -------
        display : TransferDisplay
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        matrix, tasks = self.matrix, list(self.matrix.tasks)
        gains = np.vstack([matrix.gain, matrix.gain_together])
        errors = np.vstack([matrix.standard_error, matrix.gain_together_se])
        rows = [*tasks, "all together"]
        if ax is None:
            _, ax = plt.subplots(figsize=heat_map_size(rows), layout="compressed")
        (ax,) = check_axes(ax, 1)
        largest = float(np.abs(gains[np.isfinite(gains)]).max(initial=0.0)) or 1.0
        limit = largest if vmax is None else vmax
        limits = {"vmin": -limit, "vmax": limit}
        self.im_ = heat_map(ax, gains, **{"cmap": cmap, **limits, **(im_kw or {})})
        self.ax_, self.figure_ = ax, ax.figure
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                self.im_,
                ax=ax,
                label=f"gain in {self.score_name}",
                extend="both" if limit < largest else "neither",
            )
        ax.axhline(len(tasks) - 0.5, color="black", linewidth=1.5)
        ax.set(xlabel="task scored", ylabel="task trained with")
        name_ticks(ax, "y", rows, foremost=len(tasks))
        name_ticks(ax, "x", tasks)
        texts = signed(gains)
        np.fill_diagonal(texts, "")
        self.text_ = write_values(self.im_, texts, include_values)
        self.gain_marks_ = self._mark(gains > CERTAIN * errors, upwards=True)
        self.loss_marks_ = self._mark(gains < -CERTAIN * errors, upwards=False)
        self._explain(gains, plt.rcParams["text.color"])
        return self

    def _mark(self, cells: Array, *, upwards: bool) -> PolyCollection:
        """Triangles, in the corners of cells if there are numbers in these."""
        from matplotlib.collections import PolyCollection

        y, x = np.nonzero(cells)
        size, aside = (0.22, 0.0) if self.text_ is None else (0.12, 0.34)
        centres = np.column_stack([x + aside, y - aside])
        # The y axis points downwards.
        triangle = np.array([[-1.0, 0.8], [1.0, 0.8], [0.0, -0.8]]) * [
            size,
            size if upwards else -size,
        ]
        colours = ink(self.im_)[y, x].tolist()
        marks = PolyCollection(list(centres[:, None] + triangle), facecolors=colours, linewidths=0)
        self.ax_.add_collection(marks, autolim=False)
        return marks

    def _explain(self, gains: Array, colour: str) -> None:
        from matplotlib.lines import Line2D

        look: dict[str, Any] = {"color": colour, "linestyle": "", "markersize": 5}
        handles = [
            Line2D([], [], marker=marker, label=f"{what} > {CERTAIN:g} SE", **look)
            for marker, what, drawn in (
                ("^", "gain", self.gain_marks_),
                ("v", "loss", self.loss_marks_),
            )
            if drawn.get_paths()
        ]
        key(self.ax_, gains, "no score", handles)

    @classmethod
    def from_estimator(
        cls,
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
        ax: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Train tasks alone, in pairs and all together, and draw the gains.

        Parameters
        ----------
        estimator : classifier or regressor
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task, task_column, cv, scoring, n_jobs, random_state, progress
            These are as in `transfer_matrix`.
        ax : matplotlib Axes, default=None
        **plot_kw : dict
            As in `plot`.

        Returns
        -------
        display : TransferDisplay

        Raises
        ------
        ValueError
            As `transfer_matrix`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        matrix = transfer_matrix(
            estimator,
            X,
            y,
            task=task,
            task_column=task_column,
            cv=cv,
            scoring=scoring,
            n_jobs=n_jobs,
            random_state=random_state,
            progress=progress,
        )
        return cls(matrix, score_name=score_label(scoring, estimator)).plot(ax, **plot_kw)
