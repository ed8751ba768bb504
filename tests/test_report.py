"""transfer_report: its numbers against those of other functions, its verdicts on known tasks."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from scipy.stats import t as students_t
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor
from sk_mtl._likeness import _decorrelated, likeness
from sk_mtl._report import _listed
from sk_mtl._task_data import TaskData
from sk_mtl._verdicts import cause_of, verdict_of
from sk_mtl.datasets import make_covariance_tasks
from sk_mtl.diagnostics import transfer_matrix, transfer_report
from sk_mtl.preprocessing import keep_task, melt_tasks


def opposed(kind: str, seed: int = 0) -> tuple[Any, Any, Any]:
    """Two tasks that agree, and one whose labels are the opposite."""
    rng = np.random.default_rng(seed)
    task = np.repeat(["a", "b", "c"], [60, 60, 40])
    X = rng.standard_normal((160, 4))
    y = X[:, 0] * np.where(task == "c", -1, 1) + 0.3 * rng.standard_normal(160)
    return X, y if kind == "values" else y > 0, task


def pooled(X: Any, task: Any) -> Any:
    """Features beside a column of task numbers, for scikit-learn's own estimators."""
    return np.column_stack([X, np.unique(task, return_inverse=True)[1]])


@pytest.mark.parametrize("kind", ["labels", "values"])
def test_opposed_labels(kind: str) -> None:
    X, y, task = opposed(kind)
    estimator = LogisticRegression() if kind == "labels" else Ridge()
    arguments: dict[str, Any] = {"task_column": -1, "random_state": 0}
    report = transfer_report(estimator, pooled(X, task), y, **arguments)
    table = report.table
    assert table.index.tolist() == [0, 1, 2]
    assert table["rows"].tolist() == [60, 60, 40]
    matrix = transfer_matrix(estimator, pooled(X, task), y, **arguments)
    np.testing.assert_array_equal(table["score_alone"], matrix.score_alone)
    np.testing.assert_array_equal(table["score_together"], matrix.score_together)
    np.testing.assert_array_equal(table["gain"], matrix.gain_together)
    np.testing.assert_array_equal(table["standard_error"], matrix.gain_together_se)
    assert report.transfer is not None
    np.testing.assert_array_equal(report.transfer.gain, matrix.gain)
    assert table.loc[2, "verdict"] == "loses"
    assert table.loc[2, "likely_cause"] == "labels"
    assert "SVDTaskReweighter" in table.loc[2, "advice"]
    assert table["worst_partner"].tolist()[:2] == [2, 2]
    assert table["best_partner"].tolist()[:2] == [1, 0]
    np.testing.assert_array_equal(table["best_partner_gain"][:2], matrix.gain[[1, 0], [0, 1]])
    np.testing.assert_array_equal(table["worst_partner_gain"][:2], matrix.gain[[2, 2], [0, 1]])
    assert table["most_opposed"].tolist()[:2] == [2, 2]
    assert (table["most_opposed_similarity"] < -0.8).all()
    assert report.label_similarity[0, 1] > 0.8
    assert (report.covariance_similarity > 0.9).all()
    assert table.loc[0, "label_similarity"] == report.label_similarity[0, 1:].mean()
    assert table.loc[0, "covariance_similarity"] == report.covariance_similarity[0, 1:].mean()

    text = report.summary
    metric = "accuracy" if kind == "labels" else "R^2"
    assert text.startswith(
        f"3 tasks of 40 to 60 rows, scored by {metric} on held-out rows in 5 folds. Trained "
        "together instead of alone, "
    )
    assert f"2 {table.loc[2, 'gain']:+.2g} ± {table.loc[2, 'standard_error']:.1g}" in text
    assert "labels seem to depend on the features in another way" in text
    assert f"at most about {200 * students_t.sf(2, 4):.0f} would" in text
    assert str(report).replace("\n", " ") == text
    assert max(map(len, str(report).split("\n"))) <= 88


class Shrunk(RegressorMixin, BaseEstimator):
    """One weight vector for all tasks, on as many directions as the rows vary most in."""

    def fit(self, X: Any, y: Any) -> Shrunk:
        X = X[:, :-1]
        directions = np.linalg.svd(X, full_matrices=False)[2][:2]
        self.weight_ = directions.T @ np.linalg.lstsq(X @ directions.T, y, rcond=None)[0]
        return self

    def predict(self, X: Any) -> Any:
        return X[:, :-1] @ self.weight_


