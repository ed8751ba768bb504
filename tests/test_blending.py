"""Blending weights: exact where there is a closed form, sensible where there is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from sk_mtl._blending import (
    of_probabilities,
    of_values,
    posterior_weights,
    shrunken_gains,
)


def test_likelihoods_of_probabilities_are_those_of_a_mixture() -> None:
    found = of_probabilities(
        np.array([0.0, 0.25, 1.0]),
        np.array([0.9, 0.2]),
        np.array([0.5, 0.6]),
        np.array([1.0, 3.0]),
    )
    expected = [
        np.log(0.5) + 3 * np.log(0.6),
        np.log(0.6) + 3 * np.log(0.5),
        np.log(0.9) + 3 * np.log(0.2),
    ]
    np.testing.assert_allclose(found, expected)


def test_likelihoods_of_values_differ_as_those_of_normals_at_their_best_variance() -> None:
    rng = np.random.default_rng(0)
    true, multi, single = rng.standard_normal((3, 20))
    share = np.array([0.0, 0.3, 1.0])

    def at_best(guess: np.ndarray) -> float:
        sigma = np.sqrt(np.mean((true - guess) ** 2))
        return float(norm(guess, sigma).logpdf(true).sum())

    expected = np.array([at_best(s * multi + (1 - s) * single) for s in share])
    found = of_values(share, multi, single, true, np.ones(20))
    np.testing.assert_allclose(np.diff(found), np.diff(expected))
    doubled = of_values(share, multi, single, true, np.full(20, 2.0))
    np.testing.assert_allclose(np.diff(doubled), 2 * np.diff(expected))
    assert np.isfinite(of_values(share, true, true, true, np.ones(20))).all()


def test_one_task_has_its_likelihood_with_a_prior_for_the_multi_task_model() -> None:
    (posterior,) = posterior_weights(np.log([[0.25, 0.5, 0.25]]))
    assert posterior[2] > posterior[0]
    (posterior,) = posterior_weights(np.zeros((1, 4)))
    np.testing.assert_allclose(posterior[:3], posterior[0])
    assert posterior[3] > 0.5


def test_tasks_that_say_little_do_as_the_others() -> None:
    strong, silent, opposed = [0.0, -8.0], [0.0, 0.0], [-30.0, 0.0]
    posterior = posterior_weights(np.array([*[strong] * 8, silent, opposed]))
    assert posterior[8, 0] > 0.7  # as nearly all tasks
    assert posterior[9, 1] > 0.99  # its own way
    assert posterior[0, 0] > 0.99


def test_the_order_of_tasks_and_constants_do_not_matter() -> None:
    likelihood = np.random.default_rng(0).normal(scale=3, size=(6, 5))
    posterior = posterior_weights(likelihood)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    np.testing.assert_allclose(posterior_weights(likelihood[::-1]), posterior[::-1], atol=1e-5)
    shifted = likelihood + np.arange(6)[:, None] * 1000
    np.testing.assert_allclose(posterior_weights(shifted), posterior, atol=1e-6)


def test_gains_over_folds_are_weighted_means_with_a_corrected_error() -> None:
    scores = np.zeros((3, 1, 2))
    scores[:, 0, 1] = [0.1, 0.4, 0.1]
    n_rows = np.array([[10], [20], [10]])
    shrunken, gain, error = shrunken_gains(scores + 0.5, n_rows)
    assert gain[0, 1] == pytest.approx(0.25)
    spread = (10 * 0.15**2 + 20 * 0.15**2 + 10 * 0.15**2) / 2
    assert error[0, 1] == pytest.approx(np.sqrt(spread * 2.5 / 40))  # 1 + 3 / 2
    assert shrunken[0, 1] == pytest.approx(0.25)  # one task: there is nothing to shrink to
    assert shrunken[0, 0] == 0


def test_gains_shrink_to_those_of_all_tasks_as_far_as_noise_explains_them() -> None:
    rng = np.random.default_rng(0)
    true = np.where(np.arange(40) < 20, 0.1, -0.1)
    noise = 0.02 * rng.standard_normal((5, 40))
    scores = np.stack([np.zeros((5, 40)), true + noise], axis=2)
    shrunken, gain, _ = shrunken_gains(scores, np.full((5, 40), 20))
    np.testing.assert_allclose(shrunken[:, 1], gain[:, 1], atol=0.01)  # they do differ
    scores[..., 1] = 0.1 + 10 * noise
    shrunken, gain, _ = shrunken_gains(scores, np.full((5, 40), 20))
    assert np.ptp(shrunken[:, 1]) < 0.2 * np.ptp(gain[:, 1])  # noise, nothing else
    assert shrunken[:, 1].mean() == pytest.approx(gain[:, 1].mean(), abs=0.01)


def test_a_task_without_a_score_does_as_the_others() -> None:
    scores = np.zeros((4, 3, 2))
    scores[:, :2, 1] = 0.2 + 0.01 * np.random.default_rng(0).standard_normal((4, 2))
    scores[:, 2] = np.nan
    shrunken, gain, error = shrunken_gains(scores, np.full((4, 3), 10))
    assert shrunken[2, 1] == pytest.approx(0.2, abs=0.02)
    assert gain[2, 1] == 0
    assert error[2, 1] == np.inf
    nothing = shrunken_gains(np.full((2, 2, 2), np.nan), np.ones((2, 2)))
    assert (nothing[0] == 0).all()
