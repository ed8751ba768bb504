"""What the displays share: figures, and the names of tasks and of scores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import is_classifier

from sk_mtl._tasks import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Blue and vermilion of Okabe and Ito: they differ for every kind of colour vision.
TOGETHER = "#0072B2"
ALONE = "#D55E00"

LONGEST_NAME = 20  # characters
SMALLEST_FONT = 6.0  # points
LINE = 1.3  # height of a line of text, in font sizes


def import_pyplot(user: str) -> Any:
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{user} draws with matplotlib. Install it: pip install "sk-mtl[plot]"'
        ) from error
    return plt


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


def mean_and_quartiles(scores: Array) -> Array:
    """Over the tasks that have a score: arrays of shape (3, n_rows)."""
    found = []
    for row in scores:
        known = row[~np.isnan(row)]
        quartiles = np.percentile(known, [25, 75]) if len(known) else [np.nan, np.nan]
        found.append([known.mean() if len(known) else np.nan, *quartiles])
    return np.array(found).T
