"""The private skorch nets that train an `AlignedNetwork`: by batches, or on all rows at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import OptimizeResult, minimize
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback, EarlyStopping, EpochScoring
from torch import Tensor

from sk_mtl._batches import ROWS_AT_A_TIME, Batch, TaskBatches, TaskDataset
from sk_mtl._gradients import Gradients, by_hand
from sk_mtl._losses import Target
from sk_mtl._schedule import Stage
from sk_mtl._scored_rows import ScoredNet
from sk_mtl._steps import Steps, can_step
from sk_mtl._vector import ParameterVector, VectorPenalty, penalty_of_the_rest

_LEAST_STIFFNESS = 1e-4  # penalties below it make no parameter move more freely
_STUCK = 1e-3  # of the gradient's size at the start: with less left, L-BFGS is as good as done
_TURN = 10  # epochs after which L-BFGS gives the turn to the next parameters

FindGradient = Callable[[list[Batch]], tuple[float, list[Tensor]]]  # the loss, and the outputs
Best = tuple[float, dict[str, Tensor]]  # score on the held-out rows, and the weights that have it


class _StageOver(Exception):  # noqa: N818
    """Nothing more to gain for the parameters that a stage trains."""


class _TaskNet(ScoredNet):
    """A net trained on a pair of data sets, for the data loss plus the network's penalty.

    Both are sums over all rows, and are minimised and reported per unit of weight.

    Parameters
    ----------
    stopping : EarlyStopping
        When a stage of training is over, and whether its best epoch is kept. Not one of the
        callbacks: theirs is the whole of training.
    """

    def __init__(self, *args: Any, stopping: EarlyStopping, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stopping = stopping

    def train(self, train: TaskDataset, valid: TaskDataset | None, stages: list[Stage]) -> bool:
        """Go through the stages, and tell whether each that is to converge did."""
        self.n_rows_ = len(train)
        self.total_weight_ = float(train.weight.sum(dtype=torch.float64))
        self.notify("on_train_begin", X=train, y=None)
        converged, best = True, None
        for stage in stages:
            before, interrupted = len(self.history), False
            try:
                converged &= self.train_stage(train, valid, stage) or stage.may_be_cut
            except KeyboardInterrupt:  # from a callback, or from the keyboard
                interrupted = True
            if valid is not None:
                best = self._better(best, before)
            if interrupted:
                break
        if best is not None:
            self.module_.load_state_dict(best[1])
        self.notify("on_train_end", X=train, y=None)
        return converged

    def train_stage(self, train: TaskDataset, valid: TaskDataset | None, stage: Stage) -> bool:
        """Train as far as a stage goes, and tell whether it converged."""
        self.turns_ = stage.turns
        self.resting_: tuple[str, ...] = ()
        before = len(self.history)
        self.stopping.on_train_begin(self)
        try:
            return self.train_on(train, valid, stage.epochs)
        except _StageOver:
            return True
        finally:
            self._drop_unfinished_epoch()
            if len(self.history) > before:
                self.stopping.on_train_end(self)

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
        held = [
            parameter
            for name, parameter in self.module_.named_parameters()
            if parameter.requires_grad and name.startswith(self.resting_)
        ]
        for parameter in held:
            parameter.requires_grad_(False)
            parameter.grad = None
        # cuDNN has no way back through recurrent layers that do not train.
        off = torch.backends.cudnn.flags(enabled=False)
        try:
            with off if "shared." in self.resting_ else nullcontext():
                yield
        finally:
            self.resting_ = ()
            for parameter in held:
                parameter.requires_grad_(True)

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
        """Train for a number of epochs at most, and tell whether the optimum was reached."""
        raise NotImplementedError

    def _drop_unfinished_epoch(self) -> None:
        """Forget an epoch that an interrupt, or the end of L-BFGS, has cut short."""
        if len(self.history) and "train_loss" not in self.history[-1]:
            self.history.pop()

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
        interrupt = None
        for _, callback in self.callbacks_:
            try:
                callback.on_epoch_end(self, dataset_train=train, dataset_valid=valid)
            except KeyboardInterrupt as request:
                interrupt = request
        if interrupt is not None:
            raise interrupt
        try:
            self.stopping.on_epoch_end(self)
        except KeyboardInterrupt:
            raise _StageOver from None


class MiniBatchNet(_TaskNet):
    """Trains by an optimizer of torch, on batches."""

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> bool:
        batches = self.get_iterator(train, training=True)
        steps: Steps | None = None
        try:
            for epoch in range(epochs):
                self.begin_epoch(train, valid)
                with self.turn(epoch):
                    steps = self._steps(steps)
                    if steps is not None:
                        self.run_steps(batches, steps)
                    else:
                        self.run_single_epoch(
                            batches, training=True, prefix="train", step_fn=self.train_step
                        )
                self.end_epoch(train, valid)
        finally:
            if steps is not None:
                steps.release()
        return False

    def _steps(self, before: Steps | None) -> Steps | None:
        """Steps by hand if all of the network can go so; those of the last epoch if they do."""
        possible = can_step(self.module_, self.optimizer_)
        if before is not None and possible and before.serve(self.module_, self.optimizer_):
            return before
        if before is not None:
            before.release()
        return Steps(self.module_, self.criterion_, self.optimizer_) if possible else None

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
            for callback in begin:
                callback.on_batch_begin(self, batch=batch, training=True)
            inputs, target = batch
            n_rows = inputs["rows"].shape[0]
            scale = self.n_rows_ / n_rows / self.total_weight_
            with torch.no_grad():
                loss, outputs = steps.gradient(inputs, target, scale, 1 / self.total_weight_)
                for callback in graded:
                    callback.on_grad_computed(
                        self,
                        named_parameters=self.module_.named_parameters(),
                        batch=batch,
                        training=True,
                    )
                (step if number < len(batches) else self.optimizer_.step)()
            told[-1] |= {"train_loss": loss.item(), "train_batch_size": n_rows}
            for callback in end:
                callback.on_batch_end(self, batch=batch, training=True, loss=loss, y_pred=outputs)
        self.history.record("train_batch_count", len(batches))

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
    """Trains by scipy's L-BFGS-B on all rows; one of its iterations is an epoch of one batch.

    Parameters
    ----------
    tol : float
        Training ends once no entry of the gradient is larger than a tenth of it, in the units of
        ``minimize``.
    """

    def __init__(self, *args: Any, tol: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tol = tol

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> bool:
        self.batch_size = len(train)  # for callbacks that count the batches
        if len(self.turns_) == 1:
            with self.turn(0):
                return self.minimize(train, valid, epochs)[0]
        at_rest = number = 0  # turns in a row that had nothing left to do
        while epochs > 0 and at_rest < len(self.turns_):
            with self.turn(number):
                ended, taken = self.minimize(train, valid, min(epochs, _TURN))
            at_rest = at_rest + 1 if ended and taken == 1 else 0
            number, epochs = number + 1, epochs - taken
        return at_rest == len(self.turns_)

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
        unit = _array(vector.join([stiffness.get(name, 0.0) for name in named]))
        # Next to no penalty would make it all but infinite, beside the unpenalised ones.
        unit = 1 / np.sqrt(np.where(unit > 0, np.maximum(unit, _LEAST_STIFFNESS), 1.0))
        accepted = _array(vector.values) / unit
        steepest = 0.0
        find_gradient = self._by_hand(vector, list(named)) or self._by_autograd(vector)

        def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            nonlocal steepest
            if between_epochs:
                begin_epoch()
            vector.values.copy_(torch.from_numpy(flat * unit))
            value, outputs[:] = find_gradient(chunks)
            gradient = unit * _array(vector.gradient)
            steepest = steepest or float(np.abs(gradient).max())
            return value, gradient

        def end_epoch(intermediate_result: OptimizeResult) -> None:
            nonlocal accepted, between_epochs
            accepted = intermediate_result.x.copy()
            vector.values.copy_(torch.from_numpy(accepted * unit))
            loss = float(intermediate_result.fun)
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
            result = minimize(
                objective,
                accepted,
                jac=True,
                method="L-BFGS-B",
                callback=end_epoch,
                options={
                    "maxiter": epochs,
                    "maxfun": 20 * epochs,
                    "gtol": 0.1 * self.tol,
                    "ftol": 0.0,
                    "maxcor": 10,
                },
            )
            if result.nit == 0:  # the start is the optimum, or not finite
                end_epoch(result)
        finally:
            vector.values.copy_(torch.from_numpy(accepted * unit))  # trial steps are taken back
            vector.release()
        done = max(0.1 * self.tol, _STUCK * max(steepest, 1.0))
        if result.status != 1 and np.abs(result.jac).max() > done:
            warnings.warn(
                f"L-BFGS found no step that lowers the loss of {result.fun:.3g}, though it is not "
                "at its minimum: rounding errors are as large. Scale the features "
                "(input_scaling), and leave enormous penalties and weights.",
                ConvergenceWarning,
                stacklevel=2,
            )
        return result.status != 1, max(1, result.nit)  # 1: too many iterations

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


def _array(tensor: Tensor) -> npt.NDArray[np.float64]:
    return tensor.detach().to("cpu", torch.float64, copy=True).numpy()
