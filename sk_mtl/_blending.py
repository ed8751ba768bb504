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
        Of each task's held-out labels; a row of zeros where there are none.

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
        # One more task, which may be anything: the prior of a single task stays open.
        updated = (posterior.sum(axis=0) + 1 / n_candidates) / (n_tasks + 1)
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
