"""AlignedTransferClassifier: from a fitted source to a target of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import make_tasks
from sk_mtl import AlignedTransferClassifier, MultiTaskAlignedClassifier, MultiTaskAlignedRegressor


def source_and_target(n_classes: int = 2, **params: Any) -> tuple[Any, Any, Any]:
    X, y, task = make_tasks(n_classes, rows=60)
    old = task < 2
    source = MultiTaskAlignedClassifier(random_state=0, **params)
    source.fit(X[old], y[old], task=task[old])
    return source, X[~old], y[~old]


def weights(source: Any) -> dict[str, Any]:
    return {name: value.clone() for name, value in source.module_.state_dict().items()}


@pytest.mark.parametrize("params", [{}, {"hidden_layer_sizes": ()}, {"input_scaling": None}])
def test_it_is_what_add_task_adds(params: dict[str, Any]) -> None:
    source, X, y = source_and_target(alignment="full", **params)
    model = AlignedTransferClassifier(source, random_state=0).fit(X, y)
    source.add_task(X, y, task=2)
    ids = np.full(len(X), 2)
    np.testing.assert_allclose(model.predict_proba(X), source.predict_proba(X, task=ids), atol=1e-9)
    np.testing.assert_allclose(model.transform(X), source.transform(X, task=ids), atol=1e-9)
    np.testing.assert_allclose(model.alignment_[0], source.alignment_[2], atol=1e-9)


@pytest.mark.parametrize("fine_tune_epochs", [0, 5])
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_the_source_stays_as_it_is(solver: str, fine_tune_epochs: int) -> None:
    source, X, y = source_and_target()
    before = weights(source)
    model = AlignedTransferClassifier(
        FrozenEstimator(source),
        fine_tune_epochs=fine_tune_epochs,
        solver=solver,
        dtype="float64",
        tol=0.01,
        random_state=0,
    ).fit(X, y)
    assert all(torch.equal(value, before[name]) for name, value in weights(source).items())
    moved = [
        not torch.equal(mine, its)
        for mine, its in zip(
            model.module_.shared.parameters(), source.module_.shared.parameters(), strict=True
        )
    ]
    assert set(moved) == {fine_tune_epochs > 0}
    assert model.score(X, y) > 0.7


def test_fine_tuning_ends_after_its_epochs() -> None:
    source, X, y = source_and_target()
    settings: dict[str, Any] = {"random_state": 0, "alpha": 0.01}
    frozen = AlignedTransferClassifier(source, **settings).fit(X, y)
    some = AlignedTransferClassifier(source, fine_tune_epochs=4, **settings).fit(X, y)
    free = AlignedTransferClassifier(source, fine_tune_epochs=1000, **settings).fit(X, y)
    assert free.loss_curve_[-1] < some.loss_curve_[-1] < frozen.loss_curve_[-1]


@pytest.mark.parametrize("alignment", [None, "full"])
def test_with_and_without_alignment(alignment: str | None) -> None:
    source, X, y = source_and_target()
    model = AlignedTransferClassifier(source, alignment=alignment, alignment_alpha=1).fit(X, y)
    if alignment is None:
        assert model.alignment_ is None
    else:
        assert np.abs(model.alignment_[0] - np.eye(5)).max() > 1e-3


def test_a_rotated_target_is_aligned_where_b_is_all_there_is() -> None:
    """A frozen B of one unit sees nothing of rotated features but through R."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 2))
    y = (X[:, 0] > 0).astype(int)
    source = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(1,), activation="identity", skip_connection=False, random_state=0
    ).fit(X, y)
    rotated = X @ np.array([[0.0, 1.0], [-1.0, 0.0]])
    settings: dict[str, Any] = {"alignment_alpha": 0.1, "random_state": 0}
    without = AlignedTransferClassifier(source, alignment=None, **settings).fit(rotated, y)
    aligned = AlignedTransferClassifier(source, alignment="full", **settings).fit(rotated, y)
    assert without.score(rotated, y) < 0.6
    assert aligned.score(rotated, y) > 0.95


def test_other_labels_than_the_source() -> None:
    source, X, y = source_and_target(3)
    names = np.array(["low", "mid", "top"])[y]
    model = AlignedTransferClassifier(source, random_state=0).fit(X, names)
    assert model.classes_.tolist() == ["low", "mid", "top"]
    assert model.score(X, names) > 0.8
    two = y < 2
    fewer = AlignedTransferClassifier(source, random_state=0).fit(X[two][:4], y[two][:4])
    assert fewer.predict_proba(X).shape == (len(X), len(fewer.classes_))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_target_like_the_source_needs_few_rows(n_classes: int) -> None:
    """Labels that the source knows: in the same layout, and two or three of three classes."""
    transferred, scratch = [], []
    for seed in range(4):
        X, y, task = make_tasks(3, rows=100, seed=seed)
        old, new = task < 2, (task == 2) & (y < n_classes)
        source = MultiTaskAlignedClassifier(random_state=0).fit(X[old], y[old], task=task[old])
        X_new, y_new = X[new], y[new]
        few = np.arange(len(y_new)) % 25 == 0
        for outcome, start in ((transferred, source), (scratch, None)):
            model = AlignedTransferClassifier(start, random_state=0).fit(X_new[few], y_new[few])
            outcome.append(model.score(X_new[~few], y_new[~few]))
    assert np.mean(transferred) > np.mean(scratch) + 0.02


