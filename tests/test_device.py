"""Where the network lives and in which precision; most of it needs a GPU, and skips without one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.frozen import FrozenEstimator

from helpers import make_tasks
from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedRegressor,
)

X, Y, TASK = make_tasks(rows=20)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "random_state": 0}
GAPS = np.where(np.random.default_rng(0).random((len(X), 3)) < 0.2, np.nan, X[:, :3] > 0)

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Recurrent(torch.nn.Module):
    """Its layers run in cuDNN, which differs between training and prediction."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.lstm = torch.nn.LSTM(n_features, 4, batch_first=True)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        last: torch.Tensor = self.lstm(rows)[0][:, -1]
        return last


STACKED: dict[str, dict[str, Any]] = {
    "lbfgs": {},
    "adam": {"solver": "adam", "max_iter": 20, "tol": 0, "dtype": "float64"},
    "full": {"alignment": "full", "alignment_init": "coral"},
    "low_rank": {"alignment": "low_rank", "alignment_rank": 2, "task_weight": "uncertainty"},
    "diagonal": {"alignment": "diagonal", "alignment_schedule": "alternating"},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 3},
    "after_shared": {"alignment_schedule": "after_shared", "activation": "tanh"},
}


@needs_gpu
@pytest.mark.parametrize("name", STACKED)
@pytest.mark.filterwarnings("ignore:max_iter")
def test_a_gpu_fits_what_the_cpu_fits(name: str) -> None:
    models = [
        MultiTaskAlignedClassifier(**SMALL | {"dtype": "float64"} | STACKED[name], device=device)
        for device in ("cpu", "cuda")
    ]
    cpu, gpu = (model.fit(X, Y, task=TASK) for model in models)
    assert next(gpu.module_.parameters()).is_cuda
    for model in (cpu, gpu):
        model.add_task(X[:40], Y[:40], task=9)
    task = np.resize([0, 1, 2, 9], len(X))
    for method in ("predict_proba", "transform", "align"):
        on_cpu, on_gpu = (getattr(model, method)(X, task=task) for model in (cpu, gpu))
        assert isinstance(on_gpu, np.ndarray)
        np.testing.assert_allclose(on_gpu, on_cpu, atol=2e-3)
    np.testing.assert_allclose(gpu.alignment_, cpu.alignment_, atol=2e-3)


@needs_gpu
def test_wide_regression_and_transfer_on_a_gpu() -> None:
    for device in ("cuda", "auto"):
        wide = MultiTaskAlignedClassifier(**SMALL, device=device, alignment="full").fit(X, GAPS)
        cpu = MultiTaskAlignedClassifier(**SMALL, alignment="full").fit(X, GAPS)
        np.testing.assert_allclose(wide.predict_proba(X), cpu.predict_proba(X), atol=2e-3)
        regressor = MultiTaskAlignedRegressor(**SMALL, device=device).fit(X, X[:, 0], task=TASK)
        assert regressor.score(X, X[:, 0], task=TASK) > 0.9
        source = MultiTaskAlignedClassifier(**SMALL, device=device).fit(X, Y, task=TASK)
        target = AlignedTransferClassifier(
            FrozenEstimator(source), device=device, fine_tune_epochs=2, random_state=0
        )
        assert target.fit(X[:40], Y[:40]).score(X[:40], Y[:40]) > 0.7


@needs_gpu
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.filterwarnings("ignore:max_iter")
def test_a_recurrent_module_on_a_gpu(solver: str) -> None:
    rows = np.repeat(X[:, None, :], 3, axis=1)
    model = MultiTaskAlignedClassifier(
        shared_module=Recurrent, solver=solver, max_iter=20, device="cuda", random_state=0
    )
    model.set_params(alignment_schedule="after_shared")  # B rests while the R_i are trained
    assert model.fit(rows, Y, task=TASK).score(rows, Y, task=TASK) > 0.6


@needs_gpu
def test_models_move_between_devices(tmp_path: Path) -> None:
    gpu = MultiTaskAlignedClassifier(**SMALL, device="cuda").fit(X, Y, task=TASK)
    gpu.save(tmp_path / "model")
    expected = gpu.predict_proba(X, task=TASK)
    pickled = pickle.loads(pickle.dumps(gpu))
    np.testing.assert_array_equal(pickled.predict_proba(X, task=TASK), expected)
    cpu = MultiTaskAlignedClassifier.load(tmp_path / "model", device="cpu")
    assert not next(cpu.module_.parameters()).is_cuda
    np.testing.assert_allclose(cpu.predict_proba(X, task=TASK), expected, atol=1e-6)


