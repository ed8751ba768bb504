"""The weights that a user gives rows and tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.utils.validation import _check_sample_weight

HEAVIEST, LIGHTEST = 1e100, 1e-100  # what weights may add up to: losses are multiplied by them


def read_sample_weight(sample_weight: Any, X: Any) -> npt.NDArray[np.float64]:
    """One weight of 0 or more for each row, of which some count."""
    advice = "Pass sample_weight as one finite number of 0 or more for each row."
    try:
        weight = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{str(error).rstrip('.! ')}. {advice}") from error
    if not weight.any():
        raise ValueError("sample_weight is zero for every row: nothing is left to fit.")
    if not adds_up(weight):
        raise ValueError(
            f"sample_weight holds values up to {weight.max():.3g}. Divide it by its mean: the "
            "penalties are on the scale of weights around 1."
        )
    return np.asarray(weight)


def adds_up(weight: npt.NDArray[np.float64]) -> bool:
    """Whether weights have a sum that losses can be multiplied by."""
    with np.errstate(over="ignore"):
        return bool(LIGHTEST <= weight.sum() <= HEAVIEST)
