"""Numbers of several arrays put together with all of their digits.

numpy joins int64 with uint64, and either with floats, as float64, where integers beyond 2**53 run
together: ids of tasks and labels would be lost without a word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

EXACT = 2.0**53  # float64 holds all whole numbers up to it


def joined(arrays: Sequence[Array]) -> Array:
    """Arrays one after the other, in their `exact_type`."""
    return np.concatenate(arrays, dtype=exact_type(arrays), casting="unsafe")


def union(arrays: Sequence[Array]) -> Array:
    """Sorted distinct values of arrays, in their `exact_type`."""
    return np.unique(joined(arrays))


def exact_type(arrays: Sequence[Array]) -> Any:
    """The type in which numpy joins arrays; if that costs integers their digits, one that holds
    them all, and object if there is none."""
    usual = np.result_type(*arrays)
    kinds = {array.dtype.kind for array in arrays}
    if usual.kind != "f" or kinds.isdisjoint("iu"):
        return usual
    return _first_that_holds(arrays, [usual] if "f" in kinds else [])


def of_objects(values: Array) -> Array:
    """Objects that are all of one kind, numbers say, as an array of a plain type.

    Integers that no such type holds stay objects.
    """
    usual = np.asarray(values.tolist())
    integral = np.array([isinstance(value, (int, np.integer)) for value in values], dtype=bool)
    floats = usual[~integral]
    if usual.dtype.kind != "f" or not integral.any() or not _are_whole(floats):
        return usual
    found = _first_that_holds([floats, values[integral]], [usual.dtype] if len(floats) else [])
    return np.array(values.tolist(), dtype=found)


def _first_that_holds(arrays: Sequence[Array], usual: list[Any]) -> Any:
    kinds = [*usual, np.dtype(np.int64), np.dtype(np.uint64)]
    return next((kind for kind in kinds if all(_holds(kind, one) for one in arrays)), object)


def _holds(kind: Any, array: Array) -> bool:
    """Whether a type has all numbers of an array: of floats, or of integers, if need be objects."""
    floats = array.dtype.kind == "f"
    if not array.size or array.dtype.kind == "b" or (floats and kind.kind == "f"):
        return True
    if floats and not _are_whole(array):
        return False
    ends = (-EXACT, EXACT) if kind.kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    return bool(ends[0] <= int(array.min()) and int(array.max()) <= ends[1])


def _are_whole(values: Array) -> bool:
    return bool((np.isfinite(values) & (values == np.rint(values))).all())
