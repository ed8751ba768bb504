"""MultiTaskAlignedClassifierCV."""

from __future__ import annotations

from typing import Any

from sk_mtl._classifier import MultiTaskAlignedClassifier
from sk_mtl._docs import documented
from sk_mtl._predicting import ClassPredictions, Probabilities
from sk_mtl._searching import SearchedAligned


@documented
class MultiTaskAlignedClassifierCV(ClassPredictions, SearchedAligned):
    """Classifier for several related tasks that tunes itself.

    To `MultiTaskAlignedClassifier` what LogisticRegressionCV is to LogisticRegression: it chooses
    the penalties, how much tasks share, whether a trunk of hidden layers helps, and whether
    alignment of the tasks' inputs [1]_ does. Where several choices are about as good it averages
    over them, which is better than any one with few rows.

    Parameters
    ----------
    {search_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Sorted union of the labels; for a wide ``y`` a list with each task's.
    task_classes_ : list of ndarray
    {search_attributes}

    See Also
    --------
    MultiTaskAlignedClassifier : One network, with parameters that are given.
    SelectiveTransferClassifier : Blends it with models of the tasks alone.

    Notes
    -----
    {search_notes}

    References
    ----------
    {paper}
    {search_references}

    Examples
    --------
    Three tasks with 20 rows each, which agree.

    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((60, 8)), np.repeat(["a", "b", "c"], 20)
    >>> y = X[:, 0] + X[:, 1] > 0
    >>> model = MultiTaskAlignedClassifierCV(random_state=0).fit(X, y, task=task)
    >>> model.predict([[2.0] * 8, [-2.0] * 8], task=["a", "b"])
    array([ True, False])
    >>> results = model.average_results_
    >>> best = results["score"].argmax()
    >>> bool(results["sharing"][best] >= 0.8)
    True
    """

    _logistic = True

    def _network(self, **parameters: Any) -> MultiTaskAlignedClassifier:
        return MultiTaskAlignedClassifier(**parameters)

    def _publish(self, estimator: Any) -> None:
        self.classes_, self.task_classes_ = estimator.classes_, estimator.task_classes_

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
        blended = self._blended(X, task)
        return self._chosen._of_classes(*blended)
