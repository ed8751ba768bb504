"""Scores of several tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _num_samples

from sk_mtl._labels import read_columns, read_labels
from sk_mtl._tasks import Array, check_ids, split_column

__all__ = ["TaskScorer"]

# Of each task: its id, its labels, the estimator's response, the classes that this is about.
Parts = Iterator[tuple[Any, Array, Array, Array | None]]

_RESPONSES = ("predict", "predict_proba")
_AVERAGES = ("mean", "worst", None)


class TaskScorer:
    """Scores an estimator task by task: the mean over the tasks, the worst, or all of them.

    scikit-learn's scorers put the rows of all tasks in one pot: a large task decides, and one
    on which the model fails does not show. Use it as ``scoring=`` of cross-validation and of
    grid searches.

    Parameters
    ----------
    metric : callable
        ``metric(y_true, y_pred)``, or of probabilities with ``response_method="predict_proba"``:
        those of the second class for a task of two classes (as scikit-learn's ``roc_auc_score``
        and ``average_precision_score`` take them), else of all the task's classes.
    response_method : {"predict", "predict_proba"}, default="predict"
    average : {"mean", "worst"} or None, default="mean"
        None gives a dict of the scores by task, for ``cross_validate``.
    greater_is_better : bool, default=True
        False for a loss: scores are its negative, and "worst" is still the smallest.
    task_column : column name or int, default=None
        Column of X that holds the tasks. Without it, they come as ``task=`` (with scikit-learn's
        metadata routing, which this scorer asks for them) or are the columns of a wide ``y``,
        whose gaps are left out.

    Raises
    ------
    ValueError
        When called: if the rows' tasks are not known.

    Notes
    -----
    A task on which the metric is not defined is left out: one whose rows show a single class
    where the metric needs two. If none is left, the score is NaN.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import accuracy_score, roc_auc_score
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.metrics import TaskScorer
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((90, 3)), np.repeat(["a", "b", "c"], 30)
    >>> y = np.where(task == "c", rng.random(90) > 0.5, X[:, 0] > 0)
    >>> model = MultiTaskAlignedClassifier(random_state=0).fit(X, y, task=task)
    >>> TaskScorer(accuracy_score, average="worst")(model, X, y, task=task) < 0.9
    True
    >>> scores = TaskScorer(roc_auc_score, response_method="predict_proba", average=None)
    >>> sorted(scores(model, X, y, task=task))
    ['a', 'b', 'c']
    """

    def __init__(
        self,
        metric: Callable[..., float],
        *,
        response_method: str = "predict",
        average: str | None = "mean",
        greater_is_better: bool = True,
        task_column: Hashable = None,
    ) -> None:
        if response_method not in _RESPONSES:
            raise ValueError(
                f"response_method must be one of {_RESPONSES}; got {response_method!r}."
            )
        if average not in _AVERAGES:
            raise ValueError(f"average must be one of {_AVERAGES}; got {average!r}.")
        self.metric = metric
        self.response_method = response_method
        self.average = average
        self.greater_is_better = greater_is_better
        self.task_column = task_column

    def get_metadata_routing(self) -> MetadataRequest:
        """Ask scikit-learn's tools for ``task``, where metadata routing is switched on."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="task", alias=True)
        return request

    def __call__(self, estimator: Any, X: Any, y: Any, task: Any = None) -> Any:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float or dict of float
        """
        per_task = dict(self._per_task(estimator, X, y, task))
        sign = 1 if self.greater_is_better else -1
        scores = {name: sign * score for name, score in per_task.items()}
        if self.average is None:
            return scores
        if not scores:
            return float("nan")
        values = list(scores.values())
        return float(np.mean(values) if self.average == "mean" else np.min(values))

    def _per_task(self, estimator: Any, X: Any, y: Any, task: Any) -> Iterator[tuple[Any, float]]:
        """Id and metric of each task on which it is defined."""
        columns, names = read_columns(y, _num_samples(X))
        if names is not None:
            parts = self._wide_parts(estimator, X, columns, names)
        else:
            parts = self._stacked_parts(estimator, X, columns[0], task)
        for name, true, response, classes in parts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                score = self._score(true, response, classes)
            if not np.isnan(score):
                yield name, score

    def _wide_parts(self, estimator: Any, X: Any, columns: list[Array], names: Array) -> Parts:
        response = getattr(estimator, self.response_method)(X)
        if len(columns) != (len(response) if isinstance(response, list) else response.shape[1]):
            raise ValueError(f"y has {len(columns)} columns; the estimator predicts others.")
        for t, (column, name) in enumerate(zip(columns, names.tolist(), strict=True)):
            true, labelled = read_labels(column, f"column {name!r} of y")
            if not len(true):
                continue
            of_task = response[t] if isinstance(response, list) else response[:, t]
            classes = None if self.response_method == "predict" else estimator.classes_[t]
            yield name, true, of_task[labelled], classes

    def _stacked_parts(self, estimator: Any, X: Any, y: Array, task: Any) -> Parts:
        ids = task
        if self.task_column is not None:
            ids = split_column(X, self.task_column)[1]
        if ids is None:
            raise ValueError(
                "TaskScorer does not know the tasks of the rows. Pass task_column= to it, or task= "
                "to the tool that uses it, with metadata routing switched on."
            )
        ids = check_ids(ids, where="task")
        routing = get_routing_for_object(estimator)
        told = {}
        if task is not None and routing.consumes(self.response_method, ["task"]):
            told["task"] = task
        response = getattr(estimator, self.response_method)(X, **told)
        for name in np.unique(ids):
            rows = ids == name
            if self.response_method == "predict":
                yield name.item(), y[rows], response[rows], None
            else:
                shown = (response[rows] != 0).any(axis=0)  # classes of other tasks have 0
                yield name.item(), y[rows], response[rows][:, shown], estimator.classes_[shown]

    def _score(self, true: Array, response: Array, classes: Array | None) -> float:
        """The metric of one task's rows; of the second class's probability for two classes."""
        if classes is None:
            return float(self.metric(true, response))
        if len(classes) == 2:
            positive = response if response.ndim == 1 else response[:, 1]
            return float(self.metric((true == classes[1]).astype(int), positive))
        return float(self.metric(true, response))
