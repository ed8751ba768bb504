"""Weight, mean and scatter of the features of many rows, and few rows that have the same."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from sk_mtl._exact import union
from sk_mtl._scaling import hardly_varies, parts
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class FeatureMoments:
    """Weight, mean and scatter of the features of each task.

    Sums are taken about the means, and parts are merged by the rule of Chan, Golub and LeVeque
    (1983), so that far-off means cost no digits.

    Attributes
    ----------
    ids : ndarray of shape (n_tasks,)
        Sorted.
    n_rows, weight : ndarray of shape (n_tasks,)
    mean : ndarray of shape (n_tasks, n_features)
    scatter : ndarray of shape (n_features, n_features) or (n_tasks, n_features, n_features)
        About the tasks' means: of all tasks together, or of each.
    """

    ids: Array
    n_rows: Array
    weight: Array
    mean: Array
    scatter: Array

    @classmethod
    def of(cls, X: Array, task: Array, weight: Array, *, by_task: bool) -> FeatureMoments:
        """The moments of rows; ``task`` holds ids."""
        found = [cls._of_part(X[p], task[p], weight[p], by_task) for p in parts(X)]
        return reduce(cls.merge, found)

    @classmethod
    def _of_part(cls, X: Array, task: Array, weight: Array, by_task: bool) -> FeatureMoments:
        ids, code, n_rows = np.unique(task, return_inverse=True, return_counts=True)
        order = np.argsort(code, kind="stable")
        X, code, weight = X[order].astype(np.float64), code[order], weight[order]
        starts = np.searchsorted(code, np.arange(len(ids)))
        total = np.add.reduceat(weight, starts)
        share = (weight / total[code])[:, None]
        mean = np.add.reduceat(X * share, starts, axis=0)
        centred = X - mean[code]
        variance = np.add.reduceat(centred**2 * share, starts, axis=0)
        off = np.add.reduceat(centred * share, starts, axis=0)
        mean = np.where(hardly_varies(variance, mean), mean + off, mean)
        rows = (X - mean[code]) * np.sqrt(weight)[:, None]
        if by_task:
            scatter = np.stack([own.T @ own for own in np.split(rows, starts[1:])])
        else:
            scatter = rows.T @ rows
        return cls(ids, n_rows, total, mean, scatter)

    def merge(self, other: FeatureMoments) -> FeatureMoments:
        """The moments of both parts' rows."""
        ids = union([self.ids, other.ids])
        mine, its = (np.searchsorted(ids, of.ids.astype(ids.dtype)) for of in (self, other))
        n_rows = np.zeros(len(ids), dtype=np.intp)
        n_rows[mine] += self.n_rows
        n_rows[its] += other.n_rows
        weight, mean = np.zeros(len(ids)), np.zeros((len(ids), self.mean.shape[1]))
        weight[mine], mean[mine] = self.weight, self.mean
        before = weight[its]
        weight[its] += other.weight
        share = other.weight / weight[its]
        off = other.mean - mean[its]
        mean[its] += share[:, None] * off
        off *= np.sqrt(before * share)[:, None]  # 0 for a task that only the other has
        if self.scatter.ndim == 2:
            scatter = self.scatter + other.scatter + off.T @ off
        else:
            scatter = np.zeros((len(ids), *self.scatter.shape[1:]))
            scatter[mine] = self.scatter
            scatter[its] += other.scatter + off[:, :, None] * off[:, None, :]
        return FeatureMoments(ids, n_rows, weight, mean, scatter)

    def as_rows(self) -> tuple[Array, Array, Array]:
        """Rows that have these moments, their task ids and their weights.

        Where the scatter is of all tasks together, it is put into the task of most weight.
        """
        heaviest = int(self.weight.argmax())
        rows, ids, weights = [], [], []
        for t in range(len(self.ids)):
            own = self.mean[t : t + 1]
            if self.scatter.ndim == 3:
                own = _points(self.mean[t], self.scatter[t] / self.weight[t])
            elif t == heaviest:
                own = _points(self.mean[t], self.scatter / self.weight[t])
            rows.append(own)
            ids.append(np.repeat(self.ids[t : t + 1], len(own)))
            weights.append(np.full(len(own), self.weight[t] / len(own)))
        return np.concatenate(rows), np.concatenate(ids), np.concatenate(weights)


def _points(mean: Array, covariance: Array) -> Array:
    """Points of equal weight with a mean and a covariance: pairs on its axes.

    The axes are those of the correlations, so that features in small units keep their digits.
    """
    deviation = np.sqrt(covariance.diagonal())
    unit = np.where(deviation > 0, deviation, 1.0)
    values, vectors = np.linalg.eigh(covariance / unit[:, None] / unit)
    kept = values > 0
    if not kept.any():
        return mean[None]
    steps = unit[:, None] * vectors[:, kept] * np.sqrt(kept.sum() * values[kept])
    steps[deviation == 0] = 0  # a constant stays one
    return np.concatenate([mean + steps.T, mean - steps.T])
