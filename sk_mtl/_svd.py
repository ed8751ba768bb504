"""Task weights and shared directions from one singular value decomposition."""

from __future__ import annotations

from collections.abc import Hashable
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from scipy.linalg import svd
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
    clone,
)
from sklearn.frozen import FrozenEstimator
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods, Interval, RealNotInt
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import (
    _num_samples,
    check_array,
    check_is_fitted,
)

from sk_mtl._features import refuse_minute, refuse_unsquarable
from sk_mtl._labels import read_columns, read_labels
from sk_mtl._merging import parts_to_merge, take_columns
from sk_mtl._moments import (
    Classes,
    Moments,
    chunk_moments,
    chunks,
    deviation,
    learn_classes,
    merge_classes,
    read_targets,
    rows_of,
)
from sk_mtl._saving import Savable
from sk_mtl._tasks import (
    Array,
    TaskSet,
    check_ids,
    listing,
    read_features,
)
from sk_mtl._undo import all_or_nothing
from sk_mtl._weights import read_sample_weight

if TYPE_CHECKING:
    from typing import Self


def _aligns_alike(estimator: SVDTaskReweighter) -> bool:
    if estimator.aligner is None or isinstance(estimator.aligner, FrozenEstimator):
        return True
    raise AttributeError(
        "partial_fit needs an aligner that is fitted, the same for all chunks; got "
        f"{type(estimator.aligner).__name__}. Fit it, and pass aligner=FrozenEstimator(fitted)."
    )


