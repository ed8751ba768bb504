"""Products of arrays that share the memory of tensors: small ones by numpy, large ones by torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

from sk_mtl._tasks import Array

_LOCK = Lock()
_HOLDERS: list[Any] = []  # the limit on numpy's threads, then an entry for each that needs it
_SMALL = 2**20  # multiplications of a product, up to which threads gain nothing


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


@contextmanager
def one_thread_for_numpy() -> Iterator[None]:
    """Hold numpy's products to one thread.

    OpenBLAS has threads of its own, beside torch's. Where small products take turns with what
    torch does, those of the one would wait for those of the other, many times longer than either
    works. Of several fits in threads of one process the first to begin holds the number, and the
    last to end gives it back.
    """
    with _LOCK:
        if not _HOLDERS:
            _HOLDERS.append(_openblas().limit(limits=1))
        _HOLDERS.append(None)
    try:
        yield
    finally:
        with _LOCK:
            _HOLDERS.pop()
            if len(_HOLDERS) == 1:
                _HOLDERS.pop().restore_original_limits()


@cache
def _openblas() -> ThreadpoolController:
    """Found once: it takes some milliseconds."""
    return ThreadpoolController().select(internal_api="openblas")
