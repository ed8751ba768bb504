"""The private skorch nets that train an `AlignedNetwork`: by batches, or on all rows at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping, EpochScoring
from torch import Tensor

from sk_mtl._batches import ROWS_AT_A_TIME, TaskBatches, TaskDataset
from sk_mtl._gradients import Gradients, by_hand
from sk_mtl._lbfgs import minimize
from sk_mtl._losses import Target
from sk_mtl._processes import Batch, Processes
from sk_mtl._progress import Best, Progress
from sk_mtl._resuming import Checkpoints
from sk_mtl._schedule import End, Stage
from sk_mtl._scored_rows import ScoredNet
from sk_mtl._steps import Steps, can_step
from sk_mtl._vector import ParameterVector, VectorPenalty, penalty_of_the_rest

_LEAST_STIFFNESS = 1e-4  # penalties below it make no parameter move more freely
_STUCK = 1e-3  # of the gradient's size at the start: with less left, L-BFGS is as good as done
_TURN = 10  # epochs after which L-BFGS gives the turn to the next parameters

FindGradient = Callable[[list[Batch]], tuple[float, list[Tensor]]]  # the loss, and the outputs


class _StageOver(Exception):  # noqa: N818
    """Nothing more to gain for the parameters that a stage trains."""


class _StopRequested(Exception):  # noqa: N818
    """A callback wants the training to end."""


class _TaskNet(ScoredNet):
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


class MiniBatchNet(_TaskNet):
    """Trains by an optimizer of torch, on batches.

    Parameters
    ----------
    accelerator : accelerate.Accelerator or None
        Whose processes train the net together.
    """

    steps_: Steps | None = None

    def __init__(self, *args: Any, accelerator: Any = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.accelerator = accelerator

    def get_iterator(self, dataset: Any, training: bool = False) -> Any:
        iterator = super().get_iterator(dataset, training=training)
        if training:
            iterator.processes = Processes(self.accelerator)
        return iterator

    def train(self, train: TaskDataset, valid: TaskDataset | None, *how: Any) -> End:
        self.processes_ = Processes(self.accelerator)
        if self.processes_.several:
            self._check_alike(train, valid)
        return super().train(train, valid, *how)

    def _check_alike(self, train: TaskDataset, valid: TaskDataset | None) -> None:
        """Refuse processes that would train nets of their own, or wait for each other forever."""
        state = sum(float(p.detach().sum(dtype=torch.float64)) for p in self.module_.parameters())
        n_valid = 0 if valid is None else len(valid)
        mine = len(train), train.total_weight, n_valid, state, self.iterator_train__seed
        if len(set(self.processes_.all_of(mine))) > 1:
            raise ValueError(
                "The processes of the accelerator do not train the same model. Give all of them "
                "the same parameters, an integer as random_state, and to fit the same rows."
            )

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> bool:
        at, batches = self.progress_, self.get_iterator(train, training=True)
        if at.order is not None:
            batches.set_state(at.order)
        try:
            while at.epochs < epochs:
                self.begin_epoch(train, valid)
                with self.turn(at.epochs):
                    self._renew_steps()
                    if self.steps_ is not None:
                        self.run_steps(batches, self.steps_)
                    else:
                        self.run_single_epoch(
                            batches, training=True, prefix="train", step_fn=self.train_step
                        )
                self.end_epoch(train, valid)
                at.epochs, at.order = at.epochs + 1, batches.state()
                if self.keep_checkpoint():
                    self.release()  # to begin as a process does that goes on from here
        finally:
            self.release()
        return False

    def _renew_steps(self) -> None:
        """Steps by hand if all of the network can go so: those of the last epoch if they do."""
        possible = can_step(self.module_, self.optimizer_)
        if self.steps_ and possible and self.steps_.serve(self.module_, self.optimizer_):
            return
        self.release()
        if possible:
            self.steps_ = Steps(self.module_, self.criterion_, self.optimizer_)

    def release(self) -> None:
        if self.steps_ is not None:
            self.steps_.release()
        self.steps_ = None

    def run_steps(self, batches: TaskBatches, steps: Steps) -> None:
        """An epoch as in `run_single_epoch`, but callbacks hear of what they listen to only."""
        self._set_training(True)
        begin, end = self._listeners("on_batch_begin"), self._listeners("on_batch_end")
        graded = self._listeners("on_grad_computed")
        told: list[dict[str, Any]] = self.history[-1]["batches"]
        # A scheduler of learning rates wants to see a step.
        step = self.optimizer_.step if begin or end or graded else self.optimizer_.step_unseen
        for number, batch in enumerate(batches, start=1):
            told.append({})
            self.tell(begin, "on_batch_begin", batch=batch, training=True)
            inputs, target = batch
            n_rows = inputs["rows"].shape[0]
            scale = self.n_rows_ / n_rows / self.total_weight_
            with torch.no_grad():
                loss, outputs = steps.gradient(inputs, target, scale, 1 / self.total_weight_)
                if self.processes_.several:
                    self.processes_.average([*(v.gradient for v in steps.vectors), loss])
                for callback in graded:
                    named = self.module_.named_parameters()  # can be gone through once
                    seen = {"named_parameters": named, "batch": batch, "training": True}
                    self.tell([callback], "on_grad_computed", **seen)
                (step if number < len(batches) else self.optimizer_.step)()
            told[-1] |= {"train_loss": loss.item(), "train_batch_size": n_rows}
            outcome = {"batch": batch, "training": True, "loss": loss, "y_pred": outputs}
            self.tell(end, "on_batch_end", **outcome)
        self.history.record("train_batch_count", len(batches))

    def train_step_single(self, batch: Any, **fit_params: Any) -> Any:
        """As skorch, with the gradient of all processes."""
        step = super().train_step_single(batch, **fit_params)
        if self.processes_.several:
            trained = [p for p in self.module_.parameters() if p.grad is not None]
            loss = step["loss"].detach()
            self.processes_.average([*(p.grad for p in trained), loss])
            step["loss"] = loss
        return step

    def _listeners(self, event: str) -> list[Any]:
        """Callbacks that do something at an event."""
        return [
            callback
            for _, callback in self.callbacks_
            if getattr(type(callback), event) is not getattr(Callback, event)
            # Does something if it caches, which `use_caching` turns off.
            and not (event == "on_batch_end" and isinstance(callback, EpochScoring))
        ]


class FullBatchNet(_TaskNet):
    """Trains by L-BFGS on all rows; one of its iterations is an epoch of one batch.

    Parameters
    ----------
    tol : float
        Training ends once no entry of the gradient is larger than a tenth of it, in the units of
        ``minimize``.
    """

    def __init__(self, *args: Any, tol: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tol = tol
        self.take_back_trials_: Callable[[], None] | None = None

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> bool:
        self.batch_size = len(train)  # for callbacks that count the batches
        at, n_turns = self.progress_, len(self.turns_)
        at_a_time = epochs
        if n_turns > 1:
            at_a_time = _TURN
        elif self.checkpoints_ is not None:  # what L-BFGS knows of the curvature is in none
            at_a_time = self.checkpoints_.every
        while at.epochs < epochs and at.at_rest < n_turns:
            with self.turn(at.turns):
                ended, taken = self.minimize(train, valid, min(epochs - at.epochs, at_a_time))
            done = ended and (taken == 1 or n_turns == 1)
            at.at_rest = at.at_rest + 1 if done else 0
            at.turns, at.epochs = at.turns + 1, at.epochs + taken
            self.keep_checkpoint()
        return at.at_rest == n_turns

    def minimize(
        self, train: TaskDataset, valid: TaskDataset | None, epochs: int
    ) -> tuple[bool, int]:
        """Minimise over what is to be trained; tell whether it ended by itself, and its epochs."""
        everything = train[slice(None)]
        chunks = list(TaskBatches(train, ROWS_AT_A_TIME))
        outputs: list[Tensor] = []  # of the last evaluation
        between_epochs = True

        def begin_epoch() -> None:
            nonlocal between_epochs
            between_epochs = False
            self.begin_epoch(train, valid)
            self.notify("on_batch_begin", batch=everything, training=True)
            self._set_training(True)

        begin_epoch()  # a callback may now set weights, or freeze them
        named = {n: p for n, p in self.module_.named_parameters() if p.requires_grad}
        vector = ParameterVector(list(named.values()))
        stiffness = self.module_.stiffness()
        # In units of its prior's standard deviation each parameter matters about the same, which
        # takes L-BFGS a fraction of the iterations. An unpenalised one has a unit of 1.
        unit = _double(vector.join([stiffness.get(name, 0.0) for name in named]))
        # Next to no penalty would make it all but infinite, beside the unpenalised ones.
        unit = torch.where(unit > 0, unit.clamp(min=_LEAST_STIFFNESS), 1.0).rsqrt()
        start = _double(vector.values) / unit
        reached = {self.n_whole_: start}  # by the last whole epoch, and the one that is ending
        gtol, steepest = 0.1 * self.tol, 0.0
        find_gradient = self._by_hand(vector, list(named)) or self._by_autograd(vector)

        def take_back_trials() -> None:
            vector.values.copy_(reached[self.n_whole_] * unit)
            vector.release()

        self.take_back_trials_ = take_back_trials

        def objective(flat: Tensor) -> tuple[float, Tensor]:
            nonlocal steepest
            if between_epochs:
                begin_epoch()
            vector.values.copy_(flat * unit)
            value, outputs[:] = find_gradient(chunks)
            gradient = unit * _double(vector.gradient)
            steepest = steepest or gradient.abs().max().item()
            return value, gradient

        def end_epoch(flat: Tensor, loss: float) -> None:
            nonlocal reached, between_epochs
            reached = {self.n_whole_: reached[self.n_whole_], len(self.history): flat}
            vector.values.copy_(flat * unit)
            self.history.record_batch("train_loss", loss)
            self.history.record_batch("train_batch_size", len(train))
            self.notify(
                "on_batch_end",
                batch=everything,
                training=True,
                loss=torch.tensor(loss),
                y_pred=torch.cat(outputs),
            )
            self.history.record("train_batch_count", 1)
            between_epochs = True
            self.end_epoch(train, valid)

        try:
            found = minimize(objective, start, max_iter=epochs, gtol=gtol, on_iteration=end_epoch)
            if found.n_iter == 0:  # the start is the optimum, or not finite
                end_epoch(found.x, found.value)
        finally:
            self.release()
        if found.converged and found.steepness > max(gtol, _STUCK * max(steepest, 1.0)):
            warnings.warn(
                f"L-BFGS found no step that lowers the loss of {found.value:.3g}, though it is not "
                "at its minimum: rounding errors are as large. Scale the features "
                "(input_scaling), and leave enormous penalties and weights.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return found.converged, max(1, found.n_iter)

    def release(self) -> None:
        if self.take_back_trials_ is not None:
            self.take_back_trials_()
        self.take_back_trials_ = None

    def _by_hand(self, vector: ParameterVector, names: list[str]) -> FindGradient | None:
        """What finds the gradient of loss and penalty over batches, if it all goes by hand."""
        if not by_hand(self.module_):
            return None
        gradients = Gradients(self.module_, self.criterion_)
        penalty = VectorPenalty(self.module_, vector, names)
        share = 1 / self.total_weight_
        at_rest = penalty_of_the_rest(self.module_, [penalty])

        @torch.no_grad()
        def find(batches: list[Batch]) -> tuple[float, list[Tensor]]:
            value, outputs = penalty.start_gradient(share).item() + share * at_rest, []
            for inputs, (to_reach, weight, task) in batches:
                loss, output = gradients.add(inputs["rows"], task, to_reach, weight, share)
                outputs.append(output)
                value += loss.item()
            return value, outputs

        return find

    def _by_autograd(self, vector: ParameterVector) -> FindGradient:
        def find(batches: list[Batch]) -> tuple[float, list[Tensor]]:
            vector.gradient.zero_()
            penalty = self.module_.penalty() / self.total_weight_
            if penalty.requires_grad:
                penalty.backward()
            value, outputs = penalty.item(), []
            for inputs, target in batches:
                output = self.infer(inputs)
                loss: Any = self.data_loss(output, target) / self.total_weight_
                loss.backward()
                outputs.append(output.detach())
                value += loss.item()
            return value, outputs

        return find


def _may_stop(callback: Any) -> bool:
    """Whether a KeyboardInterrupt in a callback is its own: skorch's scores and logs raise none."""
    return isinstance(callback, EarlyStopping) or not type(callback).__module__.startswith("skorch")


def _double(tensor: Tensor) -> Tensor:
    """Where L-BFGS works, whatever device and precision the network has."""
    return tensor.detach().to("cpu", torch.float64)
