"""MultiTaskAlignedClassifier against scikit-learn's models, closed forms and its own promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from helpers import CONVEX, N_TASKS, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter


def augmented(model: Any, X: Any, task: Any) -> Any:
    """Features on which one penalised logistic regression is the multi-task model.

    Daumé's feature augmentation: w_0 + v_i with penalties a and b on them is one weight vector,
    penalised by 1, on [x / sqrt(a), x / sqrt(b) in the place of task i]; biases likewise.
    """
    one_hot = np.eye(N_TASKS)[task]
    own = np.einsum("nt,nd->ntd", one_hot, X).reshape(len(X), -1)
    of_family, of_task = 1 / model.module_.heads.bias_precision.numpy()
    assert np.ptp(of_family) == np.ptp(of_task) == 0
    return np.hstack(
        [
            X / np.sqrt(model.alpha),
            own / np.sqrt(model.head_alpha),
            np.full((len(X), 1), np.sqrt(of_family.flat[0])),
            one_hot * np.sqrt(of_task.flat[0]),
        ]
    )


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("alpha", "head_alpha"), [(0.5, 2.0), (3.0, 0.1)])
def test_linear_model_is_logistic_regression_on_augmented_features(
    n_classes: int, alpha: float, head_alpha: float
) -> None:
    X, y, task = make_tasks(n_classes)
    model = MultiTaskAlignedClassifier(
        **CONVEX, input_scaling=None, alpha=alpha, head_alpha=head_alpha
    ).fit(X, y, task=task)
    Z = augmented(model, X, task)
    reference = LogisticRegression(C=1, fit_intercept=False, solver="newton-cholesky", tol=1e-12)
    expected = reference.fit(Z, y).predict_proba(Z)
    np.testing.assert_allclose(model.predict_proba(X, task=task), expected, atol=1e-6)


def test_representation_is_reproduced_by_hand() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(7, 4), alignment="full", alignment_alpha=0.1, random_state=0
    ).fit(X, y, task=task)
    assert model.alignment_ is not None
    assert np.abs(model.alignment_ - np.eye(5)).max() > 0.01
    z = (X - model.feature_mean_) @ model.feature_map_
    h = np.einsum("nd,nde->ne", z, model.alignment_[task])
    for layer in model.module_.shared.module:
        if isinstance(layer, torch.nn.Linear):
            weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
            h = np.maximum(h @ weight.T + bias, 0)
    np.testing.assert_allclose(model.transform(X, task=task), h, atol=1e-12)
    assert model.transform(X, task=task).shape == (len(X), 4)


def test_loss_curve_ends_at_the_objective() -> None:
    X, y, task = make_tasks(3)
    weight = np.random.default_rng(0).uniform(0.5, 2, len(y))
    model = MultiTaskAlignedClassifier(random_state=0, max_iter=2000)
    model.fit(X, y, task=task, sample_weight=weight)
    p = model.predict_proba(X, task=task)[np.arange(len(y)), y]
    objective = -weight @ np.log(p) + model.module_.penalty().item()
    assert model.loss_curve_[-1] == pytest.approx(objective / weight.sum(), rel=1e-9)
    assert len(model.loss_curve_) == model.n_iter_


def test_scaled_features_have_unit_mean_squared_norm_whatever_the_units() -> None:
    X, y, task = make_tasks()
    units = np.array([1, 1e4, 1e-4, 10, 1])
    model = MultiTaskAlignedClassifier(**CONVEX).fit(X, y, task=task)
    z = (X - model.feature_mean_) @ model.feature_map_
    assert np.mean((z**2).sum(axis=1)) == pytest.approx(1)
    other = MultiTaskAlignedClassifier(**CONVEX).fit(X * units + 5, y, task=task)
    agree = np.mean(other.predict(X * units + 5, task=task) == model.predict(X, task=task))
    assert agree > 0.9


def test_alignment_undoes_what_a_shared_model_cannot_fit() -> None:
    """Each task sees the same points, rotated: one head for all tasks needs the R_i."""
    rng = np.random.default_rng(0)
    parts = []
    for angle in (0, np.pi / 2, np.pi):
        points = rng.standard_normal((100, 2))
        rotation = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        parts.append((points @ rotation, (points[:, 0] > 0).astype(int)))
    X = np.vstack([points for points, _ in parts])
    y = np.concatenate([labels for _, labels in parts])
    task = np.repeat([0, 1, 2], 100)
    score = {}
    for alignment in ("full", None):
        score[alignment] = (
            MultiTaskAlignedClassifier(
                hidden_layer_sizes=(1,),
                activation="identity",
                skip_connection=False,
                alignment=alignment,
                alignment_alpha=0.1,
                head_alpha=1e6,
                alpha=0.01,
                random_state=0,
                max_iter=1000,
            )
            .fit(X, y, task=task)
            .score(X, y, task=task)
        )
    assert score["full"] > 0.97
    assert score[None] < 0.75


def test_head_alpha_goes_from_a_model_per_task_to_one_model() -> None:
    """Opposite labels: a model per task is right about all rows, one model about half."""
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((200, 3)), np.repeat([0, 1], 100)
    y = np.where(task == 0, X[:, 0] > 0, X[:, 0] < 0)
    free = MultiTaskAlignedClassifier(**CONVEX, head_alpha=0.01, alpha=0.01)
    tied = MultiTaskAlignedClassifier(**CONVEX, head_alpha=1e8, alpha=0.01)
    assert free.fit(X, y, task=task).score(X, y, task=task) > 0.97
    assert tied.fit(X, y, task=task).score(X, y, task=task) < 0.65


def test_few_rows_learn_from_the_other_tasks() -> None:
    rng = np.random.default_rng(0)
    n_features, k = 20, 8
    direction = rng.standard_normal(n_features) + 0.3 * rng.standard_normal((k, n_features))
    task = np.repeat(np.arange(k), 15)
    X = rng.standard_normal((len(task), n_features))
    y = (X * direction[task]).sum(axis=1) > 0
    test_task = np.repeat(np.arange(k), 200)
    X_test = rng.standard_normal((len(test_task), n_features))
    y_test = (X_test * direction[test_task]).sum(axis=1) > 0
    together = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    alone = [
        MultiTaskAlignedClassifier(random_state=0)
        .fit(X[task == t], y[task == t])
        .score(X_test[test_task == t], y_test[test_task == t])
        for t in range(k)
    ]
    assert together.score(X_test, y_test, task=test_task) > np.mean(alone) + 0.1


def test_label_sets_that_overlap_share_a_head_class_by_class() -> None:
    """Task 1 lacks class 2, by chance; what it learns of class 1 must still help task 0."""
    X, y, task = make_tasks(3)
    kept = ~((task == 1) & (y == 2))
    model = MultiTaskAlignedClassifier(**CONVEX).fit(X[kept], y[kept], task=task[kept])
    assert len(model.module_.heads.shared) == 1
    probability = model.predict_proba(X, task=task)
    assert (probability[task == 1, 2] == 0).all()
    assert (probability[task != 1] > 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1)


def test_task_weight_is_a_sample_weight_for_all_rows_of_the_task() -> None:
    X, y, task = make_tasks()
    by_task = np.array([3.0, 0.5, 1.0])
    # Task weights leave the scaling of the features alone, which sample weights do not.
    model = MultiTaskAlignedClassifier(**CONVEX, input_scaling=None)
    expected = clone(model).fit(X, y, task=task, sample_weight=by_task[task])
    for task_weight in (by_task, by_task.tolist(), dict(enumerate(by_task.tolist()))):
        model.set_params(task_weight=task_weight).fit(X, y, task=task)
        np.testing.assert_array_equal(model.task_weight_, by_task)
        np.testing.assert_allclose(
            model.predict_proba(X, task=task), expected.predict_proba(X, task=task), atol=1e-6
        )


def test_balanced_task_weight_makes_every_task_count_the_same() -> None:
    X, y, task = make_tasks()
    rows = np.concatenate([np.flatnonzero(task == t)[:: t + 1] for t in range(N_TASKS)])
    model = MultiTaskAlignedClassifier(**CONVEX, task_weight="balanced")
    model.fit(X[rows], y[rows], task=task[rows])
    per_task = model.task_weight_ * np.bincount(task[rows])
    np.testing.assert_allclose(per_task, len(rows) / N_TASKS)


@pytest.mark.parametrize("wide", [False, True])
def test_reweighter_inside_gives_its_weights_normalised(wide: bool) -> None:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((90, 5))
    Y = (X[:, :3] + 0.5 * rng.standard_normal((90, 3)) > 0).astype(float)
    Y[:, 2] = rng.integers(0, 2, 90)  # noise
    model = MultiTaskAlignedClassifier(
        **CONVEX, task_weight=SVDTaskReweighter(n_components=2), task_column=None
    )
    if wide:
        Y[:20, 0] = np.nan
        model.fit(X, Y)
        reference = SVDTaskReweighter(n_components=2).fit(X, Y)
    else:
        task = np.repeat(["a", "b", "c"], 30)
        y = Y[np.arange(90), np.repeat([0, 1, 2], 30)]
        model.set_params(task_column=-1).fit(np.column_stack([X.astype(object), task]), y)
        reference = SVDTaskReweighter(n_components=2).fit(X, y, task=task)
    expected = reference.task_weight_ / reference.task_weight_.mean()
    np.testing.assert_allclose(model.task_weight_, expected)
    assert not hasattr(model.task_weight, "task_weight_")
    model.set_params(task_weight__n_components=1)
    assert model.task_weight.n_components == 1


def test_biases_move_only_as_far_as_the_class_counts_prove() -> None:
    """Pure noise features: the probabilities show what the prior makes of the counts."""
    rng = np.random.default_rng(0)

    def positive_rate(n_positive: int, n: int) -> float:
        X, y = rng.standard_normal((n, 2)), np.arange(n) < n_positive
        model = MultiTaskAlignedClassifier(**CONVEX, alpha=1e6, head_alpha=1e6).fit(X, y)
        return float(model.predict_proba(X)[:, 1].mean())

    assert positive_rate(10, 16) == pytest.approx(0.5, abs=0.02)
    assert positive_rate(2, 100) == pytest.approx(0.02, abs=0.01)
    assert positive_rate(6_000, 10_000) == pytest.approx(0.6, abs=0.005)


def test_set_output_names_the_representation() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(3,), random_state=0)
    frame = model.set_output(transform="pandas").fit(X, y, task=task).transform(X, task=task)
    assert frame.columns.tolist() == [f"multitaskalignedclassifier{j}" for j in range(3)]


def test_float32_features_keep_their_type_and_nearly_the_result() -> None:
    X, y, task = make_tasks()
    double = MultiTaskAlignedClassifier(**{**CONVEX, "tol": 1e-6}).fit(X, y, task=task)
    single = MultiTaskAlignedClassifier(**{**CONVEX, "tol": 1e-5}, dtype="float32")
    single.fit(X.astype(np.float32), y, task=task)
    assert single.module_.heads.own.dtype == torch.float32
    assert single.transform(X.astype(np.float32), task=task).dtype == np.float32
    np.testing.assert_allclose(
        single.predict_proba(X.astype(np.float32), task=task),
        double.predict_proba(X, task=task),
        atol=1e-3,
    )


def test_wide_rows_with_alignment_have_no_single_representation() -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1 - y])
    aligned = MultiTaskAlignedClassifier(alignment="diagonal", random_state=0).fit(X, Y)
    assert aligned.predict_proba(X).shape == (len(X), 2)
    with pytest.raises(ValueError, match="one representation per task"):
        aligned.transform(X)
    assert MultiTaskAlignedClassifier(random_state=0).fit(X, Y).alignment_ is None


def test_wide_score_is_the_mean_over_tasks_of_the_labelled_rows() -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1.0 - y, y])
    Y[:100, 1] = np.nan
    Y[:, 2] = np.nan
    Y[:40, 2] = y[:40]
    model = MultiTaskAlignedClassifier(**CONVEX).fit(X, Y)
    weight = np.random.default_rng(0).uniform(size=len(y))
    predicted = model.predict(X)
    expected = np.mean(
        [
            np.average(predicted[seen, t] == Y[seen, t], weights=weight[seen])
            for t, seen in enumerate(~np.isnan(Y).T)
        ]
    )
    assert model.score(X, Y, sample_weight=weight) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no label of positive weight"):
        model.score(X, np.full_like(Y, np.nan))
    with pytest.raises(ValueError, match="y has 2 columns for 3 tasks"):
        model.score(X, Y[:, :2])


def test_wide_frames_are_matched_by_name() -> None:
    X, y, _ = make_tasks()
    Y = pd.DataFrame({"up": y, "down": np.where(np.arange(len(y)) % 3, 1.0 - y, np.nan)})
    model = MultiTaskAlignedClassifier(**CONVEX).fit(X, Y)
    assert model.predict(X).dtype.kind == "f"
    with pytest.raises(ValueError, match=r"columns \['down', 'up'\]; those of the first"):
        model.score(X, Y[["down", "up"]])


def test_weights_of_a_reweighter_that_finds_nothing_are_an_error() -> None:
    y, task = np.arange(40) % 2, np.arange(40) // 20
    model = MultiTaskAlignedClassifier(task_weight=SVDTaskReweighter())
    with pytest.raises(ValueError, match="All task weights are zero"):
        model.fit(np.ones((40, 3)), y, task=task)


def test_task_weight_series_is_read_by_task_and_copied() -> None:
    X, y, task = make_tasks()
    by_task = pd.Series({2: 3.0, 0: 1.0, 1: 2.0})
    model = MultiTaskAlignedClassifier(**CONVEX, task_weight=by_task).fit(X, y, task=task)
    assert model.task_weight_.tolist() == [1, 2, 3]
    weights = np.array([1.0, 2.0, 3.0])
    model.set_params(task_weight=weights).fit(X, y, task=task)
    weights[0] = 99
    assert model.task_weight_[0] == 1


def test_a_task_of_weight_zero_is_predicted_from_the_others() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(
        task_weight=[0, 1, 1], early_stopping=True, random_state=0
    ).fit(X, y, task=task)
    assert model.score(X[task == 0], y[task == 0], task=task[task == 0]) > 0.6
    model.set_params(task_weight=SVDTaskReweighter()).fit(X, y, task=task)
    assert hasattr(model, "task_reweighter_")
    model.set_params(task_weight=None).fit(X, y, task=task)
    assert not hasattr(model, "task_reweighter_")


def test_features_too_large_to_predict_from_are_refused() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(solver="adam", max_iter=300, tol=0.01, random_state=0)
    model.fit(X, y, task=task)
    with pytest.raises(ValueError, match=r"too large for torch\.float32"):
        model.predict(1e50 * X, task=task)


def test_float32_features_that_lie_far_off_keep_their_digits() -> None:
    """A mean rounded to float32 would be off by a good part of a standard deviation."""
    rng = np.random.default_rng(0)
    X = (1e4 + 1e-3 * rng.standard_normal((200, 3))).astype(np.float32)
    y = rng.integers(0, 2, 200)
    settings: dict[str, Any] = {"alignment": None, "random_state": 0, "dtype": "float64"}
    model = MultiTaskAlignedClassifier(**settings).fit(X, y)
    expected = model.predict_proba(X.astype(np.float64))
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-6)
