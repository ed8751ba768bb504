"""One linear map of the features for all tasks, so that one penalty serves any units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

from sk_mtl._features import refuse_minute

Floats = npt.NDArray[np.floating]

_VARIANCE_FLOOR = 0.1  # of the typical variance
_ONE_DIRECTION = 0.75  # of all variance: that of a feature with large units
_ROUNDING = 10 * np.finfo(np.float64).eps  # of a constant feature about its mean
_SPECTRUM_FLOOR = 0.1  # of the mean eigenvalue: weak directions are not shut out


@dataclass(frozen=True)
class InputScaler:
    """The map ``z = (x - mean) @ weight``, with mean squared norm of ``z`` equal to 1.

    Attributes
    ----------
    mean : ndarray of shape (n_features,)
    weight : ndarray of shape (n_features, n_features) or (n_features,)
        A vector stands for a diagonal matrix.
    """

    mean: Floats
    weight: Floats

    @classmethod
    def fit(cls, X: Floats, row_weight: Floats, kind: str | None) -> InputScaler:
        """Statistics of the rows of all tasks together.

        "standard" divides each feature by its standard deviation, with a floor. "principal"
        multiplies by the square root of the covariance in addition, so that an equal penalty on
        all weights shrinks them towards the strong directions. None leaves the features alone.

        Neither divides the outcome of a PCA, whose standard deviations say which directions are
        strong. So a PCA (of standardised features) before them changes nothing.
        """
        n_features = X.shape[-1]
        if kind is None:
            return cls(np.zeros(n_features), np.ones(n_features))
        X, _, row_weight = every_position(X, None, row_weight)
        refuse_minute(X, "X")
        share = row_weight / row_weight.sum()
        mean = sum((share[part] @ X[part] for part in parts(X)), np.zeros(n_features))
        rows = _fewer_rows(X, mean, share)
        variance = np.einsum("ij,ij->j", rows, rows)
        if hardly_varies(variance, mean).any():
            off = sum((share[part] @ (X[part] - mean) for part in parts(X)), np.zeros(n_features))
            mean = np.where(hardly_varies(variance, mean), mean + off, mean)
            rows = _fewer_rows(X, mean, share)
            variance = np.einsum("ij,ij->j", rows, rows)
        constant = variance <= (_ROUNDING * np.abs(mean)) ** 2
        rows[:, constant] = variance[constant] = 0
        deviation: Floats = np.ones(n_features)
        if not _are_principal_components(rows):
            deviation = _floored_deviation(variance)
        rows = rows / deviation
        if kind == "standard":
            weight = 1 / deviation
        else:
            root = _root_covariance(rows)
            rows = rows @ root
            weight = root / deviation[:, None]
        norm = np.linalg.norm(rows)
        return cls(mean, weight / (norm or 1.0))

    def transform(self, X: Floats) -> Floats:
        """Rows of shape (n_rows, ..., n_features), scaled; NaN stays NaN."""
        scaled = np.empty(X.shape, np.result_type(X, self.mean))
        for part in parts(X):
            centred = X[part] - self.mean
            scaled[part] = centred * self.weight if self.weight.ndim == 1 else centred @ self.weight
        return scaled

    def centre(self, X: Floats) -> Floats:
        """``x - mean``, in double precision: features may lie far off."""
        return X - self.mean

    @property
    def is_moderate(self) -> bool:
        """Whether features are far from the ends of single precision before they are scaled."""
        size = np.linalg.norm(self.weight.reshape(len(self.mean), -1), axis=1)
        return bool(((size == 0) | ((size > 1e-12) & (size < 1e12))).all())

    def after(self, other: InputScaler) -> Floats:
        """The matrix from the other's z to this one's, but for the means."""
        theirs, own = (
            scaler.weight if scaler.weight.ndim == 2 else np.diag(scaler.weight)
            for scaler in (other, self)
        )
        return np.asarray(np.linalg.pinv(theirs) @ own)


def hardly_varies(variance: Floats, mean: Floats) -> npt.NDArray[np.bool_]:
    """Whether a variance may be that of a constant about a mean that is not quite its value.

    A sum over many rows is off by more than a rounding error.
    """
    return np.asarray((variance > 0) & (variance <= (1e-8 * np.abs(mean)) ** 2))


def every_position(
    X: Floats, task: npt.NDArray[Any] | None, row_weight: Floats
) -> tuple[Floats, npt.NDArray[Any] | None, Floats]:
    """All positions of rows that have several, padding left out; each with its row's task, weight.

    Rows of two dimensions are one position each.
    """
    if X.ndim == 2:
        return X, task, row_weight
    real = ~np.isnan(X[..., 0])
    row = np.nonzero(real)[0]
    return X[real], None if task is None else task[row], row_weight[row]


def parts(X: Floats) -> list[slice]:
    """Rows that are in memory in double precision at a time."""
    size = max(8192, 8 * X.shape[-1])
    return [slice(start, start + size) for start in range(0, len(X), size)]


def _fewer_rows(X: Floats, mean: Floats, share: Floats) -> Floats:
    """Rows whose ``rows.T @ rows`` is the covariance, at most as many as there are features."""
    factor = np.empty((0, X.shape[1]))
    for part in parts(X):
        centred = (X[part] - mean) * np.sqrt(share[part])[:, None]
        factor = np.vstack([factor, centred])
        if len(factor) > X.shape[1]:
            factor = np.asarray(np.linalg.qr(factor, mode="r"))
    return factor


def _are_principal_components(rows: Floats) -> bool:
    """Whether features look like the outcome of a PCA, of these rows or of others.

    They are nearly uncorrelated, the strongest first, and not by chance. But a PCA of features in
    units of their own, which gives one direction nearly all of the variance, does not count.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
        Centred, and scaled so that ``rows.T @ rows`` is the covariance.
    """
    varying = rows[:, rows.any(axis=0)]
    n_features = varying.shape[1]
    variance = np.einsum("ij,ij->j", varying, varying)
    if n_features < 4 or variance.max() > _ONE_DIRECTION * variance.sum():
        return False
    order, by_chance = _falls(variance)
    # The stronger half has an order of its own: not so in blocks of other features each.
    if min(order, _falls(variance[: n_features // 2])[0]) < 0.75:
        return False
    scores = varying / np.sqrt(variance)
    overlap = ((scores.T @ scores) ** 2).sum() - n_features
    squared_correlation = overlap / (n_features * (n_features - 1))
    if squared_correlation < 1e-10:  # a PCA of these very rows
        return order > 1 - 1e-12
    # Other rows: ten and more differ from no correlation by 1 / n_rows, and by what they are.
    return bool(n_features > 6 and by_chance < 1e-3 and squared_correlation < 0.15)


def _falls(values: Floats) -> tuple[float, float]:
    """How far values are in descending order, 1 if they are, and the probability by chance."""
    if np.ptp(values) == 0:
        return 0.0, 1.0
    found = spearmanr(-np.arange(len(values)), values, alternative="greater")
    return float(found.statistic), float(found.pvalue)


def _floored_deviation(variance: Floats) -> Floats:
    """Standard deviations, raised for features that vary less than the others do.

    Features in one unit, as those of an encoder or the counts of words, say by their variance
    how much they matter. But they may be in units of their own as well, which must not decide:
    none is raised to more than twice its own.
    """
    varying = variance[variance > 0]
    if not varying.size:
        return np.ones_like(variance)
    # A mean, robust to features in units of their own: each counts for ten medians at most.
    typical = np.minimum(varying, 10 * np.median(varying)).mean()
    raised: Floats = np.sqrt(variance + np.minimum(_VARIANCE_FLOOR * typical, 3 * variance))
    return np.where(raised > 0, raised, 1.0)


def _root_covariance(rows: Floats) -> Floats:
    """Square root of ``rows.T @ rows`` plus a floor on its eigenvalues."""
    n_rows, n_features = rows.shape
    # Right singular vectors and squared singular values, from the smaller Gram matrix.
    if n_rows < n_features:
        values, left = np.linalg.eigh(rows @ rows.T)
        keep = values > values[-1] * n_rows * np.finfo(np.float64).eps
        values = values[keep]
        vectors = rows.T @ left[:, keep] / np.sqrt(values)
    else:
        values, vectors = np.linalg.eigh(rows.T @ rows)
        values = values.clip(0)
    n_varying = max(1, np.count_nonzero(rows.any(axis=0)))  # constant features change nothing
    floor = _SPECTRUM_FLOOR * values.sum() / n_varying
    if floor == 0:
        return np.eye(n_features)
    gain = np.sqrt(values + floor) - np.sqrt(floor)
    root: Floats = (vectors * gain) @ vectors.T + np.sqrt(floor) * np.eye(n_features)
    return root
