"""How far a training has come."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

Best = tuple[float, dict[str, Tensor]]  # score on the held-out rows, and the weights that have it


@dataclass
class Progress:
    """How far a training has come: with the net and its callbacks, all that decides the rest.

    Attributes
    ----------
    stage : int
        Number of the stage.
    first_epoch : int
        Epochs in the history when the stage began.
    epochs, turns, at_rest : int
        Of the stage: epochs done, turns taken, and turns in a row that had nothing left to do.
    order : Tensor or None
        State of the generator of the batches' order.
    converged : bool
        Whether the stages before have converged.
    best : Best or None
        The best epoch of the stages before.
    """

    stage: int = 0
    first_epoch: int = 0
    epochs: int = 0
    turns: int = 0
    at_rest: int = 0
    order: Tensor | None = None
    converged: bool = True
    best: Best | None = None

    def begin(self, first_epoch: int) -> None:
        """Begin a stage."""
        self.first_epoch = first_epoch
        self.epochs = self.turns = self.at_rest = 0
        self.order = None
