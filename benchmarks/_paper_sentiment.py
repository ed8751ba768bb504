"""Capacity on the six sentiment tasks (the paper's Fig. 6), and transfer from SST to the others."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from _paper_data import SENTIMENT
from _paper_job import Job
from _paper_nets import EPOCHS, GRID, PENALTIES, Params, estimator, solver_of
from _paper_pairs import Task, sentiment_task
from _results import Row
from sk_mtl import AlignedTransferClassifier

CAPACITIES = {"MLP": (1, 4, 8, 16, 32, 64, 128), "LSTM": (1, 4, 16, 64)}
QUICK_CAPACITIES = {"MLP": (4, 32)}
N_ROWS = 1000
ALONE, TOGETHER = "STL", "MTL"

LEAK_ROWS, LEAK_CAPACITY, LEAK_EPOCHS = 4000, 64, 2 * EPOCHS
LEAKY = ("mr", "sst")
"""Tasks that share most of their sentences."""

SOURCE, N_SOURCE_ROWS, N_TARGET_ROWS = "sst", 3000, 200
TRANSFER: dict[str, Params] = {
    "scratch": {},
    "A, B frozen": {"alignment": None},
    "R, A, B frozen": {"alignment": "full"},
    "B, A": {"alignment": None, "fine_tune_epochs": 1000},
    "R, B, A, free": {"alignment": "full", "fine_tune_epochs": 1000},
    "R, B, A": {"alignment": "full", "fine_tune_epochs": 1000},
}
TARGET_EPOCHS = 15


def capacity_jobs(seed: int, quick: bool) -> Iterator[Job]:
    """Accuracy of each task by itself and of all together, per capacity."""
    capacities = QUICK_CAPACITIES if quick else CAPACITIES
    for net, sizes in capacities.items():
        for capacity in sizes:
            for method in (ALONE, TOGETHER):
                arguments = (net, capacity, seed, method)
                yield Job(f"{net}, r = {capacity}", method, _six_tasks, arguments)
    if seed == 0 and not quick:
        for leak in (False, True):
            for method in (ALONE, TOGETHER):
                split = "with the leak" if leak else "split by sentence"
                yield Job(f"MR and SST, {split}", method, _leak, (seed, method, leak))


def _six_tasks(net: str, capacity: int, seed: int, method: str) -> Row:
    tasks = {name: sentiment_task(name, net, N_ROWS, seed) for name in SENTIMENT}
    return _best(tasks, net, capacity, seed, method, GRID[net])


def _leak(seed: int, method: str, leak: bool) -> Row:
    tasks = {name: sentiment_task(name, "LSTM", LEAK_ROWS, seed, leak=leak) for name in LEAKY}
    params: Params = {"learning_rate_init": 4e-3, "max_iter": LEAK_EPOCHS}
    return _best(tasks, "LSTM", LEAK_CAPACITY, seed, method, (params,))


def _best(
    tasks: dict[str, Task],
    net: str,
    capacity: int,
    seed: int,
    method: str,
    grid: tuple[Params, ...],
) -> Row:
    """Test accuracies with the parameters that are best on validation rows over all tasks."""
    tried = []
    for params in grid:
        groups = [[name] for name in tasks] if method == ALONE else [list(tasks)]
        scores: dict[str, tuple[float, float]] = {}
        for group in groups:
            model = estimator(net, capacity, seed, **params)
            X, y = (np.concatenate([tasks[name].train[part] for name in group]) for part in (0, 1))
            which = np.repeat(group, [len(tasks[name].train[1]) for name in group])
            model.fit(X, y, task=which)
            for name in group:
                sides = (tasks[name].validation, tasks[name].test)
                scores[name] = tuple(
                    float(np.mean(model.predict(X, task=np.full(len(X), name)) == y))
                    for X, y in sides
                )
        tried.append((np.mean([validation for validation, _ in scores.values()]), params, scores))
    return _best_tried(tried)


def transfer_jobs(seed: int, quick: bool) -> Iterator[Job]:
    """Accuracy of the targets, one at a time, per way to use the source."""
    for net in ("MLP",) if quick else ("LSTM", "MLP"):
        for method in TRANSFER:
            yield Job(f"{net}, 32 units", method, _targets, (net, seed, method))


def _targets(net: str, seed: int, method: str) -> Row:
    """Each target's test accuracy; parameters chosen by validation over the targets."""
    source_rows = sentiment_task(SOURCE, net, N_SOURCE_ROWS, seed)
    base = GRID[net][0]
    source = estimator(net, 32, seed, **base).fit(*source_rows.train)
    targets = {
        name: sentiment_task(name, net, N_TARGET_ROWS, seed) for name in SENTIMENT if name != SOURCE
    }
    solver = solver_of(net)
    penalties: tuple[float, ...] = (0.0,)  # not used
    if method.startswith("R"):
        penalties = PENALTIES[solver]["free" if method.endswith("free") else "penalised"]
    tried = []
    grid = [params for params in GRID[net] if "max_iter" not in params]
    for params, penalty in product(grid, penalties):
        training: Params = {"tol": 1e-3}
        if solver == "adam":
            training = {"max_iter": TARGET_EPOCHS, "batch_size": 16, "n_iter_no_change": 1000}
        chosen = params | ({"alignment_alpha": penalty} if penalty else {})
        scores = {}
        for name, task in targets.items():
            if method == "scratch":
                model = estimator(net, 32, seed, **(params | training))
            else:
                model = AlignedTransferClassifier(
                    source,
                    alignment_alpha=penalty,
                    solver=solver,
                    random_state=seed,
                    **(TRANSFER[method] | params | training),
                )
            model.fit(*task.train)
            scores[name] = (model.score(*task.validation), model.score(*task.test))
        tried.append((np.mean([validation for validation, _ in scores.values()]), chosen, scores))
    return _best_tried(tried)


def _best_tried(tried: list[tuple[float, Params, dict[str, tuple[float, float]]]]) -> Row:
    """The test scores of what has the best mean score on validation rows."""
    validation, params, scores = max(tried, key=lambda one: one[0])
    return {
        "scores": {name: round(100 * test, 3) for name, (_, test) in scores.items()},
        "validation": round(100 * float(validation), 3),
        "chosen": params,
    }
