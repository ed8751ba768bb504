"""Blending weights: exact where there is a closed form, sensible where there is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from sk_mtl._blending import of_probabilities, of_values, posterior_weights


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


def test_one_task_has_its_likelihood_with_an_open_prior() -> None:
    (posterior,) = posterior_weights(np.log([[0.5, 0.25, 0.25]]))
    assert posterior[0] == posterior.max()
    assert posterior[1] == pytest.approx(posterior[2])
    np.testing.assert_allclose(posterior_weights(np.zeros((1, 4))), 0.25)


def test_tasks_that_say_little_do_as_the_others() -> None:
    strong, silent, opposed = [0.0, -8.0], [0.0, 0.0], [-30.0, 0.0]
    posterior = posterior_weights(np.array([*[strong] * 8, silent, opposed]))
    assert posterior[8, 0] > 0.7  # as nearly all tasks
    assert posterior[9, 1] > 0.99  # its own way
    assert posterior[0, 0] > 0.99


def test_the_order_of_tasks_and_of_candidates_does_not_matter() -> None:
    likelihood = np.random.default_rng(0).normal(scale=3, size=(6, 5))
    posterior = posterior_weights(likelihood)
    np.testing.assert_allclose(posterior.sum(axis=1), 1)
    np.testing.assert_allclose(
        posterior_weights(likelihood[::-1, ::-1]), posterior[::-1, ::-1], atol=1e-5
    )
    shifted = likelihood + np.arange(6)[:, None] * 1000
    np.testing.assert_allclose(posterior_weights(shifted), posterior, atol=1e-6)
