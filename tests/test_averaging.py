"""Averages of linear models by leave-one-out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._averaging import SHARINGS, Average, _climb, average
from sk_mtl._intercepts import bias_variances, spread_of_log_odds
from sk_mtl._plan import HeadPlan
from sk_mtl._rows import TrainingRows

X, Y, TASK = make_tasks(rows=10)
PENALTIES = (1.0, 0.1, 0.01)


def averaged(estimator: Any, X: Any, y: Any, task: Any = None) -> tuple[Average, TrainingRows]:
    rows = estimator._read_training_rows(X, y, task, None, keep=False, weigh=True)
    logistic = isinstance(estimator, MultiTaskAlignedClassifier)
    plan = estimator._targets.plan
    return average(rows, plan, PENALTIES, logistic=logistic, align=True), rows


def test_what_was_left_out_is_what_other_rows_say() -> None:
    """Close to the average that is fitted to all other rows, and not to the one with the row."""
    y = X[:, 0] + np.random.default_rng(0).standard_normal(len(X))
    estimator = MultiTaskAlignedRegressor()
    found, _ = averaged(estimator, X, y, TASK)
    mean, unit = estimator.target_mean_[TASK], estimator.target_scale_[TASK]
    inside = mean + unit * found.model.predict(X, TASK)[:, 0]
    left_out = mean + unit * found.left_out[:, 0]
    distances = []
    for j in range(0, len(X), 9):
        others = np.arange(len(X)) != j
        estimator = MultiTaskAlignedRegressor()
        again, _ = averaged(estimator, X[others], y[others], TASK[others])
        value = again.model.predict(X[[j]], TASK[[j]])[0, 0]
        value = value * estimator.target_scale_[TASK[j]] + estimator.target_mean_[TASK[j]]
        distances.append([abs(left_out[j] - value), abs(inside[j] - value)])
    of_left_out, of_inside = np.mean(distances, axis=0)
    assert of_left_out < 0.4 * of_inside


def test_the_average_is_the_weighted_sum_of_its_members() -> None:
    found, _ = averaged(MultiTaskAlignedClassifier(), X, Y, TASK)
    (output,) = found.model.outputs
    by_hand = np.zeros(len(X))
    for number, share, weights in zip(
        output.feature_map, output.share, output.coefficients, strict=True
    ):
        z = found.model.maps[number].transform(X, TASK)
        odds = np.einsum("nd,nd->n", z, weights[TASK, :-1]) + weights[TASK, -1]
        by_hand += share * expit(odds)
    predicted = found.model.predict(X, TASK)
    np.testing.assert_allclose(predicted[:, 1], by_hand)
    np.testing.assert_allclose(predicted.sum(axis=1), 1)


def test_all_sharings_are_tried_and_their_priors_add_up() -> None:
    found, _ = averaged(MultiTaskAlignedClassifier(), X, Y, TASK)
    tried = {told["sharing"] for told in found.tried if told["features"] == "principal"}
    assert tried == set(SHARINGS)
    assert sum(SHARINGS.values()) == pytest.approx(1)


def test_one_task_has_nothing_to_share() -> None:
    found, _ = averaged(MultiTaskAlignedClassifier(), X[:40], Y[:40])
    assert {told["sharing"] for told in found.tried} == {0.0}
    assert found.penalties()["head_alpha"] / found.penalties()["alpha"] == pytest.approx(9)


def test_columns_of_several_classes_are_probabilities() -> None:
    three = np.digitize(X[:, 0], [-0.5, 0.5])
    found, rows = averaged(MultiTaskAlignedClassifier(), X, three, TASK)
    assert len(found.model.outputs) == 3
    np.testing.assert_allclose(found.left_out.sum(axis=1), 1)
    assert np.mean(found.left_out.argmax(axis=1) == rows.target) > 0.7


def test_a_wide_y_with_gaps() -> None:
    gaps = np.random.default_rng(0).random((len(X), 3)) < 0.3
    labels = np.where(gaps, np.nan, X[:, :3] > 0)
    found, _ = averaged(MultiTaskAlignedClassifier(), X, labels)
    np.testing.assert_allclose(found.left_out.sum(axis=1), np.ones((~gaps).sum()))
    assert np.mean(found.left_out.argmax(axis=1) == labels[~gaps]) > 0.85
    said = found.model.predict(X, None).argmax(axis=2)
    assert np.mean(said[gaps] == (X[:, :3] > 0)[gaps]) > 0.85


def test_biases_have_the_priors_of_the_network() -> None:
    positive, negative = np.array([3.0, 9.0, 1.0]), np.array([20.0, 5.0, 30.0])
    plan = HeadPlan.of_classes([np.array([0, 1])] * 3)
    counts = np.stack([positive, negative], axis=-1)[:, None]
    expected = bias_variances(counts, plan)[:, 0, 0]
    np.testing.assert_allclose(spread_of_log_odds(positive, negative), expected)


@pytest.mark.parametrize("peak", range(9))
@pytest.mark.parametrize("start", [None, *range(9)])
def test_the_climb_ends_at_the_peak(peak: int, start: int | None) -> None:
    asked: list[int] = []

    def value(position: int) -> float:
        assert position not in asked, "solved twice"
        asked.append(position)
        return -3.0 * abs(position - peak)

    assert _climb(value, 9, start) == peak
    if start == peak:
        assert len(asked) <= 3
