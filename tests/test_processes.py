"""Other processes: workers that die, and models that are forked or sent elsewhere."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedClassifierCV

X, Y, TASK = make_tasks(rows=60)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (8,), "alignment": "full", "random_state": 0}
# A process that hangs is killed by its timeout, and the test fails.
PATIENCE = 240


class DiesInWorker(Callback):
    """Kills the process that it trains in, but for the one that it was made in."""

    def __init__(self, home: int) -> None:
        self.home = home

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if os.getpid() != self.home:
            os.kill(os.getpid(), signal.SIGKILL)


def search_with_a_worker_that_dies() -> str:
    callbacks = [DiesInWorker(os.getpid())]
    model = MultiTaskAlignedClassifier(task_column=-1, callbacks=callbacks, **SMALL)
    search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, n_jobs=2, cv=2, error_score="raise")
    try:
        search.fit(np.column_stack([X, TASK]), Y)
    except TerminatedWorkerError as error:
        assert "best_estimator_" not in vars(search)
        return type(error).__name__
    return "nothing"


def own_search_with_a_worker_that_dies() -> str:
    """The estimator's own: a worker dies in the first network that it compares."""
    home = os.getpid()
    os.environ["DIES_OUT_OF"] = str(home)
    model = Dying(penalties=3, hidden_layer_sizes=(4,), random_state=0, n_jobs=2)
    try:
        model.fit(X, Y, task=TASK)
    except TerminatedWorkerError as error:
        assert not model.__sklearn_is_fitted__()
        return type(error).__name__
    return "nothing"


class DyingNetwork(MultiTaskAlignedClassifier):
    def _stages(self, epochs: int) -> Any:
        if os.getpid() != int(os.environ["DIES_OUT_OF"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._stages(epochs)


class Dying(MultiTaskAlignedClassifierCV):
    def _network(self, **parameters: Any) -> MultiTaskAlignedClassifier:
        return DyingNetwork(**parameters)


def predict(model: Any) -> Any:
    """In a child: with the threads that it has, and torch's in use."""
    torch.ones(500, 500) @ torch.ones(500, 500)
    return model.predict_proba(X, task=TASK)


def fit_again(model: Any) -> Any:
    return model.fit(X, Y, task=TASK).predict_proba(X, task=TASK)


def predictions_elsewhere() -> dict[str, bool]:
    """Whether predictions in other processes are those here, by the kind of process."""
    torch.set_num_threads(2)
    big = torch.randn(600, 600)
    for _ in range(20):
        big = torch.tanh(big @ big.t())  # the threads of OpenMP and of BLAS are up
    models = [
        MultiTaskAlignedClassifier(solver=solver, max_iter=30, **SMALL).fit(X, Y, task=TASK)
        for solver in ("lbfgs", "adam")
    ]
    here = [predict(model) for model in models]
    found = {}
    for kind in ("fork", "spawn"):
        with multiprocessing.get_context(kind).Pool(1) as pool:
            found[kind] = same(here, pool.map(predict, models))
    found["loky"] = same(here, Parallel(n_jobs=2)(delayed(predict)(model) for model in models))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        again = pool.map(fit_again, models)
    found["fit in a fork"] = all(
        np.allclose(*pair, atol=1e-4) for pair in zip(here, again, strict=True)
    )
    return found


def same(one: list[Any], two: list[Any]) -> bool:
    return all(np.array_equal(*pair) for pair in zip(one, two, strict=True))


def result_of(name: str) -> Any:
    """What a function of this file comes to in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", __file__, name],
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            return json.loads(process.communicate(timeout=PATIENCE)[0])
        finally:
            with suppress(ProcessLookupError):  # nobody is left
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    "name", ["search_with_a_worker_that_dies", "own_search_with_a_worker_that_dies"]
)
def test_a_lost_worker_is_reported(name: str) -> None:
    assert result_of(name) == "TerminatedWorkerError"


def test_predictions_in_other_processes_are_the_same() -> None:
    found = result_of("predictions_elsewhere")
    assert found == dict.fromkeys(["fork", "spawn", "loky", "fit in a fork"], True)


if __name__ == "__main__":
    print(json.dumps(globals()[sys.argv[1]]()))
