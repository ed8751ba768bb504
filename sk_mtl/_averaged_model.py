"""Averages of linear models, fitted: what they predict."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from sk_mtl._feature_maps import FeatureMap
from sk_mtl._plan import HeadPlan
from sk_mtl._tasks import Array

_ROWS_AT_A_TIME = 4096


@dataclass(frozen=True)
class AveragedOutput:
    """What predicts one output column of a family of tasks.

    Attributes
    ----------
    tasks : ndarray of shape (n_tasks,)
        Codes of the tasks.
    column : int
    feature_map : ndarray of shape (n_members,)
        Numbers of the members' maps.
    share : ndarray of shape (n_members,)
        Their weights in the average, with a sum of 1.
    coefficients : list of ndarray of shape (n_tasks, n_mapped_features + 1)
        The members' weights, and their biases last.
    strength, sharing : float
        The penalty, and the share of the weights that is common, of the best member in the first
        map.
    """

    tasks: Array
    column: int
    feature_map: Array
    share: Array
    coefficients: list[Array]
    strength: float
    sharing: float


@dataclass(frozen=True)
class AveragedModel:
    """The averages for all output columns.

    Attributes
    ----------
    maps : list of FeatureMap
    outputs : list of AveragedOutput
    plan : HeadPlan
    logistic : bool
    """

    maps: list[FeatureMap]
    outputs: list[AveragedOutput]
    plan: HeadPlan
    logistic: bool

    @np.errstate(over="ignore", invalid="ignore")  # told by the error below
    def predict(self, X: Array, task: Array | None) -> Array:
        """Probabilities of the output columns, or values.

        Parameters
        ----------
        X : ndarray of shape (n_rows, n_features)
        task : ndarray of shape (n_rows,) or None
            Codes; None asks for all tasks.

        Returns
        -------
        ndarray of shape (n_rows, n_columns) or (n_rows, n_tasks, n_columns)
            A single column of log-odds gives two probabilities.

        Raises
        ------
        ValueError
            If the outcome is not finite.
        """
        parts = [
            self._of_rows(X[rows], None if task is None else task[rows])
            for start in range(0, len(X), _ROWS_AT_A_TIME)
            for rows in [slice(start, start + _ROWS_AT_A_TIME)]
        ]
        said = np.concatenate(parts)
        if not np.isfinite(said).all():
            raise ValueError("X holds values too large: the outcome is not finite. Scale X.")
        return said

    def _of_rows(self, X: Array, task: Array | None) -> Array:
        n_tasks, n_columns = self.plan.is_open.shape
        if self.logistic:
            n_columns = max(n_columns, 2)
        of_task = (n_tasks,) if task is None else ()
        out = np.zeros((len(X), *of_task, n_columns))
        used = {int(number) for output in self.outputs for number in output.feature_map}
        mapped = {number: self.maps[number].transform(X, task) for number in used}
        for output in self.outputs:
            rows = None if task is None else np.flatnonzero(np.isin(task, output.tasks))
            own = None if task is None else np.searchsorted(output.tasks, task[rows])
            total = 0.0
            for number, share, weights in zip(
                output.feature_map, output.share, output.coefficients, strict=True
            ):
                z = mapped[int(number)]
                said = _apply(z if rows is None else z[rows], own, weights)
                total = total + share * (expit(said) if self.logistic else said)
            if rows is None:
                out[:, output.tasks, output.column] = total
            else:
                out[rows, output.column] = total
        return complete(out, self.plan, task) if self.logistic else out


def _apply(z: Array, task: Array | None, weights: Array) -> Array:
    """Linear outputs of each row's own task, or of all."""
    if task is None:
        return np.asarray(z @ weights[:, :-1].T + weights[:, -1])
    out = np.empty(len(z))
    for t in np.unique(task):
        own = task == t
        out[own] = z[own] @ weights[t, :-1] + weights[t, -1]
    return out


def complete(probability: Array, plan: HeadPlan, task: Array | None) -> Array:
    """Give the rest to first columns without weights, and the others a sum of 1."""
    sizes = np.array([len(labels) for labels in plan.members])[plan.family]
    binary = sizes <= 2 if task is None else sizes[task] <= 2
    out = probability.copy()
    out[..., 0] = np.where(binary, 1 - probability[..., 1:].sum(axis=-1), probability[..., 0])
    total = out.sum(axis=-1, keepdims=True)
    return np.asarray(out / np.where(total > 0, total, 1.0))
