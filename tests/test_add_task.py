"""Tasks added to a fitted model: its own predictions stay, the new task's are Algorithm 1's."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize

from helpers import CONVEX, make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor


def new_rows(n_classes: int = 2, rows: int = 12) -> tuple[Any, Any]:
    """A task like those of `make_tasks`, the last third of a larger draw."""
    X, y, task = make_tasks(n_classes, rows=40)
    rng = np.random.default_rng(1)
    chosen = np.concatenate(
        [rng.choice(np.flatnonzero((task == 2) & (y == c)), rows) for c in range(n_classes)]
    )
    return X[chosen] + 0.1 * rng.standard_normal((len(chosen), 5)), y[chosen]


def fitted(**params: Any) -> tuple[Any, Any, Any]:
    X, y, task = make_tasks()
    old = task < 2
    X, y, task = X[old], y[old], task[old]
    model = MultiTaskAlignedClassifier(random_state=0, **params)
    return model.fit(X, y, task=task), X, task


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"alignment": "low_rank", "alignment_rank": 2},
        {"alignment": None},
        {"solver": "adam", "max_iter": 200, "tol": 0.01},
        {"alignment_init": "coral"},
        {"early_stopping": True},
    ],
)
def test_old_predictions_stay_bit_for_bit(params: dict[str, Any]) -> None:
    model, X, task = fitted(**params)
    before = model.predict_proba(X, task=task), model.transform(X, task=task), model.alignment_
    X_new, y_new = new_rows()
    assert model.add_task(X_new, y_new, task=7) is model
    np.testing.assert_array_equal(model.predict_proba(X, task=task), before[0])
    np.testing.assert_array_equal(model.transform(X, task=task), before[1])
    assert model.tasks_.tolist() == [0, 1, 7]
    assert model.task_weight_.tolist() == [1, 1, 1]
    both = model.predict_proba(np.vstack([X_new, X]), task=np.r_[np.full(len(X_new), 7), task])
    np.testing.assert_array_equal(both[len(X_new) :], before[0])
    assert np.mean(model.predict(X_new, task=np.full(len(X_new), 7)) == y_new) > 0.8
    if before[2] is None:
        assert model.alignment_ is None
    else:
        np.testing.assert_array_equal(model.alignment_[:2], before[2])
        assert model.alignment_.shape == (3, 5, 5)


def test_other_labels_join_the_classes() -> None:
    model, X, task = fitted()
    before = model.predict_proba(X, task=task)
    X_new, y_new = new_rows(3)
    model.add_task(X_new, y_new + 1, task=7)  # labels 1 to 3 beside 0 and 1
    assert model.classes_.tolist() == [0, 1, 2, 3]
    assert [classes.tolist() for classes in model.task_classes_] == [[0, 1], [0, 1], [1, 2, 3]]
    after = model.predict_proba(X, task=task)
    np.testing.assert_array_equal(after[:, :2], before)
    assert not after[:, 2:].any()
    new = model.predict_proba(X_new, task=np.full(len(X_new), 7))
    np.testing.assert_allclose(new.sum(axis=1), 1, rtol=1e-6)
    assert not new[:, 0].any()


def test_few_rows_of_known_labels_lean_on_the_shared_head() -> None:
    added, alone = [], []
    for seed in range(5):
        X, y, task = make_tasks(rows=100, seed=seed)
        old, rest = task < 2, np.flatnonzero(task == 2)
        few, test = rest[::25], np.delete(rest, np.arange(0, len(rest), 25))
        model = MultiTaskAlignedClassifier(random_state=0).fit(X[old], y[old], task=task[old])
        model.add_task(X[few], y[few], task=2)
        added.append(model.score(X[test], y[test], task=task[test]))
        scratch = MultiTaskAlignedClassifier(random_state=0).fit(X[few], y[few])
        alone.append(scratch.score(X[test], y[test]))
    assert np.mean(added) > np.mean(alone) + 0.03


def test_a_task_of_one_class_takes_the_known_label_set() -> None:
    model, _, _ = fitted()
    X_new, y_new = new_rows()
    ones = y_new == 1
    model.add_task(X_new[ones], y_new[ones], task=7)
    assert model.task_classes_[2].tolist() == [0, 1]


@pytest.mark.parametrize("opposed", [False, True])
def test_the_head_is_a_penalised_deviation_from_the_shared_one(opposed: bool) -> None:
    """A linear model against scipy's minimum of the objective as it is documented."""
    model, _, _ = fitted(
        **{k: v for k, v in CONVEX.items() if k != "alignment"},
        alignment=None,
        input_scaling=None,
        head_alpha=2.0,
    )
    heads = model.module_.heads
    w0 = heads.shared.detach().numpy()[0, :, 0]
    b0 = heads.shared_bias.item()
    X_new, y_new = new_rows(rows=30)
    if opposed:
        y_new = 1 - y_new
    model.add_task(X_new, y_new, task=7)
    mine = model._added[0].heads
    own_variance = (1 / mine.bias_precision).numpy()[:, 0, 0]

    def objective(p: Any) -> Any:
        w, b, gain = p[:5], p[5], p[6]
        logits = gain * (X_new @ w0 + b0) + (X_new - X_new.mean(axis=0)) @ w + b
        loss = np.logaddexp(0, logits).sum() - y_new @ logits
        # w is the sum of two vectors with penalties alpha and head_alpha, and b likewise.
        joint = 1 / (1 / model.alpha + 1 / model.head_alpha)
        return loss + 0.5 * (joint * w @ w + b**2 / own_variance.sum() + (gain - 1) ** 2)

    best = minimize(objective, np.r_[np.zeros(6), 1.0], method="BFGS", options={"gtol": 1e-9}).x
    logits = best[6] * (X_new @ w0 + b0) + (X_new - X_new.mean(axis=0)) @ best[:5] + best[5]
    expected = 1 / (1 + np.exp(-logits))
    probability = model.predict_proba(X_new, task=np.full(len(X_new), 7))[:, 1]
    np.testing.assert_allclose(probability, expected, atol=1e-5)


