"""skorch callbacks and arguments of the net: what skorch's users know works as they know it."""

from __future__ import annotations

import pickle
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LRScheduler,
    PrintLog,
    ProgressBar,
    TrainEndCheckpoint,
)

from helpers import InterruptBatch, StopAt, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor

SOLVERS = pytest.mark.parametrize("solver", ["lbfgs", "adam"])
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "batch_size": 40, "random_state": 0}
# The estimator's own rule does not end the training.
ENDLESS: dict[str, Any] = {**SMALL, "tol": 0, "n_iter_no_change": 10_000}


class Recorder(Callback):
    """Writes down what it is told."""

    def initialize(self) -> Recorder:
        self.calls_: list[str] = []
        self.batches_: list[dict[str, Any]] = []
        self.weights_: list[dict[str, torch.Tensor]] = []
        return self

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.calls_.append("train begin")
        self.weights_.append(weights_of(net))

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.calls_.append("epoch begin")

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        self.calls_.append(f"{'batch' if training else 'held-out batch'} begin")

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        self.calls_.append("gradient")

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        self.calls_.append(f"{'batch' if training else 'held-out batch'} end")
        self.batches_.append(kwargs)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.calls_.append("epoch end")
        self.weights_.append(weights_of(net))

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        self.calls_.append("train end")


def weights_of(net: Any) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in net.module_.state_dict().items()}


def assert_has_weights(model: Any, expected: dict[str, torch.Tensor]) -> None:
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, expected[name]), name


# Epochs and batches


@SOLVERS
def test_callbacks_are_told_of_every_epoch_and_batch(solver: str) -> None:
    X, y, task = make_tasks()  # 240 rows
    recorder = Recorder()
    with pytest.warns(ConvergenceWarning):
        model = MultiTaskAlignedClassifier(
            **ENDLESS,
            solver=solver,
            callbacks=[recorder],
            max_iter=3,
            early_stopping=True,
            validation_fraction=0.25,
        ).fit(X, y, task=task)
    batch = ["batch begin", "gradient", "batch end"] * 5  # 180 rows, 40 at a time
    if solver == "lbfgs":
        batch = ["batch begin", "batch end"]
    held_out = ["held-out batch begin", "held-out batch end"]
    epoch = ["epoch begin", *batch, *held_out, "epoch end"]
    assert recorder.calls_ == ["train begin", *epoch * 3, "train end"]
    assert model.n_iter_ == len(model.net_.history) == 3
    assert (
        model.net_.history[:, "train_batch_count"] == [len(batch) // (2 + (solver == "adam"))] * 3
    )
    sizes = [(len(b["batch"][0]["rows"]), len(b["y_pred"])) for b in recorder.batches_]
    assert sum(n for n, _ in sizes) == 3 * 240
    assert all(n == m for n, m in sizes)


@SOLVERS
def test_history_of_the_net_is_the_loss_curve(solver: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL, solver=solver, max_iter=200, tol=0.01)
    model.fit(X, y, task=task)
    assert model.net_.history[:, "train_loss"] == model.loss_curve_
    assert model.net_.history[:, "epoch"] == list(range(1, model.n_iter_ + 1))
    assert sum(model.net_.history[:, "train_loss_best"]) > 1


@SOLVERS
def test_all_callbacks_see_the_epoch_in_which_one_ends_the_training(solver: str) -> None:
    X, y, task = make_tasks()
    before, after, lines = Recorder(), Recorder(), []
    callbacks = [before, StopAt(4), ("late", after), PrintLog(sink=lines.append)]
    model = MultiTaskAlignedClassifier(**ENDLESS, solver=solver, callbacks=callbacks)
    model.fit(X, y, task=task)
    assert model.n_iter_ == 4
    assert before.calls_ == after.calls_
    assert after.calls_.count("epoch end") == 4
    assert after.calls_[-1] == "train end"
    assert dict(model.net_.callbacks_)["late"] is after
    assert len(lines) == 2 + 4  # a table with its head
    assert lines[-1].split()[0] == "4"


@SOLVERS
def test_an_interrupt_keeps_the_epochs_done(solver: str) -> None:
    X, y, task = make_tasks()
    for early_stopping in (False, True):
        model = MultiTaskAlignedClassifier(
            **ENDLESS, solver=solver, early_stopping=early_stopping, callbacks=[InterruptBatch(3)]
        ).fit(X, y, task=task)
        assert model.n_iter_ == len(model.loss_curve_) == len(model.net_.history) == 2
        model.set_params(callbacks=[InterruptBatch(1)]).fit(X, y, task=task)
        assert model.n_iter_ == 0
        assert model.predict(X, task=task).shape == y.shape


def test_verbose_prints_a_line_for_every_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL, verbose=True).fit(X, y, task=task)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2 : 2 + model.n_iter_]] == [
        str(epoch) for epoch in range(1, model.n_iter_ + 1)
    ]
    model.set_params(net_params={"callbacks__print_log": None}).fit(X, y, task=task)
    assert len(capsys.readouterr().out.splitlines()) < 2


