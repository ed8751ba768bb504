"""Fitted models of every kind and layout of rows, and the rows that they are fitted to."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge

from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
    SVDTaskReweighter,
)

RNG = np.random.default_rng(0)
N = 24
X = RNG.standard_normal((N, 3))
Y = (X[:, 0] + 0.5 * RNG.standard_normal(N) > 0).astype(int)
VALUES = X @ [1.0, 2.0, 3.0] + RNG.standard_normal(N)
TASK = np.repeat(["north", "south"], N // 2)
WIDE = np.column_stack([Y, 1.0 - Y])
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
STACKED = FRAME.assign(shop=TASK)


LINEAR: dict[str, Any] = {"hidden_layer_sizes": (), "alignment": None, "random_state": 0}
ADAM: dict[str, Any] = {"solver": "adam", "learning_rate_init": 0.1, "tol": 0.01}
SMALL: dict[str, Any] = {"penalties": 2, "hidden_layer_sizes": (), "random_state": 0}


def linear(**params: Any) -> MultiTaskAlignedClassifier:
    return MultiTaskAlignedClassifier(**(LINEAR | params))


def source() -> Any:
    return FrozenEstimator(linear().fit(X, Y, task=TASK))


BY_TASK = {"X": X, "y": Y, "task": TASK}
OF_VALUES = {"X": X, "y": VALUES, "task": TASK}
# What estimators are made by, and what they are fitted to.
MODELS: dict[str, tuple[Callable[[], Any], dict[str, Any]]] = {
    "classifier": (linear, BY_TASK),
    "column": (lambda: linear(task_column="shop"), {"X": STACKED, "y": Y}),
    "position": (lambda: linear(task_column=-1), {"X": STACKED.to_numpy(object), "y": Y}),
    "frame": (linear, {"X": FRAME, "y": Y, "task": TASK}),
    "wide": (linear, {"X": X, "y": WIDE}),
    "one task": (linear, {"X": X, "y": Y}),
    "batches": (lambda: linear(**ADAM), BY_TASK),
    "regressor": (lambda: MultiTaskAlignedRegressor(**LINEAR), OF_VALUES),
    "regressor in batches": (lambda: MultiTaskAlignedRegressor(**LINEAR, **ADAM), OF_VALUES),
    "aligned": (lambda: MultiTaskAlignedClassifier(max_iter=200, random_state=0), BY_TASK),
    "searched": (lambda: MultiTaskAlignedClassifierCV(**SMALL), BY_TASK),
    "searched regressor": (lambda: MultiTaskAlignedRegressorCV(**SMALL), OF_VALUES),
    "reweighter": (SVDTaskReweighter, BY_TASK),
    "reweighter of values": (SVDTaskReweighter, OF_VALUES),
    "wide reweighter": (SVDTaskReweighter, {"X": X, "y": WIDE}),
    "transfer": (lambda: AlignedTransferClassifier(source(), random_state=0), {"X": X, "y": Y}),
    "selective": (
        lambda: SelectiveTransferClassifier(
            linear(), LogisticRegression(), cv=2, blend=True, random_state=0
        ),
        BY_TASK,
    ),
    "selective regressor": (
        lambda: SelectiveTransferRegressor(
            MultiTaskAlignedRegressor(**LINEAR), Ridge(), cv=2, random_state=0
        ),
        OF_VALUES,
    ),
}


@cache
def saved(model: str) -> bytes:
    make, good = MODELS[model]
    return pickle.dumps(make().fit(**good))


def answers(estimator: Any, good: dict[str, Any]) -> list[Any]:
    """What a fitted estimator says of the rows that it was fitted to."""
    asked = {name: value for name, value in good.items() if name != "y"}
    names = ("predict", "predict_proba", "transform")
    said = [getattr(estimator, name)(**asked) for name in names if hasattr(estimator, name)]
    return [*said, estimator.tasks_]
