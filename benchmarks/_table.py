"""The markdown table of the accuracy benchmark."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np

Row = dict[str, Any]
Runs = dict[int, Row]  # seed -> the result of one method on one setting

BASELINES = ("per_task", "pooled")
HEADER = (
    "data",
    "m",
    "metric",
    "method",
    "seeds",
    "score",
    "gain over per_task",
    "gain over the better baseline",
    "worst task",
    "CPU s",
    "wall s",
)
LEGEND = f"""\
Scores are means over tasks, then over seeds, in %; gains are paired over seeds, ± their standard
error. The better of the baselines ({", ".join(BASELINES)}) is the one with the higher mean over
seeds. Worst task: the lowest difference from per_task that a task has, on average over seeds. m:
training rows a task (tox21: in all). Seconds are of one fit and predict."""


def table(rows: Iterable[Row]) -> str:
    """One line per data set, size and method.

    Parameters
    ----------
    rows : iterable of dict
        Results as `bench_accuracy` stores them.

    Returns
    -------
    str
        Markdown.
    """

    def setting(row: Row) -> tuple[str, int]:
        return row["data"], row["m"]

    lines = [HEADER, ("---",) * len(HEADER)]
    for _, of_setting in groupby(sorted(rows, key=setting), key=setting):
        lines += _lines(list(of_setting))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + LEGEND + "\n"


def _lines(rows: list[Row]) -> list[tuple[str, ...]]:
    """The lines of one data set and size, the baselines first."""
    methods: dict[str, Runs] = {name: {} for name in BASELINES}
    for row in rows:
        methods.setdefault(row["method"], {})[row["seed"]] = row
    if all(methods[name] for name in BASELINES):
        better = max((methods[name] for name in BASELINES), key=lambda runs: _mean(runs, "score"))
    else:
        better = {}
    return [
        (
            rows[0]["data"],
            str(rows[0]["m"]),
            rows[0]["metric"],
            name,
            str(len(runs)),
            f"{_mean(runs, 'score'):.2f}",
            _gain(runs, methods["per_task"]),
            _gain(runs, better),
            _worst_task(runs, methods["per_task"]),
            f"{_mean(runs, 'cpu_seconds'):.2f}",
            f"{_mean(runs, 'wall_seconds'):.2f}",
        )
        for name, runs in methods.items()
        if runs
    ]


def _mean(runs: Runs, field: str) -> float:
    """The mean over seeds."""
    return float(np.mean([run[field] for run in runs.values()]))


def _gain(runs: Runs, baseline: Runs) -> str:
    """Mean gain over a baseline on the seeds both have, ± its standard error."""
    seeds = sorted(runs.keys() & baseline.keys())
    if runs is baseline or not seeds:
        return "-"
    gains = [runs[seed]["score"] - baseline[seed]["score"] for seed in seeds]
    if len(seeds) == 1:
        return f"{gains[0]:+.2f}"
    return f"{np.mean(gains):+.2f} ± {np.std(gains, ddof=1) / len(seeds) ** 0.5:.2f}"


def _worst_task(runs: Runs, baseline: Runs) -> str:
    """The task that loses most against a baseline: its mean difference and its name."""
    seeds = sorted(runs.keys() & baseline.keys())
    if runs is baseline or not seeds:
        return "-"
    differences = {
        task: np.mean([runs[seed]["tasks"][task] - baseline[seed]["tasks"][task] for seed in seeds])
        for task in runs[seeds[0]]["tasks"]
    }
    worst = min(differences, key=lambda task: differences[task])
    return f"{differences[worst]:+.2f} ({worst})"
