"""The markdown tables of the benchmark of task weights."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from _markdown import markdown
from _results import Row

Runs = dict[int, Row]  # seed -> the result of one method in one setting
Setting = tuple[str, float, str, int]  # model, noise, data, m

KEY = ("model", "noise", "data", "m", "method", "seed")
FIELDS = ("score", "clean", "held_out")
GAINS = ("gain", "gain on clean tasks", "gain on held-out rows")
LEGEND = """\
Scores in %, means over tasks, then over seeds. Gains are over equal weights, paired over seeds, ±
their standard error. Clean tasks: all but the one whose labels are made random. Held-out rows: a
third of the training rows, scored by a model of the others. Weight: the noisy task's, in the
loss. m: training rows a task (emotions, scene, birds, tox21: in all).

Methods. informed: a control, half the weight for the noisy task. paper: SVDTaskReweighter with
center=False, scale=False. scaled: with both True. 90 %: n_components=0.9 instead of 1. half:
shrinkage=0.5 instead of 0. aligned: in the space X_i R_i of an aligner. Models. default:
MultiTaskAlignedClassifier with its defaults. plain: hard parameter sharing, with a narrow shared
layer, no path beside it and heads that are nearly free.
"""


def key(row: Row) -> tuple[Any, ...]:
    """What identifies a result."""
    return tuple(row[field] for field in KEY)


def tables(rows: Iterable[Row], methods: list[str]) -> str:
    """Means over the data sets, then the results on each of them.

    Parameters
    ----------
    rows : iterable of dict
        Results as `bench_task_weights` stores them.
    methods : list of str
        All methods, in the order of the table; "equal" is among them.

    Returns
    -------
    str
        Markdown.
    """
    results: dict[Setting, dict[str, Runs]] = {}
    for row in sorted(rows, key=lambda row: (key(row)[:4], methods.index(row["method"]))):
        *setting, method, seed = key(row)
        results.setdefault(tuple(setting), {}).setdefault(method, {})[seed] = row
    return "\n\n".join([_means(results, methods), _details(results), LEGEND])


def _means(results: dict[Setting, dict[str, Runs]], methods: list[str]) -> str:
    """One line per model, noise and method: the gains' means over the data sets."""
    lines = [("model", "noise", "method", "data sets", *GAINS, "worst data set, held-out rows")]
    for model, noise in sorted({setting[:2] for setting in results}):
        for method in methods[1:]:
            of_data = {
                data: {field: _gains(runs, method, field) for field in FIELDS}
                for (*at, data, _), runs in results.items()
                if at == [model, noise] and method in runs and "equal" in runs
            }
            if not of_data:
                continue
            per_seed = [
                np.mean(list(zip(*(of[field] for of in of_data.values()), strict=False)), axis=1)
                for field in FIELDS
            ]
            worst = min(of_data, key=lambda data: np.mean(of_data[data]["held_out"]))
            loss = f"{np.mean(of_data[worst]['held_out']):+.2f} ({worst})"
            means = map(_mean_and_error, per_seed)
            lines.append((model, f"{noise:.0%}", method, str(len(of_data)), *means, loss))
    return markdown(lines)


def _details(results: dict[Setting, dict[str, Runs]]) -> str:
    """One line per model, noise, data set and method."""
    at = ("model", "noise", "data", "m", "metric", "method")
    lines = [(*at, "seeds", "score", *GAINS, "weight")]
    for (model, noise, data, m), methods in results.items():
        for method, runs in methods.items():
            row = next(iter(runs.values()))
            score, weight = (
                f"{np.mean([run[field] for run in runs.values()]):.2f}"
                for field in ("score", "weight")
            )
            gains = [_mean_and_error(_gains(methods, method, field)) for field in FIELDS]
            gains = ["-"] * len(FIELDS) if method == "equal" else gains
            at = (model, f"{noise:.0%}", data, str(m), row["metric"], method)
            lines.append((*at, str(len(runs)), score, *gains, weight))
    return markdown(lines)


def _gains(methods: dict[str, Runs], method: str, field: str) -> list[float]:
    """Gains of a method over equal weights, one per seed that both have."""
    equal, runs = methods.get("equal", {}), methods[method]
    return [runs[seed][field] - equal[seed][field] for seed in sorted(runs.keys() & equal.keys())]


def _mean_and_error(gains: Any) -> str:
    """Mean ± standard error."""
    if len(gains) < 2:
        return "".join(f"{gain:+.2f}" for gain in gains) or "-"
    return f"{np.mean(gains):+.2f} ± {np.std(gains, ddof=1) / len(gains) ** 0.5:.2f}"
