"""Data and settings that several test files use."""

from __future__ import annotations

from typing import Any

import numpy as np
from skorch.callbacks import Callback

CONVEX: dict[str, Any] = {
    "hidden_layer_sizes": (),
    "alignment": None,
    "tol": 0,
    "max_iter": 5000,
}
N_TASKS = 3


def make_tasks(n_classes: int = 2, rows: int = 40, seed: int = 0) -> tuple[Any, Any, Any]:
    """Related tasks with the same number of rows of every class in every task."""
    rng = np.random.default_rng(seed)
    task = np.repeat(np.arange(N_TASKS), rows * n_classes)
    y = np.tile(np.repeat(np.arange(n_classes), rows), N_TASKS)
    centres = rng.standard_normal((n_classes, 5)) + 0.4 * rng.standard_normal((N_TASKS, 1, 5))
    X = centres[task, y] + rng.standard_normal((len(y), 5))
    return X, y, task


class StopAt(Callback):
    """Ends a training at the end of an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


class InterruptBatch(Callback):
    """Interrupts a training in the midst of an epoch, as the keyboard would."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt
