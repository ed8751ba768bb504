"""Log-likelihoods of held-out targets, entry by entry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sk_mtl._tasks import Array

LEAST = 1e-6  # probability that a model is taken to give to any label


def of_classes(probability: Array, column: Array, weight: Array) -> Array:
    """Of the columns that are the entries' classes, from probabilities of all columns."""
    given = np.take_along_axis(probability, column[:, None].astype(np.intp), axis=1)[:, 0]
    return np.asarray(np.log(np.maximum(given, LEAST)))


def of_values(predicted: Array, value: Array, weight: Array) -> Array:
    """Of values that are normal about the predicted ones, of the variance that suits them best."""
    squares = (predicted[:, 0] - value) ** 2
    variance = np.average(squares, weights=weight) + np.finfo(np.float64).tiny
    return np.asarray(-0.5 * (np.log(variance) + squares / variance))


LOG_LIKELIHOODS: dict[str, Callable[[Array, Array, Array], Array]] = {
    "cross_entropy": of_classes,
    "squared_error": of_values,
}
"""By the losses that they belong to."""