def test_no_source_is_a_fit_from_scratch() -> None:
    X, y, task = make_tasks()
    mine = AlignedTransferClassifier(random_state=0).fit(X, y, task=task)
    plain = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    np.testing.assert_array_equal(
        mine.predict_proba(X, task=task), plain.predict_proba(X, task=task)
    )


def test_grid_search_chooses_source_and_penalties() -> None:
    source, X, y = source_and_target()
    search = GridSearchCV(
        make_pipeline(StandardScaler(with_std=False), AlignedTransferClassifier(random_state=0)),
        {
            "alignedtransferclassifier__source": [None, FrozenEstimator(source)],
            "alignedtransferclassifier__alignment": [None, "full"],
            "alignedtransferclassifier__fine_tune_epochs": [0, 3],
        },
        cv=3,
    ).fit(X, y)
    assert search.best_score_ > 0.7
    assert search.predict(X).shape == y.shape


def test_a_target_of_several_tasks() -> None:
    source, X, y = source_and_target()
    Y = np.column_stack([y, 1 - y])
    wide = AlignedTransferClassifier(source, random_state=0).fit(X, Y)
    assert (wide.predict(X) == Y).mean(axis=0).min() > 0.7
    task = np.arange(len(y)) % 2
    model = AlignedTransferClassifier(source, random_state=0).fit(X, y, task=task)
    assert model.alignment_.shape == (2, 5, 5)


def test_partial_fit_and_chains_of_transfers() -> None:
    source, X, y = source_and_target()
    model = AlignedTransferClassifier(source, solver="adam", fine_tune_epochs=2, random_state=0)
    for _ in range(5):
        model.partial_fit(X, y)
    assert len(model.loss_curve_) == 5
    second = AlignedTransferClassifier(model, random_state=0).fit(X, y)
    assert second.score(X, y) > 0.7


def test_an_unfitted_source() -> None:
    source, X, y = source_and_target()
    with pytest.raises(NotFittedError, match=r"is not fitted.*FrozenEstimator"):
        AlignedTransferClassifier(clone(source)).fit(X, y)
    with pytest.raises(NotFittedError, match="FrozenEstimator"):
        clone(AlignedTransferClassifier(source)).fit(X, y)  # clone forgets the fit
    kept = clone(AlignedTransferClassifier(FrozenEstimator(source))).fit(X, y)
    assert kept.source.estimator is source


@pytest.mark.parametrize("other", [LogisticRegression(), MultiTaskAlignedRegressor()])
def test_a_source_of_another_kind(other: Any) -> None:
    _, X, y = source_and_target()
    with pytest.raises(ValueError, match="must be a fitted MultiTaskAlignedClassifier"):
        AlignedTransferClassifier(other.fit(X, y)).fit(X, y)


def test_other_features_than_the_source() -> None:
    source, X, y = source_and_target()
    with pytest.raises(
        ValueError, match="X has 4 features in 2 dimensions; the source was fitted on 5"
    ):
        AlignedTransferClassifier(source).fit(X[:, :4], y)
    frame = pd.DataFrame(X, columns=list("abcde"))
    named = MultiTaskAlignedClassifier(task_column="t", random_state=0)
    named.fit(frame.assign(t=np.arange(len(y)) % 2), y)
    AlignedTransferClassifier(named).fit(frame, y)
    with pytest.raises(ValueError, match=r"X has the features \['e', 'd', .*same order"):
        AlignedTransferClassifier(named).fit(frame[list("edcba")], y)


