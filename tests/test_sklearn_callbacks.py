"""scikit-learn's callbacks (`set_callbacks`), which it has from version 1.9 on."""

from __future__ import annotations

import copy
import pickle
import re
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

from helpers import InterruptBatch, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._lbfgs import minimize
from sk_mtl.metrics import TaskScorer

callback = pytest.importorskip("sklearn.callback")

SOLVERS = pytest.mark.parametrize("solver", ["lbfgs", "adam"])
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "random_state": 0}


class Recorder:
    """Writes down the path of every task that begins or ends, as its names."""

    max_propagation_depth = None

    def __init__(self, stop_at: int | None = None, fail_at: int | None = None) -> None:
        self.stop_at, self.fail_at = stop_at, fail_at
        self.began: list[tuple[str, ...]] = []
        self.ended: list[tuple[str, ...]] = []
        self.data: list[Any] = []
        self.bounds: list[int] = []
        self.open = 0

    def setup(self, estimator: Any, context: Any) -> None:
        self.open += 1

    def teardown(self, estimator: Any, context: Any) -> None:
        self.open -= 1

    def on_fit_task_begin(
        self, estimator: Any, context: Any, *, X: Any = None, metadata: Any = None
    ) -> None:
        self.began.append(path_of(context))
        self.data.append((X, metadata))
        self.bounds.append(context.max_subtasks)

    def on_fit_task_end(self, estimator: Any, context: Any) -> bool:
        self.ended.append(path_of(context))
        number = context.task_id + 1
        if number == self.fail_at:
            raise RuntimeError("the callback failed")
        return number == self.stop_at


def path_of(context: Any) -> tuple[str, ...]:
    above = () if context.parent is None else path_of(context.parent)
    return (*above, f"{context.estimator_name} {context.task_name} {context.task_id}")


class Snapshots(Recorder):
    """Keeps the estimator of every epoch, and what it predicts there and then."""

    def __init__(self, X: Any) -> None:
        super().__init__()
        self.X, self.seen = X, []

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, fitted_estimator: Any = None
    ) -> None:
        assert fitted_estimator is not estimator
        self.seen.append((fitted_estimator, fitted_estimator.predict_proba(self.X)))


FIT = "MultiTaskAlignedClassifier fit 0"


def epochs(n: int, *path: str) -> list[tuple[str, ...]]:
    return [(*path, f"MultiTaskAlignedClassifier epoch {i}") for i in range(n)]


def stacked() -> tuple[Any, Any]:
    """Rows with the task in the last column, shuffled."""
    X, y, task = make_tasks(rows=20)
    order = np.random.default_rng(0).permutation(len(y))
    return np.column_stack([X, task])[order], y[order]


@SOLVERS
@pytest.mark.parametrize("schedule", ["joint", "alternating", "after_shared"])
def test_a_fit_is_a_task_and_each_epoch_a_subtask(solver: str, schedule: str) -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(
        **SMALL, solver=solver, alignment="full", alignment_schedule=schedule, tol=0.01
    ).set_callbacks(recorder)
    model.fit(X, y, task=task)
    assert 5 < model.n_iter_ < model.max_iter
    assert recorder.began == [(FIT,), *epochs(model.n_iter_, FIT)]
    assert recorder.ended == [*epochs(model.n_iter_, FIT), (FIT,)]
    assert recorder.open == 0


@SOLVERS
def test_all_epochs_may_be_used_up(solver: str) -> None:
    X, y, task = make_tasks()
    for schedule in ("joint", "alternating", "after_shared"):
        recorder = Recorder()
        model = MultiTaskAlignedClassifier(
            **SMALL, solver=solver, alignment="full", alignment_schedule=schedule, max_iter=7, tol=0
        ).set_callbacks(recorder)
        with pytest.warns(ConvergenceWarning):
            model.fit(X, y, task=task)
        assert recorder.ended == [*epochs(7, FIT), (FIT,)]


