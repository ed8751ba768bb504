"""A KeyboardInterrupt in fit: a model of the epochs done, or none; never half of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedClassifierCV
from sk_mtl._gradients import Gradients

SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "alignment": "full", "random_state": 0}
ENDLESS: dict[str, Any] = {"max_iter": 10**6, "tol": 0, "n_iter_no_change": 10**6, **SMALL}
X, Y, TASK = make_tasks()


class Interrupted:
    """Calls that wait for a signal in the middle of a step; run in a process of its own."""

    def __init__(self) -> None:
        self.steps_to_go, self.add = 0, Gradients.add
        Gradients.add = lambda *args: self.step(*args)  # type: ignore[method-assign]

    def step(self, *args: Any) -> Any:
        self.steps_to_go -= 1
        if self.steps_to_go == 0:
            print("waiting", flush=True)
            signal.pause()
        return self.add(*args)

    def outcome(self, steps: int, call: Callable[[], Any], model: Any) -> dict[str, Any]:
        self.steps_to_go, raised = steps, False
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            try:
                call()
            except KeyboardInterrupt:
                raised = True
        self.steps_to_go = 0
        return {
            "raised": raised,
            "told": [str(warning.message) for warning in told],
            "said": said_by(model),
            "n_iter": getattr(model, "n_iter_", None),
            "n_losses": len(getattr(model, "loss_curve_", [])),
        }


def said_by(model: Any) -> Any:
    try:
        return model.predict_proba(X, task=TASK).tolist()
    except NotFittedError:
        return None


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
    interrupted, found = Interrupted(), {}
    for solver in ("lbfgs", "adam"):
        model: Any = MultiTaskAlignedClassifier(solver=solver, **ENDLESS)
        fit = partial(model.fit, X, Y, task=TASK)
        found[f"{solver} at once"] = interrupted.outcome(1, fit, model)
        found[solver] = interrupted.outcome(30, fit, model)
        found[f"{solver} again, at once"] = interrupted.outcome(1, fit, model)
    model = MultiTaskAlignedClassifier(solver="adam", **SMALL).partial_fit(X, Y, task=TASK)
    found["before the chunk"] = {"said": said_by(model)}
    go_on = partial(model.partial_fit, X, Y, task=TASK)
    found["chunk"] = interrupted.outcome(1, go_on, model)
    model = MultiTaskAlignedClassifierCV(penalties=3, hidden_layer_sizes=(4,), random_state=0)
    fit = partial(model.fit, X, Y, task=TASK)
    found["search"] = interrupted.outcome(50, fit, model)
    fit()
    found["before the search again"] = {"said": said_by(model)}
    found["search again"] = interrupted.outcome(50, fit, model)
    print(json.dumps(found))


@pytest.fixture(scope="module")
def outcome() -> dict[str, dict[str, Any]]:
    """What came of fits that were interrupted by real signals."""
    with subprocess.Popen(
        [sys.executable, __file__], stdout=subprocess.PIPE, text=True, bufsize=1
    ) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                if line != "waiting\n":
                    found: dict[str, dict[str, Any]] = json.loads(line)
                    return found
                child.send_signal(signal.SIGINT)
        finally:
            child.kill()
    raise AssertionError("The process ended without an outcome.")


def until(epochs: int, **params: Any) -> Any:
    """A model of so many epochs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = MultiTaskAlignedClassifier(**{**ENDLESS, **params, "max_iter": epochs})
        return model.fit(X, Y, task=TASK)


def test_lbfgs_leaves_the_model_of_the_iterations_done(outcome: dict[str, Any]) -> None:
    found = outcome["lbfgs"]
    assert not found["raised"]
    assert found["n_iter"] == found["n_losses"] > 10
    assert ["Training was interrupted" in text for text in found["told"]] == [True]
    expected = until(found["n_iter"]).predict_proba(X, task=TASK)
    np.testing.assert_array_equal(found["said"], expected)


