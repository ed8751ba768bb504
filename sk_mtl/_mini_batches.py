"""Training by an optimizer of torch, on batches."""

from __future__ import annotations

from typing import Any

import torch
from skorch.callbacks import Callback, EpochScoring

from sk_mtl._batches import TaskBatches, TaskDataset
from sk_mtl._processes import Processes
from sk_mtl._schedule import End
from sk_mtl._small_products import one_thread_for_numpy
from sk_mtl._steps import Steps, can_step
from sk_mtl._training import TaskNet


class MiniBatchNet(TaskNet):
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
                        with one_thread_for_numpy():
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
        n_batches, share = len(batches), 1 / self.total_weight_
        for number, batch in enumerate(batches, start=1):
            told.append({})
            self.tell(begin, "on_batch_begin", batch=batch, training=True)
            inputs, target = batch
            n_rows = inputs["rows"].shape[0]
            scale = self.n_rows_ / n_rows * share
            with torch.no_grad():
                loss, outputs = steps.gradient(inputs, target, scale, share)
                if self.processes_.several:
                    of_all = torch.tensor(loss, dtype=outputs.dtype)
                    self.processes_.average([*(v.gradient for v in steps.vectors), of_all])
                    loss = of_all.item()
                for callback in graded:
                    named = self.module_.named_parameters()  # can be gone through once
                    seen = {"named_parameters": named, "batch": batch, "training": True}
                    self.tell([callback], "on_grad_computed", **seen)
                (step if number < n_batches else self.optimizer_.step)()
            told[-1] |= {"train_loss": loss, "train_batch_size": n_rows}
            if end:
                outcome = {"batch": batch, "training": True, "y_pred": outputs}
                outcome["loss"] = torch.tensor(loss, dtype=outputs.dtype)
                self.tell(end, "on_batch_end", **outcome)
        self.history.record("train_batch_count", n_batches)

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
