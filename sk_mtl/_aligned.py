"""MultiTaskAlignedClassifier: labels in, labels and probabilities out."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.validation import _check_sample_weight

from sk_mtl._base import BaseAligned
from sk_mtl._labels import columns_as_array, read_columns, read_labels
from sk_mtl._tasks import Array


class MultiTaskAlignedClassifier(ClassifierMixin, BaseAligned):
    """Classifier for several related tasks, with a shared module and aligned inputs.

    The model of [1]_ (section 2 and Algorithm 1): a row x of task i, standardised to z, has the
    logits::

        g(z R_i B) A_i + z R_i W_i + c_i

    with an alignment matrix ``R_i`` per task, a shared module ``B`` with activation g, and task
    heads ``A_i``, ``W_i``, ``c_i``. Everything is a penalised deviation from what is shared:
    ``R_i`` from the identity, a task's head from the head shared by the tasks with its label set,
    the weights in ``B`` from their random start. So a task leaves the others only as far as its
    rows pay for it, and few rows do not overfit. The loss is the cross-entropy summed over rows,
    each times its sample weight and its task's weight.

    Name the tasks in one of three ways: a column of ``X`` (``task_column``), the ``task=``
    keyword of every method, or a wide ``y`` with one column per task and NaN where a label is
    missing. Without any of them there is one task.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(32,)
        Widths of the shared layers. The last one is the capacity r that tasks share (section 2.1
        of the paper: with too much of it they do not transfer). ``()`` gives a linear model.
    activation : {"identity", "logistic", "relu", "tanh"}, default="relu"
        Activation g of the shared layers.
    skip_connection : bool, default=True
        Whether heads see the aligned features themselves beside the shared representation (the
        ``W_i``). The shared layers then add to a linear model, and are penalised some 30 times as
        much.
    alignment : {"auto", "full", "low_rank", "diagonal"} or None, default="auto"
        Form of ``R_i - I``. "auto": none for one task or a wide ``y``; for stacked tasks low rank
        where that has fewer entries, else full. None: all ``R_i = I``.
    alignment_alpha : float, default=1000
        Penalty on the squared Frobenius norm of ``R_i - I``.
    alignment_rank : int, default=8
        Rank of ``R_i - I`` for ``alignment="low_rank"``.
    alpha : float, default=0.2
        L2 penalty on shared weights, against the loss summed over rows: with no hidden layers and
        a head shared by all (large ``head_alpha``) it is what ``1 / C`` is to scikit-learn's
        LogisticRegression.
    head_alpha : float, default=2
        L2 penalty on the deviation of a task's head from the shared head. Large values give one
        model for all tasks, small ones a model per task.
    task_weight : {"balanced"}, dict, array-like, SVDTaskReweighter or None, default=None
        Weight of each task in the loss. "balanced": each task as a whole counts the same. A dict
        by task id or an array in the order of ``tasks_``. A reweighter is cloned and fitted on
        the training rows, its weights normalised to mean 1; its parameters are those of a nested
        estimator, ``task_weight__n_components`` and so on.
    task_column : column name or int, default=None
        Column of ``X`` that holds the task ids: a name in a DataFrame, a position in an array
        (-1 is the last column).
    input_scaling : {"principal", "standard"} or None, default="principal"
        Linear map of the features, the same for all tasks, to mean squared norm 1. "standard"
        divides by standard deviations, with a floor. "principal" also multiplies by the square
        root of their covariance, so that weights shrink towards its strong directions; it
        recognises the outcome of a PCA, by features that are uncorrelated and in the order of
        their variance, and does not divide that. None: features as they are.
    solver : {"lbfgs", "adam"}, default="lbfgs"
        "lbfgs" works on all rows at once and suits up to some ten thousand rows; "adam" works in
        batches and allows `partial_fit`.
    batch_size : int or "auto", default="auto"
        Rows per batch for "adam"; "auto" is ``min(200, n_samples)``.
    learning_rate_init : float, default=0.001
        Learning rate of "adam". The ``R_i`` take a tenth of it.
    max_iter : int, default=1000
        Most epochs of "adam", or iterations of "lbfgs".
    tol : float, default=1e-4
        Training ends when ``n_iter_no_change`` epochs have not lowered the loss by this much; with
        ``early_stopping``, have not raised the score by it. "lbfgs" also ends when no entry of
        the gradient, with respect to parameters in units of their prior, exceeds a tenth of it.
    shuffle : bool, default=True
        Whether "adam" draws its batches at random.
    early_stopping : bool, default=False
        Hold out rows, the same share of every class of every task; stop when the accuracy on them
        no longer rises and keep the best epoch.
    validation_fraction : float, default=0.1
        Share of the rows that ``early_stopping`` holds out.
    n_iter_no_change : int, default=10
        Epochs without progress after which training ends.
    warm_start : bool, default=False
        Whether `fit` starts from the weights of the last fit. Tasks, labels, the scaling of the
        features and the priors on the biases stay; penalties and task weights may change.
    device : str, default="cpu"
        Device of torch; "auto" takes a GPU if there is one.
    dtype : {"auto", "float32", "float64"}, default="auto"
        Precision of training; "auto" is float64 for "lbfgs" and float32 for "adam".
    callbacks : list of skorch callbacks, default=None
        Called during training; they may stop it by raising KeyboardInterrupt, as skorch's do.
    net_params : dict, default=None
        Further arguments of the skorch net, such as ``optimizer``, for what no parameter covers.
    random_state : int, RandomState instance or None, default=None
        Decides the start of the shared layers, the batches and the rows held out.
    verbose : bool or int, default=False
        Whether to print a line per epoch.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Sorted task ids, or the columns of a wide ``y``.
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Sorted union of the labels; for a wide ``y`` a list with each task's.
    task_classes_ : list of ndarray
        Labels of each task. A task that shows a single class takes the smallest label set of
        another task that holds it.
    task_weight_ : ndarray of shape (n_tasks,)
    task_reweighter_ : estimator
        The fitted ``task_weight``, if that is an estimator.
    alignment_ : ndarray of shape (n_tasks, n_features, n_features) or None
        The ``R_i``, which act on the standardised features.
    feature_mean_ : ndarray of shape (n_features,)
    feature_map_ : ndarray of shape (n_features, n_features) or (n_features,)
        ``z = (x - feature_mean_) @ feature_map_``; a vector is the diagonal of a matrix.
    net_ : skorch.NeuralNet
    module_ : torch.nn.Module
        The trained network.
    n_iter_ : int
        Epochs of the last call of `fit` or `partial_fit`.
    loss_curve_ : list of float
        Loss plus penalty per unit of weight: after each iteration of "lbfgs", on average over
        each epoch of "adam". One entry per call of `partial_fit`.
    validation_scores_ : list of float or None
        Accuracy on the rows that ``early_stopping`` holds out, after each epoch.
    n_features_in_ : int
        Number of columns of ``X`` as passed, the task column included.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only if ``X`` has column names.

    See Also
    --------
    SVDTaskReweighter : Task weights from the tasks' shared directions.

    Notes
    -----
    Tasks share a head if their label sets have more than half of their union in common, class by
    class; a task's probabilities are over its own classes. The biases have priors of their own,
    estimated from the class counts: a bias departs from 0, or from the tasks' common bias, only
    as far as the counts prove it.

    References
    ----------
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.

    Examples
    --------
    Two shops with 15 rows each; the third column of X is the shop.

    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> rng = np.random.default_rng(0)
    >>> features, shop = rng.standard_normal((30, 2)), np.repeat([0, 1], 15)
    >>> X = np.column_stack([features, shop])
    >>> y = np.where(features @ [2, 1] + 0.5 * shop > 0, "buys", "leaves")
    >>> model = MultiTaskAlignedClassifier(task_column=-1, random_state=0).fit(X, y)
    >>> model.predict([[1.0, 0.5, 0], [-1.0, -0.5, 1]])
    array(['buys', 'leaves'], dtype='<U6')
    >>> model.alignment_.shape
    (2, 2, 2)
    """

    __metadata_request__predict: ClassVar = {"task": True}
    __metadata_request__predict_proba: ClassVar = {"task": True}
    __metadata_request__score: ClassVar = {"task": True}

    def _publish_classes(self) -> None:
        self.task_classes_ = self._labels.per_task
        self.classes_ = self._labels.per_task if self._tasks.wide else self._labels.union

    def predict_proba(self, X: Any, task: Any = None) -> Array | list[Array]:
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
            Stacked rows: in the order of ``classes_``, 0 for classes that are not the task's. A
            wide ``y`` of binary tasks: probability of each task's second class. Another wide
            ``y``: one array of shape (n_samples, n_classes of the task) per task.

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, or an id is unseen.
        """
        from sk_mtl._running import run_probabilities

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
        """Most probable class of each row's task.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        label : ndarray of shape (n_samples,) or (n_samples, n_tasks)

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, or an id is unseen.
        """
        probability = self.predict_proba(X, task=task)
        if not self._tasks.wide:
            assert isinstance(probability, np.ndarray)
            return np.asarray(self.classes_[probability.argmax(axis=1)])
        if isinstance(probability, np.ndarray):
            best = list((probability > 0.5).T.astype(np.intp))
        else:
            best = [of_task.argmax(axis=1) for of_task in probability]
        return columns_as_array(
            [classes[codes] for classes, codes in zip(self.task_classes_, best, strict=True)]
        )

    def score(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> float:
        """Accuracy; for a wide ``y`` the mean over the tasks, each over its labelled rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        predicted = self.predict(X, task=task)
        if not self._tasks.wide:
            return float(accuracy_score(y, predicted, sample_weight=sample_weight))
        columns, names = read_columns(y, len(predicted))
        if len(columns) != len(self.tasks_):
            raise ValueError(f"y has {len(columns)} columns for {len(self.tasks_)} tasks.")
        if names is not None and hasattr(y, "columns"):
            self._tasks.check_columns(names)
        weight = _check_sample_weight(sample_weight, predicted, ensure_non_negative=True)
        per_task = []
        for column, guess, name in zip(columns, predicted.T, self.tasks_.tolist(), strict=True):
            labels, labelled = read_labels(column, f"column {name!r} of y")
            if weight[labelled].any():
                per_task.append(np.average(guess[labelled] == labels, weights=weight[labelled]))
        if not per_task:
            raise ValueError("y holds no label of positive weight: there is nothing to score.")
        return float(np.mean(per_task))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
