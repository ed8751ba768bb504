"""How accurate are the multi-task models, against what people would use otherwise?

::

    python benchmarks/bench_accuracy.py                      # everything that is not done yet
    python benchmarks/bench_accuracy.py --quick              # one seed of three fast data sets
    python benchmarks/bench_accuracy.py --data landmine --methods per_task aligned_cv --redo
    python benchmarks/goals_table.py                         # what was asked for, and is it so?

Needs the extra ``[bench]``; methods whose packages are missing are left out. Results go to a JSON
file, one line per data set, size, seed and method, after each fit: a run that was interrupted goes
on where it stopped, and one that has gone through small sizes and few seeds has them for all data
sets. A fit that takes longer than ``--limit`` is given up and noted as such, and its method is not
run on further seeds of that setting. The tables are printed, and written beside the JSON file as
markdown. Only one run at a time may write to a file: a second one ends with a message.
"""

import argparse
import json
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import sklearn

from _baselines import per_task, pooled
from _data import Tasks, data_folder
from _loaders import LOADERS
from _lock import only_writer
from _ours import aligned, aligned_alone, aligned_cv, aligned_grid, aligned_tied, selective
from _peers import (
    hgb,
    hgb_pooled,
    lgbm,
    lgbm_pooled,
    mlp,
    realmlp,
    torchjd_mean,
    torchjd_upgrad,
    uncertainty,
)
from _results import Row, write, write_results
from _scores import Answer, score, score_tasks
from _splits import split
from _table import tables
from _worker import run_limited

ALL = 4000
"""Training rows a task where a size is called "all": so many, if there are."""

SIZES = (16, 64, 256, 1024, ALL)
"""Training rows a task; in all where tasks share rows. A set has those up to its share."""

FEWEST = {"tox21": 128, "sider": 64, "birds": 64}
"""Where smaller sizes have rows of one class alone, for most labels."""

QUICK = ("amazon400", "emotions", "jura")
RESULTS = Path(__file__).parent / "results" / "accuracy.json"

METHODS: dict[str, Callable[[Tasks, Tasks, int], list[Answer]]] = {
    "per_task": per_task,
    "pooled": pooled,
    "aligned": aligned,
    "aligned_cv": aligned_cv,
    "aligned_alone": aligned_alone,
    "aligned_tied": aligned_tied,
    "selective": selective,
    "hgb": hgb,
    "hgb_pooled": hgb_pooled,
    "lgbm": lgbm,
    "lgbm_pooled": lgbm_pooled,
    "mlp": mlp,
    "torchjd_mean": torchjd_mean,
    "torchjd_upgrad": torchjd_upgrad,
    "uncertainty": uncertainty,
    "realmlp": realmlp,
    "aligned_grid": aligned_grid,
}

NEEDS = {
    "lgbm": ("lightgbm",),
    "lgbm_pooled": ("lightgbm",),
    "realmlp": ("pytabkit",),
    "torchjd_mean": ("torchjd",),
    "torchjd_upgrad": ("torchjd", "qpsolvers", "quadprog"),
    "uncertainty": ("torchjd",),
}
"""Packages of the extra ``[bench]``."""


def fit_and_score(method: str, train: Tasks, test: Tasks, seed: int) -> Row:
    """The scores of one method."""
    answers = METHODS[method](train, test.without_labels(), seed)
    tasks = {name: round(own, 3) for name, own in score_tasks(test, answers).items()}
    return {"score": round(score(test, answers), 4), "tasks": tasks}


def with_packages(methods: list[str]) -> list[str]:
    """Those of the methods whose packages are installed; a message if any is not."""
    there = []
    for method in methods:
        missing = [package for package in NEEDS.get(method, ()) if not find_spec(package)]
        if missing:
            print(f"{method} is left out: no {', '.join(missing)} (install the extra [bench]).")
        else:
            there.append(method)
    return there


