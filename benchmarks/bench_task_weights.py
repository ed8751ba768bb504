"""Do weights for the tasks help, with and without label noise in one of them?

::

    python benchmarks/bench_task_weights.py                      # everything that is not done yet
    python benchmarks/bench_task_weights.py --quick              # one seed of the fast data sets
    python benchmarks/bench_task_weights.py --data scene --methods equal paper --redo

Per data set and seed one task is drawn, and a share of its training labels are replaced by random
ones. Every method fits the same rows; test labels are clean. To choose between methods without a
look at test rows, each is also fitted to two thirds of the training rows and scored on the rest.

Results go to a JSON file, one line per data set, noise, model, seed and method, after each fit: a
run that was interrupted goes on where it stopped. The tables are printed, and written beside the
JSON file as markdown. Let only one run at a time write to a file.
"""

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from threadpoolctl import threadpool_limits

from _data import Tasks, data_folder
from _loaders import LOADERS
from _ours import fitted_answers
from _results import Row, write, write_results
from _scores import score_tasks
from _splits import split
from _weights_table import KEY, key, tables
from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

RESULTS = Path(__file__).parent / "results" / "task_weights.json"
QUICK = ("emotions", "landmine")
NOISE = (0.0, 0.2)
"""Share of the labels of one task that are random."""

SHARED = {"emotions": 200, "scene": 300, "birds": 300, "tox21": 400}
"""Data sets whose tasks share all rows, and training rows in all."""

OWN_ROWS = {"amazon400": 128, "polarity": 128, "landmine": 64}
"""Data sets whose tasks have rows of their own, and training rows a task."""

SETTINGS = SHARED | OWN_ROWS

FIXED = {"head_alpha": 2.0, "input_scaling": "principal"}
"""What the results in the file are of, whatever the defaults for a wide y are by now."""

MODELS: dict[str, dict[str, Any]] = {
    "default": FIXED,
    "plain": FIXED
    | {
        "alignment": None,
        "skip_connection": False,
        "hidden_layer_sizes": (8,),
        "head_alpha": 0.02,
    },
}
"""The estimator's defaults, and hard parameter sharing with heads that are nearly free."""

PLAIN_DATA = ("emotions", "scene", "birds")
"""Where the second model is tried as well."""


def svd(**params: Any) -> Callable[[int, int], SVDTaskReweighter]:
    """Weights by SVDTaskReweighter."""
    return lambda noisy, n_tasks: SVDTaskReweighter(**params)


def constant(task_weight: Any) -> Callable[[int, int], Any]:
    """The same ``task_weight`` on all data."""
    return lambda noisy, n_tasks: task_weight


def informed(noisy: int, n_tasks: int) -> Any:
    """Control: half the weight for the noisy task, which no method can know."""
    weight = np.where(np.arange(n_tasks) == noisy, 0.5, 1.0)
    return weight / weight.mean()


PAPER = {"center": False, "scale": False}
METHODS: dict[str, Callable[[int, int], Any]] = {
    "equal": constant(None),
    "balanced": constant("balanced"),
    "uncertainty": constant("uncertainty"),
    "informed": informed,
    "paper": svd(**PAPER, shrinkage=0),
    "paper, half": svd(**PAPER, shrinkage=0.5),
    "scaled": svd(shrinkage=0),
    "scaled, half": svd(shrinkage=0.5),
    "scaled, 90 %": svd(shrinkage=0, n_components=0.9),
    "scaled, 90 %, half": svd(shrinkage=0.5, n_components=0.9),
    "aligned, half": svd(
        shrinkage=0.5, aligner=MultiTaskAlignedClassifier(alignment_alpha=1, random_state=0)
    ),
}
FOR_PLAIN = ("equal", "uncertainty", "informed", "paper", "scaled", "scaled, half", "scaled, 90 %")


