"""Folds that a user names by row numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[Any]


def named_folds(pairs: Iterable[Any], n_rows: int) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of arrays of row numbers, to train on and to hold out, checked."""
    for train, test in pairs:
        yield _numbers(train, n_rows), _numbers(test, n_rows)


def _numbers(rows: Any, n_rows: int) -> Rows:
    numbers: Rows = np.asarray(rows)
    if not numbers.size:
        return np.empty(0, dtype=np.intp)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
        raise ValueError(f"cv holds {numbers!r}. Pass pairs of lists of row numbers.")
    strangers = numbers[(numbers < 0) | (numbers >= n_rows)]
    if strangers.size:
        raise ValueError(f"cv names row {strangers[0]}; X has the rows 0 to {n_rows - 1}.")
    return numbers
