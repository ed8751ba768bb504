"""On a cluster of two worker processes, of which one is killed: the results of one process."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter
from sk_mtl.diagnostics import CovarianceSimilarity, covariance_similarity

pytest.importorskip("distributed")

ENERGY = 0.9


def make_rows() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((2000, 6)) * [1, 2, 3, 1, 1, 9] + 5, rng.integers(0, 4, 2000)
    y = X[:, 0] - 5 + (X[:, 1] - 5) * (task == 2) + rng.standard_normal(2000) > 0
    return X, y, task


def make_search(cv: Any) -> GridSearchCV:
    """Rows name their task in the last column."""
    model = MultiTaskAlignedClassifier(task_column=-1, random_state=0, hidden_layer_sizes=4)
    return GridSearchCV(model, {"head_alpha": [0.5, 2, 20, 200]}, cv=cv)


FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)


def part_of(X: Any, y: Any, task: Any, seconds: float = 0.0) -> tuple[Any, Any]:
    """What a worker makes of its rows."""
    time.sleep(seconds)
    return (
        SVDTaskReweighter().partial_fit(X, y, task=task, classes=[False, True]),
        CovarianceSimilarity(energy=ENERGY).partial_fit(X, task=task),
    )


def put_together(parts: Any) -> tuple[Any, Any]:
    reweighters, covariances = zip(*parts, strict=True)
    return (
        SVDTaskReweighter(n_components=2).merge(*reweighters),
        CovarianceSimilarity(energy=ENERGY).merge(*covariances),
    )


@contextmanager
def two_workers(found: dict[str, Any]) -> Iterator[list[int]]:
    """The process ids of a cluster's two workers, while it is there."""
    import dask
    from distributed import Client, LocalCluster

    with (
        # Every 2 seconds Dask takes away what is there twice: that it outlives a worker.
        dask.config.set({"distributed.scheduler.active-memory-manager.start": False}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        pids = list(client.run(os.getpid).values())
        found["processes"].append(len({*pids, os.getpid()}))
        yield pids


@contextmanager
def killed(pid: int, after: float, found: dict[str, Any]) -> Iterator[None]:
    """Kill a process while the block runs; the block must outlast it."""
    over = Event()

    def kill() -> None:
        time.sleep(after)
        found["killed at work"].append(not over.is_set())
        os.kill(pid, signal.SIGKILL)

    thread = Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def work_on_clusters(folder: str) -> None:
    """All that is computed there; what comes out goes into a file.

    A worker dies only in the last work of its cluster: not always does Dask replace a dead one.
    """
    import dask
    import dask.array as da
    import dask.dataframe as dd
    import joblib

    X, y, task = make_rows()
    table = np.column_stack([X, task])
    blocks = [da.from_array(values, chunks=300).to_delayed().ravel() for values in (y, task)]
    rows = da.from_array(X, chunks=(300, -1)).to_delayed().ravel()
    part = dask.delayed(part_of)
    found: dict[str, Any] = {"processes": [], "killed at work": []}

    with two_workers(found) as pids:
        found["arrays"] = put_together(dask.compute(*map(part, rows, *blocks)))

        frame = dd.from_pandas(pd.DataFrame(X).assign(y=y, task=task), npartitions=5)
        parts = [
            part(partition[list(range(6))], partition["y"], partition["task"])
            for partition in frame.to_delayed()
        ]
        found["data frame"] = put_together(dask.compute(*parts))

        with killed(pids[0], 0.7, found):
            slow = [part(*block, seconds=0.4) for block in zip(rows, *blocks, strict=True)]
            found["killed"] = put_together(dask.compute(*slow))

    with two_workers(found) as pids:
        with joblib.parallel_config(backend="dask"):
            found["search"] = make_search(FOLDS).fit(table, y)
        # Both workers hold the rows and the folds, or a dead one would take its own along: none
        # dies before they do.
        folds = list(FOLDS.split(table, y))
        everywhere = [table, y, *(rows for fold in folds for rows in fold)]
        with joblib.parallel_config("dask", scatter=everywhere), killed(pids[0], 0.3, found):
            found["search, killed"] = make_search(folds).fit(table, y)
    Path(folder, "found").write_bytes(pickle.dumps(found))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("cluster")
    done = subprocess.run(
        [sys.executable, __file__, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = pickle.loads((folder / "found").read_bytes())
    return result


pytestmark = pytest.mark.slow


def test_there_were_two_workers_and_two_were_killed(found: dict[str, Any]) -> None:
    assert found["processes"] == [3, 3]
    assert found["killed at work"] == [True, True]


@pytest.mark.parametrize("kind", ["arrays", "data frame", "killed"])
def test_states_of_partitions_add_up(found: dict[str, Any], kind: str) -> None:
    X, y, task = make_rows()
    columns = pd.DataFrame(X) if kind == "data frame" else X
    reweighter, covariance = found[kind]
    whole = SVDTaskReweighter(n_components=2).fit(columns, y, task=task)
    assert_array_equal(reweighter.tasks_, whole.tasks_)
    for name in ("task_weight_", "singular_values_", "components_", "mean_", "scale_"):
        assert_allclose(getattr(reweighter, name), getattr(whole, name), rtol=1e-10, err_msg=name)
    expected = covariance_similarity(X, energy=ENERGY, task=task)
    assert_allclose(covariance.similarity_, expected, rtol=1e-10)


@pytest.mark.parametrize("kind", ["search", "search, killed"])
def test_a_search_finds_what_it_finds_at_home(found: dict[str, Any], kind: str) -> None:
    X, y, task = make_rows()
    table = np.column_stack([X, task])
    at_home, search = make_search(FOLDS).fit(table, y), found[kind]
    for name in ("mean_test_score", "std_test_score"):
        assert_allclose(search.cv_results_[name], at_home.cv_results_[name], rtol=1e-12)
    assert search.best_params_ == at_home.best_params_
    assert_allclose(search.predict_proba(table), at_home.predict_proba(table), rtol=1e-9)


if __name__ == "__main__":
    work_on_clusters(sys.argv[1])
