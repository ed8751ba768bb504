"""transfer_matrix against loops of plain fits and scores."""

from __future__ import annotations

import sys
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, get_scorer, r2_score, roc_auc_score
from sklearn.model_selection import KFold, LeaveOneGroupOut, ShuffleSplit, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._fold_scores import mean_and_error
from sk_mtl.diagnostics import TransferMatrix, transfer_matrix
from sk_mtl.model_selection import TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task, melt_tasks

SMALL: dict[str, Any] = {"hidden_layer_sizes": (2,), "random_state": 0, "tol": 1e-2}
NAMES = ("gain", "standard_error", "score_alone", "score_together", "gain_together")


def make_tasks(sizes: tuple[int, ...] = (18, 24, 15), seed: int = 0) -> tuple[Any, Any, Any]:
    """Tasks that agree more or less, rows in random order."""
    rng = np.random.default_rng(seed)
    task = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    X = rng.standard_normal((len(task), 3))
    y = X[:, 0] + 0.5 * task * X[:, 1] + 0.5 * rng.standard_normal(len(task))
    return X, y, task


def by_hand(fit_and_score: Any, n_tasks: int, folds: Any, ratio: Any) -> dict[str, Any]:
    """The matrix from ``fit_and_score(members, t, train, test)``, one fit for every score."""
    k = n_tasks
    alone, together = np.full((2, len(folds), k), np.nan)
    paired = np.full((len(folds), k, k), np.nan)
    for f, (train, test) in enumerate(folds):
        for t in range(k):
            alone[f, t] = fit_and_score([t], t, train, test)
            together[f, t] = fit_and_score(list(range(k)), t, train, test)
        for i, j in combinations(range(k), 2):
            paired[f, i, j] = fit_and_score([i, j], j, train, test)
            paired[f, j, i] = fit_and_score([i, j], i, train, test)
    difference = paired - alone[:, None]
    gain = difference.mean(axis=0)
    factor = 1 / len(folds) + np.asarray(ratio)
    error = np.sqrt(factor * difference.var(axis=0, ddof=1))
    gain[np.diag_indices(k)] = error[np.diag_indices(k)] = 0
    return {
        "gain": gain,
        "standard_error": error,
        "score_alone": alone.mean(axis=0),
        "score_together": together.mean(axis=0),
        "gain_together": (together - alone).mean(axis=0),
        "gain_together_se": np.sqrt(factor * (together - alone).var(axis=0, ddof=1)),
    }


def assert_same(found: TransferMatrix, expected: Any, **tolerance: Any) -> None:
    for name in (*NAMES, "gain_together_se"):
        value = expected[name] if isinstance(expected, dict) else getattr(expected, name)
        np.testing.assert_allclose(getattr(found, name), value, **{"atol": 1e-12} | tolerance)


def mean_ratio(task: Any, folds: Any) -> Any:
    """Held-out over training rows of each task, on average."""
    return np.mean(
        [
            [(task[test] == t).sum() / (task[train] == t).sum() for t in np.unique(task)]
            for train, test in folds
        ],
        axis=0,
    )


@pytest.mark.parametrize("kind", ["classifier", "regressor"])
def test_stacked_tasks_by_hand(kind: str) -> None:
    X, values, task = make_tasks()
    classifies = kind == "classifier"
    y = values > 0 if classifies else values
    aligned = MultiTaskAlignedClassifier if classifies else MultiTaskAlignedRegressor
    estimator, metric = aligned(**SMALL), accuracy_score if classifies else r2_score
    folds = list(TaskStratifiedKFold(2, random_state=7).split(X, y, task=task))

    def fit_and_score(members: Any, t: int, train: Any, test: Any) -> float:
        train = train[np.isin(task[train], members)]
        test = test[task[test] == t]
        model = clone(estimator).fit(X[train], y[train], task=task[train])
        return float(metric(y[test], model.predict(X[test], task=task[test])))

    found = transfer_matrix(estimator, X, y, task=task, cv=2, random_state=7)
    assert_same(
        found, by_hand(fit_and_score, 3, folds, mean_ratio(task, folds)), atol=0, rtol=1e-12
    )
    assert found.tasks.tolist() == [0, 1, 2]
    assert found.n_folds == 2
    assert len(np.unique(found.gain)) > 3  # not all alike by accident


