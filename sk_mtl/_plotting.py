"""What the displays share: figures, the names of tasks and of scores, heat maps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier

from sk_mtl._tasks import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

# Blue and vermilion of Okabe and Ito: they differ for every kind of colour vision.
TOGETHER = "#0072B2"
ALONE = "#D55E00"

LONGEST_NAME = 20  # characters
SMALLEST_FONT = 6.0  # points
SMALLEST_NUMBER = 7.0
LINE = 1.3  # height of a line of text, in font sizes

# What shows where a heat map has no value.
NO_VALUE: dict[str, Any] = {
    "facecolor": "0.9",
    "edgecolor": "0.6",
    "hatch": "////",
    "linewidth": 0.0,
}


def import_pyplot(user: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{user} draws with matplotlib. Install it: pip install "sk-mtl[plot]"'
        ) from error
    return plt


def check_square(matrix: Any, name: str) -> Array:
    """A matrix of tasks by tasks, as floats."""
    found: Array = np.asarray(matrix, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise ValueError(
            f"{name} must be a matrix with a row and a column for each task; its shape is "
            f"{found.shape}."
        )
    return found


def check_tasks(tasks: Any, n_tasks: int) -> list[Any]:
    """The tasks' names, by default their numbers."""
    names = list(range(n_tasks) if tasks is None else np.asarray(tasks, dtype=object))
    if len(names) != n_tasks:
        raise ValueError(f"tasks has {len(names)} names for {n_tasks} tasks.")
    return names


def check_axes(ax: Any, n_axes: int) -> Array:
    """The first axes of an array that has enough of them."""
    found = np.asarray(ax, dtype=object).ravel()
    if len(found) < n_axes:
        raise ValueError(f"ax has {len(found)} axes, but {n_axes} are drawn on. Pass more.")
    return found[:n_axes]


def short_name(task: Any) -> str:
    """A task's name on one line, without its middle if it is long."""
    name = " ".join(str(task).split())
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 8]}…{name[-7:]}"
    return name.replace("$", r"\$")  # no formulas


def score_label(scoring: Any, estimator: Any) -> str:
    """What a scorer measures, in words."""
    if scoring is None:
        scoring = "accuracy" if is_classifier(estimator) else "r2"
    if isinstance(scoring, str):
        name = scoring
    else:
        name = str(getattr(getattr(scoring, "_score_func", scoring), "__name__", "score"))
        if getattr(scoring, "_sign", 1) < 0:
            name = f"neg_{name}"
    known = {"r2": "R²", "r2_score": "R²", "roc_auc": "ROC AUC", "<lambda>": "score"}
    return known.get(name, name.replace("neg_", "negative ").replace("_", " "))


def text_width(texts: Iterable[str]) -> float:
    """Width of the longest text in font sizes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=100)
    return max(
        text_to_path.get_text_width_height_descent(text, font, ismath=False)[0] / 100
        for text in {*texts}
    )


def tick_label_size(which: str) -> float:
    """Font size in points of the labels of the x or y axis."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties

    settings: Any = rcParams
    size = FontProperties(size=settings[f"{which}tick.labelsize"]).get_size_in_points()
    return float(size)


def length_in_points(ax: Axes) -> Array:
    """Width and height of axes as they would be drawn."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    if (layout := figure.get_layout_engine()) is not None:
        layout.execute(figure)
    ax.apply_aspect()
    return np.asarray(ax.get_window_extent().size) * 72 / figure.dpi


def name_ticks(ax: Axes, which: str, tasks: Sequence[Any], foremost: int = 0) -> None:
    """Name the tasks at 0, 1, 2, ... along an axis, one in any case and others if there is room."""
    from sk_mtl._plot_artists import NameFormatter, RoomyLocator

    names = [short_name(task) for task in tasks]
    usual = tick_label_size(which)
    # The labels will take a little of what they are measured by.
    per_task = 0.92 * length_in_points(ax)[int(which == "y")] / len(names)
    size = min(usual, max(per_task / LINE, SMALLEST_FONT))
    room, rotation = LINE, 0
    if which == "x":
        flat = text_width(names) + 0.6
        if per_task / flat > 0.75 * usual:
            size, room = min(usual, per_task / flat), flat
        elif max(map(len, names)) <= 3:  # few of them are better than all on end
            room = flat
        else:
            rotation = 90
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(RoomyLocator([foremost, *range(len(names))], room * size))
    axis.set_major_formatter(NameFormatter(names))
    axis.set_tick_params(labelsize=size, labelrotation=rotation)


def places_on_log_axis(ax: Axes, places: Array) -> None:
    """An x axis of doublings, with ticks at some numbers."""
    from matplotlib.ticker import NullLocator

    from sk_mtl._plot_artists import RoomyLocator

    widest = text_width([f"{place:g}" for place in places])
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_locator(RoomyLocator(places, (widest + 0.6) * tick_label_size("x")))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_locator(NullLocator())


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


def mean_and_quartiles(scores: Array) -> Array:
    """Over the tasks that have a score: arrays of shape (3, n_rows)."""
    found = []
    for row in scores:
        known = row[~np.isnan(row)]
        quartiles = np.percentile(known, [25, 75]) if len(known) else [np.nan, np.nan]
        found.append([known.mean() if len(known) else np.nan, *quartiles])
    return np.array(found).T
