"""The estimators inside scikit-learn's pipelines and searches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

FEATURES = ["a", "b", "c", "d"]


def make_frame() -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((120, 4)), columns=FEATURES)
    frame["shop"] = np.repeat(["x", "y", "z"], 40)
    signal = frame["a"] + frame["shop"].map({"x": 0, "y": 0.5, "z": -0.5}) * frame["b"]
    return frame, np.where(signal > 0, "yes", "no")


def prepared(step: Any) -> ColumnTransformer:
    transformer = ColumnTransformer(
        [("step", step, FEATURES)], remainder="passthrough", verbose_feature_names_out=False
    )
    return transformer.set_output(transform="pandas")


def test_grid_search_over_a_pipeline_with_a_task_column() -> None:
    frame, y = make_frame()
    model = MultiTaskAlignedClassifier(
        task_column="shop", task_weight=SVDTaskReweighter(), hidden_layer_sizes=(4,), random_state=0
    )
    pipeline = Pipeline(
        [("prepare", prepared(make_pipeline(StandardScaler(), PCA(3)))), ("m", model)]
    )
    strata = frame["shop"] + y
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(frame, strata))
    search = GridSearchCV(
        pipeline,
        {
            "m__alignment_alpha": [10, 1000],
            "m__head_alpha": [1, 10],
            "m__task_weight__n_components": [1, 2],
        },
        scoring=["accuracy", "roc_auc", "neg_log_loss"],
        refit="neg_log_loss",
        cv=folds,
        n_jobs=2,
        error_score="raise",
    ).fit(frame, y)
    assert search.best_score_ == max(search.cv_results_["mean_test_neg_log_loss"])
    assert search.cv_results_["mean_test_roc_auc"].min() > 0.85
    assert len(set(search.cv_results_["mean_test_neg_log_loss"].round(6))) == 8
    chosen = search.best_estimator_["m"].task_reweighter_.n_components_
    assert chosen == search.best_params_["m__task_weight__n_components"]
    assert search.predict(frame).shape == (120,)
    again = cross_val_predict(search.best_estimator_, frame, y, cv=folds, method="predict_proba")
    assert again.shape == (120, 2)


def test_task_keyword_with_metadata_routing() -> None:
    frame, y = make_frame()
    X, task = frame[FEATURES].to_numpy(), frame["shop"].to_numpy()
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = Pipeline([("scale", StandardScaler()), ("model", model)])
        pipeline.fit(X, y, task=task)
        routed = pipeline.predict_proba(X, task=task)
        assert pipeline.score(X, y, task=task) == np.mean(pipeline.predict(X, task=task) == y)
    scaled = StandardScaler().fit_transform(X)
    direct = model.fit(scaled, y, task=task).predict_proba(scaled, task=task)
    np.testing.assert_allclose(routed, direct)


def test_a_dropped_task_keyword_is_an_error_not_the_first_task() -> None:
    """Without routing `Pipeline.score` drops ``task``, silently."""
    frame, y = make_frame()
    X, task = frame[FEATURES].to_numpy(), frame["shop"].to_numpy()
    pipeline = Pipeline([("scale", StandardScaler()), ("model", MultiTaskAlignedClassifier())])
    pipeline.fit(X, y, model__task=task)
    with pytest.raises(ValueError, match=r"fitted on 3 tasks, \['x', 'y', 'z'\], and no task"):
        pipeline.score(X, y)


def test_reweighter_weighs_the_rows_of_any_estimator() -> None:
    frame, y = make_frame()
    X, task = frame[FEATURES].to_numpy(), frame["shop"].to_numpy()
    weight = SVDTaskReweighter().fit(X, y, task=task).sample_weight(task=task)
    assert weight.mean() == pytest.approx(1)
    assert len(np.unique(weight)) == 3
    assert LogisticRegression().fit(X, y, sample_weight=weight).score(X, y) > 0.8


def test_classifier_is_a_transformer_in_the_middle_of_a_pipeline() -> None:
    frame, y = make_frame()
    shared = MultiTaskAlignedClassifier(task_column="shop", random_state=0)
    pipeline = make_pipeline(shared, LogisticRegression()).fit(frame, y)
    names = pipeline[:-1].get_feature_names_out()
    assert len(names) == 32
    assert pipeline.predict(frame).shape == (120,)
