"""Averages of linear models over penalties, sharing and feature maps, by leave-one-out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from sk_mtl._averaged_model import AveragedModel, AveragedOutput, complete
from sk_mtl._feature_maps import CANDIDATES
from sk_mtl._intercepts import spread_of_log_odds
from sk_mtl._leave_one_out import Prior, Solution, TaskProblem
from sk_mtl._plan import HeadPlan
from sk_mtl._rows import TrainingRows
from sk_mtl._tasks import Array

SHARINGS = {0.8: 0.24, 0.0: 0.06, 0.5: 0.14, 0.95: 0.34, 1.0: 0.22}
"""Shares of the weights that tasks have in common, with prior probabilities, as they are tried."""

HOPELESS = 8.0  # difference in log-likelihood after which a candidate is no longer one
_LEAST_SHARE = 1e-3  # of a member in an average
_TYPICAL = (0.2, 0.9)  # penalty and sharing, where there is nothing to choose them by
_SPREAD = 1.2  # a priori standard deviation of the penalty's logarithm from the typical one
_FREE = 100.0  # prior variance of biases that are not to be held: targets have a variance of 1


@dataclass(frozen=True)
class _Member:
    """A model in an average."""

    feature_map: int
    prior: Prior
    log_likelihood: float
    log_prior: float
    solution: Solution
    problem: TaskProblem

    @property
    def log_weight(self) -> float:
        return self.log_likelihood + self.log_prior


@dataclass(frozen=True)
class Average:
    """What leave-one-out made of some rows.

    Attributes
    ----------
    model : AveragedModel
    left_out : ndarray of shape (n_entries, n_columns)
        Probabilities or values of each entry by models that were not trained on it.
    tried : list of dict
        All models that were tried.
    """

    model: AveragedModel
    left_out: Array
    tried: list[dict[str, float | str]]

    def penalties(self) -> dict[str, float]:
        """``alpha`` and ``head_alpha`` of one network: what the outputs need on average.

        Not more than is typical: where linear models are of no use, shared layers may be.
        """
        outputs = self.model.outputs
        strength = [np.log(min(output.strength, _TYPICAL[0])) for output in outputs]
        strength = np.exp(np.mean(strength or [np.log(_TYPICAL[0])]))
        sharing = [output.sharing for output in outputs if len(output.tasks) > 1]
        sharing = np.clip(np.mean(sharing or [_TYPICAL[1]]), 0.02, 0.98)  # both parts stay there
        return {"alpha": float(strength / sharing), "head_alpha": float(strength / (1 - sharing))}


def average(
    rows: TrainingRows,
    plan: HeadPlan,
    strengths: Sequence[float],
    *,
    logistic: bool,
    align: bool,
) -> Average:
    """Fit an average of models for every output column of every family of tasks.

    Parameters
    ----------
    rows : TrainingRows
    plan : HeadPlan
    strengths : sequence of float
        Penalties to try.
    logistic : bool
        Of classes, one column against the others; else of values.
    align : bool
        Whether maps with a part for each task are tried.
    """
    n_tasks = len(plan.family)
    task, target, weight = rows.by_entry()
    row = np.nonzero(rows.weight > 0)[0]
    names, maps, priors = [], [], []
    for make, prior in CANDIDATES:
        made = make(rows.features, rows.task, rows.row_weight, n_tasks)
        if made is not None and (align or made.alignment is None):
            names.append(make.__name__)
            maps.append(made)
            priors.append(prior)
    mapped = [made.transform(rows.features, rows.task) for made in maps]
    n_columns = max(plan.is_open.shape[1], 2 if logistic else 1)
    left_out = np.zeros((len(task), n_columns))
    outputs, tried = [], []
    for tasks, column in _columns(plan):
        of_output = np.flatnonzero(np.isin(task, tasks))
        out_column = 1 if logistic and plan.single_column else column
        to_reach = target[of_output]
        problem = _Output(
            row[of_output],
            np.searchsorted(tasks, task[of_output]),
            (to_reach == out_column).astype(np.float64) if logistic else to_reach,
            weight[of_output],
            len(tasks),
            sorted(strengths, reverse=True),
            logistic,
        )
        members: list[_Member] = []
        for number, (features, prior) in enumerate(zip(mapped, priors, strict=True)):
            members += problem.search(number, features, prior, members)
        share = _normalised(np.array([member.log_weight for member in members]))
        outputs.append(_averaged(tasks, out_column, members, share))
        for member, part in zip(members, share, strict=True):
            if part >= _LEAST_SHARE:
                said = member.solution.left_out
                left_out[of_output, out_column] += part * (expit(said) if logistic else said)
            tried.append(_told(member, part, names, tasks, out_column, weight[of_output].sum()))
    if logistic:
        left_out = complete(left_out, plan, task)
    return Average(AveragedModel(maps, outputs, plan, logistic), left_out, tried)


def _columns(plan: HeadPlan) -> Iterator[tuple[Array, int]]:
    """Tasks of one family, and an output column that they have."""
    for f in range(plan.n_families):
        of_family = plan.family == f
        for column in range(plan.is_open.shape[1]):
            has = (plan.is_open & plan.has_weights)[:, column]
            tasks = np.flatnonzero(of_family & has)
            if len(tasks):
                yield tasks, column


def _normalised(log_weight: Array) -> Array:
    """Weights with a sum of 1, none of them negligible but 0."""
    share = np.exp(log_weight - log_weight.max())
    share[share < _LEAST_SHARE * share.sum()] = 0.0
    return np.asarray(share / share.sum())


def _averaged(tasks: Array, column: int, members: list[_Member], share: Array) -> AveragedOutput:
    kept = np.flatnonzero(share)
    best = max((m for m in members if m.feature_map == 0), key=lambda m: m.log_weight)
    return AveragedOutput(
        tasks,
        column,
        np.array([members[j].feature_map for j in kept]),
        share[kept],
        [members[j].problem.weights_of_features(members[j].solution) for j in kept],
        best.prior.strength,
        best.prior.sharing,
    )


@dataclass(frozen=True)
class _Output:
    """One output of some tasks, in any map of the features.

    Attributes
    ----------
    row, task, target, weight : ndarray of shape (n_entries,)
        As `TaskProblem` takes them.
    n_tasks : int
    strengths : list of float
        From the strongest penalty to the weakest.
    logistic : bool
    """

    row: Array
    task: Array
    target: Array
    weight: Array
    n_tasks: int
    strengths: list[float]
    logistic: bool

    def search(
        self, number: int, features: Array, prior: float, others: list[_Member]
    ) -> list[_Member]:
        """Models in one map, as far as they may come near the best so far."""
        problem = TaskProblem(
            features,
            self.row,
            self.task,
            self.target,
            self.weight,
            self.n_tasks,
            logistic=self.logistic,
        )
        biases = self._bias_variances()
        to_beat = max((member.log_weight for member in others), default=-np.inf) - HOPELESS
        members: list[_Member] = []
        solutions: dict[int, Solution] = {}  # by the position of the penalty
        best: int | None = None
        sharings = SHARINGS if self.n_tasks > 1 else {0.0: 1.0}
        off = np.log(np.array(self.strengths) / _TYPICAL[0]) / _SPREAD
        of_penalty = np.exp(-(off**2) / 2)
        of_penalty /= of_penalty.sum()
        for sharing, share in sharings.items():

            def log_likelihood(
                position: int, sharing: float = sharing, share: float = share
            ) -> float:
                setting = Prior(self.strengths[position], sharing, *biases)
                start = solutions.get(position, solutions.get(position - 1))
                solutions[position] = problem.solve(setting, start)
                found = self._log_likelihood(solutions[position].left_out)
                log_prior = np.log(prior * share * of_penalty[position])
                members.append(
                    _Member(number, setting, found, log_prior, solutions[position], problem)
                )
                return found

            best = _climb(log_likelihood, len(self.strengths), best)
            # After all but the extremes of sharing have been seen once.
            if sharing == 0.0 and max(member.log_weight for member in members) < to_beat:
                break
        return members

    def _bias_variances(self) -> tuple[float, float]:
        if not self.logistic:
            return _FREE, _FREE
        positive = np.bincount(self.task, self.weight * self.target, self.n_tasks)
        total = np.bincount(self.task, self.weight, self.n_tasks)
        return spread_of_log_odds(positive, total - positive)

    def _log_likelihood(self, left_out: Array) -> float:
        """Of all entries, but each task with the same weight."""
        total = np.bincount(self.task, self.weight, self.n_tasks)
        share = self.weight / total[self.task] / np.count_nonzero(total)
        if self.logistic:
            sign = np.where(self.target > 0.5, -1.0, 1.0)
            loss = share @ np.logaddexp(0, sign * left_out)
        else:  # normal, of the variance that suits the entries best
            loss = 0.5 * np.log(share @ (self.target - left_out) ** 2 + np.finfo(np.float64).tiny)
        return float(-total.sum() * loss)


def _climb(value: Callable[[int], float], n: int, start: int | None) -> int:
    """The best position: of a path from the first one on, or on the way up from a start.

    From strong penalties to weak ones the likelihood has one peak, but for bumps.
    """
    seen: dict[int, float] = {}
    if start is None:
        for position in range(n):
            seen[position] = value(position)
            if seen[position] < max(seen.values()) - HOPELESS:
                break
        return max(seen, key=lambda position: seen[position])
    ahead = [start, start - 1, start + 1]
    while ahead:
        for position in ahead:
            if 0 <= position < n and position not in seen:
                seen[position] = value(position)
        top = max(seen, key=lambda position: seen[position])
        ahead = [p for p in (top - 1, top + 1) if 0 <= p < n and p not in seen]
    return top


def _told(
    member: _Member, share: float, names: list[str], tasks: Array, column: int, weight: float
) -> dict[str, float | str]:
    """What the user may want to know of a model that was tried."""
    prior = member.prior
    return {
        "family": int(tasks[0]),
        "column": column,
        "features": names[member.feature_map],
        "penalty": prior.strength,
        "sharing": prior.sharing,
        "score": member.log_likelihood / weight,
        "share": float(share),
    }
