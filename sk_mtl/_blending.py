"""How far to trust one of two models on each task: from held-out likelihoods, task by task."""

from __future__ import annotations

import numpy as np

from sk_mtl._tasks import Array


def posterior_weights(log_likelihood: Array) -> Array:
    """Probability of each candidate for each task, its prior learned from all tasks.

    Empirical Bayes: a task's candidate is drawn from a distribution that the tasks share, the one
    under which their likelihoods are the largest. So a task whose rows say little does as tasks
    do in general, and one whose rows say much goes its own way.

    Parameters
    ----------
    log_likelihood : ndarray of shape (n_tasks, n_candidates)
        Of each task's held-out labels; a row of zeros where there are none. The last candidate
        is the multi-task model alone.

    Returns
    -------
    ndarray of shape (n_tasks, n_candidates)
    """
    n_tasks, n_candidates = log_likelihood.shape
    prior = np.full(n_candidates, 1 / n_candidates)
    posterior = np.tile(prior, (n_tasks, 1))
    for _ in range(1000):
        joint = log_likelihood + np.log(prior)
        posterior = np.exp(joint - joint.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        # Two more tasks: one may be anything, and one is for the model that the user has chosen.
        updated = posterior.sum(axis=0) + 1 / n_candidates
        updated[-1] += 1
        updated /= n_tasks + 2
        if np.abs(updated - prior).max() < 1e-6:
            break
        prior = updated
    return posterior


def of_probabilities(share: Array, multi: Array, single: Array, weight: Array) -> Array:
    """Log-likelihood of labels under each blend of two models.

    Parameters
    ----------
    share : ndarray of shape (n_candidates,)
        Share of the multi-task model.
    multi, single : ndarray of shape (n_rows,)
        Probability that each model gives to the true label.
    weight : ndarray of shape (n_rows,)

    Returns
    -------
    ndarray of shape (n_candidates,)
    """
    blended = np.outer(share, multi) + np.outer(1 - share, single)
    return np.asarray(np.log(blended) @ weight)


def of_values(share: Array, multi: Array, single: Array, true: Array, weight: Array) -> Array:
    """Log-likelihood of values under each blend: normal, of the variance that suits it best."""
    blended = np.outer(share, multi) + np.outer(1 - share, single)
    total = weight.sum()
    tiny = np.finfo(np.float64).eps * (weight @ true**2 + 1)
    squares = (blended - true) ** 2 @ weight + tiny
    return np.asarray(-0.5 * total * np.log(squares / (total or 1.0)))


def shrunken_gains(scores: Array, n_rows: Array) -> tuple[Array, Array, Array]:
    """Gains in a score over the first candidate, shrunk to what they are over the tasks.

    Empirical Bayes again, by normal distributions: of a task's gain around that of all tasks, and
    of its mean over the folds around it. The variance between folds is taken to be the same for
    all tasks but for their numbers of rows.

    Parameters
    ----------
    scores : ndarray of shape (n_folds, n_tasks, n_candidates)
        NaN where a fold has none.
    n_rows : ndarray of shape (n_folds, n_tasks)
        Rows that the scores are from.

    Returns
    -------
    shrunken, gain, standard_error : ndarray of shape (n_tasks, n_candidates)
        0, 0 and infinite where no fold has a score.
    """
    size = np.where(np.isnan(scores[..., 0]), 0.0, n_rows)[..., None]
    gains = np.where(size > 0, scores - scores[..., :1], 0.0)
    total = size.sum(axis=0)
    gain = (size * gains).sum(axis=0) / np.maximum(total, 1)
    freedom = np.maximum((size > 0).sum(axis=0) - 1, 0).sum()
    between = (size * (gains - gain) ** 2).sum(axis=(0, 1)) / max(freedom, 1)
    # The training sets of the folds overlap: the correction of Nadeau and Bengio (2003).
    n_folds = len(scores)
    between *= 1 + n_folds / max(n_folds - 1, 1)
    variance = np.where(total > 0, between / np.maximum(total, 1), np.inf)
    shrunken = np.zeros_like(gain)
    for c in range(1, gain.shape[1]):
        shrunken[:, c] = _shrunken(gain[:, c], variance[:, c])
    return shrunken, gain, np.sqrt(variance)


def _shrunken(estimate: Array, variance: Array) -> Array:
    """Posterior means of normal effects, whose distribution is estimated from them all."""
    variance = np.maximum(variance, 1e-12)
    spread = 0.0
    mean = 0.0
    if not np.isfinite(variance).any():
        return np.zeros_like(estimate)
    for _ in range(100):  # the estimator of DerSimonian and Laird, iterated
        precision = 1 / (variance + spread)
        mean = precision @ estimate / precision.sum()
        weight = precision**2
        finite = np.where(np.isfinite(variance), variance, 0.0)
        spread = max(0.0, weight @ ((estimate - mean) ** 2 - finite) / weight.sum())
    return np.asarray(mean + spread / (spread + variance) * (estimate - mean))
