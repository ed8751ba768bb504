"""A call that fails leaves an estimator as it found it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any


@contextmanager
def all_or_nothing(estimator: Any, net: Any = None) -> Iterator[None]:
    """Put back all attributes if what follows fails, and a net that it trains further.

    Attributes are replaced, not changed, by those who learn them; so a copy of the ``__dict__``
    holds what was. Not so the random state that training goes on with, and the net.

    Parameters
    ----------
    estimator : estimator
    net : NeuralNet or None, default=None
        One whose weights are changed in place.
    """
    before = vars(estimator).copy()
    random_state = before.get("_random_state")
    drawn = random_state and random_state.get_state()
    parts = (net.module_, net.optimizer_) if net else ()
    states = [deepcopy(part.state_dict()) for part in parts]
    n_epochs = net and len(net.history)
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        if random_state:
            random_state.set_state(drawn)
        for part, state in zip(parts, states, strict=True):
            part.load_state_dict(state)
        if net:
            del net.history[n_epochs:]
        raise
