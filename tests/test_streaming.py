"""Rows that come in chunks: `fit_chunks` is `fit` with less memory."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import EpochScoring

from sk_mtl import (
    MultiTaskAlignedClassifier,
    MultiTaskAlignedRegressor,
    SVDTaskReweighter,
    _base,
)
from sk_mtl._batches import TaskDataset
from sk_mtl._feature_moments import FeatureMoments
from sk_mtl._processes import Processes
from sk_mtl._rows import TrainingRows
from sk_mtl._streamed_rows import RowStream, StreamedRows

pytestmark = pytest.mark.filterwarnings("ignore:max_iter")  # few epochs are enough

N_ROWS, STEP = 1000, 130
ADAM: dict[str, Any] = {"solver": "adam", "max_iter": 3, "random_state": 0}


def stacked(sort: bool = False) -> tuple[Any, Any, Any]:
    """Correlated features far from 0, tasks with strings as ids."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N_ROWS, 5)) @ rng.standard_normal((5, 5)) + [0, 5, -3, 100, 0]
    task = np.array(["north", "south", "west"])[rng.integers(0, 3, N_ROWS)]
    if sort:
        task.sort()
    y = X[:, 0] + X[:, 1] * (task == "west") + rng.standard_normal(N_ROWS)
    return X, y, task


class InChunks:
    """Slices of arrays, of which some may be None."""

    def __init__(self, *arrays: Any, step: int = STEP) -> None:
        self.arrays, self.step = arrays, step

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        for start in range(0, len(self.arrays[0]), self.step):
            rows = slice(start, start + self.step)
            yield tuple(None if array is None else array[rows] for array in self.arrays)


def assert_same_model(one: Any, other: Any) -> None:
    """Predictions come from these: the same but for rounding errors."""
    assert_array_equal(one.tasks_, other.tasks_)
    for name, value in one.module_.state_dict().items():
        its = other.module_.state_dict()[name].numpy()
        assert_allclose(value.numpy(), its, rtol=1e-4, atol=1e-6, err_msg=name)
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-6)
    assert_allclose(one.feature_mean_, other.feature_mean_, rtol=1e-12, atol=1e-12)
    assert_allclose(one.feature_map_, other.feature_map_, rtol=1e-9, atol=1e-12)
    assert_allclose(one.task_weight_, other.task_weight_, rtol=1e-12)


# With room for all rows the model is that of fit


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"alignment_init": "coral"},
        {"alignment": "low_rank", "alignment_rank": 2},
        {"alignment": None, "shuffle": False, "batch_size": 130},
        {"alignment_schedule": "alternating"},
        {"input_scaling": "standard", "dtype": "float64"},
        {"task_weight": "balanced"},
        {"task_weight": {"north": 1, "south": 3, "west": 0.5}},
        {"task_weight": "uncertainty"},
        {"task_weight": SVDTaskReweighter(shrinkage=0.5)},
        {"task_groups": {"north": 0, "south": 1, "west": 0}},
        {"shared_module": lambda n: torch.nn.Linear(n, 4)},
    ],
    ids=lambda params: ", ".join(params) or "defaults",
)
@pytest.mark.parametrize("kind", ["labels", "classes", "values"])
def test_it_is_the_model_of_fit(kind: str, params: dict[str, Any]) -> None:
    X, y, task = stacked(sort="shuffle" in params)
    estimator: Any = MultiTaskAlignedClassifier
    if kind == "labels":
        y = np.where(y > 0, "yes", "no")
    elif kind == "classes":
        y = np.digitize(y, [-1, 1, 6])  # the last class is rare
    else:
        estimator = MultiTaskAlignedRegressor
    whole = estimator(**ADAM, **params).fit(X, y, task=task)
    model = estimator(**ADAM, **params).fit_chunks(InChunks(X, y, task))
    assert_same_model(model, whole)
    if kind != "values":
        assert_array_equal(model.classes_, whole.classes_)
        assert model.classes_.dtype == whole.classes_.dtype


