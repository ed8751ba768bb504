"""Scores of several tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Iterator
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest, get_routing_for_object
from sklearn.utils.validation import _num_samples

from sk_mtl._labels import read_columns, read_labels, refuse_gaps
from sk_mtl._tasks import Array, check_ids, listing, refuse_named_twice, split_column
from sk_mtl._telling import takes_task

if TYPE_CHECKING:
    from typing import Self

__all__ = ["TaskScorer"]

# Of each task: its id, its rows, their labels, the response to them, the classes it is about.
Parts = Iterator[tuple[Any, Array, Array, Array, Any]]

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
        If a parameter is out of its range. When called: if the rows' tasks are not named, or
        named twice.

    Notes
    -----
    A task on which the metric is not defined has the score NaN, and does not count for "mean" and
    "worst": one whose rows show a single class where the metric needs two. So has a task of a
    fitted multi-task estimator that has no rows here. A metric of probabilities that takes
    ``labels``, as ``log_loss`` does, is told all of the task's classes.

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
        if not callable(metric):
            raise ValueError(
                f"metric must be a function of the true and the predicted labels, such as "
                f"scikit-learn's accuracy_score; got {metric!r}."
            )
        if not isinstance(greater_is_better, (bool, np.bool_)):
            raise ValueError(f"greater_is_better must be True or False; got {greater_is_better!r}.")
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
        self._weighted = False

    def get_metadata_routing(self) -> MetadataRequest:
        """Ask scikit-learn's tools for ``task``, where metadata routing is switched on."""
        request = MetadataRequest(owner=self)
        request.score.add_request(param="task", alias=True)
        request.score.add_request(param="sample_weight", alias=self._weighted)
        return request

    def set_score_request(self, *, sample_weight: bool) -> Self:
        """Whether to ask for ``sample_weight`` too, where metadata routing is switched on.

        Parameters
        ----------
        sample_weight : bool

        Returns
        -------
        self : object
        """
        self._weighted = sample_weight
        return self

    def _accept_sample_weight(self) -> bool:
        """Whether scikit-learn's searches may pass on weights, where routing is switched off."""
        return "sample_weight" in signature(self.metric).parameters

    def __call__(
        self, estimator: Any, X: Any, y: Any, task: Any = None, sample_weight: Any = None
    ) -> Any:
        """Score a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task : array-like of shape (n_samples,), default=None
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows within their task, for a metric that takes them.

        Returns
        -------
        score : float or dict of float
        """
        if not takes_task(estimator, "predict"):  # scikit-learn's searches do not
            estimator = getattr(estimator, "best_estimator_", estimator)
        weight = None if sample_weight is None else np.asarray(sample_weight)
        columns, names = read_columns(y, _num_samples(X))
        if weight is not None and weight.shape != columns[0].shape:
            raise ValueError(
                f"sample_weight has the shape {weight.shape}; pass one weight for each of the "
                f"{len(columns[0])} rows."
            )
        if names is not None:
            parts = self._wide_parts(estimator, X, columns, names)
            scores = _ScoreOfTask.fromkeys(names.tolist(), float("nan"))
        else:
            parts = self._stacked_parts(estimator, X, columns[0], task)
            scores = _ScoreOfTask.fromkeys(_fitted_tasks(estimator), float("nan"))
        for name, rows, true, response, classes in parts:
            of_rows = None if weight is None else weight[rows]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UndefinedMetricWarning)
                scores[name] = self._score(true, response, classes, of_rows)
        if self.average is None:
            return scores
        defined = [score for score in scores.values() if not np.isnan(score)]
        if not defined:
            return float("nan")
        return float(np.mean(defined) if self.average == "mean" else np.min(defined))

    def _wide_parts(self, estimator: Any, X: Any, columns: list[Array], names: Array) -> Parts:
        response = getattr(estimator, self.response_method)(X)
        if len(columns) != (len(response) if isinstance(response, list) else response.shape[1]):
            raise ValueError(f"y has {len(columns)} columns; the estimator predicts others.")
        for t, (column, name) in enumerate(zip(columns, names.tolist(), strict=True)):
            true, labelled = read_labels(column, f"column {name!r} of y")
            if not len(true):
                continue
            of_task = _plain(response[t] if isinstance(response, list) else response[:, t])
            classes = None
            if self.response_method == "predict_proba":
                classes = estimator.classes_[t]
                if np.ndim(classes) == 0:  # scikit-learn's multi-label classifiers: 0 or 1 each
                    classes = [0, 1]
            yield name, labelled, true, of_task[labelled], classes

    def _stacked_parts(self, estimator: Any, X: Any, y: Array, task: Any) -> Parts:
        ids = task
        if self.task_column is not None:
            refuse_named_twice(task, self.task_column)
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
        response = _plain(getattr(estimator, self.response_method)(X, **told))
        y, labelled = read_labels(y, "y")
        refuse_gaps(labelled)
        for name in np.unique(ids):
            rows = ids == name
            true, own, classes = y[rows], response[rows], None
            if self.response_method == "predict_proba":
                classes = estimator.classes_
                if len(classes) > 2:  # those of other tasks have probability 0
                    shown = (own != 0).any(axis=0) | np.isin(classes, true)
                    own, classes = own[:, shown], classes[shown]
            yield name.item(), rows, true, own, classes

    def _score(self, true: Array, response: Array, classes: Any, weight: Array | None) -> float:
        """The metric of one task's rows; of the second class's probability for two classes."""
        settings: dict[str, Any] = {} if weight is None else {"sample_weight": weight}
        if classes is not None:
            if len(classes) < 2:
                return float("nan")
            if len(classes) == 2:
                true = (true == classes[1]).astype(int)
                response = response if response.ndim == 1 else response[:, 1]
                classes = [0, 1]
            if "labels" in signature(self.metric).parameters:  # some may be missing from ``true``
                settings["labels"] = classes
        sign = 1 if self.greater_is_better else -1
        return sign * float(self.metric(true, response, **settings))


class _ScoreOfTask(dict[Any, float]):
    """Scores by task. scikit-learn looks up the tasks of the first fold in those of the others."""

    def __missing__(self, task: Any) -> float:
        raise KeyError(
            f"There is no score of task {task!r}, but of {listing(self)}. To cross-validate with "
            "average=None, use folds that hold every task, such as those of TaskStratifiedKFold."
        )


def _plain(response: Array) -> Array:
    """Labels in objects as an array of their type: scikit-learn's metrics take no other numbers."""
    return read_labels(response, "what was predicted")[0] if response.dtype == object else response


def _fitted_tasks(estimator: Any) -> list[Any]:
    """The tasks that an estimator, or the last step of a pipeline, was fitted on."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return list(np.asarray(getattr(last, "tasks_", [])).tolist())
