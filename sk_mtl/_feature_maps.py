"""Maps of the features in which a linear model is looked for, some with a part for each task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array


@dataclass(frozen=True)
class FeatureMap:
    """Scaling, alignment, scaling of what is aligned, kernel, rotation: those that there are.

    Attributes
    ----------
    scaler : InputScaler
    centre, alignment : ndarray of shape (n_tasks, n_features) or None
        Where a task's rows lie, and the diagonals of the R_i, if tasks are aligned.
    rescaler : InputScaler or None
        Of aligned rows.
    landmarks : ndarray of shape (n_landmarks, n_features) or None
        Rows that others are compared with by `relu_kernel`.
    rotation : ndarray of shape (n_inputs, n_outputs) or None
        To the subspace of the training rows.
    """

    scaler: InputScaler
    centre: Array | None = None
    alignment: Array | None = None
    rescaler: InputScaler | None = None
    landmarks: Array | None = None
    rotation: Array | None = None

    def transform(self, X: Array, task: Array | None) -> Array:
        """Rows of shape (n_rows, n_outputs)."""
        z = self.scaler.transform(np.asarray(X, dtype=np.float64))
        if self.centre is not None:
            assert self.alignment is not None
            assert self.rescaler is not None
            assert task is not None
            z = self.rescaler.transform((z - self.centre[task]) * self.alignment[task])
        if self.landmarks is not None:
            z = relu_kernel(z, self.landmarks)
        return z if self.rotation is None else z @ self.rotation


def relu_kernel(rows: Array, others: Array) -> Array:
    """Covariance of the outputs of an infinitely wide layer of rectified linear units.

    The arc-cosine kernel of order 1 (Cho and Saul 2009) of rows with a bias of 1, scaled so that
    rows of the typical norm have about the variance that they have in a linear model.
    """
    norm, other_norm = (np.sqrt(1 + np.einsum("ij,ij->i", z, z)) for z in (rows, others))
    cosine = (1 + rows @ others.T) / np.outer(norm, other_norm)
    angle = np.arccos(cosine.clip(-1, 1))
    kernel = np.sin(angle) + (np.pi - angle) * cosine
    return np.asarray(np.outer(norm, other_norm) * kernel / np.pi)


def principal(X: Array, task: Array | None, weight: Array, n_tasks: int) -> FeatureMap:
    """Weights shrink towards the strong directions of all tasks' features together."""
    return _compressed(FeatureMap(InputScaler.fit(X, weight, "principal")), X, task, n_tasks)


def standard(X: Array, task: Array | None, weight: Array, n_tasks: int) -> FeatureMap:
    """Every feature counts the same: for units of their own."""
    return _compressed(FeatureMap(InputScaler.fit(X, weight, "standard")), X, task, n_tasks)


def relu(X: Array, task: Array | None, weight: Array, n_tasks: int) -> FeatureMap:
    """Hidden units without number, for what is not linear."""
    scaler = InputScaler.fit(X, weight, "standard")
    z = scaler.transform(np.asarray(X, dtype=np.float64))
    chosen = np.linspace(0, len(z) - 1, min(len(z), _most_features(n_tasks))).astype(int)
    landmarks = z[chosen]
    values, vectors = np.linalg.eigh(relu_kernel(landmarks, landmarks))
    keep = values > 1e-9 * values[-1]
    rotation = vectors[:, keep] / np.sqrt(values[keep])
    return FeatureMap(scaler, landmarks=landmarks, rotation=rotation)


def rescaled(X: Array, task: Array | None, weight: Array, n_tasks: int) -> FeatureMap | None:
    """Each task's features moved and scaled to those of all, as far as its rows show its own.

    Empirical Bayes: of the logarithms of the deviations, and of the means, what they vary between
    tasks beyond the noise of few rows is a task's own.
    """
    if task is None or n_tasks < 2:
        return None
    scaler = InputScaler.fit(X, weight, "standard")
    z = scaler.transform(np.asarray(X, dtype=np.float64))
    total = np.bincount(task, weights=weight, minlength=n_tasks)
    mean, variance, fourth = np.zeros((3, n_tasks, z.shape[1]))
    for t in np.flatnonzero(total):
        share = weight[task == t] / total[t]
        mean[t] = share @ z[task == t]
        squares = (z[task == t] - mean[t]) ** 2
        variance[t], fourth[t] = share @ squares, share @ squares**2
    varies = variance > 1e-12
    log_deviation = 0.5 * np.log(np.where(varies, variance, 1.0))
    level = log_deviation.sum(axis=0) / np.maximum(varies.sum(axis=0), 1)
    off = np.where(varies, log_deviation - level, 0.0)
    # Where few rows are far from 0, as of counts of rare words, they tell little of a deviation.
    kurtosis = (total @ fourth) / np.maximum(total @ variance**2, 1e-30)
    tail = np.maximum(kurtosis - 1, 1.0) / 4
    own = _own_share(off**2, tail / np.maximum(total - 1, 0.5)[:, None], varies)
    log_scale = own * off
    middle = np.average(mean, weights=np.minimum(total, 1), axis=0)
    unit = np.exp(level + log_scale)
    sampling = np.broadcast_to(1 / np.maximum(total, 1)[:, None], mean.shape)
    own = _own_share(((mean - middle) / unit) ** 2, sampling, varies) * (total > 0)[:, None]
    centre = middle + own * (mean - middle)
    alignment = np.exp(-log_scale)
    aligned = (z - centre[task]) * alignment[task]
    rescaler = InputScaler.fit(aligned, weight, "principal")
    return _compressed(FeatureMap(scaler, centre, alignment, rescaler), X, task, n_tasks)


def _own_share(squares: Array, sampling: Array, known: Array) -> Array:
    """How much of a task's difference from the others is its own, not the noise of few rows."""
    if not known.any():
        return np.zeros_like(squares)
    between = max(0.0, float(np.mean((squares - sampling)[known])))
    return np.asarray(between / (between + sampling))


def _most_features(n_tasks: int) -> int:
    """Size of the matrices that a solver inverts, one for each task, at a bearable price."""
    return int(np.clip((2e9 / n_tasks) ** (1 / 3), 128, 512))


def _compressed(unrotated: FeatureMap, X: Array, task: Array | None, n_tasks: int) -> FeatureMap:
    """The map into the subspace of the training rows, or its strongest directions."""
    z = unrotated.transform(X, task)
    most = _most_features(n_tasks)
    if z.shape[1] <= min(len(z), most):
        return unrotated
    if len(z) < z.shape[1]:
        values, left = np.linalg.eigh(z @ z.T)
        keep = values > 1e-10 * values[-1]
        axes = z.T @ (left[:, keep] / np.sqrt(values[keep]))
    else:
        axes = np.linalg.eigh(z.T @ z)[1]
    return replace(unrotated, rotation=axes[:, : -most - 1 : -1].copy())


Maker = Callable[[Array, Array | None, Array, int], FeatureMap | None]

CANDIDATES: tuple[tuple[Maker, float], ...] = (
    (principal, 0.87),
    (relu, 0.07),
    (standard, 0.06),
    (rescaled, 0.002),
)
"""The maps that are tried, with prior probabilities; the first is the default estimator's."""
