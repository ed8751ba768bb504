"""ResumableFit: after a kill, at whatever moment, the model is that of an unbroken fit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from skorch.callbacks import Callback, EarlyStopping, EpochScoring, Freezer, LRScheduler

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl.callbacks import ResumableFit

X, Y, TASK = make_tasks()
SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (4,),
    "alignment": "full",
    "random_state": 0,
    "max_iter": 24,
    "batch_size": 40,
    "learning_rate_init": 0.01,
    "n_iter_no_change": 6,
}
pytestmark = pytest.mark.filterwarnings("ignore:max_iter")


class Noisy(torch.nn.Module):
    """Draws in every step."""

    def __init__(self) -> None:
        super().__init__()
        self.linear, self.dropout = torch.nn.Linear(5, 4), torch.nn.Dropout(0.3)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.dropout(self.linear(rows))
        return out


class Counts(Callback):
    """A callback of the user's that remembers."""

    def __init__(self, dies_at: int | None = None) -> None:
        self.dies_at = dies_at

    def initialize(self) -> Any:
        self.losses_: list[float] = []
        self.total = torch.zeros(())
        return self

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        if len(net.history) == self.dies_at:
            raise RuntimeError("died")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.losses_.append(net.history[-1, "train_loss"])
        self.total = self.total + self.losses_[-1]


def fitted(callbacks: list[Any], **params: Any) -> Any:
    kind = params.pop("kind", MultiTaskAlignedClassifier)
    y = Y if kind is MultiTaskAlignedClassifier else Y + X[:, 0]
    return kind(**{**SMALL, **params}, callbacks=callbacks).fit(X, y, task=TASK)


def state_of(model: Any) -> list[Any]:
    """What a fit comes to."""
    history = [{k: v for k, v in epoch.items() if k != "dur"} for epoch in model.net_.history]
    weights = {k: v.tolist() for k, v in model.module_.state_dict().items()}
    optimizer = model.net_.optimizer_.state_dict()["state"]
    moments = [[v.tolist() for v in of.values() if v is not None] for of in optimizer.values()]
    scores = model.validation_scores_
    return [weights, moments, model.loss_curve_, scores, model.n_iter_, history]


ADAM: dict[str, Any] = {"solver": "adam"}
LBFGS: dict[str, Any] = {"solver": "lbfgs", "every": 7}
STOP: dict[str, Any] = {"early_stopping": True, "max_iter": 100}


