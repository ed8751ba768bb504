"""The private skorch nets that train an `AlignedNetwork`: by batches, or on all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import OptimizeResult, minimize
from skorch import NeuralNet
from torch import Tensor

from sk_mtl._batches import TaskDataset

Split = tuple[TaskDataset, TaskDataset | None]  # training rows, held-out rows


class _TaskNet(NeuralNet):
    """A net trained on a pair of data sets, for the data loss plus the network's penalty.

    Both are sums over all rows, and are minimised and reported per unit of weight.
    """

    def get_split_datasets(self, X: Split, y: None = None, **fit_params: Any) -> Split:
        return X

    def get_loss(self, y_pred: Tensor, y_true: Any, X: Any = None, training: bool = False) -> Any:
        loss = self.criterion_(y_pred, y_true)
        if not training:
            return loss / y_true[1].sum()
        # A batch stands for all rows: its own mean, and the penalty's share.
        data = loss * self.n_rows_ / len(y_pred)
        return (data + self.module_.penalty()) / self.total_weight_

    def fit_loop(
        self, X: Split, y: None = None, epochs: int | None = None, **fit_params: Any
    ) -> Any:
        train, valid = self.get_split_datasets(X)
        self.n_rows_ = len(train)
        self.total_weight_ = float(train.weight.sum(dtype=torch.float64))
        self.converged_ = False
        try:
            self.train_on(train, valid, self.max_epochs if epochs is None else epochs)
        finally:
            # An epoch that an interrupt, or the end of L-BFGS, has cut short.
            if len(self.history) and "train_loss" not in self.history[-1]:
                self.history.pop()
        return self

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
        for _ in range(epochs):
            self.notify("on_epoch_begin", **datasets)
            self.run_single_epoch(batches, training=True, prefix="train", step_fn=self.train_step)
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
        datasets = {"dataset_train": train, "dataset_valid": valid}
        batches = list(self.get_iterator(train, training=True))
        stiffness = self.module_.stiffness()
        named = [(n, p) for n, p in self.module_.named_parameters() if p.requires_grad]
        parameters = [p for _, p in named]
        # In units of its prior's standard deviation each parameter matters about the same, which
        # takes L-BFGS a fraction of the iterations. An unpenalised one has a unit of 1.
        unit = _read([torch.zeros_like(p) + stiffness[name] for name, p in named])
        unit = 1 / np.sqrt(np.where(unit > 0, unit, 1.0))
        accepted = _read(parameters) / unit

        def objective(flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
            _write(flat * unit, parameters)
            self.module_.zero_grad(set_to_none=True)
            value = 0.0
            for inputs, target in batches:
                loss = self.criterion_(self.infer(inputs), target) / self.total_weight_
                loss.backward()
                value += loss.item()
            penalty = self.module_.penalty() / self.total_weight_
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
            self.converged_ = result.status != 1  # 1: too many iterations
            if result.nit == 0:  # the start is the optimum, or not finite
                end_epoch(result)
        finally:
            _write(accepted * unit, parameters)  # trial steps are taken back


def _gradient(parameter: Tensor) -> Tensor:
    return torch.zeros_like(parameter) if parameter.grad is None else parameter.grad


def _read(tensors: list[Tensor]) -> npt.NDArray[np.float64]:
    flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
    return flat.to("cpu", torch.float64).numpy()


def _write(flat: npt.NDArray[np.float64], parameters: list[Tensor]) -> None:
    position = 0
    with torch.no_grad():
        for parameter in parameters:
            stop = position + parameter.numel()
            parameter.copy_(torch.from_numpy(flat[position:stop]).view_as(parameter))
            position = stop