class Bars(ProgressBar):
    """Remembers how far each epoch's bar came."""

    def initialize(self) -> Any:
        self.ends_: list[tuple[int, int]] = []
        return super().initialize()

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.ends_.append((self.pbar_.n, self.pbar_.total))
        super().on_epoch_end(net, **kwargs)


@SOLVERS
def test_progress_bars_are_full_at_the_end_of_an_epoch(
    solver: str, capsys: pytest.CaptureFixture[str]
) -> None:
    X, y, task = make_tasks()
    for early_stopping in (False, True):
        bars = Bars(detect_notebook=False)
        model = MultiTaskAlignedClassifier(
            **ENDLESS, solver=solver, callbacks=[bars, StopAt(3)], early_stopping=early_stopping
        ).fit(X, y, task=task)
        n_batches = (6 if solver == "adam" else 1) + early_stopping
        assert bars.ends_ == [(n_batches, n_batches)] * 3
        assert f"/{n_batches} " in capsys.readouterr().err
        pickle.loads(pickle.dumps(model))


# Stopping


def stops_at(values: list[float], patience: int, threshold: float) -> int:
    """The epoch that skorch's rule ends at: so many in a row, none better by a share."""
    bar, misses = np.inf, 0
    for epoch, value in enumerate(values, start=1):
        misses = 0 if value < bar else misses + 1
        bar = value * (1 - threshold) if value < bar else bar
        if misses == patience:
            return epoch
    raise AssertionError("never")


@SOLVERS
@pytest.mark.parametrize("monitor", ["train_loss", "valid_loss"])
def test_early_stopping_ends_at_the_epoch_of_its_rule(solver: str, monitor: str) -> None:
    X, y, task = make_tasks()
    settings = {**ENDLESS, "solver": solver, "early_stopping": monitor == "valid_loss"}
    settings |= {"learning_rate_init": 0.01, "max_iter": 60}
    free = MultiTaskAlignedClassifier(**settings, callbacks=[StopAt(59)]).fit(X, y, task=task)
    expected = stops_at(free.net_.history[:, monitor], 3, 0.02)
    callback = EarlyStopping(monitor, patience=3, threshold=0.02)
    model = MultiTaskAlignedClassifier(**settings, callbacks=[callback]).fit(X, y, task=task)
    assert model.n_iter_ == expected < free.n_iter_
    assert model.loss_curve_ == free.loss_curve_[:expected]


def brier(net: Any, X: Any, y: Any) -> float:
    return float(np.mean((net.predict_proba(X)[:, 1] - y) ** 2))


@SOLVERS
def test_early_stopping_on_a_score_of_the_users(solver: str) -> None:
    X, y, task = make_tasks(rows=60)
    score = EpochScoring(brier)
    callback = EarlyStopping("brier", patience=2, threshold=0, load_best=True)
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(
        **ENDLESS,
        solver=solver,
        learning_rate_init=0.03,
        early_stopping=True,
        callbacks=[score, callback, recorder],
    ).fit(X, y, task=task)
    scores = model.net_.history[:, "brier"]
    assert model.n_iter_ == stops_at(scores, 2, 0)
    assert_has_weights(model, recorder.weights_[1 + int(np.argmin(scores))])