@pytest.mark.parametrize("kind", ["labels", "classes", "values"])
def test_it_is_the_model_of_fit_on_a_wide_y(kind: str) -> None:
    X, y, _ = stacked()
    rng = np.random.default_rng(1)
    Y = np.column_stack([y, X[:, 1] + rng.standard_normal(N_ROWS), X[:, 2] - y])
    if kind != "values":
        Y = np.digitize(Y, [0] if kind == "labels" else [0, 3]).astype(float)
    Y[rng.random(Y.shape) < 0.4] = np.nan  # whole rows of them, too
    Y[:500, 2] = np.nan  # no label in the first chunks
    Y = pd.DataFrame(Y, columns=["a", "b", "c"])
    estimator = MultiTaskAlignedRegressor if kind == "values" else MultiTaskAlignedClassifier
    weight = rng.random(N_ROWS)
    whole = estimator(**ADAM).fit(X, Y, sample_weight=weight)
    model = estimator(**ADAM).fit_chunks(InChunks(X, Y, None, weight))
    assert_same_model(model, whole)


@pytest.mark.parametrize("kind", ["a column of a DataFrame", "a column of an array", "no task"])
def test_it_takes_tasks_as_fit_does(kind: str) -> None:
    X, y, task = stacked()
    y = y > 0
    weight = np.random.default_rng(1).integers(0, 3, N_ROWS)  # 0 leaves rows out
    params: dict[str, Any] = {}
    if kind == "a column of a DataFrame":
        X = pd.DataFrame(X, columns=list("abcde")).assign(task=task)
        params["task_column"] = "task"
    elif kind == "a column of an array":
        X = np.column_stack([X, np.unique(task, return_inverse=True)[1]])
        params["task_column"] = -1
    whole = MultiTaskAlignedClassifier(**ADAM, **params).fit(X, y, sample_weight=weight)
    model = MultiTaskAlignedClassifier(**ADAM, **params)
    model.fit_chunks(InChunks(X, y, None, weight))
    assert_same_model(model, whole)
    assert_array_equal(model.predict(X), whole.predict(X))


def test_chunks_may_be_a_function_and_hold_a_task_or_a_label_late() -> None:
    X, y, task = stacked(sort=True)
    y = np.where(np.arange(N_ROWS) == 950, "rare", np.where(y > 0, "yes", "no"))
    whole = MultiTaskAlignedClassifier(**ADAM).fit(X, y, task=task)
    model = MultiTaskAlignedClassifier(**ADAM)
    empty = X[:0], y[:0], task[:0]

    def chunks() -> Iterator[Any]:
        yield empty  # of a filter that nothing has passed
        yield from InChunks(X, y, task)

    assert_same_model(model.fit_chunks(chunks), whole)
    assert_same_model(model.fit_chunks(list(chunks())), whole)


@pytest.mark.parametrize("first", [0, 2**60])
def test_chunks_of_unlike_integers(first: int) -> None:
    X, y, task = stacked()
    ids, labels = first + np.unique(task, return_inverse=True)[1], first + (y > 0)
    whole = MultiTaskAlignedClassifier(**ADAM).fit(X, labels, task=ids)
    parts: list[Any] = [
        (X[rows], labels[rows].astype(kind), ids[rows].astype(kind))
        for rows, kind in [(slice(500), np.int64), (slice(500, None), np.uint64)]
    ]
    model = MultiTaskAlignedClassifier(**ADAM).fit_chunks(parts)
    assert_same_model(model, whole)
    assert model.tasks_.dtype == model.classes_.dtype == np.int64
    assert_array_equal(model.classes_, whole.classes_)


