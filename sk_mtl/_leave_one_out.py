"""Penalised linear models of several tasks, solved exactly, with leave-one-out predictions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sk_mtl._tasks import Array

_MAX_STEPS = 30
_TOLERANCE = 3e-2  # on a step in the log-odds
_LEAST_CURVATURE = 1e-6  # of the logistic loss, where the log-odds are sure
_BLOCK_ENTRIES = 4_000_000  # numbers that the features of a block of tasks take, at most


@dataclass(frozen=True)
class Prior:
    """Prior variances of the weights and biases.

    Attributes
    ----------
    strength : float
        1 / strength is the prior variance of a task's weights.
    sharing : float
        The share of it that the tasks have in common.
    common_bias, own_bias : float
        Variances of the bias that is common to the tasks, and of a task's own.
    """

    strength: float
    sharing: float
    common_bias: float
    own_bias: float

    def deviations(self, n_features: int) -> tuple[Array, Array]:
        """Standard deviations of what is common and of a task's own; of the bias last."""
        common = np.full(n_features + 1, np.sqrt(self.sharing / self.strength))
        own = np.full(n_features + 1, np.sqrt((1 - self.sharing) / self.strength))
        common[-1], own[-1] = np.sqrt(self.common_bias), np.sqrt(self.own_bias)
        return common, own


@dataclass(frozen=True)
class Solution:
    """A fitted model.

    Attributes
    ----------
    outputs : ndarray of shape (n_entries,)
        Log-odds, or values.
    left_out : ndarray of shape (n_entries,)
        What the model would put out for each entry had it not been trained on its row.
    dual : ndarray of shape (n_entries,)
        Minus the derivative of the loss.
    coefficients : ndarray of shape (n_tasks, n_directions + 1)
        Weights, and the bias last; see `TaskProblem.weights_of_features`.
    """

    outputs: Array
    left_out: Array
    dual: Array
    coefficients: Array


@dataclass(frozen=True)
class _Block:
    """Tasks of about one number of entries, padded to the largest.

    Attributes
    ----------
    tasks : ndarray of shape (n_tasks,)
    entry : ndarray of shape (n_tasks, n_entries)
        Numbers of the tasks' entries; 0 pads.
    real : ndarray of bool of shape (n_tasks, n_entries)
    """

    tasks: Array
    entry: Array
    real: Array


