"""How accurate are the multi-task models, against one model per task and one for all tasks?

::

    python benchmarks/bench_accuracy.py                      # everything that is not done yet
    python benchmarks/bench_accuracy.py --quick              # one seed of the fast data sets
    python benchmarks/bench_accuracy.py --data landmine --methods per_task aligned --redo

Results go to a JSON file, one line per data set, size, seed and method, after each fit: a run
that was interrupted goes on where it stopped. The table is printed, and written beside the JSON
file as markdown. Let only one run at a time write to a file.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
from sklearn.metrics import accuracy_score, roc_auc_score
from threadpoolctl import threadpool_limits

from _baselines import Probabilities, TunedLogisticRegression, per_task, pooled
from _data import LOADERS, Tasks, data_folder
from _results import write, write_results
from _splits import split
from _table import Row, table

SIZES = {
    "polarity": (16, 64, 256),
    "amazon400": (16, 64, 256),
    "landmine": (16, 64, 256),
    "school": (16, 64),
    "tox21": (128, 512),
}
"""Training rows a task (tox21: in all)."""

QUICK = ("amazon400", "landmine")
RESULTS = Path(__file__).parent / "results" / "accuracy.json"


def _aligned_class() -> Any:
    """MultiTaskAlignedClassifier; the program ends with a message where it cannot be imported."""
    try:
        from sk_mtl import MultiTaskAlignedClassifier
    except ImportError as error:
        sys.exit(f"The method 'aligned' needs sk_mtl ({error}). Install it: pip install -e .")
    return MultiTaskAlignedClassifier


def aligned(train: Tasks, test: Tasks, seed: int, **params: Any) -> Probabilities:
    """MultiTaskAlignedClassifier with its defaults."""
    estimator = _aligned_class()(random_state=seed, **params)
    if train.task is None:
        probability = estimator.fit(train.X, train.y).predict_proba(test.X)
    else:
        estimator.fit(train.X, train.y.astype(int), task=train.task)
        probability = estimator.predict_proba(test.X, task=test.task)[:, 1]
    return np.asarray(probability, dtype=float)


def aligned_alone(train: Tasks, test: Tasks, seed: int) -> Probabilities:
    """Control: the same recipe without sharing, a MultiTaskAlignedClassifier for each task."""
    probability = np.full(test.y.shape, np.nan)
    for task in range(len(train.names)):
        rows = train.labelled_rows(task)
        y = train.y[train.at(task)]
        estimator = _aligned_class()(random_state=seed).fit(train.X[rows], y[~np.isnan(y)])
        own = estimator.predict_proba(test.X[test.rows(task)])
        probability[test.at(task)] = own[:, 1] if own.shape[1] == 2 else estimator.classes_[0]
    return probability


def selective(train: Tasks, test: Tasks, seed: int) -> Probabilities:
    """SelectiveTransferClassifier: ours, blended task by task with what `per_task` fits."""
    from sk_mtl import SelectiveTransferClassifier

    alone = TunedLogisticRegression(train.metric, seed)
    estimator = SelectiveTransferClassifier(_aligned_class()(random_state=seed), alone)
    estimator.set_params(random_state=seed)
    if train.metric == "roc_auc":
        estimator.set_params(scoring="roc_auc")
    if train.task is None:
        return np.asarray(estimator.fit(train.X, train.y).predict_proba(test.X), dtype=float)
    estimator.fit(train.X, train.y.astype(int), task=train.task)
    return np.asarray(estimator.predict_proba(test.X, task=test.task)[:, 1])


def aligned_tied(train: Tasks, test: Tasks, seed: int) -> Probabilities:
    """Control: the same recipe with one head for all tasks, up to its bias."""
    return aligned(train, test, seed, head_alpha=1e6, alignment=None)


METHODS: dict[str, Callable[[Tasks, Tasks, int], Probabilities]] = {
    "per_task": per_task,
    "pooled": pooled,
    "aligned": aligned,
    "aligned_alone": aligned_alone,
    "aligned_tied": aligned_tied,
    "selective": selective,
}


def score_tasks(test: Tasks, probability: Probabilities) -> dict[str, float]:
    """Accuracy or ROC AUC of each task in %; tasks for which it is not defined are left out."""
    scores = {}
    for task, name in enumerate(test.names):
        y, p = test.y[test.at(task)], probability[test.at(task)]
        y, p = y[~np.isnan(y)], p[~np.isnan(y)]
        if test.metric == "accuracy" and len(y):
            scores[name] = 100 * float(accuracy_score(y, p > 0.5))
        elif len(np.unique(y)) == 2:
            scores[name] = 100 * float(roc_auc_score(y, p))
    return scores


def run(method: str, train: Tasks, test: Tasks, seed: int) -> Row:
    """Fit and score one method; the fields of a result that it determines."""
    wall, cpu = time.perf_counter(), time.process_time()
    probability = METHODS[method](train, test.without_labels(), seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    if probability.shape != test.y.shape or np.isnan(probability).any():
        raise ValueError(f"{method} gave no probability for some test rows")
    tasks = score_tasks(test, probability)
    return {
        "metric": test.metric,
        "score": round(float(np.mean(list(tasks.values()))), 4),
        "cpu_seconds": round(cpu, 3),
        "wall_seconds": round(wall, 3),
        "sklearn": sklearn.__version__,
        "tasks": {name: round(score, 3) for name, score in tasks.items()},
    }


def key(row: Row) -> tuple[str, int, int, str]:
    """What identifies a result."""
    return row["data"], row["m"], row["seed"], row["method"]


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", nargs="+", choices=SIZES, help="default: all")
    parser.add_argument("--sizes", nargs="+", type=int, help="of SIZES (default: all)")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, help="how many (default: 5)")
    parser.add_argument(
        "--quick", action="store_true", help=f"one seed and size of {', '.join(QUICK)}"
    )
    parser.add_argument("--redo", action="store_true", help="run finished results again")
    parser.add_argument("--threads", type=int, default=1, help="of the linear algebra (default: 1)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file of the results")
    arguments = parser.parse_args()
    arguments.data = arguments.data or (list(QUICK) if arguments.quick else list(SIZES))
    if arguments.quick and not arguments.sizes:
        arguments.sizes = [64]
    arguments.seeds = arguments.seeds or (1 if arguments.quick else 5)
    return arguments


def main() -> None:
    """Run what is not done yet and print the table."""
    arguments = parse_arguments()
    data_folder()
    if set(arguments.methods) - {"per_task", "pooled"}:
        _aligned_class()  # fail now rather than after the baselines; import outside of the timing
    out: Path = arguments.out
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else []
    done = set() if arguments.redo else {key(row) for row in rows}
    with threadpool_limits(arguments.threads):
        for name in arguments.data:
            todo = [
                (m, seed, method)
                for m in SIZES[name]
                for seed in range(arguments.seeds)
                for method in arguments.methods
                if m in (arguments.sizes or SIZES[name]) and (name, m, seed, method) not in done
            ]
            if not todo:
                continue
            data = LOADERS[name]()
            for m, seed, method in todo:
                train, test = split(data, m, seed)
                row = {"data": name, "m": m, "seed": seed, "method": method}
                row |= run(method, train, test, seed)
                rows = [old for old in rows if key(old) != key(row)] + [row]
                write_results(out, rows, key)
                seconds = row["wall_seconds"]
                print(
                    f"{name} m={m} seed={seed} {method}: {row['score']:.2f} ({seconds:.1f} s)",
                    flush=True,
                )
    chosen = [row for row in rows if row["data"] in arguments.data]
    print("\n" + table(chosen))
    write(out.with_suffix(".md"), table(rows))


if __name__ == "__main__":
    main()
