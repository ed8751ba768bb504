"""With few rows of many features, L-BFGS trains on coordinates: the model is as it would be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from skorch.callbacks import Callback

from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._building import _strongest
from sk_mtl._gradients import Gradients
from sk_mtl._row_space import RowSpace

RNG = np.random.default_rng(0)
X = RNG.standard_normal((36, 90)) / np.sqrt(1 + np.arange(90))
TASK = np.arange(36) % 3
SIGNAL = X[:, 0] + 0.5 * TASK * X[:, 1] + 0.3 * RNG.standard_normal(36)
WIDE = np.column_stack([SIGNAL, X[:, 1], -SIGNAL]) > 0
ELSEWHERE = RNG.standard_normal((7, 90))

CASES: dict[str, dict[str, Any]] = {
    "linear": {"hidden_layer_sizes": (), "alignment": None},
    "no alignment": {"alignment": None},
    "low rank": {},
    "low rank, linear": {"hidden_layer_sizes": ()},
    "full": {"alignment": "full"},
    "two layers": {"hidden_layer_sizes": (6, 4), "activation": "tanh"},
    "no skip connection": {"skip_connection": False, "hidden_layer_sizes": (4,)},
    "wide": {"y": WIDE, "task": None},
    "three labels": {"y": np.digitize(SIGNAL, [-0.3, 0.3])},
    "values": {"y": SIGNAL},
    "single precision": {"dtype": "float32"},
}


def fitted(case: str, **more: Any) -> Any:
    settings = {"hidden_layer_sizes": (5,), "y": SIGNAL > 0, "task": TASK} | CASES[case] | more
    y, task = settings.pop("y"), settings.pop("task")
    kind: Any = MultiTaskAlignedRegressor if y is SIGNAL else MultiTaskAlignedClassifier
    model = kind(random_state=0, solver="lbfgs", **settings).fit(X, y, task=task)
    if model.warm_start:
        model.fit(X[::-1], y[::-1], task=None if task is None else task[::-1])
    return model


def parameters(model: Any) -> dict[str, torch.Tensor]:
    return {name: value.detach() for name, value in model.module_.named_parameters()}


class Look(Callback):
    """Sees the parameters after each epoch."""

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.seen = {name: p.detach().clone() for name, p in net.module_.named_parameters()}


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[RowSpace | None]:
    """What each training is found to have in the network's place."""
    found = []
    of = RowSpace.of

    def spy(*args: Any) -> RowSpace | None:
        found.append(of(*args))
        return found[-1]

    monkeypatch.setattr(RowSpace, "of", spy)
    return found


@pytest.mark.parametrize("case", CASES)
def test_it_learns_the_same(
    case: str, used: list[RowSpace | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = fitted(case)
    assert [space is not None and space.basis.shape[1] < 72 for space in used] == [True]
    monkeypatch.setattr("sk_mtl._row_space._WORTH", 0)
    whole = fitted(case)
    assert used[1:] == [None]
    assert mine.n_iter_ == whole.n_iter_ > 5
    tolerance = 1e-3 if case == "single precision" else 1e-8
    for name, value in parameters(whole).items():
        torch.testing.assert_close(
            parameters(mine)[name], value, rtol=tolerance, atol=tolerance, msg=name
        )
    ids = None if CASES[case].get("task", 0) is None else TASK[:7]
    say = "predict" if case == "values" else "predict_proba"
    np.testing.assert_allclose(
        getattr(mine, say)(ELSEWHERE, task=ids),
        getattr(whole, say)(ELSEWHERE, task=ids),
        atol=10 * tolerance,
    )


@pytest.mark.parametrize("case", ["no alignment", "low rank", "low rank, linear", "wide"])
def test_it_goes_on_from_what_was_learned(
    case: str, used: list[RowSpace | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    more = {"warm_start": True, "max_iter": 20, "alignment_rank": 2, "tol": 0}
    with pytest.warns(UserWarning, match="max_iter"):
        mine = fitted(case, **more)
    assert len(used) == 2
    assert None not in used
    monkeypatch.setattr("sk_mtl._row_space._WORTH", 0)
    with pytest.warns(UserWarning, match="max_iter"):
        whole = fitted(case, **more)
    for name, value in parameters(whole).items():
        torch.testing.assert_close(parameters(mine)[name], value, rtol=1e-7, atol=1e-8, msg=name)


@pytest.mark.parametrize("more", [{"alignment": "diagonal"}, {"alignment_init": "coral"}])
def test_features_that_are_not_alike_are_kept(
    more: dict[str, Any], used: list[RowSpace | None]
) -> None:
    if "alignment_init" in more:
        with pytest.warns(UserWarning, match="too few rows"):
            fitted("full", **more)
    else:
        fitted("full", **more)
    assert used == [None]


def test_who_looks_sees_the_network(used: list[RowSpace | None]) -> None:
    model = fitted("low rank", callbacks=[Look()])
    assert used == []
    (look,) = (c for _, c in model.net_.callbacks_ if isinstance(c, Look))
    for name, value in parameters(model).items():
        assert torch.equal(look.seen[name], value)


def test_an_interrupt_leaves_the_last_whole_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    add, calls = Gradients.add, [0]

    def interrupted(self: Gradients, *args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 10:
            raise KeyboardInterrupt
        return add(self, *args)

    monkeypatch.setattr(Gradients, "add", interrupted)
    with pytest.warns(UserWarning, match="(?i)interrupt"):
        model = fitted("low rank")
    monkeypatch.undo()
    assert 4 < model.n_iter_ < 10
    with pytest.warns(UserWarning, match="max_iter"):
        expected = fitted("low rank", max_iter=model.n_iter_)
    for name, value in parameters(expected).items():
        torch.testing.assert_close(parameters(model)[name], value, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n_rows", [5, 20, 60, 120])
def test_alignment_starts_from_the_strongest_directions(n_rows: int) -> None:
    rows = RNG.standard_normal((n_rows, 60)) / np.sqrt(1 + np.arange(60))
    found = _strongest(rows, 4)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-12)
    expected = np.linalg.svd(rows)[2][:4].T
    assert subspace_angles(found, expected).max() < 1e-9


def test_directions_of_rows_that_have_fewer() -> None:
    rows = RNG.standard_normal((20, 2)) @ RNG.standard_normal((2, 60))
    found = _strongest(rows, 4)
    np.testing.assert_allclose(found.T @ found, np.eye(4), atol=1e-12)
    np.testing.assert_allclose(rows @ found @ found.T, rows, atol=1e-9)