def test_task_column_in_every_place() -> None:
    X, y, task = make_tasks((18, 24))
    names = np.array(["north", "south"])[task]
    estimator = MultiTaskAlignedRegressor(**SMALL)
    arguments: dict[str, Any] = {"cv": 2, "random_state": 0}
    expected = transfer_matrix(estimator, X, y, task=names, **arguments)
    frame = pd.DataFrame(X, columns=list("abc")).assign(shop=names)[["a", "shop", "b", "c"]]
    own = clone(estimator).set_params(task_column="shop")
    for found in (
        transfer_matrix(own, frame, y, **arguments),
        transfer_matrix(own, frame, y, task_column="shop", **arguments),
        transfer_matrix(estimator, frame, y, task_column="shop", **arguments),
        transfer_matrix(estimator, np.column_stack([X, task]), y, task_column=-1, **arguments),
    ):
        assert_same(found, expected)
        assert len(found.tasks) == 2
    assert transfer_matrix(own, frame, y, **arguments).tasks.tolist() == ["north", "south"]


def test_pipelines_with_a_task_column_or_with_routing() -> None:
    X, y, task = make_tasks((18, 24))
    column = np.column_stack([10 * X + 5, task])
    estimator = MultiTaskAlignedRegressor(task_column=-1, **SMALL)
    pipeline = make_pipeline(keep_task(StandardScaler(), task_column=-1), estimator)
    folds = list(TaskStratifiedKFold(2, random_state=0).split(X, y, task=task))

    def fit_and_score(members: Any, t: int, train: Any, test: Any) -> float:
        train = train[np.isin(task[train], members)]
        test = test[task[test] == t]
        return float(clone(pipeline).fit(column[train], y[train]).score(column[test], y[test]))

    expected = by_hand(fit_and_score, 2, folds, mean_ratio(task, folds))
    arguments: dict[str, Any] = {"cv": 2, "random_state": 0}
    assert_same(transfer_matrix(pipeline, column, y, task_column=-1, **arguments), expected)
    with pytest.raises(ValueError, match="multitaskalignedregressor__task_column=-1, but where"):
        transfer_matrix(pipeline, column, y, **arguments)

    routed = make_pipeline(StandardScaler(), clone(estimator).set_params(task_column=None))
    with pytest.raises(ValueError, match="does not take task="):
        transfer_matrix(routed, 10 * X + 5, y, task=task, **arguments)
    with sklearn.config_context(enable_metadata_routing=True):
        assert_same(transfer_matrix(routed, 10 * X + 5, y, task=task, **arguments), expected)


@pytest.mark.parametrize(
    "scoring",
    ["accuracy", "balanced_accuracy", "f1", "roc_auc", "neg_log_loss", "average_precision"],
)
def test_scorers_see_a_task_as_they_see_a_single_task_estimator(scoring: str) -> None:
    """LogisticRegression with the task as a feature takes any number of tasks."""
    X, values, task = make_tasks()
    y = np.where(values > 0, "yes", "no")
    if scoring in ("f1", "average_precision"):
        y = (y == "yes").astype(int)
    column, folds = (
        np.column_stack([X, task]),
        list(KFold(3, shuffle=True, random_state=1).split(X)),
    )
    found = transfer_matrix(
        LogisticRegression(), column, y, task_column=-1, cv=folds, scoring=scoring
    )
    for t in range(3):
        own = np.flatnonzero(task == t)
        inside = [tuple(np.flatnonzero(np.isin(own, part)) for part in fold) for fold in folds]
        expected = cross_val_score(
            LogisticRegression(), column[own], y[own], cv=inside, scoring=scoring
        )
        assert found.score_alone[t] == pytest.approx(expected.mean(), rel=1e-12)