class TaskProblem:
    """A binary or real-valued target of several tasks, to be explained by the same features.

    A row z of task i has the output ``z (w_0 + v_i) + c_0 + c_i``. Minimised is the loss, logistic
    or half the squared error, summed over entries, plus::

        strength / 2 (|w_0|^2 / sharing + sum_i |v_i|^2 / (1 - sharing))

    and likewise for the biases. Without sharing, each task has a model of its own; with a sharing
    of 1 there is one for all.

    Parameters
    ----------
    features : ndarray of shape (n_rows, n_features)
    row, task : ndarray of shape (n_entries,)
        The row of the features and the task that each target is of.
    target : ndarray of shape (n_entries,)
        0 or 1, or values.
    weight : ndarray of shape (n_entries,)
        Positive.
    n_tasks : int
    logistic : bool
    """

    def __init__(
        self,
        features: Array,
        row: Array,
        task: Array,
        target: Array,
        weight: Array,
        n_tasks: int,
        *,
        logistic: bool,
    ) -> None:
        self.features, self.row, self.axes = _in_their_span(features, row)
        self.target = target
        self.weight = weight
        self.n_tasks = n_tasks
        self.logistic = logistic
        self.blocks = list(_blocks(task, n_tasks, self.features.shape[1] + 1))
        self.entries_of_rows = _padded(self.row) if len(np.unique(row)) < len(row) else None

    def solve(self, prior: Prior, start: Solution | None = None) -> Solution:
        """The optimum, by Newton's method: each step is a weighted least-squares problem.

        ``start`` is a solution for another prior, near which this one is looked for.
        """
        if not self.logistic:
            return self._step(prior, self.target, self.weight)
        nothing = np.zeros(len(self.target))
        outputs, dual = (nothing, nothing) if start is None else (start.outputs, start.dual)
        loss = np.inf
        for _ in range(_MAX_STEPS):
            odds = 1 / (1 + np.exp(-outputs))
            curvature = self.weight * np.maximum(odds * (1 - odds), _LEAST_CURVATURE)
            response = outputs + self.weight * (self.target - odds) / curvature
            solution = self._step(prior, response, curvature)
            # A step may go too far. What lies between two models is a model as well.
            share, new_loss = 1.0, self._loss(solution.outputs, solution.dual)
            new_outputs, new_dual = solution.outputs, solution.dual
            while new_loss > loss and share > 0.01:
                share /= 2
                new_outputs = outputs + share * (solution.outputs - outputs)
                new_dual = dual + share * (solution.dual - dual)
                new_loss = self._loss(new_outputs, new_dual)
            done = np.abs(solution.outputs - outputs).max() < _TOLERANCE
            outputs, dual, loss = new_outputs, new_dual, new_loss
            if done:
                break
        return solution

    def weights_of_features(self, solution: Solution) -> Array:
        """Weights and biases for the features as they came, of shape (n_tasks, n_features + 1)."""
        found = solution.coefficients
        if self.axes is None:
            return found
        return np.column_stack([found[:, :-1] @ self.axes.T, found[:, -1]])

    def _loss(self, outputs: Array, dual: Array) -> float:
        """Logistic loss and penalty of a model whose outputs are the prior's covariance @ dual."""
        sign = np.where(self.target > 0.5, -1.0, 1.0)
        return float(self.weight @ np.logaddexp(0, sign * outputs) + 0.5 * dual @ outputs)

    def _step(self, prior: Prior, response: Array, curvature: Array) -> Solution:
        """Least squares: outputs near the response, as close as curvature over the prior asks.

        With K_i the covariance of a task's outputs under the prior of what is its own,
        ``A_i = K_i + 1 / curvature`` and the features Z_i, a column of ones with them, what is
        common follows from ``sum_i Z_i' A_i^-1 Z_i``; the rest is a task's own affair.
        """
        common, own = prior.deviations(self.features.shape[1])
        shared = np.flatnonzero(common)  # without sharing, the bias alone
        common = common[shared]
        gram, moment = np.zeros((len(shared), len(shared))), np.zeros(len(shared))
        parts = []
        for block in self.blocks:
            rows = self._rows(block)
            inverse = _Inverse(rows, own, np.where(block.real, curvature[block.entry], 0.0))
            to_reach = np.where(block.real, response[block.entry], 0.0)
            of_response = inverse.times(to_reach[..., None])[..., 0]
            in_common = rows[..., shared]
            of_common = inverse.times(in_common)
            gram += np.tensordot(in_common, of_common, axes=((0, 1), (0, 1)))
            moment += np.einsum("bmq,bm->q", in_common, of_response)
            parts.append((block, rows, inverse.diagonal(), of_response, of_common))
        system = np.eye(len(shared)) + common[:, None] * gram * common
        root = common[:, None] * np.linalg.inv(np.linalg.cholesky(system)).T
        weights = root @ (root.T @ moment)
        outputs, dual, precision = (np.empty(len(response)) for _ in range(3))
        explained = np.empty((len(response), len(shared)))
        coefficients = np.zeros((self.n_tasks, len(own)))
        coefficients[:, shared] = weights  # all that a task without entries has
        for block, rows, diagonal, of_response, of_common in parts:
            own_dual = of_response - of_common @ weights
            entry, real = block.entry[block.real], block.real
            dual[entry], precision[entry] = own_dual[real], diagonal[real]
            outputs[entry] = response[entry] - own_dual[real] / curvature[entry]
            explained[entry] = (of_common @ root)[real]
            own_weights = own**2 * np.einsum("bmq,bm->bq", rows, own_dual)
            own_weights[:, shared] += weights
            coefficients[block.tasks] = own_weights
        left_out = response - self._without_rows(dual, precision, explained)
        return Solution(outputs, left_out, dual, coefficients)

    def _without_rows(self, dual: Array, precision: Array, explained: Array) -> Array:
        """Distances from the response of what is put out for entries whose row is left out.

        ``P^-1 dual`` with the part of ``(K + 1 / curvature)^-1`` that belongs to the entries of
        one row: the diagonal ``precision``, less the products of what is ``explained``. Tasks
        that share a row may say much of each other's targets, so they are left out together.
        """
        if self.entries_of_rows is None:
            return np.asarray(dual / (precision - np.einsum("nq,nq->n", explained, explained)))
        out = np.empty_like(dual)
        n_most = self.entries_of_rows.shape[1]
        rows_at_a_time = max(1, _BLOCK_ENTRIES // (n_most * (n_most + explained.shape[1])))
        each = np.arange(n_most)
        for start in range(0, len(self.entries_of_rows), rows_at_a_time):
            entry = self.entries_of_rows[start : start + rows_at_a_time]
            real = entry >= 0
            of_row = np.where(real[..., None], explained[entry], 0.0)
            matrix = -of_row @ of_row.swapaxes(1, 2)
            matrix[:, each, each] += np.where(real, precision[entry], 1.0)
            found = np.linalg.solve(matrix, np.where(real, dual[entry], 0.0)[..., None])
            out[entry[real]] = found[..., 0][real]
        return out

    def _rows(self, block: _Block) -> Array:
        """Features of a block's entries and a column of ones, by task."""
        found = self.features[self.row[block.entry]]
        rows = np.concatenate([found, np.ones((*found.shape[:2], 1))], axis=2)
        rows[~block.real] = 0.0
        return rows


def _in_their_span(features: Array, row: Array) -> tuple[Array, Array, Array | None]:
    """Rows in a basis of their own if they are fewer than the features, and the basis."""
    used, position = np.unique(row, return_inverse=True)
    if len(used) >= features.shape[1]:
        return features, row, None
    axes, coordinates = np.linalg.qr(features[used].T)
    return coordinates.T, position, axes


class _Inverse:
    """``A^-1`` with ``A = 1 / curvature + (rows * deviations) @ (rows * deviations).T``, by block.

    Where there are more entries than features, by way of a matrix of the features' size.
    """

    def __init__(self, rows: Array, deviations: Array, curvature: Array) -> None:
        self.rows = rows
        self.scaled = rows * deviations
        self.curvature = curvature[..., None]
        n_entries, size = rows.shape[1:]
        self.small = n_entries <= size
        if self.small:
            matrix = self.scaled @ self.scaled.swapaxes(1, 2)
            each = np.arange(n_entries)
            matrix[:, each, each] += 1 / np.where(curvature > 0, curvature, 1.0)
            self.inverse = np.linalg.inv(matrix)
        else:
            self.weighted = self.curvature * self.scaled
            matrix = self.scaled.swapaxes(1, 2) @ self.weighted
            each = np.arange(size)
            matrix[:, each, each] += 1.0
            self.inverse = np.linalg.inv(matrix)

    def times(self, columns: Array) -> Array:
        """``A^-1 @ columns``."""
        if self.small:
            return np.asarray(self.inverse @ columns)
        through = self.inverse @ (self.weighted.swapaxes(1, 2) @ columns)
        return np.asarray(self.curvature * columns - self.weighted @ through)

    def diagonal(self) -> Array:
        """The diagonals of ``A^-1``, of shape (n_tasks, n_entries)."""
        if self.small:
            return np.asarray(np.diagonal(self.inverse, axis1=1, axis2=2))
        removed = np.einsum("bmq,bmq->bm", self.weighted @ self.inverse, self.weighted)
        return np.asarray(self.curvature[..., 0] - removed)


def _padded(row: Array) -> Array:
    """Numbers of the entries of each row, of shape (n_rows, most entries of a row); -1 pads."""
    order = np.argsort(row, kind="stable")
    _, first, counts = np.unique(row[order], return_index=True, return_counts=True)
    position = first[:, None] + np.arange(counts.max())
    inside = np.arange(counts.max()) < counts[:, None]
    return np.asarray(np.where(inside, order[np.minimum(position, len(row) - 1)], -1))


def _blocks(task: Array, n_tasks: int, size: int) -> Iterator[_Block]:
    """Tasks with entries, in blocks of about one number of them."""
    counts = np.bincount(task, minlength=n_tasks)
    order = np.argsort(task, kind="stable")
    first = np.concatenate([[0], np.cumsum(counts)])
    waiting: list[int] = []
    for t in [*np.argsort(counts, kind="stable"), None]:
        full = waiting and (
            t is None
            or counts[t] > 1.5 * counts[waiting[0]] + 4
            or (len(waiting) + 1) * counts[t] * size > _BLOCK_ENTRIES
        )
        if full:
            yield _block(waiting, order, first)
            waiting = []
        if t is not None and counts[t]:
            waiting.append(int(t))


def _block(tasks: list[int], order: Array, first: Array) -> _Block:
    of_tasks = [order[first[t] : first[t + 1]] for t in tasks]
    longest = max(map(len, of_tasks))
    entry = np.zeros((len(tasks), longest), dtype=np.intp)
    real = np.zeros(entry.shape, dtype=bool)
    for number, entries in enumerate(of_tasks):
        entry[number, : len(entries)] = entries
        real[number, : len(entries)] = True
    return _Block(np.array(tasks), entry, real)
