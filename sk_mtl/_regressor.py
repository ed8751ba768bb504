"""MultiTaskAlignedRegressor: values in, values out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if

from sk_mtl._adding import ExtensibleAligned
from sk_mtl._base import trains_in_batches
from sk_mtl._docs import documented
from sk_mtl._from_chunks import FitsChunks
from sk_mtl._inputs import Inputs
from sk_mtl._parameters import AlignedParameters
from sk_mtl._predicting import ValuePredictions
from sk_mtl._target_summary import ValueMoments
from sk_mtl._tasks import Array, TaskSet
from sk_mtl._value_targets import ValueTargets

if TYPE_CHECKING:
    from typing import Self

    from sk_mtl._fitted import GroupOutputs


@documented
class MultiTaskAlignedRegressor(FitsChunks, ValuePredictions, ExtensibleAligned, AlignedParameters):
    """Regressor for several related tasks, with a shared module and aligned inputs.

    The model of [1]_ (section 2 and Algorithm 1): a row x of task i, standardised to z, has the
    prediction::

        m_i + s_i (g(z R_i B) A_i + z R_i W_i + c_i)

    with the mean ``m_i`` and the unit ``s_i`` of the task's targets, an alignment matrix ``R_i``
    per task, a shared module ``B`` with activation g, and task heads ``A_i``, ``W_i``, ``c_i``.
    Everything but the ``c_i`` is a penalised deviation from what is shared, as in
    `MultiTaskAlignedClassifier`. The loss is half the squared error in the tasks' units, summed
    over rows, each times its sample weight and its task's weight.

    Name the tasks in one of three ways: a column of ``X`` (``task_column``), the ``task=``
    keyword of every method, or a wide ``y`` with one column per task and NaN where a target is
    missing. Without any of them there is one task.

    Parameters
    ----------
    {trunk_parameters}
    {alignment_parameters}
    {schedule_parameter}
    alpha : float, default=0.2
        L2 penalty on shared weights, against the loss summed over rows: with no hidden layers, a
        head shared by all (large ``head_alpha``) and targets of variance 1 it is the ``alpha`` of
        scikit-learn's Ridge.
    head_alpha : float or "auto", default="auto"
        L2 penalty on the deviation of a task's head from the shared head. Large values give one
        model for all tasks, small ones a model per task. "auto" is 2.
    {group_parameter}
    {task_parameters}
    {scaling_parameter}
    {training_parameters}

    Attributes
    ----------
    target_mean_ : ndarray of shape (n_tasks,)
        The ``m_i``.
    target_scale_ : ndarray of shape (n_tasks,)
        The ``s_i``: standard deviations, shrunk to their geometric mean as far as rows are too
        few to tell the tasks' units apart.
    {common_attributes}

    See Also
    --------
    MultiTaskAlignedClassifier : The same for labels.
    SVDTaskReweighter : Task weights from the tasks' shared directions.

    References
    ----------
    {paper}

    Examples
    --------
    Two wells with 15 rows each; the third column of X is the well.

    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedRegressor
    >>> rng = np.random.default_rng(0)
    >>> features, well = rng.standard_normal((30, 2)), np.repeat([0, 1], 15)
    >>> X = np.column_stack([features, well])
    >>> y = features @ [2, 1] + 10 * well
    >>> model = MultiTaskAlignedRegressor(task_column=-1, random_state=0).fit(X, y)
    >>> model.predict([[1.0, 0.0, 0], [1.0, 0.0, 1]]).round()
    array([ 2., 12.])
    """

    _target_summary = ValueMoments

    def _learn_targets(
        self, inputs: Inputs, tasks: TaskSet, classes: Any = None, known: Sequence[Any] = ()
    ) -> ValueTargets:
        group = self._groups_of(tasks, known)
        if tasks.wide:
            return ValueTargets.of_columns(inputs.columns, tasks.ids, inputs.weight, group)
        codes = tasks.encode(inputs.ids, len(inputs.features))
        assert codes is not None
        units = [unit for group in known for unit in group.scale]
        weight = inputs.weight
        return ValueTargets.of_rows(inputs.columns[0], codes, tasks.ids, weight, group, units)

    def _publish_targets(self, targets: list[ValueTargets]) -> None:
        self.target_mean_ = np.concatenate([group.mean for group in targets])
        self.target_scale_ = np.concatenate([group.scale for group in targets])

    @available_if(trains_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Go once over a chunk of rows, starting from what is fitted. Needs ``solver="adam"``.

        The first call decides on the tasks, their weights and the scaling of features and
        targets. The penalties are on the scale of one chunk's loss: a chunk stands for all rows.

        Parameters
        ----------
        X, y, task, sample_weight
            As in `fit`.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`, for a task that the first call did not name, with ``early_stopping`` and
            with another schedule than "joint". The estimator is then as before the call.
        """
        return self._partial_fit(X, y, task, sample_weight, None)

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
        features, codes = self._read_rows(X, task)
        outputs = self._outputs(features, codes, self._of_network, of_outputs=True)
        return self._of_values(outputs, codes, len(features))

    def _of_values(
        self, outputs: Iterable[GroupOutputs], codes: Array | None, n_rows: int
    ) -> Array:
        """Values in the users' units from the network's outputs."""
        if codes is None:
            decoded = [group.targets.decode(found[..., 0], None) for group, _, _, found in outputs]
            return np.concatenate(decoded, axis=1)
        out = np.empty(n_rows)
        for group, rows, own_task, found in outputs:
            out[rows] = group.targets.decode(found[:, 0], own_task)
        return out

    @staticmethod
    def _of_network(network: Any, *inputs: Any) -> Any:
        """Values in the tasks' units."""
        return network(*inputs)
