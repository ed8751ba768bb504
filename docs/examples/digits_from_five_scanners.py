"""
Few labelled rows in each of several tasks: what do I gain?
===========================================================

Five offices read handwritten digits, each with a scanner of its own, and each has labelled a few
dozen images only. Three ways to learn from them: a model per office, one model for all, or one
multi-task model, tuned in a pipeline by `GridSearchCV`.

The images are scikit-learn's digits, a different set for each office. The scanners differ: one is
dark, one out of focus, and two feed the paper a pixel too far, to the right or to the top. So the
tasks have their labels in common, but not quite what their pixels mean.

With the environment variable ``SK_MTL_DATA`` set to a folder that holds
``tabular/amazon400.npz``, the tasks are product reviews from four shops instead (positive or
negative, 64 labelled rows each).

Run it: ``python docs/examples/digits_from_five_scanners.py``.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

mpl.use("Agg")
import matplotlib.pyplot as plt

PICTURE = Path("sk_mtl_example.png")

# %%
# The tasks
# ---------
#
# Rows of all tasks are stacked; the last column of X says which task a row belongs to.


def digits_from_scanners(rows: int, seed: int) -> tuple[list[str], tuple, tuple]:
    """Training and test rows of five offices: ``rows`` labelled images each."""
    rng = np.random.default_rng(seed)
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8) / 16
    scanners = {
        "reference": lambda image: image,
        "dark": lambda image: 0.4 * image**2,
        "blurred": lambda image: gaussian_filter(image, sigma=(0, 0.8, 0.8)),
        "shifted right": lambda image: np.roll(image, 1, axis=2),
        "shifted up": lambda image: np.roll(image, -1, axis=1),
    }
    train, test = [], []
    for code, (part, scan) in enumerate(
        zip(np.array_split(rng.permutation(len(labels)), 5), scanners.values(), strict=True)
    ):
        X = scan(images[part]) + 0.05 * rng.standard_normal((len(part), 8, 8))
        X = np.column_stack([X.reshape(len(part), -1), np.full(len(part), code)])
        train.append((X[:rows], labels[part[:rows]]))
        test.append((X[rows:], labels[part[rows:]]))
    return list(scanners), _stack(train), _stack(test)


def reviews_from_shops(path: Path, rows: int, seed: int) -> tuple[list[str], tuple, tuple]:
    """Training and test rows of four shops: ``rows`` labelled reviews each."""
    rng = np.random.default_rng(seed)
    with np.load(path) as data:
        features, labels, shop = data["X"].astype(float), data["y"], data["task"]
    names = np.unique(shop).tolist()
    train, test = [], []
    for code, name in enumerate(names):
        part = rng.permutation(np.flatnonzero(shop == name))
        X = np.column_stack([features[part], np.full(len(part), code)])
        train.append((X[:rows], labels[part[:rows]]))
        test.append((X[rows:], labels[part[rows:]]))
    return [str(name) for name in names], _stack(train), _stack(test)


def _stack(parts: list[tuple]) -> tuple:
    return np.vstack([X for X, _ in parts]), np.concatenate([y for _, y in parts])


# %%
# The models
# ----------
#
# All of them are tuned by cross-validation on the training rows, in folds that hold the same share
# of every task.


def folds(X: np.ndarray) -> list:
    return list(StratifiedKFold(3, shuffle=True, random_state=0).split(X, X[:, -1]))


def multi_task(X: np.ndarray, y: np.ndarray) -> GridSearchCV:
    """The pipeline: PCA of the features, the task column passed on, and the multi-task model."""
    features = ColumnTransformer(
        [("pca", make_pipeline(StandardScaler(), PCA(0.99)), slice(0, -1))],
        remainder="passthrough",  # the task column: it comes out last again
    )
    model = MultiTaskAlignedClassifier(
        task_column=-1, alignment_alpha=20, task_weight=SVDTaskReweighter(), random_state=0
    )
    grid = {
        "model__head_alpha": [0.5, 2],
        "model__task_weight__n_components": [1, 0.9],
    }
    pipeline = Pipeline([("features", features), ("model", model)])
    return GridSearchCV(pipeline, grid, cv=folds(X), n_jobs=2).fit(X, y)


def pooled(X: np.ndarray, y: np.ndarray) -> GridSearchCV:
    """One logistic regression on the rows of all tasks, with an offset per task."""
    features = ColumnTransformer(
        [
            ("pca", make_pipeline(StandardScaler(), PCA(0.99)), slice(0, -1)),
            ("task", OneHotEncoder(), [-1]),
        ]
    )
    pipeline = Pipeline([("features", features), ("model", LogisticRegression(max_iter=5000))])
    return GridSearchCV(pipeline, {"model__C": np.logspace(-4, 1, 6)}, cv=folds(X)).fit(X, y)


def per_task(X: np.ndarray, y: np.ndarray) -> dict[float, GridSearchCV]:
    """A tuned logistic regression for each task alone."""
    models = {}
    for code in np.unique(X[:, -1]):
        own = X[:, -1] == code
        pipeline = Pipeline(
            [("scale", StandardScaler()), ("model", LogisticRegression(max_iter=5000))]
        )
        grid = {"model__C": np.logspace(-4, 1, 6)}
        cv = KFold(3, shuffle=True, random_state=0)
        models[code] = GridSearchCV(pipeline, grid, cv=cv).fit(X[own, :-1], y[own])
    return models


# %%
# The comparison
# --------------


def accuracies(seed: int) -> tuple[list[str], dict[str, list[float]], GridSearchCV]:
    """Test accuracy of each task, in percent, by method."""
    folder = os.environ.get("SK_MTL_DATA")
    if folder:
        path = Path(folder) / "tabular" / "amazon400.npz"
        names, (X, y), (X_test, y_test) = reviews_from_shops(path, rows=64, seed=seed)
    else:
        names, (X, y), (X_test, y_test) = digits_from_scanners(rows=50, seed=seed)
    alone, shared, search = per_task(X, y), pooled(X, y), multi_task(X, y)
    scores: dict[str, list[float]] = {"one per task": [], "pooled": [], "multi-task": []}
    for code in range(len(names)):
        rows = X_test[:, -1] == code
        scores["one per task"].append(100 * alone[code].score(X_test[rows, :-1], y_test[rows]))
        scores["pooled"].append(100 * shared.score(X_test[rows], y_test[rows]))
        scores["multi-task"].append(100 * search.score(X_test[rows], y_test[rows]))
    return names, scores, search


def main(seeds: int = 2) -> None:
    started = time.perf_counter()
    runs = []
    for seed in range(seeds):
        names, scores, search = accuracies(seed)
        runs.append(scores)
    mean = {method: np.mean([run[method] for run in runs], axis=0) for method in runs[0]}

    print(f"Test accuracy in percent, mean of {seeds} draws of the rows\n")
    print(f"{'task':<14}" + "".join(f"{method:>14}" for method in mean))
    for code, name in enumerate(names):
        print(f"{name:<14}" + "".join(f"{values[code]:14.1f}" for values in mean.values()))
    print(f"{'mean':<14}" + "".join(f"{values.mean():14.1f}" for values in mean.values()))

    model = search.best_estimator_["model"]
    weights = ", ".join(
        f"{name} {weight:.2f}" for name, weight in zip(names, model.task_weight_, strict=True)
    )
    print(f"\nThe last search chose {search.best_params_}")
    print(f"and weighed the tasks by {weights}.")

    draw(names, mean)
    print(f"\nPicture: {PICTURE}. {time.perf_counter() - started:.0f} seconds.")


def draw(names: list[str], mean: dict[str, np.ndarray]) -> None:
    """One dot per task and method; a line joins the methods of a task."""
    fig, ax = plt.subplots(figsize=(7, 0.6 * len(names) + 1.4), layout="constrained")
    rows = np.arange(len(names))
    stacked = np.array(list(mean.values()))
    ax.hlines(rows, stacked.min(axis=0), stacked.max(axis=0), color="0.8", zorder=1)
    marks = zip(("#999999", "#56b4e9", "#d55e00"), ("s", "D", "o"), strict=True)
    for (method, values), (colour, marker) in zip(mean.items(), marks, strict=True):
        ax.scatter(values, rows, s=60, color=colour, marker=marker, label=method, zorder=2)
    ax.set(yticks=rows, yticklabels=names, xlabel="test accuracy (%)")
    ax.invert_yaxis()
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    fig.legend(loc="outside upper center", ncols=3, frameon=False)
    fig.savefig(PICTURE, dpi=150)


if __name__ == "__main__":
    main()
