"""An exported model gives what the estimator gives, in onnxruntime."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers import make_tasks
from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedRegressor,
    SVDTaskReweighter,
)
from sk_mtl.export import to_onnx

TOLERANCE = {"float32": 1e-5, "float64": 1e-12}
# Few penalties and few iterations: far from the start, where a mistake would not show.
SMALL: dict[str, Any] = {
    "hidden_layer_sizes": (4,),
    "alignment_alpha": 0.1,
    "alpha": 0.01,
    "head_alpha": 0.01,
    "tol": 0.01,
    "random_state": 0,
}

Case = tuple[Any, Any, Any]  # a fitted model, rows, and their task ids or None


def classifier(**params: Any) -> MultiTaskAlignedClassifier:
    return MultiTaskAlignedClassifier(**SMALL | params)


def regressor(**params: Any) -> MultiTaskAlignedRegressor:
    return MultiTaskAlignedRegressor(**SMALL | params)


def stacked(n_classes: int = 2, ids: Any = ("süd", "north", ""), **params: Any) -> Case:
    X, y, task = make_tasks(n_classes)
    task = np.array(ids)[task]
    return classifier(**params).fit(X, y, task=task), X, task


def of_labels(labels: Any) -> Case:
    """Three tasks with these classes, one of which has the first two of them alone."""
    X, y, task = make_tasks(len(labels))
    y = np.array(labels)[np.where(task == 0, y % 2, y)]
    return classifier().fit(X, y, task=task), X, task


def task_column() -> Case:
    X, y, task = make_tasks()
    return classifier(task_column=2).fit(np.insert(X, 2, task, axis=1), y), X, task


def no_task(n_classes: int) -> Case:
    X, y, _ = make_tasks(n_classes)
    return classifier().fit(X, y), X, None


def one_named_task() -> Case:
    X, y, task = make_tasks()
    rows = task == 1
    return classifier().fit(X[rows], y[rows], task=task[rows]), X[rows], task[rows]


def many_tasks(**params: Any) -> Case:
    X, y, _ = make_tasks()
    task = np.arange(len(X)) % 12
    return classifier(**params).fit(X, y, task=task), X, task


def other_label_sets() -> Case:
    """One task of three classes, one of two others, and one of a class of its own."""
    X, y, task = make_tasks(3)
    y = np.select([task == 0, task == 1], [y, 5 - y % 2], 9)
    return classifier(alignment="full").fit(X, y, task=task), X, task


def added(n_classes: int = 2, **params: Any) -> Case:
    """Two tasks and two that come later, far from them, one with three classes if need be."""
    X, y, task = make_tasks(n_classes)
    X = X + np.where(task == 2, 20.0, 0.0)[:, None]
    first = task < 2
    model = classifier(**params).fit(X[first], y[first] % 2, task=task[first])
    model.add_task(X[~first], y[~first], task=2)
    model.add_task(X[~first], 1 - y[~first] % 2, task=7)
    return model, np.vstack([X, X[~first]]), np.append(task, np.full(sum(~first), 7))


def transferred(**params: Any) -> Case:
    X, y, task = make_tasks(3)
    new = task == 2
    source = classifier().fit(X[~new], y[~new], task=task[~new])
    settings = {name: SMALL[name] for name in ("alignment_alpha", "tol", "random_state")}
    model = AlignedTransferClassifier(source, **settings, **params)
    return model.fit(X[new], y[new]), X[new], None


def wide_labels(n_classes: int) -> tuple[Any, Any]:
    X, y, _ = make_tasks(n_classes)
    Y = np.column_stack([y, n_classes - 1 - y, y]).astype(float)
    Y[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
    return X, Y


def wide(n_classes: int = 2, **params: Any) -> Case:
    X, Y = wide_labels(n_classes)
    return classifier(**params).fit(X, Y), X, None


def wide_and_another(n_classes: int) -> Case:
    X, Y = wide_labels(2)
    model = classifier(alignment="full").fit(X, Y)
    return model.add_task(X, make_tasks(n_classes)[1][: len(X)], task=7), X, None


def values(**params: Any) -> Case:
    X, _, task = make_tasks()
    y = 100 * task + X @ np.arange(5) * (task + 1)
    return regressor(**params).fit(X, y, task=task), X, task


def values_of_no_task() -> Case:
    X = make_tasks()[0]
    return regressor().fit(X, X[:, 0] + X[:, 1] ** 2), X, None


def added_values() -> Case:
    model, X, task = values(alignment="full")
    return model.add_task(X, 5 - X[:, 0], task=9), np.vstack([X, X]), np.append(task, 0 * task + 9)


def wide_values(**params: Any) -> Case:
    X, Y = wide_labels(3)
    return regressor(**params).fit(X, X[:, :3] + 10 * Y), X, None


CASES: dict[str, Callable[[], Case]] = {
    "strings": stacked,
    "integers": lambda: stacked(ids=[-3, 2**62, 0]),
    "small integers": lambda: stacked(ids=np.array([200, 0, 7], dtype=np.uint8)),
    "booleans": lambda: stacked(ids=[True, False, True]),
    "task column": task_column,
    "no task": lambda: no_task(2),
    "no task, three classes": lambda: no_task(3),
    "one named task": one_named_task,
    "three classes": lambda: stacked(3),
    "other label sets": other_label_sets,
    "labels of strings": lambda: of_labels(["yes", "no", "maybe"]),
    "labels of floats": lambda: of_labels([1.0, -2.0, 3.0]),
    "labels of booleans": lambda: of_labels([True, False]),
    "full": lambda: stacked(3, alignment="full"),
    "low rank": lambda: stacked(3, alignment="low_rank", alignment_rank=2),
    "diagonal": lambda: stacked(alignment="diagonal"),
    "no alignment": lambda: stacked(3, alignment=None),
    "full from coral": lambda: stacked(alignment="full", alignment_init="coral"),
    "low rank from coral": lambda: stacked(
        alignment="low_rank", alignment_rank=2, alignment_init="coral"
    ),
    "diagonal from coral": lambda: stacked(alignment="diagonal", alignment_init="coral"),
    "many tasks, full": lambda: many_tasks(alignment="full"),
    "many tasks, low rank": lambda: many_tasks(alignment="low_rank", alignment_rank=2),
    "many tasks, diagonal": lambda: many_tasks(alignment="diagonal"),
    "tanh": lambda: stacked(activation="tanh"),
    "logistic": lambda: stacked(activation="logistic"),
    "identity": lambda: stacked(activation="identity"),
    "two layers": lambda: stacked(hidden_layer_sizes=(4, 3)),
    "two layers alone": lambda: stacked(hidden_layer_sizes=(4, 3), skip_connection=False),
    "no layers": lambda: stacked(3, hidden_layer_sizes=()),
    "unscaled": lambda: stacked(input_scaling=None),
    "standard": lambda: stacked(input_scaling="standard"),
    "float32 inside": lambda: stacked(dtype="float32"),
    "learned task weights": lambda: stacked(task_weight="uncertainty"),
    "added": added,
    "added, three classes": lambda: added(3),
    "added, low rank": lambda: added(alignment="low_rank", alignment_rank=2),
    "added, no alignment": lambda: added(3, alignment=None),
    "transferred": transferred,
    "transferred, B trained": lambda: transferred(fine_tune_epochs=5, alignment="full"),
    "wide": wide,
    "wide, three classes": lambda: wide(3),
    "wide, full": lambda: wide(3, alignment="full"),
    "wide, low rank": lambda: wide(alignment="low_rank", alignment_rank=2),
    "wide, diagonal": lambda: wide(alignment="diagonal"),
    "wide, added": lambda: wide_and_another(2),
    "wide, added with three classes": lambda: wide_and_another(3),
    "values": values,
    "values, no task": values_of_no_task,
    "values, added": added_values,
    "values, wide": wide_values,
    "values, wide, full": lambda: wide_values(alignment="full"),
}


@cache
def case(name: str) -> Case:
    return CASES[name]()


def session(model: Any, dtype: str = "float32") -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(to_onnx(model, dtype=dtype).SerializeToString(), options)


def inputs(X: Any, task: Any, dtype: str = "float32") -> dict[str, Any]:
    of_tasks = {}
    if task is not None:
        of_tasks["task"] = task.astype(object if task.dtype.kind == "U" else np.int64)
    return {"X": X.astype(dtype), **of_tasks}


def of_estimator(model: Any, X: Any, task: Any) -> dict[str, Any]:
    """What the outputs should be, by their names."""
    if model.task_column is not None:
        X, task = np.insert(X, model.task_column, task, axis=1), None
    if isinstance(model, MultiTaskAlignedRegressor):
        return {"values": model.predict(X, task=task)}
    probabilities = model.predict_proba(X, task=task)
    if isinstance(probabilities, list):
        names = [f"probabilities_{name}" for name in model.tasks_.tolist()]
        return dict(zip(names, probabilities, strict=True))
    if isinstance(model.classes_, list):
        return {"probabilities": probabilities}
    return {"label": model.predict(X, task=task), "probabilities": probabilities}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_outputs_are_the_estimators(name: str, dtype: str) -> None:
    model, X, task = case(name)
    onnx.checker.check_model(to_onnx(model, dtype=dtype), full_check=True)
    runtime = session(model, dtype)
    inner = model.module_.heads.own.dtype
    tolerance = 1e-5 if inner == torch.float32 else TOLERANCE[dtype]
    rng = np.random.default_rng(0)
    for n_rows in (1, 7, 5000):
        rows = rng.integers(len(X), size=n_rows)
        fed = inputs(X[rows], None if task is None else task[rows], dtype)
        assert [node.name for node in runtime.get_inputs()] == list(fed)
        expected = of_estimator(model, fed["X"], None if task is None else task[rows])
        assert [node.name for node in runtime.get_outputs()] == list(expected)
        for found, (output, wanted) in zip(runtime.run(None, fed), expected.items(), strict=True):
            if output == "label":
                assert_array_equal(found, wanted)
            else:
                assert found.dtype == dtype
                assert_allclose(found, wanted, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "unseen"),
    [
        ("strings", "north "),
        ("integers", -1),
        ("booleans", 2),
        ("one named task", 0),
        ("many tasks, full", 12),
        ("many tasks, full", -1),
        ("no layers", "-1"),
        ("values", 3),
    ],
)
def test_an_unseen_task_is_an_error(name: str, unseen: Any) -> None:
    model, X, task = case(name)
    fed = inputs(X[:5], np.append(task[:4], np.array([unseen])))
    with pytest.raises(Exception, match=r"(?i)indices element out of|invalid ind"):
        session(model).run(None, fed)


@pytest.mark.parametrize("name", ["strings", "many tasks, full", "many tasks, low rank", "wide"])
def test_no_rows_give_no_rows(name: str) -> None:
    model, X, task = case(name)
    fed = inputs(X[:0], None if task is None else task[:0])
    (found,) = session(model).run(["probabilities"], fed)
    columns = model.tasks_ if name == "wide" else model.classes_
    assert found.shape == (0, len(columns))


def test_a_gap_in_a_row_does_not_pass_for_an_answer() -> None:
    model, X, task = stacked(skip_connection=False)  # through relu alone, which NaN must survive
    X[1, 0] = np.nan
    (found,) = session(model).run(["probabilities"], inputs(X[:3], task[:3]))
    assert_array_equal(np.isnan(found), [[False] * 2, [True] * 2, [False] * 2])


@pytest.mark.parametrize("name", ["full", "many tasks, full", "many tasks, low rank"])
def test_room_that_a_row_takes(name: str) -> None:
    """Not that of its own matrix if there are fewer tasks than inputs, nor that of all tasks."""
    model = case(name)[0]
    graph = onnx.shape_inference.infer_shapes(to_onnx(model), strict_mode=True).graph
    sizes = []
    for value in graph.value_info:
        dims = value.type.tensor_type.shape.dim
        if any(dim.dim_param == "n_rows" for dim in dims):
            sizes.append(np.prod([dim.dim_value for dim in dims if not dim.dim_param]))
    n_columns = 2 if name == "many tasks, low rank" else 5
    # A hidden layer of 4 units beside 5 features makes 9 inputs of the heads.
    at_most = max(min(len(model.tasks_), 5) * n_columns, 9 * len(model.classes_))
    assert n_columns <= max(sizes) <= at_most


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_features_far_from_0(dtype: str) -> None:
    """Their mean is 10,000 times their standard deviation."""
    X, y, task = make_tasks()
    X = (X + 1e4 * X.std(axis=0)).astype(dtype)
    model = classifier().fit(X, y, task=task)
    assert model.score(X, y, task=task) > 0.8
    _, found = session(model, dtype).run(None, inputs(X, task, dtype))
    assert_allclose(found, model.predict_proba(X, task=task), rtol=0, atol=TOLERANCE[dtype])


def test_a_file_of_it(tmp_path: Path) -> None:
    model, X, task = case("strings")
    onnx.save(to_onnx(model), tmp_path / "model.onnx")
    runtime = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    _, found = runtime.run(None, inputs(X, task))
    assert_allclose(found, model.predict_proba(X, task=task), rtol=0, atol=1e-5)
    about = runtime.get_modelmeta()
    assert about.producer_name == "sk_mtl"
    assert json.loads(about.custom_metadata_map["tasks"]) == ["", "north", "süd"]
    assert json.loads(about.custom_metadata_map["classes"]) == [0, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wide", {"tasks": [0, 1, 2], "classes": [[0, 1]] * 3}),
        ("values", {"tasks": [0, 1, 2]}),
    ],
)
def test_metadata(name: str, expected: dict[str, Any]) -> None:
    entries = to_onnx(case(name)[0]).metadata_props
    assert {entry.key: json.loads(entry.value) for entry in entries} == expected


def test_old_runtimes_can_read_it() -> None:
    model = to_onnx(case("strings")[0])
    opsets = {opset.domain: opset.version for opset in model.opset_import}
    assert (model.ir_version, opsets) == (7, {"": 13, "ai.onnx.ml": 2})


@pytest.mark.parametrize("alignment", ["low_rank", "diagonal", None])
def test_only_a_full_alignment_takes_room_for_it(alignment: str | None) -> None:
    rng = np.random.default_rng(0)
    X, task = rng.standard_normal((90, 40)), np.arange(90) % 10
    model = classifier(alignment=alignment, alignment_rank=2, input_scaling="standard")
    exported = to_onnx(model.fit(X, X[:, 0] > 0, task=task)).SerializeToString()
    assert len(exported) < 4 * 10 * 40**2 / 2


def test_names_of_the_outputs_of_a_wide_y() -> None:
    X, Y = wide_labels(3)
    table = pd.DataFrame(Y, columns=["X", "label", "Add_0"])
    names = [node.name for node in session(classifier().fit(X, table)).get_outputs()]
    assert names == ["probabilities_X", "probabilities_label", "probabilities_Add_0"]
    model = classifier().fit(X, table.set_axis([1, "1", "2"], axis=1))
    with pytest.raises(ValueError, match=r"called \['probabilities_1'\]. Rename the tasks"):
        to_onnx(model)


def test_other_estimators_are_refused() -> None:
    X, y, task = make_tasks()
    pipeline = make_pipeline(StandardScaler(), classifier()).fit(X, y)
    with pytest.raises(ValueError, match="of a pipeline the last step") as refused:
        to_onnx(pipeline)
    assert "Pipeline" in str(refused.value)
    to_onnx(pipeline[-1])
    with pytest.raises(ValueError, match="got SVDTaskReweighter"):
        to_onnx(SVDTaskReweighter().fit(X, y, task=task))
    with pytest.raises(NotFittedError):
        to_onnx(classifier())


def test_a_module_of_the_users_is_refused() -> None:
    X, y, task = make_tasks()
    model = classifier(shared_module=torch.nn.Linear(5, 3)).fit(X, y, task=task)
    with pytest.raises(ValueError, match="the built-in network alone"):
        to_onnx(model)
    heir = AlignedTransferClassifier(model, tol=0.01).fit(X, y)
    with pytest.raises(ValueError, match="the built-in network alone"):
        to_onnx(heir)
    model.set_params(shared_module=None)  # what it was fitted with counts
    with pytest.raises(ValueError, match="the built-in network alone"):
        to_onnx(model)


def test_types_that_onnx_does_not_have_are_refused() -> None:
    X, y, task = make_tasks()
    with pytest.raises(ValueError, match=r'dtype must be .* got "?.float16'):
        to_onnx(case("strings")[0], dtype="float16")
    dates = np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]")[y]
    with pytest.raises(ValueError, match=r"labels .* no counterpart in ONNX"):
        to_onnx(classifier().fit(X, dates, task=task))
    names = np.array([b"a", b"b", b"c"], dtype=object)[task]
    with pytest.raises(ValueError, match=r"task ids \[b'a', .* no counterpart in ONNX"):
        to_onnx(classifier().fit(X, y, task=names))
    large = (2**63 + np.arange(3, dtype=np.uint64))[task]
    with pytest.raises(ValueError, match=r"9223372036854775810\] are too large for int64"):
        to_onnx(classifier().fit(X, y, task=large))


def test_without_onnx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    for name in ("sk_mtl._onnx_graph", "sk_mtl.export"):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(ImportError, match=r'pip install "sk-mtl\[onnx\]"'):
        import_module("sk_mtl.export")