def test_an_iteration_that_comes_to_nothing_is_no_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the end of L-BFGS, when its line search finds no better point."""

    def search_in_vain(objective: Any, start: Any, **settings: Any) -> Any:
        outcome = minimize(objective, start, **settings)
        objective(outcome.x + 1)
        return outcome

    monkeypatch.setattr("sk_mtl._full_batch.minimize", search_in_vain)
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(),
        alignment="full",
        alignment_schedule="alternating",
        tol=0.001,
        n_iter_no_change=10_000,
    ).set_callbacks(recorder)
    model.fit(X, y, task=task)
    assert 10 < model.n_iter_ < model.max_iter  # some turns
    assert model.net_.history[:, "epoch"] == list(range(1, model.n_iter_ + 1))
    assert recorder.began == [(FIT,), *epochs(model.n_iter_, FIT)]
    assert recorder.ended == [*epochs(model.n_iter_, FIT), (FIT,)]


def test_a_search_through_a_pipeline_shows_the_epochs_of_every_fit() -> None:
    X, y, _ = make_tasks(rows=20)
    recorder = Recorder()
    pipeline = make_pipeline(StandardScaler(), MultiTaskAlignedClassifier(**SMALL))
    grid = {"multitaskalignedclassifier__max_iter": [3, 5]}
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, cv=cv).set_callbacks(recorder)
    with pytest.warns(ConvergenceWarning):
        search.fit(X, y)

    def fit_of_pipeline(n: int, *where: str) -> list[tuple[str, ...]]:
        model = (*where, "MultiTaskAlignedClassifier fit 1")
        return [(*where, "StandardScaler fit 0"), *epochs(n, *model), model, where]

    root = "GridSearchCV fit 0"
    expected: list[tuple[str, ...]] = []
    for i, n in enumerate([3, 3, 5, 5]):
        expected += fit_of_pipeline(n, root, "GridSearchCV search 0", f"Pipeline fit {i}")
    expected += [(root, "GridSearchCV search 0")]
    n = search.best_params_["multitaskalignedclassifier__max_iter"]
    expected += [*fit_of_pipeline(n, root, "Pipeline fit 1"), (root,)]
    assert recorder.ended == expected
    assert sorted(recorder.began) == sorted(expected)
    assert recorder.open == 0


def test_the_number_of_epochs_is_bounded_by_max_iter() -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    MultiTaskAlignedClassifier(**SMALL, max_iter=123).set_callbacks(recorder).fit(X, y, task=task)
    assert recorder.bounds == [123, *[0] * (len(recorder.began) - 1)]


def test_callbacks_are_told_what_fit_was() -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(**SMALL).set_callbacks(recorder)
    weight = np.ones(len(y))
    model.fit(X, y, task=task, sample_weight=weight)
    for shown, metadata in recorder.data:
        assert shown is X
        assert metadata.keys() == {"task", "sample_weight"}
        assert metadata["task"] is task
        assert metadata["sample_weight"] is weight
    recorder.data.clear()
    model.fit(X, y)
    assert {metadata for _, metadata in recorder.data} == {None}


# Scores


class KeepWeights(Callback):
    """A skorch callback that keeps the weights of every epoch."""

    def initialize(self) -> KeepWeights:
        self.weights_: list[Any] = []
        return self

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.weights_.append({n: v.clone() for n, v in net.module_.state_dict().items()})


@SOLVERS
def test_scoring_monitor_logs_the_scores_of_every_epoch(solver: str) -> None:
    X, y = stacked()
    monitor, keep = callback.ScoringMonitor(scoring=["accuracy", "roc_auc"]), KeepWeights()
    model = MultiTaskAlignedClassifier(
        **SMALL, solver=solver, task_column=-1, tol=0.01, early_stopping=True, callbacks=[keep]
    ).set_callbacks(monitor)
    model.fit(X, y)
    log = monitor.get_logs().data
    assert [row["task_name"] for row in log] == ["fit", *["epoch"] * model.n_iter_]
    final = clone(model).set_callbacks().fit(X, y)
    assert log[0]["accuracy"] == final.score(X, y)
    assert len({row["roc_auc"] for row in log}) > 3
    for row, weights in zip(log[1:], keep.weights_, strict=True):
        model.module_.load_state_dict(weights)
        assert row["accuracy"] == model.score(X, y)
        assert row["roc_auc"] == roc_auc_score(y, model.predict_proba(X)[:, 1])


def test_scoring_monitor_by_task() -> None:
    X, y, task = make_tasks()
    monitor = callback.ScoringMonitor(scoring=TaskScorer(accuracy_score, average=None))
    model = MultiTaskAlignedClassifier(**SMALL).set_callbacks(monitor).fit(X, y, task=task)
    predicted = model.predict(X, task=task)
    last = monitor.get_logs().data[-1]
    for t in range(3):
        of_task = task == t
        assert last[t] == accuracy_score(y[of_task], predicted[of_task])
    with sklearn.config_context(enable_metadata_routing=True):
        mean = callback.ScoringMonitor(scoring={"mean": TaskScorer(accuracy_score)})
        model.set_callbacks(mean).fit(X, y, task=task)
    assert mean.get_logs().data[-1]["mean"] == pytest.approx(np.mean([last[t] for t in range(3)]))


def test_scoring_monitor_of_a_regressor() -> None:
    X, y, task = make_tasks()
    values = 50 + 9 * X[:, 0] + y
    X = np.column_stack([X, task])
    monitor = callback.ScoringMonitor(scoring="r2")
    model = MultiTaskAlignedRegressor(**SMALL, task_column=-1).set_callbacks(monitor)
    model.fit(X, values)
    log = monitor.get_logs().data
    assert len(log) == 1 + model.n_iter_
    assert log[0]["r2"] == log[-1]["r2"] == model.score(X, values)
    assert log[1]["r2"] < log[-1]["r2"]


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_scoring_monitor_within_a_search(n_jobs: int) -> None:
    X, y = stacked()
    monitor = callback.ScoringMonitor(scoring="accuracy")
    model = MultiTaskAlignedClassifier(**SMALL, task_column=-1, tol=0.01).set_callbacks(monitor)
    cv = StratifiedKFold(2, shuffle=True, random_state=0)
    GridSearchCV(model, {"alpha": [0.1, 10.0]}, cv=cv, n_jobs=n_jobs).fit(X, y)
    log = monitor.get_logs().data
    expected = []
    for alpha in (0.1, 10.0):
        for train, _ in cv.split(X, y):
            alone = clone(model).set_callbacks().set_params(alpha=alpha).fit(X[train], y[train])
            expected.append((alone.n_iter_, alone.score(X[train], y[train])))
    fits = [row for row in log if row["task_id_path"][:2] == (0, 0) and row["task_name"] == "fit"]
    assert [row["accuracy"] for row in fits] == [score for _, score in expected]
    for fit, (n_iter, _) in zip(fits, expected, strict=True):
        of_fit = [row for row in log if row["parent_task_id_path"] == fit["task_id_path"]]
        assert len(of_fit) == n_iter


@SOLVERS
def test_the_estimator_of_an_epoch_stays_as_it_was(solver: str) -> None:
    X, y, task = make_tasks()
    X = np.column_stack([X, task])
    snapshots = Snapshots(X)
    model = MultiTaskAlignedClassifier(**SMALL, solver=solver, task_column=-1, tol=0.01)
    model.set_callbacks(snapshots).fit(X, y)
    *seen, (_, of_final) = snapshots.seen
    assert [estimator.n_iter_ for estimator, _ in seen] == list(range(1, model.n_iter_ + 1))
    for estimator, predicted in seen:
        np.testing.assert_array_equal(estimator.predict_proba(X), predicted)
    assert np.abs(seen[0][1] - seen[-1][1]).max() > 0.01
    np.testing.assert_array_equal(of_final, model.predict_proba(X))
    again = pickle.loads(pickle.dumps(seen[0][0]))
    np.testing.assert_array_equal(again.predict_proba(X), seen[0][1])


# Ends


@SOLVERS
@pytest.mark.parametrize("schedule", ["joint", "alternating", "after_shared"])
def test_a_callback_may_end_the_training(solver: str, schedule: str) -> None:
    X, y, task = make_tasks()
    recorder = Recorder(stop_at=3)
    model = MultiTaskAlignedClassifier(
        **SMALL, solver=solver, alignment="full", alignment_schedule=schedule, tol=0
    ).set_callbacks(recorder)
    model.fit(X, y, task=task)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert recorder.ended == [*epochs(3, FIT), (FIT,)]


@SOLVERS
def test_an_interrupt_ends_every_task(solver: str) -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(
        **SMALL, solver=solver, tol=0, callbacks=[InterruptBatch(3)]
    ).set_callbacks(recorder)
    model.fit(X, y, task=task)
    assert model.n_iter_ == 2
    assert recorder.ended == [*epochs(3, FIT), (FIT,)]  # the third came to nothing
    assert recorder.open == 0


@SOLVERS
def test_a_callback_that_fails_leaves_the_model_alone(solver: str) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL, solver=solver, tol=0.01).fit(X, y, task=task)
    before = model.predict_proba(X, task=task)
    recorder = Recorder(fail_at=2)
    model.set_callbacks(recorder)
    attributes = set(vars(model))
    with pytest.raises(RuntimeError, match="the callback failed"):
        model.fit(-X, y, task=task)
    assert recorder.open == 0
    assert set(vars(model)) == attributes
    np.testing.assert_array_equal(model.predict_proba(X, task=task), before)
    with pytest.raises(ValueError, match="X has 240 rows, y has 3"):
        model.fit(X, y[:3], task=task)
    assert recorder.open == 0


# Progress bars


@pytest.fixture
def bar() -> Any:
    pytest.importorskip("rich")
    return callback.ProgressBar(max_propagation_depth=None)


def monitors() -> list[str]:
    return [type(t).__name__ for t in threading.enumerate() if "Rich" in type(t).__name__]


def test_progress_bars_of_a_search(bar: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y, _ = make_tasks(rows=20)
    pipeline = make_pipeline(StandardScaler(), MultiTaskAlignedClassifier(**SMALL))
    GridSearchCV(pipeline, {}, cv=2).set_callbacks(bar).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    own = [line for line in lines if "MultiTaskAlignedClassifier - fit" in line]
    assert len(own) == 3
    assert all("100%" in line for line in own)
    assert not monitors()


def test_progress_bars_end_with_the_fit(bar: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL, callbacks=[InterruptBatch(3)]).set_callbacks(bar)
    model.fit(X, y, task=task)
    assert "100%" in capsys.readouterr().out
    assert not monitors()
    with pytest.raises(ValueError, match="X has 240 rows, y has 3"):
        model.fit(X, y[:3], task=task)
    assert not monitors()


def test_the_example_of_the_guide_runs(bar: Any) -> None:
    """Apart from the guide's doctests, which run with older versions too."""
    chapter = Path(__file__).parent.parent / "docs" / "guide" / "training.md"
    (example,) = re.findall(r"^```python\n(.*?)^```$", chapter.read_text("utf-8"), re.DOTALL | re.M)
    exec(example, {})


