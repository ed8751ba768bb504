"""Random tasks of which one knows what they share, after the figures of the paper.

The paper is S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
Multi-Task Learning", ICLR 2020, arXiv:2005.00944.
"""

from __future__ import annotations

from sk_mtl._covariance_tasks import make_covariance_tasks
from sk_mtl._decision_boundary_tasks import make_decision_boundary_tasks
from sk_mtl._noisy_label_tasks import make_noisy_label_tasks

__all__ = ["make_covariance_tasks", "make_decision_boundary_tasks", "make_noisy_label_tasks"]
