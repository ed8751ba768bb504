"""Heat maps of tasks by tasks: cells, the numbers in them, and a key."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sk_mtl._plotting import length_in_points, short_name, text_width
from sk_mtl._tasks import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

SMALLEST_NUMBER = 7.0  # points

# What shows where a heat map has no value.
NO_VALUE: dict[str, Any] = {
    "facecolor": "0.9",
    "edgecolor": "0.6",
    "hatch": "////",
    "linewidth": 0.0,
}


def check_square(matrix: Any, name: str) -> Array:
    """A matrix of tasks by tasks, as floats."""
    found: Array = np.asarray(matrix, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise ValueError(
            f"{name} must be a matrix with a row and a column for each task; its shape is "
            f"{found.shape}."
        )
    return found


def heat_map_size(tasks: Sequence[Any], n_maps: int = 1) -> tuple[float, float]:
    """Width and height in inches of a figure that shows tasks by tasks side by side."""
    n_tasks = len(tasks)
    # Up to some ten tasks there is room for numbers.
    cells = min(0.8 + 0.6 * n_tasks, 6.0 + 0.1 * n_tasks, 9.0) / (1.0 if n_maps == 1 else 1.4)
    name = text_width([short_name(task) for task in tasks]) * 10 / 72
    upright = name * n_tasks > cells
    return n_maps * (cells + name + 0.4) + 0.8, cells + 0.8 + upright * name


def heat_map(ax: Axes, values: Array, **im_kw: Any) -> AxesImage:
    """Coloured cells; those without a value show the hatched background."""
    image = ax.imshow(values, **{"interpolation": "nearest", **im_kw})
    if np.isnan(values).any():
        ax.patch.set(**NO_VALUE)
    return image


def key(ax: Axes, values: Array, no_value: str, others: Sequence[Any] = ()) -> None:
    """A legend above a heat map: of hatched cells, if there are any, and of other marks."""
    from matplotlib.patches import Patch

    hatched = [Patch(**NO_VALUE, label=no_value)] if np.isnan(values).any() else []
    handles = [*others, *hatched]
    if handles:
        ax.legend(
            handles=handles,
            loc="lower left",
            bbox_to_anchor=(0, 1),
            ncols=3 if length_in_points(ax)[0] > 80 * len(handles) else 1,
            frameon=False,
            borderaxespad=0.2,
            borderpad=0,
            handletextpad=0.4,
            columnspacing=1.2,
            fontsize="small",
        )


def ink(image: AxesImage) -> Array:
    """Black or white for each cell: what can be read on it."""
    values = np.ma.masked_invalid(np.asarray(image.get_array(), dtype=float))
    colours = np.asarray(image.cmap(image.norm(values)))
    bright = colours[..., :3] @ [0.299, 0.587, 0.114] > 0.5
    return np.where(bright | values.mask, "black", "white")


def write_values(image: AxesImage, texts: Array, include_values: bool | None) -> Array | None:
    """Numbers in the cells of a heat map, by default if there is room for them now."""
    from sk_mtl._plot_artists import CellText

    if include_values is False:
        return None
    ax, colours = image.axes, ink(image)
    ems = text_width(["0", *texts.ravel()]) / 0.7
    smallest = SMALLEST_NUMBER if include_values is None else 0.0
    drawn = np.empty(texts.shape, dtype=object)
    length_in_points(ax)  # lays the figure out
    for (i, j), text in np.ndenumerate(texts):
        number = CellText(j, i, text, ems=ems, smallest=smallest, color=colours[i, j])
        ax.add_artist(number)
        if number.fitting_size() < smallest:
            number.remove()
            return None
        drawn[i, j] = number
    return drawn


def signed(values: Array) -> Array:
    """Numbers with their sign, to two digits of the largest; NaN is empty."""
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    digits = max(0, 1 - int(np.floor(np.log10(largest)))) if largest else 0
    texts = [
        "" if np.isnan(value) else f"{value:+.{digits}f}".replace("-", "\N{MINUS SIGN}")
        for value in values.ravel()
    ]
    return np.array(texts).reshape(values.shape)