@SOLVERS
@pytest.mark.parametrize("schedule", ["joint", "after_shared"])
def test_callbacks_have_the_last_word_on_the_weights(
    solver: str, schedule: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The estimator keeps the best score; whoever asks for the best loss gets that."""
    monkeypatch.setattr(
        "sk_mtl._net_building._held_out_score", lambda net, X, y: -abs(len(net.history) - 2.0)
    )
    X, y, task = make_tasks()
    settings = {**SMALL, "solver": solver, "alignment_schedule": schedule, "n_iter_no_change": 3}
    settings |= {"early_stopping": True, "alignment": "full", "learning_rate_init": 0.01}
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(**settings, callbacks=[recorder]).fit(X, y, task=task)
    assert model.n_iter_ == (5 if schedule == "joint" else 9)
    assert_has_weights(model, recorder.weights_[2])
    checkpoint = Checkpoint(dirname=str(tmp_path), load_best=True)
    model.set_params(callbacks=[recorder, checkpoint]).fit(X, y, task=task)
    best = int(np.argmin(model.net_.history[:, "valid_loss"]))
    assert best != 1
    assert_has_weights(model, recorder.weights_[1 + best])


# Checkpoints


@SOLVERS
def test_checkpoint_saves_the_best_epoch(solver: str, tmp_path: Path) -> None:
    X, y, task = make_tasks(rows=60)
    recorder = Recorder()
    checkpoint = Checkpoint(dirname=str(tmp_path), fn_prefix="best_")
    last = TrainEndCheckpoint(dirname=str(tmp_path))
    model = MultiTaskAlignedClassifier(
        **ENDLESS,
        solver=solver,
        learning_rate_init=0.03,
        early_stopping=True,
        callbacks=[recorder, checkpoint, last, StopAt(25)],
    ).fit(X, y, task=task)
    losses = model.net_.history[:, "valid_loss"]
    saved = [e for e in range(25) if losses[e] < min(losses[:e], default=np.inf)]
    assert np.flatnonzero(model.net_.history[:, "event_cp"]).tolist() == saved
    best = recorder.weights_[1 + saved[-1]]
    on_disk = torch.load(tmp_path / "best_params.pt")
    assert all(torch.equal(on_disk[name], best[name]) for name in best)
    assert_has_weights(model, torch.load(tmp_path / "train_end_params.pt"))
    model.net_.load_params(checkpoint=checkpoint)
    assert_has_weights(model, best)


# Learning rates


class Rates(Callback):
    def initialize(self) -> Rates:
        self.rates_: list[list[float]] = []
        return self

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        self.rates_.append([group["lr"] for group in net.optimizer_.param_groups])


@pytest.mark.parametrize("schedule", ["joint", "after_shared"])
def test_a_scheduler_sets_the_rate_of_every_group(schedule: str) -> None:
    X, y, task = make_tasks()
    rates = Rates()
    model = MultiTaskAlignedClassifier(
        **ENDLESS,
        solver="adam",
        alignment="full",
        alignment_schedule=schedule,
        learning_rate_init=0.02,
        max_iter=8,
        callbacks=[LRScheduler("StepLR", step_size=3, gamma=0.5), rates],
    )
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y, task=task)
    base = np.array(rates.rates_[0])
    names = [name for name, _ in model.module_.named_parameters()]
    assert base[names.index("alignment.deviation")] == pytest.approx(0.002)
    assert len(set(base.round(6))) > 2  # groups have rates of their own
    expected = base * 0.5 ** (np.arange(8) // 3)[:, None]
    np.testing.assert_allclose(rates.rates_, expected, rtol=1e-9)
    np.testing.assert_allclose(model.net_.history[:, "event_lr"], expected[:, 0], rtol=1e-9)


def test_a_scheduler_may_watch_the_loss() -> None:
    X, y, task = make_tasks()
    rates = Rates()
    scheduler = LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0, factor=0.5)
    model = MultiTaskAlignedClassifier(
        **ENDLESS,
        solver="adam",
        learning_rate_init=0.05,
        early_stopping=True,
        callbacks=[scheduler, rates, StopAt(12)],
    ).fit(X, y, task=task)
    rate, best = rates.rates_[0][0], np.inf
    expected = []
    for loss in model.net_.history[:, "valid_loss"]:
        expected.append(rate)
        progress = loss < best * (1 - 1e-4)
        rate, best = (rate, loss) if progress else (0.5 * rate, best)
    assert len(set(expected)) > 2
    np.testing.assert_allclose([row[0] for row in rates.rates_], expected)


# Scores


def told(net: Any, X: Any, y: Any) -> float:
    return float(net.score(X, y))


@SOLVERS
@pytest.mark.parametrize("names", [["lo", "hi"], [3, 7], ["a", "b", "c"]])
def test_scores_are_the_estimator_s_own(solver: str, names: list[Any]) -> None:
    X, codes, task = make_tasks(len(names))
    y = np.array(names)[codes]
    order = np.random.default_rng(0).permutation(len(y))
    X, y, task = X[order], y[order], task[order]
    auc = "roc_auc" if len(names) == 2 else "roc_auc_ovr"
    scores = [
        EpochScoring("accuracy", on_train=True),
        EpochScoring(auc, on_train=True),
        EpochScoring("neg_log_loss", on_train=True),
        EpochScoring(told, on_train=True),
        EpochScoring(None, on_train=True),
    ]
    model = MultiTaskAlignedClassifier(**ENDLESS, solver=solver, callbacks=[*scores, StopAt(5)])
    model.fit(X, y, task=task)
    last = model.net_.history[-1]
    probability = model.predict_proba(X, task=task)
    assert last["accuracy"] == last["told"] == last["score"] == model.score(X, y, task=task)
    by_hand = roc_auc_score(
        y, probability[:, 1] if len(names) == 2 else probability, multi_class="ovr"
    )
    assert last[auc] == pytest.approx(by_hand)
    assert last["neg_log_loss"] == pytest.approx(-log_loss(y, probability))
    assert model.net_.history[0, "accuracy"] != last["accuracy"]


def test_scores_of_held_out_rows() -> None:
    X, y, task = make_tasks()
    callbacks = [EpochScoring("accuracy", lower_is_better=False), StopAt(6)]
    model = MultiTaskAlignedClassifier(**ENDLESS, early_stopping=True, callbacks=callbacks)
    model.fit(np.column_stack([X, task]), y)
    assert model.net_.history[:, "accuracy"] == model.validation_scores_
    best = np.maximum.accumulate(model.validation_scores_)
    marked = np.flatnonzero(model.net_.history[:, "accuracy_best"])
    assert marked.tolist() == [0, *(1 + np.flatnonzero(np.diff(best)))]
    model.set_params(early_stopping=False).fit(X, y, task=task)
    assert "accuracy" not in model.net_.history[-1]  # as in skorch, without rows held out


class KeepRows(Callback):
    """What a scoring function is given."""

    def initialize(self) -> KeepRows:
        self.seen_: list[tuple[Any, Any]] = []
        return self

    def __call__(self, net: Any, X: Any, y: Any) -> float:
        self.seen_.append((net.predict(X), y))
        return 0.0


def test_scoring_functions_get_a_wide_y_with_its_gaps() -> None:
    X, y, _ = make_tasks()
    shown = np.array(["no", "yes"])[y].astype(object)
    shown[::7] = None
    Y = np.column_stack([np.where(np.arange(len(y)) % 5 == 0, np.nan, 1.0 + y), y])
    words = np.column_stack([shown, shown[::-1]])
    large = words.copy()
    large[words == "no"], large[words == "yes"] = 2**60, 2**60 + 1
    for wide in (Y, words, large):
        keep = KeepRows().initialize()
        model = MultiTaskAlignedClassifier(
            **ENDLESS, callbacks=[EpochScoring(keep, name="x", on_train=True), StopAt(3)]
        ).fit(X, wide)
        predicted, given = keep.seen_[-1]
        np.testing.assert_array_equal(predicted, model.predict(X))
        if wide is Y:
            np.testing.assert_array_equal(given, Y)
        else:
            there = np.equal(wide, None) == 0
            np.testing.assert_array_equal(given[there], wide[there])
            assert np.isnan(given[~there].astype(float)).all()


def test_scores_of_a_regressor() -> None:
    X, y, task = make_tasks()
    values = 100.0 + 20 * X[:, 0] + y
    Y = np.column_stack([values, -values])
    Y[::4, 0] = np.nan
    for target, ids in ((values, task), (Y, None)):
        keep = KeepRows().initialize()
        callbacks = [
            EpochScoring(None, on_train=True),
            EpochScoring(keep, name="x", on_train=True),
            StopAt(4),
        ]
        model = MultiTaskAlignedRegressor(**ENDLESS, callbacks=callbacks)
        model.fit(X, target, task=ids)
        assert model.net_.history[-1, "score"] == pytest.approx(model.score(X, target, task=ids))
        np.testing.assert_allclose(keep.seen_[-1][1], target)
    callbacks = [EpochScoring("r2", on_train=True), StopAt(4)]
    model = MultiTaskAlignedRegressor(**ENDLESS, callbacks=callbacks).fit(X, values, task=task)
    by_hand = r2_score(values, model.predict(X, task=task))
    assert model.net_.history[-1, "r2"] == pytest.approx(by_hand)


def batch_loss(net: Any, X: Any, y: Any) -> float:
    target, weight, _ = y
    with torch.no_grad():
        logits = net.module_(**X).squeeze(-1).numpy()
    return float(
        np.average(np.logaddexp(0, np.where(target == 1, -logits, logits)), weights=weight)
    )


def test_batch_scores_are_of_what_the_network_sees() -> None:
    X, y, task = make_tasks()
    for solver in ("lbfgs", "adam"):
        callbacks = [BatchScoring(batch_loss, on_train=True, name="loss"), StopAt(4)]
        model = MultiTaskAlignedClassifier(
            **ENDLESS, solver=solver, learning_rate_init=1e-9, callbacks=callbacks
        ).fit(X, y, task=task)
        by_hand = log_loss(y, model.predict_proba(X, task=task))
        assert model.net_.history[-1, "loss"] == pytest.approx(by_hand, rel=1e-5)
    model.set_params(callbacks=[BatchScoring("accuracy", on_train=True)])
    with pytest.raises(TypeError, match="not a batch of them: score them by EpochScoring"):
        model.fit(X, y, task=task)


def test_the_net_does_not_pose_as_the_estimator_afterwards() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, y, task=task)
    with pytest.raises(AttributeError, match="Use the estimator's methods"):
        model.net_.predict(X)


# Weights and gradients


@SOLVERS
def test_frozen_parameters_stay_where_they_start(solver: str) -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(
        **ENDLESS, solver=solver, callbacks=[recorder, Freezer("shared.*"), StopAt(5)]
    ).fit(X, y, task=task)
    for name, value in model.module_.named_parameters():
        assert torch.equal(value, recorder.weights_[0][name]) == name.startswith("shared."), name


def threes(parameter: torch.Tensor) -> None:
    torch.nn.init.constant_(parameter, 3.0)


def test_weights_may_be_set_at_the_start() -> None:
    X, y, task = make_tasks()
    callbacks = [Initializer("shared.module.0.bias", fn=threes), Freezer("shared.*"), StopAt(3)]
    for solver in ("lbfgs", "adam"):
        model = MultiTaskAlignedClassifier(**ENDLESS, solver=solver, callbacks=callbacks)
        model.fit(X, y, task=task)
        assert (model.module_.state_dict()["shared.module.0.bias"] == 3).all()


class Norms(Callback):
    def initialize(self) -> Norms:
        self.norms_: list[float] = []
        return self

    def on_grad_computed(self, net: Any, named_parameters: Any, **kwargs: Any) -> None:
        self.norms_.append(sum(float((p.grad**2).sum()) for _, p in named_parameters) ** 0.5)


def test_gradients_are_clipped() -> None:
    X, y, task = make_tasks()
    free, clipped = Norms(), Norms()
    callbacks = [("free", free), GradientNormClipping(0.01), ("clipped", clipped), StopAt(2)]
    MultiTaskAlignedClassifier(**ENDLESS, solver="adam", callbacks=callbacks).fit(X, y, task=task)
    assert len(clipped.norms_) == 2 * 6
    assert min(free.norms_) > 0.02
    np.testing.assert_allclose(clipped.norms_, 0.01, rtol=1e-3)


# What is refused


@pytest.mark.parametrize(
    ("callback", "params", "message"),
    [
        (EarlyStopping(), {}, "EarlyStopping monitors 'valid_loss', but no rows are held out"),
        (("best", Checkpoint()), {}, "Checkpoint monitors 'valid_loss_best'.*early_stopping=True"),
        (LRScheduler(), {}, 'LRScheduler acts on .* Pass solver="adam"'),
        (LRScheduler, {}, 'LRScheduler acts on .* Pass solver="adam"'),
        (GradientNormClipping(1.0), {}, 'GradientNormClipping acts on .* Pass solver="adam"'),
        (InputShapeSetter(), {"solver": "adam"}, "InputShapeSetter has nothing to set"),
        (print, {}, "callbacks holds <built-in function print>, which is no skorch callback"),
    ],
)
def test_callbacks_that_cannot_work(callback: Any, params: dict[str, Any], message: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL, callbacks=[callback], **params)
    with pytest.raises(ValueError, match=message):
        model.fit(X, y, task=task)


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        ("batch_size", "batch_size"),
        ("callbacks", "callbacks"),
        ("device", "device"),
        ("lr", "learning_rate_init"),
        ("max_epochs", "max_iter"),
        ("module", "shared_module"),
        ("optimizer__lr", "learning_rate_init"),
        ("tol", "tol"),
        ("train_split", "early_stopping"),
        ("verbose", "verbose"),
        ("warm_start", "warm_start"),
    ],
)
def test_net_params_leave_the_estimator_s_parameters_alone(name: str, parameter: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", net_params={name: None})
    assert parameter in model.get_params()
    with pytest.raises(ValueError, match=rf"not hold '{name}'.*parameter for it: {parameter}\."):
        model.fit(X, y, task=task)


@pytest.mark.parametrize(
    "name", ["criterion", "dataset", "iterator_train", "callbacks__train_loss", "typo"]
)
def test_net_params_leave_the_rest_alone(name: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", net_params={name: None})
    with pytest.raises(ValueError, match=rf"not hold '{name}'. It is for optimizer, optimizer__\*"):
        model.fit(X, y, task=task)


@pytest.mark.parametrize("name", ["optimizer", "optimizer__momentum", "iterator_train__shuffle"])
def test_net_params_of_batches_need_batches(name: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(net_params={name: None})
    with pytest.raises(ValueError, match=f"not hold '{name}'.*Pass solver=\"adam\""):
        model.fit(X, y, task=task)


# Arguments of the net


def test_net_params_choose_the_optimizer() -> None:
    """One step on all rows is against the gradient, in proportion to each group's rate."""
    X, y, task = make_tasks()
    recorder, rates = Recorder(), Rates()
    model = MultiTaskAlignedClassifier(
        **{**ENDLESS, "batch_size": len(y)},
        solver="adam",
        learning_rate_init=0.1,
        dtype="float64",
        callbacks=[recorder, rates, StopAt(3)],
        net_params={"optimizer": torch.optim.SGD, "optimizer__momentum": 0.5},
    ).fit(X, y, task=task)
    assert isinstance(model.net_.optimizer_, torch.optim.SGD)
    weights = recorder.weights_
    names = [name for name, _ in model.module_.named_parameters()]
    for name, rate in zip(names, rates.rates_[0], strict=True):
        last_step = weights[3][name] - weights[2][name]
        step_before = weights[2][name] - weights[1][name]
        gradient = dict(model.module_.named_parameters())[name].grad
        torch.testing.assert_close(last_step, 0.5 * step_before - rate * gradient)


def test_net_params_reach_the_batches_and_callbacks() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        **ENDLESS,
        solver="adam",
        callbacks=[StopAt(9)],
        net_params={"iterator_train__batch_size": 100, "callbacks__StopAt__epoch": 2},
    ).fit(X, y, task=task)
    assert [len(epoch["batches"]) for epoch in model.net_.history] == [3, 3]
    lines: list[str] = []
    model.set_params(net_params={"callbacks__print_log__sink": lines.append})
    model.fit(X, y, task=task)
    assert len(lines) == 2 + 2  # StopAt keeps what it was set to, as skorch's callbacks do