def test_tasks_yet_to_come_of_unlike_integers() -> None:
    X, y, task = stacked()
    ids = 2**60 + (task == "west")
    classes = {np.uint64(2**60 + code): [False, True] for code in range(3)}
    model = MultiTaskAlignedClassifier(**ADAM).partial_fit(X, y > 0, task=ids, classes=classes)
    assert model.tasks_.tolist() == [2**60, 2**60 + 1, 2**60 + 2]


def test_it_goes_on_with_warm_start_and_after_a_save(tmp_path: Any) -> None:
    X, y, task = stacked()
    chunks = InChunks(X, y, task)
    model = MultiTaskAlignedRegressor(**ADAM, warm_start=True).fit_chunks(chunks)
    twin = MultiTaskAlignedRegressor(**ADAM, warm_start=True).fit(X, y, task=task)
    model.save(tmp_path / "model")
    model = MultiTaskAlignedRegressor.load(tmp_path / "model").fit_chunks(chunks)
    assert_same_model(model, twin.fit(X, y, task=task))


# The buffer


def stream(n_rows: int, step: int, buffer_rows: int) -> StreamedRows:
    """Rows whose only feature is their number, in three tasks by turns."""

    def chunks() -> Iterator[TrainingRows]:
        for start in range(0, n_rows, step):
            number = np.arange(start, min(start + step, n_rows))
            one = np.ones(len(number))
            yield TrainingRows(number[:, None] * 1.0, number % 3, number, one, one)

    def to_dataset(rows: TrainingRows) -> TaskDataset:
        arrays = rows.features, rows.task, rows.target, rows.weight
        return TaskDataset(*map(torch.as_tensor, arrays))

    return StreamedRows(RowStream(chunks, [n_rows], n_rows, buffer_rows), to_dataset)


@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.parametrize(("step", "buffer_rows"), [(10, 100), (170, 100), (1, 7), (999, 10_000)])
def test_every_row_comes_once_an_epoch(seed: int | None, step: int, buffer_rows: int) -> None:
    rows = stream(999, step, buffer_rows)
    generator = None if seed is None else torch.Generator().manual_seed(seed)
    orders = []
    for _ in range(2):
        batches = list(rows.batches(20, generator, Processes(None)))
        assert [len(batch[0]["rows"]) for batch in batches] == [20] * 49 + [19]
        seen = []
        for inputs, (target, weight, task) in batches:
            assert (task.diff() >= 0).all()
            assert_array_equal(task, target % 3)
            assert_array_equal(inputs["rows"][:, 0], target)
            assert (weight == 1).all()
            seen.append(target)
        orders.append(torch.cat(seen))
        assert_array_equal(orders[-1].sort().values, np.arange(999))
    assert torch.equal(*orders) == (seed is None)  # another order every epoch


def test_rows_meet_others_that_came_long_before() -> None:
    generator = torch.Generator().manual_seed(0)
    batches = stream(10_000, 100, 1000).batches(50, generator, Processes(None))
    spans = [int(target.max() - target.min()) for _, (target, _, _) in batches]
    assert min(spans[:-40]) > 700
    assert np.median(spans) > 1500  # more than the buffer holds


def test_order_is_decided_by_the_random_state() -> None:
    chunks = InChunks(*stacked())

    def fit(seed: int, buffer_rows: int) -> Any:
        model = MultiTaskAlignedRegressor(**ADAM | {"random_state": seed})
        return model.fit_chunks(chunks, buffer_rows=buffer_rows)

    before = pickle.dumps(np.random.get_state()), torch.random.get_rng_state()  # noqa: NPY002
    one, same, other = fit(0, 400), fit(0, 400), fit(0, 600)
    assert_same_model(one, same)
    assert one.loss_curve_ == same.loss_curve_
    assert one.loss_curve_ != other.loss_curve_
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=0.1)
    assert one.loss_curve_ != fit(1, 400).loss_curve_
    assert pickle.dumps(np.random.get_state()) == before[0]  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), before[1])


