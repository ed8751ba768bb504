"""What the selective meta-estimators have in common: two models, and how far to trust each."""

from __future__ import annotations

import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils._param_validation import HasMethods, StrOptions
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from sk_mtl._blending import posterior_weights, shrunken_gains
from sk_mtl._labels import columns_as_array, read_columns, refuse_gaps, refuse_unlabelled
from sk_mtl._saving import Savable
from sk_mtl._selective_data import NamedRows, SelectiveData, TaskRows
from sk_mtl._task_model import UndefinedScoreError
from sk_mtl._tasks import Array, Route, TaskSet
from sk_mtl._undo import all_or_nothing
from sk_mtl._weights import read_sample_weight

if TYPE_CHECKING:
    from typing import Self

# A task, which of its rows were held out, and what both models say of them.
_HeldOut = tuple[int, Array, Array, Array]


@dataclass(frozen=True)
class _MultiTaskModel:
    """A fitted multi-task estimator, and the tasks that it has seen, in their order."""

    estimator: Any
    seen: list[int]


class SelectiveTransfer(Savable, MetaEstimatorMixin, BaseEstimator, metaclass=ABCMeta):
    """Fits a multi-task model and one per task, and weighs them by held-out rows."""

    __metadata_request__fit: ClassVar = {"task": True}
    __metadata_request__predict: ClassVar = {"task": True}
    __metadata_request__score: ClassVar = {"task": True}
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "multi_task": [HasMethods(["fit", "predict"]), None],
        "single_task": [HasMethods(["fit", "predict"]), None],
        "cv": ["cv_object"],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "blend": ["boolean"],
        "task_column": [Hashable],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        multi_task: Any = None,
        single_task: Any = None,
        *,
        cv: Any = 5,
        scoring: Any = None,
        blend: bool = True,
        task_column: Hashable = None,
        n_jobs: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.multi_task = multi_task
        self.single_task = single_task
        self.cv = cv
        self.scoring = scoring
        self.blend = blend
        self.task_column = task_column
        self.n_jobs = n_jobs
        self.random_state = random_state

    _question: ClassVar[str] = "predict"  # the method that models are asked by

    @abstractmethod
    def _default(self, seed: int) -> Any:
        """The multi-task estimator where the user names none."""

    @abstractmethod
    def _read_labels(self, column: Array, what: str) -> tuple[Array, Array]:
        """The labels that a column holds, and which of its entries hold one."""

    @abstractmethod
    def _learn_labels(self, columns: list[Array], codes: Array | None, tasks: TaskSet) -> None:
        """Set the public attributes that describe the labels."""

    @abstractmethod
    def _ask(self, model: Any, X: Any, told: dict[str, Any]) -> Any:
        """What a model says of rows, of all its tasks if these share them."""

    @abstractmethod
    def _pick(self, said: Any, model: Any, rows: Any, t: int, at: int | None) -> Array:
        """What it says of some of the rows for task t, ``at`` in a wide ``y``; NaN if nothing."""

    @abstractmethod
    def _likelihood(
        self, shares: Array, multi: Array, single: Array, t: int, task: TaskRows
    ) -> tuple[Array, Array]:
        """Log-likelihood of the labels under each share, and each row's gain; NaN if unknown."""

    @abstractmethod
    def _as_estimator(self, response: Array, t: int, labels: Array) -> Any:
        """A response as an estimator that has it, for scikit-learn's scorers."""

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any, task: Any = None, sample_weight: Any = None) -> Self:
        """Fit both kinds of models, and decide for every task how far to trust each.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
            Features, and the task column if ``task_column`` is set.
        y : array-like of shape (n_samples,) or (n_samples, n_tasks)
            As in `MultiTaskAlignedClassifier`: stacked rows, or wide with gaps.
        task : array-like of shape (n_samples,), default=None
            Task id of each row.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, passed to both estimators. A row of weight 0 is left out.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If tasks are named in two ways, the multi-task estimator cannot be told of them, or
            an estimator refuses the rows. The estimator is then as before the call.
        """
        with all_or_nothing(self):
            self._check_estimators()
            random = check_random_state(self.random_state)
            self._multi = self.multi_task
            if self.multi_task is None:
                self._multi = self._default(int(random.randint(np.iinfo(np.int32).max)))
            data = self._read(X, y, task, sample_weight)
            folds = list(data.folds(self.cv, random))
            held_out = Parallel(n_jobs=self.n_jobs)(
                delayed(self._held_out)(data, train, test) for train, test in folds
            )
            self._weigh(data, held_out)
            self.multi_task_ = self._fit_multi(data, data.rows).estimator
            self.single_task_ = [self._fit_single(data, task, task.rows) for task in data.of_task]
            self._tasks = data.tasks
        return self

    def _check_estimators(self) -> None:
        """Refuse what cannot answer, before anything is fitted."""
        for name in ("multi_task", "single_task"):
            value = getattr(self, name)
            if isinstance(value, type):
                raise ValueError(f"{name}={value} is a class. Pass an object: {value.__name__}().")
            if value is not None and not hasattr(value, self._question):
                raise ValueError(
                    f"{name}={value} has no {self._question}, which is what is blended. Pass one "
                    "that has, or wrap it in scikit-learn's CalibratedClassifierCV."
                )

    def _read(self, X: Any, y: Any, task: Any, sample_weight: Any) -> SelectiveData:
        """Check everything that came from the user, and learn tasks and labels."""
        named = NamedRows.of(self, X, task, reset=True)
        columns, names = read_columns(y, len(named))
        weight = None
        if sample_weight is not None:
            weight = read_sample_weight(sample_weight, named.X)
        counted = np.flatnonzero(np.ones(len(named)) if weight is None else weight)
        ids = None if named.ids is None else named.ids[counted]
        tasks = TaskSet.of(names, ids, self._route(ids))
        codes = tasks.encode(ids, len(counted))
        self._learn_labels([column[counted] for column in columns], codes, tasks)
        self.tasks_ = tasks.ids
        of_task = []
        for t, name in enumerate(tasks.ids.tolist()):
            rows = counted if codes is None else counted[codes == t]
            column = columns[t if tasks.wide else 0][rows]
            labels, labelled = self._read_labels(column, f"y of task {name!r}")
            if not tasks.wide:
                refuse_gaps(labelled, f" of task {name!r}")
            rows = rows[labelled]
            of_task.append(
                TaskRows(rows, labels, np.ones(len(rows)) if weight is None else weight[rows])
            )
        refuse_unlabelled([len(own.rows) for own in of_task], tasks.ids)
        return SelectiveData(named, columns, weight, tasks, of_task)

    def _route(self, ids: Array | None) -> Route:
        if ids is None:
            return "none"
        return "keyword" if self.task_column is None else "column"

    def _fit_multi(self, data: SelectiveData, rows: Array) -> _MultiTaskModel:
        """The multi-task estimator, fitted to some rows."""
        inside = np.zeros(len(data.named), dtype=bool)
        inside[rows] = True
        seen = [t for t, task in enumerate(data.of_task) if inside[task.rows].any()]
        columns = data.columns
        if data.tasks.wide:
            columns = [columns[t] for t in seen]
            if len(seen) == 1:  # no longer wide: no gaps
                of_task = data.of_task[seen[0]].rows
                rows = of_task[inside[of_task]]
        columns = [column[rows] for column in columns]
        y = columns[0] if len(columns) == 1 else columns_as_array(columns)
        told = data.named.telling(rows)
        if data.weight is not None:
            told["sample_weight"] = data.weight[rows]
        model = clone(self._multi).fit(_safe_indexing(data.named.X, rows), y, **told)
        return _MultiTaskModel(model, seen)

    def _fit_single(self, data: SelectiveData, task: TaskRows, rows: Array) -> Any:
        """The single-task estimator, fitted to some of a task's rows; None if it cannot be."""
        own = np.isin(task.rows, rows)
        labels = task.labels[own]
        if not self._can_fit(labels):
            return None
        told = {} if data.weight is None else {"sample_weight": task.weight[own]}
        X = data.named.X if self.single_task is None else data.named.features
        estimator = self._multi if self.single_task is None else self.single_task
        return clone(estimator).fit(_safe_indexing(X, task.rows[own]), labels, **told)

    def _can_fit(self, labels: Array) -> bool:
        return len(labels) > 0

    def _held_out(self, data: SelectiveData, train: Array, test: Array) -> list[_HeldOut]:
        """Of each task with rows on both sides: which rows, and what both models say of them."""
        multi = self._fit_multi(data, train)
        tested = {t: np.flatnonzero(np.isin(data.of_task[t].rows, test)) for t in multi.seen}
        asked = [data.of_task[t].rows[which] for t, which in tested.items() if len(which)]
        if not asked:
            return []
        every = np.unique(np.concatenate(asked))
        X, told = _safe_indexing(data.named.X, every), data.named.telling(every)
        said = self._ask(multi.estimator, X, told)
        own = data.named.X if self.single_task is None else data.named.features
        found = []
        for position, (t, which) in enumerate(tested.items()):
            task = data.of_task[t]
            single = self._fit_single(data, task, train) if len(which) else None
            if single is None:
                continue
            rows = task.rows[which]
            at = position if data.tasks.wide and len(multi.seen) > 1 else None
            by_multi = self._pick(said, multi.estimator, np.searchsorted(every, rows), t, at)
            by_single = self._ask(single, _safe_indexing(own, rows), {})
            by_single = self._pick(by_single, single, slice(None), t, None)
            found.append((t, which, by_multi, by_single))
        return found

    def _weigh(self, data: SelectiveData, held_out: list[list[_HeldOut]]) -> None:
        """Set the share of the multi-task model in every task, and what speaks for it."""
        if self.scoring is None:
            share = self._by_likelihood(data, held_out)
        else:
            share = self._by_score(data, held_out)
        alone = [self._can_fit(task.labels) for task in data.of_task]
        self.weight_ = np.where(alone, np.round(share, 2), 1.0)
        names = np.array(["single_task", "blend", "multi_task"])
        self.choice_ = names[1 + (self.weight_ == 1).astype(int) - (self.weight_ == 0)]

    def _by_likelihood(self, data: SelectiveData, held_out: list[list[_HeldOut]]) -> Array:
        shares = np.linspace(0, 1, 11 if self.blend else 2)
        likelihood = np.zeros((len(data.of_task), len(shares)))
        self.transfer_gain_ = np.zeros(len(data.of_task))
        self.transfer_gain_se_ = np.full(len(data.of_task), np.inf)
        for t, task in enumerate(data.of_task):
            parts = [part[1:] for fold in held_out for part in fold if part[0] == t]
            if not parts:
                continue
            tested, multi, single = (
                np.concatenate(of_folds) for of_folds in zip(*parts, strict=True)
            )
            part = task.take(tested)
            likelihood[t], gain = self._likelihood(shares, multi, single, t, part)
            known = ~np.isnan(gain)
            if known.any():
                self.transfer_gain_[t] = np.average(gain[known], weights=part.weight[known])
            if known.sum() > 1:
                self.transfer_gain_se_[t] = np.std(gain[known], ddof=1) / np.sqrt(known.sum())
        share = posterior_weights(likelihood) @ shares
        return np.asarray(share if self.blend else np.round(share))

    def _by_score(self, data: SelectiveData, held_out: list[list[_HeldOut]]) -> Array:
        shares = np.linspace(0, 1, 5 if self.blend else 2)
        scorer = get_scorer(self.scoring)
        scores = np.full((len(held_out), len(data.of_task), len(shares)), np.nan)
        n_rows = np.zeros(scores.shape[:2])
        for f, fold in enumerate(held_out):
            for t, tested, multi, single in fold:
                task = data.of_task[t].take(tested)
                n_rows[f, t] = len(tested)
                for c, share in enumerate(shares):
                    blended = np.nan_to_num(share * multi + (1 - share) * single)
                    scores[f, t, c] = self._score(scorer, blended, t, task.labels)
        shrunken, gain, error = shrunken_gains(scores, n_rows)
        self.transfer_gain_, self.transfer_gain_se_ = gain[:, -1], error[:, -1]
        return np.asarray(shares[shrunken.argmax(axis=1)])

    def _score(self, scorer: Any, response: Array, t: int, labels: Array) -> float:
        """The score of a response, NaN where it is not defined."""
        estimator = self._as_estimator(response, t, labels)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UndefinedMetricWarning)
            try:
                return float(scorer(estimator, np.zeros((len(labels), 1)), labels))
            except UndefinedScoreError:
                return float("nan")

    def _blended(self, X: Any, task: Any) -> Iterator[tuple[int, Any, Array]]:
        """Of each task: its rows, and what both models say of them, blended."""
        check_is_fitted(self)
        named = NamedRows.of(self, X, task, reset=False)
        own = named.X if self.single_task is None else named.features
        codes = self._tasks.encode(named.ids, len(named))
        asked = np.arange(len(self.tasks_)) if codes is None else np.unique(codes)
        said = None
        if self.weight_[asked].any():
            said = self._ask(self.multi_task_, named.X, named.telling(slice(None)))
        for t in asked.tolist():
            rows = slice(None) if codes is None else np.flatnonzero(codes == t)
            share = self.weight_[t]
            blended: Any = 0.0
            if share > 0:
                at = t if codes is None else None
                blended = share * self._pick(said, self.multi_task_, rows, t, at)
            if share < 1:
                single = self.single_task_[t]
                alone = self._ask(single, _safe_indexing(own, rows), {})
                alone = self._pick(alone, single, slice(None), t, None)
                blended = blended + (1 - share) * alone
            yield t, rows, blended

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        return tags
