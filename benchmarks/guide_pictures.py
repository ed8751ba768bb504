"""The user guide's pictures of which tasks help: six kinds of sentences, and 29 mine fields.

Prints a report for each, and saves four pictures to ``docs/guide/pictures``. Takes some three
minutes on two cores. The data are not part of the package: the environment variable
``SK_MTL_DATA`` names their folder.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from _data import load, texts
from _texts import text_groups
from sk_mtl import MultiTaskAlignedClassifier
from sk_mtl.diagnostics import covariance_similarity, group_tasks, transfer_report
from sk_mtl.plotting import CovarianceSimilarityDisplay, TaskWeightDisplay, TransferDisplay

ROOT = Path(__file__).resolve().parent.parent

SENTENCES = {
    "reviews (mr)": ("mr", ("bad", "good")),
    "reviews (sst)": ("sst", ("bad", "good")),
    "products (cr)": ("cr", ("bad", "good")),
    "news (mpqa)": ("mpqa", ("bad", "good")),
    "opinion (subj)": ("subj", ("objective", "subjective")),
    "questions (trec)": ("trec", tuple("ABCDEF")),
}


def sentences(rows_per_task, seed=0):
    """Frozen sentence-encoder features; no sentence occurs twice, in whatever task."""
    rng = np.random.default_rng(seed)
    parts = {name: load(f"sentiment6_minilm/{file}") for name, (file, _) in SENTENCES.items()}
    group = text_groups([text for file, _ in SENTENCES.values() for text in texts(file)])
    X = np.concatenate([part["X"] for part in parts.values()]).astype(float)
    y = np.concatenate(
        [np.array(SENTENCES[name][1])[part["y"].astype(int)] for name, part in parts.items()]
    )
    task = np.repeat(list(parts), [len(part["y"]) for part in parts.values()])
    order = rng.permutation(len(X))
    first = order[np.unique(group[order], return_index=True)[1]]
    chosen = [rng.permutation(first[task[first] == name])[:rows_per_task] for name in parts]
    rows = np.concatenate(chosen)
    return X[rows], y[rows], task[rows]


def mine_fields(rows_per_field, seed=0):
    """Radar features: mine or clutter."""
    rng = np.random.default_rng(seed)
    data = load("tabular/landmine")
    fields = np.unique(data["task"])
    of_fields = [rng.permutation(np.flatnonzero(data["task"] == field)) for field in fields]
    rows = np.concatenate([of_field[:rows_per_field] for of_field in of_fields])
    return data["X"][rows].astype(float), data["y"][rows].astype(int), data["task"][rows]


def show(display, name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    display.figure_.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight")


def main(folder=ROOT / "docs" / "guide" / "pictures"):
    mpl.use("Agg")
    model = MultiTaskAlignedClassifier(random_state=0)

    X, y, task = sentences(120)
    report = transfer_report(model, X, y, task=task, n_jobs=2, random_state=0)
    print(report)
    print(report.table[["gain", "standard_error", "verdict", "best_partner"]].to_string())
    show(TransferDisplay(report.transfer, score_name="accuracy").plot(), "sentences_gain", folder)
    scaled = (X - X.mean(axis=0)) / X.std()
    names, similarity = np.unique(task), covariance_similarity(scaled, task=task)
    show(
        CovarianceSimilarityDisplay(similarity, tasks=names).plot(),
        "sentences_similarity",
        folder,
    )

    X, y, field = mine_fields(200)
    report = transfer_report(
        model, X, y, task=field, scoring="roc_auc", pairs=False, n_jobs=2, random_state=0
    )
    print(report)
    display = TaskWeightDisplay(
        report.table["gain"],
        standard_error=report.table["standard_error"],
        tasks=[f"field {name}" for name in report.table.index],
        weight_name="gain in ROC AUC by training with the other fields",
    )
    show(display.plot(), "fields_gain", folder)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    similarity = covariance_similarity(scaled, task=field)
    groups = group_tasks(similarity / np.sqrt(np.outer(*[np.diag(similarity)] * 2)), n_groups=2)
    print("Two groups by covariance:", groups)
    show(CovarianceSimilarityDisplay(similarity).plot(), "fields_similarity", folder)


if __name__ == "__main__":
    main()