def test_tasks_in_their_order_are_learned_from_a_small_buffer() -> None:
    X, y, task = stacked(sort=True)
    params = ADAM | {"learning_rate_init": 0.03, "max_iter": 30}
    whole = MultiTaskAlignedClassifier(**params).fit(X, y > 0, task=task)
    model = MultiTaskAlignedClassifier(**params)
    model.fit_chunks(InChunks(X, y > 0, task), buffer_rows=400)
    assert model.score(X, y > 0, task=task) > whole.score(X, y > 0, task=task) - 0.02


def test_it_ends_by_tol_or_warns() -> None:
    chunks = InChunks(*stacked())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultiTaskAlignedRegressor(solver="adam", tol=0.5, random_state=0)
        assert model.fit_chunks(chunks).n_iter_ < 30
    with pytest.warns(ConvergenceWarning, match="max_iter=3") as record:
        MultiTaskAlignedRegressor(**ADAM).fit_chunks(chunks)
    assert record[0].filename == __file__


# What it refuses


def refusals() -> list[Any]:
    X, y, task = stacked()
    chunks = InChunks(X, y, task)
    infinite = X.copy()
    infinite[-1, 0] = np.inf
    return [
        (iter(chunks), {}, "chunks is a generator, which can be gone through only once"),
        ([], {}, "chunks holds no row"),
        ([(X[:0], y[:0])], {}, "chunks holds no row"),
        ([X], {}, r"Chunk 0 is a ndarray. Each must be a tuple \(X, y\)"),
        ([(X,)], {}, "Chunk 0 is a tuple of 1 parts"),
        (chunks, {"early_stopping": True}, "fit_chunks needs early_stopping=False"),
        (
            chunks,
            {"task_weight": {"north": 0, "south": 1, "west": 1}},
            r"\['north'\] have a weight",
        ),
        (InChunks(infinite, y, task), {}, "Input X contains infinity"),
        (InChunks(X, y, task, -np.ones(N_ROWS)), {}, "Negative values in data"),
        ([*chunks, (X[:, :4], y, task)], {}, "X has 4 features"),
        ([*chunks, (X, y)], {}, "Earlier rows named their tasks by task="),
        ([*chunks, (X, y, np.arange(N_ROWS))], {}, "Earlier task ids were like"),
        ([*chunks, (X, [np.nan] * N_ROWS, task)], {}, "1000 rows have no"),
        ([*chunks, (X, ["high"] * N_ROWS, task)], {}, "not a number"),
        ([(X[:, :, None], y, task)], {"shared_module": torch.nn.Flatten}, "X of two dimensions"),
        (chunks, {"learning_rate_init": 1e38}, "The loss is"),
    ]


@pytest.mark.parametrize(("chunks", "params", "message"), refusals(), ids=lambda v: str(v)[:30])
def test_refused_chunks_leave_the_model_as_it_was(
    chunks: Any, params: dict[str, Any], message: str
) -> None:
    X, y, task = stacked()
    model = MultiTaskAlignedRegressor(**ADAM).fit(X, y, task=task)
    before = model.predict(X, task=task)
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit_chunks(chunks)
    assert_array_equal(model.predict(X, task=task), before)
    fresh = MultiTaskAlignedRegressor(**ADAM).set_params(**params)
    with pytest.raises(ValueError, match=message):
        fresh.fit_chunks(chunks)
    assert not hasattr(fresh, "net_")
    assert not hasattr(fresh, "n_features_in_")


def test_a_stream_that_changes_is_refused() -> None:
    X, y, task = stacked()
    passes = 0

    def chunks() -> Iterator[Any]:
        nonlocal passes
        passes += 1
        yield from InChunks(X[passes:], y[passes:], task[passes:])

    with pytest.raises(ValueError, match=r"gave 999 rows with a weight .* and 998 now"):
        MultiTaskAlignedRegressor(**ADAM).fit_chunks(chunks)


