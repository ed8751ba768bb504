"""The paper's Fig. 2 and 3: transfer between tasks that one has drawn."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LinearRegression, Ridge
from torch import nn

from _paper_data import Array
from _paper_job import Job
from sk_mtl import MultiTaskAlignedRegressor
from sk_mtl.datasets import make_covariance_tasks

N_TARGET, N_CHOICE, N_TEST = 10, 10, 1000
SOURCE_ROWS = (50, 200, 1000)
COSINES = (1.0, 0.96, 0.8, 0.5, 0.0)
COVARIANCES: dict[str, dict[str, Any]] = {
    "same covariance": {},
    "other strong coordinates": {"overlap": 0},
    "other rotation": {"same_rotation": False},
}
NARROW: dict[str, Any] = {
    "activation": "identity",
    "skip_connection": False,
    "input_scaling": None,
    "alignment": None,
    "tol": 1e-5,
    "max_iter": 150,
}
FREE: dict[str, Any] = {"alpha": 0, "head_alpha": 0}
PENALISED: dict[str, Any] = {"alpha": 100, "head_alpha": 100}
METHODS: dict[str, list[dict[str, Any]]] = {
    "capacity 1": [NARROW | FREE],
    "capacity 1, penalties": [NARROW | PENALISED],
    "capacity 1, R or none": [
        NARROW | FREE,
        *(NARROW | PENALISED | {"alignment": "full", "alignment_alpha": a} for a in (10, 1)),
    ],
    "one least squares": [{"ridge": 0}],
    "one ridge regression": [{"ridge": alpha} for alpha in (10, 100, 1000)],
}
"""Candidates; the best is chosen by ten further rows of the target."""


def jobs(seed: int, quick: bool) -> Iterator[Job]:
    """Changes of the target's error by a source, as a share of the target's variance."""
    for setting, params in COVARIANCES.items():
        for method in METHODS if not quick else ("capacity 1", "one least squares"):
            yield Job(f"Fig. 3, {setting}", method, _by_source_rows, (seed, method, params))
    yield Job("Fig. 2, angle of the coefficients", "one least squares", _by_cosine, (seed,))


def _by_source_rows(seed: int, method: str, params: dict[str, Any]) -> dict[str, Any]:
    scores = {f"{n} rows": _change(seed, METHODS[method], n, **params) for n in SOURCE_ROWS}
    return {"scores": scores}


def _by_cosine(seed: int) -> dict[str, Any]:
    candidates = METHODS["one least squares"]
    return {"scores": {f"{c:g}": _change(seed, candidates, 200, cosine=c) for c in COSINES}}


def _change(seed: int, candidates: list[dict[str, Any]], n_source: int, **params: Any) -> float:
    """Error with the source minus error of least squares on the target's few rows."""
    sizes = (n_source, N_TARGET + N_CHOICE + N_TEST)
    X, y, task = make_covariance_tasks(n_samples=sizes, random_state=seed, **params)
    source, target = (np.flatnonzero(task == t) for t in (0, 1))
    few, _, new = np.split(target, [N_TARGET, N_TARGET + N_CHOICE])
    rows = np.r_[source, few]

    def errors(candidate: dict[str, Any]) -> tuple[float, float]:
        if "ridge" in candidate:
            model = least_squares(X[rows], y[rows], candidate["ridge"])
            predicted = model.predict(X[target])
        else:
            start = trained_on(X[source], y[source])
            model = MultiTaskAlignedRegressor(shared_module=start, **candidate)
            model.fit(X[rows], y[rows], task=task[rows])
            predicted = model.predict(X[target], task=task[target])
        error = (predicted - y[target]) ** 2
        _, choice, test = np.split(error, [N_TARGET, N_TARGET + N_CHOICE])
        return float(choice.mean()), float(test.mean())

    alone = least_squares(X[few], y[few]).predict(X[new])
    chosen = min(map(errors, candidates))[1]
    return float((chosen - np.mean((alone - y[new]) ** 2)) / y[new].var())


def least_squares(X: Array, y: Array, ridge: float = 0) -> Any:
    """A linear model of minimum norm, or with a penalty."""
    model = Ridge(ridge, fit_intercept=False) if ridge else LinearRegression(fit_intercept=False)
    return model.fit(X, y)


def trained_on(X: Array, y: Array) -> nn.Module:
    """A linear module of capacity 1, least squares on the source.

    One direction for two tasks is no convex problem: from a random start it often ends where
    the head of the target is huge and the direction nearly blind to it.
    """
    layer = nn.Linear(X.shape[1], 1, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(least_squares(X, y).coef_))
        layer.bias.zero_()
    return layer
