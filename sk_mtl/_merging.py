"""Estimators that have seen parts of the rows, put together."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted


def parts_to_merge(estimator: Any, others: tuple[Any, ...], state: str) -> list[Any]:
    """What an estimator is to be of: itself, if it has the attribute ``state``, and the others."""
    name = type(estimator).__name__
    for part in others:
        if not isinstance(part, type(estimator)):
            raise ValueError(f"merge takes fitted estimators of the class {name}; got {part!r}.")
        check_is_fitted(part)
    seen = [estimator, *others] if hasattr(estimator, state) else list(others)
    if not seen:
        raise ValueError(f"There is nothing to merge: pass fitted estimators of the class {name}.")
    for part in seen[1:]:
        _check_same_columns(seen[0], part)
    return seen


def take_columns(estimator: Any, other: Any) -> None:
    """Let an estimator expect the columns that another has seen."""
    for name in ("n_features_in_", "feature_names_in_", "_n_dims_in"):
        if hasattr(other, name):
            setattr(estimator, name, getattr(other, name))


def _check_same_columns(one: Any, other: Any) -> None:
    """Refuse to put together what two estimators have seen of different columns."""
    widths = [part.n_features_in_ for part in (one, other)]
    if widths[0] != widths[1]:
        raise ValueError(f"The parts have seen {widths[0]} and {widths[1]} columns of X.")
    names = [getattr(part, "feature_names_in_", None) for part in (one, other)]
    if not np.array_equal(np.asarray(names[0]), np.asarray(names[1])):
        raise ValueError(
            f"The parts have seen the columns {names[0]} and {names[1]} of X. Pass the same "
            "columns in the same order."
        )