@pytest.mark.parametrize(
    "settings",
    [
        ADAM,
        {**ADAM, "every": 3, "alignment_schedule": "alternating", "task_weight": "uncertainty"},
        {**ADAM, "every": 3, "alignment_schedule": "after_shared"},
        {**ADAM, "every": 4, "alignment_schedule": "after_shared", "n_iter_no_change": 12, **STOP},
        {**ADAM, "shared_module": Noisy, "kind": MultiTaskAlignedRegressor},
        {**ADAM, "frozen": ["shared.*"]},
        {**LBFGS, "tol": 1e-9, "n_iter_no_change": 50},
        {**LBFGS, "task_weight": "uncertainty", "kind": MultiTaskAlignedRegressor},
        {**LBFGS, "every": 4, "n_iter_no_change": 30, **STOP},
        {**LBFGS, "alignment_schedule": "alternating", "max_iter": 45, "n_iter_no_change": 50},
        {**LBFGS, "alignment_schedule": "after_shared"},
    ],
    ids=str,
)
def test_a_fit_that_died_five_times_ends_as_if_it_had_not(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    settings = dict(settings)
    every, frozen = settings.pop("every", 1), settings.pop("frozen", [])

    def callbacks(dies_at: int | None) -> list[Any]:
        own: list[Any] = [("count", Counts(dies_at)), EpochScoring("accuracy", on_train=True)]
        if settings["kind"] is MultiTaskAlignedRegressor:
            own.pop()
        if frozen:  # from the first epoch on
            own += [Freezer(frozen)]
        if settings["solver"] == "adam":
            own += [LRScheduler("ExponentialLR", gamma=0.95)]
        own += [EarlyStopping("train_loss", patience=50, load_best=True)]
        return [*own, ResumableFit(tmp_path, every=every)]

    settings.setdefault("kind", MultiTaskAlignedClassifier)
    unbroken = fitted(callbacks(None), **settings)
    assert not list(tmp_path.iterdir())  # removed in the end
    for dies_at in (3, 9, 10, 14, 19):
        with pytest.raises(RuntimeError, match="died"):
            fitted(callbacks(dies_at), **settings)
    model = fitted(callbacks(None), **settings)
    assert model.callbacks[-1].resumed_at_ > 5
    assert state_of(model) == state_of(unbroken)
    counts, expected = model.callbacks[0][1], unbroken.callbacks[0][1]
    assert counts.losses_ == expected.losses_ == model.loss_curve_
    assert counts.total == expected.total
    assert not list(tmp_path.iterdir())


def test_checkpoints_change_nothing_with_adam(tmp_path: Path) -> None:
    with_checkpoints = fitted([ResumableFit(tmp_path, every=1)], **ADAM)
    plain = fitted([], **ADAM)
    assert state_of(with_checkpoints)[:2] == state_of(plain)[:2]  # weights and moments
    np.testing.assert_allclose(with_checkpoints.loss_curve_, plain.loss_curve_, rtol=1e-6)


def test_with_lbfgs_the_optimum_is_the_same(tmp_path: Path) -> None:
    settings = {**LBFGS, "max_iter": 1000, "tol": 1e-6, "hidden_layer_sizes": ()}
    settings.pop("every")
    with_checkpoints = fitted([ResumableFit(tmp_path)], **settings)
    said = with_checkpoints.predict_proba(X, task=TASK)
    np.testing.assert_allclose(said, fitted([], **settings).predict_proba(X, task=TASK), atol=1e-4)


def kill_twenty_times(settings: dict[str, Any]) -> None:
    """In a process of its own, in an empty folder: kill fits until one comes to its end."""
    warnings.simplefilter("ignore")
    random, fsync = np.random.default_rng(1), os.fsync
    n_kills = n_in_writing = 0

    class Tells(Callback):
        """Of every epoch."""

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            os.write(tell, b"e")

    def fit(folder: str) -> Any:
        resumable = ResumableFit(folder, every=settings["every"])
        params = {name: value for name, value in settings.items() if name != "every"}
        return fitted([resumable, Tells()], **params), resumable.resumed_at_

    def fork(folder: str, *, stops_in_writing: bool) -> int:
        child = os.fork()
        if child:
            return child
        if stops_in_writing:  # where a file has its bytes, and not its name

            def stop(number: int) -> None:
                fsync(number)
                os.write(tell, b"w" * 1000)
                signal.pause()

            os.fsync = stop
        model, resumed_at = fit(folder)
        Path(f"{folder}.json").write_text(json.dumps([state_of(model), resumed_at]))
        os._exit(0)

    told, tell = os.pipe()
    fitted([ResumableFit("first", every=1)], solver=settings["solver"], max_iter=2)  # all imports
    os.waitpid(fork("unbroken", stops_in_writing=False), 0)
    while n_kills < 20:
        os.close(told)
        os.close(tell)
        told, tell = os.pipe()
        in_writing = n_kills % 4 == 3
        child = fork("broken", stops_in_writing=in_writing)
        seen = b""
        for _ in range(1000 if in_writing else random.integers(1, 8)):
            seen += os.read(told, 1)
            if seen.endswith(b"w"):
                break
        for _ in range(random.integers(50_000)):  # a moment, at any point of an epoch
            pass
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL  # it had not come to its end
        n_kills, n_in_writing = n_kills + 1, n_in_writing + seen.endswith(b"w")
    os.waitpid(fork("broken", stops_in_writing=False), 0)
    (unbroken, _), (broken, resumed_at) = (
        json.loads(Path(f"{name}.json").read_text()) for name in ("unbroken", "broken")
    )
    found = {"same": unbroken == broken, "kills": n_kills, "in writing": n_in_writing}
    left = [str(path) for name in ("broken", "unbroken") for path in Path(name).iterdir()]
    print(json.dumps({**found, "resumed at": resumed_at, "epochs": broken[4], "left": left}))


@pytest.mark.parametrize(
    "settings",
    [
        {
            **{"every": 2, "solver": "adam", "alignment_schedule": "after_shared"},
            **{"early_stopping": True, "max_iter": 120, "n_iter_no_change": 60},
        },
        {"every": 3, "solver": "lbfgs", "tol": 1e-12, "max_iter": 120, "n_iter_no_change": 200},
    ],
    ids=["adam", "lbfgs"],
)
def test_twenty_kills_change_nothing(settings: dict[str, Any], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, __file__, json.dumps(settings)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        timeout=300,
    )
    found = json.loads(done.stdout)
    assert found["same"]
    assert (found["kills"], found["in writing"]) == (20, 5)
    assert 0 < found["resumed at"] < found["epochs"]
    assert found["left"] == []


# Whose checkpoints they are


def test_another_fit_begins_afresh(tmp_path: Path) -> None:
    def die(**params: Any) -> None:
        with pytest.raises(RuntimeError, match="died"):
            fitted([ResumableFit(tmp_path, every=1), Counts(dies_at=9)], **{**ADAM, **params})

    die()
    die(alpha=3.0)
    die(random_state=1)
    assert len(list(tmp_path.iterdir())) == 3
    resumable = ResumableFit(tmp_path, every=1)
    fitted([resumable], **ADAM, head_alpha=1.0)
    assert resumable.resumed_at_ == 0
    model = MultiTaskAlignedClassifier(**SMALL, **ADAM, callbacks=[resumable])
    model.fit(X[:-1], Y[:-1], task=TASK[:-1])
    assert resumable.resumed_at_ == 0
    fitted([resumable], **ADAM, alpha=3.0, verbose=False)
    assert resumable.resumed_at_ == 8
    assert len(list(tmp_path.iterdir())) == 2


def test_the_fits_of_a_search_share_a_folder(tmp_path: Path) -> None:
    table = np.column_stack([X, TASK])
    model = MultiTaskAlignedClassifier(
        task_column=-1, callbacks=[ResumableFit(tmp_path, every=1)], **SMALL, **ADAM
    )
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"alpha": [0.1, 1.0]}, cv=folds).fit(table, Y)
    plain = GridSearchCV(clone(model).set_params(callbacks=None), {"alpha": [0.1, 1.0]}, cv=folds)
    scores = plain.fit(table, Y).cv_results_["mean_test_score"]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], scores)
    assert not list(tmp_path.iterdir())


