"""Epochs of training: rows 1 to 7 of the table."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from skorch import NeuralNetClassifier
from torch import Tensor, nn

from _speed_cases import Case, Memory
from _speed_clock import Epochs, Work
from sk_mtl import MultiTaskAlignedClassifier

N, CLASSES, HIDDEN = 20_000, 5, 64
RATE = 1e-3


def _ours(X: Any, y: Any, batch: int, task: Any = None, **params: Any) -> Epochs:
    """Epochs of our estimator by Adam: loss history and callbacks as always."""

    def train(epochs: int) -> None:
        model = MultiTaskAlignedClassifier(
            solver="adam",
            batch_size=batch,
            learning_rate_init=RATE,
            max_iter=epochs,
            tol=0.0,
            n_iter_no_change=10_000,
            random_state=0,
            **params,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y, task=task)

    return Epochs(train)


def _mlp(X: Any, y: Any, batch: int) -> Epochs:
    def train(epochs: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            MLPClassifier(
                (HIDDEN,), batch_size=batch, max_iter=epochs, tol=0.0, n_iter_no_change=10_000
            ).fit(X, y)

    return Epochs(train)


def _network(d: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def _skorch(X: Any, y: Any, batch: int) -> Epochs:
    def train(epochs: int) -> None:
        NeuralNetClassifier(
            _network(X.shape[1]),
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.Adam,
            lr=RATE,
            batch_size=batch,
            max_epochs=epochs,
            train_split=None,
            iterator_train__shuffle=True,
            verbose=0,
        ).fit(X, y)

    return Epochs(train)


def _loop(X: Any, y: Any, batch: int) -> Epochs:
    """What one writes by hand: shuffled slices of tensors and a fused Adam."""

    def train(epochs: int) -> None:
        net = _network(X.shape[1])
        adam = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
        rows, labels = torch.from_numpy(X), torch.from_numpy(y)
        for _ in range(epochs):
            total = 0.0
            for chosen in torch.randperm(len(rows)).split(batch):
                loss = nn.functional.cross_entropy(net(rows[chosen]), labels[chosen])
                adam.zero_grad()
                loss.backward()
                adam.step()
                total += loss.item() * len(chosen)

    return Epochs(train)


def _tabular(d: int, n: int = N) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)).astype(np.float32), rng.integers(0, CLASSES, n)


def _plain(d: int, batch: int) -> dict[str, Work | Epochs]:
    X, y = _tabular(d)
    ours = partial(_ours, X, y, batch, input_scaling=None)
    return {
        "ours": ours(hidden_layer_sizes=(HIDDEN,), skip_connection=False, alignment=None),
        "MLPClassifier": _mlp(X, y, batch),
        "stock skorch": _skorch(X, y, batch),
        "six tasks": ours(
            task=np.arange(N) % 6,
            hidden_layer_sizes=(HIDDEN,),
            skip_connection=False,
            alignment=None,
        ),
    }


def _users(d: int, batch: int) -> dict[str, Work | Epochs]:
    X, y = _tabular(d)
    module = nn.Sequential(nn.Linear(d, HIDDEN), nn.ReLU())
    settings: dict[str, Any] = {"alignment": None, "skip_connection": False}
    return {
        "ours": _ours(X, y, batch, shared_module=module, **settings),
        "hand-written loop": _loop(X, y, batch),
    }


def _full_alignment(n_tasks: int, d: int, batch: int, n: int) -> dict[str, Work | Epochs]:
    X, y = _tabular(d, n)
    settings: dict[str, Any] = {
        "task": np.arange(n) % n_tasks,
        "input_scaling": None,
        "hidden_layer_sizes": (HIDDEN,),
    }
    plain = _ours(X, y, batch, alignment=None, **settings)

    def with_products(epochs: int) -> None:
        plain.train(epochs)
        _products(torch.from_numpy(X), n_tasks, batch, epochs)

    return {
        "ours": _ours(X, y, batch, alignment="full", **settings),
        "no alignment + products": Epochs(with_products),
        "no alignment": plain,
    }


def _products(X: Tensor, n_tasks: int, batch: int, epochs: int) -> None:
    """The products that an epoch cannot do without: with the R_i, and for their gradients."""
    d = X.shape[1]
    R = torch.randn(n_tasks, d, d)
    for _ in range(epochs):
        for chosen in torch.arange(len(X)).split(batch):
            for part in torch.tensor_split(X[chosen], n_tasks):
                part @ R[0]
                part.T @ part


def _aligned_by_tasks() -> dict[str, Work | Epochs]:
    """Both go over as many rows: the ratio is per row."""
    X, y = _tabular(64)
    settings: dict[str, Any] = {"input_scaling": None, "hidden_layer_sizes": (HIDDEN,)}
    return {
        name: _ours(X, y, 256, alignment="full", task=np.arange(N) % k, **settings)
        for name, k in (("ours", 500), ("two tasks", 2))
    }


def _aligned_memory() -> tuple[Work, float]:
    n_tasks, d = 500, 384
    X, y = _tabular(d, 5000)
    ours = _ours(
        X, y, 256, alignment="full", task=np.arange(5000) % n_tasks, hidden_layer_sizes=(HIDDEN,)
    )
    parameters = n_tasks * d * d * 4 / 2**20
    return partial(ours.train, 1), 3 * parameters  # with two moments of each


def _wide(k: int) -> dict[str, Work | Epochs]:
    d, batch = 128, 256
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, d)).astype(np.float32)
    Y = rng.integers(0, 2, (N, k))
    settings: dict[str, Any] = {"input_scaling": None, "hidden_layer_sizes": (HIDDEN,)}
    alternatives: dict[str, Work | Epochs] = {
        "ours": _ours(X, Y, batch, skip_connection=False, **settings)
    }
    # A network per task costs the same for each: three of them tell.
    alternatives["MultiOutputClassifier"] = _multi_output(X, Y[:, :3], batch, k / 3)
    if k <= 14:
        alternatives["TorchJD mean"] = Epochs(partial(_torchjd, X, Y, batch), more=1)
    return alternatives


def _multi_output(X: Any, Y: Any, batch: int, parts: float) -> Epochs:
    def train(epochs: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = MLPClassifier((HIDDEN,), batch_size=batch, max_iter=epochs)
            MultiOutputClassifier(network).fit(X, Y)

    return Epochs(train, parts=parts)


def _torchjd(X: Any, Y: Any, batch: int, epochs: int) -> None:
    """Hard sharing, its gradients aggregated by TorchJD, as in its guide."""
    from torchjd.aggregation import Mean
    from torchjd.autojac import jac_to_grad, mtl_backward

    k = Y.shape[1]
    shared = nn.Sequential(nn.Linear(X.shape[1], HIDDEN), nn.ReLU())
    heads = nn.ModuleList([nn.Linear(HIDDEN, 1) for _ in range(k)])
    parameters = [*shared.parameters(), *heads.parameters()]
    adam = torch.optim.Adam(parameters, lr=RATE, fused=True)
    rows, labels = torch.from_numpy(X), torch.from_numpy(Y).float()
    for _ in range(epochs):
        for chosen in torch.randperm(len(rows)).split(batch):
            features = shared(rows[chosen])
            losses = [
                nn.functional.binary_cross_entropy_with_logits(
                    head(features).squeeze(1), labels[chosen, j]
                )
                for j, head in enumerate(heads)
            ]
            adam.zero_grad()
            mtl_backward(losses, features=features)
            jac_to_grad(shared.parameters(), Mean())
            adam.step()


def _case(row: str, work: str, make: Callable[[], Any], **goals: dict[str, float]) -> Case:
    return Case(row, work, make, goals["goals"], goals.get("stretch", {}))


CASES = [
    _case(
        "1, 2",
        "epoch, n=20k, d=64, batch 128",
        partial(_plain, 64, 128),
        goals={"MLPClassifier": 0.6, "stock skorch": 1 / 6},
        stretch={"MLPClassifier": 0.45},
    ),
    _case(
        "1, 2",
        "epoch, n=20k, d=384, batch 256",
        partial(_plain, 384, 256),
        goals={"MLPClassifier": 0.7, "stock skorch": 1 / 4},
        stretch={"MLPClassifier": 0.5},
    ),
    _case(
        "3",
        "epoch, shared_module, d=64, batch 128",
        partial(_users, 64, 128),
        goals={"hand-written loop": 1.2},
        stretch={"hand-written loop": 1.05},
    ),
    _case(
        "3",
        "epoch, shared_module, d=384, batch 256",
        partial(_users, 384, 256),
        goals={"hand-written loop": 1.2},
        stretch={"hand-written loop": 1.05},
    ),
    _case(
        "4",
        "epoch, full alignment, 6 tasks, d=384, batch 2048",
        partial(_full_alignment, 6, 384, 2048, 24_000),
        goals={"no alignment + products": 1.5},
        stretch={"no alignment + products": 1.25},
    ),
    _case(
        "5",
        "epoch, full alignment, d=64, 500 tasks",
        _aligned_by_tasks,
        goals={"two tasks": 1.5},
        stretch={"two tasks": 1.2},
    ),
    Memory("6", "peak of fit, 500 tasks, d=384, full alignment", _aligned_memory, 50.0),
    *(
        _case(
            "7",
            f"epoch, wide y, k={k}, n=20k, d=128",
            partial(_wide, k),
            goals={"MultiOutputClassifier": goal, "TorchJD mean": goal},
        )
        for k, goal in ((14, 1 / 15), (100, 1 / 8), (500, 1 / 25))
    ),
]
