"""Gradients by hand against autograd, and steps on vectors against torch's Adam."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from threadpoolctl import ThreadpoolController, threadpool_limits
from torch import nn

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._gradients import Gradients
from sk_mtl._small_products import one_thread_for_numpy

X, Y, TASK = make_tasks(rows=41)
RNG = np.random.default_rng(0)
MANY = np.arange(len(X)) % 40
THREE = np.where(TASK == 0, Y, RNG.integers(0, 3, len(X)))
WIDE = np.column_stack([Y, 1 - Y, RNG.integers(0, 2, len(X))]).astype(float)
WIDE[RNG.random(WIDE.shape) < 0.3] = np.nan
LETTERS = np.array(["a", "b", "c", None], dtype=object)[RNG.integers(0, 4, (len(X), 2))]
SEQUENCES = np.where(
    np.arange(4)[:, None] < RNG.integers(1, 5, len(X))[:, None, None],
    X[:, None] + RNG.standard_normal((len(X), 4, X.shape[1])),
    np.nan,
)


class Mean(nn.Module):
    """A layer, and the mean over the positions that are not padding."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(X.shape[1], 3)

    def forward(self, rows: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = torch.tanh(self.layer(rows)) * mask.unsqueeze(-1)
        return made.sum(dim=1) / mask.sum(dim=1, keepdim=True)


CASES: dict[str, dict[str, Any]] = {
    "linear": {"alignment": None},
    "relu": {"hidden_layer_sizes": (4, 3), "alignment": None},
    "tanh": {"hidden_layer_sizes": (4, 3), "activation": "tanh"},
    "logistic": {"hidden_layer_sizes": (4,), "activation": "logistic", "skip_connection": False},
    "identity": {"hidden_layer_sizes": (4,), "activation": "identity", "alignment": "full"},
    "full": {"alignment": "full"},
    "low_rank": {"hidden_layer_sizes": (4,), "alignment": "low_rank", "alignment_rank": 2},
    "diagonal": {"hidden_layer_sizes": (4,), "alignment": "diagonal"},
    "coral": {"alignment": "full", "alignment_init": "coral"},
    "40 tasks": {"task": MANY, "alignment": "full", "hidden_layer_sizes": (4,)},
    "other labels": {"y": THREE, "hidden_layer_sizes": (4,)},
    "40 tasks of three labels": {"task": MANY, "y": RNG.integers(0, 3, len(X))},
    "wide": {"y": WIDE, "task": None, "hidden_layer_sizes": (4,)},
    "wide and aligned": {"y": WIDE, "task": None, "alignment": "full"},
    "wide, three labels": {"y": LETTERS, "task": None},
    "wide, three labels, aligned": {"y": LETTERS, "task": None, "alignment": "full"},
    "groups": {"task_groups": [0, 1, 0], "hidden_layer_sizes": (4,), "alignment": "full"},
    "module": {"shared_module": nn.Sequential(nn.Linear(5, 4), nn.GELU()), "alignment": "full"},
    "sequences": {"X": SEQUENCES, "shared_module": Mean, "alignment": "full"},
    "values": {"of_values": True, "y": Y + 0.1 * X[:, 1], "hidden_layer_sizes": (4,)},
    "wide values": {"of_values": True, "y": WIDE * X[:, :3], "task": None},
    "weighted": {"sample_weight": RNG.uniform(0, 2, len(X)), "hidden_layer_sizes": (4,)},
}


def fitted(solver: str, case: str, **more: Any) -> Any:
    """A model after an epoch, or a few iterations of L-BFGS."""
    settings = CASES[case] | more
    data = {"X": X, "y": Y, "task": TASK, "sample_weight": None}
    data = {name: settings.pop(name, value) for name, value in data.items()}
    kind = (
        MultiTaskAlignedRegressor
        if settings.pop("of_values", False)
        else MultiTaskAlignedClassifier
    )
    common: dict[str, Any] = {"solver": solver, "dtype": "float64", "random_state": 0, "tol": 0}
    common |= {"max_iter": 1 if solver == "adam" else 5, "batch_size": 16, "n_iter_no_change": 99}
    with pytest.warns(UserWarning, match="max_iter"):
        return kind(**(common | settings)).fit(**data)


def parameters(model: Any) -> dict[str, torch.Tensor]:
    return {name: p.detach() for name, p in model.module_.named_parameters()}


def assert_same_parameters(mine: Any, other: Any) -> None:
    expected = parameters(other)
    for name, value in parameters(mine).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-6, atol=1e-9)


def by_autograd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sk_mtl._mini_batches.can_step", lambda *_: False)
    monkeypatch.setattr("sk_mtl._full_batch.by_hand", lambda *_: False)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("case", CASES)
