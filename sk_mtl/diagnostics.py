"""When do tasks help each other? Measures of the tasks, and of what sharing does to them."""

from __future__ import annotations

from sk_mtl._capacity import CapacityCurve, capacity_curve
from sk_mtl._grouping import group_tasks
from sk_mtl._report import TransferReport, transfer_report
from sk_mtl._similarity import (
    alignment_similarity,
    covariance_similarity,
    task_direction_similarity,
)
from sk_mtl._similarity_in_parts import CovarianceSimilarity
from sk_mtl._transfer_matrix import TransferMatrix, transfer_matrix

__all__ = [
    "CapacityCurve",
    "CovarianceSimilarity",
    "TransferMatrix",
    "TransferReport",
    "alignment_similarity",
    "capacity_curve",
    "covariance_similarity",
    "group_tasks",
    "task_direction_similarity",
    "transfer_matrix",
    "transfer_report",
]
