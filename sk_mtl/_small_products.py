"""Products of arrays that share the memory of tensors: small ones by numpy, large ones by torch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from sk_mtl._tasks import Array

_SMALL = 2**23  # multiplications of a product, up to which threads gain little


def product(left: Array, right: Array) -> Array:
    """``left @ right``."""
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
    return left.size * int(right.shape[1]) <= _SMALL


def one_thread_for_numpy() -> AbstractContextManager[Any]:
    """Hold numpy's products to one thread.

    OpenBLAS has threads of its own, beside torch's. Where small products take turns with what
    torch does, those of the one would wait for those of the other, many times longer than either
    works.
    """
    limit: AbstractContextManager[Any] = _openblas().limit(limits=1)
    return limit


@cache
def _openblas() -> ThreadpoolController:
    """Found once: it takes some milliseconds."""
    return ThreadpoolController().select(internal_api="openblas")