# Elsewhere


def test_partial_fit_is_a_run_of_one_epoch() -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(**SMALL, solver="adam").set_callbacks(recorder)
    for _ in range(2):
        model.partial_fit(X, y, task=task)
    root = "MultiTaskAlignedClassifier partial-fit 0"
    assert recorder.ended == [*epochs(1, root), (root,)] * 2


def test_add_task_is_not_a_fit() -> None:
    X, y, task = make_tasks()
    recorder = Recorder()
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, y, task=task).set_callbacks(recorder)
    model.add_task(X[:40], y[:40], task=9)
    assert not recorder.began


def test_without_callbacks_the_net_trains_alone() -> None:
    X, y, task = make_tasks()
    names: list[list[str]] = []

    class Names(Callback):
        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            names.append([name for name, _ in net.callbacks_])

    model = MultiTaskAlignedClassifier(**SMALL, callbacks=[Names()]).fit(X, y, task=task)
    model.set_callbacks(Recorder()).fit(X, y, task=task)
    assert names[1] == [*names[0], "epoch_tasks"]
    assert [name for name, _ in model.net_.callbacks_] == names[0]


def test_a_fitted_model_does_not_hold_on_to_the_rows() -> None:
    X, y, task = make_tasks(rows=2000)
    model = MultiTaskAlignedClassifier(**SMALL, max_iter=3, tol=1.0).set_callbacks(
        callback.ScoringMonitor(scoring={"task": TaskScorer(accuracy_score)})
    )
    model.fit(X, y, task=task)
    assert len(pickle.dumps(model)) < X.nbytes / 10


def test_a_shallow_copy_shares_the_network() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(**SMALL).fit(X, y, task=task)
    twin = copy.copy(model)
    assert twin is not model
    assert twin.net_ is model.net_
    twin.alpha = 3.0
    assert model.alpha != 3.0
