"""SelectiveTransferClassifier."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from sk_mtl._blending import of_probabilities
from sk_mtl._classifier import MultiTaskAlignedClassifier
from sk_mtl._docs import documented
from sk_mtl._labels import LabelSet, read_labels
from sk_mtl._likelihoods import LEAST
from sk_mtl._predicting import ClassPredictions, Probabilities
from sk_mtl._selective import SelectiveTransfer
from sk_mtl._selective_data import TaskRows
from sk_mtl._task_model import UndefinedScoreError
from sk_mtl._tasks import Array, TaskSet


@documented
class SelectiveTransferClassifier(ClassPredictions, SelectiveTransfer):
    """Shares between tasks only where, and as far as, held-out rows say that it helps.

    A multi-task model gains on most tasks and may lose on some. This meta-estimator fits one, and
    a model for each task alone, and predicts for each task a blend of both: the multi-task
    model's probabilities times ``weight_`` plus the single-task model's times the rest. The
    weights come from what blends say of held-out rows, in cross-validation: an empirical-Bayes
    estimate, so that a task with few rows does as the tasks do in general and a task with many
    decides for itself.

    Parameters
    ----------
    multi_task : classifier, default=None
        Its ``fit`` and ``predict_proba`` take ``task=``, or it reads a task column of X. None:
        `MultiTaskAlignedClassifier`.
    single_task : classifier, default=None
        Any classifier with ``predict_proba``, fitted to each task's rows; it does not see the
        task column. None: ``multi_task`` fitted to the task alone.
    {selective_parameters}

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Sorted union of the labels; for a wide ``y`` a list with each task's.
    task_classes_ : list of ndarray
    weight_ : ndarray of shape (n_tasks,)
        Share of the multi-task model in each task's probabilities, in [0, 1]. 1 for a task that
        shows a single class: alone it could not be fitted.
    choice_ : ndarray of shape (n_tasks,)
        "multi_task", "single_task" or "blend".
    transfer_gain_ : ndarray of shape (n_tasks,)
        What held-out rows say for the multi-task model against the single-task model: the mean
        difference of the log-likelihoods of a label, in nats, or of ``scoring``. Positive where
        sharing helps, 0 where no row could be held out.
    transfer_gain_se_ : ndarray of shape (n_tasks,)
        Standard errors, over the rows or (of ``scoring``) the folds; infinite where unknown.
    multi_task_ : estimator
    single_task_ : list of estimator
        None for a task that shows a single class.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if ``X`` has column names.

    See Also
    --------
    SelectiveTransferRegressor : The same for values.

    Notes
    -----
    It fits the multi-task model ``cv + 1`` times, and as many single-task models for each task.

    Examples
    --------
    Two tasks that agree, and one whose labels mean the opposite.

    >>> import numpy as np
    >>> from sk_mtl import SelectiveTransferClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((180, 8)), np.repeat(["a", "b", "c"], 60)
    >>> y = (X[:, 0] + X[:, 1] > 0) != (task == "c")
    >>> model = SelectiveTransferClassifier(random_state=0).fit(X, y, task=task)
    >>> model.predict(X[:2], task=["a", "c"]).shape
    (2,)
    >>> bool(model.weight_[2] <= model.weight_[:2].min())
    True
    """

    _question = "predict_proba"

    def _default(self, seed: int) -> MultiTaskAlignedClassifier:
        return MultiTaskAlignedClassifier(random_state=seed)

    def _read_labels(self, column: Array, what: str) -> tuple[Array, Array]:
        return read_labels(column, what)

    def _learn_labels(self, columns: list[Array], codes: Array | None, tasks: TaskSet) -> None:
        if codes is None:
            self.task_classes_ = LabelSet.of_columns(columns, tasks.ids).per_task
            self.classes_ = self.task_classes_
        else:
            labels = LabelSet.of_rows(columns[0], codes, tasks.ids)
            self.task_classes_, self.classes_ = labels.per_task, labels.union

    def _can_fit(self, labels: Array) -> bool:
        return len(np.unique(labels)) > 1

    def _ask(self, model: Any, X: Any, told: dict[str, Any]) -> Any:
        return model.predict_proba(X, **told)

    def _pick(self, said: Any, model: Any, rows: Any, t: int, at: int | None) -> Array:
        if at is None:
            return _of_classes(self.task_classes_[t], said[rows], model.classes_)
        if isinstance(said, list):
            probability = said[at][rows]
        else:
            probability = np.column_stack([1 - said[rows, at], said[rows, at]])
        return _of_classes(self.task_classes_[t], probability, model.classes_[at])

    def _likelihood(
        self, shares: Array, multi: Array, single: Array, t: int, task: TaskRows
    ) -> tuple[Array, Array]:
        column = np.searchsorted(self.task_classes_[t], task.labels)
        given = np.stack([multi, single])[:, np.arange(len(column)), column]
        known = ~np.isnan(given).any(axis=0)  # a model may have seen no row of a class
        of_multi, of_single = given[:, known].clip(LEAST)
        gains = np.full(len(known), np.nan)
        gains[known] = np.log(of_multi) - np.log(of_single)
        return of_probabilities(shares, of_multi, of_single, task.weight[known]), gains

    def _as_estimator(self, response: Array, t: int, labels: Array) -> Any:
        return _Answered(response, self.task_classes_[t], len(np.unique(labels)))

    def predict_proba(self, X: Any, task: Any = None) -> Probabilities:
        """Probability of each class.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        probability : ndarray of shape (n_samples, n_classes), or for a wide y (n_samples, \
n_tasks) or list of ndarray
            As `MultiTaskAlignedClassifier.predict_proba`.

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, or an id is unseen.
        """
        blended = list(self._blended(X, task))
        if self._tasks.wide:
            per_task = [probability for _, _, probability in blended]
            if all(len(classes) == 2 for classes in self.task_classes_):
                return np.stack([probability[:, 1] for probability in per_task], axis=1)
            return per_task
        out = np.zeros((sum(len(rows) for _, rows, _ in blended), len(self.classes_)))
        for t, rows, probability in blended:
            columns = np.searchsorted(self.classes_, self.task_classes_[t])
            out[np.ix_(rows, columns)] = probability
        return out


def _of_classes(classes: Array, probability: Array, known: Array) -> Array:
    """Columns of some classes, NaN for one that the model does not know."""
    columns = {label: column for column, label in enumerate(known.tolist())}
    out = np.full((len(probability), len(classes)), np.nan)
    for j, label in enumerate(classes.tolist()):
        if label in columns:
            out[:, j] = probability[:, columns[label]]
    return out


class _Answered(ClassifierMixin, BaseEstimator):
    """A classifier whose answers are known already."""

    def __init__(self, response: Array, classes: Array, n_shown: int) -> None:
        self.response = response
        self.classes_ = classes
        self.n_shown = n_shown

    def predict(self, X: Any) -> Array:
        return np.asarray(self.classes_[self.response.argmax(axis=1)])

    def predict_proba(self, X: Any) -> Array:
        if self.n_shown < len(self.classes_):
            raise UndefinedScoreError
        return np.asarray(self.response / self.response.sum(axis=1, keepdims=True))
