"""CovarianceSimilarityDisplay."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_mtl._heat_maps import check_square, heat_map, heat_map_size, key, write_values
from sk_mtl._plotting import check_axes, check_tasks, import_pyplot, name_ticks
from sk_mtl._similarity import (
    alignment_similarity,
    covariance_similarity,
    fitted_network,
    tables_of_tasks,
)

if TYPE_CHECKING:
    from typing import Self


class CovarianceSimilarityDisplay:
    """Heat map of the similarities of the tasks' covariances.

    `from_data` and `from_estimator` compute what is drawn.

    Parameters
    ----------
    similarity : array-like of shape (n_tasks, n_tasks)
        What `covariance_similarity` finds; NaN cells are hatched.
    aligned_similarity : array-like of shape (n_tasks, n_tasks), default=None
        The same after alignment, to be drawn beside it.
    tasks : array-like of shape (n_tasks,), default=None
        Their names; None: their numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes, or ndarray of two
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage, or ndarray of two
    text_ : ndarray of matplotlib Text of shape (n_tasks, n_tasks), None, or list of two
        The numbers in the cells.
    colorbar_ : matplotlib Colorbar or None

    Raises
    ------
    ValueError
        If a matrix is not square, or the names are not as many as the tasks.

    See Also
    --------
    sk_mtl.diagnostics.covariance_similarity : Computes the matrix.
    sk_mtl.diagnostics.alignment_similarity : Computes those before and after alignment.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl.plotting import CovarianceSimilarityDisplay
    >>> rng = np.random.default_rng(0)
    >>> X, shop = rng.standard_normal((90, 4)), np.repeat(["north", "south", "west"], 30)
    >>> X[shop == "west"] *= [5, 1, 1, 1]
    >>> display = CovarianceSimilarityDisplay.from_data(X, task=shop)
    >>> display.im_.get_array().shape
    (3, 3)
    """

    ax_: Any
    im_: Any
    text_: Any

    def __init__(
        self, similarity: Any, aligned_similarity: Any = None, *, tasks: Any = None
    ) -> None:
        self.similarity = check_square(similarity, "similarity")
        self.aligned_similarity = aligned_similarity
        if aligned_similarity is not None:
            self.aligned_similarity = check_square(aligned_similarity, "aligned_similarity")
            if self.aligned_similarity.shape != self.similarity.shape:
                raise ValueError(
                    f"aligned_similarity has {len(self.aligned_similarity)} tasks, similarity has "
                    f"{len(self.similarity)}."
                )
        self.tasks = check_tasks(tasks, len(self.similarity))

    def plot(
        self,
        ax: Any = None,
        *,
        cmap: Any = "viridis",
        include_values: bool | None = None,
        colorbar: bool = True,
        im_kw: dict[str, Any] | None = None,
    ) -> Self:
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, or array of two, default=None
            Two are needed with an ``aligned_similarity``. None: those of a new figure.
        cmap : str or matplotlib Colormap, default="viridis"
        include_values : bool, default=None
            Whether to write the numbers into the cells; None: if they fit.
        colorbar : bool, default=True
        im_kw : dict, default=None
            Keywords of matplotlib's ``imshow``, such as ``vmin`` and ``vmax``.

        Returns
        -------
        display : CovarianceSimilarityDisplay
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        matrices = [self.similarity]
        if self.aligned_similarity is not None:
            matrices.append(self.aligned_similarity)
        n_axes = len(matrices)
        if ax is None:
            size = heat_map_size(self.tasks, n_axes)
            _, ax = plt.subplots(1, n_axes, figsize=size, layout="compressed")
        axes = check_axes(ax, n_axes)
        # Both pictures have one scale. No two covariances need be anywhere near 0 or 1.
        values = np.stack(matrices)
        known = values[~np.isnan(values)] if not np.isnan(values).all() else np.array([0.0, 1.0])
        limits = {"vmin": known.min(), "vmax": known.max()}
        images = [
            heat_map(one, matrix, **{"cmap": cmap, **limits, **(im_kw or {})})
            for one, matrix in zip(axes, matrices, strict=True)
        ]
        self.figure_ = axes[0].figure
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(
                images[0], ax=list(axes), label="covariance similarity"
            )
        hatched = bool(np.isnan(values).any())
        key(axes[0], values, "unknown")
        if n_axes == 2:
            for one, title in zip(axes, ("before alignment", "after alignment"), strict=True):
                one.set_title(title, pad=20.0 if hatched else None)
        axes[0].set_ylabel("task")
        for one in axes:
            one.set_xlabel("task")
            name_ticks(one, "y", self.tasks)
            name_ticks(one, "x", self.tasks)
        texts = [
            write_values(
                image,
                np.array([["" if np.isnan(v) else f"{v:.2f}" for v in row] for row in matrix]),
                include_values,
            )
            for image, matrix in zip(images, matrices, strict=True)
        ]
        if n_axes == 1:
            self.ax_, self.im_, self.text_ = axes[0], images[0], texts[0]
        else:
            self.ax_, self.im_, self.text_ = axes, np.array(images), texts
        return self

    @classmethod
    def from_data(
        cls,
        X: Any,
        y: Any = None,
        *,
        task: Any = None,
        task_column: Hashable = None,
        energy: float = 0.99,
        ax: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Compute the similarities of tasks' covariances, and draw them.

        Parameters
        ----------
        X : array-like, CSR matrix or DataFrame of shape (n_samples, n_features), or list or dict
            Rows of all tasks; or a list (or dict by name) with the rows of each.
        y : array-like of shape (n_samples, n_tasks), default=None
            A wide ``y``: the rows of a task are those with a label in its column.
        task : array-like of shape (n_samples,), default=None
        task_column : column name or int, default=None
        energy : float, default=0.99
            These are as in `covariance_similarity`.
        ax : matplotlib Axes, default=None
        **plot_kw : dict
            As in `plot`.

        Returns
        -------
        display : CovarianceSimilarityDisplay

        Raises
        ------
        ValueError
            As `covariance_similarity`.
        """
        import_pyplot(f"{cls.__name__}.from_data")
        tables = tables_of_tasks(X, None, y, task, task_column)
        similarity = covariance_similarity(tables, energy=energy)
        return cls(similarity, tasks=list(tables)).plot(ax, **plot_kw)

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        task: Any = None,
        *,
        which: str = "both",
        energy: float = 0.99,
        ax: Any = None,
        **plot_kw: Any,
    ) -> Self:
        """Draw the similarities before and after a fitted model's alignment.

        Parameters
        ----------
        estimator : fitted MultiTaskAlignedClassifier or MultiTaskAlignedRegressor
            Or an estimator with CV, or a search, for its ``best_estimator_``.
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Rows of several tasks, as in the estimator's ``predict``.
        task : array-like of shape (n_samples,), default=None
            As in the estimator's ``predict``.
        which : {"both", "before", "after"}, default="both"
        energy : float, default=0.99
            As in `covariance_similarity`.
        ax : matplotlib Axes, or array of two, default=None
        **plot_kw : dict
            As in `plot`.

        Returns
        -------
        display : CovarianceSimilarityDisplay

        Raises
        ------
        ValueError
            If the estimator is not fitted or has no alignment, or as `alignment_similarity`.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        if which not in ("both", "before", "after"):
            raise ValueError(f'which must be "both", "before" or "after"; got {which!r}.')
        estimator = fitted_network(estimator)
        if getattr(estimator, "alignment_", None) is None:
            raise ValueError(f"{estimator} has no alignment: use from_data(X, task=...).")
        before, after = alignment_similarity(estimator, X, task, energy=energy)
        codes = estimator._read_rows(X, task)[1]
        chosen = {"both": (before, after), "before": (before,), "after": (after,)}[which]
        return cls(*chosen, tasks=estimator.tasks_[np.unique(codes)]).plot(ax, **plot_kw)