def test_adam_leaves_a_model_that_is_as_far_as_it_came(outcome: dict[str, Any]) -> None:
    found = outcome["adam"]
    assert not found["raised"]
    assert found["n_iter"] == found["n_losses"] == 14  # two batches each, and one in the next
    assert ["Training was interrupted" in text for text in found["told"]] == [True]
    before, after = (until(n, solver="adam").predict_proba(X, task=TASK) for n in (14, 15))
    step = abs(after - before).max()
    assert 0 < abs(np.array(found["said"]) - before).max() < 2 * step


@pytest.mark.parametrize("name", ["lbfgs at once", "adam at once", "search"])
def test_without_any_model_the_interrupt_goes_on_and_nothing_is_fitted(
    name: str, outcome: dict[str, Any]
) -> None:
    assert outcome[name] == {
        "raised": True,
        "told": [],
        "said": None,
        "n_iter": None,
        "n_losses": 0,
    }


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("lbfgs again, at once", "lbfgs"),
        ("adam again, at once", "adam"),
        ("chunk", "before the chunk"),
        ("search again", "before the search again"),
    ],
)
def test_a_fitted_model_stays_what_it_is(name: str, before: str, outcome: dict[str, Any]) -> None:
    assert outcome[name]["raised"]
    assert outcome[name]["said"] == outcome[before]["said"]


def lines_until(limit: float, call: Callable[[], Any], functions: Any = None) -> int:
    """Run until so many lines of the package, or of some functions, were run, then interrupt.

    Tells how many it were.
    """
    lines = 0

    def trace(frame: Any, event: str, argument: Any) -> Any:
        nonlocal lines
        if "/sk_mtl/" not in frame.f_code.co_filename:
            return None
        if functions and frame.f_code.co_name not in functions:
            return trace
        if event == "line":
            lines += 1
            if lines == limit:
                sys.settrace(None)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return lines


LINES = [
    {"solver": "lbfgs", "max_iter": 4},
    {"solver": "lbfgs", "max_iter": 20, "early_stopping": True},
    {"solver": "lbfgs", "max_iter": 4, "alignment_schedule": "alternating"},
    {"solver": "adam", "max_iter": 4, "alignment_schedule": "after_shared"},
    {"solver": "adam", "max_iter": 4, "early_stopping": True},
]
LEAVING = ["turn", "_release_turn", "release", "leave_stage", "take_back_trials"]


@pytest.mark.parametrize("settings", LINES, ids=str)
@pytest.mark.parametrize("functions", [None, LEAVING], ids=["anywhere", "leaving"])
@pytest.mark.filterwarnings("ignore:Training was interrupted", "ignore:max_iter")
def test_an_interrupt_at_any_line_leaves_a_whole_model_or_none(
    functions: Any, settings: dict[str, Any]
) -> None:
    """At 40 of all lines of the package that a fit runs, and at 40 where it puts things right."""
    settings = {**SMALL, **settings}
    whole = MultiTaskAlignedClassifier(**settings)
    n_lines = lines_until(np.inf, partial(whole.fit, X, Y, task=TASK), functions)
    limits = np.random.default_rng(0).permutation(n_lines)[:40] + 1
    outcomes = set()
    for limit in limits.tolist():
        model = MultiTaskAlignedClassifier(**settings)
        lines_until(limit, partial(model.fit, X, Y, task=TASK), functions)
        if not hasattr(model, "net_"):
            assert vars(model) == model.get_params(deep=False)
            outcomes.add("none")
            continue
        outcomes.add("model")
        assert model.n_iter_ == len(model.loss_curve_) == len(model.net_.history) > 0
        assert model.loss_curve_ == whole.loss_curve_[: model.n_iter_]
        assert all(parameter.requires_grad for parameter in model.module_.parameters())
        said = model.predict_proba(X, task=TASK)
        if settings == {**SMALL, **LINES[0]}:
            expected = until(model.n_iter_, **settings).predict_proba(X, task=TASK)
            np.testing.assert_array_equal(said, expected)
        assert np.isfinite(said).all()
        model.set_params(warm_start=True, max_iter=2).fit(X, Y, task=TASK)  # trains like any other
    assert "model" in outcomes


if __name__ == "__main__":
    main()
