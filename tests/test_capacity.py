"""capacity_curve against loops of plain fits and scores, and Fig. 6 in small."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_mtl import MultiTaskAlignedRegressor
from sk_mtl.datasets import make_noisy_label_tasks
from sk_mtl.diagnostics import CapacityCurve, capacity_curve, transfer_matrix
from sk_mtl.model_selection import TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task, melt_tasks

LINEAR: dict[str, Any] = {
    "activation": "identity",
    "skip_connection": False,
    "alignment": None,
    "random_state": 0,
    "tol": 1e-3,
}


def make_tasks(n_samples: int = 24, n_tasks: int = 2) -> tuple[Any, Any]:
    """Wide values of tasks that need two combinations of the features."""
    X, Y = make_noisy_label_tasks(
        n_samples=n_samples,
        n_features=4,
        n_tasks=n_tasks,
        binary=False,
        noisy_tasks=[],
        random_state=0,
    )
    return X, Y


def test_every_score_by_hand() -> None:
    X, Y = make_tasks()
    X, y, task, _ = melt_tasks(X, Y)
    folds = list(TaskStratifiedKFold(3, random_state=5).split(X, y, task=task))
    curve = capacity_curve(
        MultiTaskAlignedRegressor(**LINEAR),
        X,
        y,
        task=task,
        capacities=(3, 1),
        cv=3,
        random_state=5,
    )
    assert curve.capacities.tolist() == [1, 3]
    assert curve.tasks.tolist() == [0, 1]
    for c, capacity in enumerate(curve.capacities.tolist()):
        alone, together = np.zeros((2, 3, 2))
        for f, (train, test) in enumerate(folds):
            model = MultiTaskAlignedRegressor(hidden_layer_sizes=(capacity,), **LINEAR)
            both = model.fit(X[train], y[train], task=task[train]).predict(X[test], task=task[test])
            for t in range(2):
                own, held_out = train[task[train] == t], task[test] == t
                together[f, t] = r2_score(y[test][held_out], both[held_out])
                one = MultiTaskAlignedRegressor(hidden_layer_sizes=(capacity,), **LINEAR)
                guess = one.fit(X[own], y[own]).predict(X[test][held_out])
                alone[f, t] = r2_score(y[test][held_out], guess)
        for scores, name in ((alone, "score_alone"), (together, "score_together")):
            np.testing.assert_allclose(getattr(curve, name)[c], scores.mean(axis=0), rtol=1e-9)
            error = np.sqrt((1 / 3 + 1 / 2) * scores.var(axis=0, ddof=1))  # 8 rows for 16
            np.testing.assert_allclose(getattr(curve, f"{name}_se")[c], error, rtol=1e-9)
    np.testing.assert_allclose(curve.mean_alone, curve.score_alone.mean(axis=1))
    np.testing.assert_allclose(curve.mean_together, curve.score_together.mean(axis=1))


def test_the_layer_of_a_pipeline_and_the_scores_of_a_transfer_matrix() -> None:
    X, Y = make_tasks()
    X, y, task, _ = melt_tasks(X, Y)
    column = np.column_stack([X, task])
    last = MultiTaskAlignedRegressor(task_column=-1, hidden_layer_sizes=(2,), **LINEAR)
    pipeline = make_pipeline(keep_task(StandardScaler()), last)
    arguments: dict[str, Any] = {"task_column": -1, "cv": 2, "random_state": 0}
    curve = capacity_curve(
        pipeline,
        column,
        y,
        capacities=[2],
        param_name="multitaskalignedregressor__hidden_layer_sizes",
        **arguments,
    )
    matrix = transfer_matrix(pipeline, column, y, **arguments)
    np.testing.assert_array_equal(curve.score_alone[0], matrix.score_alone)
    np.testing.assert_array_equal(curve.score_together[0], matrix.score_together)


def test_tasks_need_less_capacity_together_than_alone() -> None:
    """Fig. 6 in small: four tasks in a common plane, each of which needs a line of its own."""
    X, Y = make_tasks(n_samples=100, n_tasks=4)
    curve = capacity_curve(
        MultiTaskAlignedRegressor(**LINEAR), X, Y, capacities=(1, 2), cv=2, random_state=0
    )
    assert curve.mean_together[1] > curve.mean_together[0] + 0.1
    assert curve.mean_alone[0] > curve.mean_together[0] + 0.1  # one unit is enough for one task
    assert curve.best_together == 2
    assert curve.best_alone_sum >= 4


def test_the_smallest_of_the_best_capacities() -> None:
    nan = np.nan
    alone = np.array([[0.1, 0.5, nan], [0.7, 0.5, nan], [0.9, 0.4, nan]])
    together = np.array([[0.2, 0.3, nan], [0.9, 0.1, nan], [0.6, 0.4, nan]])
    zero = np.zeros_like(alone)
    curve = CapacityCurve(
        np.array([1, 4, 16]), np.array(["a", "b", "c"]), alone, zero, together, zero
    )
    assert curve.best_alone.tolist() == [16, 1, 0]
    assert curve.best_alone_sum == 17
    np.testing.assert_allclose(curve.mean_together, [0.25, 0.5, 0.5])
    assert curve.best_together == 4
    frame = curve.to_frame()
    assert frame["capacity"].tolist() == [1, 1, 1, 4, 4, 4, 16, 16, 16]
    assert frame["task"].tolist() == ["a", "b", "c"] * 3
    assert frame.loc[3, ["score_alone", "score_together"]].tolist() == [0.7, 0.9]


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_other_estimators() -> None:
    X, Y = make_tasks()
    net = MLPRegressor(max_iter=5, random_state=0)
    folds = list(KFold(2).split(X))
    train, test = folds[0]
    by_hand = MLPRegressor(hidden_layer_sizes=(5,), max_iter=5, random_state=0).fit(
        X[train], Y[train]
    )
    first = capacity_curve(net, X, Y, capacities=(5,), cv=folds[:1])
    assert first.score_together[0, 1] == pytest.approx(
        r2_score(Y[test, 1], by_hand.predict(X[test])[:, 1])
    )
    assert np.isinf(first.score_together_se).all()


def test_a_task_without_a_score_is_warned_of_once() -> None:
    X, Y = make_tasks(n_tasks=2)
    Y[2:, 1] = np.nan
    folds = [(np.r_[0, 2:12], np.r_[1, 12:24]), (np.r_[1, 12:24], np.r_[0, 2:12])]
    model = MultiTaskAlignedRegressor(**LINEAR)
    with pytest.warns(UndefinedMetricWarning, match=r"The tasks \[1\]") as warned:
        curve = capacity_curve(model, X, Y, capacities=(1, 2), cv=folds)
    assert len(warned) == 1
    assert curve.best_alone[1] == 0
    np.testing.assert_array_equal(curve.mean_alone, curve.score_alone[:, 0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"capacities": ()}, r"positive integers; got \(\)"),
        ({"capacities": (0, 2)}, r"positive integers; got \[0, 2\]"),
        ({"capacities": (1.5,)}, r"positive integers; got \[1.5\]"),
        ({"estimator": Ridge()}, "Invalid parameter 'hidden_layer_sizes'"),
        ({"cv": 1}, "at least one train/test split"),
    ],
)
def test_what_cannot_be_measured(change: dict[str, Any], message: str) -> None:
    X, Y = make_tasks()
    arguments = {"estimator": MultiTaskAlignedRegressor(), "X": X, "y": Y} | change
    with pytest.raises(ValueError, match=message):
        capacity_curve(**arguments)
