"""Priors on the biases of the heads, from the class counts: a bias only where they prove one."""

from __future__ import annotations

import numpy as np

from sk_mtl._plan import HeadPlan
from sk_mtl._tasks import Array

_LEAST_VARIANCE = 0.005


def bias_variances(counts: Array, plan: HeadPlan, expected: Array | None = None) -> Array:
    """Empirical-Bayes variances of the biases of families and of tasks around their family.

    Few rows of balanced classes must not move a bias, while one positive in a hundred must. Each
    variance is what the spread of the log-odds shows beyond two standard errors.

    Parameters
    ----------
    counts : ndarray of shape (n_tasks, n_columns, 2)
        Weighted rows of each task that are of the column's class, and that are not.
    plan : HeadPlan
    expected : ndarray of shape (n_families, n_columns), default=None
        What the biases are known to be near to, 0 by default.

    Returns
    -------
    ndarray of shape (2, n_families, n_columns)
    """
    n_columns = plan.is_open.shape[1]
    variances = np.full((2, plan.n_families, n_columns), _LEAST_VARIANCE)
    log_odds, sampling = _log_odds(counts[..., 0], counts[..., 1])
    if expected is not None:
        log_odds = log_odds - expected[plan.family]
    open_weights = plan.is_open & plan.has_weights
    for f in range(plan.n_families):
        for column in range(n_columns):
            tasks = np.flatnonzero((plan.family == f) & open_weights[:, column])
            if tasks.size:
                variances[:, f, column] = _moments(log_odds[tasks, column], sampling[tasks, column])
    return variances


def _moments(log_odds: Array, sampling: Array) -> tuple[float, float]:
    """Variance of the common level and of the tasks around it, from noisy log-odds."""
    trust = 1 / (sampling + 0.1)
    level = trust @ log_odds / trust.sum()
    common = level**2 - 4 / trust.sum()
    noise = 2 * np.sqrt(2 * np.mean(sampling**2) / len(log_odds))
    around = np.mean((log_odds - level) ** 2 - sampling) - noise
    return max(_LEAST_VARIANCE, common), max(_LEAST_VARIANCE, around)


def spread_of_log_odds(positive: Array, negative: Array) -> tuple[float, float]:
    """The same variances for one column of one family, from weighted counts by task."""
    return _moments(*_log_odds(positive, negative))


def _log_odds(positive: Array, negative: Array) -> tuple[Array, Array]:
    """Log-odds from weighted counts, and the variances of their noise."""
    total = positive + negative
    share = (positive + 0.5) / (total + 1)
    return np.log(share) - np.log1p(-share), 1 / (np.maximum(total, 1) * share * (1 - share))