def warm_up(methods: list[str]) -> None:
    """Fit to a toy, so that what packages import at the first fit is no part of a fit's time."""
    X = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
    y, task = (X[:, 0] > 0).astype(float), np.repeat([0, 1], 20)
    toy = Tasks(X, y, task, ("a", "b"), "accuracy")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in methods:
            if method == "aligned" or method in NEEDS:
                fit_and_score(method, toy, toy, seed=0)


def key(row: Row) -> tuple[str, int, int, str]:
    """What identifies a result."""
    return row["data"], row["m"], row["seed"], row["method"]


def sizes_of(name: str) -> list[int]:
    """The sizes of a data set: up to the first that is all of the rows it may train on."""
    data = LOADERS[name]()
    tasks = data.tasks
    counts = [len(tasks.rows(task)) for task in range(len(tasks.names))]
    largest = int(max(counts) * data.most)
    sizes = [m for m in SIZES if FEWEST.get(name, 0) <= m < largest]
    if not sizes or sizes[-1] < largest:
        sizes.append(min(largest, ALL))
    return list(dict.fromkeys(sizes))


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", nargs="+", choices=LOADERS, help="default: all")
    parser.add_argument("--sizes", nargs="+", type=int, help="default: all of each data set")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, help="how many (default: 5)")
    parser.add_argument("--quick", action="store_true", help=f"one seed of {', '.join(QUICK)}")
    parser.add_argument("--redo", action="store_true", help="run finished results again")
    parser.add_argument("--tables", action="store_true", help="run nothing")
    parser.add_argument("--limit", type=int, default=120, help="seconds of a fit (default: 120)")
    parser.add_argument("--out", type=Path, default=RESULTS, help="JSON file of the results")
    arguments = parser.parse_args()
    arguments.data = arguments.data or list(QUICK if arguments.quick else LOADERS)
    if arguments.quick and not arguments.sizes:
        arguments.sizes = [64]
    arguments.seeds = arguments.seeds or (1 if arguments.quick else 5)
    return arguments


def main() -> None:
    """Run what is not done yet and print the tables."""
    arguments = parse_arguments()
    out: Path = arguments.out
    if arguments.tables:
        rows = read(out)
    else:
        data_folder()
        with only_writer(out):
            rows = run_all(arguments, read(out))
        print("\n" + tables([row for row in rows if row["data"] in arguments.data]))
    write(out.with_suffix(".md"), tables(rows))


def read(path: Path) -> list[Row]:
    """The results so far."""
    rows: list[Row] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    return rows


def run_all(arguments: argparse.Namespace, rows: list[Row]) -> list[Row]:
    """All results, with those that were not there yet: small sizes first, then seed by seed."""
    methods = with_packages(arguments.methods)
    warm_up(methods)
    # What failed is tried again: the next run may be of mended code.
    done = set() if arguments.redo else {key(row) for row in rows if "error" not in row}
    sizes = {name: sizes_of(name) for name in arguments.data}
    chosen = arguments.sizes or {m for of_data in sizes.values() for m in of_data}
    for m in sorted(set(chosen)):
        for seed in range(arguments.seeds):
            for name in arguments.data:
                todo = [method for method in methods if (name, m, seed, method) not in done]
                if m not in sizes[name] or not todo:
                    continue
                train, test = split(LOADERS[name](), m, seed)
                for method in todo:
                    row = {"data": name, "m": m, "seed": seed, "method": method}
                    if given_up(rows, row, arguments.redo):
                        continue
                    row |= {"metric": test.metric, "sklearn": sklearn.__version__}
                    fit = partial(fit_and_score, method, train, test, seed)
                    row |= run_limited(fit, arguments.limit)
                    rows = [old for old in rows if key(old) != key(row)] + [row]
                    write_results(arguments.out, rows, key)
                    print(*key(row), row["score"], row.get("wall_seconds"), flush=True)
    return rows


def given_up(rows: list[Row], wanted: Row, redo: bool) -> bool:
    """Whether the method was over the limit on the first seed of this setting, or on another."""
    return any(
        row.get("over_limit", False)
        and all(row[field] == wanted[field] for field in ("data", "m", "method"))
        and (not redo or row["seed"] < wanted["seed"])
        for row in rows
    )


if __name__ == "__main__":
    main()
