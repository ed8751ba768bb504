"""Writes ONNX graphs node by node, with products of each row and its own task's matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from sk_mtl import __version__
from sk_mtl._tasks import Array

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ImportError('The export needs onnx: pip install "sk-mtl[onnx]".') from error

# Old versions that know all operators used here, for old runtimes.
_OPSETS = {"": 13, "ai.onnx.ml": 2}
_IR_VERSION = 7


class Graph:
    """The nodes of an ONNX graph, in the order in which they work.

    Values go by their names. Rows have the shape (n_rows, n_columns), or (n_tasks, n_rows,
    n_columns) once they differ by task and ``task`` is None: every row belongs to every task.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Of the parameters.
    """

    def __init__(self, dtype: str) -> None:
        self.dtype = np.dtype(dtype)
        self.task: str | None = None  # codes of the rows' tasks
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def take_in(self, name: str, dtype: npt.DTypeLike, n_columns: int | None = None) -> str:
        """An input with one entry per row, or several."""
        self._inputs.append(_described(name, dtype, n_columns))
        return name

    def put_out(
        self, name: str, value: str, dtype: npt.DTypeLike, n_columns: int | None = None
    ) -> None:
        """Make a value an output of this name."""
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(_described(name, dtype, n_columns))

    def add(self, op: str, *inputs: str | Array, domain: str = "", **attributes: Any) -> str:
        """Add a node, and tell the name of what it gives. Arrays among its inputs are constants."""
        names = [value if isinstance(value, str) else self._constant(value) for value in inputs]
        output = f"{op}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, names, [output], domain=domain, **attributes))
        return output

    def _constant(self, values: Array) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def cast(self, value: str, dtype: npt.DTypeLike) -> str:
        return self.add("Cast", value, to=_kind(dtype))

    def parameter(self, values: Tensor | Array) -> Array:
        """Numbers in the type of the graph."""
        if isinstance(values, Tensor):
            values = values.detach().cpu().numpy()
        return np.ascontiguousarray(values, dtype=self.dtype)

    def times_own(self, rows: str, matrices: Tensor | Array) -> str:
        """Each row times the matrix of its task, or of every task.

        Parameters
        ----------
        rows : str
        matrices : Tensor or ndarray of shape (n_tasks, n_inputs, n_outputs)
        """
        matrices = self.parameter(matrices)
        n_tasks, n_inputs, n_outputs = matrices.shape
        if self.task is None:
            return self.add("MatMul", rows, matrices)
        if n_tasks < n_inputs:  # what all tasks give takes less room than each row's own matrix
            stacked = np.ascontiguousarray(matrices.transpose(1, 0, 2)).reshape(n_inputs, -1)
            every = self.add("MatMul", rows, stacked)
            every = self.add("Reshape", every, np.array([0, n_tasks, n_outputs]))  # 0: n_rows
            task = self.add("Unsqueeze", self.task, np.array([1]))
            return self.add("GatherND", every, task, batch_dims=1)
        single = self.add("Unsqueeze", rows, np.array([1]))
        product = self.add("MatMul", single, self.add("Gather", matrices, self.task))
        return self.add("Squeeze", product, np.array([1]))

    def own(self, vectors: Array) -> str | Array:
        """The vector of each row's task, or of every task, to add to rows or to scale them with.

        Parameters
        ----------
        vectors : ndarray of shape (n_tasks, n_columns)
        """
        vectors = self.parameter(vectors)
        return vectors[:, None] if self.task is None else self.add("Gather", vectors, self.task)

    def model(self, doc_string: str, metadata: dict[str, str]) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes, "sk_mtl", self._inputs, self._outputs, self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(*opset) for opset in _OPSETS.items()],
            ir_version=_IR_VERSION,
            producer_name="sk_mtl",
            producer_version=__version__,
            doc_string=doc_string,
        )
        helper.set_model_props(model, metadata)
        return model


def _kind(dtype: npt.DTypeLike) -> int:
    """ONNX's number of a type; that of object is strings."""
    return int(helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))


def _described(name: str, dtype: npt.DTypeLike, n_columns: int | None) -> Any:
    shape: list[str | int | None] = ["n_rows"]
    if n_columns is not None:
        shape.append(n_columns)
    return helper.make_tensor_value_info(name, _kind(dtype), shape)
