"""Modules of the user's in the place of the hidden layers, and rows with positions."""

from __future__ import annotations

import functools
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import Tensor, nn

from helpers import N_TASKS, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor, SVDTaskReweighter


class Encoder(nn.Module):
    """An LSTM whose outputs are averaged over the positions that are not padding."""

    def __init__(self, n_features: int, capacity: int = 6) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_features, capacity, batch_first=True)

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        states, _ = self.lstm(rows)
        mean: Tensor = (states * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return mean


class Mean(nn.Module):
    """The mean over the positions that are not padding."""

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        mean: Tensor = (rows * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True)
        return mean


def make_sequences(length: int = 7, rows: int = 40) -> tuple[Any, Any, Any]:
    """Sequences of 5 features whose sum over the positions decides, padded to a length."""
    X, y, task = make_tasks(rows=rows)
    rng = np.random.default_rng(0)
    steps = rng.standard_normal((len(X), length, 5))
    lengths = rng.integers(2, length + 1, len(X))
    real = np.arange(length) < lengths[:, None]
    steps += (X / 2)[:, None, :]
    return np.where(real[:, :, None], steps, np.nan), y, task


def test_a_module_like_the_built_in_layers_gives_the_same_model() -> None:
    X, y, task = make_tasks()
    plain = MultiTaskAlignedClassifier(hidden_layer_sizes=(4,), random_state=0)
    plain.fit(X, y, task=task)
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    with torch.no_grad():
        module[0].weight.copy_(plain.module_.shared.start_0)
        module[0].bias.copy_(plain.module_.shared.start_1)
    mine = MultiTaskAlignedClassifier(
        shared_module=module.double(), input_scaling="principal", random_state=0
    ).fit(X, y, task=task)
    np.testing.assert_allclose(
        mine.predict_proba(X, task=task), plain.predict_proba(X, task=task), atol=1e-9
    )


def test_an_instance_is_copied() -> None:
    X, y, task = make_tasks()
    module = nn.Sequential(nn.Linear(5, 4), nn.Tanh())
    before = {name: value.clone() for name, value in module.state_dict().items()}
    module.eval()
    model = MultiTaskAlignedClassifier(shared_module=module, alpha=0.01).fit(X, y, task=task)
    assert model.module_.shared.module is not module
    assert not torch.equal(model.module_.shared.module[0].weight.float(), before["0.weight"])
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name])
        assert value.dtype == torch.float32
    assert not module.training
    # The penalty is on the distance from the instance.
    start = model.module_.shared.start_0.numpy()
    np.testing.assert_array_equal(start, before["0.weight"].numpy())


def test_frozen_parameters_stay() -> None:
    X, y, task = make_tasks()
    module = nn.Sequential(nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    module[0].requires_grad_(False)
    model = MultiTaskAlignedClassifier(shared_module=module, alpha=0.01).fit(X, y, task=task)
    fitted = model.module_.shared.module
    assert torch.equal(fitted[0].weight, module[0].weight.double())
    assert not torch.equal(fitted[2].weight, module[2].weight.double())
    assert not fitted[0].weight.requires_grad


def no_argument() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU())


def of_features(n_features: int) -> nn.Module:
    return nn.Sequential(nn.Linear(n_features, 4), nn.ReLU())


@pytest.mark.parametrize("factory", [no_argument, of_features, functools.partial(nn.Linear, 5, 4)])
def test_random_state_decides_what_a_factory_draws(factory: Any) -> None:
    X, y, task = make_tasks()
    before = torch.get_rng_state()
    first, second, other = (
        MultiTaskAlignedClassifier(shared_module=factory, random_state=seed)
        .fit(X, y, task=task)
        .transform(X, task=task)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, second)
    assert np.abs(first - other).max() > 1e-3
    assert first.shape == (len(X), 4)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_an_lstm_learns_from_padded_sequences(solver: str) -> None:
    X, y, task = make_sequences()
    model = MultiTaskAlignedClassifier(
        shared_module=Encoder,
        solver=solver,
        alpha=0.01,
        learning_rate_init=0.01,
        max_iter=1000,
        tol=1e-2,
        random_state=0,
    ).fit(X, y, task=task)
    assert model.score(X, y, task=task) > 0.8
    assert model.n_features_in_ == 5
    assert model.alignment_.shape == (N_TASKS, 5, 5)
    assert model.transform(X, task=task).shape == (len(X), 6)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        copy.predict_proba(X, task=task), model.predict_proba(X, task=task)
    )


