"""Networks in cross-validation, where one that falls behind is out."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
from sklearn.utils.parallel import Parallel, delayed

from sk_mtl._averaging import HOPELESS
from sk_mtl._blending import posterior_weights
from sk_mtl._likelihoods import LOG_LIKELIHOODS
from sk_mtl._rows import TrainingRows
from sk_mtl._schedule import End
from sk_mtl._tasks import Array

_SHARES = np.linspace(1, 0, 5)  # of the network in a blend; the last one is the favourite
_LEAST_SHARE = 0.05
_TOL = 1e-3  # enough to compare networks

Candidate = dict[str, Any]
Folds = list[tuple[Array, Array]]


class Race:
    """Compares networks with each other, and with predictions that are there already.

    Parameters
    ----------
    template : ExtensibleAligned
        An estimator that has read the rows. Candidates are parameters of it.
    rows : TrainingRows
    to_beat : ndarray of shape (n_entries, n_columns)
        Probabilities or values of all entries by models that were not trained on them.

    Attributes
    ----------
    told : list of dict
        What became of each candidate.
    """

    def __init__(self, template: Any, rows: TrainingRows, to_beat: Array) -> None:
        self.template = template
        self.rows = rows
        self.to_beat = to_beat
        self.entries = np.nonzero(rows.weight > 0)
        self.task, self.target, self.weight = rows.by_entry()
        self.log_likelihood = LOG_LIKELIHOODS[template._targets.loss]
        self.told: list[dict[str, Any]] = []

    def run(
        self, candidates: list[Candidate], folds: Folds, n_jobs: int | None
    ) -> tuple[Candidate | None, Array]:
        """The best network, and its share for each task in a blend with what was to beat.

        None, and shares of 0, if all have fallen behind or there was nothing to test them on.
        """
        n_rows, n_columns = len(self.rows.features), self.to_beat.shape[1]
        of_tasks = (len(self.template.tasks_),) if self.rows.task is None else ()
        held_out = np.full((len(candidates), n_rows, *of_tasks, n_columns), np.nan)
        running = list(range(len(candidates))) if folds else []
        score = np.zeros(len(candidates))
        tested = np.zeros(n_rows, dtype=bool)
        for train, test in folds:
            said = Parallel(n_jobs=n_jobs)(
                delayed(_fit_and_ask)(self.template, candidates[c], self.rows, train, test)
                for c in running
            )
            tested[test] = True
            now = tested[self.entries[0]]
            for c, columns in zip(running, said, strict=True):
                held_out[c, test] = columns
                score[c] = self._score(held_out[c][self.entries], now)
                self._tell(candidates[c], score[c] / self.weight[now].sum(), tested.mean())
            best = max([*score[running], self._score(self.to_beat, now)])
            running = [c for c in running if score[c] > best - HOPELESS]
        if not running:
            return None, np.zeros(len(self.template.tasks_))
        chosen = max(running, key=lambda c: score[c])
        return candidates[chosen], self._shares(held_out[chosen][self.entries])

    def _tell(self, candidate: Candidate, score: float, tested: float) -> None:
        """Note how a candidate has done so far."""
        self.told = [told for told in self.told if told["network"] != candidate]
        self.told.append({"network": candidate, "score": score, "tested": float(tested)})

    def _score(self, columns: Array, now: Array) -> float:
        return float(
            self.weight[now] @ self.log_likelihood(columns[now], self.target[now], self.weight[now])
        )

    def _shares(self, of_network: Array) -> Array:
        """The network's shares, by what blends say of the held-out entries of each task."""
        n_tasks = len(self.template.tasks_)
        total = np.empty((n_tasks, len(_SHARES)))
        for j, share in enumerate(_SHARES):
            blend = share * of_network + (1 - share) * self.to_beat
            found = self.weight * self.log_likelihood(blend, self.target, self.weight)
            total[:, j] = np.bincount(self.task, found, n_tasks)
        share = posterior_weights(total) @ _SHARES
        return np.asarray(np.where(share < _LEAST_SHARE, 0.0, share))


def _fit_and_ask(
    template: Any, candidate: Candidate, rows: TrainingRows, train: Array, test: Array
) -> Array:
    """What a network says of rows that it was not trained on."""
    trial = copy(template).set_params(**candidate, tol=max(template.tol, _TOL))
    part = rows.take(train)
    trial._build(part, keep=False)
    if trial._train(part, trial._stages(trial.max_iter), None) is End.INTERRUPTED:
        raise KeyboardInterrupt  # it would be compared with networks that had their time
    codes = None if rows.task is None else rows.task[test]
    return np.asarray(trial._columns(rows.features[test], codes))