@needs_gpu
def test_a_gpus_random_state_is_left_as_it_was() -> None:
    before = torch.cuda.get_rng_state()
    dropout = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.Dropout(0.5))
    model = MultiTaskAlignedClassifier(
        shared_module=dropout, solver="adam", max_iter=2, tol=1, device="cuda", random_state=0
    )
    one, two = (model.fit(X, Y, task=TASK).predict_proba(X, task=TASK) for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert torch.equal(torch.cuda.get_rng_state(), before)


def test_auto_takes_what_there_is() -> None:
    model = MultiTaskAlignedClassifier(**SMALL, device="auto").fit(X, Y, task=TASK)
    assert next(model.module_.parameters()).is_cuda == torch.cuda.is_available()


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
@pytest.mark.filterwarnings("ignore:max_iter")
def test_precision_of_the_network(solver: str, dtype: str) -> None:
    model = MultiTaskAlignedClassifier(**SMALL, solver=solver, dtype=dtype, max_iter=5)
    model.fit(X, Y, task=TASK).add_task(X[:40], Y[:40], task=9)
    expected = dtype if dtype != "auto" else {"lbfgs": "float64", "adam": "float32"}[solver]
    floating = [
        value.dtype for value in model.module_.state_dict().values() if value.is_floating_point()
    ]
    floating += [p.dtype for p in model._added[0].heads.parameters()]
    assert {str(found).removeprefix("torch.") for found in floating} == {expected}
    assert model.predict_proba(X, task=TASK).dtype == expected


def test_float32_and_float64_agree() -> None:
    def fitted(dtype: str) -> MultiTaskAlignedClassifier:
        model = MultiTaskAlignedClassifier(**SMALL, dtype=dtype)
        return model.fit(X, Y, task=TASK)

    single, double = fitted("float32"), fitted("float64")
    np.testing.assert_allclose(
        single.predict_proba(X, task=TASK), double.predict_proba(X, task=TASK), atol=1e-2
    )


def test_columns_of_several_types_are_cast_once() -> None:
    """And to the same numbers as by hand."""
    frame = pd.DataFrame(
        {
            "whole": np.arange(len(X)) % 7,
            "yes": X[:, 0] > 0,
            "single": X[:, 1].astype(np.float32),
            "double": X[:, 2],
            "nullable": pd.array(np.arange(len(X)) % 5, dtype="Int64"),
            "tiny": (np.arange(len(X)) % 3).astype(np.int8),
        }
    )
    by_hand = np.column_stack([frame[name].to_numpy(dtype=np.float64) for name in frame])
    mixed = MultiTaskAlignedClassifier(**SMALL).fit(frame, Y, task=TASK)
    plain = MultiTaskAlignedClassifier(**SMALL).fit(by_hand, Y, task=TASK)
    expected = plain.predict_proba(by_hand, task=TASK)
    np.testing.assert_array_equal(mixed.predict_proba(frame, task=TASK), expected)

    single = X.astype(np.float32)
    one = MultiTaskAlignedClassifier(**SMALL).fit(single, Y, task=TASK)
    two = MultiTaskAlignedClassifier(**SMALL).fit(single.astype(np.float64), Y, task=TASK)
    np.testing.assert_array_equal(
        one.predict_proba(single, task=TASK),
        two.predict_proba(single.astype(np.float64), task=TASK),
    )
    assert one.transform(single, task=TASK).dtype == np.float32


@pytest.mark.filterwarnings("ignore:max_iter")
def test_generators_of_other_devices_are_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even told to start from our seed once they wake up."""

    def refuse(seed: int) -> None:
        raise AssertionError("the seed of all GPUs is set")

    monkeypatch.setattr(torch.cuda, "manual_seed_all", refuse)
    before = torch.random.get_rng_state()
    model = MultiTaskAlignedClassifier(shared_module=Recurrent, max_iter=2, tol=1, random_state=0)
    model.fit(np.repeat(X[:, None, :], 3, axis=1), Y, task=TASK)
    assert torch.equal(torch.random.get_rng_state(), before)