@pytest.mark.filterwarnings("ignore:max_iter=20:sklearn.exceptions.ConvergenceWarning")
def test_padding_does_not_count() -> None:
    X, y, task = make_sequences()
    longer = np.pad(X, ((0, 0), (0, 3), (0, 0)), constant_values=np.nan)
    # Few iterations: many would tell the rounding of the one from that of the other.
    settings: dict[str, Any] = {"shared_module": Encoder, "max_iter": 20, "random_state": 0}
    short = MultiTaskAlignedClassifier(**settings).fit(X, y, task=task)
    long = MultiTaskAlignedClassifier(**settings).fit(longer, y, task=task)
    expected = short.predict_proba(X, task=task)
    np.testing.assert_allclose(short.predict_proba(longer, task=task), expected, atol=1e-12)
    np.testing.assert_allclose(long.predict_proba(X, task=task), expected, atol=1e-6)
    one = short.predict_proba(X[:1, : int((~np.isnan(X[0, :, 0])).sum())], task=task[:1])
    np.testing.assert_allclose(one[0], expected[0], atol=1e-12)


@pytest.mark.parametrize("alignment", ["full", "low_rank", "diagonal"])
def test_alignment_acts_on_the_last_axis(alignment: str) -> None:
    X, y, task = make_sequences()
    model = MultiTaskAlignedClassifier(
        shared_module=Mean(),
        alignment=alignment,
        alignment_rank=2,
        alignment_alpha=0.1,
        input_scaling="standard",
        random_state=0,
    ).fit(X, y, task=task)
    z = (X - model.feature_mean_) * model.feature_map_
    aligned = np.einsum("nsd,nde->nse", z, model.alignment_[task])
    assert np.abs(model.alignment_ - np.eye(5)).max() > 0.01
    np.testing.assert_allclose(model.align(X, task=task), aligned, atol=1e-12)
    np.testing.assert_allclose(
        model.transform(X, task=task), np.nanmean(aligned, axis=1), atol=1e-12
    )


def test_a_mean_of_sequences_is_a_table_of_means() -> None:
    """Sequences whose module averages them, against the averages without hidden layers."""
    X, y, task = make_sequences()
    settings: dict[str, Any] = {"alignment": None, "tol": 0, "max_iter": 5000, "alpha": 1.0}
    sequences = MultiTaskAlignedClassifier(shared_module=Mean, **settings).fit(X, y, task=task)
    means = np.nanmean(X, axis=1)
    table = MultiTaskAlignedClassifier(hidden_layer_sizes=(), input_scaling=None, **settings)
    table.fit(means, y, task=task)
    np.testing.assert_allclose(
        sequences.predict_proba(X, task=task), table.predict_proba(means, task=task), atol=1e-6
    )


def test_positions_of_more_dimensions() -> None:
    X, y, task = make_sequences(length=6)
    grid = np.nan_to_num(X).reshape(len(X), 2, 3, 5)

    class Flat(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            return rows.flatten(1, 2).sum(dim=1)

    model = MultiTaskAlignedClassifier(shared_module=Flat(), alignment="full", random_state=0)
    model.fit(grid, y, task=task)
    assert model.score(grid, y, task=task) > 0.7
    assert model.n_features_in_ == 5
    assert model.align(grid, task=task).shape == grid.shape


def test_a_wide_y_and_added_tasks() -> None:
    X, y, task = make_sequences()
    wide = MultiTaskAlignedClassifier(shared_module=Encoder, tol=1e-2, random_state=0)
    assert wide.fit(X, np.column_stack([y, 1 - y])).predict(X).shape == (len(X), 2)
    old = task < 2
    model = MultiTaskAlignedRegressor(shared_module=Encoder, tol=1e-2, random_state=0)
    model.fit(X[old], y[old] * 2.5, task=task[old])
    before = model.predict(X[old], task=task[old])
    model.add_task(X[~old], y[~old] * 2.5, task=2)
    np.testing.assert_array_equal(model.predict(X[old], task=task[old]), before)
    assert model.score(X[~old], y[~old] * 2.5, task=task[~old]) > 0.1


def test_coral_of_sequences() -> None:
    X, y, task = make_sequences()
    X[task == 1] *= [1, 2, 3, 4, 5]
    model = MultiTaskAlignedClassifier(
        shared_module=Mean,
        alignment="full",
        alignment_init="coral",
        alignment_alpha=1e12,
        random_state=0,
    ).fit(X, y, task=task)
    aligned = model.align(X, task=task)
    flat = [aligned[task == t].reshape(-1, 5) for t in range(N_TASKS)]
    covariances = [np.cov(rows[~np.isnan(rows[:, 0])].T, bias=True) for rows in flat]
    np.testing.assert_allclose(covariances, np.tile(covariances[0], (N_TASKS, 1, 1)), atol=1e-6)


def test_a_bare_instance_survives_clone() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(shared_module=nn.Linear(5, 3), random_state=0)
    first = model.fit(X, y, task=task).predict_proba(X, task=task)
    second = clone(model).fit(X, y, task=task).predict_proba(X, task=task)
    np.testing.assert_array_equal(first, second)


class Wrong(nn.Module):
    def __init__(self, outcome: Any) -> None:
        super().__init__()
        self.outcome = outcome

    def forward(self, rows: Tensor) -> Any:
        return self.outcome(rows)


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Wrong(lambda rows: rows.unsqueeze(0)), r"made \(1, 2, 5\) of rows of shape \(2, 5\)"),
        (
            Wrong(lambda rows: rows[:1]),
            r"made \(1, 5\).*\(n_rows, capacity\), here \(2, capacity\)",
        ),
        (Wrong(lambda rows: (rows, rows)), "made tuple of rows"),
        (nn.Linear(4, 3), r"failed on rows of shape \(2, 5\): .*cannot be multiplied"),
        (lambda a, b: nn.Linear(5, 3), "could not be called with"),
        (lambda: "module", "made a str; it must make an nn.Module"),
        (nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.5)), r"layer '1', Dropout.*solver=\"adam\""),
        (nn.Sequential(nn.Linear(5, 3), nn.BatchNorm1d(3)), r"layer '1', BatchNorm1d"),
        (nn.MultiheadAttention(5, 1, dropout=0.5), "failed on rows|depends on the batch"),
    ],
)
def test_modules_that_do_not_fit(module: Any, message: str) -> None:
    X, y, task = make_tasks()
    with pytest.raises(ValueError, match=message):
        MultiTaskAlignedClassifier(shared_module=module).fit(X, y, task=task)


