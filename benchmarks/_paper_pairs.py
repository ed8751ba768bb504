"""Pairs of tasks, with alignment and with its controls: Algorithm 1 in the paper's experiments."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import sklearn
from scipy.stats import ortho_group
from sklearn.decomposition import PCA

from _paper_data import (
    GLUE,
    SENTIMENT,
    Array,
    Sides,
    bags,
    glue_features,
    glue_sides,
    load,
    sentence_features,
    sentiment_labels,
    sentiment_sides,
    sequences,
)
from _paper_job import Job
from _paper_nets import EPOCHS, GRID, PENALTIES, Params, estimator, solver_of
from _results import Row
from sk_mtl.diagnostics import alignment_similarity

N_COMPONENTS = 64
N_REDUCED_BY = 1000  # rows a task of the training side, whatever the number of rows to fit
N_COMPARED = 200  # rows of each task for the similarity of covariances: all positions of sequences
SCHEDULES = ("joint", "alternating", "after_shared")
ALONE, NO_R, COMMON = "single task", "no R", "one common R"
CONTROLS = (COMMON, NO_R, ALONE)


def aligned_method(schedule: str, penalty: str) -> str:
    """What a model with alignment is called."""
    return f"R {schedule}, {penalty}"


@dataclass(frozen=True)
class Setting:
    """Pairs of tasks and the network that is fitted to them.

    Parameters
    ----------
    data : {"sentiment", "GLUE"}
        Where the tasks are from.
    net : {"MLP", "LSTM", "CNN"}
        The shared module: MLP over frozen sentence features, the others over word vectors.
    capacity, m : int
        Outputs of the shared module; rows of each task to fit.
    view : {"one basis", "own bases", "two encoders"}
        How the tasks' features differ. Own bases: each task's are rotated by a matrix of its own.
        Two encoders: the second task of a pair has components of its mean word vectors.
    schedules : tuple of str
        Which are tried.
    n_seeds : int
        How many draws there are.
    """

    data: str
    net: str
    capacity: int
    m: int
    view: str = "one basis"
    schedules: tuple[str, ...] = SCHEDULES[:1]
    n_seeds: int = 2

    def __str__(self) -> str:
        return f"{self.data}, {self.net}, {self.capacity} units, {self.m} rows, {self.view}"


SENTIMENT_SETTINGS = (
    Setting("sentiment", "MLP", 4, 200, schedules=SCHEDULES, n_seeds=3),
    Setting("sentiment", "MLP", 4, 200, "own bases", n_seeds=3),
    Setting("sentiment", "MLP", 4, 200, "two encoders"),
    Setting("sentiment", "MLP", 2, 50, n_seeds=3),
    Setting("sentiment", "MLP", 2, 50, "own bases", n_seeds=3),
    Setting("sentiment", "MLP", 32, 200, "own bases"),
    Setting("sentiment", "MLP", 32, 1000),
    Setting("sentiment", "LSTM", 4, 1000, n_seeds=3),
    Setting("sentiment", "LSTM", 4, 200),
    Setting("sentiment", "CNN", 32, 600, schedules=SCHEDULES, n_seeds=1),
    Setting("sentiment", "LSTM", 32, 600, schedules=SCHEDULES, n_seeds=1),
)
GLUE_SETTINGS = (
    Setting("GLUE", "MLP", 32, 1000, n_seeds=3),
    Setting("GLUE", "MLP", 4, 200, n_seeds=3),
)


@dataclass(frozen=True)
class Task:
    """One task's features and labels on the three sides."""

    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]


def jobs(settings: Sequence[Setting], seed: int, quick: bool) -> Iterator[Job]:
    """Results of each setting: controls first, then what has an alignment."""
    for setting in settings[:1] if quick else settings:
        if seed >= setting.n_seeds:
            continue
        methods = [ALONE, NO_R, COMMON]
        for schedule in setting.schedules:
            methods += [aligned_method(schedule, penalty) for penalty in ("free", "penalised")]
        for method in methods:
            yield Job(str(setting), method, _all_pairs, (setting, seed, method, quick))


def _all_pairs(setting: Setting, seed: int, method: str, quick: bool) -> Row:
    """Accuracy of each pair, means of its tasks; parameters chosen by validation over pairs."""
    names = SENTIMENT if setting.data == "sentiment" else GLUE
    pairs = list(combinations(names, 2))[: 3 if quick else None]
    start = time.perf_counter()
    tried = []
    for params in _candidates(setting, seed, method, quick):
        results = [_pair(setting, seed, pair, method == ALONE, params) for pair in pairs]
        tried.append((np.mean([validation for validation, _, _ in results]), params, results))
    validation, params, results = max(tried, key=lambda one: one[0])
    labels = ["+".join(pair) for pair in pairs]
    row: Row = {
        "scores": {
            label: round(100 * float(test), 3)
            for label, (_, test, _) in zip(labels, results, strict=True)
        },
        "validation": round(100 * float(validation), 3),
        "chosen": params,
        "seconds_per_fit": round((time.perf_counter() - start) / len(tried) / len(pairs), 2),
        "sklearn": sklearn.__version__,
    }
    if results[0][2] is not None:
        row["similarity"] = {
            label: similarity for label, (_, _, similarity) in zip(labels, results, strict=True)
        }
    return row


