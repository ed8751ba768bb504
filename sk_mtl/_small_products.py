"""Products of arrays that share the memory of tensors, by numpy or by torch."""

from __future__ import annotations

import numpy as np
import torch

from sk_mtl._tasks import Array

# Multiplications of a product up to which OpenBLAS takes one thread.
_SMALL, _SMALL_OF_VECTOR = 2**18, 2**13


def product(left: Array, right: Array) -> Array:
    """``left @ right``. Large ones are torch's.

    They wake threads, and those of numpy's BLAS would wait for torch's, and torch's for them.
    """
    if _is_small(left, right):
        return np.asarray(left @ right)
    return torch.mm(torch.from_numpy(left), torch.from_numpy(right)).numpy()


def add_product(out: Array, left: Array, right: Array) -> None:
    """Add ``left @ right`` to ``out``."""
    if _is_small(left, right):
        np.add(out, left @ right, out=out)
    else:
        torch.from_numpy(out).addmm_(torch.from_numpy(left), torch.from_numpy(right))


def _is_small(left: Array, right: Array) -> bool:
    """Whether numpy's BLAS takes one thread for a product."""
    n_rows, n_columns = len(left), int(right.shape[1])
    return left.size * n_columns <= (_SMALL if n_rows > 1 < n_columns else _SMALL_OF_VECTOR)
