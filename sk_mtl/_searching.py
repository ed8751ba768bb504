"""What the estimators that tune themselves have in common: an average, a network, and a blend."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Hashable, Mapping, Sequence
from copy import copy
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.model_selection import KFold
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from sk_mtl._averaged_model import AveragedModel
from sk_mtl._averaging import average
from sk_mtl._parameters import layer_sizes
from sk_mtl._race import Candidate, Folds, Race
from sk_mtl._rows import TrainingRows
from sk_mtl._saving import Savable
from sk_mtl._tasks import Array, TaskSet, listing
from sk_mtl.model_selection import TaskStratifiedKFold

if TYPE_CHECKING:
    from typing import Self

    from sk_mtl._adding import ExtensibleAligned


_LINEAR: Candidate = {"hidden_layer_sizes": (), "alignment": None}


class SearchedAligned(
    Savable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator, metaclass=ABCMeta
):
    """Chooses penalties, alignment and trunk, and predicts by a blend of what it has fitted."""

    __metadata_request__fit: ClassVar = {"task": True}
    __metadata_request__predict: ClassVar = {"task": True}
    __metadata_request__score: ClassVar = {"task": True}
    __metadata_request__transform: ClassVar = {"task": True}
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "penalties": ["array-like", Interval(Integral, 1, None, closed="left")],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions({"identity", "logistic", "relu", "tanh"})],
        "alignment": [StrOptions({"auto", "full", "low_rank", "diagonal"}), None],
        "alignment_alphas": ["array-like"],
        "alignment_rank": [Interval(Integral, 1, None, closed="left")],
        "cv": [Interval(Integral, 2, None, closed="left"), None],
        "task_weight": [
            StrOptions({"balanced"}),
            Mapping,
            "array-like",
            HasMethods(["fit", "normalized_task_weight"]),
            None,
        ],
        "task_groups": [Mapping, "array-like", None],
        "task_column": [Hashable],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    _logistic: ClassVar[bool]
    best_estimator_: Any
    _average: AveragedModel

    def __init__(
        self,
        *,
        penalties: int | Sequence[float] = 13,
        hidden_layer_sizes: int | Sequence[int] = (32,),
        activation: str = "relu",
        alignment: str | None = "auto",
        alignment_alphas: Sequence[float] = (10.0,),
        alignment_rank: int = 8,
        cv: int | None = 3,
        task_weight: Any = None,
        task_groups: Any = None,
        task_column: Hashable = None,
        max_iter: int = 1000,
        tol: float = 1e-4,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.penalties = penalties
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.alignment = alignment
        self.alignment_alphas = alignment_alphas
        self.alignment_rank = alignment_rank
        self.cv = cv
        self.task_weight = task_weight
        self.task_groups = task_groups
        self.task_column = task_column
        self.max_iter = max_iter
        self.tol = tol
        self.n_jobs = n_jobs
        self.random_state = random_state

    @abstractmethod
    def _network(self, **parameters: Any) -> ExtensibleAligned:
        """An estimator of one network, with these parameters."""

    @abstractmethod
    def _publish(self, estimator: Any) -> None:
        """Set the public attributes that describe the labels."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Choose the penalties, the trunk and the alignment, and fit to all rows.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Features, and the task column if ``task_column`` is set.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            One label or value per row, or one per row and task; NaN, None or pandas' NA where it
            is missing.
        task : array-like of shape (n_samples,), default=None
            Task id of each row: integers, booleans or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. A row of weight 0 is left out.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit` of the estimator without CV; the estimator is then as before the call.
        KeyboardInterrupt
            From the keyboard, while networks are compared. The estimator is then as before.
        """
        random = check_random_state(self.random_state)
        template = self._network(
            hidden_layer_sizes=self.hidden_layer_sizes,
            activation=self.activation,
            alignment=self.alignment,
            alignment_rank=self.alignment_rank,
            task_weight=self.task_weight,
            task_groups=self.task_groups,
            task_column=self.task_column,
            max_iter=self.max_iter,
            tol=self.tol,
            random_state=int(random.randint(np.iinfo(np.int32).max)),
        )
        rows = template._read_training_rows(X, y, task, sample_weight, keep=False, weigh=True)
        plan = template._targets.plan
        found = average(
            rows,
            plan,
            self._strengths(),
            logistic=self._logistic,
            align=self.alignment is not None,
        )
        template.set_params(**found.penalties())
        race = Race(template, rows, found.left_out)
        folds = self._folds(rows, random)
        best, share = race.run(self._candidates(rows), folds, self.n_jobs)
        estimator = template.set_params(**(best or _LINEAR))
        estimator.fit(X, y, task=task, sample_weight=sample_weight)
        fitted = copy(self)
        fitted.best_estimator_ = estimator
        fitted.network_share_ = share
        fitted.alpha_, fitted.head_alpha_ = estimator.alpha, estimator.head_alpha
        fitted.average_results_ = _as_columns(found.tried)
        fitted.network_results_ = _as_columns(race.told)
        fitted._average = found.model
        fitted._publish(estimator)
        fitted._n_features_out = estimator._n_features_out
        fitted.n_features_in_ = estimator.n_features_in_
        fitted.__dict__.pop("feature_names_in_", None)
        if hasattr(estimator, "feature_names_in_"):
            fitted.feature_names_in_ = estimator.feature_names_in_
        self.__dict__ = fitted.__dict__  # in one step, so that no interrupt finds half of them
        return self

    def _strengths(self) -> list[float]:
        if isinstance(self.penalties, Integral):
            return list(np.geomspace(10.0, 1e-3, int(self.penalties)))
        return _positive(self.penalties, "penalties")

    def _candidates(self, rows: TrainingRows) -> list[Candidate]:
        """Networks that may do what linear models cannot."""
        sizes = tuple(layer_sizes(self.hidden_layer_sizes))
        alphas = _positive(self.alignment_alphas, "alignment_alphas")
        if not sizes:
            return []
        candidates: list[Candidate] = [{"hidden_layer_sizes": sizes, "alignment": None}]
        several = rows.task is not None and len(np.unique(rows.task)) > 1
        if self.alignment is not None and (several or self.alignment != "auto"):
            candidates += [
                {**candidates[0], "alignment": self.alignment, "alignment_alpha": alpha}
                for alpha in alphas
            ]
        return candidates

    def _folds(self, rows: TrainingRows, random: np.random.RandomState) -> Folds:
        n_rows = len(rows.features)
        if self.cv is None or n_rows < 2 * self.cv:
            return []
        seed = int(random.randint(np.iinfo(np.int32).max))
        if rows.task is None:
            return list(KFold(self.cv, shuffle=True, random_state=seed).split(rows.features))
        splitter = TaskStratifiedKFold(self.cv, random_state=seed)
        return list(splitter.split(rows.features, rows.target, task=rows.task))

    def _blended(self, X: Any, task: Any) -> tuple[list[Any], Array | None, int]:
        """Of the groups of tasks: rows and blended columns, as the network would give them."""
        check_is_fitted(self)
        estimator = self._chosen
        features, codes = estimator._read_rows(X, task)
        said = self._average.predict(features, codes)
        share = self.network_share_ if codes is None else self.network_share_[codes]
        if share.any():
            of_network = estimator._columns(features, codes)
            said = said + share[..., None] * (of_network - said)
        group = estimator._task_groups()[0]
        return [(group, slice(None), codes, said)], codes, len(features)

    def transform(self, X: Any, task: Any = None) -> Array:
        """The shared representation of the chosen network; see its `transform`.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        representation : ndarray of shape (n_samples, capacity)
        """
        check_is_fitted(self)
        represented: Array = self._chosen.transform(X, task=task)
        return represented

    @property
    def alignment_(self) -> Array | None:
        """The R_i of the chosen network, of shape (n_tasks, n_features, n_features), or None."""
        check_is_fitted(self)
        found: Array | None = self._chosen.alignment_
        return found

    @property
    def _chosen(self) -> Any:
        """The network as it was fitted: the average knows no task that was added to it since."""
        return self.best_estimator_._as_fitted()

    @property
    def _tasks(self) -> TaskSet:
        tasks: TaskSet = self._chosen._tasks
        return tasks

    @property
    def tasks_(self) -> Array:
        """Sorted task ids, or the columns of a wide ``y``."""
        check_is_fitted(self)
        return self._tasks.ids

    @property
    def n_iter_(self) -> int:
        """Iterations in which ``best_estimator_`` was fitted."""
        check_is_fitted(self)
        n_iter: int = self.best_estimator_.n_iter_
        return n_iter

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "best_estimator_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags


def _positive(values: Any, name: str) -> list[float]:
    """Penalties that a parameter lists."""
    listed = np.asarray(values)
    if listed.ndim != 1 or not listed.size or listed.dtype.kind not in "iuf":
        raise ValueError(f"{name} must be a list of numbers; got {values!r}.")
    wrong = listed[~(np.isfinite(listed) & (listed > 0))]
    if wrong.size:
        raise ValueError(f"{name} must be positive and finite; got {listing(wrong)}.")
    return [float(value) for value in listed]


def _as_columns(rows: list[dict[str, Any]]) -> dict[str, Array]:
    """A list of dicts as a dict of arrays, as pandas takes them; None where one has no entry."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        values = [row.get(name) for row in rows]
        plain = all(isinstance(value, (bool, int, float, str, np.generic)) for value in values)
        column = np.array(values) if plain else np.empty(len(values), dtype=object)
        if not plain:
            column[:] = values
        columns[name] = column
    return columns
