"""Fitted models as ONNX graphs, for programs without Python or torch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sk_mtl._alignment import LowRankAlignment
from sk_mtl._base import BaseAligned
from sk_mtl._network import NONLINEAR_SHARE, AlignedNetwork
from sk_mtl._onnx_graph import Graph
from sk_mtl._tasks import Array, listing, repeated
from sk_mtl._value_targets import ValueTargets

if TYPE_CHECKING:
    import onnx

    from sk_mtl._added import TaskGroup

__all__ = ["to_onnx"]

_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "Relu",
    nn.Sigmoid: "Sigmoid",
    nn.Tanh: "Tanh",
}


def to_onnx(estimator: Any, *, dtype: str = "float32") -> onnx.ModelProto:
    """A classifier's `predict_proba`, or a regressor's `predict`, as an ONNX model.

    Parameters
    ----------
    estimator : MultiTaskAlignedClassifier, AlignedTransferClassifier or MultiTaskAlignedRegressor
        A fitted one. Tasks of `add_task` are in the model as well.
    dtype : {"float32", "float64"}, default="float32"
        Type of X, of the network and of the outputs. X is centred and scaled in float64 whatever
        it is.

    Returns
    -------
    model : onnx.ModelProto
        Write it with ``onnx.save(model, path)``. Its inputs, for any number of rows:

        - ``X`` of shape (n_rows, n_features): the columns as in `fit`, but for the task column;
        - ``task`` of shape (n_rows,): ids as in `fit`, as strings or int64 (0 and 1 for
          booleans). Not there for a wide ``y``, or if the model was fitted without task ids.

        Its outputs:

        - ``label`` of shape (n_rows,), strings or int64 (0 and 1 for booleans), and
          ``probabilities`` of shape (n_rows, n_classes) in the order of ``classes_``;
        - for a wide ``y`` of binary tasks ``probabilities`` of shape (n_rows, n_tasks), for
          another wide ``y`` ``probabilities_<task>`` of shape (n_rows, n_classes) of each task;
        - of a regressor ``values`` of shape (n_rows,), or (n_rows, n_tasks) for a wide ``y``.

        The metadata hold the tasks and the classes as JSON.

    Raises
    ------
    ValueError
        If the estimator is none of the above or has a ``shared_module``, or if its task ids or
        labels are neither numbers nor strings.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Notes
    -----
    The model does not check its inputs. NaN in X makes the row's outputs NaN, but for the label,
    which means nothing then. An unseen task id is an error in onnxruntime on the CPU, and
    undefined elsewhere.

    Per row, a product with its task's matrix takes room for that matrix, or for the products with
    all tasks' matrices if that is less. Pass many rows in batches.

    The model has opset 13, ai.onnx.ml opset 2 and IR version 7: those of ONNX 1.8, which old
    runtimes read as well (onnxruntime 1.15 was tried).

    Examples
    --------
    >>> import numpy as np
    >>> from onnx.reference import ReferenceEvaluator
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.export import to_onnx
    >>> rng = np.random.default_rng(0)
    >>> X, shop = rng.standard_normal((60, 3)), np.repeat(["north", "south"], 30)
    >>> model = MultiTaskAlignedClassifier(random_state=0).fit(X, X[:, 0] > 0, task=shop)
    >>> runtime = ReferenceEvaluator(to_onnx(model))
    >>> label, probabilities = runtime.run(None, {"X": X.astype(np.float32), "task": shop})
    >>> bool(np.allclose(probabilities, model.predict_proba(X, task=shop), atol=1e-5))
    True
    """
    _check(estimator, dtype)
    graph = Graph(dtype)
    groups = estimator._task_groups()
    rows = _scaled(graph, estimator)
    if estimator._tasks.route in ("column", "keyword"):
        graph.task = _task_codes(graph, estimator.tasks_)
    inputs = _head_inputs(graph, _aligned(graph, rows, estimator, groups), groups[0].network)
    heads = np.concatenate([_heads(estimator, group) for group in groups])
    columns = graph.add("Add", graph.times_own(inputs, heads[:, :-1]), graph.own(heads[:, -1]))
    if estimator._tasks.route == "none":
        columns = graph.add("Squeeze", columns, np.array([0]))  # the only task
    if isinstance(estimator._targets, ValueTargets):
        _put_out_values(graph, estimator, columns)
    else:
        _put_out_classes(graph, estimator, columns)
    return _model(graph, estimator)


def _check(estimator: Any, dtype: str) -> None:
    if dtype not in ("float32", "float64"):
        raise ValueError(f'dtype must be "float32" or "float64"; got {dtype!r}.')
    if not isinstance(estimator, BaseAligned):
        raise ValueError(
            "to_onnx takes a MultiTaskAlignedClassifier, an AlignedTransferClassifier or a "
            f"MultiTaskAlignedRegressor; got {estimator!r}. Of a search, pass best_estimator_; of "
            "a pipeline the last step, and export the steps before it with the package they need."
        )
    check_is_fitted(estimator)
    if estimator._built_with["shared_module"] is not None:
        raise ValueError(
            "to_onnx writes the built-in network alone, and this estimator has a shared_module. "
            "Fit it with hidden_layer_sizes instead, or save it with its save method."
        )
    if estimator._targets.plan.n_groups > 1:
        raise ValueError(
            "to_onnx writes networks that all tasks share, and this estimator has task_groups. "
            "Fit an estimator for each group, and export them."
        )


def _scaled(graph: Graph, estimator: Any) -> str:
    """The input X, standardised as the estimator does it: in float64."""
    mean, weight = estimator._scaler.mean, estimator._scaler.weight
    features = graph.take_in("X", graph.dtype, n_columns=len(mean))
    centred = graph.add("Sub", graph.cast(features, np.float64), mean)
    scaled = graph.add("Mul" if weight.ndim == 1 else "MatMul", centred, weight)
    return graph.cast(scaled, graph.dtype)


def _task_codes(graph: Graph, ids: Array) -> str:
    """Codes of the input ``task``; out of range for an unseen id, so that it is an error."""
    ids = _plain(ids, "task ids")
    keys = "keys_strings" if ids.dtype == object else "keys_int64s"
    return graph.add(
        "LabelEncoder",
        graph.take_in("task", ids.dtype),
        domain="ai.onnx.ml",
        **{keys: ids.tolist()},
        values_int64s=list(range(len(ids))),
        default_int64=len(ids),
    )


def _aligned(graph: Graph, rows: str, estimator: Any, groups: list[TaskGroup]) -> str:
    """The rows times the R_i."""
    alignments = [group.network.alignment for group in groups]
    low_rank = [a for a in alignments if isinstance(a, LowRankAlignment) and a.start is None]
    if low_rank == alignments and len({a.down.shape[2] for a in low_rank}) == 1:
        within = graph.times_own(rows, torch.cat([a.down for a in low_rank]))
        return graph.add("Add", rows, graph.times_own(within, torch.cat([a.up for a in low_rank])))
    matrices = estimator.alignment_
    if matrices is None:
        return rows
    diagonals = matrices.diagonal(axis1=1, axis2=2)
    if np.count_nonzero(matrices) == np.count_nonzero(diagonals):
        return graph.add("Mul", rows, graph.own(diagonals))
    return graph.times_own(rows, matrices)


def _head_inputs(graph: Graph, aligned: str, network: AlignedNetwork) -> str:
    """The shared representation, and the aligned rows if they skip it."""
    shared = aligned
    layers = network.shared.module
    assert isinstance(layers, nn.Sequential)
    for layer in layers:
        if isinstance(layer, nn.Linear):
            product = graph.add("MatMul", shared, graph.parameter(layer.weight.T))
            shared = graph.add("Add", product, graph.parameter(layer.bias))
        elif not isinstance(layer, nn.Identity):
            shared = graph.add(_ACTIVATIONS[type(layer)], shared)
    return graph.add("Concat", shared, aligned, axis=-1) if network.skip_connection else shared


def _heads(estimator: Any, group: TaskGroup) -> Array:
    """The heads of a group of tasks, of shape (n_tasks, n_inputs + 1, n_columns).

    The last of the inputs stands for the biases. There is a column for every class, closed by a
    bias of -inf where it is not the task's, or one for values in the user's units.
    """
    network, targets = group.network, group.targets
    weight, bias = network.heads.of_tasks()
    heads = torch.cat([weight, bias.unsqueeze(1)], dim=1).detach().cpu().double().numpy()
    if network.skip_connection:
        heads[:, : network.capacity] *= NONLINEAR_SHARE**0.5
    if isinstance(targets, ValueTargets):
        heads *= targets.scale[:, None, None]
        heads[:, -1, 0] += targets.mean
        return np.asarray(heads)
    if targets.plan.single_column:  # log-odds of the second class: the first has 0
        heads = np.concatenate([np.zeros_like(heads), heads], axis=2)
    wide = estimator._tasks.wide
    n_columns = max(map(len, estimator.classes_)) if wide else len(estimator.classes_)
    by_class = np.zeros((*heads.shape[:2], n_columns))
    by_class[:, -1] = -np.inf
    for t, classes in enumerate(targets.labels.per_task):
        at = np.arange(len(classes)) if wide else np.searchsorted(estimator.classes_, classes)
        by_class[t][:, at] = heads[t][:, targets.plan.columns[t, : len(classes)]]
    return by_class


def _put_out_values(graph: Graph, estimator: Any, columns: str) -> None:
    values = graph.add("Squeeze", columns, np.array([-1]))
    if estimator._tasks.wide:
        values = graph.add("Transpose", values, perm=[1, 0])
        graph.put_out("values", values, graph.dtype, n_columns=len(estimator.tasks_))
    else:
        graph.put_out("values", values, graph.dtype)


def _put_out_classes(graph: Graph, estimator: Any, columns: str) -> None:
    probabilities = graph.add("Softmax", columns, axis=-1)
    if not estimator._tasks.wide:
        labels = _plain(estimator.classes_, "labels")
        best = graph.add("ArgMax", probabilities, axis=-1, keepdims=0)
        graph.put_out("label", graph.add("Gather", labels, best), labels.dtype)
        graph.put_out("probabilities", probabilities, graph.dtype, n_columns=len(labels))
        return
    sizes = [len(classes) for classes in estimator.task_classes_]
    if all(size == 2 for size in sizes):
        second = graph.add("Gather", probabilities, np.array(1), axis=2)
        by_row = graph.add("Transpose", second, perm=[1, 0])
        graph.put_out("probabilities", by_row, graph.dtype, n_columns=len(sizes))
        return
    names = [f"probabilities_{name}" for name in estimator.tasks_.tolist()]
    if twice := repeated(names):
        raise ValueError(f"Several outputs would be called {listing(twice)}. Rename the tasks.")
    for t, (name, size) in enumerate(zip(names, sizes, strict=True)):
        of_task = graph.add("Gather", probabilities, np.array(t), axis=0)
        own = graph.add("Gather", of_task, np.arange(size), axis=1)
        graph.put_out(name, own, graph.dtype, n_columns=size)


def _plain(values: Array, what: str) -> Array:
    """Ids or labels in a type that ONNX has: int64, or an object array of strings."""
    if values.dtype.kind == "U":
        return values.astype(object)
    if values.dtype.kind not in "biuf":
        raise ValueError(
            f"The {what} {listing(values)} have no counterpart in ONNX. Convert them to strings, "
            "and fit again."
        )
    whole = [int(value) for value in values.tolist()]  # floats among them are whole: classes
    if max(whole) >= 2**63:
        raise ValueError(
            f"The {what} {listing(values)} are too large for int64. Convert them to strings, and "
            "fit again."
        )
    return np.array(whole, dtype=np.int64)


def _model(graph: Graph, estimator: Any) -> onnx.ModelProto:
    about = {"tasks": estimator.tasks_.tolist()}
    if hasattr(estimator, "classes_"):
        classes = estimator.classes_
        wide = isinstance(classes, list)
        about["classes"] = [of_task.tolist() for of_task in classes] if wide else classes.tolist()
    return graph.model(
        doc_string=f"{type(estimator).__name__} of {len(estimator.tasks_)} tasks",
        metadata={name: json.dumps(value, default=str) for name, value in about.items()},
    )
