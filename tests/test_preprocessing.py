"""keep_task, stack_tasks and melt_tasks."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl.preprocessing import keep_task, melt_tasks, stack_tasks


@pytest.fixture
def frame() -> tuple[pd.DataFrame, Any]:
    X, y, task = make_tasks()
    frame = pd.DataFrame(X, columns=list("abcde"))
    frame.insert(2, "shop", np.array(["n", "s", "w"])[task])
    frame.loc[::7, "b"] = np.nan
    return frame, y


def test_a_named_column_comes_through(frame: Any) -> None:
    X, y = frame
    transformer = keep_task(SimpleImputer(), StandardScaler(), PCA(3), task_column="shop")
    out = transformer.fit_transform(X, y)
    assert list(out.columns) == ["pca0", "pca1", "pca2", "shop"]
    assert out["shop"].tolist() == X["shop"].tolist()
    features = X.drop(columns="shop")
    expected = make_pipeline(SimpleImputer(), StandardScaler(), PCA(3)).fit_transform(features)
    np.testing.assert_allclose(out[["pca0", "pca1", "pca2"]].to_numpy(float), expected)


@pytest.mark.parametrize("position", [2, -3])
def test_a_position_comes_out_last(position: int) -> None:
    X, _, task = make_tasks()
    rows = np.insert(X, 2, task, axis=1)[:, : 5 if position == -3 else 6]
    out = keep_task(StandardScaler(), task_column=position).fit_transform(rows)
    np.testing.assert_array_equal(out[:, -1], task)
    np.testing.assert_allclose(out[:, :-1].mean(axis=0), 0, atol=1e-12)


def test_steps_are_searched_in_two_processes(frame: Any) -> None:
    X, y = frame
    pipeline = make_pipeline(
        keep_task(SimpleImputer(), StandardScaler(), PCA(), task_column="shop"),
        MultiTaskAlignedClassifier(task_column="shop", random_state=0),
    )
    search = GridSearchCV(
        pipeline,
        {"columntransformer__features__pca__n_components": [2, 5]},
        cv=StratifiedKFold(3, shuffle=True, random_state=0),
        scoring=["accuracy", "roc_auc", "neg_log_loss"],
        refit="roc_auc",
        n_jobs=2,
    ).fit(X, y)
    assert search.best_score_ > 0.7
    copy = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(copy.predict_proba(X), search.predict_proba(X))


def test_columns_that_are_not_there(frame: Any) -> None:
    X, _ = frame
    with pytest.raises(ValueError, match="task_column='store' is not a column of X"):
        keep_task(StandardScaler(), task_column="store").fit(X)
    with pytest.raises(ValueError, match="task_column=9 is out of range: X has 6 columns"):
        keep_task(StandardScaler(), task_column=9).fit(X.to_numpy())
    with pytest.raises(ValueError, match="needs a transformer"):
        keep_task()


def test_stacked_tasks_give_their_rows_back() -> None:
    X, y, task = make_tasks()
    parts = {name: (X[task == t], y[task == t]) for t, name in enumerate("nsw")}
    stacked, labels, ids = stack_tasks(parts)
    np.testing.assert_array_equal(stacked, X)
    np.testing.assert_array_equal(labels, y)
    assert ids.tolist() == np.array(list("nsw"))[task].tolist()
    assert stack_tasks(list(parts.values()))[2].tolist() == task.tolist()
    frames = {n: (pd.DataFrame(part, columns=list("abcde")), of) for n, (part, of) in parts.items()}
    pd.testing.assert_frame_equal(stack_tasks(frames)[0], pd.DataFrame(X, columns=list("abcde")))


def test_tasks_that_cannot_be_stacked() -> None:
    X, y, _ = make_tasks()
    with pytest.raises(ValueError, match="Task 1 has the features"):
        stack_tasks([(X, y), (X[:, :3], y)])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        stack_tasks([(X, y[:-1])])
    with pytest.raises(ValueError, match="at least one task"):
        stack_tasks([])
    with pytest.raises(ValueError, match="task 0 has several columns"):
        stack_tasks([(X, np.column_stack([y, y]))])


@pytest.mark.parametrize("kind", ["array", "frame"])
def test_molten_rows_are_the_labels_that_are_there(kind: str) -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1 - y, y]).astype(float)
    Y[np.random.default_rng(0).random(Y.shape) < 0.3] = np.nan
    given: Any = (X, Y)
    if kind == "frame":
        given = pd.DataFrame(X, columns=list("abcde")), pd.DataFrame(Y, columns=["p", "q", "r"])
    rows, labels, task, sample = melt_tasks(*given)
    codes = task if kind == "array" else np.searchsorted(["p", "q", "r"], task)
    np.testing.assert_array_equal(np.asarray(rows), X[sample])
    np.testing.assert_array_equal(labels, Y[sample, codes])
    assert len(labels) == (~np.isnan(Y)).sum()
    assert len(set(zip(sample.tolist(), task.tolist(), strict=True))) == len(labels)


def test_molten_rows_are_cross_validated_sample_by_sample() -> None:
    X, y, _ = make_tasks()
    Y = np.column_stack([y, 1 - y]).astype(float)
    Y[::5, 0] = np.nan
    rows, labels, task, sample = melt_tasks(X, Y)
    model = MultiTaskAlignedClassifier(task_column=-1, random_state=0)
    scores = cross_val_score(
        model, np.column_stack([rows, task]), labels, groups=sample, cv=GroupKFold(3)
    )
    assert scores.mean() > 0.6


def test_nothing_to_melt() -> None:
    X, y, _ = make_tasks()
    with pytest.raises(ValueError, match="nothing to melt"):
        melt_tasks(X, y)
    with pytest.raises(ValueError, match="Y holds no label"):
        melt_tasks(X, np.full((len(X), 2), np.nan))
