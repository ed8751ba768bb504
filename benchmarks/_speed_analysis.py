"""Task re-weighting and covariance similarity: rows 10 to 12 of the table."""

from typing import Any

import numpy as np
from scipy import sparse

from _speed_cases import Case
from _speed_clock import Epochs, Work
from sk_mtl import SVDTaskReweighter
from sk_mtl.diagnostics import covariance_similarity


def _dense() -> dict[str, Work | Epochs]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1_000_000, 100)).astype(np.float32)
    Y = rng.integers(0, 2, (1_000_000, 14)).astype(np.float32)
    clean = Y.copy()
    Y[rng.random(Y.shape, dtype=np.float32) < 0.2] = np.nan
    return {
        "ours": lambda: SVDTaskReweighter().fit(X, Y),
        "clean product": lambda: X.T @ clean,
    }


def _sparse() -> dict[str, Work | Epochs]:
    n = d = 100_000
    rng = np.random.default_rng(0)
    columns = rng.integers(0, d, n * 50)
    X = sparse.csr_array((rng.random(n * 50), columns, np.arange(n + 1) * 50), shape=(n, d))
    X.sum_duplicates()
    Y = rng.integers(0, 2, (n, 14)).astype(float)
    return {"ours": lambda: SVDTaskReweighter().fit(X, Y), "X.T @ Y": lambda: X.T @ Y}


def _similarity() -> dict[str, Work | Epochs]:
    k, d, m = 100, 384, 500
    rng = np.random.default_rng(0)
    tasks: list[Any] = [rng.standard_normal((m, d)).astype(np.float32) for _ in range(k)]
    X, task = np.concatenate(tasks), np.arange(k).repeat(m)
    return {
        "ours": lambda: covariance_similarity(X, task=task),
        "the covariances": lambda: [rows.T @ rows for rows in tasks],
    }


CASES = [
    Case(
        "10",
        "SVDTaskReweighter.fit, 1M x 100, k=14, 20 % missing",
        _dense,
        {"clean product": 2.0},
        {"clean product": 1.3},
    ),
    Case(
        "11",
        "SVDTaskReweighter.fit, CSR 100k x 100k, 50 per row",
        _sparse,
        {"X.T @ Y": 1.2},
        {"X.T @ Y": 0.7},
    ),
    Case(
        "12",
        "similarity of 100 tasks, d=384",
        _similarity,
        {"the covariances": 1.25},
    ),
]