@pytest.mark.parametrize("names", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_the_names_of_the_labels_do_not_matter(names: list[int]) -> None:
    """A source of two classes and a target of three, under any order of the labels."""
    X, y, task = make_tasks(3)
    old, few = (task < 2) & (y < 2), np.flatnonzero(task == 2)[::10]
    expected = None
    for order in ([0, 1, 2], names):
        label = np.array(order)[y]
        source = MultiTaskAlignedClassifier(random_state=0, tol=1e-7)
        source.fit(X[old], label[old], task=task[old])
        model = AlignedTransferClassifier(source, tol=1e-7).fit(X[few], label[few])
        found = model.predict_proba(X)[:, order]
        if expected is None:
            expected = found
    np.testing.assert_allclose(found, expected, atol=5e-3)


class Normalised(torch.nn.Module):
    """Layers that work otherwise in training than in prediction."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(5, 16), torch.nn.BatchNorm1d(16), torch.nn.ReLU(), torch.nn.Dropout(0.5)
        )

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        shared: torch.Tensor = self.layers(rows)
        return shared


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
@pytest.mark.parametrize("way", ["transfer", "add_task"])
def test_a_b_that_holds_still_works_as_in_prediction(way: str, solver: str) -> None:
    X, y, task = make_tasks(rows=100)
    source = MultiTaskAlignedClassifier(
        shared_module=Normalised,
        solver="adam",
        skip_connection=False,
        alignment=None,
        learning_rate_init=0.01,
        max_iter=300,
        tol=0.01,
        random_state=0,
    ).fit(X[task < 2], y[task < 2], task=task[task < 2])
    before = weights(source)
    Z = np.random.default_rng(0).standard_normal((300, 5)) + 3
    label = (Z[:, 0] + Z[:, 1] > 6).astype(int)
    best = LogisticRegression().fit(source.transform(Z, task=np.zeros(300, int)), label)
    reachable = best.score(source.transform(Z, task=np.zeros(300, int)), label)
    if way == "transfer":
        model = AlignedTransferClassifier(
            source, alignment=None, solver=solver, learning_rate_init=0.01, random_state=0
        ).fit(Z, label)
        score = model.score(Z, label)
        running = model.module_.shared.module.layers[1].running_mean
        torch.testing.assert_close(
            running.float(), source.module_.shared.module.layers[1].running_mean
        )
    else:
        source.set_params(solver=solver).add_task(Z, label, task=7)
        score = source.score(Z, label, task=np.full(300, 7))
    assert score > reachable - 0.05
    assert all(torch.equal(value, before[name]) for name, value in weights(source).items())


def test_fine_tuning_by_lbfgs_needs_a_fixed_function() -> None:
    X, y, _ = make_tasks()
    source = MultiTaskAlignedClassifier(
        shared_module=Normalised, solver="adam", tol=0.1, random_state=0
    ).fit(X, y)
    with pytest.raises(ValueError, match="BatchNorm1d"):
        AlignedTransferClassifier(source, fine_tune_epochs=5).fit(X, y)


def test_coral_reaches_a_wide_target() -> None:
    source, X, y = source_and_target()
    Z = X @ np.diag([1.0, 2, 3, 4, 5])
    settings: dict[str, Any] = {
        "alignment": "full",
        "alignment_init": "coral",
        "alignment_alpha": 1e9,
    }
    wide = AlignedTransferClassifier(source, **settings).fit(Z, np.column_stack([y, 1 - y]))
    single = AlignedTransferClassifier(source, **settings).fit(Z, y)
    assert np.abs(single.alignment_[0] - np.eye(5)).max() > 0.3
    np.testing.assert_allclose(wide.alignment_[0], single.alignment_[0], atol=1e-6)
    np.testing.assert_allclose(wide.alignment_[1], single.alignment_[0], atol=1e-6)


def test_a_wide_target_is_not_aligned_by_default() -> None:
    source, X, y = source_and_target()
    model = AlignedTransferClassifier(source).fit(X, np.column_stack([y, 1 - y]))
    assert model.alignment_ is None
    assert model.transform(X).shape == (len(X), 32)


def test_a_cut_at_max_iter_warns_whatever_was_cut() -> None:
    source, X, y = source_and_target()
    model = AlignedTransferClassifier(source, fine_tune_epochs=10, max_iter=3)
    with pytest.warns(ConvergenceWarning, match="max_iter=3"):
        model.fit(X, y)


def test_fine_tuning_is_over_after_its_epochs_of_partial_fit() -> None:
    source, X, y = source_and_target()
    model = AlignedTransferClassifier(source, solver="adam", fine_tune_epochs=2, random_state=0)
    model.partial_fit(X, y).partial_fit(X, y)
    before = [parameter.clone() for parameter in model.module_.shared.parameters()]
    model.set_params(learning_rate_init=0.01).partial_fit(X, y)
    for mine, its in zip(model.module_.shared.parameters(), before, strict=True):
        assert torch.equal(mine, its)


def test_sequences_and_tables_do_not_mix() -> None:
    X, y, _ = make_tasks()
    sequences = np.repeat(X[:, None, :], 3, axis=1)

    class Mean(torch.nn.Module):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return rows.mean(dim=1)

    source = MultiTaskAlignedClassifier(shared_module=Mean(), random_state=0).fit(sequences, y)
    AlignedTransferClassifier(source).fit(sequences, y)
    with pytest.raises(ValueError, match="in 2 dimensions; the source was fitted on 5 in 3"):
        AlignedTransferClassifier(source).fit(X, y)


def test_parameters_have_the_defaults_of_a_fit_from_scratch() -> None:
    mine, plain = (
        AlignedTransferClassifier().get_params(),
        MultiTaskAlignedClassifier().get_params(),
    )
    assert set(mine) - set(plain) == {"source", "fine_tune_epochs"}
    assert (mine["head_alpha"], plain["head_alpha"]) == (2.0, "auto")  # which is 2 for one task
    shared = set(mine) & set(plain) - {"head_alpha"}
    assert {name: mine[name] for name in shared} == {name: plain[name] for name in shared}