# One estimator, several fits


def stateful(folder: Path) -> list[Any]:
    return [
        EpochScoring(brier, on_train=True),
        EarlyStopping("brier", patience=2, threshold=0.05),
        ("save", Checkpoint(monitor="brier_best", dirname=str(folder))),
        LRScheduler("ExponentialLR", gamma=0.9),
        Freezer("shared.module.0.bias"),
    ]


def without_times(model: Any) -> list[dict[str, Any]]:
    return [
        {k: v for k, v in row.items() if k not in ("dur", "batches")} for row in model.net_.history
    ]


def test_every_fit_starts_callbacks_afresh(tmp_path: Path) -> None:
    X, y, task = make_tasks()
    settings = {**ENDLESS, "solver": "adam", "learning_rate_init": 0.05}
    model = MultiTaskAlignedClassifier(**settings, callbacks=stateful(tmp_path))
    callbacks = model.callbacks
    first = without_times(model.fit(X, y, task=task))
    assert 3 < len(first) < 100
    assert without_times(model.fit(X, y, task=task)) == first
    assert model.get_params()["callbacks"] is callbacks
    for again in (clone(model), pickle.loads(pickle.dumps(model)), deepcopy(model)):
        assert without_times(again.fit(X, y, task=task)) == first
    other = MultiTaskAlignedClassifier(**settings, callbacks=callbacks)
    assert without_times(other.fit(X, y, task=task)) == first