def _candidates(setting: Setting, seed: int, method: str, quick: bool) -> list[Params]:
    """Parameters to choose from; with a matrix, at the best ones of the same net without it."""
    if method in (ALONE, NO_R):
        return list(GRID[setting.net])
    best = _all_pairs_cached(setting, seed, quick)
    solver = solver_of(setting.net)
    penalties = PENALTIES[solver]
    if method == COMMON:
        free = penalties["free"] if solver == "lbfgs" else ()
        return [best | {"common": penalty} for penalty in (*free, *penalties["penalised"])]
    schedule, penalty = method.removeprefix("R ").split(", ")
    params: Params = {"alignment": "full", "alignment_schedule": schedule}
    if schedule != "joint" and solver == "adam":
        # B is trained in half of the epochs.
        params["max_iter"] = 2 * best.get("max_iter", EPOCHS)
    return [best | params | {"alignment_alpha": alpha} for alpha in penalties[penalty]]


@cache
def _all_pairs_cached(setting: Setting, seed: int, quick: bool) -> Params:
    """What validation chooses without an alignment."""
    return dict(_all_pairs(setting, seed, NO_R, quick)["chosen"])


def _pair(
    setting: Setting, seed: int, pair: tuple[str, str], alone: bool, params: Params
) -> tuple[float, float, list[float] | None]:
    """Accuracy on validation and test rows; similarity of training rows before and after."""
    tasks = [_task(setting, seed, name, number) for number, name in enumerate(pair)]
    if alone:
        frozen = tuple(params.items())
        of_tasks = [_alone(setting, seed, name, n, frozen) for n, name in enumerate(pair)]
        validation, test = np.mean(of_tasks, axis=0)
        return float(validation), float(test), None
    X, y = (np.concatenate([task.train[part] for task in tasks]) for part in (0, 1))
    which = np.repeat([0, 1], [len(task.train[1]) for task in tasks])
    model = estimator(setting.net, setting.capacity, seed, **params).fit(X, y, task=which)

    def accuracy(side: str) -> float:
        hits = []
        for number, task in enumerate(tasks):
            rows, labels = getattr(task, side)
            predicted = model.predict(rows, task=np.full(len(rows), number))
            hits.append(np.mean(predicted == labels))
        return float(np.mean(hits))

    similarity = None
    if model.alignment_ is not None:
        some = np.concatenate([np.flatnonzero(which == t)[:N_COMPARED] for t in (0, 1)])
        scores = alignment_similarity(model, X[some], task=which[some])
        similarity = [round(float(score[0, 1]), 4) for score in scores]
    return accuracy("validation"), accuracy("test"), similarity


@cache
def _alone(
    setting: Setting, seed: int, name: str, number: int, params: tuple[tuple[str, Any], ...]
) -> tuple[float, float]:
    """Accuracy of a task by itself on validation and test rows."""
    if setting.view != "two encoders" and number:
        return _alone(setting, seed, name, 0, params)
    task = _task(setting, seed, name, number)
    model = estimator(setting.net, setting.capacity, seed, **dict(params)).fit(*task.train)
    return float(model.score(*task.validation)), float(model.score(*task.test))


def sentiment_task(name: str, net: str, m: int, seed: int, *, leak: bool = False) -> Task:
    """A sentiment task with features as the net takes them."""
    sides = sentiment_sides(m, seed, leak=leak)[name]
    labels = sentiment_labels(name)
    if net != "MLP":
        return _on_sides(sides, lambda rows: (sequences(name, rows), labels[rows]))
    reduce = _reduction("sentiment", N_REDUCED_BY, seed)
    return _on_sides(
        sides, lambda rows: (reduce.transform(sentence_features(name, rows)), labels[rows])
    )


@cache
def _task(setting: Setting, seed: int, name: str, number: int) -> Task:
    """A task of a pair; `number` is its place there, which matters with two encoders."""
    if setting.net != "MLP":
        return sentiment_task(name, setting.net, setting.m, seed)
    if setting.view == "own bases":
        place = SENTIMENT.index(name)
        rotation = ortho_group(N_COMPONENTS, seed=seed + 1).rvs(len(SENTIMENT))[place]
    else:
        rotation = np.eye(N_COMPONENTS)
    second = setting.view == "two encoders" and number == 1
    encoder = "bags" if second else setting.data
    reduce = _reduction(encoder, setting.m, seed)
    sides = _sides_of(setting.data, setting.m, seed)[name]
    labels = _labels_of(setting.data, name)
    features = _FEATURES[encoder]
    return _on_sides(
        sides, lambda rows: (reduce.transform(features(name, rows)) @ rotation, labels[rows])
    )


_FEATURES = {"sentiment": sentence_features, "bags": bags, "GLUE": glue_features}


def _sides_of(data: str, m: int, seed: int) -> dict[str, Sides]:
    return glue_sides(m, seed) if data == "GLUE" else sentiment_sides(m, seed)


def _labels_of(data: str, name: str) -> Array:
    """Labels that are the same for two tasks only if they mean the same."""
    if data == "GLUE":
        return load(f"glue5_minilm/{name}")["y"].astype(int) + 2 * GLUE.index(name)
    return sentiment_labels(name)


@cache
def _reduction(encoder: str, m: int, seed: int) -> PCA:
    """Principal components of an encoder's features, from the training rows of all tasks, rotated.

    The rotation, the same for all tasks, takes nothing away. Without it the estimator's scaling
    would take the components of few rows of one task for features of different units.
    """
    data = "GLUE" if encoder == "GLUE" else "sentiment"
    features = _FEATURES[encoder]
    sides = _sides_of(data, m, seed)
    X = np.concatenate([features(name, side.train) for name, side in sides.items()])
    pca = PCA(N_COMPONENTS, random_state=0).fit(X)
    pca.components_ = ortho_group(N_COMPONENTS, seed=seed).rvs() @ pca.components_
    return pca


def _on_sides(sides: Sides, rows_of: Any) -> Task:
    return Task(rows_of(sides.train), rows_of(sides.validation), rows_of(sides.test))
