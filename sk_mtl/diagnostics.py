"""When do tasks help each other? Measures of the tasks, and of what sharing does to them."""

from __future__ import annotations

from sk_mtl._similarity import (
    alignment_similarity,
    covariance_similarity,
    task_direction_similarity,
)

__all__ = ["alignment_similarity", "covariance_similarity", "task_direction_similarity"]
