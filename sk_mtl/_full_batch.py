"""Training by L-BFGS, on all rows at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import EpochTimer, PassthroughScoring, PrintLog
from torch import Tensor

from sk_mtl._batches import ROWS_AT_A_TIME, TaskBatches, TaskDataset
from sk_mtl._gradients import Gradients, by_hand
from sk_mtl._lbfgs import minimize
from sk_mtl._network import AlignedNetwork
from sk_mtl._processes import Batch
from sk_mtl._row_space import RowSpace
from sk_mtl._small_products import one_thread_for_numpy
from sk_mtl._training import TaskNet
from sk_mtl._vector import ParameterVector, VectorPenalty, penalty_of_the_rest

_LEAST_STIFFNESS = 1e-4  # penalties below it make no parameter move more freely
_STUCK = 1e-3  # of the gradient's size at the start: with less left, L-BFGS is as good as done
_INCURIOUS = (EpochTimer, PassthroughScoring, PrintLog)  # callbacks that see no weights
_TURN = 10  # epochs after which L-BFGS gives the turn to the next parameters

FindGradient = Callable[[list[Batch]], tuple[float, list[Tensor]]]  # the loss, and the outputs


class FullBatchNet(TaskNet):
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
        outputs: list[Tensor] = []  # of the last evaluation
        between_epochs = True

        def begin_epoch() -> None:
            nonlocal between_epochs
            between_epochs = False
            self.begin_epoch(train, valid)
            self.notify("on_batch_begin", batch=everything, training=True)
            self._set_training(True)

        begin_epoch()  # a callback may now set weights, or freeze them
        space = self._row_space(train, valid)
        network, rows = (space.network, space.rows) if space else (self.module_, train)
        chunks = list(TaskBatches(rows, ROWS_AT_A_TIME))
        named = {n: p for n, p in network.named_parameters() if p.requires_grad}
        vector = ParameterVector(list(named.values()))
        stiffness = network.stiffness()
        # In units of its prior's standard deviation each parameter matters about the same, which
        # takes L-BFGS a fraction of the iterations. An unpenalised one has a unit of 1.
        unit = _double(vector.join([stiffness.get(name, 0.0) for name in named]))
        # Next to no penalty would make it all but infinite, beside the unpenalised ones.
        unit = torch.where(unit > 0, unit.clamp(min=_LEAST_STIFFNESS), 1.0).rsqrt()
        start = _double(vector.values) / unit
        reached = {self.n_whole_: start}  # by the last whole epoch, and the one that is ending
        gtol, steepest = 0.1 * self.tol, 0.0
        find_gradient = self._by_hand(network, vector, list(named)) or self._by_autograd(vector)

        def take_back_trials() -> None:
            vector.values.copy_(reached[self.n_whole_] * unit)
            vector.release()
            if space:
                space.widen()

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

    def _row_space(self, train: TaskDataset, valid: TaskDataset | None) -> RowSpace | None:
        """What trains in the place of the network, if nobody looks at it before the end."""
        others = [callback for _, callback in self.callbacks_ if type(callback) not in _INCURIOUS]
        if valid is not None or others or not by_hand(self.module_):
            return None
        return RowSpace.of(self.module_, train)

    def _by_hand(
        self, network: AlignedNetwork, vector: ParameterVector, names: list[str]
    ) -> FindGradient | None:
        """What finds the gradient of loss and penalty over batches, if it all goes by hand."""
        if not by_hand(network):
            return None
        gradients = Gradients(network, self.criterion_)
        penalty = VectorPenalty(network, vector, names)
        share = 1 / self.total_weight_
        at_rest = penalty_of_the_rest(network, [penalty])

        @torch.no_grad()
        def find(batches: list[Batch]) -> tuple[float, list[Tensor]]:
            value, outputs = penalty.start_gradient(share) + share * at_rest, []
            with one_thread_for_numpy():
                for inputs, (to_reach, weight, task) in batches:
                    loss, output = gradients.add(inputs["rows"], task, to_reach, weight, share)
                    outputs.append(output)
                    value += loss
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


def _double(tensor: Tensor) -> Tensor:
    """Where L-BFGS works, whatever device and precision the network has."""
    return tensor.detach().to("cpu", torch.float64)
