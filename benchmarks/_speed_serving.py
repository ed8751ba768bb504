"""Prediction: rows 8 and 9 of the table, and growth, row 15."""

import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import nn

from _speed_cases import Case, Memory
from _speed_clock import Epochs, Work
from sk_mtl import MultiTaskAlignedClassifier

ROWS, D, CLASSES, HIDDEN = 1_000_000, 64, 5, 64


def _rows(n: int = ROWS) -> Any:
    return np.random.default_rng(0).standard_normal((n, D)).astype(np.float32)


def _labelled(n: int = 2000) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    return rng.standard_normal((n, D)).astype(np.float32), rng.integers(0, CLASSES, n)


def _model(**params: Any) -> MultiTaskAlignedClassifier:
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (HIDDEN,),
        "skip_connection": False,
        "alignment": None,
        "solver": "adam",
        "max_iter": 2,
        "random_state": 0,
    }
    model = MultiTaskAlignedClassifier(**(settings | params))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit(*_labelled())


def _predictions(dtype: str) -> dict[str, Work | Epochs]:
    X, (few, y) = _rows().astype(dtype), _labelled()
    few = few.astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlp = MLPClassifier((HIDDEN,), max_iter=2).fit(few, y)
    alternatives: dict[str, Work | Epochs] = {
        "ours": partial(_model().predict_proba, X),
        "MLPClassifier": partial(mlp.predict_proba, X),
    }
    if dtype == "float32":
        linear = LogisticRegression().fit(few, y)
        alternatives["LogisticRegression"] = partial(linear.predict_proba, X)
        layers = [nn.Linear(D, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES), nn.Softmax(dim=1)]
        net = NeuralNetClassifier(
            nn.Sequential(*layers), train_split=None, max_epochs=1, verbose=0, batch_size=128
        ).fit(few, y)
        part = Epochs(lambda parts: net.predict_proba(X[: 50_000 * parts]), more=1, parts=20)
        alternatives["stock skorch"] = part
    return alternatives


def _prediction_memory() -> tuple[Work, float]:
    X, model = _rows(), _model()
    model.predict_proba(X[:100])
    return partial(model.predict_proba, X), ROWS * CLASSES * 4 / 2**20


def _growth(of: str) -> dict[str, Work | Epochs]:
    """The larger is "ours"; the smaller is repeated until it has gone over as many rows."""
    large, small = ROWS, 10_000
    X, y = _labelled(large)
    torch.manual_seed(0)
    if of == "predict":
        model = _model()
        return {
            "ours": partial(model.predict_proba, X),
            "10k rows": Epochs(
                lambda times: [model.predict_proba(X[:small]) for _ in range(10 * times)],
                more=1,
                parts=large / small / 10,
            ),
        }

    def fit(n: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _model(max_iter=1, tol=0.0).fit(X[:n], y[:n])

    return {
        "ours": partial(fit, large),
        "10k rows": Epochs(
            lambda times: [fit(small) for _ in range(4 * times)], more=1, parts=large / small / 4
        ),
    }


CASES = [
    Case(
        "8, 9",
        "predict_proba, 1M x 64, float32",
        partial(_predictions, "float32"),
        {"MLPClassifier": 0.6, "LogisticRegression": 1.0, "stock skorch": 1 / 50},
        {"MLPClassifier": 0.4, "LogisticRegression": 0.7},
    ),
    Case(
        "8",
        "predict_proba, 1M x 64, float64",
        partial(_predictions, "float64"),
        {"MLPClassifier": 0.2},
        {"MLPClassifier": 0.15},
    ),
    Memory("9", "peak of predict_proba, 1M x 64", _prediction_memory, 10.0),
    Case("15", "fit, 1M rows, per row", partial(_growth, "fit"), {"10k rows": 1.1}),
    Case("15", "predict, 1M rows, per row", partial(_growth, "predict"), {"10k rows": 1.1}),
]
