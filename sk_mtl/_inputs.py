"""What a user passes to fit: features, task ids, columns of y and weights, checked together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from sk_mtl._labels import read_columns
from sk_mtl._tasks import Array, Route, read_features
from sk_mtl._weights import read_sample_weight


@dataclass(frozen=True)
class Inputs:
    """Rows of positive weight.

    Attributes
    ----------
    features : ndarray of shape (n_rows, ..., n_features)
    ids : ndarray of shape (n_rows,) or None
        Task ids.
    route : {"none", "column", "keyword"}
        How the rows name their tasks.
    columns : list of ndarray of shape (n_rows,)
        The columns of ``y``.
    names : ndarray or None
        The columns' names, if ``y`` is wide.
    named : bool
        Whether ``y`` brought these names.
    weight : ndarray of shape (n_rows,)
    """

    features: Array
    ids: Array | None
    route: Route
    columns: list[Array]
    names: Array | None
    named: bool
    weight: Array

    def take(self, rows: Array) -> Inputs:
        return replace(
            self,
            features=self.features[rows],
            ids=None if self.ids is None else self.ids[rows],
            columns=[column[rows] for column in self.columns],
            weight=self.weight[rows],
        )


def read_inputs(
    estimator: Any, X: Any, y: Any, task: Any, sample_weight: Any, *, reset: bool
) -> Inputs:
    """Check what came from the user, of itself and for consistent lengths."""
    features, ids, route = read_features(
        estimator,
        X,
        task,
        task_column=estimator.task_column,
        reset=reset,
        accept_positions=estimator._accepts_positions,
    )
    columns, names = read_columns(y, len(features))
    weight = read_sample_weight(sample_weight, features)
    named = names is not None and hasattr(y, "columns")
    inputs = Inputs(features, ids, route, columns, names, named, weight)
    return inputs if weight.all() else inputs.take(weight > 0)
