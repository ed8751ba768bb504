"""The private skorch net that trains an `AlignedNetwork`: stages, turns, callbacks, interrupts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from skorch.callbacks import EarlyStopping
from torch import Tensor

from sk_mtl._batches import TaskDataset
from sk_mtl._losses import Target
from sk_mtl._progress import Best, Progress
from sk_mtl._resuming import Checkpoints
from sk_mtl._schedule import End, Stage
from sk_mtl._scored_rows import ScoredNet


class _StageOver(Exception):  # noqa: N818
    """Nothing more to gain for the parameters that a stage trains."""


class _StopRequested(Exception):  # noqa: N818
    """A callback wants the training to end."""


class TaskNet(ScoredNet):
    """A net trained on a pair of data sets, for the data loss plus the network's penalty.

    Both are sums over all rows, and are minimised and reported per unit of weight.

    Parameters
    ----------
    stopping : EarlyStopping
        When a stage of training is over, and whether its best epoch is kept. Not one of the
        callbacks: theirs is the whole of training.
    """

    resting_: tuple[str, ...] = ()
    held_: Sequence[torch.nn.Parameter] = ()
    n_whole_ = 0  # epochs of the history that every callback has heard the end of

    def __init__(self, *args: Any, stopping: EarlyStopping, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopping = stopping

    def train(
        self,
        train: TaskDataset,
        valid: TaskDataset | None,
        stages: list[Stage],
        checkpoints: Checkpoints | None = None,
    ) -> End:
        """Go through the stages, and tell how that ended."""
        self.n_rows_ = len(train)
        self.total_weight_ = train.total_weight
        self.checkpoints_, self.progress_ = checkpoints, Progress()
        self.notify("on_train_begin", X=train, y=None)
        goes_on = checkpoints is not None and checkpoints.restore(self)
        self.n_whole_ = len(self.history)
        at, end = self.progress_, End.CONVERGED
        while at.stage < len(stages) and end is End.CONVERGED:
            if not goes_on:
                at.begin(len(self.history))
                self.stopping.on_train_begin(self)
            goes_on = False
            stage = stages[at.stage]
            try:
                at.converged &= self.train_stage(train, valid, stage) or stage.may_be_cut
            except _StopRequested:
                end = End.STOPPED
            except KeyboardInterrupt:
                end = End.INTERRUPTED
                self.leave_stage()  # which it may have been about to
            if valid is not None:
                at.best = self._better(at.best, at.first_epoch)
            at.stage += 1
        if at.best is not None:
            self.module_.load_state_dict(at.best[1])
        self.notify("on_train_end", X=train, y=None)
        if end is End.CONVERGED and not at.converged:
            end = End.CUT_SHORT
        if checkpoints is not None and end is not End.INTERRUPTED:
            checkpoints.remove()
        return end

    def train_stage(self, train: TaskDataset, valid: TaskDataset | None, stage: Stage) -> bool:
        """Train as far as a stage goes, and tell whether it converged."""
        self.turns_ = stage.turns
        try:
            return self.train_on(train, valid, stage.epochs)
        except _StageOver:
            return True
        finally:
            self.leave_stage()

    def leave_stage(self) -> None:
        """Leave a net like any other, after the last whole epoch. Twice is as good as once."""
        self.release()
        self._release_turn()
        self._drop_unfinished_epoch()
        if len(self.history) > self.progress_.first_epoch:
            self.stopping.on_train_end(self)

    def release(self) -> None:
        """Give the parameters memory of their own, with the values of the last step."""
        raise NotImplementedError

    def _better(self, best: Best | None, since: int) -> Best | None:
        """The best epoch so far: each stage leaves the net with the weights of its own best."""
        scores = [epoch["valid_score"] for epoch in self.history[since:]]
        if not scores or (best is not None and best[0] >= max(scores)):
            return best
        state = {name: value.clone() for name, value in self.module_.state_dict().items()}
        return max(scores), state

    @contextmanager
    def turn(self, number: int) -> Iterator[None]:
        """Hold still what the turn does not train."""
        self.resting_ = self.turns_[number % len(self.turns_)]
        self.held_ = [
            parameter
            for name, parameter in self.module_.named_parameters()
            if parameter.requires_grad and name.startswith(self.resting_)
        ]
        # cuDNN has no way back through recurrent layers that do not train.
        off = torch.backends.cudnn.flags(enabled=False)
        try:
            for parameter in self.held_:
                parameter.requires_grad_(False)
                parameter.grad = None
            with off if "shared." in self.resting_ else nullcontext():
                yield
        finally:
            self._release_turn()

    def _release_turn(self) -> None:
        self.resting_ = ()
        for parameter in self.held_:
            parameter.requires_grad_(True)
        self.held_ = []

    def _set_training(self, training: bool = True) -> None:
        """As skorch, but a B that holds still makes what it makes in prediction."""
        super()._set_training(training)
        if "shared." in self.resting_:
            self.module_.shared.eval()

    def get_loss(self, y_pred: Tensor, y_true: Any, X: Any = None, training: bool = False) -> Any:
        loss = self.data_loss(y_pred, y_true)
        if not training:
            return loss / y_true[1].sum()
        # A batch stands for all rows: its own mean, and the penalty's share.
        data = loss * self.n_rows_ / len(y_pred)
        return (data + self.module_.penalty()) / self.total_weight_

    def data_loss(self, outputs: Tensor, target: Target) -> Tensor:
        loss: Tensor = self.criterion_(outputs, target, self.module_.log_weight())
        return loss

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> bool:
        """Train for a number of epochs at most, and tell whether the optimum was reached.

        Goes on from ``progress_``, and keeps it.
        """
        raise NotImplementedError

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """As skorch, but a callback that wants the training to end is not the keyboard."""
        getattr(self, method_name)(self, **kwargs)
        self.tell([callback for _, callback in self.callbacks_], method_name, **kwargs)

    def tell(self, callbacks: list[Any], event: str, **kwargs: Any) -> None:
        for callback in callbacks:
            try:
                getattr(callback, event)(self, **kwargs)
            except KeyboardInterrupt as interrupt:
                raise _StopRequested if _may_stop(callback) else interrupt from interrupt

    def keep_checkpoint(self) -> bool:
        """Write a checkpoint if it is time for one, and tell whether it was."""
        return self.checkpoints_ is not None and self.checkpoints_.keep(self)

    def _drop_unfinished_epoch(self) -> None:
        """Forget an epoch that an interrupt, or the end of L-BFGS, has cut short."""
        del self.history[self.n_whole_ :]

    def begin_epoch(self, train: TaskDataset, valid: TaskDataset | None) -> None:
        self._drop_unfinished_epoch()
        self.notify("on_epoch_begin", dataset_train=train, dataset_valid=valid)

    def end_epoch(self, train: TaskDataset, valid: TaskDataset | None) -> None:
        """Validate, and tell all callbacks before one of them may end the training."""
        if valid is not None:
            self.run_single_epoch(
                self.get_iterator(valid, training=False),
                training=False,
                prefix="valid",
                step_fn=self.validation_step,
            )
        stop = False
        for _, callback in self.callbacks_:
            try:
                self.tell([callback], "on_epoch_end", dataset_train=train, dataset_valid=valid)
            except _StopRequested:
                stop = True
        self.n_whole_ = len(self.history)
        if stop:
            raise _StopRequested
        try:
            self.stopping.on_epoch_end(self)
        except KeyboardInterrupt:
            raise _StageOver from None


def _may_stop(callback: Any) -> bool:
    """Whether a KeyboardInterrupt in a callback is its own: skorch's scores and logs raise none."""
    return isinstance(callback, EarlyStopping) or not type(callback).__module__.startswith("skorch")
