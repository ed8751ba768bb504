"""Covariances of the tasks' inputs, and the maps that align them (CORAL)."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_array

from sk_mtl._scaling import parts
from sk_mtl._tasks import Array, listing

_NOT_SINGULAR = 1e-9  # smallest eigenvalue, relative to the largest


def covariance_within_tasks(rows: Array, task: Array | None, weight: Array) -> Array:
    """Covariance of the rows about their task's mean, of shape (n_features, n_features)."""
    code = np.zeros(len(rows), int) if task is None else np.unique(task, return_inverse=True)[1]
    share = weight / np.bincount(code, weight)[code]
    mean = csr_array((share, (code, np.arange(len(rows))))) @ rows
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for part in parts(rows):
        centred = (rows[part] - mean[code[part]]) * np.sqrt(weight[part])[:, None]
        total += centred.T @ centred
    return np.asarray(total / weight.sum())


def coral_maps(
    rows: Array,
    task: Array | None,
    weight: Array,
    reference: Array,
    ids: Array,
    *,
    diagonal: bool = False,
) -> Array:
    """Maps ``S_i = C_i^(-1/2) C^(1/2)`` after which each task's covariance is the reference C.

    Correlation alignment (Sun, Feng and Saenko 2016). A task with too few rows for a covariance
    of full rank has it shrunk towards the reference, which is announced by a warning.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_features)
    task : ndarray of shape (n_rows,) or None
        None where every row belongs to every task.
    weight : ndarray of shape (n_rows,)
    reference : ndarray of shape (n_features, n_features)
    ids : ndarray of shape (n_tasks,)
        For the warning.
    diagonal : bool, default=False
        Match the variances alone.

    Returns
    -------
    ndarray of shape (n_tasks, n_features, n_features)
    """
    n_features = len(reference)
    kept = np.eye(n_features) if diagonal else np.ones_like(reference)
    reference = kept * reference
    values = np.linalg.eigvalsh(reference)
    singular = values[0] <= values[-1] * _NOT_SINGULAR
    if singular:
        # Where the reference has no variance there is nothing to match: each is given a little.
        floor = (values[-1] * _NOT_SINGULAR or 1.0) * np.eye(n_features)
        reference = reference + floor
    root, inverse_root = _power(reference, 0.5), _power(reference, -0.5)
    maps, shrunk = [], []
    for name, own in zip(ids.tolist(), _by_task(task, len(ids)), strict=True):
        covariance = kept * _covariance(rows[own], weight[own])
        own_values = np.linalg.eigvalsh(covariance)
        if singular or own_values[0] <= own_values[-1] * _NOT_SINGULAR:
            in_its_units = inverse_root @ covariance @ inverse_root
            share = _shrinkage(in_its_units, weight[own].sum())
            covariance = (1 - share) * covariance + share * reference
            shrunk.append(name)
        maps.append(_power(covariance, -0.5) @ root)
    if shrunk:
        warnings.warn(
            f'alignment_init="coral": the tasks {listing(shrunk)} have too few rows (or too many '
            f"features that depend on others) for a covariance of {n_features} features. It is "
            "shrunk towards that of all tasks.",
            UserWarning,
            stacklevel=2,
        )
    return np.stack(maps)


def _shrinkage(covariance: Array, n_rows: float) -> float:
    """How far to shrink a covariance of few rows towards the identity.

    The oracle approximating shrinkage of Chen, Wiesel, Eldar and Hero (2010), equation 23, which
    needs the covariance and the number of rows alone: weights stand for repeated rows.
    """
    n_features = len(covariance)
    of_square, squared = np.sum(covariance**2), np.trace(covariance) ** 2
    noise = (1 - 2 / n_features) * of_square + squared
    distance = (n_rows + 1 - 2 / n_features) * (of_square - squared / n_features)
    return 1.0 if noise >= distance else float(noise / distance)


def _by_task(task: Array | None, n_tasks: int) -> list[Array | slice]:
    """The rows of each task."""
    if task is None:
        return [slice(None)] * n_tasks
    order = np.argsort(task, kind="stable")
    bounds = np.searchsorted(task[order], np.arange(n_tasks + 1))
    return [order[start:stop] for start, stop in pairwise(bounds)]


def _covariance(rows: Array, weight: Array) -> Array:
    share = weight / weight.sum()
    mean = share @ rows
    total = np.zeros((rows.shape[1], rows.shape[1]))
    for part in parts(rows):
        centred = (rows[part] - mean) * np.sqrt(share[part])[:, None]
        total += centred.T @ centred
    return total


def _power(matrix: Array, power: float) -> Array:
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * values**power) @ vectors.T)