def with_noise(train: Tasks, noise: float, seed: int) -> tuple[Tasks, int]:
    """Training rows with a share of one task's labels drawn anew, 0 or 1, and that task."""
    rng = np.random.default_rng([seed, 1])
    noisy = int(rng.integers(len(train.names)))
    y = train.y.copy()
    labels = y[train.at(noisy)]
    labelled = np.flatnonzero(~np.isnan(labels))
    drawn = rng.choice(labelled, round(noise * len(labelled)), replace=False)
    labels[drawn] = rng.integers(2, size=len(drawn))
    y[train.at(noisy)] = labels
    return replace(train, y=y), noisy


def fit_and_score(
    train: Tasks, test: Tasks, seed: int, params: dict[str, Any]
) -> tuple[dict[str, float], Any]:
    """Scores of the tasks, and the fitted estimator."""
    estimator = MultiTaskAlignedClassifier(random_state=seed, **params)
    return score_tasks(test, fitted_answers(estimator, train, test)), estimator


def run(what: Row, train: Tasks, test: Tasks) -> Row:
    """Fit and score a method; the fields of a result that it determines."""
    seed = what["seed"]
    train, noisy = with_noise(train, what["noise"], seed)
    task_weight = METHODS[what["method"]](noisy, len(train.names))
    params = MODELS[what["model"]] | {"task_weight": task_weight}
    scores, estimator = fit_and_score(train, test, seed, params)
    order = np.random.default_rng(seed).permutation(len(train.X))
    held_out, fitted = np.split(order, [len(order) // 3])
    inner, _ = fit_and_score(train.take(fitted), train.take(held_out), seed, params)
    clean = [score for name, score in scores.items() if name != train.names[noisy]]
    return {
        "metric": test.metric,
        "noisy_task": train.names[noisy],
        "weight": round(float(estimator.task_weight_[noisy]), 3),
        "score": round(float(np.mean(list(scores.values()))), 3),
        "clean": round(float(np.mean(clean)), 3),
        "held_out": round(float(np.mean(list(inner.values()))), 3),
        "sklearn": sklearn.__version__,
    }


def applies(method: str, model: str, name: str, noise: float) -> bool:
    """Whether a method is tried there; elsewhere it makes no sense or no difference."""
    if model == "plain" and (name not in PLAIN_DATA or method not in FOR_PLAIN):
        return False
    if method == "informed":
        return noise > 0
    if method == "balanced":
        return name == "tox21"  # the one where tasks differ in the number of labels
    return name in OWN_ROWS or not method.startswith("aligned")


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", nargs="+", choices=SETTINGS, help="default: all")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", type=int, help="how many (default: 5)")
    parser.add_argument("--quick", action="store_true", help=f"one seed of {', '.join(QUICK)}")
    parser.add_argument("--redo", action="store_true", help="run finished results again")
    parser.add_argument("--threads", type=int, default=1, help="of the linear algebra (default: 1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file of the results")
    arguments = parser.parse_args()
    arguments.data = arguments.data or (list(QUICK) if arguments.quick else list(SETTINGS))
    arguments.seeds = arguments.seeds or (1 if arguments.quick else 5)
    return arguments


def main() -> None:
    """Run what is not done yet and print the tables."""
    arguments = parse_arguments()
    data_folder()
    out: Path = arguments.out
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else []
    done = set() if arguments.redo else {key(row) for row in rows}
    with threadpool_limits(arguments.threads):
        for name in arguments.data:
            m = SETTINGS[name]
            todo = [
                dict(zip(KEY, (model, noise, name, m, method, seed), strict=True))
                for seed in range(arguments.seeds)
                for model in arguments.models
                for noise in NOISE
                for method in arguments.methods
                if applies(method, model, name, noise)
            ]
            todo = [row for row in todo if key(row) not in done]
            data = LOADERS[name]() if todo else None
            for row in todo:
                train, test = split(data, m, row["seed"])
                row |= run(row, train, test)
                rows = [old for old in rows if key(old) != key(row)] + [row]
                write_results(out, rows, key)
                print(*key(row), f"{row['score']:.2f}", flush=True)
    chosen = [row for row in rows if row["data"] in arguments.data]
    print("\n" + tables(chosen, list(METHODS)))
    write(out.with_suffix(".md"), tables(rows, list(METHODS)))


if __name__ == "__main__":
    main()