def test_values_by_any_scorer() -> None:
    X, y, task = make_tasks()
    column, folds = np.column_stack([X, task]), list(KFold(3).split(X))

    def absolute(model: Any, X: Any, y: Any) -> float:
        return -float(np.abs(model.predict(X) - y).mean())

    for scoring in ("neg_mean_absolute_error", absolute, get_scorer("neg_mean_absolute_error")):

        def fit_and_score(members: Any, t: int, train: Any, test: Any) -> float:
            train = train[np.isin(task[train], members)]
            test = test[task[test] == t]
            return absolute(Ridge().fit(column[train], y[train]), column[test], y[test])

        found = transfer_matrix(Ridge(), column, y, task_column=3, cv=KFold(3), scoring=scoring)
        assert_same(found, by_hand(fit_and_score, 3, folds, mean_ratio(task, folds)))


def wide_with_gaps(seed: int = 0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 3))
    Y = X @ [[1, 1, 0], [0, 1, 0], [0, 0, 1]] + rng.standard_normal((40, 3))
    Y[rng.random(Y.shape) < 0.3] = np.nan
    return X, Y


def wide_by_hand(estimator: Any, X: Any, Y: Any, cv: int, score: Any) -> dict[str, Any]:
    """``score(model, X, y, at)`` where ``at`` is the task's position, None alone."""
    labelled = ~np.isnan(Y)
    folds = list(KFold(cv, shuffle=True, random_state=3).split(X))

    def fit_and_score(members: Any, t: int, train: Any, test: Any) -> float:
        train = train[labelled[train][:, members].any(axis=1)]
        test = test[labelled[test, t]]
        y = Y[train][:, members]
        model = clone(estimator).fit(X[train], y[:, 0] if len(members) == 1 else y)
        return float(score(model, X[test], Y[test, t], members.index(t) if members[1:] else None))

    ratio = [labelled[test].sum(axis=0) / labelled[train].sum(axis=0) for train, test in folds]
    return by_hand(fit_and_score, Y.shape[1], folds, np.mean(ratio, axis=0))


def test_wide_values_by_hand() -> None:
    X, Y = wide_with_gaps()
    estimator = MultiTaskAlignedRegressor(**SMALL)

    def score(model: Any, X: Any, y: Any, at: Any) -> float:
        predicted = model.predict(X)
        return float(r2_score(y, predicted if at is None else predicted[:, at]))

    found = transfer_matrix(estimator, X, Y, cv=2, random_state=3)
    assert_same(found, wide_by_hand(estimator, X, Y, 2, score))
    frame = pd.DataFrame(Y, columns=["x", "y", "z"])
    named = transfer_matrix(estimator, X, frame, cv=2, random_state=3)
    assert_same(named, found)
    assert named.tasks.tolist() == ["x", "y", "z"]


def test_wide_labels_by_hand() -> None:
    """Binary tasks have one array of probabilities for all, others a list."""
    X, Y = wide_with_gaps()
    estimator = MultiTaskAlignedClassifier(**SMALL)
    binary = np.where(np.isnan(Y), np.nan, Y > 0)

    def auc(model: Any, X: Any, y: Any, at: Any) -> float:
        probability = model.predict_proba(X)
        return float(roc_auc_score(y, probability[:, 1 if at is None else at]))

    found = transfer_matrix(estimator, X, binary, cv=2, random_state=3, scoring="roc_auc")
    assert_same(found, wide_by_hand(estimator, X, binary, 2, auc))

    thirds = np.where(np.isnan(Y), np.nan, np.digitize(Y, [-0.5, 0.5]))

    def log_loss(model: Any, X: Any, y: Any, at: Any) -> float:
        probability = model.predict_proba(X) if at is None else model.predict_proba(X)[at]
        return float(np.log(probability[np.arange(len(y)), y.astype(int)]).mean())

    found = transfer_matrix(estimator, X, thirds, cv=2, random_state=3, scoring="neg_log_loss")
    assert_same(found, wide_by_hand(estimator, X, thirds, 2, log_loss))


