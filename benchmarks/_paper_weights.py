"""Algorithm 2, weights of tasks that share their rows, with and without label noise."""

from collections.abc import Iterator
from functools import cache
from itertools import permutations
from typing import Any

import numpy as np
from scipy.stats import ortho_group
from sklearn.decomposition import TruncatedSVD
from sklearn.metrics import roc_auc_score

from _paper_data import Array, multi_label
from _paper_job import Job
from _results import Row
from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

N_ROWS = {"emotions": 200, "scene": 300, "tox21": 1200, "sider": 900, "chest": 500}
"""Training rows of each set; a quarter of them chooses between the ways to weigh."""

MAX_FEATURES = 300
N_DIRECTIONS = 100
"""Sets with more features have this many uncentred principal directions of the training rows."""

N_PAIRS, LABEL_NOISE = 5, 0.2
"""Pairs of tasks a seed, and the share of random labels in the first of a pair."""

HALF_NOISE = 0.5
"""The share of random labels in half of the tasks."""

LETTER: dict[str, Any] = {"center": False, "scale": False}
NEVER = "unweighted"
METHODS: dict[str, Any] = {
    NEVER: None,
    "uncertainty": "uncertainty",
    "SVD to the letter": SVDTaskReweighter(**LETTER),
    "SVD, centred and scaled": SVDTaskReweighter(),
    "the same, 90 % of the signal": SVDTaskReweighter(n_components=0.9),
    "the same, half shrunk": SVDTaskReweighter(shrinkage=0.5),
    "the same, 90 %, half shrunk": SVDTaskReweighter(n_components=0.9, shrinkage=0.5),
}
NOISES = ("all tasks, no noise", "20 pairs, 20 % noise in one task", "half of the tasks noisy")

MODEL: dict[str, Any] = {
    "alignment": None,
    "skip_connection": False,
    "hidden_layer_sizes": (8,),
    "head_alpha": 0.02,
    "tol": 1e-3,
    "max_iter": 200,
}
"""Hard parameter sharing as in the paper: a narrow shared layer and heads that are nearly free."""

ALPHAS = (0.2, 2.0, 20.0)
"""Penalties on the shared layer: what validation chooses without weights is held with them."""


def jobs(seed: int, quick: bool) -> Iterator[Job]:
    """Results of each way to weigh, per data set and noise."""
    for data in ("emotions",) if quick else N_ROWS:
        for noise in NOISES:
            for method in METHODS:
                yield Job(f"{data}, {noise}", method, _run, (data, noise, seed, method))


def _run(data: str, noise: str, seed: int, method: str) -> Row:
    """ROC AUC of each task, or, with pairs, the mean of each pair's tasks."""
    alpha, unweighted = _unweighted(data, noise, seed)
    return unweighted if method == NEVER else _fit(data, noise, seed, METHODS[method], alpha)


@cache
def _unweighted(data: str, noise: str, seed: int) -> tuple[float, Row]:
    """The penalty that validation chooses without weights, and what it gives."""
    tried = [(alpha, _fit(data, noise, seed, None, alpha)) for alpha in ALPHAS]
    return max(tried, key=lambda one: one[1]["validation"])


def _fit(data: str, noise: str, seed: int, task_weight: Any, alpha: float) -> Row:
    """Fit to each group of tasks, with noise among their labels, and score."""
    (X, Y), (X_validation, Y_validation), (X_test, Y_test) = _sides(data, seed)
    rng = np.random.default_rng([seed, 11])
    scores: dict[str, float] = {}
    validation = []
    for columns, noisy, share in _groups(noise, Y.shape[1], rng):
        fit, choose = Y.copy(), Y_validation.copy()
        for column in noisy:
            for labels in (fit[:, column], choose[:, column]):
                _randomise(labels, share, rng)
        model = MultiTaskAlignedClassifier(
            task_weight=task_weight, alpha=alpha, random_state=seed, **MODEL
        ).fit(X, fit[:, columns])
        validation.append(np.nanmean(_aucs(model, X_validation, choose[:, columns])))
        aucs = _aucs(model, X_test, Y_test[:, columns])
        if noise == NOISES[1]:
            scores["+".join(map(str, columns))] = float(np.mean(aucs))
        else:
            scores |= zip(map(str, columns), aucs, strict=True)
    return {
        "scores": {name: round(score, 3) for name, score in scores.items()},
        "validation": round(float(np.mean(validation)), 3),
        "chosen": {"alpha": alpha},
    }


def _groups(noise: str, n_tasks: int, rng: np.random.Generator) -> list[tuple[Array, Array, float]]:
    """Tasks that are fitted together, those of them with noise, and its share."""
    if noise == NOISES[1]:
        pairs = rng.permutation(list(permutations(range(n_tasks), 2)))[:N_PAIRS]
        return [(pair, pair[:1], LABEL_NOISE) for pair in pairs]
    n_noisy = n_tasks // 2 if noise == NOISES[2] else 0
    return [(np.arange(n_tasks), rng.permutation(n_tasks)[:n_noisy], HALF_NOISE)]


def _randomise(labels: Array, share: float, rng: np.random.Generator) -> None:
    """Draw a share of the known labels anew, 0 or 1."""
    known = np.flatnonzero(~np.isnan(labels))
    drawn = rng.choice(known, round(share * len(known)), replace=False)
    labels[drawn] = rng.integers(2, size=len(drawn))


def _aucs(model: MultiTaskAlignedClassifier, X: Array, Y: Array) -> list[float]:
    """ROC AUC of each task in %; NaN where a class is missing."""
    probability = np.asarray(model.predict_proba(X), dtype=float)
    aucs = []
    for labels, predicted in zip(Y.T, probability.T, strict=True):
        known = ~np.isnan(labels)
        both = len(np.unique(labels[known])) == 2
        aucs.append(100 * float(roc_auc_score(labels[known], predicted[known])) if both else np.nan)
    return aucs


@cache
def _sides(data: str, seed: int) -> list[tuple[Array, Array]]:
    """Rows to fit, to choose by and to test on; tasks with both classes on the first and last.

    Tasks whose training rows hold fewer than eight of a class are left out. No group of rows, a
    patient say, is on two sides.
    """
    X, Y, group = multi_label(data)
    rng = np.random.default_rng(seed)
    order = np.argsort(rng.permutation(group.max() + 1)[group], kind="stable")
    cuts = np.array([3 * N_ROWS[data] // 4, N_ROWS[data]])
    for number, cut in enumerate(cuts):  # not within a group
        while group[order[cut]] == group[order[cut - 1]]:
            cut += 1
        cuts[number] = cut
    parts = np.split(order, cuts)
    enough = [
        min((Y[parts[0], t] == label).sum() for label in (0, 1)) >= 8
        and all((Y[parts[2], t] == label).any() for label in (0, 1))
        for t in range(Y.shape[1])
    ]
    if X.shape[1] > MAX_FEATURES:
        X = TruncatedSVD(N_DIRECTIONS, random_state=0).fit(X[parts[0]]).transform(X)
        X = X @ ortho_group(N_DIRECTIONS, seed=seed).rvs()  # or it is taken for uneven units
    return [(X[rows], Y[rows][:, enough]) for rows in parts]
