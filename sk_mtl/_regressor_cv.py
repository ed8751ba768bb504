"""MultiTaskAlignedRegressorCV."""

from __future__ import annotations

from typing import Any

from sk_mtl._docs import documented
from sk_mtl._predicting import ValuePredictions
from sk_mtl._regressor import MultiTaskAlignedRegressor
from sk_mtl._searching import SearchedAligned
from sk_mtl._tasks import Array


@documented
class MultiTaskAlignedRegressorCV(ValuePredictions, SearchedAligned):
    """Regressor for several related tasks that tunes itself.

    To `MultiTaskAlignedRegressor` what RidgeCV is to Ridge: it chooses the penalties, how much
    tasks share, whether a trunk of hidden layers helps, and whether alignment of the tasks'
    inputs [1]_ does. Where several choices are about as good it averages over them.

    Parameters
    ----------
    {search_parameters}

    Attributes
    ----------
    target_mean_, target_scale_ : ndarray of shape (n_tasks,)
        Mean and unit of each task's targets.
    {search_attributes}

    See Also
    --------
    MultiTaskAlignedRegressor : One network, with parameters that are given.
    SelectiveTransferRegressor : Blends it with models of the tasks alone.

    Notes
    -----
    {search_notes}

    References
    ----------
    {paper}
    {search_references}

    Examples
    --------
    Three wells with 12 rows each.

    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedRegressorCV
    >>> rng = np.random.default_rng(0)
    >>> X, well = rng.standard_normal((36, 4)), np.repeat([0, 1, 2], 12)
    >>> y = X @ [2, 1, 0, 0] + 10 * well + 0.1 * rng.standard_normal(36)
    >>> model = MultiTaskAlignedRegressorCV(random_state=0).fit(X, y, task=well)
    >>> model.predict([[1.0, 0.0, 0.0, 0.0]] * 2, task=[0, 2]).round()
    array([ 2., 22.])
    """

    _logistic = False

    def _network(self, **parameters: Any) -> MultiTaskAlignedRegressor:
        return MultiTaskAlignedRegressor(**parameters)

    def _publish(self, estimator: Any) -> None:
        self.target_mean_ = estimator.target_mean_
        self.target_scale_ = estimator.target_scale_

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
        blended = self._blended(X, task)
        found: Array = self._chosen._of_values(*blended)
        return found