def test_other_directions_of_the_features() -> None:
    """The same coefficients; a shared model of small capacity follows the wrong features."""
    X, y, task = make_covariance_tasks(
        n_samples=(400, 200), n_features=20, overlap=0, noise=0.1, random_state=0
    )
    report = transfer_report(Shrunk(), pooled(X, task), y, task_column=-1, random_state=0)
    assert report.table.loc[1, "verdict"] == "loses"
    assert report.table.loc[1, "likely_cause"] == "covariance"
    assert "align" in report.table.loc[1, "advice"]
    assert "the features vary in other directions" in report.summary


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize(
    ("settings", "causes"),
    [
        ({}, {"neither"}),
        ({"same_rotation": False}, {"covariance"}),
        ({"overlap": 0}, {"covariance"}),
        ({"cosine": 0}, {"labels"}),
        ({"cosine": -1}, {"labels"}),
        (
            {"n_samples": (60, 60), "overlap": 0},
            {"covariance", "labels or covariance", "too few rows to say"},
        ),
    ],
    ids=["alike", "rotated", "no overlap", "unrelated", "opposed", "few rows"],
)
def test_what_sets_tasks_apart(settings: dict[str, Any], causes: set[str], binary: bool) -> None:
    found = set()
    for seed in range(3):
        X, y, task = make_covariance_tasks(
            **({"n_samples": (1000, 600), "n_features": 20} | settings), random_state=seed
        )
        model = Ridge() if not binary else LogisticRegression()
        data = TaskData.of(model, pooled(X, task), y > 0 if binary else y, None, -1)
        covariance, labels = likeness(data, X, 0)
        np.testing.assert_allclose(covariance, covariance.T)
        np.testing.assert_array_equal(np.diag(covariance), 1)
        found |= {
            cause_of(covariance[t, [1 - t]], labels[t, [1 - t]], constant=False) for t in (0, 1)
        }
    assert found <= causes


def test_random_labels_cannot_be_compared() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((80, 10)), np.repeat([0, 1], 40)
    y = np.where(task == 0, rng.random(80) > 0.5, X[:, 0] > 0)
    data = TaskData.of(LogisticRegression(), pooled(X, task), y, None, -1)
    _, labels = likeness(data, X, 0)
    assert np.isnan(labels[0]).all()
    assert np.isnan(labels[:, 0]).all()
    assert labels[1, 1] == 1
    assert cause_of(np.ones(1), labels[0, 1:], constant=False) == "too few rows to say"


def test_classes_of_their_own_are_neither_alike_nor_opposed_in_sign() -> None:
    X, task = np.random.default_rng(0).standard_normal((120, 4)), np.repeat([0, 1], 60)
    y = np.where(task == 0, X[:, 0] > 0, X[:, 0] < 0).astype(int)
    for labels, sign in ((y, -1), (y + 2 * task, 1)):
        data = TaskData.of(LogisticRegression(), pooled(X, task), labels, None, -1)
        assert sign * likeness(data, X, 0)[1][0, 1] > 0.7


def test_rules() -> None:
    assert verdict_of(0.05, 0.02, 0.8) == "gains"
    assert verdict_of(-0.05, 0.02, 0.8) == "loses"
    assert verdict_of(0.05, 0.03, 0.8) == "no clear difference"  # not twice the error
    assert verdict_of(0.003, 0.0, 0.8) == "no clear difference"  # not half a percent of the score
    assert verdict_of(-30.0, 1.0, -5000.0) == "loses"  # in whatever unit
    assert verdict_of(-20.0, 1.0, -5000.0) == "no clear difference"
    assert verdict_of(0.5, np.inf, 0.8) == "no clear difference"
    assert verdict_of(np.nan, np.inf, np.nan) == "no score"
    one, nan = np.ones(2), np.nan

    def cause(covariance: Any, labels: Any) -> str:
        return cause_of(np.array(covariance), np.array(labels), constant=False)

    assert cause(one, one) == "neither"
    assert cause([0.5, 0.5], [0.7, 0.6]) == "covariance"
    assert cause([0.9, 0.5], [0.3, 0.6]) == "labels"
    assert cause([0.9, 0.1], [0.3, 0.6]) == "labels or covariance"
    assert cause([0.1, 0.1], [0.1, -0.7]) == "labels"
    assert cause([0.1, 0.1], [0.2, -0.7]) == "labels or covariance"
    assert cause([0.1, 0.1], [0.9, nan]) == "covariance"
    assert cause(one, [nan, nan]) == "too few rows to say"
    assert cause_of(one, np.full(2, nan), constant=True) == "labels do not vary"


