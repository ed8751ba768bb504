"""The paper's propositions and its Fig. 3, on data of which one knows the truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import subspace_angles
from sklearn.linear_model import LinearRegression

from sk_mtl import MultiTaskAlignedRegressor, SVDTaskReweighter
from sk_mtl.datasets import make_covariance_tasks, make_noisy_label_tasks

# The paper's model: linear, a shared B, a head per task, and no penalty on any of them.
PAPER = {
    "activation": "identity",
    "skip_connection": False,
    "alignment": None,
    "alpha": 0,
    "head_alpha": 0,
    "input_scaling": "standard",
    "tol": 1e-8,
    "max_iter": 2000,
    "random_state": 0,
}


def shared_directions(model):
    """B in the units of the features, of shape (n_features, capacity)."""
    weight = model.module_.shared.module[0].weight.detach().numpy()
    return model.feature_map_[:, None] * weight.T


# Proposition 1: with a capacity of as many dimensions as there are tasks, nothing is shared


def distance_from_single_tasks(capacity):
    """The largest difference of the predictions of three tasks from their own least squares."""
    X, y, task = make_covariance_tasks(
        n_samples=(60, 40, 50),
        n_features=10,
        condition_number=3,
        cosine=0.5,
        overlap=0,
        random_state=0,
    )
    model = MultiTaskAlignedRegressor(hidden_layer_sizes=capacity, **PAPER).fit(X, y, task=task)
    alone = [LinearRegression().fit(X[task == t], y[task == t]) for t in range(3)]
    expected = np.stack([single.predict(X) for single in alone])[task, np.arange(len(X))]
    return np.abs(model.predict(X, task=task) - expected).max()


@pytest.mark.parametrize("capacity", [3, 5])
def test_enough_capacity_gives_the_models_of_single_tasks(capacity):
    assert distance_from_single_tasks(capacity) < 1e-5


def test_less_capacity_does_not():
    assert distance_from_single_tasks(2) > 0.1


# Proposition 3: tasks that share X share the best-approximating directions of their targets


def best_directions(X, Y, weight, capacity):
    """Minimiser over B of ``sum_i weight_i min_a |X B a - y_i|^2``, up to a basis of its span.

    With ``P = (X'X)^(1/2) B`` and ``M = (X'X)^(-1/2) X'Y diag(weight)^(1/2)``, the loss is
    ``|M - P A|^2`` plus a constant: by Eckart and Young, P spans the leading left singular
    vectors of M.
    """
    values, vectors = np.linalg.eigh(X.T @ X)
    inverse_root = vectors / np.sqrt(values) @ vectors.T
    leading = np.linalg.svd(inverse_root @ X.T @ Y * np.sqrt(weight))[0][:, :capacity]
    return inverse_root @ leading


def directions_of_the_paper(X, Y, weight, capacity):
    """``(X'X)^-1 V D Q_r``: X = U D V', and Q_r spans the best approximation of rank r of
    ``sum_i weight_i U'y_i y_i'U``."""
    U, D, Vt = np.linalg.svd(X, full_matrices=False)
    targets = U.T @ Y
    leading = np.linalg.eigh(targets * weight @ targets.T)[1][:, ::-1][:, :capacity]
    return np.linalg.solve(X.T @ X, Vt.T * D @ leading)


@pytest.mark.parametrize("capacity", [1, 2, 3])
def test_shared_directions_of_tasks_that_share_their_rows(capacity):
    X, Y = make_noisy_label_tasks(
        n_samples=300,
        n_features=8,
        n_tasks=5,
        capacity=4,
        binary=False,
        noise=0.5,
        noisy_tasks=[],
        random_state=1,
    )
    X = X @ (np.eye(8) + 0.3 * np.random.default_rng(1).standard_normal((8, 8)))
    X, Y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    Y *= [1, 2, 3, 0.5, 1]
    weight = np.array([1, 0.3, 2, 0.1, 5])
    model = MultiTaskAlignedRegressor(hidden_layer_sizes=capacity, task_weight=weight, **PAPER)
    learned = shared_directions(model.fit(X, Y))
    # The estimator measures each task's errors in units of target_scale_.
    weight_of_squares = weight / model.target_scale_**2
    expected = best_directions(X, Y, weight_of_squares, capacity)
    assert subspace_angles(learned, expected).max() < 1e-3
    of_paper = directions_of_the_paper(X, Y, weight_of_squares, capacity)
    assert subspace_angles(of_paper, expected).max() < 1e-7


# Noisy tasks


@pytest.fixture(scope="module")
def clean_and_noisy():
    """One signal, and two tasks that measure it; the targets of the second are random."""
    return make_noisy_label_tasks(
        n_samples=60,
        n_features=10,
        n_tasks=2,
        capacity=1,
        binary=False,
        noisy_tasks=[1],
        label_noise=1.0,
        coef=True,
        random_state=0,
    )


def cosine_with_truth(task_weight, data):
    X, Y, coef = data
    model = MultiTaskAlignedRegressor(hidden_layer_sizes=1, task_weight=task_weight, **PAPER)
    direction = shared_directions(model.fit(X, Y))[:, 0]
    return abs(direction @ coef[0]) / np.linalg.norm(direction)


def test_weight_of_the_clean_task_turns_the_shared_direction_to_the_truth(clean_and_noisy):
    cosines = [cosine_with_truth([clean, 1], clean_and_noisy) for clean in (0.1, 1, 3, 10, 100)]
    assert (np.diff(cosines) > 0).all()
    assert cosines[0] < 0.5
    assert cosines[-1] > 0.95


def test_reweighter_turns_it_as_well(clean_and_noisy):
    equal = cosine_with_truth(None, clean_and_noisy)
    assert cosine_with_truth(SVDTaskReweighter(), clean_and_noisy) > equal


def test_noisy_task_has_the_lower_weight():
    lower = 0
    for seed in range(100):
        X, Y = make_noisy_label_tasks(n_tasks=2, capacity=1, noisy_tasks=[1], random_state=seed)
        clean, noisy = SVDTaskReweighter().fit(X, Y).task_weight_
        lower += noisy < clean
    assert lower >= 95


# Fig. 3: source and target
