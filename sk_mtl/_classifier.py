"""MultiTaskAlignedClassifier."""

from __future__ import annotations

from sk_mtl._classifying import AlignedClassifier
from sk_mtl._docs import documented
from sk_mtl._from_chunks import FitsChunks
from sk_mtl._parameters import AlignedParameters
from sk_mtl._target_summary import LabelCounts


@documented
class MultiTaskAlignedClassifier(FitsChunks, AlignedClassifier, AlignedParameters):
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
    {trunk_parameters}
    {alignment_parameters}
    {schedule_parameter}
    alpha : float, default=0.2
        L2 penalty on shared weights, against the loss summed over rows: with no hidden layers and
        a head shared by all (large ``head_alpha``) it is what ``1 / C`` is to scikit-learn's
        LogisticRegression.
    head_alpha : float or "auto", default="auto"
        L2 penalty on the deviation of a task's head from the shared head. Large values give one
        model for all tasks, small ones a model per task. "auto" is 2, or 0.4 for a wide ``y``,
        whose labels have less in common as a rule.
    {group_parameter}
    {task_parameters}
    {scaling_parameter}
    {training_parameters}

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,) or list of ndarray
        Sorted union of the labels; for a wide ``y`` a list with each task's.
    task_classes_ : list of ndarray
        Labels of each task. A task that shows a single class takes the smallest label set of
        another task that holds it.
    {common_attributes}

    See Also
    --------
    MultiTaskAlignedRegressor : The same for real-valued targets.
    AlignedTransferClassifier : Fits a new task alone, from a fitted model.
    SVDTaskReweighter : Task weights from the tasks' shared directions.

    Notes
    -----
    Tasks share a head if their label sets have more than half of their union in common, class by
    class; a task's probabilities are over its own classes. The biases have priors of their own,
    estimated from the class counts: a bias departs from 0, or from the tasks' common bias, only
    as far as the counts prove it.

    References
    ----------
    {paper}

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

    _target_summary = LabelCounts