def test_several_tasks_at_once_and_one_after_the_other() -> None:
    model, X, _ = fitted(alignment="full")
    X_new, y_new = new_rows()
    ids = np.tile([8, 7], len(y_new) // 2)
    model.add_task(X_new, y_new, task=ids)
    model.add_task(X_new, 1 - y_new, task=np.full(len(y_new), 5))
    assert model.tasks_.tolist() == [0, 1, 7, 8, 5]
    assert model.alignment_.shape == (5, 5, 5)
    every = np.tile(model.tasks_, 3)
    rows = np.resize(X, (len(every), 5))
    together = model.predict_proba(rows, task=every)
    for i, name in enumerate(every):
        one = model.predict_proba(rows[i : i + 1], task=[name])
        np.testing.assert_allclose(together[i], one[0], atol=1e-12)
    assert np.mean(model.predict(X_new, task=np.full(len(X_new), 5)) == 1 - y_new) > 0.8


def test_a_frame_with_a_task_column() -> None:
    X, y, task = make_tasks()
    frame = pd.DataFrame(X, columns=list("abcde")).assign(shop=np.array(["n", "s", "w"])[task])
    old = frame["shop"] != "w"
    model = MultiTaskAlignedClassifier(task_column="shop", random_state=0).fit(frame[old], y[old])
    before = model.predict_proba(frame[old])
    with pytest.raises(ValueError, match=r"task='e', but the task column of X holds \['w'\]"):
        model.add_task(frame[~old], y[~old], task="e")
    model.add_task(frame[~old], y[~old], task="w")
    np.testing.assert_array_equal(model.predict_proba(frame[old]), before)
    assert model.score(frame, y) > 0.7


def test_a_column_joins_a_wide_y() -> None:
    X, y, _ = make_tasks()
    Y = pd.DataFrame({"a": y, "b": 1 - y})
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, Y)
    before = model.predict_proba(X)
    gaps = np.where(np.arange(len(y)) % 3 == 0, np.nan, y)
    model.add_task(X, gaps, task="c")
    after = model.predict_proba(X)
    np.testing.assert_array_equal(after[:, :2], before)
    assert after.shape == (len(X), 3)
    assert model.predict(X).shape == (len(X), 3)
    assert model.tasks_.tolist() == ["a", "b", "c"]
    assert model.score(X, Y.assign(c=y)) > 0.6


def test_regression_tasks_can_be_added() -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((215, 6)), np.repeat([0, 1, 2], [100, 100, 15])
    y = X @ np.arange(6) * np.array([1, 1.2, 100])[task] + 10 * task
    old, new = task < 2, task == 2
    model = MultiTaskAlignedRegressor(random_state=0).fit(X[old], y[old], task=task[old])
    before = model.predict(X[old], task=task[old])
    model.add_task(X[new], y[new], task=2)
    np.testing.assert_array_equal(model.predict(X[old], task=task[old]), before)
    X_test = rng.standard_normal((500, 6))
    y_test = X_test @ np.arange(6) * 100 + 20
    assert model.score(X_test, y_test, task=np.full(500, 2)) > 0.95
    assert model.target_scale_.shape == (3,)


