"""Two processes train one model: what one process would have trained."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.metrics import log_loss

from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor, SVDTaskReweighter
from sk_mtl._batches import TaskBatches, TaskDataset
from sk_mtl._processes import Processes
from sk_mtl._rows import TrainingRows
from sk_mtl._streamed_rows import RowStream, StreamedRows

accelerate = pytest.importorskip("accelerate")

ADAM: dict[str, Any] = {"solver": "adam", "max_iter": 4, "batch_size": 101, "random_state": 0}
FITS: dict[str, dict[str, Any]] = {
    "defaults": {},
    "early stopping": {"early_stopping": True},
    "low rank": {"alignment": "low_rank", "alignment_rank": 2, "alignment_schedule": "alternating"},
    "rows in order": {"shuffle": False},
    "autograd of the module": {"shared_module": "Linear"},
    "autograd of all": {"task_weight": "uncertainty"},
    "reweighter": {"task_weight": SVDTaskReweighter(shrinkage=0.5)},
}
STREAMS = {"halves": 500, "unequal": 890}  # rows of the first process


def make_rows(n_rows: int = 1000, seed: int = 0) -> tuple[Any, Any, Any]:
    """1000 rows: the last batch of 101 has 91, an odd number."""
    rng = np.random.default_rng(seed)
    X, task = rng.standard_normal((n_rows, 5)) + 3, rng.integers(0, 3, n_rows)
    y = X[:, 0] - 3 + (X[:, 1] - 3) * (task == 2) + 0.5 * rng.standard_normal(n_rows)
    return X, y, task


def estimator_of(name: str) -> MultiTaskAlignedClassifier:
    from torch import nn

    params = dict(FITS.get(name, {}))
    if "shared_module" in params:
        params["shared_module"] = lambda n: nn.Sequential(nn.Linear(n, 4), nn.Tanh())
    return MultiTaskAlignedClassifier(**ADAM | params)


def in_chunks(rows: slice) -> list[Any]:
    X, y, task = make_rows()
    numbers = np.arange(len(X))[rows]
    return [(X[p], y[p] > 0, task[p]) for p in np.array_split(numbers, 7)]


def state_of(model: Any) -> dict[str, Any]:
    state = {name: value.numpy() for name, value in model.module_.state_dict().items()}
    return state | {
        "losses": model.loss_curve_,
        "scores": model.validation_scores_,
        "mean": model.feature_mean_,
        "map": model.feature_map_,
        "task_weight": model.task_weight_,
    }


def work_of_a_process(folder: str) -> None:
    """What each of the processes does; what it finds goes into a file."""
    import warnings

    from accelerate import Accelerator

    warnings.simplefilter("ignore")
    accelerator = Accelerator(cpu=True)
    assert accelerator.num_processes == 2
    rank = accelerator.process_index
    together = {"net_params": {"accelerator": accelerator}}
    X, y, task = make_rows()
    found = {}
    for name in FITS:
        model = estimator_of(name).set_params(**together).fit(X, y > 0, task=task)
        found[name] = state_of(model)
    values = MultiTaskAlignedRegressor(**ADAM, **together).partial_fit(X, y, task=task)
    found["partial_fit"] = state_of(clone(values).partial_fit(X, y, task=task))
    for name, first in STREAMS.items():
        own = in_chunks(slice(first) if rank == 0 else slice(first, None))
        model = estimator_of(name).set_params(**together)
        found[name] = state_of(model.fit_chunks(own, buffer_rows=300))
        new, labels, of_task = make_rows(seed=1)
        found[name]["held_out"] = log_loss(labels > 0, model.predict_proba(new, task=of_task))
    weigh = {"task_weight": SVDTaskReweighter(shrinkage=0.5)}
    model = estimator_of("defaults").set_params(**together, **weigh)
    found["reweighted stream"] = state_of(model.fit_chunks(own))
    try:
        estimator_of("defaults").set_params(**together, random_state=rank).fit(X, y > 0, task=task)
    except ValueError as error:
        found["other seeds"] = str(error)
    again = pickle.loads(pickle.dumps(values))
    found["pickled"] = bool((again.predict(X, task=task) == values.predict(X, task=task)).all())
    Path(folder, f"{rank}.pickle").write_bytes(pickle.dumps(found))
    accelerator.end_training()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What the two processes have found."""
    folder = tmp_path_factory.mktemp("processes")
    launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    done = subprocess.run(
        [sys.executable, *launch, __file__, str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [pickle.loads((folder / f"{rank}.pickle").read_bytes()) for rank in (0, 1)]


def assert_close(one: dict[str, Any], other: dict[str, Any], rtol: float) -> None:
    for name, value in one.items():
        if value is not None:
            assert_allclose(value, other[name], rtol=rtol, atol=1e-2 * rtol, err_msg=name)


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:max_iter")]


@pytest.mark.parametrize("name", [*FITS, *STREAMS, "partial_fit", "reweighted stream"])
def test_all_processes_hold_the_same_model(found: list[dict[str, Any]], name: str) -> None:
    one, other = (of_process[name] for of_process in found)
    for part, value in one.items():
        assert_array_equal(value, other[part], err_msg=part)


@pytest.mark.parametrize("name", FITS)
def test_fit_trains_what_one_process_trains(found: list[dict[str, Any]], name: str) -> None:
    X, y, task = make_rows()
    alone = estimator_of(name).fit(X, y > 0, task=task)
    assert_close(state_of(alone), found[0][name], rtol=1e-3)


def test_partial_fit_trains_what_one_process_trains(found: list[dict[str, Any]]) -> None:
    X, y, task = make_rows()
    alone = MultiTaskAlignedRegressor(**ADAM).partial_fit(X, y, task=task)
    assert_close(state_of(alone), found[0]["partial_fit"], rtol=1e-3)


@pytest.mark.parametrize("name", STREAMS)
def test_streams_of_their_own_make_one_model(found: list[dict[str, Any]], name: str) -> None:
    alone = estimator_of(name).fit_chunks(in_chunks(slice(None)), buffer_rows=600)
    of_two = found[0][name]
    for part in ("mean", "map", "task_weight"):  # the first pass adds up
        assert_allclose(of_two[part], state_of(alone)[part], rtol=1e-9, err_msg=part)
    X, y, task = make_rows(seed=1)
    held_out = log_loss(y > 0, alone.predict_proba(X, task=task))
    if name == "unequal":  # the longest decides on the number of steps: more, of fewer rows
        assert of_two["held_out"] < held_out
        return
    others = [
        estimator_of(name).set_params(random_state=seed).fit_chunks(in_chunks(slice(None)))
        for seed in (1, 2, 3)
    ]
    noise = np.ptp([log_loss(y > 0, of.predict_proba(X, task=task)) for of in others])
    assert abs(of_two["held_out"] - held_out) < max(2 * noise, 0.005)


def test_reweighters_of_streams_add_up(found: list[dict[str, Any]]) -> None:
    alone = estimator_of("reweighter").fit_chunks(in_chunks(slice(None)))
    assert_allclose(found[0]["reweighted stream"]["task_weight"], alone.task_weight_, rtol=1e-12)


def test_processes_that_differ_are_refused(found: list[dict[str, Any]]) -> None:
    for of_process in found:
        assert "do not train the same model" in of_process["other seeds"]


def test_a_model_of_two_processes_can_be_pickled(found: list[dict[str, Any]]) -> None:
    assert all(of_process["pickled"] for of_process in found)


def test_one_process_needs_no_launcher() -> None:
    X, y, task = make_rows()
    together = {"net_params": {"accelerator": accelerate.Accelerator(cpu=True)}}
    alone = estimator_of("defaults").fit(X, y > 0, task=task)
    model = estimator_of("defaults").set_params(**together).fit(X, y > 0, task=task)
    assert model.loss_curve_ == alone.loss_curve_
    with pytest.raises(
        ValueError, match=r'must not hold \'accelerator\'. "lbfgs" has no use for it'
    ):
        MultiTaskAlignedClassifier(**together).fit(X, y > 0, task=task)


if __name__ == "__main__":
    work_of_a_process(sys.argv[1])


class Pretended:
    """One of some processes, which are not there."""

    def __init__(self, num_processes: int, process_index: int) -> None:
        self.num_processes, self.process_index = num_processes, process_index


def rows_of_tasks(n_rows: int) -> TaskDataset:
    numbers = torch.arange(1, n_rows + 1, dtype=torch.float64)
    return TaskDataset(numbers[:, None], torch.arange(n_rows) // 4, numbers, 1 / numbers)


@pytest.mark.parametrize("n_processes", [2, 3])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_mean_over_parts_is_that_over_the_batch(n_processes: int, shuffle: bool) -> None:
    """Of what rows of a batch have, times their weights, whatever the batch's size."""
    rows = rows_of_tasks(13)
    whole = TaskBatches(rows, 4, shuffle, seed=0)
    parts = [
        TaskBatches(rows, 4, shuffle, seed=0, processes=Processes(Pretended(n_processes, rank)))
        for rank in range(n_processes)
    ]
    for (_, (values, weight, _)), *of_ranks in zip(whole, *parts, strict=True):
        means = [(target * w).sum() / len(target) for _, (target, w, _) in of_ranks]
        assert_allclose(np.mean(means), (values * weight).sum() / len(values), rtol=1e-12)
        for inputs, (_, _, task) in of_ranks:
            assert (task.diff() >= 0).all()
            assert (inputs["task"] == task).all()


def test_processes_with_other_numbers_of_rows_go_through_as_many_batches() -> None:
    """The one that has no more rows goes on with rows of the weight 0."""
    n_rows, total = [9, 2], 0.0
    n_batches = []
    for rank, own in enumerate(n_rows):
        chunk = TrainingRows(np.ones((own, 1)), np.zeros(own, int), *3 * [np.ones(own)])
        stream = RowStream(lambda chunk=chunk: iter([chunk]), n_rows, 11.0, 100)
        rows = StreamedRows(
            stream,
            lambda part: TaskDataset(
                *(torch.as_tensor(of) for of in (part.features, part.task, part.target)),
                torch.as_tensor(part.weight),
            ),
            rank,
        )
        batches = list(rows.batches(4, None, Processes(Pretended(2, rank))))
        n_batches.append(len(batches))
        assert {len(target) for _, (target, _, _) in batches} == {2}
        total += sum(float(weight.sum()) for _, (_, weight, _) in batches)
    assert n_batches == [5, 5]
    assert total == sum(n_rows)
