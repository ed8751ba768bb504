"""Rows with positions: X of three and more dimensions, whose last one holds the features."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import check_array

from sk_mtl._features import refuse_enormous


def has_positions(X: Any) -> bool:
    n_dims = X.ndim if hasattr(X, "ndim") else np.ndim(X)
    return bool(n_dims > 2)


def read_positions(X: Any) -> npt.NDArray[Any]:
    """``X`` of shape (n_samples, ..., n_features), checked. A position of NaN alone is padding."""
    rows = check_array(
        X,
        dtype=[np.float64, np.float32],
        allow_nd=True,
        ensure_min_features=0,
        ensure_all_finite="allow-nan",
        input_name="X",
    )
    if 0 in rows.shape:
        raise ValueError(f"X has shape {rows.shape}: there is nothing to learn from.")
    gaps = np.isnan(rows)
    refuse_enormous(np.where(gaps, 0, rows), "X")
    padding = gaps[..., 0]
    if (gaps != padding[..., None]).any():
        raise ValueError(
            "Input X contains NaN beside numbers in one position. NaN marks padding: positions "
            "whose features are all NaN. Fill in single values."
        )
    empty = np.flatnonzero(padding.reshape(len(rows), -1).all(axis=1))
    if empty.size:
        raise ValueError(
            f"Row {empty[0]} of X consists of padding alone ({empty.size} such row(s)). Drop it."
        )
    return np.asarray(rows)
