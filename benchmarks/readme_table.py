"""Puts the results of `bench_accuracy` into README: run it after the benchmark."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from _markdown import markdown

ROOT = Path(__file__).resolve().parent.parent
METHODS = {
    "per_task": "LR per task",
    "pooled": "LR pooled",
    "hgb_pooled": "boosting",
    "torchjd_mean": "hard sharing",
    "aligned": "sk_mtl",
    "aligned_cv": "sk_mtl CV",
}
CONTROLS = {
    "per_task": "LR per task",
    "aligned_alone": "sk_mtl, each task alone",
    "aligned_tied": "sk_mtl, one head for all",
    "aligned": "sk_mtl",
}
DATA = {
    "polarity": "sentiment of 4 kinds of sentences",
    "amazon400": "reviews from 4 shops",
    "landmine": "29 mine fields",
    "school": "exams in 139 schools",
    "tox21": "12 toxicity labels, gaps, shared rows",
    "birds": "birds in sound recordings, shared rows",
}
M = {"tox21": 256, "birds": 256}
"""Training rows where they are not 64 a task: in all, as the tasks share rows."""

METRICS = {"accuracy": "accuracy", "roc_auc": "ROC AUC"}
BLOCK = re.compile(r"(<!-- table -->\n).*?(\n<!-- end of table -->)", re.DOTALL)


def means(methods: dict[str, str]) -> Iterator[tuple[str, str, str, int, list[float]]]:
    """Of each data set its words, its size, the metric, the draws, and the methods' means."""
    rows = json.loads((ROOT / "benchmarks/results/accuracy.json").read_text(encoding="utf-8"))
    for name, words in DATA.items():
        m = M.get(name, 64)
        runs: dict[str, dict[int, float]] = {method: {} for method in methods}
        for row in rows:
            if (row["data"], row["m"]) == (name, m) and row["method"] in runs:
                runs[row["method"]][row["seed"]] = row["score"]
                metric = METRICS[row["metric"]]
        # All methods on the same draws: some have more of them.
        seeds = set.intersection(*(set(own) for own in runs.values()))
        if seeds:
            found = [float(np.mean([own[seed] for seed in seeds])) for own in runs.values()]
            yield words, f"{m} in all" if name in M else str(m), metric, len(seeds), found


def summary(methods: dict[str, str] = METHODS) -> str:
    """Mean scores over tasks and draws, a line per data set, the best in bold."""
    head = ["tasks", "rows a task", "metric", "draws", *methods.values()]
    lines = [head]
    for words, size, metric, n_draws, found in means(methods):
        scores = [f"{score:.1f}" for score in found]
        best = f"{max(found):.1f}"
        scores = [f"**{score}**" if score == best else score for score in scores]
        lines.append([words, size, metric, str(n_draws), *scores])
    return markdown(lines) + "\n"


def with_summary(readme: str) -> str:
    """README with its table made anew."""
    text, times = BLOCK.subn(lambda match: match[1] + summary() + match[2], readme)
    if times != 1:
        raise SystemExit("README.md needs <!-- table --> once, and <!-- end of table -->.")
    return text


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_summary(path.read_text(encoding="utf-8")), encoding="utf-8")