def test_classes_of_one_task_are_of_one_type_and_buffers_hold_rows() -> None:
    X, y, task = stacked()
    model = MultiTaskAlignedClassifier(**ADAM)
    with pytest.raises(ValueError, match=r"of task 'north' are like .* in one chunk"):
        model.fit_chunks([(X, y > 0, task), (X, np.where(y > 0, "yes", "no"), task)])
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit_chunks([(X, y, task)])
    for buffer_rows in (0, 2.5):
        with pytest.raises(ValueError, match=f"buffer_rows must be .* got {buffer_rows}"):
            model.fit_chunks([(X, y > 0, task)], buffer_rows=buffer_rows)
    assert not hasattr(MultiTaskAlignedClassifier(), "fit_chunks")  # on all rows at once
    scored = [EpochScoring("accuracy", on_train=True)]
    with pytest.raises(TypeError, match="Rows of fit_chunks are never all there"):
        model.set_params(callbacks=scored).fit_chunks([(X, y > 0, task)])


# The summary


@pytest.mark.parametrize("by_task", [True, False])
def test_few_rows_have_the_moments_of_many(by_task: bool) -> None:
    X, _, task = stacked()
    X[:, 4] = 7.0  # a constant
    weight = np.random.default_rng(2).random(N_ROWS)
    chunks = InChunks(X, task, weight)
    first, *rest = (FeatureMoments.of(*chunk, by_task=by_task) for chunk in chunks)
    for part in rest:
        first = first.merge(part)
    rows, ids, of_row = first.as_rows()
    assert len(rows) < 40
    assert_allclose(np.average(rows, weights=of_row, axis=0), np.average(X, 0, weight), rtol=1e-12)
    covariance = np.cov(X.T, aweights=weight, bias=True)
    assert_allclose(np.cov(rows.T, aweights=of_row, bias=True), covariance, rtol=1e-9, atol=1e-12)
    for name in np.unique(task):
        own, its = task == name, ids == name
        assert_allclose(of_row[its].sum(), weight[own].sum(), rtol=1e-12)
        mean = np.average(X[own], 0, weight[own])
        assert_allclose(np.average(rows[its], 0, of_row[its]), mean, rtol=1e-12)
        if by_task:
            covariance = np.cov(X[own].T, aweights=weight[own], bias=True)
            its_covariance = np.cov(rows[its].T, aweights=of_row[its], bias=True)
            assert_allclose(its_covariance, covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("by_task", [True, False])
def test_few_rows_keep_the_digits_of_small_units(by_task: bool) -> None:
    X, _, task = stacked()
    unit = np.logspace(-12, 12, X.shape[1])
    moments = FeatureMoments.of(X * unit, task, np.ones(N_ROWS), by_task=by_task)
    rows, _, weight = moments.as_rows()
    covariance = np.cov(rows.T / unit[:, None], aweights=weight, bias=True)
    assert_allclose(covariance, np.cov(X.T, bias=True), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("estimator", [MultiTaskAlignedClassifier, MultiTaskAlignedRegressor])
def test_fit_of_many_rows_builds_its_net_from_few(
    monkeypatch: pytest.MonkeyPatch, estimator: Any, wide: bool
) -> None:
    X, y, task = stacked()
    if estimator is MultiTaskAlignedClassifier:
        y = np.digitize(y, [0, 5])
    data: dict[str, Any] = {"y": y, "task": task}
    if wide:
        data = {"y": np.where(np.unique(task) == task[:, None], y[:, None], np.nan)}
    from_all = estimator(**ADAM).fit(X, **data)
    monkeypatch.setattr(_base, "_MANY", 0)
    seen = []
    build = estimator._build

    def spy(self: Any, rows: Any, keep: bool) -> None:
        seen.append(rows)
        build(self, rows, keep=keep)

    monkeypatch.setattr(estimator, "_build", spy)
    assert_same_model(estimator(**ADAM).fit(X, **data), from_all)
    assert len(seen[0].features) < 60


# Memory, in processes of their own

MEASURE = """
import gc, sys, warnings
from pathlib import Path
import numpy as np
from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter
from sk_mtl.diagnostics import CovarianceSimilarity
warnings.simplefilter("ignore")

def megabytes(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))

def draw(number, n_rows=10_000):
    rng = np.random.default_rng(number)
    X, task = rng.standard_normal((n_rows, 64), dtype=np.float32), rng.integers(0, 4, n_rows)
    return X, X[:, 0] + 0.3 * task * X[:, 1] > 0, task

model = MultiTaskAlignedClassifier(solver="adam", max_iter=1, batch_size=1000, random_state=0)
model.fit_chunks([draw(0)])  # imports
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = megabytes("VmRSS")
"""


def peak_of(code: str) -> float:
    """Megabytes above what was there before."""
    code = MEASURE + code + '\nprint(megabytes("VmHWM") - before)'
    command = [sys.executable, "-c", code]
    # By default the allocator learns what to hold back, some 20 MB more or less by chance.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=300, env=environment
    )
    return float(done.stdout)


pytest_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.mark.slow
@pytest_linux
def test_memory_does_not_grow_with_the_rows() -> None:
    def peak(n_chunks: int) -> float:
        return peak_of(
            f"""
chunks = lambda: map(draw, range({n_chunks}))
model.fit_chunks(chunks, buffer_rows=50_000)
for X, y, task in chunks():
    SVDTaskReweighter().partial_fit(X, y, task=task)
    CovarianceSimilarity().partial_fit(X, task=task)
"""
        )

    few, many = peak(10), peak(100)  # of 26 and 256 MB
    assert many < few + 20
    assert many < 150


@pytest.mark.slow
@pytest_linux
def test_fit_copies_a_memmap_once(tmp_path: Any) -> None:
    """As float32, in the order of the tasks; the pages of the file that were read count as well."""
    peak = peak_of(
        f"""
file = np.lib.format.open_memmap({str(tmp_path / "X.npy")!r}, "w+", np.float32, (400_000, 64))
parts = [draw(number) for number in range(40)]
y, task = (np.concatenate([part[j] for part in parts]) for j in (1, 2))
for number, part in enumerate(parts):
    file[number * 10_000 : (number + 1) * 10_000] = part[0]
del file, parts, part
gc.collect()
Path("/proc/self/clear_refs").write_text("5")
before = megabytes("VmRSS")
model.fit(np.load({str(tmp_path / "X.npy")!r}, mmap_mode="r"), y, task=task)
"""
    )
    assert peak < 2.6 * 400_000 * 64 * 4 / 2**20  # the file, the copy, and the rest


def test_pickled_models_of_a_stream_predict_the_same() -> None:
    X, y, task = stacked()
    model = MultiTaskAlignedRegressor(**ADAM).fit_chunks(InChunks(X, y, task))
    again: Any = pickle.loads(pickle.dumps(model))
    assert_array_equal(again.predict(X, task=task), model.predict(X, task=task))


def test_constant_features_alone() -> None:
    """They say nothing: rows of a task have one probability, from chunks as from all rows."""
    _, y, task = stacked()
    X = np.full((len(y), 3), 7.0)
    settings: dict[str, Any] = {"solver": "adam", "max_iter": 3, "tol": 0, "random_state": 0}
    with pytest.warns(ConvergenceWarning):
        whole = MultiTaskAlignedClassifier(**settings).fit(X, y > 0, task=task)
    chunks = [(X[rows], y[rows] > 0, task[rows]) for rows in np.array_split(np.arange(len(y)), 4)]
    with pytest.warns(ConvergenceWarning):
        streamed = MultiTaskAlignedClassifier(**settings).fit_chunks(chunks)
    expected = whole.predict_proba(X, task=task)
    assert_allclose(streamed.predict_proba(X, task=task), expected, rtol=1e-5)
    for t in np.unique(task):
        assert np.ptp(expected[task == t], axis=0).max() == 0
