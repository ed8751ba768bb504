"""Multi-task learning with scikit-learn's interface."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sk_mtl._classifier import MultiTaskAlignedClassifier
    from sk_mtl._classifier_cv import MultiTaskAlignedClassifierCV
    from sk_mtl._regressor import MultiTaskAlignedRegressor
    from sk_mtl._regressor_cv import MultiTaskAlignedRegressorCV
    from sk_mtl._selective_classifier import SelectiveTransferClassifier
    from sk_mtl._selective_regressor import SelectiveTransferRegressor
    from sk_mtl._svd import SVDTaskReweighter
    from sk_mtl._transfer import AlignedTransferClassifier

__version__ = "0.1.0"
__all__ = [
    "AlignedTransferClassifier",
    "MultiTaskAlignedClassifier",
    "MultiTaskAlignedClassifierCV",
    "MultiTaskAlignedRegressor",
    "MultiTaskAlignedRegressorCV",
    "SVDTaskReweighter",
    "SelectiveTransferClassifier",
    "SelectiveTransferRegressor",
]

_HOMES = {
    "AlignedTransferClassifier": "sk_mtl._transfer",
    "MultiTaskAlignedClassifier": "sk_mtl._classifier",
    "MultiTaskAlignedClassifierCV": "sk_mtl._classifier_cv",
    "MultiTaskAlignedRegressor": "sk_mtl._regressor",
    "MultiTaskAlignedRegressorCV": "sk_mtl._regressor_cv",
    "SVDTaskReweighter": "sk_mtl._svd",
    "SelectiveTransferClassifier": "sk_mtl._selective_classifier",
    "SelectiveTransferRegressor": "sk_mtl._selective_regressor",
}


def __getattr__(name: str) -> Any:
    """Import an estimator on first use: importing the package costs next to nothing."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
