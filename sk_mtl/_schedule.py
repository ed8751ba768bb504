"""In which order the parts of the network are trained: the schedules of Algorithm 1."""

from __future__ import annotations

from dataclasses import dataclass

# Parameters that hold still, by the first part of their name.
_R = ("alignment.",)
_B = ("shared.",)


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


def stages_of(schedule: str, epochs: int) -> list[Stage]:
    """The stages of an ``alignment_schedule``, which share the epochs."""
    if schedule == "joint":
        return [Stage(((),), epochs)]
    if schedule == "alternating":
        return [Stage((_R, _B), epochs)]
    return [Stage((_R,), epochs - epochs // 2), Stage((_B,), epochs // 2)]


def stages_from_source(fine_tune_epochs: int, epochs: int) -> list[Stage]:
    """The source's B may move for some epochs, then holds still."""
    moving = min(fine_tune_epochs, epochs)
    stages = [Stage(((),), moving, may_be_cut=True), Stage((_B,), epochs - moving)]
    return [stage for stage in stages if stage.epochs]