def test_pickle_and_refit() -> None:
    model, X, task = fitted()
    X_new, y_new = new_rows()
    model.add_task(X_new, y_new, task=7)
    ids = np.full(len(X_new), 7)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        copy.predict_proba(X_new, task=ids), model.predict_proba(X_new, task=ids)
    )
    model.set_params(warm_start=True)
    with pytest.raises(ValueError, match=r"tasks \[7\] were added to a fitted model"):
        model.fit(X, task, task=task)
    model.set_params(warm_start=False).fit(X, task, task=task)
    assert model.tasks_.tolist() == [0, 1]
    with pytest.raises(ValueError, match=r"Unseen task ids \[7\]"):
        model.predict(X_new, task=ids)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": 1}, r"tasks \[1\] are known already: the estimator has \[0, 1\]"),
        ({"task": None}, "needs the id of the new task"),
        ({"task": "seven"}, r"ids \['seven'\] are of another type"),
        ({"task": 7.5}, "not a whole number"),
        ({"task": [7, 8]}, "inconsistent numbers of samples"),
        ({"X": np.ones((24, 4))}, "X has 4 features, but .* is expecting 5"),
        ({"X": np.full((24, 5), np.nan)}, "contains NaN"),
        ({"y": np.ones((24, 2))}, "y has 2 columns"),
        ({"y": np.where(np.arange(24) == 3, np.nan, 1.0)}, "1 rows have no label"),
        ({"y": np.arange(24) % 2 + 0.5}, "of another type|continuous"),
        ({"y": np.arange(24) % 2 > 0}, r"labels \[False, True\] are of another type"),
        ({"y": np.repeat(["a", "b"], 12)}, r"labels \['a', 'b'\] are of another type"),
    ],
)
def test_what_cannot_be_added(changes: dict[str, Any], message: str) -> None:
    model, X, task = fitted()
    before = model.predict_proba(X, task=task)
    X_new, y_new = new_rows()
    with pytest.raises(ValueError, match=message):
        model.add_task(**{"X": X_new, "y": y_new, "task": 7, **changes})
    assert model.tasks_.tolist() == [0, 1]
    np.testing.assert_array_equal(model.predict_proba(X, task=task), before)


def test_a_model_without_task_ids_has_no_name_for_its_task() -> None:
    X, y, _ = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="fitted without task ids"):
        model.add_task(X, y, task=1)


def test_b_is_the_fitted_one() -> None:
    model, _, _ = fitted(hidden_layer_sizes=(4,))
    X_new, y_new = new_rows()
    state = {name: value.clone() for name, value in model.module_.state_dict().items()}
    model.add_task(X_new, y_new, task=7)
    for name, value in model.module_.state_dict().items():
        assert torch.equal(value, state[name])
    assert model._task_groups()[1].network.shared is model.module_.shared
    z = (X_new - model.feature_mean_) @ model.feature_map_ @ model.alignment_[2]
    layer = model.module_.shared.module[0]
    by_hand = np.maximum(z @ layer.weight.detach().numpy().T + layer.bias.detach().numpy(), 0)
    np.testing.assert_allclose(
        model.transform(X_new, task=np.full(len(X_new), 7)), by_hand, atol=1e-12
    )


def test_labels_of_the_same_names_start_from_the_task_that_was_added() -> None:
    """The third task has the labels of the second, which came after the fit."""
    model, _, _ = fitted()
    X, y, _ = make_tasks(rows=100)
    first, second = slice(0, 200), slice(200, 400)
    model.add_task(X[first], y[first] + 8, task=7)  # labels 8 and 9
    few = np.arange(200, 400, 50)
    model.add_task(X[few], y[few] + 8, task=9)
    assert model._added[1].heads.given_weight.abs().sum() > 0
    assert model.score(X[second], y[second] + 8, task=np.full(200, 9)) > 0.6


def test_weights_and_ids_of_added_rows_are_checked_together() -> None:
    X, y, task = make_tasks()
    rows = np.column_stack([X, task])
    model = MultiTaskAlignedClassifier(task_column=-1, random_state=0)
    model.fit(rows[task < 2], y[task < 2])
    weight = np.ones((task == 2).sum())
    weight[0] = 0
    model.add_task(rows[task == 2], y[task == 2], task=2, sample_weight=weight)
    assert model.tasks_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("kind", [MultiTaskAlignedClassifier, MultiTaskAlignedRegressor])
def test_a_column_without_a_label_cannot_be_added(kind: Any) -> None:
    X, y, _ = make_tasks()
    model = kind(random_state=0).fit(X, np.column_stack([y, 1 - y]))
    with pytest.raises(ValueError, match="Task 2 has no labelled row"):
        model.add_task(X, np.full(len(X), np.nan), task=2)


