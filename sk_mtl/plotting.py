"""Pictures of what tasks have in common and of what sharing does to them, with matplotlib."""

from __future__ import annotations

from sk_mtl._plot_capacity import CapacityDisplay
from sk_mtl._plot_learning import TaskLearningCurveDisplay
from sk_mtl._plot_similarity import CovarianceSimilarityDisplay
from sk_mtl._plot_transfer import TransferDisplay
from sk_mtl._plot_weights import TaskWeightDisplay

__all__ = [
    "CapacityDisplay",
    "CovarianceSimilarityDisplay",
    "TaskLearningCurveDisplay",
    "TaskWeightDisplay",
    "TransferDisplay",
]