def test_layouts_agree() -> None:
    X, y, task = (part[::2] for part in opposed("values"))
    model = MultiTaskAlignedRegressor(
        hidden_layer_sizes=(), alignment=None, input_scaling="standard", tol=1e-6, head_alpha=100
    )
    folds = list(KFold(2, shuffle=True, random_state=0).split(X))
    arguments: dict[str, Any] = {"cv": folds, "random_state": 0, "pairs": False}
    report = transfer_report(model, X, y, task=task, **arguments)
    assert report.transfer is None
    assert "best_partner" not in report.table
    frame = pd.DataFrame(X).assign(shop=task)
    column = transfer_report(model, frame, y, task_column="shop", **arguments)
    pd.testing.assert_frame_equal(column.table, report.table)
    assert column.summary == report.summary

    own = model.set_params(task_column="shop")
    scaled = make_pipeline(keep_task(StandardScaler(), task_column="shop"), own)
    pipeline = transfer_report(
        scaled, frame.rename(columns=str), y, task_column="shop", **arguments
    )
    similar = ["covariance_similarity", "label_similarity", "most_opposed"]
    pd.testing.assert_frame_equal(pipeline.table[similar], report.table[similar])

    wide = pd.DataFrame({name: np.where(task == name, y, np.nan) for name in "abc"})
    flat, labels, ids, _ = melt_tasks(X, wide)
    np.testing.assert_array_equal(flat, X)
    np.testing.assert_array_equal(labels, y)
    np.testing.assert_array_equal(ids, task)
    gaps = transfer_report(model.set_params(task_column=None), X, wide, **arguments)
    pd.testing.assert_frame_equal(gaps.table, report.table, rtol=1e-3)


def test_a_pipeline_makes_numbers_of_the_features() -> None:
    X, y, task = opposed("labels")
    frame = pd.DataFrame({"x": X[:, 0], "z": X[:, 1]}).assign(shop=task)
    frame["colour"] = np.where(X[:, 2] > 0, "red", "blue")
    encoder = OneHotEncoder(sparse_output=False, drop="first")
    model = MultiTaskAlignedClassifier(task_column="shop", hidden_layer_sizes=(), random_state=0)
    pipeline = make_pipeline(keep_task(encoder, task_column="shop"), model)
    frame[["x", "z"]] = np.digitize(frame[["x", "z"]], [-0.5, 0.5])
    arguments: dict[str, Any] = {"task_column": "shop", "cv": 2, "pairs": False, "random_state": 0}
    report = transfer_report(pipeline, frame, y, **arguments)
    assert report.label_similarity[0, 1] > 0.8
    assert report.label_similarity[0, 2] < -0.8
    with pytest.raises(ValueError, match="X must be a table of numbers without gaps"):
        transfer_report(model, frame, y, **arguments)


def test_one_task() -> None:
    X, y, _ = opposed("labels")
    report = transfer_report(LogisticRegression(), X[:60], y[:60], random_state=0)
    score = report.table.loc[0, "score_alone"]
    assert report.table.loc[0, ["gain", "verdict"]].tolist() == [0, "no clear difference"]
    assert report.summary == (
        "There is one task, of 60 rows: nothing can be transferred. Its accuracy on held-out rows "
        f"is {score:.3g}."
    )