def test_by_hand_as_by_autograd(case: str, solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = fitted(solver, case)
    by_autograd(monkeypatch)
    plain = fitted(solver, case)
    np.testing.assert_allclose(mine.loss_curve_, plain.loss_curve_, rtol=1e-9)
    assert_same_parameters(mine, plain)


@pytest.mark.parametrize("case", ["full", "low_rank", "relu"])
@pytest.mark.parametrize(
    ("limit", "value"),
    [("_steps._LARGE", 10), ("_grouped._MOST_COPIES", 0), ("_small_products._SMALL", 0)],
    ids=["large parameters have vectors", "products by task, not by row", "products by torch"],
)
def test_what_is_chosen_for_speed_changes_nothing(
    limit: str, value: int, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = fitted("adam", case)
    monkeypatch.setattr(f"sk_mtl.{limit}", value)
    mine = fitted("adam", case)
    np.testing.assert_allclose(mine.loss_curve_, expected.loss_curve_, rtol=1e-9)
    assert_same_parameters(mine, expected)


def test_the_ways_are_not_the_same_by_accident(monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand: list[bool] = []
    add = Gradients.add

    def spy(self: Gradients, *args: Any) -> Any:
        by_hand.append(True)
        return add(self, *args)

    monkeypatch.setattr(Gradients, "add", spy)
    for solver in ("adam", "lbfgs"):
        fitted(solver, "relu")
        assert by_hand
        by_hand.clear()
    fitted("adam", "relu", net_params={"optimizer": torch.optim.SGD})
    by_autograd(monkeypatch)
    fitted("adam", "relu")
    fitted("lbfgs", "relu")
    assert not by_hand


def state_of_adam(model: Any) -> list[dict[str, torch.Tensor]]:
    state: list[dict[str, torch.Tensor]] = list(model.net_.optimizer_.state.values())
    return state


def test_the_optimizer_is_left_as_torch_would(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = fitted("adam", "low_rank")
    by_autograd(monkeypatch)
    plain = fitted("adam", "low_rank")
    for own, expected in zip(state_of_adam(mine), state_of_adam(plain), strict=True):
        assert float(own["step"]) == float(expected["step"]) == 16
        torch.testing.assert_close(own["exp_avg"], expected["exp_avg"])
        torch.testing.assert_close(own["exp_avg_sq"], expected["exp_avg_sq"])
    parts = list(mine.module_.parameters())
    assert len({p.untyped_storage().data_ptr() for p in parts}) == len(parts)
    assert all(p.grad is None for p in parts)


def test_training_goes_on_from_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    def twice() -> Any:
        settings: dict[str, Any] = {"solver": "adam", "random_state": 0, "dtype": "float64"}
        model = MultiTaskAlignedClassifier(**settings).partial_fit(X, Y, task=TASK)
        return pickle.loads(pickle.dumps(model)).partial_fit(X, Y, task=TASK)

    mine = twice()
    by_autograd(monkeypatch)
    assert_same_parameters(mine, twice())


class Meddler(Callback):
    """Puts weights, moments or learning rates elsewhere while a net trains."""

    def __init__(self, what: str) -> None:
        self.what = what

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) != 2:
            return
        if self.what == "state":
            net.optimizer_.load_state_dict(net.optimizer_.state_dict())
        elif self.what == "weights":
            for parameter in net.module_.parameters():
                parameter.data = parameter.data.clone() * 1.1
        elif self.what == "freeze":
            net.module_.heads.own.requires_grad_(False)
        elif self.what == "optimizer":
            net.optimizer_ = torch.optim.SGD(net.module_.parameters(), lr=0.01)
        elif self.what == "rate":
            net.optimizer_.param_groups[0]["lr"] = 0.0

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        if self.what == "gradient":
            for _, parameter in named_parameters:
                parameter.grad.clamp_(-1e-4, 1e-4)


@pytest.mark.parametrize("what", ["state", "weights", "freeze", "optimizer", "rate", "gradient"])
def test_what_callbacks_change_counts(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = fitted("adam", "tanh", max_iter=4, callbacks=[Meddler(what)])
    by_autograd(monkeypatch)
    plain = fitted("adam", "tanh", max_iter=4, callbacks=[Meddler(what)])
    assert_same_parameters(mine, plain)


class Threads(Callback):
    """Notes how many threads products of numpy may have while a net steps."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def on_grad_computed(self, net: Any, **kwargs: Any) -> None:
        self.seen |= threads_of_openblas()


def threads_of_openblas() -> set[int]:
    found = ThreadpoolController().select(internal_api="openblas").info()
    return {library["num_threads"] for library in found}


@pytest.mark.skipif(not threads_of_openblas(), reason="numpy has another BLAS")
def test_threads_of_numpy_rest_while_torch_works() -> None:
    with threadpool_limits(2):
        watch = Threads()
        fitted("adam", "relu", callbacks=[watch])
        assert watch.seen == {1}
        assert threads_of_openblas() == {2}


@pytest.mark.skipif(not threads_of_openblas(), reason="numpy has another BLAS")
def test_fits_that_overlap_leave_the_threads_as_found() -> None:
    with threadpool_limits(2):
        first, second = one_thread_for_numpy(), one_thread_for_numpy()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert threads_of_openblas() == {1}
        second.__exit__(None, None, None)
        assert threads_of_openblas() == {2}


class Losses(Callback):
    """Notes the losses of batches that callbacks are told."""

    def __init__(self) -> None:
        self.told: list[torch.Tensor] = []

    def on_batch_end(self, net: Any, loss: Any, training: bool = False, **kwargs: Any) -> None:
        if training:
            self.told.append(loss)


def test_callbacks_are_told_the_loss_with_all_its_digits() -> None:
    watch = Losses()
    model = fitted("adam", "relu", callbacks=[watch])
    recorded = model.net_.history[-1, "batches", :, "train_loss"]
    assert [loss.dtype for loss in watch.told] == [torch.float64] * len(recorded)
    assert [loss.item() for loss in watch.told] == recorded
