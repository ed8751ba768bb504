"""SelectiveTransferRegressor."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin

from sk_mtl._blending import of_values
from sk_mtl._docs import documented
from sk_mtl._predicting import ValuePredictions
from sk_mtl._regressor import MultiTaskAlignedRegressor
from sk_mtl._selective import SelectiveTransfer
from sk_mtl._selective_data import TaskRows
from sk_mtl._tasks import Array, TaskSet
from sk_mtl._value_targets import read_values


@documented
class SelectiveTransferRegressor(ValuePredictions, SelectiveTransfer):
    """Shares between tasks only where, and as far as, held-out rows say that it helps.

    As `SelectiveTransferClassifier`, for values: it fits a multi-task model, and a model for each
    task alone, and predicts ``weight_`` times what the first says plus the rest times what the
    second says. The weights come from the errors of blends on held-out rows, in
    cross-validation: an empirical-Bayes estimate, so that a task with few rows does as the tasks
    do in general and a task with many decides for itself.

    Parameters
    ----------
    multi_task : regressor, default=None
        Its ``fit`` and ``predict`` take ``task=``, or it reads a task column of X. None:
        `MultiTaskAlignedRegressor`.
    single_task : regressor, default=None
        Any regressor, fitted to each task's rows; it does not see the task column. None:
        ``multi_task`` fitted to the task alone.
    {selective_parameters}

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
    weight_ : ndarray of shape (n_tasks,)
        Share of the multi-task model in each task's predictions, in [0, 1].
    choice_ : ndarray of shape (n_tasks,)
        "multi_task", "single_task" or "blend".
    transfer_gain_ : ndarray of shape (n_tasks,)
        What held-out rows say for the multi-task model against the single-task model: the mean
        difference of squared errors relative to the variance of the task's targets (a difference
        of R^2), or of ``scoring``. Positive where sharing helps, 0 where no row could be held
        out.
    transfer_gain_se_ : ndarray of shape (n_tasks,)
        Standard errors, over the rows or (of ``scoring``) the folds; infinite where unknown.
    multi_task_ : estimator
    single_task_ : list of estimator
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if ``X`` has column names.

    See Also
    --------
    SelectiveTransferClassifier : The same for labels.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import RidgeCV
    >>> from sk_mtl import SelectiveTransferRegressor
    >>> rng = np.random.default_rng(0)
    >>> X, well = rng.standard_normal((80, 6)), np.repeat(["east", "west"], 40)
    >>> y = X[:, 0] + 0.1 * rng.standard_normal(80)
    >>> model = SelectiveTransferRegressor(single_task=RidgeCV(), random_state=0)
    >>> model = model.fit(X, y, task=well)
    >>> model.predict([[1.0, 0, 0, 0, 0, 0]], task=["west"]).round(1)
    array([1.])
    """

    def _default(self, seed: int) -> MultiTaskAlignedRegressor:
        return MultiTaskAlignedRegressor(random_state=seed)

    def _read_labels(self, column: Array, what: str) -> tuple[Array, Array]:
        return read_values(column, what)

    def _learn_labels(self, columns: list[Array], codes: Array | None, tasks: TaskSet) -> None:
        pass

    def _ask(self, model: Any, X: Any, told: dict[str, Any]) -> Any:
        return np.asarray(model.predict(X, **told), dtype=np.float64)

    def _pick(self, said: Any, model: Any, rows: Any, t: int, at: int | None) -> Array:
        return np.asarray(said[rows] if at is None else said[rows, at])

    def _likelihood(
        self, shares: Array, multi: Array, single: Array, t: int, task: TaskRows
    ) -> tuple[Array, Array]:
        mean = np.average(task.labels, weights=task.weight)
        variance = np.average((task.labels - mean) ** 2, weights=task.weight) or 1.0
        gains = ((single - task.labels) ** 2 - (multi - task.labels) ** 2) / variance
        return of_values(shares, multi, single, task.labels, task.weight), gains

    def _as_estimator(self, response: Array, t: int, labels: Array) -> Any:
        return _Answered(response)

    def predict(self, X: Any, task: Any = None) -> Array:
        """Expected value of each row's target.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        value : ndarray of shape (n_samples,) or (n_samples, n_tasks)

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, or an id is unseen.
        """
        blended = list(self._blended(X, task))
        if self._tasks.wide:
            return np.stack([values for _, _, values in blended], axis=1)
        out = np.empty(sum(len(rows) for _, rows, _ in blended))
        for _, rows, values in blended:
            out[rows] = values
        return out


class _Answered(RegressorMixin, BaseEstimator):
    """A regressor whose answers are known already."""

    def __init__(self, response: Array) -> None:
        self.response = response

    def predict(self, X: Any) -> Array:
        return self.response
