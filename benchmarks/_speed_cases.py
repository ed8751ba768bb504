"""What is timed: a piece of our work, others' of the same size, and the ratio asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field

from _speed_clock import Epochs, Work


@dataclass(frozen=True)
class Case:
    """One line of the table, or several: ours against each of the others.

    Attributes
    ----------
    row : str
        Number in the table.
    work : str
    alternatives : callable
        Makes what takes turns, "ours" first.
    goals : dict
        The largest ratio of CPU medians asked for, by the alternative compared with.
    stretch : dict
        The same, where it is hoped for.
    """

    row: str
    work: str
    alternatives: Callable[[], dict[str, Work | Epochs]]
    goals: dict[str, float]
    stretch: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """A line on memory: megabytes above what the work needs by its nature.

    Attributes
    ----------
    row, work : str
    run : callable
        Makes the work, and says how many megabytes it needs by its nature.
    goal : float
    """

    row: str
    work: str
    run: Callable[[], tuple[Work, float]]
    goal: float
