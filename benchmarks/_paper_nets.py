"""Networks of the paper's experiments as estimators of the package."""

import math
from functools import partial
from typing import Any

from torch import Tensor, nn

from _common_matrix import CommonMatrix
from sk_mtl import MultiTaskAlignedClassifier

Params = dict[str, Any]

FREE, PENALISED = "free", "penalised"
PENALTIES: dict[str, dict[str, tuple[float, ...]]] = {
    "lbfgs": {FREE: (0.3,), PENALISED: (10.0, 100.0, 1000.0)},
    "adam": {FREE: (0.1,), PENALISED: (20.0,)},
}
"""Penalties on an alignment, chosen by validation where there are several. Losses are sums over
rows, of which there are 400 to 2000."""

ALPHA = 0.2
EPOCHS = 8
COMMON_RATE = 0.1
"""Share of the learning rate that a common matrix has, as an alignment has it."""

GRID: dict[str, tuple[Params, ...]] = {
    "MLP": tuple({"alpha": alpha} for alpha in (0.2, 1.0, 5.0, 20.0)),
    "LSTM": (
        *({"learning_rate_init": rate} for rate in (8e-3, 1.6e-2, 3.2e-2)),
        {"learning_rate_init": 1.6e-2, "max_iter": 2 * EPOCHS},
    ),
    "CNN": tuple({"learning_rate_init": rate} for rate in (1e-3, 2e-3, 4e-3)),
}
"""What is chosen without alignment, and held there for models with it."""


class Lstm(nn.Module):
    """The mean of an LSTM's states over the positions that are not padding."""

    def __init__(self, n_features: int, capacity: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, capacity, batch_first=True)
        self.dropout = nn.Dropout(0.2)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        states, _ = self.lstm(rows)
        real = mask.unsqueeze(-1)
        return self.dropout((states * real).sum(dim=1) / real.sum(dim=1))


class Cnn(nn.Module):
    """Convolutions over three positions, and each one's maximum over the sentence."""

    def __init__(self, n_features: int, capacity: int) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(n_features, capacity, 3, padding=1)
        self.dropout = nn.Dropout(0.2)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        found = self.convolution(rows.transpose(1, 2)).relu()
        return self.dropout(found.masked_fill(~mask.unsqueeze(1), 0).amax(dim=2))


MODULES: dict[str, type[nn.Module]] = {"LSTM": Lstm, "CNN": Cnn}


class Mlp(nn.Sequential):
    """A layer that is like the built-in ones."""

    def __init__(self, n_features: int, capacity: int) -> None:
        linear = nn.Linear(n_features, capacity)
        nn.init.normal_(linear.weight, std=math.sqrt(2 / capacity))
        nn.init.zeros_(linear.bias)
        super().__init__(linear, nn.ReLU())


class AfterCommonMatrix(nn.Module):
    """A module behind a common matrix."""

    def __init__(self, common: CommonMatrix, module: nn.Module) -> None:
        super().__init__()
        self.common, self.module = common, module

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        return self.module(self.common(rows), mask)


def with_common_matrix(n_features: int, net: str, capacity: int, scale: float) -> nn.Module:
    """The control of an alignment: one matrix for all tasks."""
    common = CommonMatrix(n_features, scale)
    if net == "MLP":
        return nn.Sequential(common, Mlp(n_features, capacity))
    return AfterCommonMatrix(common, MODULES[net](n_features, capacity))


def solver_of(net: str) -> str:
    """Few rows of plain features are fitted in full, sequences in batches."""
    return "lbfgs" if net == "MLP" else "adam"


def estimator(net: str, capacity: int, seed: int, **params: Any) -> MultiTaskAlignedClassifier:
    """An estimator with one of the nets as its shared module.

    Parameters
    ----------
    net : {"MLP", "LSTM", "CNN"}
        The shared module B; heads see nothing else.
    capacity : int
        Its outputs.
    seed : int
        ``random_state``.
    **params
        Parameters of the estimator; ``common`` stands for one common matrix with this penalty.
        Of "adam" the penalty of a common matrix is always ``ALPHA / COMMON_RATE**2``.
    """
    solver = solver_of(net)
    alpha = params.get("alpha", ALPHA)
    training: Params = (
        {"tol": 1e-3}
        if solver == "lbfgs"
        else {"max_iter": EPOCHS, "n_iter_no_change": 1000, "batch_size": 64}
    )
    common = params.pop("common", None)
    module: Any
    if common is not None:
        scale = math.sqrt(alpha / common) if solver == "lbfgs" else COMMON_RATE
        module = partial(with_common_matrix, net=net, capacity=capacity, scale=scale)
    elif net != "MLP":
        module = partial(MODULES[net], capacity=capacity)
    else:
        module = None
    built: Params = {
        "shared_module": module,
        "hidden_layer_sizes": (capacity,),
        "skip_connection": False,
        "input_scaling": "principal" if net == "MLP" else None,
        "alignment": None,
        "alpha": alpha,
        "solver": solver,
        "random_state": seed,
    }
    return MultiTaskAlignedClassifier(**(built | training | params))
