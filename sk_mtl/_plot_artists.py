"""Labels and numbers that never overlap, whatever size a figure takes when it is drawn.

Needs matplotlib: to be imported where something is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.text import Text
from matplotlib.ticker import Formatter, Locator

from sk_mtl._plotting import LINE


class RoomyLocator(Locator):
    """The given places, less those whose labels have no room.

    Parameters
    ----------
    places : iterable of float
        An earlier one has precedence.
    room : float
        What a label takes up along the axis, in points.
    """

    axis: Any

    def __init__(self, places: Iterable[float], room: float) -> None:
        self.places = np.array([*places], dtype=float)
        self.room = room

    def __call__(self) -> list[float]:
        axes = self.axis.axes
        size = axes.get_window_extent().size * 72 / axes.get_figure(root=True).dpi
        length = size[int(self.axis.axis_name == "y")]
        view = np.sort(self.axis.get_view_interval())
        places = self.places[(self.places >= view[0]) & (self.places <= view[1])]
        scale = self.axis.get_transform().transform
        low, high = scale(view)
        at = (scale(places) - low) / (high - low) * length
        kept: list[int] = []
        for i in range(len(places)):
            # What just fits must not fail by rounding.
            if (np.abs(at[kept] - at[i]) >= self.room - 1e-6).all():
                kept.append(i)
        return sorted(places[kept].tolist())

    def tick_values(self, vmin: float, vmax: float) -> list[float]:
        return self()


class NameFormatter(Formatter):
    """Names of the places 0, 1, 2, ..."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def __call__(self, x: float, pos: int | None = None) -> str:
        return self.names[round(x)] if 0 <= round(x) < len(self.names) else ""


class CellText(Text):
    """A number in the unit cell around its place, small enough for it, or not drawn.

    Parameters
    ----------
    x, y, text, **text_kw
        As in matplotlib's ``Text``.
    ems : float
        Width that the number takes up, in font sizes.
    smallest : float
        Font size in points below which it is not drawn.
    """

    def __init__(
        self, x: float, y: float, text: str, *, ems: float, smallest: float, **text_kw: Any
    ) -> None:
        super().__init__(x, y, text, ha="center", va="center", **text_kw)
        self.ems = ems
        self.smallest = smallest
        self.largest = self.get_fontsize()

    def fitting_size(self) -> float:
        """Font size in points that fits the cell as the axes are now."""
        assert self.axes is not None
        figure = self.axes.get_figure(root=True)
        assert figure is not None
        corners = self.axes.transData.transform([(0, 0), (1, 1)])
        width, height = np.abs(corners[1] - corners[0]) * 72 / figure.dpi
        return float(min(self.largest, width / self.ems, height / LINE))

    def draw(self, renderer: Any) -> None:
        size = self.fitting_size()
        if size >= self.smallest:
            self.set_fontsize(size)
            super().draw(renderer)
