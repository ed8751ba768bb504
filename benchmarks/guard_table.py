"""Does selective transfer keep the gains and avoid the losses? From `bench_accuracy`'s results.

::

    python benchmarks/guard_table.py

prints the table and writes it to ``results/guard.md``.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from _markdown import markdown
from _results import write

RESULTS = Path(__file__).parent / "results"
METHODS = ("aligned", "selective")
HEADER = (
    "data",
    "m",
    "seeds",
    "gain, aligned",
    "gain, selective",
    "kept",
    "tasks",
    "worst task, aligned",
    "worst task, selective",
    "below -0.5, aligned",
    "below -0.5, selective",
)
LEGEND = """\
Differences from per_task (a tuned linear model per task) in points, means over seeds.
Gain: of the mean over tasks. Kept: the share of the multi-task model's gain that selective
transfer keeps, where there is one. Worst task: the lowest mean difference of a task, ± its
standard error if there are several seeds. Below: tasks whose mean difference is below -0.5; in
brackets those for which that is beyond 2 standard errors. selective: SelectiveTransferClassifier or
Regressor of aligned and per_task, by the likelihood of held-out labels, or by roc_auc where that is
the metric.
"""

Differences = NDArray[np.float64]  # (n_seeds, n_tasks), NaN where a task has no score


def table(rows: list[dict]) -> str:
    """One line per data set and size."""
    by_key = {
        (row["data"], row["m"], row["method"], row["seed"]): row
        for row in rows
        if row["score"] is not None
    }
    settings = sorted({key[:2] for key in by_key if key[2] == "selective"})
    total = np.zeros(len(METHODS))
    lines = [HEADER]
    for data, m in settings:
        seeds = [
            seed
            for seed in sorted({key[3] for key in by_key})
            if all((data, m, method, seed) in by_key for method in ("per_task", *METHODS))
        ]
        if not seeds:
            continue
        gains, worst, below = [], [], []
        for method in METHODS:
            pairs = [
                (by_key[data, m, method, seed], by_key[data, m, "per_task", seed]) for seed in seeds
            ]
            gains.append(np.mean([ours["score"] - theirs["score"] for ours, theirs in pairs]))
            names = sorted({name for ours, _ in pairs for name in ours["tasks"]})
            differences = np.array(
                [
                    [o["tasks"].get(n, np.nan) - t["tasks"].get(n, np.nan) for n in names]
                    for o, t in pairs
                ]
            )
            means, errors = _means(differences)
            at = int(np.nanargmin(means))
            error = f" ± {errors[at]:.2f}" if np.isfinite(errors[at]) else ""
            worst.append(f"{means[at]:+.2f}{error} ({names[at]})")
            sure = np.nansum(means + 2 * errors < -0.5)
            below.append(f"{np.nansum(means < -0.5)} ({sure})")
        total += gains
        kept = f"{gains[1] / gains[0]:.0%}" if gains[0] > 0 else "-"
        sizes = (data, str(m), str(len(seeds)), *(f"{gain:+.2f}" for gain in gains), kept)
        lines.append((*sizes, str(len(names)), *worst, *below))
    summed = f"Of the gains summed over all lines, selective keeps {total[1] / total[0]:.0%}."
    return f"{markdown(lines)}\n\n{summed}\n\n{LEGEND}"


def _means(differences: Differences) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard error of each task over the seeds in which it has a score."""
    n = (~np.isnan(differences)).sum(axis=0)
    spread = np.nanstd(differences, axis=0) * np.sqrt(n / np.maximum(n - 1, 1))
    return np.nanmean(differences, axis=0), np.where(n > 1, spread / np.sqrt(n), np.inf)


if __name__ == "__main__":
    results = json.loads((RESULTS / "accuracy.json").read_text(encoding="utf-8"))
    print(table(results))
    write(RESULTS / "guard.md", table(results))
