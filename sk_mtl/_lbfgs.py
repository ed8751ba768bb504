"""L-BFGS for long vectors.

scipy's L-BFGS-B minds bounds, which cost it some hundred passes over the vectors in each
iteration, where the method needs four for each remembered step.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import inf, isfinite, nan, sqrt
from typing import NamedTuple

import torch
from torch import Tensor

_MEMORY = 10  # steps that the curvature is known from
_LEAST_CURVATURE = 1e-16  # of a step, relative to its change of the gradient
_NARROW = 0.1  # relative width of what is left of a line, of which the best is taken
_TRIALS = 30  # of a line search
_DESCENT, _FLATTER = 1e-4, 0.9  # of the strong Wolfe conditions: least descent, steepest slope

Objective = Callable[[Tensor], tuple[float, Tensor]]


class Outcome(NamedTuple):
    """Where a search ended.

    Attributes
    ----------
    x : Tensor of shape (n_values,)
    value : float
        NaN where the gradient is too large for its square.
    n_iter : int
    converged : bool
        Whether it ended because there was no more to gain.
    steepness : float
        The largest entry of the gradient.
    """

    x: Tensor
    value: float
    n_iter: int
    converged: bool
    steepness: float


class _Point(NamedTuple):
    """A point of a line search: how far it is, the value there, and its slope along the line."""

    step: float
    value: float
    slope: float


def minimize(
    objective: Objective,
    start: Tensor,
    *,
    max_iter: int,
    gtol: float,
    on_iteration: Callable[[Tensor, float], None],
) -> Outcome:
    """Go downhill from ``start`` (Nocedal and Wright 2006, section 7.2).

    Parameters
    ----------
    objective : callable
        The value and the gradient at a point. Neither may be written into afterwards.
    start : Tensor of shape (n_values,)
    max_iter : int
    gtol : float
        The search ends where no entry of the gradient is larger.
    on_iteration : callable
        Hears of each iteration's point and value.
    """
    x, (value, gradient) = start, objective(start)
    pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=_MEMORY)
    n_iter = 0
    while not (steepness := gradient.abs().max().item()) <= gtol:  # which NaN is not
        if n_iter == max_iter:
            return Outcome(x, value, n_iter, False, steepness)
        direction = _downhill(gradient, pairs)
        if not isfinite(torch.dot(gradient, direction).item()):
            return Outcome(x, nan, n_iter, False, steepness)
        first = 1.0 if pairs else 1 / max(1.0, gradient.norm().item())
        found = _search_line(objective, x, direction, value, gradient, first)
        if found is None and pairs:  # the curvature misleads: forget it
            pairs.clear()
            continue
        if found is None:
            break
        there, value, slope = found
        pair = there - x, slope - gradient
        curvature = torch.dot(*pair).item()
        if curvature > _LEAST_CURVATURE * torch.dot(pair[1], pair[1]).item():
            pairs.append((*pair, 1 / curvature))
        x, gradient = there, slope
        n_iter += 1
        on_iteration(x, value)
    return Outcome(x, value, n_iter, True, steepness)


def _downhill(gradient: Tensor, pairs: deque[tuple[Tensor, Tensor, float]]) -> Tensor:
    """Minus the gradient times the inverse of the curvature that the steps have met."""
    direction = gradient.neg()
    shares = []
    for step, change, inverse in reversed(pairs):
        share = inverse * torch.dot(step, direction).item()
        direction.add_(change, alpha=-share)
        shares.append(share)
    if pairs:
        _, change, inverse = pairs[-1]
        direction.div_(inverse * torch.dot(change, change).item())
    for (step, change, inverse), share in zip(pairs, reversed(shares), strict=True):
        direction.add_(step, alpha=share - inverse * torch.dot(change, direction).item())
    return direction


def _search_line(
    objective: Objective,
    x: Tensor,
    direction: Tensor,
    value: float,
    gradient: Tensor,
    step: float,
) -> tuple[Tensor, float, Tensor] | None:
    """The point, value and gradient of a step that meets the strong Wolfe conditions.

    Or else of the lowest one that goes down enough; None if there is none.
    """
    start = low = _Point(0.0, value, torch.dot(gradient, direction).item())
    high: _Point | None = None
    best: tuple[Tensor, float, Tensor] | None = None
    for _ in range(_TRIALS if start.slope < 0 else 0):
        there = torch.add(x, direction, alpha=step)
        if torch.equal(there, x):
            break
        value, gradient = objective(there)
        point = _Point(step, value, torch.dot(gradient, direction).item())
        # A value that is not a number is no descent either.
        descends = value <= start.value + _DESCENT * step * start.slope
        if descends and (best is None or value < best[1]):
            best = there, value, gradient
        if not descends or point.slope > -_FLATTER * start.slope:
            high = point
        elif point.slope < _FLATTER * start.slope:
            if high is None:
                step = _beyond(low, point)
            low = point
        else:
            return there, value, gradient
        if high is not None:
            # At a kink, as ReLUs have them, the slope is nowhere small.
            if best is not None and high.step - low.step < _NARROW * high.step:
                break
            step = _between(low, high)
    return best


def _beyond(low: _Point, point: _Point) -> float:
    """Further on, about where the slope would come to 0."""
    change = point.slope - low.slope
    factor = 1 - point.slope / change * (1 - low.step / point.step) if change > 0 else 10.0
    return point.step * min(max(factor, 2.0), 10.0)


def _between(low: _Point, high: _Point) -> float:
    """The lowest point of the cubic through both, kept away from the ends."""
    width = high.step - low.step
    middle = low.slope + high.slope - 3 * (high.value - low.value) / width
    root = sqrt(max(middle * middle - low.slope * high.slope, 0.0))
    if not 0 < root < inf:
        return low.step + 0.1 * width
    share = 1 - (high.slope + root - middle) / (high.slope - low.slope + 2 * root)
    return low.step + width * min(max(share, 0.1), 0.9)