def test_dropout_and_batch_norm_train_in_batches() -> None:
    X, y, task = make_tasks()
    module = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3))
    settings: dict[str, Any] = {"solver": "adam", "max_iter": 50, "tol": 0.1, "random_state": 0}
    first, second = (
        MultiTaskAlignedClassifier(shared_module=module, learning_rate_init=0.01, **settings)
        .fit(X, y, task=task)
        .predict_proba(X, task=task)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def with_gap(X: Any) -> Any:
    X = X.copy()
    X[0, 0, 1] = np.nan
    return X


@pytest.mark.parametrize(
    ("change", "params", "message"),
    [
        (with_gap, {}, "NaN beside numbers in one position"),
        (lambda X: np.where(np.arange(len(X))[:, None, None] == 3, np.nan, X), {}, "Row 3 of X"),
        (lambda X: np.where(X > 2, np.inf, X), {}, "infinity"),
        (lambda X: X[:, :0], {}, "has shape"),
        (lambda X: X, {"task_column": -1}, "Only the columns of a table can hold the task"),
        (lambda X: X, {"shared_module": None}, "dim 3"),
        (lambda X: X, {"task_weight": SVDTaskReweighter()}, "needs X of two dimensions; got 3"),
    ],
)
def test_sequences_that_cannot_be_read(change: Any, params: dict[str, Any], message: str) -> None:
    X, y, task = make_sequences()
    task = None if "task_column" in params else task
    model = MultiTaskAlignedClassifier(**{"shared_module": Encoder, **params})
    with pytest.raises(ValueError, match=message):
        model.fit(change(X), y, task=task)


def test_later_rows_have_the_dimensions_of_the_first() -> None:
    X, y, task = make_sequences()
    model = MultiTaskAlignedClassifier(shared_module=Mean, random_state=0).fit(X, y, task=task)
    with pytest.raises(ValueError, match="X has 2 dimensions; the estimator was fitted on 3"):
        model.predict(X[:, 0], task=task)
    with pytest.raises(ValueError, match="X has 4 features"):
        model.predict(X[:, :, :4], task=task)


def test_lazy_layers_draw_by_random_state() -> None:
    X, y, task = make_tasks()
    lazy = nn.Sequential(nn.LazyLinear(4), nn.ReLU())
    settings: dict[str, Any] = {"shared_module": lazy, "random_state": 0}
    first = MultiTaskAlignedClassifier(**settings).fit(X, y, task=task).transform(X, task=task)
    again = MultiTaskAlignedClassifier(**settings).fit(X, y, task=task).transform(X, task=task)
    np.testing.assert_array_equal(first, again)


def test_padding_is_0_to_a_module_that_takes_no_mask() -> None:
    X, y, task = make_sequences()

    class Sum(nn.Module):
        def forward(self, rows: Tensor) -> Tensor:
            return rows.sum(dim=1)

    model = MultiTaskAlignedClassifier(shared_module=Sum(), alignment=None).fit(X, y, task=task)
    np.testing.assert_allclose(model.transform(X, task=task), np.nansum(X, axis=1), atol=1e-12)


def test_alignment_of_objects() -> None:
    X, y, task = make_sequences()
    model = MultiTaskAlignedClassifier(shared_module=Mean, random_state=0).fit(X, y, task=task)
    np.testing.assert_array_equal(
        model.align(X.astype(object), task=task), model.align(X, task=task)
    )


class Exponential(nn.Module):
    def forward(self, rows: Tensor) -> Tensor:
        return rows.exp()


def test_rows_that_a_module_makes_infinite_are_refused() -> None:
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(shared_module=Exponential(), random_state=0)
    model.fit(X, y, task=task)
    with pytest.raises(ValueError, match=r"the outcome is not finite\. Scale X"):
        model.predict_proba(1e4 * X, task=task)