def test_an_interrupt_keeps_the_checkpoint_and_a_request_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stops(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 5:
                raise KeyboardInterrupt

    fitted([ResumableFit(tmp_path, every=1), Stops()], **ADAM)
    assert not list(tmp_path.iterdir())
    unbroken = fitted([ResumableFit(tmp_path, every=1)], **ADAM)
    monkeypatch.setattr(Counts, "on_epoch_begin", lambda self, net, **kwargs: None)

    class Pressed(EpochScoring):  # the keys are pressed while skorch scores
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            if len(net.history) == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(Pressed, "__module__", "skorch.callbacks.scoring")
    resumable = ResumableFit(tmp_path, every=1)
    with pytest.warns(UserWarning, match="interrupted"):
        model = fitted([resumable, Pressed("accuracy", on_train=True)], **ADAM)
    assert model.n_iter_ == 4
    assert len(list(tmp_path.iterdir())) == 1
    path = next(tmp_path.iterdir())
    with pytest.raises(ValueError, match="is a checkpoint of a training that has not come to its"):
        MultiTaskAlignedClassifier.load(path)
    other = Pressed("accuracy", on_train=True)
    monkeypatch.setattr(Pressed, "on_epoch_end", lambda self, net, **kwargs: None)
    model = fitted([resumable, other], **ADAM)
    assert resumable.resumed_at_ == 4
    assert model.loss_curve_ == unbroken.loss_curve_


def test_what_it_needs(tmp_path: Path) -> None:
    for random_state in (None, np.random.RandomState(0)):
        with pytest.raises(ValueError, match="needs random_state to be an integer"):
            fitted([ResumableFit(tmp_path)], random_state=random_state)
    with pytest.raises(ValueError, match="every must be a positive integer; got 0"):
        fitted([ResumableFit(tmp_path, every=0)])
    two = {"accelerator": SimpleNamespace(num_processes=2, process_index=0)}
    with pytest.raises(ValueError, match="ResumableFit is for a fit in one process"):
        fitted([ResumableFit(tmp_path)], **ADAM, net_params=two)
    model = MultiTaskAlignedClassifier(callbacks=[("r", ResumableFit(tmp_path))], **SMALL, **ADAM)
    with pytest.raises(ValueError, match=r"ResumableFit is for fit\..*call save"):
        model.partial_fit(X, Y, task=TASK)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        fitted([ResumableFit(tmp_path / "file")])


def test_a_damaged_checkpoint_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="died"):
        fitted([ResumableFit(tmp_path, every=1), Counts(dies_at=9)], **ADAM)
    path = next(tmp_path.iterdir())
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match=f"{path.name} is not as it was written"):
        fitted([ResumableFit(tmp_path, every=1)], **ADAM)


if __name__ == "__main__":
    kill_twenty_times(json.loads(sys.argv[1]))