def test_a_task_of_one_class() -> None:
    X, y, task = opposed("labels")
    y[task == "b"] = True
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), random_state=0)
    report = transfer_report(model, X, y, task=task, cv=2, random_state=0)
    assert report.table.loc["b", "likely_cause"] == "labels do not vary"
    assert report.table.loc["b", "advice"] == "leave it out"
    assert "In 'b', all labels are the same" in report.summary
    with pytest.warns(UndefinedMetricWarning, match=r"\['b'\] have no score"):
        report = transfer_report(model, X, y, task=task, cv=2, random_state=0, scoring="roc_auc")
    assert report.table["verdict"].tolist()[1] == "no score"
    assert "1 could not be scored" in report.summary
    assert pd.isna(report.table.loc["b", "best_partner"])


def test_constant_features() -> None:
    X, y, task = opposed("values")
    report = transfer_report(Ridge(), pooled(X, task), y, task_column=-1, cv=2, random_state=0)
    X[:, 1] = 7.0
    constant = transfer_report(Ridge(), pooled(X, task), y, task_column=-1, cv=2, random_state=0)
    assert constant.label_similarity[0, 2] < -0.9
    assert not np.isnan(constant.covariance_similarity).any()
    assert not np.array_equal(constant.covariance_similarity, report.covariance_similarity)
    with pytest.raises(ValueError, match="All features are constant"):
        transfer_report(Ridge(), pooled(0 * X + 3, task), y, task_column=-1)
    X[task == "b"] = X[task != "b"].mean(axis=0)
    with pytest.raises(ValueError, match=r"tasks \[1\] differ in no feature from its mean"):
        transfer_report(Ridge(), pooled(X, task), y, task_column=-1)


def test_one_fold_and_a_callable_scorer() -> None:
    X, y, task = opposed("values")

    def error(model: Any, X: Any, y: Any) -> float:
        return -float(np.abs(model.predict(X) - y).mean())

    fold = [next(KFold(2, shuffle=True, random_state=0).split(X))]
    report = transfer_report(
        Ridge(), pooled(X, task), y, task_column=-1, cv=fold, scoring=error, random_state=0
    )
    assert set(report.table["verdict"]) == {"no clear difference"}
    assert "One fold does not tell how sure this is" in report.summary
    assert "scored by error on held-out rows in 1 fold." in report.summary


def test_pairs_only_of_few_tasks() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((130, 2)), np.arange(130) % 13
    y = X[:, 0] + 0.1 * rng.standard_normal(130)
    arguments: dict[str, Any] = {"task_column": -1, "cv": 2, "random_state": 0}
    report = transfer_report(Ridge(), pooled(X, task), y, **arguments)
    assert report.transfer is None
    every = transfer_report(Ridge(), pooled(X, task), y, pairs=True, **arguments)
    assert every.transfer is not None
    few = task < 12
    report = transfer_report(Ridge(), pooled(X, task)[few], y[few], **arguments)
    assert report.transfer is not None
    with pytest.raises(ValueError, match='pairs must be True, False or "auto"; got 5'):
        transfer_report(Ridge(), pooled(X, task), y, pairs=5, **arguments)  # type: ignore[arg-type]


def test_needs_pandas_and_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, task = opposed("values")
    with pytest.raises(ValueError, match="X must be a table of numbers"):
        transfer_report(Ridge(), csr_array(X), y)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"transfer_report makes a DataFrame\. Install pandas"):
        transfer_report(Ridge(), pooled(X, task), y, task_column=-1)


def test_fewer_rows_than_features_are_decorrelated_by_the_same_formula() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((19, 6)), np.repeat([0, 1, 2], [4, 12, 3])
    X[task == 2] = 1.0  # nothing that varies
    found = _decorrelated(X, task)
    for t in (0, 1):
        Z = X[task == t] - X[task == t].mean(axis=0)
        ridged = Z.T @ Z / len(Z) + np.square(Z).sum() / len(Z) ** 2 * np.eye(6)
        np.testing.assert_allclose(found[task == t], Z @ np.linalg.inv(ridged), rtol=1e-10)
    np.testing.assert_array_equal(found[task == 2], 0)


def test_many_tasks_are_named_in_part() -> None:
    names = [repr(name) for name in "abcdefgh"]
    assert _listed(names[:1]) == "'a'"
    assert _listed(names[:6]) == "'a', 'b', 'c', 'd', 'e' and 'f'"
    assert _listed(names) == "'a', 'b', 'c', 'd', 'e' and 3 more"
