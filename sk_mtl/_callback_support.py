"""scikit-learn's own callbacks (``set_callbacks``), which it has from version 1.9 on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

__all__ = ["CallbackSupportMixin", "fit_task"]

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:
    CallbackSupportMixin = type("CallbackSupportMixin", (), {})

if TYPE_CHECKING:
    from sk_mtl._epoch_tasks import EpochTasks


@contextmanager
def fit_task(
    estimator: Any, name: str, max_epochs: int, X: Any, y: Any, task: Any, sample_weight: Any
) -> Iterator[EpochTasks | None]:
    """Tell an estimator's callbacks when a fit begins and when it has come to its end.

    Yields
    ------
    epoch_tasks : EpochTasks or None
        The skorch callback that tells them of the epochs, if there are any to tell.
    """
    if not hasattr(estimator, "_init_callback_context"):
        yield None
        return
    metadata = {"task": task, "sample_weight": sample_weight}
    metadata = {key: value for key, value in metadata.items() if value is not None}
    data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata or None}
    fit = estimator._init_callback_context(task_name=name, max_subtasks=max_epochs)
    fit.call_on_fit_task_begin(**data)
    if hasattr(estimator, "_skl_callbacks"):
        from sk_mtl._epoch_tasks import EpochTasks

        yield EpochTasks(fit, data)
    else:
        yield None
    fit.call_on_fit_task_end(**data, reconstruction_attributes={})
