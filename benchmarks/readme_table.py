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
}
DATA = {
    "polarity": "sentiment of 4 kinds of sentences",
    "amazon400": "reviews from 4 shops",
    "landmine": "29 mine fields",
    "school": "exams in 139 schools",
    "tox21": "12 toxicity labels, gaps, shared rows",
}
METRICS = {"accuracy": "accuracy", "roc_auc": "ROC AUC"}
BLOCK = re.compile(r"(<!-- table -->\n).*?(\n## )", re.DOTALL)


def summary() -> str:
    """Mean scores over tasks and seeds, a line per data set."""
    rows = json.loads((ROOT / "benchmarks/results/accuracy.json").read_text(encoding="utf-8"))
    head = ["tasks", "training rows a task", "metric", *METHODS.values()]
    lines = [head, ["---"] * len(head)]
    for name, words in DATA.items():
        of_data = [row for row in rows if row["data"] == name and row["m"] in (64, 512)]
        means = [
            np.mean([row["score"] for row in of_data if row["method"] == method])
            for method in METHODS
        ]
        size, metric = str(of_data[0]["m"]), METRICS[of_data[0]["metric"]]
        if name == "tox21":
            size += " in all"
        lines.append([words, size, metric, *(f"{mean:.1f}" for mean in means)])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def with_summary(readme: str) -> str:
    """README with its table made anew."""
    text, times = BLOCK.subn(lambda match: match[1] + summary() + match[2], readme)
    if times != 1:
        raise SystemExit("README.md needs one block between <!-- table --> and the next heading.")
    return text


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_summary(path.read_text(encoding="utf-8")), encoding="utf-8")