class SVDTaskReweighter(Savable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Weigh tasks by how much of their signal lies in the directions that tasks share.

    Algorithm 2 of [1]_ (section 3.3): ``theta_i = X.T @ y_i`` over the labelled rows of task i;
    U, the leading ``n_components`` left singular vectors of ``[theta_1 ... theta_k]``, spans the
    directions that the tasks share; the weight of task i is ``alpha_i = norm(theta_i @ U)``. A
    task with noisy labels has a theta that is short and points elsewhere: its weight is low.

    Tasks may also have rows of their own (``theta_i = X_i.T @ y_i``), in spaces that an
    ``aligner`` maps to a common one.

    Parameters
    ----------
    n_components : int or float, default=1
        Number of shared directions; or, as a float between 0 and 1, the share of the total of
        the squared singular values that they must hold.
    center : bool, default=True
        Subtract each task's means of X and y over its labelled rows: theta_i becomes a
        cross-covariance, and neither offsets nor the share of a class count as signal.
    scale : bool, default=True
        Divide by standard deviations and by the number (total weight) of labelled rows, so that
        neither units nor more rows make a task count for more: theta_i then holds correlations.
        A feature has one standard deviation for all tasks (of its distances to the tasks' means,
        pooled), so that the directions of different tasks stay comparable; each target has its
        own.
    shrinkage : float, default=0
        From 0, the alpha_i as they are, to 1, equal weights: `normalized_task_weight` and
        `sample_weight` give ``(1 - shrinkage) * alpha_i / mean(alpha) + shrinkage``. Where
        weights hurt, going half the way, 0.5, hurts a quarter as much.
    aligner : estimator or None, default=None
        Its aligned features ``X_i R_i`` take the place of ``X_i``. It has ``fit(X, y, task=...,
        sample_weight=...)`` and ``align(X, task=...)``, which returns an array of shape
        (n_samples, n_aligned), as MultiTaskAlignedClassifier does; leave its own ``task_column``
        at None. It is cloned and fitted in `fit`; scikit-learn's FrozenEstimator around a fitted
        one keeps it as it is. For stacked rows only: tasks that share X have nothing to align.
    task_column : column name or int, default=None
        Column of X that holds the task ids: a name in a DataFrame, a position in an array.

    Attributes
    ----------
    tasks_ : ndarray of shape (n_tasks,)
        Task ids in sorted order; the column names (or numbers) of a wide ``y``.
    task_weight_ : ndarray of shape (n_tasks,)
        The alpha_i, neither normalised nor shrunk; `normalized_task_weight` is.
    aligner_ : estimator or None
        The fitted ``aligner``. With one, "features" below are the aligned ones.
    components_ : ndarray of shape (`n_components_`, n_features)
        The shared directions: orthonormal rows, in the units of the scaled features. The sign of
        a row makes its entry of largest magnitude positive.
    singular_values_ : ndarray of shape (`n_components_`,)
    task_directions_ : ndarray of shape (n_tasks, n_features)
        theta_i. For a one-hot task, whose theta_i is a matrix: its leading left singular vector
        times its Frobenius norm.
    mean_, scale_ : ndarray of shape (n_features,)
        What `transform` subtracts and divides by: the mean of the tasks' means, weighted by
        their labelled rows (0 with ``center=False``), and the standard deviation within tasks (1
        with ``scale=False`` and for constant features).
    n_components_ : int
    n_features_in_ : int
        Number of columns of X as passed, the task column included.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Only if X has column names.

    Notes
    -----
    ``center=False, scale=False`` is the paper's formula to the letter. The alpha_i of a rare label
    then grows with its number of ones, so noise can raise it. Where all tasks share all rows, the
    directions are those of scikit-learn's PLSSVD with the same ``scale``.

    Numeric targets with fractional values, or with at most two values, are used as they are.
    Two classes that are not numbers become 0 and 1. More classes, or whole numbers of more than
    two values, become a one-hot block of columns, whose alpha_i is the Frobenius norm of
    ``theta_i.T @ U`` and whose variance, for ``scale``, is that of its columns added up.
    Standardise real-valued targets that happen to be whole numbers, such as counts: they cannot
    be told from classes. For stacked rows, a fractional value in any task makes all tasks real.

    References
    ----------
    .. [1] S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
       Multi-Task Learning", ICLR 2020, arXiv:2005.00944.

    Examples
    --------
    Three tasks share their rows; the labels of the third are noise.

    >>> import numpy as np
    >>> from sk_mtl import SVDTaskReweighter
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 5))
    >>> Y = np.column_stack([X[:, 0] > 0, X[:, 0] + X[:, 1] > 0, rng.random(500) > 0.5])
    >>> reweighter = SVDTaskReweighter().fit(X, Y)
    >>> reweighter.task_weight_.round(2)
    array([0.78, 0.71, 0.03])
    >>> reweighter.transform(X).shape
    (500, 1)
    """

    __metadata_request__fit: ClassVar = {"task": True}
    __metadata_request__partial_fit: ClassVar = {"task": True}
    __metadata_request__transform: ClassVar = {"task": True}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
        ],
        "center": ["boolean"],
        "scale": ["boolean"],
        "shrinkage": [Interval(Real, 0, 1, closed="both")],
        "aligner": [HasMethods(["fit", "align"]), None],
        "task_column": [Hashable],
    }

    _tasks: TaskSet
    _classes: Classes
    _moments: dict[Any, Moments]
    _scatter: Array  # of the features, within tasks

    def __init__(
        self,
        *,
        n_components: float = 1,
        center: bool = True,
        scale: bool = True,
        shrinkage: float = 0.0,
        aligner: Any = None,
        task_column: Hashable = None,
    ) -> None:
        self.n_components = n_components
        self.center = center
        self.scale = scale
        self.shrinkage = shrinkage
        self.aligner = aligner
        self.task_column = task_column

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Find the shared directions and the tasks' weights.

        Parameters
        ----------
        X : array-like, CSR matrix or DataFrame of shape (n_samples, n_columns)
            Features, and the task column if ``task_column`` is set.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            One label or value per row, or one per row and task; NaN, None or pandas' NA where it
            is missing.
        task : array-like of shape (n_samples,), default=None
            Task id of each row: integers, booleans or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A weight of 0 leaves a row out, 2 stands for two equal rows.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If tasks are named in two ways, a task has no labelled row, an id or a value of X is
            missing or infinite, a weight is negative, ``n_components`` exceeds the number of
            features or of target columns, or there is an aligner for tasks that share X.
        """
        with all_or_nothing(self):
            return self._learn(X, y, task, sample_weight, classes=None, reset=True, whole=True)

    @available_if(_aligns_alike)
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, task: Any = None, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Take in a chunk of rows: after all chunks, the result is `fit`'s on all rows.

        Stacked rows may bring new tasks at any time; while there are fewer target columns than
        ``n_components``, there are as many components as columns. The columns of a wide ``y`` are
        settled by the first chunk; one without a label so far has weight 0. An ``aligner`` must
        be frozen, so that all chunks are aligned alike.

        Parameters
        ----------
        X, y, task, sample_weight
            As in `fit`.
        classes : array-like, dict or list of array-like, default=None
            All classes that may come, for the tasks that this chunk is the first to show: of
            every task, or per task by id (a list by column for a wide ``y``). By default those
            of the chunk. Not for real-valued targets.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`, for a label that is not among its task's classes, and for tasks named in
            another way than before. The chunk is then not taken in.
        """
        reset = not hasattr(self, "_moments")
        with all_or_nothing(self):
            return self._learn(X, y, task, sample_weight, classes=classes, reset=reset, whole=False)

    @available_if(_aligns_alike)
    @_fit_context(prefer_skip_nested_validation=True)
    def merge(self, *others: SVDTaskReweighter) -> Self:
        """Take in the rows that other reweighters have seen: the result is `fit`'s on all rows.

        Parts of the rows may so be seen by different processes or machines. What has to travel
        is the reweighters themselves, by pickle or in a file of `save`: of a size that does not
        grow with the rows. The order of merging makes a difference of rounding errors alone,
        some 1e-15 of what a feature varies.

        Parameters
        ----------
        *others : SVDTaskReweighter
            Fitted by `fit`, `partial_fit` or `merge`, on the same columns. They stay as they are,
            and their parameters do not matter.

        Returns
        -------
        self : object
            The fitted estimator, which need not have seen rows of its own before.

        Raises
        ------
        ValueError
            If the parts have other columns, name their tasks in another way, or know other labels
            of the same task (pass ``classes=`` to their `partial_fit`). This one is then as
            before the call.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_mtl import SVDTaskReweighter
        >>> rng = np.random.default_rng(0)
        >>> X = rng.standard_normal((500, 5))
        >>> Y = np.column_stack([X[:, 0] > 0, X[:, 0] + X[:, 1] > 0, rng.random(500) > 0.5])
        >>> one = SVDTaskReweighter().partial_fit(X[:200], Y[:200])
        >>> other = SVDTaskReweighter().partial_fit(X[200:], Y[200:])
        >>> merged = SVDTaskReweighter(n_components=2).merge(one, other)
        >>> whole = SVDTaskReweighter(n_components=2).fit(X, Y)
        >>> bool(np.allclose(merged.task_weight_, whole.task_weight_, rtol=1e-12))
        True
        """
        first, *rest = parts_to_merge(self, others, "_moments")
        tasks, classes = first._tasks, first._classes
        moments, scatter = dict(first._moments), first._scatter
        for part in rest:
            if (first.aligner_ is None) != (part.aligner_ is None):
                raise ValueError("One part is aligned and another is not. Use one aligner for all.")
            tasks, classes = tasks.joined(part._tasks), merge_classes(classes, part._classes)
            scatter = scatter + part._scatter
            for name, of_task in part._moments.items():
                scatter += _take_in(moments, name, of_task)
        self._decompose(tasks, moments, scatter, whole=False)
        self._tasks, self._classes, self._moments, self._scatter = tasks, classes, moments, scatter
        if first is not self:
            take_columns(self, first)
            self.aligner_ = first.aligner_
        return self

    def _learn(
        self, X: Any, y: Any, task: Any, weight: Any, *, classes: Any, reset: bool, whole: bool
    ) -> Self:
        features, ids, route = read_features(
            self, X, task, task_column=self.task_column, reset=reset, accept_sparse="csr"
        )
        columns, names = read_columns(y, features.shape[0])
        weight = read_sample_weight(weight, features)
        if names is not None and ids is not None:
            raise ValueError(
                f"y has {len(columns)} columns, which are tasks, and the rows name tasks as well. "
                "Pass one label per row, or drop the task ids."
            )
        if names is not None:
            here = TaskSet(names, "wide")
        else:
            here = TaskSet(np.array([0]) if ids is None else np.unique(ids), route)
        tasks = here if reset else self._tasks.joined(here)

        targets = read_targets(columns, here, ids, weight)
        empty = [name for name, (rows, _) in targets.items() if not len(rows)]
        if whole and empty:
            raise ValueError(
                f"The tasks {listing(empty)} have no labelled row of positive weight. Leave them "
                "out, or label a row."
            )
        known = learn_classes(targets, {} if reset else self._classes, classes, here)
        refuse_minute(features, "X")
        for t, (name, (_, values)) in enumerate(targets.items()):
            if known.get(name) is None:
                refuse_unsquarable(values, np.zeros(len(values), int), here.ids[t : t + 1])

        aligner = None if self.aligner is None else clone(self.aligner)
        if aligner is not None:
            if here.wide:
                raise ValueError(
                    "The tasks are the columns of a wide y and share X, which leaves nothing to "
                    "align. Pass aligner=None, or stack the tasks' rows."
                )
            aligner.fit(features, columns[0], task=ids, sample_weight=weight)
            features = _aligned(aligner, features, ids)

        moments = {} if reset else dict(self._moments)
        scatter = np.zeros(features.shape[1]) if reset else self._scatter
        for chunk, sharing in chunks(targets, shared=here.wide, sparse=issparse(features)):
            parts, within = chunk_moments(rows_of(features, chunk), chunk, weight, sharing, known)
            scatter = scatter + within
            for name, part in parts.items():
                scatter += _take_in(moments, name, part)

        self._decompose(tasks, moments, scatter, whole=whole)
        self._tasks, self._classes, self._moments, self._scatter = tasks, known, moments, scatter
        self.aligner_ = aligner
        return self

    def _decompose(
        self, tasks: TaskSet, moments: dict[Any, Moments], scatter: Array, *, whole: bool
    ) -> None:
        """Set the fitted attributes from the moments of all rows so far."""
        total = sum(part.weight for part in moments.values()) or 1.0
        mean, scale = np.zeros_like(scatter), np.ones_like(scatter)
        grand_mean = sum((part.weight / total * part.x_mean for part in moments.values()), mean)
        if self.scale:
            scale = deviation(scatter / total, grand_mean, total)
        if self.center:
            mean = grand_mean
        blocks = self._blocks(tasks, moments, scale)
        theta = np.vstack(blocks)
        n_components = self.n_components
        if not whole and isinstance(n_components, Integral) and n_components <= theta.shape[1]:
            n_components = min(int(n_components), len(theta))  # further tasks may come
        values, components = _leading_directions(theta, n_components)
        squares = [((block @ components.T) ** 2).sum() for block in blocks]

        self.tasks_ = tasks.ids
        self.task_weight_ = np.sqrt(squares)
        self.components_, self.singular_values_ = components, values
        self.task_directions_ = np.vstack([_one_direction(block) for block in blocks])
        self.mean_, self.scale_ = mean, scale
        self.n_components_ = self._n_features_out = len(values)

    def _blocks(self, tasks: TaskSet, moments: dict[Any, Moments], scale: Array) -> list[Array]:
        """theta_i of every task, transposed: (n_columns, n_features)."""
        return [
            moments[name].theta(self.center, self.scale) / scale
            if name in moments
            else np.zeros((1, len(scale)))  # no label so far
            for name in tasks.ids.tolist()
        ]

    def _directions(self) -> tuple[list[Array], list[Any]]:
        """theta_i of every task, and the classes that its rows stand for."""
        classes = [self._classes.get(name) for name in self.tasks_.tolist()]
        blocks = self._blocks(self._tasks, self._moments, self.scale_)
        return blocks, [None if found is None else found.tolist() for found in classes]

    def transform(self, X: Any, task: Any = None) -> Array:
        """Project rows on the shared directions.

        Parameters
        ----------
        X : array-like, CSR matrix or DataFrame of shape (n_samples, n_columns)
            As in `fit`; the task column, if any, is left out.
        task : array-like of shape (n_samples,), default=None
            As in `fit`. Only an ``aligner`` needs it.

        Returns
        -------
        projection : ndarray of shape (n_samples, `n_components_`)
            ``(X - mean_) / scale_ @ components_.T``, X aligned.
        """
        check_is_fitted(self)
        features, ids, _ = read_features(
            self, X, task, task_column=self.task_column, reset=False, accept_sparse="csr"
        )
        if self.aligner_ is not None:
            features = _aligned(self.aligner_, features, ids)
        weights = (self.components_ / self.scale_).T
        return np.asarray(features @ weights - self.mean_ @ weights)

    def fit_transform(
        self, X: Any, y: Any = None, task: Any = None, sample_weight: Any = None
    ) -> Array:
        """`fit`, then `transform` of the same rows.

        Parameters
        ----------
        X, y, task, sample_weight
            As in `fit`.

        Returns
        -------
        projection : ndarray of shape (n_samples, `n_components_`)
        """
        fitted = self.fit(X, y, task=task, sample_weight=sample_weight)
        projection: Array = fitted.transform(X, task=task)
        return projection

    def sample_weight(self, y: Any = None, task: Any = None) -> Array:
        """Weights for the ``sample_weight`` of any estimator, from the weights of the tasks.

        Parameters
        ----------
        y : array-like of shape (n_samples,) or (n_samples, n_tasks), default=None
            For an estimator fitted on a wide ``y`` or on one task.
        task : array-like of shape (n_samples,), default=None
            For an estimator fitted on stacked rows: task id of each row.

        Returns
        -------
        sample_weight : ndarray of shape (n_samples,) or (n_samples, n_tasks)
            `normalized_task_weight` of each row's task; for a wide ``y``, of each entry, and 0
            where the label is missing.

        Raises
        ------
        ValueError
            If not exactly one of ``y`` and ``task`` is given, or not the one that fits how tasks
            were named in `fit`; if an id is unseen; or if all task weights are zero.
        """
        check_is_fitted(self)
        if (y is None) == (task is None):
            raise ValueError(
                f"Pass either task= or y=; got {'neither' if y is None else 'both'}. task= takes "
                "the task id of each row, y= the wide y whose columns are the tasks."
            )
        weight = self.normalized_task_weight()
        if task is not None:
            if self._tasks.wide:
                raise ValueError(
                    "The tasks are the columns of the wide y of fit: pass y= instead of task=."
                )
            task = check_ids(task, where="task")
            return np.asarray(weight[self._tasks.encode(task, len(task))])
        columns, names = read_columns(y, _num_samples(y))
        if not self._tasks.wide:
            if names is not None or len(self._tasks) > 1:
                raise ValueError(
                    f"The estimator was fitted on stacked rows of {len(self._tasks)} task(s), "
                    f"{listing(self.tasks_)}: pass the task id of each row as task=."
                )
            return np.full(len(columns[0]), weight[0])
        self._tasks.joined(TaskSet(np.arange(1) if names is None else names, "wide"))
        labelled = [read_labels(column, "y")[1] for column in columns]
        return np.asarray(np.column_stack(labelled) * weight)

    def normalized_task_weight(self) -> Array:
        """The tasks' weights, normalised to a mean of 1 and shrunk towards 1.

        Returns
        -------
        task_weight : ndarray of shape (n_tasks,)
            ``(1 - shrinkage) * alpha / mean(alpha) + shrinkage``.

        Raises
        ------
        ValueError
            If all alpha_i are zero.
        """
        check_is_fitted(self)
        if not self.task_weight_.any():
            raise ValueError(
                "All task weights are zero: no target varies with a feature. Use equal weights."
            )
        relative = self.task_weight_ / self.task_weight_.mean()
        return np.asarray((1 - self.shrinkage) * relative + self.shrinkage)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        if isinstance(self.aligner, BaseEstimator):
            tags.input_tags.sparse = get_tags(self.aligner).input_tags.sparse
        else:  # whatever it is: to refuse it is fit's part
            tags.input_tags.sparse = self.aligner is None
        return tags


def _take_in(moments: dict[Any, Moments], name: Any, part: Moments) -> Array | float:
    """Add a part to a task's moments; what the distance of the means adds to x's scatter."""
    between: Array | float = 0.0
    if name in moments:
        part, between = moments[name].merge(part)
    moments[name] = part
    return between


def _aligned(aligner: Any, features: Any, ids: Array | None) -> Array:
    """The rows' features X_i R_i."""
    aligned = aligner.align(features, task=ids)
    return check_array(  # type: ignore[no-any-return]
        aligned, dtype=[np.float64, np.float32], estimator=aligner, input_name="align(X)"
    )


def _leading_directions(theta: Array, n_components: float) -> tuple[Array, Array]:
    """Leading singular values and right singular vectors (as rows) of ``theta``."""
    n_columns, n_features = theta.shape
    bound = min(n_columns, n_features)
    if n_components > bound:
        raise ValueError(
            f"n_components={n_components} must be at most {bound}, the smaller of the number of "
            f"features ({n_features}) and of target columns ({n_columns}). Reduce n_components."
        )
    # The Gram matrix is many times faster than the SVD of a long theta, but squares the
    # relative error of small singular values: those are left to the SVD.
    squares, rotation = np.linalg.eigh(theta @ theta.T)
    squares = squares[::-1][:bound].clip(0)
    if isinstance(n_components, Integral):
        kept = int(n_components)
    else:
        energy = np.cumsum(squares)
        kept = int(np.searchsorted(energy, n_components * energy[-1])) + 1
    if n_columns < n_features and squares[kept - 1] > 1e-4 * squares[0]:
        values = np.sqrt(squares[:kept])
        directions = rotation[:, ::-1][:, :kept].T @ theta / values[:, None]
    else:
        left, values, _ = svd(theta.T, full_matrices=False)
        values, directions = values[:kept], left[:, :kept].T
    largest = np.abs(directions).argmax(axis=1)
    signs = np.where(directions[np.arange(kept), largest] < 0, -1.0, 1.0)
    return values, directions * signs[:, None]


def _one_direction(block: Array) -> Array:
    """A task's columns of theta as one vector of the same Frobenius norm."""
    if len(block) == 1:
        return block
    return np.asarray(np.linalg.norm(block) * _leading_directions(block, 1)[1])
