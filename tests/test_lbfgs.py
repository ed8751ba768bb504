"""The search for the optimum, against scipy's and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import numpy as np
import pytest
import torch
from scipy.optimize import rosen, rosen_der
from torch import Tensor

from sk_mtl._lbfgs import Outcome, minimize


def search(objective: Callable[[Tensor], tuple[float, Tensor]], start: Tensor, **how) -> Outcome:
    """Down to a gradient of 1e-9, with the iterations checked on the way."""
    seen = []
    settings = {"max_iter": 1000, "gtol": 1e-9} | how
    outcome = minimize(
        objective, start, on_iteration=lambda x, value: seen.append((x.clone(), value)), **settings
    )
    assert len(seen) == outcome.n_iter
    values = [value for _, value in seen]
    assert values == sorted(values, reverse=True)
    for x, value in seen:
        assert objective(x)[0] == value
    if seen:
        assert torch.equal(seen[-1][0], outcome.x)
    return outcome


def bowl(curvature: Tensor, centre: Tensor) -> Callable[[Tensor], tuple[float, Tensor]]:
    def objective(x: Tensor) -> tuple[float, Tensor]:
        gradient = curvature * (x - centre)
        return 0.5 * torch.dot(x - centre, gradient).item(), gradient

    return objective


def of_rosenbrock(x: Tensor) -> tuple[float, Tensor]:
    return float(rosen(x.numpy())), torch.from_numpy(rosen_der(x.numpy()))


@pytest.mark.parametrize("condition", [1, 1e2, 1e3])
def test_the_lowest_point_of_a_bowl(condition: float) -> None:
    rng = np.random.default_rng(0)
    curvature = torch.from_numpy(np.geomspace(1, condition, 50))
    centre = torch.from_numpy(rng.standard_normal(50))
    outcome = search(bowl(curvature, centre), torch.zeros(50, dtype=torch.float64))
    assert outcome.converged
    torch.testing.assert_close(outcome.x, centre, rtol=0, atol=1e-8)


@pytest.mark.parametrize("n_values", [2, 10])
def test_a_curved_valley(n_values: int) -> None:
    start = torch.full((n_values,), -1.2, dtype=torch.float64)
    start[1::2] = 1.0
    evaluations = 0

    def counted(x: Tensor) -> tuple[float, Tensor]:
        nonlocal evaluations
        evaluations += 1
        return of_rosenbrock(x)

    outcome = minimize(counted, start, max_iter=1000, gtol=1e-9, on_iteration=lambda x, value: None)
    assert outcome.converged
    assert outcome.value < 1e-15 or of_rosenbrock(outcome.x)[1].abs().max() <= 1e-9
    assert evaluations < 150  # 40 and 80 for scipy's


def test_it_leaves_its_start_alone_and_stops_there_if_that_is_lowest() -> None:
    start = torch.ones(3, dtype=torch.float64)
    outcome = search(bowl(torch.ones(3, dtype=torch.float64), start.clone()), start)
    assert outcome.n_iter == 0
    assert outcome.converged
    search(of_rosenbrock, start - 3)
    assert torch.equal(start, torch.ones(3, dtype=torch.float64))


def test_iterations_may_run_out() -> None:
    outcome = search(of_rosenbrock, torch.zeros(6, dtype=torch.float64), max_iter=5)
    assert outcome.n_iter == 5
    assert not outcome.converged


@pytest.mark.parametrize("wall", [inf, nan])
def test_a_wall_is_kept_from(wall: float) -> None:
    """Minus a logarithm, which has no value behind 0, and a first step that goes there."""

    def objective(x: Tensor) -> tuple[float, Tensor]:
        if (x <= 0).any():
            return wall, torch.full_like(x, nan)
        return (x - 0.01 * x.log()).sum().item(), 1 - 0.01 / x

    outcome = search(objective, torch.full((4,), 0.1, dtype=torch.float64))
    assert outcome.converged
    torch.testing.assert_close(outcome.x, torch.full_like(outcome.x, 0.01), rtol=1e-6, atol=0)


@pytest.mark.parametrize("size", [1e200, inf, nan])
def test_a_gradient_beyond_numbers_is_no_optimum(size: float) -> None:
    outcome = search(lambda x: (1.0, torch.full_like(x, size)), torch.zeros(2, dtype=torch.float64))
    assert not outcome.converged
    assert np.isnan(outcome.value)


def test_where_no_step_goes_down_is_an_end() -> None:
    """As with a gradient of which rounding has left the wrong sign."""
    outcome = search(lambda x: (x.sum().item(), -torch.ones_like(x)), torch.zeros(2).double())
    assert outcome.n_iter == 0
    assert outcome.converged
    flat = search(lambda x: (1.0, 1e-170 * torch.ones_like(x)), torch.zeros(2).double(), gtol=0.0)
    assert flat.converged
