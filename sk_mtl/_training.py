"""The private skorch nets that train an `AlignedNetwork`: by batches, or on all rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import OptimizeResult, minimize
from skorch import NeuralNet
from torch import Tensor

from sk_mtl._batches import TaskDataset
from sk_mtl._losses import Target
from sk_mtl._schedule import Stage

_TURN = 10  # epochs after which L-BFGS gives the turn to the next parameters

Split = tuple[TaskDataset, TaskDataset | None]  # training rows, held-out rows


class _TaskNet(NeuralNet):
    """A net trained on a pair of data sets, for the data loss plus the network's penalty.

    Both are sums over all rows, and are minimised and reported per unit of weight.
    """

    def train_stage(self, split: Split, stage: Stage) -> None:
        """Train further, as far as the stage goes."""
        self.turns_ = stage.turns
        self.resting_: tuple[str, ...] = ()
        self.interrupted_ = False
        self.partial_fit(split, epochs=stage.epochs)

    @contextmanager
    def turn(self, number: int) -> Iterator[list[tuple[str, torch.nn.Parameter]]]:
        """Hold still what the turn does not train; gives what it does train, by name."""
        self.resting_ = self.turns_[number % len(self.turns_)]
        trained = [(n, p) for n, p in self.module_.named_parameters() if p.requires_grad]
        held = [parameter for name, parameter in trained if name.startswith(self.resting_)]
        for parameter in held:
            parameter.requires_grad_(False)
            parameter.grad = None
        try:
            yield [(name, parameter) for name, parameter in trained if parameter.requires_grad]
        finally:
            self.resting_ = ()
            for parameter in held:
                parameter.requires_grad_(True)

    def _set_training(self, training: bool = True) -> None:
        """As skorch, but a B that holds still makes what it makes in prediction."""
        super()._set_training(training)
        if "shared." in self.resting_:
            self.module_.shared.eval()

    def get_split_datasets(self, X: Split, y: None = None, **fit_params: Any) -> Split:
        return X

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

    def fit_loop(
        self, X: Split, y: None = None, epochs: int | None = None, **fit_params: Any
    ) -> Any:
        train, valid = self.get_split_datasets(X)
        self.n_rows_ = len(train)
        self.total_weight_ = float(train.weight.sum(dtype=torch.float64))
        self.converged_ = False
        try:
            self.train_on(train, valid, self.max_epochs if epochs is None else epochs)
        except KeyboardInterrupt:  # skorch takes it from here: it ends the training
            self.interrupted_ = not self.out_of_patience
            raise
        finally:
            self._drop_unfinished_epoch()
        return self

    @property
    def out_of_patience(self) -> bool:
        """Whether it is the estimator's own rule that has ended the training."""
        stopping = dict(self.callbacks_)["_stopping"]
        return bool(stopping.misses_ >= stopping.patience)

    def _drop_unfinished_epoch(self) -> None:
        """Forget an epoch that an interrupt, or the end of L-BFGS, has cut short."""
        if len(self.history) and "train_loss" not in self.history[-1]:
            self.history.pop()

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> None:
        raise NotImplementedError

    def validate(self, valid: TaskDataset | None) -> None:
        """Record the loss on the held-out rows."""
        if valid is not None:
            self.run_single_epoch(
                self.get_iterator(valid, training=False),
                training=False,
                prefix="valid",
                step_fn=self.validation_step,
            )


class MiniBatchNet(_TaskNet):
    """Trains by an optimizer of torch, on batches."""

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> None:
        batches = self.get_iterator(train, training=True)
        datasets = {"dataset_train": train, "dataset_valid": valid}
        for epoch in range(epochs):
            self.notify("on_epoch_begin", **datasets)
            with self.turn(epoch):
                self.run_single_epoch(
                    batches, training=True, prefix="train", step_fn=self.train_step
                )
            self.validate(valid)
            self.notify("on_epoch_end", **datasets)


class FullBatchNet(_TaskNet):
    """Trains by scipy's L-BFGS-B on all rows; one of its iterations counts as one epoch.

    Parameters
    ----------
    tol : float
        Training ends once no entry of the gradient is larger than a tenth of it, in the units of
        ``train_on``.
    """

    def __init__(self, *args: Any, tol: float = 1e-4, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tol = tol

    def train_on(self, train: TaskDataset, valid: TaskDataset | None, epochs: int) -> None:
        if len(self.turns_) == 1:
            with self.turn(0) as trained:
                self.converged_ = self.minimize(trained, train, valid, epochs)[0]
            return
        at_rest = number = 0  # turns in a row that had nothing left to do
        while epochs > 0 and not self.converged_:
            with self.turn(number) as trained:
                ended, taken = self.minimize(trained, train, valid, min(epochs, _TURN))
            at_rest = at_rest + 1 if ended and taken == 1 else 0
            self.converged_ = at_rest == len(self.turns_)
            number, epochs = number + 1, epochs - taken

    def minimize(
        self,
        named: list[tuple[str, torch.nn.Parameter]],
        train: TaskDataset,
        valid: TaskDataset | None,
        epochs: int,
    ) -> tuple[bool, int]:
        """Minimise over some parameters; tell whether it ended by itself, and its epochs."""
        datasets = {"dataset_train": train, "dataset_valid": valid}
        batches = list(self.get_iterator(train, training=True))
        stiffness = self.module_.stiffness()
        parameters = [parameter for _, parameter in named]
        # In units of its prior's standard deviation each parameter matters about the same, which
        # takes L-BFGS a fraction of the iterations. An unpenalised one has a unit of 1.
        unit = _read([torch.zeros_like(p) + stiffness.get(name, 0.0) for name, p in named])
        unit = 1 / np.sqrt(np.where(unit > 0, unit, 1.0))
        accepted = _read(parameters) / unit

        def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            _write(flat * unit, parameters)
            self.module_.zero_grad(set_to_none=True)
            value = 0.0
            for inputs, target in batches:
                loss: Any = self.data_loss(self.infer(inputs), target) / self.total_weight_
                loss.backward()
                value += loss.item()
            penalty = self.module_.penalty() / self.total_weight_
            if penalty.requires_grad:
                penalty.backward()
            return value + penalty.item(), unit * _read([_gradient(p) for p in parameters])

        def end_epoch(intermediate_result: OptimizeResult) -> None:
            nonlocal accepted
            accepted = intermediate_result.x.copy()
            _write(accepted * unit, parameters)
            self.history.record_batch("train_loss", float(intermediate_result.fun))
            self.history.record_batch("train_batch_size", len(train))
            self.validate(valid)
            self.notify("on_epoch_end", **datasets)
            begin_epoch()

        def begin_epoch() -> None:
            self.notify("on_epoch_begin", **datasets)
            self.history.new_batch()
            self._set_training(True)

        begin_epoch()
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
            _write(accepted * unit, parameters)  # trial steps are taken back
            self._drop_unfinished_epoch()
        return result.status != 1, max(1, result.nit)  # 1: too many iterations


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _read(tensors: Sequence[Tensor]) -> npt.NDArray[np.float64]:
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    return flat.to("cpu", torch.float64).numpy()


def _write(flat: npt.NDArray[np.float64], parameters: Sequence[Tensor]) -> None:
    position = 0
    with torch.no_grad():
        for parameter in parameters:
            stop = position + parameter.numel()
            parameter.copy_(torch.from_numpy(flat[position:stop]).view_as(parameter))
            position = stop
