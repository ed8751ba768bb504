"""In which order the parts of the network are trained: the schedules of Algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

# What holds still, by the first part of the parameters' names.
_NOTHING: tuple[str, ...] = ()
_FIXED_R = ("alignment.",)
_FIXED_B = ("shared.",)


@dataclass(frozen=True)
class Stage:
    """A part of training, which ends when it has converged or after a number of epochs.

    Attributes
    ----------
    turns : tuple of tuple of str
        Parameters that hold still, turn by turn: beginnings of their names. Turns take epochs
        by rotation.
    epochs : int
        Most epochs.
    may_be_cut : bool
        Whether it is meant to end there, converged or not.
    """

    turns: tuple[tuple[str, ...], ...]
    epochs: int
    may_be_cut: bool = False


class End(Enum):
    """How a training ended."""

    CONVERGED = "converged"
    CUT_SHORT = "cut short"  # by the number of epochs
    STOPPED = "stopped"  # by a callback
    INTERRUPTED = "interrupted"  # from the keyboard


def stages_of(schedule: str, epochs: int) -> list[Stage]:
    """The stages of an ``alignment_schedule``, which share the epochs."""
    if schedule == "joint":
        return [Stage((_NOTHING,), epochs)]
    if schedule == "alternating":
        return [Stage((_FIXED_R, _FIXED_B), epochs)]
    second = epochs // 2
    return _some([Stage((_FIXED_R,), epochs - second), Stage((_FIXED_B,), second)])


def stages_from_source(moving: int, epochs: int) -> list[Stage]:
    """The source's B may move for some epochs, then holds still."""
    moving = min(moving, epochs)
    first = Stage((_NOTHING,), moving, may_be_cut=moving < epochs)
    return _some([first, Stage((_FIXED_B,), epochs - moving)])


def _some(stages: list[Stage]) -> list[Stage]:
    return [stage for stage in stages if stage.epochs]
