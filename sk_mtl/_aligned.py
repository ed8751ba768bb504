"""MultiTaskAlignedClassifier: labels in, labels and probabilities out."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from sk_mtl._base import BaseAligned
from sk_mtl._labels import MISSING, read_columns
from sk_mtl._tasks import Array


class MultiTaskAlignedClassifier(ClassifierMixin, BaseAligned):
    __metadata_request__predict: ClassVar = {"task": True}
    __metadata_request__predict_proba: ClassVar = {"task": True}
    __metadata_request__score: ClassVar = {"task": True}

    def _publish_classes(self) -> None:
        self.task_classes_ = self._labels.per_task
        self.classes_ = self._labels.per_task if self._tasks.wide else self._labels.union

    def predict_proba(self, X: Any, task: Any = None) -> Array | list[Array]:
        """Probability of each class."""
        from sk_mtl._fitting import run_probabilities

        features, codes = self._read_rows(X, task)
        columns = run_probabilities(self.net_, self._scaler, features, codes)
        if codes is None:
            per_task = [
                columns[:, t, self._plan.columns[t, : len(classes)]]
                for t, classes in enumerate(self._labels.per_task)
            ]
            if all(len(classes) == 2 for classes in self._labels.per_task):
                return np.stack([of_task[:, 1] for of_task in per_task], axis=1)
            return per_task
        # One column more than there are classes takes what pads the tasks with fewer.
        out = np.zeros((len(features), len(self.classes_) + 1), dtype=columns.dtype)
        own = np.take_along_axis(columns, self._plan.columns[codes], axis=1)
        np.put_along_axis(out, self._labels.positions[codes], own, axis=1)
        return out[:, :-1]

    def predict(self, X: Any, task: Any = None) -> Array:
        """Most probable class."""
        probability = self.predict_proba(X, task=task)
        if not self._tasks.wide:
            assert isinstance(probability, np.ndarray)
            return np.asarray(self.classes_[probability.argmax(axis=1)])
        if isinstance(probability, np.ndarray):
            best = list((probability > 0.5).T.astype(np.intp))
        else:
            best = [of_task.argmax(axis=1) for of_task in probability]
        return _columns_as_array(
            [classes[codes] for classes, codes in zip(self.task_classes_, best, strict=True)]
        )

    def score(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> float:
        """Accuracy; for a wide ``y`` the mean over the tasks, each over its labelled rows."""
        predicted = self.predict(X, task=task)
        if not self._tasks.wide:
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        columns, _ = read_columns(y, len(predicted))
        codes = self._labels.encode_columns(columns, self.tasks_)
        guess = self._labels.encode_columns(list(predicted.T), self.tasks_)
        weight = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight)
        weight = weight[:, None] * (codes != MISSING)
        counted = weight.sum(axis=0) > 0
        right = (weight * (codes == guess)).sum(axis=0)
        return float(np.mean(right[counted] / weight.sum(axis=0)[counted]))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _columns_as_array(columns: list[Array]) -> Array:
    """Columns side by side, in their common type where they have one."""
    kinds = {column.dtype.kind for column in columns}
    if len(kinds) == 1:
        return np.stack(columns, axis=1)
    return np.stack([column.astype(object) for column in columns], axis=1)
