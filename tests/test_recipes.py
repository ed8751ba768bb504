"""Each recipe of docs/guide/pipelines.md, end to end: the estimators in scikit-learn's tools."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    TransformedTargetRegressor,
    make_column_selector,
    make_column_transformer,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.inspection import partial_dependence, permutation_importance
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import (
    RocCurveDisplay,
    accuracy_score,
    f1_score,
    make_scorer,
    r2_score,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    HalvingGridSearchCV,
    KFold,
    RandomizedSearchCV,
    StratifiedGroupKFold,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
    cross_validate,
    learning_curve,
    validation_curve,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor, SVDTaskReweighter
from sk_mtl.metrics import TaskScorer
from sk_mtl.model_selection import LeaveOneTaskOut, TaskStratifiedKFold
from sk_mtl.preprocessing import keep_task, melt_tasks, stack_tasks

FEATURES = ["size", "price", "age", "noise"]
SHOPS = ["north", "south", "west"]
FOLDS = StratifiedKFold(3, shuffle=True, random_state=0)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (4,), "random_state": 0}


def make_shops() -> tuple[pd.DataFrame, Any, Any]:
    """Rows of three shops, one of which sees prices the other way round; classes and values.

    The shop stands amid the features, ages are partly missing, and nothing depends on the noise.
    """
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((180, 4)), columns=FEATURES)
    frame["age"] += frame["size"]
    shop = np.repeat(SHOPS, 60)
    value = 1.5 * frame["size"] + np.where(shop == "west", 1.5, -1.5) * frame["price"]
    value += 0.7 * rng.standard_normal(180)
    frame.loc[::7, "age"] = np.nan
    frame.insert(2, "shop", shop)
    return frame, np.where(value > 0, "stays", "leaves"), value.to_numpy()


X, Y_CLASS, Y_VALUE = make_shops()
SHOP = X["shop"].to_numpy(dtype=str)
NUMBERS = X[FEATURES].to_numpy()
STAYS = Y_CLASS == "stays"


def prepared(column: Any = "shop", n_components: int = 4) -> Any:
    return keep_task(SimpleImputer(), StandardScaler(), PCA(n_components), task_column=column)


def classifier(**params: Any) -> Any:
    """Route 1: a pipeline on frames with a column of shops."""
    model = MultiTaskAlignedClassifier(task_column="shop", **SMALL | params)
    return Pipeline([("prepare", prepared()), ("model", model)])


def by_hand(train: Any, test: Any, n_components: int = 4) -> Any:
    """Probabilities of "stays" for test rows: each step of the pipeline called by itself."""
    steps = [SimpleImputer(), StandardScaler(), PCA(n_components)]
    known, new = NUMBERS[train], NUMBERS[test]
    for step in steps:
        known, new = step.fit_transform(known), step.transform(new)
    model = MultiTaskAlignedClassifier(**SMALL).fit(known, Y_CLASS[train], SHOP[train])
    return model.predict_proba(new, task=SHOP[test])[:, 1]


ALL = np.arange(len(X))


@pytest.fixture(scope="module")
def fitted() -> Any:
    return classifier().fit(X, Y_CLASS)


@pytest.fixture
def routing() -> Iterator[None]:
    with sklearn.config_context(enable_metadata_routing=True):
        yield


# ---- A task column: all of scikit-learn, as it is -----------------------------------------------


def of_kind(kind: str) -> tuple[Any, Any, Any]:
    """The rows as another container, and what names the task before and behind `keep_task`."""
    if kind == "pandas":
        return X, "shop", "shop"
    if kind == "polars":
        columns = {name: X[name].to_list() for name in X}
        return pl.DataFrame(columns).with_columns(pl.col("age").fill_nan(None)), "shop", "shop"
    codes = X.assign(shop=np.searchsorted(SHOPS, SHOP))
    return codes.to_numpy(dtype=float), 2, -1


@pytest.mark.parametrize("kind", ["pandas", "polars", "array"])
def test_a_search_over_a_pipeline_is_the_steps_by_hand(kind: str) -> None:
    rows, before, behind = of_kind(kind)
    model = MultiTaskAlignedClassifier(task_column=behind, **SMALL)
    pipeline = Pipeline([("prepare", prepared(before)), ("model", model)])
    search = GridSearchCV(
        pipeline,
        {"prepare__features__pca__n_components": [1, 4]},
        scoring=["accuracy", "roc_auc", "neg_log_loss"],
        refit="roc_auc",
        cv=FOLDS,
        n_jobs=2,
    ).fit(rows, Y_CLASS)
    for candidate, n_components in enumerate([1, 4]):
        for fold, (train, test) in enumerate(FOLDS.split(X, Y_CLASS)):
            expected = by_hand(train, test, n_components)
            scores = {
                "roc_auc": roc_auc_score(STAYS[test], expected),
                "accuracy": np.mean((expected > 0.5) == STAYS[test]),
                "neg_log_loss": np.log(np.where(STAYS[test], expected, 1 - expected)).mean(),
            }
            for name, score in scores.items():
                found = search.cv_results_[f"split{fold}_test_{name}"][candidate]
                assert found == pytest.approx(score, abs=1e-6), (name, fold)
    assert search.best_params_ == {"prepare__features__pca__n_components": 4}
    everywhere = by_hand(ALL, ALL)
    np.testing.assert_allclose(search.predict_proba(rows)[:, 1], everywhere, atol=1e-6)
    np.testing.assert_array_equal(search.predict(rows) == "stays", everywhere > 0.5)
    assert search.score(rows, Y_CLASS) == pytest.approx(roc_auc_score(STAYS, everywhere))


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(SHOP, dtype="string"),
        pd.Series(SHOP, dtype=object),
        pd.Categorical(SHOP, categories=["west", "east", "south", "north"]),
        pd.array(np.searchsorted(SHOPS, SHOP), dtype="Int64"),
        np.searchsorted(SHOPS, SHOP).astype(np.uint8),
        pd.Categorical(np.searchsorted(SHOPS, SHOP)),
        pd.array(np.searchsorted(SHOPS, SHOP), dtype="Float64"),
    ],
    ids=["string", "object", "category", "Int64", "uint8", "category of int", "Float64"],
)
def test_any_type_of_task_column(column: Any, fitted: Any) -> None:
    rows = X.assign(shop=column)
    model = classifier().fit(rows, Y_CLASS)
    assert model[0].transform(rows)["shop"].tolist() == rows["shop"].tolist()
    np.testing.assert_allclose(model.predict_proba(rows), fitted.predict_proba(X), rtol=1e-6)
    splitter = TaskStratifiedKFold(3, random_state=0, task_column="shop")
    for found, expected in zip(
        splitter.split(rows, Y_CLASS), splitter.split(X, Y_CLASS), strict=True
    ):
        np.testing.assert_array_equal(found[1], expected[1])
    scorer = TaskScorer(accuracy_score, task_column="shop", average=None)
    right = fitted.predict(X) == Y_CLASS
    expected_scores = [right[shop == SHOP].mean() for shop in SHOPS]
    assert list(scorer(model, rows, Y_CLASS).values()) == pytest.approx(expected_scores)


def test_columns_are_told_apart_by_name(fitted: Any) -> None:
    shuffled = X[[*FEATURES[::-1], "shop"]].assign(of_no_use="?")
    np.testing.assert_array_equal(fitted.predict_proba(shuffled), fitted.predict_proba(X))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_pipeline_has_the_output_that_is_asked_for(library: str, fitted: Any) -> None:
    rows, _, _ = of_kind(library)
    model = classifier().set_output(transform=library).fit(rows, Y_CLASS)
    assert type(model[0].transform(rows)) is type(rows)
    representation = model.transform(rows)
    assert type(representation) is type(rows)
    assert list(representation.columns) == [f"multitaskalignedclassifier{i}" for i in range(4)]
    np.testing.assert_array_equal(representation.to_numpy(), fitted.transform(X))
    np.testing.assert_array_equal(model.predict_proba(rows), fitted.predict_proba(X))


def test_cross_val_predict_predicts_each_row_once_by_hand() -> None:
    found = cross_val_predict(classifier(), X, Y_CLASS, cv=FOLDS, method="predict_proba")
    for train, test in FOLDS.split(X, Y_CLASS):
        np.testing.assert_allclose(found[test, 1], by_hand(train, test), rtol=1e-6)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_curves_end_where_cross_validation_is() -> None:
    at_hand = cross_val_score(classifier(), X, Y_CLASS, cv=FOLDS, scoring="neg_log_loss")
    settings: dict[str, Any] = {"cv": FOLDS, "scoring": "neg_log_loss", "error_score": "raise"}
    sizes, _, scores = learning_curve(
        classifier(),
        X,
        Y_CLASS,
        train_sizes=[24, 120],
        shuffle=True,  # else the first rows are those of the first shop alone
        random_state=0,
        **settings,
    )
    assert sizes.tolist() == [24, 120]
    np.testing.assert_allclose(scores[1], at_hand, atol=0.02)
    assert scores[0].mean() < scores[1].mean() - 0.05
    _, scores = validation_curve(
        classifier(),
        X,
        Y_CLASS,
        param_name="prepare__features__pca__n_components",
        param_range=[1, 4],
        **settings,
    )
    np.testing.assert_allclose(scores[1], at_hand)
    assert scores[0].mean() < scores[1].mean() - 0.05


def test_rows_sorted_by_task_and_folds_that_are_not_shuffled() -> None:
    with pytest.raises(ValueError, match=r"Unseen task ids \['north'\]"):
        cross_val_score(classifier(), X, Y_CLASS, cv=KFold(3), error_score="raise")


def test_searches_in_rounds_and_at_random() -> None:
    params = {"prepare__features__pca__n_components": [1, 4], "model__head_alpha": [2, 1e4]}
    halving = HalvingGridSearchCV(
        classifier(), params, cv=FOLDS, scoring="roc_auc", min_resources=60, random_state=0
    )
    best = {"prepare__features__pca__n_components": 4, "model__head_alpha": 2}
    drawn = RandomizedSearchCV(classifier(), params, n_iter=4, cv=FOLDS, random_state=0)
    for search in (halving, drawn):
        search.fit(X, Y_CLASS)
        assert search.best_params_ == best
        np.testing.assert_allclose(search.predict_proba(X)[:, 1], by_hand(ALL, ALL), rtol=1e-6)
    assert halving.n_resources_ == [60, 180]


def test_parameters_of_nested_estimators_are_searched() -> None:
    search = GridSearchCV(
        classifier(task_weight=SVDTaskReweighter()),
        {"model__task_weight__n_components": [1, 2], "model__head_alpha": [1, 10]},
        cv=FOLDS,
        scoring="neg_log_loss",
    ).fit(X, Y_CLASS)
    assert len(set(search.cv_results_["mean_test_score"].round(6))) == 4
    chosen = search.best_estimator_[-1].task_reweighter_.n_components_
    assert chosen == search.best_params_["model__task_weight__n_components"]


def test_importance_of_what_matters_the_shop_included(fitted: Any) -> None:
    found = permutation_importance(fitted, X, Y_CLASS, n_repeats=5, random_state=0)
    importance = dict(zip(X, found.importances_mean, strict=True))
    assert min(importance["size"], importance["price"], importance["shop"]) > 0.1
    assert abs(importance["noise"]) < 0.03


@pytest.mark.parametrize(("column", "categories"), [("price", None), ("shop", ["shop"])])
def test_partial_dependence_is_the_mean_over_changed_rows(
    column: str, categories: Any, fitted: Any
) -> None:
    found = partial_dependence(
        fitted, X, [column], categorical_features=categories, grid_resolution=4
    )
    grid = found["grid_values"][0]
    assert len(grid) == (4 if categories is None else 3)
    expected = [fitted.predict_proba(X.assign(**{column: v}))[:, 1].mean() for v in grid]
    np.testing.assert_allclose(found["average"][0], expected)


def test_displays_take_the_pipeline(fitted: Any) -> None:
    mpl.use("Agg")
    display = RocCurveDisplay.from_estimator(fitted, X, Y_CLASS)
    plt.close(display.figure_)
    assert display.roc_auc == pytest.approx(roc_auc_score(STAYS, by_hand(ALL, ALL)))


def test_calibrated_probabilities(fitted: Any) -> None:
    calibrated = CalibratedClassifierCV(classifier(), cv=FOLDS, method="isotonic", ensemble=False)
    out_of_fold = cross_val_predict(classifier(), X, Y_CLASS, cv=FOLDS, method="predict_proba")
    of_frozen = CalibratedClassifierCV(FrozenEstimator(fitted), method="isotonic")
    for model, seen in ((calibrated, out_of_fold), (of_frozen, fitted.predict_proba(X))):
        curve = IsotonicRegression(out_of_bounds="clip").fit(seen[:, 1], STAYS)
        found = model.fit(X, Y_CLASS).predict_proba(X)
        np.testing.assert_allclose(found[:, 1], curve.predict(by_hand(ALL, ALL)), atol=1e-6)


def test_stacking_one_member_is_a_regression_on_its_probabilities(fitted: Any) -> None:
    stacking = StackingClassifier([("member", classifier())], cv=FOLDS).fit(X, Y_CLASS)
    out_of_fold = cross_val_predict(classifier(), X, Y_CLASS, cv=FOLDS, method="predict_proba")
    final = LogisticRegression().fit(out_of_fold[:, 1:], Y_CLASS)
    expected = final.predict_proba(fitted.predict_proba(X)[:, 1:])
    np.testing.assert_allclose(stacking.predict_proba(X), expected, atol=1e-6)


def test_voting_is_the_mean_of_the_members(fitted: Any) -> None:
    other = classifier(alpha=30)
    voting = VotingClassifier([("one", classifier()), ("other", other)], voting="soft")
    expected = (fitted.predict_proba(X) + other.fit(X, Y_CLASS).predict_proba(X)) / 2
    np.testing.assert_allclose(voting.fit(X, Y_CLASS).predict_proba(X), expected)


def test_a_threshold_of_its_own() -> None:
    scorer = make_scorer(f1_score, pos_label="stays")
    tuned = TunedThresholdClassifierCV(classifier(), cv=FOLDS, scoring=scorer).fit(X, Y_CLASS)
    above = by_hand(ALL, ALL) >= tuned.best_threshold_
    np.testing.assert_array_equal(tuned.predict(X) == "stays", above)
    assert tuned.best_score_ > 0.8


def test_one_class_against_the_rest() -> None:
    y = np.digitize(Y_VALUE, [-1, 1])
    model = OneVsRestClassifier(classifier()).fit(X, y)
    each = [classifier().fit(X, y == c).predict_proba(X)[:, 1] for c in range(3)]
    expected = np.stack(each, axis=1)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected)


def test_bagging_needs_the_position_and_draws_that_hold_every_task() -> None:
    rows, before, behind = of_kind("array")
    pipeline = make_pipeline(
        prepared(before), MultiTaskAlignedClassifier(task_column=behind, **SMALL)
    )
    bag = BaggingClassifier(pipeline, n_estimators=2, random_state=0).fit(rows, Y_CLASS)
    members = [member.predict_proba(rows) for member in bag.estimators_]
    np.testing.assert_allclose(bag.predict_proba(rows), np.mean(members, axis=0))
    with pytest.raises(ValueError, match="'shop' names a column, but X is a ndarray"):
        BaggingClassifier(classifier(), n_estimators=1).fit(X, Y_CLASS)
    few = BaggingClassifier(pipeline, n_estimators=5, max_samples=6, random_state=0)
    with pytest.raises(ValueError, match=r"Unseen task ids \[\d\]; the estimator knows"):
        few.fit(rows, Y_CLASS).predict(rows)


def test_scores_and_folds_by_task() -> None:
    cv = TaskStratifiedKFold(3, random_state=0, task_column="shop")
    scoring = {
        average: TaskScorer(
            roc_auc_score, response_method="predict_proba", average=average, task_column="shop"
        )
        for average in ("mean", "worst")
    }
    found = cross_validate(classifier(), X, Y_CLASS, cv=cv, scoring=scoring)
    for fold, (train, test) in enumerate(cv.split(X, Y_CLASS)):
        probability, shop, truth = by_hand(train, test), SHOP[test], STAYS[test]
        each = [roc_auc_score(truth[shop == s], probability[shop == s]) for s in SHOPS]
        assert found["test_mean"][fold] == pytest.approx(np.mean(each), abs=1e-6)
        assert found["test_worst"][fold] == pytest.approx(min(each), abs=1e-6)


def test_steps_that_need_the_labels_or_join_columns() -> None:
    union = FeatureUnion([("as_they_are", "passthrough"), ("principal", PCA(2))])
    steps = [SimpleImputer(), union, SelectKBest(k=3)]
    found = keep_task(*steps, task_column="shop").fit_transform(X, Y_CLASS)
    alone = make_pipeline(*steps).set_output(transform="pandas").fit_transform(X[FEATURES], Y_CLASS)
    pd.testing.assert_frame_equal(found, alone.assign(shop=SHOP), check_dtype=False)


def test_categories_beside_numbers() -> None:
    rows = X.assign(colour=np.where(X["size"] > 0, "red", "blue"), age=0.0)

    def encoded(**settings: Any) -> Any:
        columns = make_column_transformer(
            (OneHotEncoder(**settings), make_column_selector("colour")),
            (StandardScaler(), make_column_selector(dtype_include=float)),
        )
        return keep_task(columns, task_column="shop")

    found = encoded(sparse_output=False).fit_transform(rows)
    assert list(found.columns)[:2] == ["onehotencoder__colour_blue", "onehotencoder__colour_red"]
    np.testing.assert_array_equal(found["onehotencoder__colour_red"], rows["size"] > 0)
    assert found["shop"].tolist() == SHOP.tolist()
    with pytest.raises(ValueError, match="Set sparse_output=False"):
        encoded().fit(rows)


def test_sparse_steps_are_made_dense_where_the_task_is_a_position() -> None:
    rows, column, _ = of_kind("array")
    rows = rows[:, [0, column]].round()
    found = keep_task(OneHotEncoder(), task_column=1).fit_transform(rows)
    expected = OneHotEncoder(sparse_output=False).fit_transform(rows[:, :1])
    np.testing.assert_array_equal(found, np.column_stack([expected, rows[:, 1]]))


def test_one_keep_task_behind_another(fitted: Any) -> None:
    chain = make_pipeline(
        keep_task(SimpleImputer(), task_column="shop"),
        keep_task(StandardScaler(), PCA(4), task_column="shop"),
        clone(fitted[-1]),
    ).fit(X, Y_CLASS)
    np.testing.assert_array_equal(chain.predict_proba(X), fitted.predict_proba(X))
    within = keep_task(keep_task(StandardScaler(), task_column="shop"), task_column="shop")
    with pytest.raises(ValueError, match="'shop' is not a column of X"):
        within.fit(X)


def test_steps_must_name_their_columns_beside_a_named_task() -> None:
    tanh = FunctionTransformer(np.tanh)
    with pytest.raises(ValueError, match=r'feature_names_out="one-to-one"'):
        keep_task(SimpleImputer(), tanh, task_column="shop")
    named = FunctionTransformer(np.tanh, feature_names_out="one-to-one")
    found = keep_task(SimpleImputer(), named, task_column="shop").fit_transform(X)
    rows, column, _ = of_kind("array")
    by_position = keep_task(SimpleImputer(), tanh, task_column=column).fit_transform(rows)
    np.testing.assert_allclose(found[FEATURES].to_numpy(float), by_position[:, :-1])


def test_the_representation_of_one_pipeline_feeds_another_model() -> None:
    pipeline = make_pipeline(classifier(), LogisticRegression()).fit(X, Y_CLASS)
    representation = classifier().fit(X, Y_CLASS).transform(X)
    expected = LogisticRegression().fit(representation, Y_CLASS).predict_proba(representation)
    np.testing.assert_allclose(pipeline.predict_proba(X), expected, rtol=1e-6)
    assert len(pipeline[0].get_feature_names_out()) == representation.shape[1] == 4


def test_a_saved_search_predicts_in_another_process(tmp_path: Path) -> None:
    search = GridSearchCV(classifier(), {"model__head_alpha": [2, 20]}, cv=FOLDS).fit(X, Y_CLASS)
    joblib.dump(search, tmp_path / "search.joblib")
    X.to_pickle(tmp_path / "rows.pickle")
    code = (
        "import joblib, numpy, pandas\n"
        "search = joblib.load('search.joblib')\n"
        "numpy.save('found.npy', search.predict_proba(pandas.read_pickle('rows.pickle')))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_allclose(np.load(tmp_path / "found.npy"), search.predict_proba(X), rtol=1e-9)


def regressor() -> Any:
    model = MultiTaskAlignedRegressor(task_column="shop", **SMALL)
    return Pipeline([("prepare", prepared()), ("model", model)])


def test_transformed_targets_of_a_search_over_regressors() -> None:
    y = np.exp(Y_VALUE)
    model = TransformedTargetRegressor(regressor(), func=np.log, inverse_func=np.exp)
    search = GridSearchCV(
        model,
        {"regressor__prepare__features__pca__n_components": [1, 4]},
        cv=KFold(3, shuffle=True, random_state=0),
    ).fit(X, y)
    assert search.best_params_ == {"regressor__prepare__features__pca__n_components": 4}
    expected = np.exp(regressor().fit(X, Y_VALUE).predict(X))
    np.testing.assert_allclose(search.predict(X), expected, rtol=1e-6)


def test_regressors_in_the_tools() -> None:
    model, cv = regressor().fit(X, Y_VALUE), KFold(3, shuffle=True, random_state=0)
    found = permutation_importance(model, X, Y_VALUE, n_repeats=3, random_state=0)
    importance = dict(zip(X, found.importances_mean, strict=True))
    assert importance["shop"] > 0.5
    assert abs(importance["noise"]) < 0.05
    stacking = StackingRegressor([("member", regressor())], LinearRegression(), cv=cv)
    out_of_fold = cross_val_predict(regressor(), X, Y_VALUE, cv=cv)
    final = LinearRegression().fit(out_of_fold[:, None], Y_VALUE)
    expected = final.predict(model.predict(X)[:, None])
    np.testing.assert_allclose(stacking.fit(X, Y_VALUE).predict(X), expected, rtol=1e-6)


# ---- task= with metadata routing ----------------------------------------------------------------


def keyword_pipeline() -> Any:
    """Route 2: a pipeline on the features alone."""
    model = MultiTaskAlignedClassifier(**SMALL)
    steps = {"impute": SimpleImputer(), "scale": StandardScaler(), "pca": PCA(4), "model": model}
    return Pipeline(list(steps.items()))


BY_SHOP = TaskStratifiedKFold(3, random_state=0)
AUC = TaskScorer(roc_auc_score, response_method="predict_proba")


@pytest.mark.usefixtures("routing")
def test_a_pipeline_passes_the_tasks_on() -> None:
    pipeline = keyword_pipeline().fit(NUMBERS, Y_CLASS, task=SHOP)
    expected = by_hand(ALL, ALL)
    np.testing.assert_allclose(
        pipeline.predict_proba(NUMBERS, task=SHOP)[:, 1], expected, rtol=1e-6
    )
    right = (expected > 0.5) == STAYS
    assert pipeline.score(NUMBERS, Y_CLASS, task=SHOP) == right.mean()
    assert pipeline.transform(NUMBERS, task=SHOP).shape == (180, 4)
    with pytest.raises(ValueError, match="no task was named for the rows"):
        pipeline.predict(NUMBERS)


def test_a_dropped_task_keyword_is_an_error_not_the_first_task() -> None:
    """Without routing `Pipeline.score` drops ``task``, silently."""
    pipeline = keyword_pipeline().fit(NUMBERS, Y_CLASS, model__task=SHOP)
    with pytest.raises(ValueError, match=r"fitted on 3 tasks, \['north', 'south', 'west'\]"):
        pipeline.score(NUMBERS, Y_CLASS)


@pytest.mark.usefixtures("routing")
@pytest.mark.parametrize("average", ["mean", "worst"])
def test_a_search_scores_by_task(average: str) -> None:
    scorer = TaskScorer(roc_auc_score, response_method="predict_proba", average=average)
    search = GridSearchCV(
        keyword_pipeline(), {"pca__n_components": [1, 4]}, cv=BY_SHOP, scoring=scorer
    ).fit(NUMBERS, Y_CLASS, task=SHOP)
    combine = np.mean if average == "mean" else np.min
    for fold, (train, test) in enumerate(BY_SHOP.split(NUMBERS, Y_CLASS, task=SHOP)):
        for candidate, n_components in enumerate([1, 4]):
            probability, shop = by_hand(train, test, n_components), SHOP[test]
            each = [roc_auc_score(STAYS[test][shop == s], probability[shop == s]) for s in SHOPS]
            found = search.cv_results_[f"split{fold}_test_score"][candidate]
            assert found == pytest.approx(combine(each), abs=1e-6)
    assert search.best_params_ == {"pca__n_components": 4}
    assert search.score(NUMBERS, Y_CLASS, task=SHOP) == scorer(
        search.best_estimator_, NUMBERS, Y_CLASS, task=SHOP
    )


@pytest.mark.usefixtures("routing")
def test_a_search_predicts_through_its_best_estimator() -> None:
    search = GridSearchCV(keyword_pipeline(), {}, cv=BY_SHOP, scoring=AUC)
    search.fit(NUMBERS, Y_CLASS, task=SHOP)
    with pytest.raises(TypeError, match="unexpected keyword argument 'task'"):
        search.predict(NUMBERS, task=SHOP)  # if this works now, the guide can say so
    found = search.best_estimator_.predict(NUMBERS, task=SHOP)
    np.testing.assert_array_equal(found == "stays", by_hand(ALL, ALL) > 0.5)


@pytest.mark.usefixtures("routing")
def test_scores_of_each_task_fold_by_fold() -> None:
    scorer = TaskScorer(accuracy_score, average=None)
    found = cross_validate(
        keyword_pipeline(), NUMBERS, Y_CLASS, cv=BY_SHOP, scoring=scorer, params={"task": SHOP}
    )
    for fold, (train, test) in enumerate(BY_SHOP.split(NUMBERS, Y_CLASS, task=SHOP)):
        right = (by_hand(train, test) > 0.5) == STAYS[test]
        for shop in SHOPS:
            assert found[f"test_{shop}"][fold] == pytest.approx(right[SHOP[test] == shop].mean())


@pytest.mark.usefixtures("routing")
def test_nested_cross_validation() -> None:
    search = GridSearchCV(keyword_pipeline(), {"model__head_alpha": [2]}, cv=BY_SHOP, scoring=AUC)
    settings: dict[str, Any] = {"cv": BY_SHOP, "scoring": AUC, "params": {"task": SHOP}}
    found = cross_val_score(search, NUMBERS, Y_CLASS, error_score="raise", **settings)
    np.testing.assert_allclose(
        found, cross_val_score(keyword_pipeline(), NUMBERS, Y_CLASS, **settings)
    )


@pytest.mark.usefixtures("routing")
def test_curves_and_halving_with_tasks() -> None:
    settings: dict[str, Any] = {"cv": BY_SHOP, "scoring": AUC, "params": {"task": SHOP}}
    expected = cross_val_score(keyword_pipeline(), NUMBERS, Y_CLASS, **settings)
    _, _, scores = learning_curve(
        keyword_pipeline(),
        NUMBERS,
        Y_CLASS,
        train_sizes=[0.3, 1.0],
        shuffle=True,
        random_state=0,
        **settings,
    )
    np.testing.assert_allclose(scores[1], expected, atol=0.02)
    _, scores = validation_curve(
        keyword_pipeline(),
        NUMBERS,
        Y_CLASS,
        param_name="pca__n_components",
        param_range=[1, 4],
        **settings,
    )
    np.testing.assert_allclose(scores[1], expected)
    assert scores[0].mean() < expected.mean() - 0.05
    halving = HalvingGridSearchCV(
        keyword_pipeline(),
        {"pca__n_components": [1, 4]},
        cv=BY_SHOP,
        scoring=AUC,
        min_resources=90,
        random_state=0,
    ).fit(NUMBERS, Y_CLASS, task=SHOP)
    assert halving.best_params_ == {"pca__n_components": 4}


@pytest.mark.usefixtures("routing")
def test_weights_are_routed_where_they_are_asked_for() -> None:
    rows = SimpleImputer().fit_transform(NUMBERS)
    weight = np.random.default_rng(0).uniform(0.2, 2, len(X))
    model = MultiTaskAlignedClassifier(**SMALL).set_fit_request(sample_weight=True)
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), model)
    train, test = next(BY_SHOP.split(rows, Y_CLASS, task=SHOP))
    search = GridSearchCV(
        pipeline,
        {},
        cv=[(train, test)],
        scoring=TaskScorer(accuracy_score).set_score_request(sample_weight=True),
    ).fit(rows, Y_CLASS, task=SHOP, sample_weight=weight)

    def directly(train: Any, test: Any, weight: Any) -> Any:
        scaler = StandardScaler().fit(rows[train])
        known, new = scaler.transform(rows[train]), scaler.transform(rows[test])
        fitted = clone(model).fit(known, Y_CLASS[train], SHOP[train], sample_weight=weight[train])
        return fitted.predict_proba(new, task=SHOP[test])[:, 1]

    found = search.best_estimator_.predict_proba(rows, task=SHOP)[:, 1]
    np.testing.assert_allclose(found, directly(ALL, ALL, weight))
    assert np.abs(found - directly(ALL, ALL, np.ones(len(X)))).max() > 0.01
    right = (directly(train, test, weight) > 0.5) == STAYS[test]
    shop, own = SHOP[test], weight[test]
    each = [np.average(right[shop == s], weights=own[shop == s]) for s in SHOPS]
    assert search.best_score_ == pytest.approx(np.mean(each))
    with pytest.raises(UnsetMetadataPassedError, match="StandardScaler"):
        make_pipeline(StandardScaler(), model).fit(rows, Y_CLASS, task=SHOP, sample_weight=weight)


@pytest.mark.usefixtures("routing")
def test_a_task_that_is_left_out() -> None:
    """A pooled model can be asked about it; ours say that they do not know the task."""
    rows = SimpleImputer().fit_transform(NUMBERS)
    scorer, cv = TaskScorer(accuracy_score), LeaveOneTaskOut()
    pooled = make_pipeline(StandardScaler(), LogisticRegression())
    found = cross_val_score(pooled, rows, Y_CLASS, cv=cv, scoring=scorer, params={"task": SHOP})
    for fold, shop in enumerate(SHOPS):
        left = shop == SHOP
        alone = clone(pooled).fit(rows[~left], Y_CLASS[~left])
        assert found[fold] == alone.score(rows[left], Y_CLASS[left])
    with pytest.raises(ValueError, match=r"Unseen task ids \['north'\]"):
        cross_val_score(
            MultiTaskAlignedClassifier(**SMALL),
            rows,
            Y_CLASS,
            cv=cv,
            scoring=scorer,
            params={"task": SHOP},
            error_score="raise",
        )


@pytest.mark.usefixtures("routing")
def test_importance_with_the_tasks_held_fixed() -> None:
    model = keyword_pipeline().fit(NUMBERS, Y_CLASS, task=SHOP)
    found = permutation_importance(
        model, NUMBERS, Y_CLASS, scoring=partial(AUC, task=SHOP), n_repeats=3, random_state=0
    )
    importance = dict(zip(FEATURES, found.importances_mean, strict=True))
    assert min(importance["size"], importance["price"]) > 0.1
    assert abs(importance["noise"]) < 0.03


@pytest.mark.usefixtures("routing")
def test_a_task_column_with_routing_switched_on(fitted: Any) -> None:
    scorer = TaskScorer(accuracy_score, task_column="shop")
    cv = TaskStratifiedKFold(3, random_state=0, task_column="shop")
    search = GridSearchCV(classifier(), {}, cv=cv, scoring=scorer).fit(X, Y_CLASS)
    np.testing.assert_array_equal(search.predict_proba(X), fitted.predict_proba(X))


@pytest.mark.usefixtures("routing")
def test_a_regressor_with_tasks_and_transformed_targets() -> None:
    rows, y = SimpleImputer().fit_transform(NUMBERS), np.exp(Y_VALUE)
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), MultiTaskAlignedRegressor(**SMALL)),
        func=np.log,
        inverse_func=np.exp,
    ).fit(rows, y, task=SHOP)
    scaled = StandardScaler().fit_transform(rows)
    direct = MultiTaskAlignedRegressor(**SMALL).fit(scaled, Y_VALUE, task=SHOP)
    expected = np.exp(direct.predict(scaled, task=SHOP))
    np.testing.assert_allclose(model.predict(rows, task=SHOP), expected)
    scores = TaskScorer(r2_score, average=None)(model, rows, y, task=SHOP)
    for shop in SHOPS:
        of_shop = shop == SHOP
        assert scores[shop] == pytest.approx(r2_score(y[of_shop], expected[of_shop]))


def test_reweighter_weighs_the_rows_of_any_estimator() -> None:
    rows = SimpleImputer().fit_transform(NUMBERS)
    weight = SVDTaskReweighter().fit(rows, Y_CLASS, task=SHOP).sample_weight(task=SHOP)
    assert weight.mean() == pytest.approx(1)
    assert len(np.unique(weight)) == 3
    weighted = LogisticRegression().fit(rows, Y_CLASS, sample_weight=weight)
    assert not np.allclose(weighted.coef_, LogisticRegression().fit(rows, Y_CLASS).coef_)


# ---- Wide y: every row has a label per task -----------------------------------------------------


def make_labels(gaps: float) -> tuple[Any, pd.DataFrame]:
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((150, 5))
    noise = rng.standard_normal((150, 3))
    labels = (rows[:, :3] + 0.5 * rows[:, 3:4] + 0.5 * noise > 0).astype(float)
    labels[rng.random(labels.shape) < gaps] = np.nan
    return rows, pd.DataFrame(labels, columns=["toxic", "soluble", "stable"])


SPLITS = KFold(3, shuffle=True, random_state=0)


@pytest.mark.parametrize("gaps", [0, 0.4])
def test_folds_and_scores_of_a_wide_y(gaps: float) -> None:
    rows, labels = make_labels(gaps)
    pipeline = make_pipeline(PCA(5), MultiTaskAlignedClassifier(**SMALL))
    each = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)
    by_default = cross_val_score(pipeline, rows, labels, cv=SPLITS)
    found = cross_validate(pipeline, rows, labels, cv=SPLITS, scoring=each)
    for fold, (train, test) in enumerate(SPLITS.split(rows)):
        model = clone(pipeline).fit(rows[train], labels.iloc[train])
        probability, right = model.predict_proba(rows[test]), []
        for t, name in enumerate(labels):
            truth = labels[name].iloc[test].to_numpy()
            there = ~np.isnan(truth)
            expected = roc_auc_score(truth[there], probability[there, t])
            assert found[f"test_{name}"][fold] == pytest.approx(expected)
            right.append(np.mean((probability[there, t] > 0.5) == truth[there]))
        assert by_default[fold] == pytest.approx(np.mean(right))
    search = GridSearchCV(
        pipeline,
        {"pca__n_components": [1, 5]},
        cv=SPLITS,
        scoring=TaskScorer(roc_auc_score, response_method="predict_proba"),
    ).fit(rows, labels)
    means = [found[f"test_{name}"].mean() for name in labels]
    assert search.best_params_ == {"pca__n_components": 5}
    assert search.best_score_ == pytest.approx(np.mean(means))


def test_scorers_of_multi_label_problems_take_a_wide_y_without_gaps() -> None:
    rows, frame = make_labels(0)
    labels = frame.to_numpy().astype(int)
    search = GridSearchCV(
        make_pipeline(PCA(), MultiTaskAlignedClassifier(**SMALL)),
        {"pca__n_components": [1, 5]},
        cv=SPLITS,
        scoring=["roc_auc", "f1_micro", "accuracy"],
        refit="roc_auc",
    ).fit(rows, labels)
    assert search.best_params_ == {"pca__n_components": 5}
    found = search.cv_results_
    for fold, (train, test) in enumerate(SPLITS.split(rows)):
        model = clone(search.best_estimator_).fit(rows[train], labels[train])
        truth, probability = labels[test], model.predict_proba(rows[test])
        each = [roc_auc_score(truth[:, t], probability[:, t]) for t in range(3)]
        assert found[f"split{fold}_test_roc_auc"][1] == pytest.approx(np.mean(each))
        guess = model.predict(rows[test])
        f1 = 2 * (guess & truth).sum() / (guess.sum() + truth.sum())
        assert found[f"split{fold}_test_f1_micro"][1] == pytest.approx(f1)
        all_right = (guess == truth).all(axis=1).mean()
        assert found[f"split{fold}_test_accuracy"][1] == pytest.approx(all_right)


@pytest.mark.parametrize(
    "cv",
    [GroupKFold(3), StratifiedGroupKFold(3, shuffle=True, random_state=0)],
    ids=lambda cv: type(cv).__name__,
)
def test_gaps_are_molten_away_and_a_sample_stays_in_one_fold(cv: Any) -> None:
    wide, labels = make_labels(0.4)
    rows, y, task, sample = melt_tasks(wide, labels)
    table = pd.DataFrame(rows, columns=list("abcde")).assign(task=task)
    search = GridSearchCV(
        MultiTaskAlignedClassifier(task_column="task", **SMALL),
        {"head_alpha": [2, 20]},
        cv=cv,
        scoring=["roc_auc", "neg_log_loss"],
        refit="neg_log_loss",
    ).fit(table, y, groups=sample)
    for fold, (train, test) in enumerate(cv.split(rows, y, groups=sample)):
        assert not set(map(tuple, rows[train])) & set(map(tuple, rows[test]))
        model = MultiTaskAlignedClassifier(**SMALL).fit(rows[train], y[train], task=task[train])
        expected = roc_auc_score(y[test], model.predict_proba(rows[test], task=task[test])[:, 1])
        assert search.cv_results_[f"split{fold}_test_roc_auc"][0] == pytest.approx(
            expected, abs=1e-6
        )


def test_what_scikit_learn_makes_of_gaps() -> None:
    """The guide warns of both: a number of folds is refused, and gaps become a class."""
    rows, labels = make_labels(0.4)
    model = MultiTaskAlignedClassifier(**SMALL)
    with np.errstate(invalid="ignore"), pytest.raises(ValueError, match="Input y contains NaN"):
        cross_val_score(model, rows, labels, cv=3)
    found = cross_val_predict(model, rows, labels.to_numpy(), cv=SPLITS, method="predict_proba")
    assert [of_task.shape[1] for of_task in found] == [3, 3, 3]


def test_gaps_in_the_targets_of_a_regressor() -> None:
    rows, labels = make_labels(0.4)
    y = labels * [1, 10, 100] + rows[:, :3]
    model = make_pipeline(StandardScaler(), MultiTaskAlignedRegressor(**SMALL))
    found = cross_validate(model, rows, y, cv=SPLITS, scoring=TaskScorer(r2_score, average=None))
    for fold, (train, test) in enumerate(SPLITS.split(rows)):
        value = clone(model).fit(rows[train], y.iloc[train]).predict(rows[test])
        for t, name in enumerate(y):
            truth = y[name].iloc[test].to_numpy()
            there = ~np.isnan(truth)
            expected = r2_score(truth[there], value[there, t])
            assert found[f"test_{name}"][fold] == pytest.approx(expected)


def test_targets_without_gaps_are_transformed() -> None:
    rows, _ = make_labels(0)
    y = rows[:, :3] * [1, 10, 100] + rows[:, 3:4]
    model, scaler = MultiTaskAlignedRegressor(**SMALL), StandardScaler()
    transformed = TransformedTargetRegressor(model, transformer=scaler)
    found = cross_val_score(transformed, rows, y, cv=SPLITS, scoring="neg_mean_squared_error")
    for fold, (train, test) in enumerate(SPLITS.split(rows)):
        direct = clone(model).fit(rows[train], scaler.fit_transform(y[train])).predict(rows[test])
        error = scaler.inverse_transform(direct) - y[test]
        assert found[fold] == pytest.approx(-np.mean(error**2))


def test_stacked_tables_go_the_way_of_a_task_column() -> None:
    parts = {shop: (X.loc[shop == SHOP, FEATURES], Y_CLASS[shop == SHOP]) for shop in SHOPS}
    rows, y, task = stack_tasks(parts)
    model = classifier().fit(rows.assign(shop=task), y)
    np.testing.assert_allclose(
        model.predict_proba(rows.assign(shop=task))[:, 1], by_hand(ALL, ALL), rtol=1e-6
    )
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(rows.assign(shop=task)), model.predict(X))
