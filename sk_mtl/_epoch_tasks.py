"""Tells scikit-learn's callbacks of every epoch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from skorch.callbacks import Callback


class EpochTasks(Callback):
    """A skorch callback that makes every epoch a subtask of a fit.

    Parameters
    ----------
    fit : sklearn.callback.CallbackContext
        The fit.
    data : dict
        What scikit-learn's callbacks are told of it: the estimator, X, y and metadata.
    """

    def __init__(self, fit: Any, data: dict[str, Any]) -> None:
        self.fit, self.data = fit, data
        self.epoch: Any = None

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.epochs_before = len(net.history)

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if self.epoch is None:  # or else the last one came to nothing, and begins anew
            self.epoch = self.fit.subcontext(task_name="epoch")
            self.epoch.call_on_fit_task_begin(
                **self.data, reconstruction_attributes=lambda: self._fitted_so_far(net)
            )

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        epoch, self.epoch = self.epoch, None
        asked_to_stop = epoch.call_on_fit_task_end(
            **self.data, reconstruction_attributes=lambda: self._fitted_so_far(net)
        )
        if asked_to_stop:
            raise KeyboardInterrupt

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        if self.epoch is not None:
            self.epoch.call_on_fit_task_end(estimator=self.data["estimator"])

    def _fitted_so_far(self, net: Any) -> dict[str, Any]:
        """What makes the estimator one that is fitted, and stays what it is now."""
        still = object.__new__(type(net))
        vars(still).update(vars(net), module_=deepcopy(net.module_), callbacks_=[], reader_=None)
        return {"net_": still, "n_iter_": len(net.history) - self.epochs_before}