def test_columns_with_names_of_several_levels() -> None:
    X, y, _ = make_tasks()
    Y = pd.DataFrame({("a", 1): y, ("a", 2): 1 - y})
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, Y)
    model.add_task(X, y, task=("b", 1))
    assert model.tasks_.tolist() == [("a", 1), ("a", 2), ("b", 1)]
    assert model.predict(X).shape == (len(X), 3)


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3])
def test_few_values_take_the_unit_of_the_fitted_tasks(unit: float) -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((180, 5)), np.repeat([0, 1, 2], 60)
    y = unit * (X[:, 0] + X[:, 1])
    model = MultiTaskAlignedRegressor(random_state=0).fit(X, y, task=task)
    model.add_task(X[:1], y[:1], task=8)
    model.add_task(X[:5], np.full(5, 3 * unit), task=9)
    assert model.target_scale_[3] == pytest.approx(model.target_scale_[0] / np.sqrt(2), rel=0.2)
    assert model.target_scale_[4] < model.target_scale_[0]
    assert np.abs(model.predict(X, task=np.full(180, 8))).max() < 10 * unit


def test_a_task_of_other_units_without_hidden_layers() -> None:
    """The deviation from the shared head acts on features in the scale of the new rows."""
    X, y, task = make_tasks()
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), random_state=0)
    model.fit(X, y, task=task)
    Z = np.random.default_rng(0).standard_normal((100, 5)) * 1e-3
    model.add_task(Z, (Z[:, 3] > 0).astype(int), task=7)
    assert model.score(Z, (Z[:, 3] > 0).astype(int), task=np.full(100, 7)) > 0.9


def test_early_stopping_does_not_hold_rows_of_a_small_task_out() -> None:
    model, _, _ = fitted(early_stopping=True)
    X_new, y_new = new_rows(rows=2)
    other = pickle.loads(pickle.dumps(model)).set_params(early_stopping=False)
    said = [
        one.add_task(X_new, y_new, task=7).predict_proba(X_new, task=np.full(len(X_new), 7))
        for one in (model, other)
    ]
    np.testing.assert_array_equal(*said)


def test_parameters_are_checked() -> None:
    model, _, _ = fitted()
    X_new, y_new = new_rows()
    with pytest.raises(ValueError, match="'solver' parameter"):
        model.set_params(solver="sgd").add_task(X_new, y_new, task=7)


def test_a_task_of_the_only_class_that_there_is() -> None:
    X, _, task = make_tasks()
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, np.full(len(X), "yes"), task=task)
    model.add_task(X[:5], np.full(5, "yes"), task=7)
    np.testing.assert_array_equal(model.predict_proba(X, task=np.full(len(X), 7)), 1.0)


@pytest.mark.parametrize("first", [0, 2**60])
def test_ids_and_labels_of_unlike_integers(first: int) -> None:
    X, y, task = make_tasks()
    ids, labels = (np.uint64(first) + array.astype(np.uint64) for array in (task, y))
    model = MultiTaskAlignedClassifier(random_state=0).fit(X, labels, task=ids)
    before = model.predict_proba(X, task=ids), model.predict(X, task=ids)
    model.add_task(X, first + y + 1, task=first + 7)
    assert model.tasks_.tolist() == [first, first + 1, first + 2, first + 7]
    assert model.classes_.tolist() == [first, first + 1, first + 2]
    assert model.tasks_.dtype == model.classes_.dtype == np.int64
    np.testing.assert_array_equal(model.predict_proba(X, task=ids)[:, :2], before[0])
    np.testing.assert_array_equal(model.predict(X, task=ids), before[1])
    added = model.predict(X, task=np.full(len(X), first + 7))
    assert set(added.tolist()) == {first + 1, first + 2}


def test_labels_that_no_type_holds_together() -> None:
    model, X, task = fitted()
    model.fit(X, np.uint64(2**63) + task.astype(np.uint64), task=task)
    with pytest.raises(ValueError, match=r"holds all of the labels \[-1, 0, 9223372036854775808"):
        model.add_task(X, task - 1, task=7)
    assert model.tasks_.tolist() == [0, 1]


def test_rows_of_fitted_and_added_tasks_together() -> None:
    model, X, task = fitted()
    X_new, y_new = new_rows()
    model.add_task(X_new, y_new, task=7)
    rows, ids = np.concatenate([X, X_new]), np.r_[task, np.full(len(X_new), 7)]
    order = np.random.default_rng(0).permutation(len(rows))
    for method in (model.transform, model.align):
        together = method(rows[order], task=ids[order])
        apart = np.concatenate([method(X, task=task), method(X_new, task=np.full(len(X_new), 7))])
        np.testing.assert_allclose(together, apart[order], rtol=1e-12, atol=1e-12)