@pytest.mark.parametrize("n_jobs", [1, 2])
@SOLVERS
def test_a_search_has_callbacks_of_its_own_for_every_fit(solver: str, n_jobs: int) -> None:
    X, y, task = make_tasks(rows=20)
    X = np.column_stack([X, task])
    callback = EarlyStopping("valid_loss", patience=2, threshold=0.01, load_best=True)
    untouched = deepcopy(vars(callback))
    model = MultiTaskAlignedClassifier(
        **ENDLESS, solver=solver, task_column=-1, early_stopping=True, callbacks=[callback]
    ).set_params(learning_rate_init=0.05)
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"alpha": [0.1, 10.0]}, cv=cv, n_jobs=n_jobs).fit(X, y)
    assert vars(callback) == untouched
    for i, alpha in enumerate([0.1, 10.0]):
        for k, (train, test) in enumerate(cv.split(X, y)):
            alone = clone(model).set_params(alpha=alpha).fit(X[train], y[train])
            assert search.cv_results_[f"split{k}_test_score"][i] == alone.score(X[test], y[test])
    best = clone(model).set_params(**search.best_params_).fit(X, y)
    assert without_times(search.best_estimator_) == without_times(best)
    assert best.n_iter_ == stops_at(best.net_.history[:, "valid_loss"], 2, 0.01)


def test_partial_fit_is_a_training_of_one_epoch() -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(**SMALL, solver="adam", callbacks=[recorder])
    for _ in range(3):
        model.partial_fit(X, y, task=task)
    batches = ["batch begin", "gradient", "batch end"] * 6
    assert recorder.calls_ == ["train begin", "epoch begin", *batches, "epoch end", "train end"] * 3
    assert len(model.net_.history) == 3


def test_add_task_leaves_callbacks_alone(tmp_path: Path) -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    checkpoint = Checkpoint(dirname=str(tmp_path))
    model = MultiTaskAlignedClassifier(
        **SMALL, early_stopping=True, callbacks=[recorder, checkpoint]
    ).fit(X, y, task=task)
    calls = list(recorder.calls_)
    saved = (tmp_path / "params.pt").read_bytes()
    model.add_task(X[:40], y[:40], task=9)
    assert recorder.calls_ == calls
    assert (tmp_path / "params.pt").read_bytes() == saved
    assert dict(model.net_.callbacks_)["Recorder"] is recorder
