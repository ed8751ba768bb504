"""The markdown tables of the accuracy benchmark."""

from collections.abc import Iterable
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from _markdown import markdown
from _results import Row

Runs = dict[int, Row]  # seed -> the result of one method on one setting
Setting = tuple[str, int]

BASELINES = ("per_task", "pooled")
UNTUNED = (
    "aligned",
    "hgb",
    "hgb_pooled",
    "lgbm",
    "lgbm_pooled",
    "mlp",
    "realmlp",
    "torchjd_mean",
    "torchjd_upgrad",
    "uncertainty",
)
CONTROLS = ("aligned_alone", "aligned_tied")
"""Of the average ranks they are no part: nobody would know which of the two to take."""

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
Scores are means over tasks, then over seeds, in %: accuracy, ROC AUC, R^2, or (explained) the
share of the squares of all test rows that is explained. Gains are paired over seeds, ± their
standard error. The better of the baselines ({", ".join(BASELINES)}) is the one with the higher mean
over seeds. Worst task: the lowest difference from per_task that a task has, on average over seeds.
m: training rows a task, or in all where tasks share rows; at most half of a task's rows (75 % of
school_scores), and 4000. Seconds are of one fit and predict. "> s": given up after that time."""


def tables(rows: Iterable[Row]) -> str:
    """Average ranks, and a line per data set, size and method.

    Parameters
    ----------
    rows : iterable of dict
        Results as `bench_accuracy` stores them.

    Returns
    -------
    str
        Markdown.
    """
    results = by_setting(rows)
    lines = [HEADER]
    for setting in sorted(results):
        lines += _lines(setting, results[setting])
    parts = [
        "## Average ranks, of methods without tuning",
        rank_table(average_ranks(results, UNTUNED)),
        "## Average ranks, of all methods",
        rank_table(average_ranks(results, all_methods(results))),
        "## All results",
        markdown(lines),
        LEGEND,
    ]
    return "\n\n".join(parts) + "\n"


def by_setting(rows: Iterable[Row]) -> dict[Setting, dict[str, Runs]]:
    """Results by setting, method and seed."""

    def setting(row: Row) -> Setting:
        return row["data"], row["m"]

    results: dict[Setting, dict[str, Runs]] = {}
    for found, of_setting in groupby(sorted(rows, key=setting), key=setting):
        for row in of_setting:
            results.setdefault(found, {}).setdefault(row["method"], {})[row["seed"]] = row
    return results


def all_methods(results: dict[Setting, dict[str, Runs]]) -> list[str]:
    """What is ranked among all methods."""
    there = {name for of_setting in results.values() for name in of_setting}
    return sorted(there - set(CONTROLS))


def average_ranks(
    results: dict[Setting, dict[str, Runs]], methods: Iterable[str]
) -> tuple[list[str], NDArray[np.float64]]:
    """Ranks of the methods' means, on each setting over the seeds that all of them have.

    Methods count if they were run on half of the settings; settings, if all those were run on
    them. A method that was given up or failed has the last rank there.

    Returns
    -------
    methods : list of str
        Those that count.
    ranks : ndarray of shape (n_settings, n_methods)
        1 is the best.
    """
    n_runs = {name: sum(name in of_setting for of_setting in results.values()) for name in methods}
    names = [name for name in methods if n_runs[name] and 2 * n_runs[name] >= len(results)]
    found = []
    for of_setting in results.values():
        if not all(name in of_setting for name in names):
            continue
        runs = [finished(of_setting[name]) for name in names]
        seeds = set.intersection(*(set(own) for own in runs if own)) if any(runs) else set()
        if seeds:
            means = [mean({seed: own[seed] for seed in seeds}) if own else -np.inf for own in runs]
            found.append(rankdata(-np.array(means)))
    return names, np.array(found).reshape(len(found), len(names))


def rank_table(ranked: tuple[list[str], NDArray[np.float64]]) -> str:
    """A line per method, the best first."""
    names, ranks = ranked
    if not ranks.size:
        return "No setting has results of all methods yet."
    n_settings = len(ranks)
    error = ranks.std(axis=0, ddof=min(1, n_settings - 1)) / n_settings**0.5
    lines: list[tuple[str, ...]] = [("method", f"rank of {len(names)}", "first in", "settings")]
    for j in np.argsort(ranks.mean(axis=0)):
        rank = f"{ranks[:, j].mean():.2f} ± {error[j]:.2f}"
        lines.append((names[j], rank, str(int((ranks[:, j] == 1).sum())), str(n_settings)))
    return markdown(lines)


def finished(runs: Runs) -> Runs:
    """The runs that have a score."""
    return {seed: run for seed, run in runs.items() if run["score"] is not None}


def _lines(setting: Setting, methods: dict[str, Runs]) -> list[tuple[str, ...]]:
    """The lines of one data set and size, the baselines first."""
    baselines = [finished(methods.get(name, {})) for name in BASELINES]
    better = max(baselines, key=mean) if all(baselines) else {}
    ordered = [*(name for name in BASELINES if name in methods)]
    ordered += [name for name in methods if name not in BASELINES]
    lines = []
    for name in ordered:
        runs = finished(methods[name])
        first = (setting[0], str(setting[1]), next(iter(methods[name].values()))["metric"], name)
        if not runs:
            run = next(iter(methods[name].values()))
            why = f"> {run['limit']} s" if "over_limit" in run else "failed"
            lines.append((*first, "0", why, *("-",) * 5))
            continue
        lines.append(
            (
                *first,
                str(len(runs)),
                f"{mean(runs):.2f}",
                gain(runs, baselines[0]),
                gain(runs, better),
                _worst_task(runs, baselines[0]),
                f"{mean(runs, 'cpu_seconds'):.2f}",
                f"{mean(runs, 'wall_seconds'):.2f}",
            )
        )
    return lines


def mean(runs: Runs, field: str = "score") -> float:
    """The mean over seeds."""
    return float(np.mean([run[field] for run in runs.values()]))


def gains(runs: Runs, baseline: Runs) -> list[float]:
    """Differences from a baseline on the seeds both have."""
    seeds = sorted(runs.keys() & baseline.keys())
    return [runs[seed]["score"] - baseline[seed]["score"] for seed in seeds]


def gain(runs: Runs, baseline: Runs) -> str:
    """Mean gain over a baseline, ± its standard error."""
    found = gains(runs, baseline)
    if runs == baseline or not found:
        return "-"
    if len(found) == 1:
        return f"{found[0]:+.2f}"
    return f"{np.mean(found):+.2f} ± {np.std(found, ddof=1) / len(found) ** 0.5:.2f}"


def task_differences(runs: Runs, baseline: Runs) -> dict[str, float]:
    """Mean difference of each task from a baseline, over the seeds in which both have it."""
    found: dict[str, list[float]] = {}
    for seed in sorted(runs.keys() & baseline.keys()):
        others = baseline[seed]["tasks"]
        for task, own in runs[seed]["tasks"].items():
            if task in others:
                found.setdefault(task, []).append(own - others[task])
    return {task: float(np.mean(differences)) for task, differences in found.items()}


def _worst_task(runs: Runs, baseline: Runs) -> str:
    """The task that loses most against a baseline: its mean difference and its name."""
    differences = task_differences(runs, baseline)
    if runs == baseline or not differences:
        return "-"
    worst = min(differences, key=lambda task: differences[task])
    return f"{differences[worst]:+.2f} ({worst})"
