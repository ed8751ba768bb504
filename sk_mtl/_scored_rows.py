"""What skorch's scoring callbacks see: an estimator's predictions for the rows it trains on."""

from __future__ import annotations

from copy import copy
from functools import cached_property
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.dataset import Dataset
from torch import Tensor

from sk_mtl._batches import TaskDataset
from sk_mtl._class_targets import ClassTargets
from sk_mtl._exact import exact_type
from sk_mtl._labels import MISSING, columns_as_array
from sk_mtl._rows import TrainingRows
from sk_mtl._tasks import Array
from sk_mtl._value_targets import ValueTargets


class ScoredRows(TaskDataset, Dataset):
    """Rows to train on that can be scored.

    Attributes
    ----------
    X : ScoredRows
        The rows themselves, for `ScoredNet` to predict.
    y : ndarray of shape (n_rows,) or (n_rows, n_tasks)
        Their labels or values as the user knows them; NaN where a wide ``y`` has none.
    """

    def __init__(
        self,
        source: TrainingRows,
        targets: ClassTargets | ValueTargets,
        tensors: tuple[Tensor, Tensor | None, Tensor, Tensor],
    ) -> None:
        super().__init__(*tensors)
        self.source, self.targets = source, targets

    @property
    def X(self) -> ScoredRows:  # noqa: N802
        return self

    @cached_property
    def y(self) -> Array:
        rows, targets = self.source, self.targets
        if isinstance(targets, ValueTargets):
            values = targets.decode(rows.target, rows.task)
            return values if rows.task is not None else np.where(rows.weight > 0, values, np.nan)
        per_task, columns = targets.labels.per_task, targets.plan.columns
        code = np.zeros((len(per_task), columns.max() + 1), dtype=np.intp)  # of output columns
        for t, classes in enumerate(per_task):
            code[t, columns[t, : len(classes)]] = np.arange(len(classes))
        if rows.task is not None:
            union = targets.labels.union
            code = np.take_along_axis(targets.labels.positions(union), code, axis=1)
            return np.asarray(union[code[rows.task, rows.target]])
        return columns_as_array(
            [
                _with_gaps(classes[code[t, column]], column == MISSING)
                for t, (classes, column) in enumerate(zip(per_task, rows.target.T, strict=True))
            ]
        )


def _with_gaps(labels: Array, missing: Array) -> Array:
    if not missing.any():
        return labels
    kind = exact_type([labels, np.full(1, np.nan)]) if labels.dtype.kind in "biuf" else object
    return np.where(missing, np.nan, labels.astype(kind))


class ScoredNet(NeuralNet):
    """A net that predicts `ScoredRows` while it trains, as its estimator will.

    Attributes
    ----------
    reader_ : estimator or None
        The estimator, made by `reader_of_rows`. None when it does not train.
    """

    reader_: Any = None

    @property
    def reader(self) -> Any:
        if self.reader_ is None:
            raise AttributeError("A net predicts while it trains. Use the estimator's methods.")
        return self.reader_

    def predict(self, X: ScoredRows) -> Any:
        return self.reader.predict(X)

    def predict_proba(self, X: ScoredRows) -> Any:
        return self.reader.predict_proba(X)

    def score(self, X: ScoredRows, y: Array) -> float:
        return float(self.reader.score(X, y))

    @property
    def classes_(self) -> Any:
        return self.reader.classes_

    def __sklearn_tags__(self) -> Any:
        """Those of the estimator: scorers ask whether it is a classifier."""
        tagged: Any = super() if self.reader_ is None else self.reader_
        return tagged.__sklearn_tags__()


def reader_of_rows(estimator: Any) -> Any:
    """The estimator, to predict `ScoredRows` in the place of the user's."""

    def read_rows(X: ScoredRows, task: None) -> tuple[Array, Array | None]:
        if not isinstance(X, ScoredRows):
            raise TypeError(
                "A net predicts all rows that it trains on, or all held out, not a batch of them: "
                "score them by EpochScoring. Rows of fit_chunks are never all there: score others "
                "after training."
            )
        return X.source.features, X.source.task

    reader = copy(estimator)
    vars(reader)["_read_rows"] = read_rows
    return reader