@pytest.mark.parametrize(
    "estimator",
    [KNeighborsClassifier(), MLPClassifier((2,), solver="lbfgs", max_iter=5, random_state=0)],
    ids=["list", "array"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_wide_labels_of_other_estimators(estimator: Any) -> None:
    X, Y = wide_with_gaps()
    Y = (np.nan_to_num(Y) > 0).astype(int)

    def auc(model: Any, X: Any, y: Any, at: Any) -> float:
        probability = model.predict_proba(X)
        if at is None:
            return float(roc_auc_score(y, probability[:, 1]))
        listed = isinstance(probability, list)
        return float(roc_auc_score(y, probability[at][:, 1] if listed else probability[:, at]))

    expected = wide_by_hand(estimator, X, Y, 2, auc)
    for table in (X, csr_array(X)):
        found = transfer_matrix(estimator, table, Y, cv=2, random_state=3, scoring="roc_auc")
        assert_same(found, expected, rtol=1e-6)


def test_wide_labels_of_several_kinds() -> None:
    """Strings beside numbers: predictions of both stand in one array of objects."""
    X, Y = wide_with_gaps()
    numbers = np.where(np.isnan(Y[:, 0]), np.nan, Y[:, 0] > 0)
    names = np.where(np.isnan(Y[:, 1]), None, np.where(Y[:, 1] > 0, "positive", "neg"))
    mixed = pd.DataFrame({"a": numbers, "b": names})
    codes = np.column_stack([numbers, np.where(np.isnan(Y[:, 1]), np.nan, 2 + (Y[:, 1] > 0))])
    estimator = MultiTaskAlignedClassifier(**SMALL)
    for scoring in ("accuracy", "roc_auc"):
        arguments: dict[str, Any] = {"cv": 2, "random_state": 0, "scoring": scoring}
        found = transfer_matrix(estimator, X, mixed, **arguments)
        assert_same(found, transfer_matrix(estimator, X, codes, **arguments))


def test_wide_tasks_without_common_rows_are_stacked_tasks() -> None:
    X, y, task = make_tasks()
    Y = np.where(task[:, None] == range(3), y[:, None], np.nan)
    flat, labels, ids, sample = melt_tasks(X, Y)
    assert sample.tolist() == list(range(len(X)))
    estimator = MultiTaskAlignedRegressor(
        hidden_layer_sizes=(), alignment=None, input_scaling="standard", tol=0
    )
    folds = list(KFold(3, shuffle=True, random_state=0).split(X))
    stacked = transfer_matrix(estimator, flat, labels, task=ids, cv=folds)
    assert_same(transfer_matrix(estimator, X, Y, cv=folds), stacked, rtol=1e-6)


def test_probabilities_are_those_of_the_tasks_own_classes() -> None:
    X, values, task = make_tasks()
    y = np.where(values > 0, "b", "a").astype(object)
    y[task == 1] = np.where(values > 0, "d", "c")[task == 1]
    y = y.astype(str)
    folds = list(TaskStratifiedKFold(3, random_state=0).split(X, y, task=task))
    arguments: dict[str, Any] = {"cv": 3, "random_state": 0, "scoring": "neg_log_loss"}
    column = np.column_stack([X, task])
    ours = MultiTaskAlignedClassifier(task_column=-1, **SMALL)
    for estimator in (ours, LogisticRegression()):

        def fit_and_score(members: Any, t: int, train: Any, test: Any) -> float:
            train = train[np.isin(task[train], members)]
            test = test[task[test] == t]
            model = clone(estimator).fit(column[train], y[train])  # noqa: B023
            own = np.isin(model.classes_, np.unique(y[task == t]))
            probability = model.predict_proba(column[test])[:, own]
            probability /= probability.sum(axis=1, keepdims=True)
            true = y[test][:, None] == model.classes_[own]
            return float(np.log(probability[true]).mean())

        found = transfer_matrix(estimator, column, y, task_column=-1, **arguments)
        expected = by_hand(fit_and_score, 3, folds, mean_ratio(task, folds))
        assert_same(found, expected)


class Average(nn.Module):
    """The mean over the positions of a row."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows.mean(dim=1)


def test_rows_with_positions() -> None:
    """Rows of one position repeated, against rows of that position."""
    X, y, task = make_tasks((18, 24))
    arguments: dict[str, Any] = {"task": task, "cv": 2, "random_state": 0}
    settings: dict[str, Any] = {"shared_module": Average, "alignment": None}
    model = MultiTaskAlignedRegressor(**settings)
    one = transfer_matrix(model, X[:, None], y, **arguments)
    three = transfer_matrix(model, np.repeat(X[:, None], 3, axis=1), y, **arguments)
    assert_same(three, one, rtol=1e-3)


def test_results_do_not_depend_on_n_jobs(capsys: pytest.CaptureFixture[str]) -> None:
    X, y, task = make_tasks()
    column, estimator = np.column_stack([X, task]), Ridge(solver="sag", random_state=0)
    arguments: dict[str, Any] = {"task_column": -1, "cv": 2, "random_state": 0}
    alone = transfer_matrix(estimator, column, y, n_jobs=1, **arguments)
    assert capsys.readouterr().err == ""
    found = transfer_matrix(estimator, column, y, n_jobs=2, progress=True, **arguments)
    assert_same(found, alone, atol=0, rtol=0)
    assert "14/14" in capsys.readouterr().err  # three tasks, three pairs and all, twice


def test_the_sign_of_the_gain() -> None:
    """Two tasks with the same labels and one with the opposite, by one model for all."""
    rng = np.random.default_rng(1)
    X, task = rng.standard_normal((120, 20)), np.repeat(["agrees", "too", "opposes"], 40)
    y = (X[:, :5].sum(axis=1) > 0) != (task == "opposes")
    estimator = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(), alignment=None, head_alpha=1e4, random_state=0
    )
    found = transfer_matrix(estimator, X, y, task=task, random_state=0, scoring="roc_auc")
    gain = pd.DataFrame(found.to_frame())
    assert gain.loc["too", "agrees"] > 0.02
    assert gain.loc["agrees", "too"] > 0.02
    assert gain.loc["opposes", "agrees"] < -0.15
    assert gain.loc["agrees", "opposes"] < -0.15
    assert found.gain_together[found.tasks == "opposes"] < -0.5
    assert (np.abs(found.gain_together) > 2 * found.gain_together_se)[found.tasks == "opposes"]
    np.testing.assert_array_equal(np.diag(found.gain), 0)
    np.testing.assert_array_equal(np.diag(found.standard_error), 0)
    assert gain.index.name == "trained_with"
    np.testing.assert_allclose(found.gain_together, found.score_together - found.score_alone)


def test_corrected_standard_error_by_hand() -> None:
    values = np.array([[1.0, np.nan, 3.0], [2.0, np.nan, np.nan], [6.0, np.nan, np.nan]])
    overlap = np.array([[0.5, 9.0, 1.0], [0.2, 9.0, 1.0], [0.8, 9.0, 1.0]])
    mean, error = mean_and_error(values, overlap)
    np.testing.assert_array_equal(mean, [3.0, np.nan, 3.0])
    assert error[0] == pytest.approx(np.sqrt((1 / 3 + 0.5) * 7))  # 7 = (4 + 1 + 9) / 2
    np.testing.assert_array_equal(error[1:], np.inf)
    # Folds with an undefined value count neither in the mean nor in the overlap.
    values, overlap = np.array([[1.0], [3.0], [np.nan]]), np.array([[0.5], [0.5], [100.0]])
    mean, error = mean_and_error(values, overlap)
    assert mean == 2
    assert error == pytest.approx(np.sqrt((1 / 2 + 0.5) * 2))


def test_one_task_and_two_tasks() -> None:
    X, y, task = make_tasks()
    estimator = Ridge()
    one = transfer_matrix(estimator, X, y, cv=3, random_state=0)
    assert one.gain.tolist() == [[0]]
    assert one.gain_together.tolist() == one.gain_together_se.tolist() == [0]
    assert one.score_alone == one.score_together
    folds = KFold(3, shuffle=True, random_state=0).split(X)
    same = transfer_matrix(estimator, X, y, cv=folds)
    expected = cross_val_score(estimator, X, y, cv=KFold(3, shuffle=True, random_state=0))
    assert same.score_alone[0] == pytest.approx(expected.mean())

    two = task < 2
    column = np.column_stack([X, task])[two]
    found = transfer_matrix(estimator, column, y[two], task_column=-1, cv=3, random_state=0)
    np.testing.assert_array_equal(found.gain_together, [found.gain[1, 0], found.gain[0, 1]])


def test_folds_of_all_kinds() -> None:
    X, y, task = make_tasks()
    column = np.column_stack([X, task])

    def found(cv: Any, **arguments: Any) -> TransferMatrix:
        return transfer_matrix(Ridge(), column, y, task_column=-1, cv=cv, **arguments)

    expected = found(3, random_state=5)
    assert_same(found(TaskStratifiedKFold(3, random_state=5)), expected)
    assert_same(found(TaskStratifiedKFold(3, random_state=5, task_column=-1)), expected)
    assert_same(found(TaskStratifiedKFold(3, random_state=5).split(X, y, task=task)), expected)
    assert not np.array_equal(found(3, random_state=6).gain, expected.gain)
    assert found(ShuffleSplit(4, random_state=0)).n_folds == 4
    single = found([next(KFold(2).split(X))])  # one fold: a gain, whose error nobody knows
    assert np.isfinite(single.gain).all()
    assert np.isinf(single.standard_error[~np.eye(3, dtype=bool)]).all()


def test_a_task_with_fewer_rows_than_folds() -> None:
    """It is scored in the folds that hold a row of it, and trained on in all."""
    X, y, task = make_tasks((20, 3))
    column = np.column_stack([X, task])
    error = "neg_mean_squared_error"
    found = transfer_matrix(Ridge(), column, y, task_column=-1, random_state=0, scoring=error)
    gains = []
    for train, test in TaskStratifiedKFold(5, random_state=0).split(X, y, task=task):
        held_out, own = test[task[test] == 1], train[task[train] == 1]
        if len(held_out):
            alone = Ridge().fit(column[own], y[own]).predict(column[held_out])
            both = Ridge().fit(column[train], y[train]).predict(column[held_out])
            gains.append(((alone - y[held_out]) ** 2 - (both - y[held_out]) ** 2).item())
    assert len(gains) == 3
    assert found.gain[0, 1] == pytest.approx(np.mean(gains))
    assert found.standard_error[0, 1] == pytest.approx(
        np.sqrt((1 / 3 + 1 / 2) * np.var(gains, ddof=1))
    )


def test_a_task_without_training_rows_in_a_fold_is_left_out_there() -> None:
    X, y, task = make_tasks()
    column = np.column_stack([X, task])
    folds = [*LeaveOneGroupOut().split(X, y, task), *KFold(3).split(X)]
    found = transfer_matrix(Ridge(), column, y, task_column=-1, cv=folds)
    expected = transfer_matrix(Ridge(), column, y, task_column=-1, cv=KFold(3))
    assert_same(found, expected)


@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision", "neg_log_loss"])
def test_folds_without_a_score_do_not_count(scoring: str) -> None:
    """Held-out rows of one class have an accuracy, but no score of their probabilities."""
    X, values, task = make_tasks((30, 12))
    y = values > 0
    rare = np.flatnonzero(task == 1)
    y[rare] = np.repeat([True, True, False, False], 3)
    column = np.column_stack([X, task])
    folds = [(np.setdiff1d(np.arange(42), part), part) for part in np.array_split(rare, 3)]
    folds += list(KFold(2, shuffle=True, random_state=0).split(X))
    arguments: dict[str, Any] = {"task_column": -1, "scoring": scoring}
    defined = [fold for fold in folds if len(np.unique(y[fold[1]][task[fold[1]] == 1])) == 2]
    assert 0 < len(defined) < len(folds)
    found = transfer_matrix(LogisticRegression(), column, y, cv=folds, **arguments)
    expected = transfer_matrix(LogisticRegression(), column, y, cv=defined, **arguments)
    assert found.gain[0, 1] == pytest.approx(expected.gain[0, 1])
    assert found.standard_error[0, 1] == pytest.approx(expected.standard_error[0, 1])
    by_accuracy = transfer_matrix(LogisticRegression(), column, y, cv=folds, task_column=-1)
    assert not np.isclose(
        by_accuracy.score_alone[1],
        transfer_matrix(LogisticRegression(), column, y, cv=defined, task_column=-1).score_alone[1],
    )


def test_a_task_of_one_class() -> None:
    X, values, task = make_tasks()
    y = (values > 0) | (task == 2)
    estimator = MultiTaskAlignedClassifier(**SMALL)
    found = transfer_matrix(estimator, X, y, task=task, cv=2, random_state=0)
    assert found.score_alone[2] == 1
    assert found.gain_together[2] <= 0
    with pytest.warns(UndefinedMetricWarning, match=r"The tasks \[2\] have no score") as warned:
        found = transfer_matrix(estimator, X, y, task=task, cv=2, random_state=0, scoring="roc_auc")
    assert len(warned) == 1
    assert np.isnan(found.gain_together).tolist() == [False, False, True]
    assert np.isnan(found.gain).tolist() == [[False, False, True]] * 2 + [[False] * 3]
    with pytest.raises(ValueError, match=r"fit to the tasks \[2\]"):
        transfer_matrix(LogisticRegression(), np.column_stack([X, task]), y, task_column=-1)


def test_one_held_out_value_has_no_r2() -> None:
    X, y, task = make_tasks((30, 3))
    folds = list(TaskStratifiedKFold(3, random_state=0).split(X, task, task=task))  # one row each
    with pytest.warns(UndefinedMetricWarning, match=r"\[1\] have no score in any fold") as warned:
        found = transfer_matrix(Ridge(), np.column_stack([X, task]), y, task_column=-1, cv=folds)
    assert len(warned) == 1
    assert np.isnan(found.score_alone).tolist() == [False, True]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task_column": 0}, r"named twice: task_column=0"),
        ({"task": np.zeros(5, dtype=int)}, "task has 5 entries for 57 rows"),
        ({"y": np.zeros((57, 2)), "task": np.arange(57) % 2}, "the rows name tasks as well"),
        ({"task": np.r_[7, np.zeros(56, dtype=int)]}, r"task 7 has 1 labelled row\(s\)"),
        ({"y": np.r_[np.nan, np.ones(56)]}, "1 rows of task 0 have no label"),
        ({"y": np.column_stack([np.ones(57), np.full(57, np.nan)]), "task": None}, "task 1 has 0"),
        ({"y": np.full(57, "word")}, "which is not a number"),
        ({"estimator": Ridge()}, "does not take task="),
        ({"estimator": StandardScaler()}, "neither a classifier nor a regressor"),
        (
            {
                "estimator": MultiTaskAlignedRegressor(task_column=-1),
                "task": None,
                "task_column": 2,
            },
            "task_column=2, but the estimator's is -1",
        ),
        ({"cv": []}, r"cv=\[\] gives no folds"),
        ({"cv": [(np.array([], dtype=int), np.arange(57))]}, "without training rows"),
        ({"cv": 60}, "between 2 and the number of rows, 57"),
        ({"scoring": "guess"}, "'guess'"),
    ],
)
def test_what_cannot_be_measured(change: dict[str, Any], message: str) -> None:
    X, y, _ = make_tasks()
    task = np.arange(57) % 3
    arguments = {"estimator": MultiTaskAlignedRegressor(), "X": X, "y": y, "task": task} | change
    with pytest.raises(ValueError, match=message):
        transfer_matrix(**arguments)


def test_a_table_of_gains_needs_pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = make_tasks()
    found = transfer_matrix(Ridge(), X, y, cv=2)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"to_frame makes a DataFrame. Install pandas"):
        found.to_frame()
