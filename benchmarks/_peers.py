"""What people use instead: networks and gradient boosting, from the packages that they come in."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from _baselines import all_in_one, one_by_one
from _data import Floats, Integers, Tasks
from _scores import Answer, values

WIDTH, RATE, EPOCHS, PATIENCE, HELD_OUT = 64, 3e-3, 200, 15, 0.15


def mlp(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """A network per task, scikit-learn's with its defaults, on standardised features."""
    kind = MLPRegressor if train.of_values else MLPClassifier
    model = make_pipeline(StandardScaler(), kind(max_iter=500, random_state=seed))
    return one_by_one(model, train, test)


def hgb(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """scikit-learn's gradient boosting per task."""
    return one_by_one(_hgb(train, seed), train, test)


def hgb_pooled(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """The same over all tasks, with the task as a category."""

    def fit(X: Floats, y: Floats, groups: Integers | None) -> Any:
        return _hgb(train, seed, categorical_features=[X.shape[1] - 1]).fit(X, y)

    return all_in_one(fit, train, test)


def _hgb(train: Tasks, seed: int, **params: Any) -> Any:
    kind = HistGradientBoostingRegressor if train.of_values else HistGradientBoostingClassifier
    return kind(random_state=seed, **params)


def lgbm(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """LightGBM per task."""
    return one_by_one(_lgbm(train, seed), train, test)


def lgbm_pooled(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """The same over all tasks, with the task as a category."""

    def fit(X: Floats, y: Floats, groups: Integers | None) -> Any:
        return _lgbm(train, seed).fit(X, y, categorical_feature=[X.shape[1] - 1])

    return all_in_one(fit, train, test)


def _lgbm(train: Tasks, seed: int) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor

    kind = LGBMRegressor if train.of_values else LGBMClassifier
    return kind(random_state=seed, n_jobs=1, verbose=-1)


def realmlp(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """RealMLP with its tuned defaults (Holzmüller et al. 2024) per task."""
    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    kind = RealMLP_TD_Regressor if train.of_values else RealMLP_TD_Classifier
    return one_by_one(kind(random_state=seed, device="cpu", n_threads=1), train, test)


def torchjd_mean(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Hard parameter sharing, trained for the mean of the tasks' losses by TorchJD."""
    from torchjd.aggregation import Mean

    return _hard_sharing(train, test, seed, _by_jacobian(Mean()))


def torchjd_upgrad(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Hard parameter sharing, with gradients that TorchJD's UPGrad reconciles."""
    from torchjd.aggregation import UPGrad

    return _hard_sharing(train, test, seed, _by_jacobian(UPGrad()))


def uncertainty(train: Tasks, test: Tasks, seed: int) -> list[Answer]:
    """Hard parameter sharing with learned weights of the tasks, as TorchJD has them."""
    from torchjd.scalarization import UW

    weights = UW(len(train.names))

    def backward(losses: list[Tensor], representation: Tensor, shared: nn.Module) -> None:
        weights(torch.stack(losses)).backward()

    return _hard_sharing(train, test, seed, backward, list(weights.parameters()))


Backward = Callable[[list[Tensor], Tensor, nn.Module], None]


def _by_jacobian(aggregator: Any) -> Backward:
    from torchjd.autojac import jac_to_grad, mtl_backward

    def backward(losses: list[Tensor], representation: Tensor, shared: nn.Module) -> None:
        mtl_backward(losses, features=representation)
        jac_to_grad(shared.parameters(), aggregator)

    return backward


def _hard_sharing(
    train: Tasks, test: Tasks, seed: int, backward: Backward, learned: list[Any] | None = None
) -> list[Answer]:
    """A shared layer and a head per task, trained by Adam on all rows, stopped on held-out rows."""
    torch.manual_seed(seed)
    scaler = StandardScaler().fit(train.X)
    labels = [np.unique(train.labels(task)) for task in range(len(train.names))]
    sizes = [1 if train.of_values else max(2, len(own)) for own in labels]
    shared = nn.Sequential(nn.Linear(train.X.shape[1], WIDTH), nn.ReLU())
    heads = nn.ModuleList(nn.Linear(WIDTH, size) for size in sizes)
    parameters = [*shared.parameters(), *heads.parameters(), *(learned or [])]
    optimizer = torch.optim.Adam(parameters, lr=RATE, weight_decay=1e-4)
    X = torch.as_tensor(scaler.transform(train.X), dtype=torch.float32)
    units = [(own.mean(), own.std() or 1.0) for own in map(train.labels, range(len(labels)))]
    rng = np.random.default_rng(seed)
    held = rng.random(len(X)) < HELD_OUT
    fitted, stopping = [], []  # of each task: rows and what to reach
    for task, own in enumerate(labels):
        rows, y = train.labelled_rows(task), train.labels(task)
        reach = (
            (y - units[task][0]) / units[task][1] if train.of_values else np.searchsorted(own, y)
        )
        dtype = torch.float32 if train.of_values else torch.int64
        inside = ~held[rows] if (~held[rows]).any() else np.ones(len(rows), dtype=bool)
        for part, chosen in ((fitted, inside), (stopping, ~inside)):
            part.append((rows[chosen], torch.as_tensor(reach[chosen], dtype=dtype)))

    def losses(part: list[Any], representation: Tensor) -> list[Tensor]:
        found = []
        for head, (rows, reach) in zip(heads, part, strict=True):
            if len(rows):
                said = head(representation[rows])
                if train.of_values:
                    found.append(nn.functional.mse_loss(said[:, 0], reach))
                else:
                    found.append(nn.functional.cross_entropy(said, reach))
        return found

    best, best_state, since = np.inf, None, 0
    for _ in range(EPOCHS):
        optimizer.zero_grad()
        representation = shared(X)
        backward(losses(fitted, representation), representation, shared)
        optimizer.step()
        with torch.no_grad():
            stop_loss = float(np.mean([float(loss) for loss in losses(stopping, shared(X))]))
        if stop_loss < best:
            best, since = stop_loss, 0
            best_state = [parameter.detach().clone() for parameter in parameters]
        elif (since := since + 1) >= PATIENCE:
            break
    with torch.no_grad():
        for parameter, value in zip(parameters, best_state or parameters, strict=True):
            parameter.copy_(value)
        hidden = shared(torch.as_tensor(scaler.transform(test.X), dtype=torch.float32))
        outputs = [heads[task](hidden[test.rows(task)]) for task in range(len(labels))]
    if train.of_values:
        return [
            values(said[:, 0].numpy() * unit + mean)
            for said, (mean, unit) in zip(outputs, units, strict=True)
        ]
    return [
        (own, torch.softmax(said[:, : len(own)], dim=1).double().numpy())
        for own, said in zip(labels, outputs, strict=True)
    ]
