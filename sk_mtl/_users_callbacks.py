"""The user's skorch callbacks, checked for what they need."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback, GradientNormClipping, InputShapeSetter, LRScheduler

_OF_HELD_OUT_ROWS = ("valid_loss", "valid_loss_best", "valid_score", "valid_score_best")


def users_callbacks(params: dict[str, Any]) -> list[Any]:
    """The ``callbacks`` of the parameters: those that would not work are refused."""
    callbacks = list(params["callbacks"] or [])
    for callback in instances(callbacks):
        kind = callback if isinstance(callback, type) else type(callback)
        if not issubclass(kind, Callback):
            raise ValueError(
                f"callbacks holds {callback!r}, which is no skorch callback. Those of scikit-learn "
                "are set by the estimator's set_callbacks method, from scikit-learn 1.9 on."
            )
        problem = _problem(callback, kind, params)
        if problem:
            raise ValueError(f"The callback {kind.__name__} {problem}.")
    return callbacks


def instances(callbacks: list[Any] | None) -> list[Any]:
    """Callbacks without the names that some are given with."""
    return [item[1] if isinstance(item, (tuple, list)) else item for item in callbacks or []]


def _problem(callback: Any, kind: type, params: dict[str, Any]) -> str | None:
    if issubclass(kind, InputShapeSetter):
        return "has nothing to set: the network takes the shape of X by itself. Leave it out"
    if params["solver"] == "lbfgs" and issubclass(kind, (LRScheduler, GradientNormClipping)):
        return 'acts on the steps of an optimizer: "lbfgs" has none. Pass solver="adam"'
    monitor = getattr(callback, "monitor", None)
    if monitor in _OF_HELD_OUT_ROWS and not params["early_stopping"]:
        return (
            f"monitors {monitor!r}, but no rows are held out. Pass early_stopping=True, or let it "
            "monitor another value, such as 'train_loss'"
        )
    return None
