"""Puts the results of `bench_accuracy` into README: run it after the benchmark."""

import json
import re
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
METHODS = {
    "per_task": "one per task",
    "pooled": "pooled",
    "aligned_alone": "sk_mtl, no sharing",
    "aligned_tied": "sk_mtl, one head",
    "aligned": "sk_mtl, defaults",
    "aligned_cv": "sk_mtl, tunes itself",
}
DATA = {
    "polarity": "sentiment of 4 kinds of sentences",
    "amazon400": "reviews from 4 shops",
    "landmine": "29 mine fields",
    "school": "exams in 139 schools",
    "tox21": "12 toxicity labels, gaps, shared rows",
}
M = {"tox21": 256}
"""Training rows where they are not 64 a task: in all, as the tasks share rows."""

METRICS = {"accuracy": "accuracy", "roc_auc": "ROC AUC"}
BLOCK = re.compile(r"(<!-- table -->\n).*?(\n## )", re.DOTALL)


def summary() -> str:
    """Mean scores over tasks and seeds, a line per data set."""
    rows = json.loads((ROOT / "benchmarks/results/accuracy.json").read_text(encoding="utf-8"))
    head = ["tasks", "training rows a task", "metric", *METHODS.values()]
    lines = [head, ["---"] * len(head)]
    for name, words in DATA.items():
        m = M.get(name, 64)
        of_data = [row for row in rows if (row["data"], row["m"]) == (name, m)]
        if not of_data:
            continue
        size = f"{m} in all" if name in M else str(m)
        by_method = [[row for row in of_data if row["method"] == method] for method in METHODS]
        # All methods on the same draws: some have more of them.
        seeds = set.intersection(*({row["seed"] for row in own} for own in by_method if own))
        means = [_mean([row for row in own if row["seed"] in seeds]) for own in by_method]
        lines.append([words, size, METRICS[of_data[0]["metric"]], *means])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _mean(rows: list[dict]) -> str:
    """The mean over seeds, where there is a result."""
    scores = [row["score"] for row in rows if row["score"] is not None]
    return f"{np.mean(scores):.1f}" if scores else "-"


def with_summary(readme: str) -> str:
    """README with its table made anew."""
    text, times = BLOCK.subn(lambda match: match[1] + summary() + match[2], readme)
    if times != 1:
        raise SystemExit("README.md needs one block between <!-- table --> and the next heading.")
    return text


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_summary(path.read_text(encoding="utf-8")), encoding="utf-8")
