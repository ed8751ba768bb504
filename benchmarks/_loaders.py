"""The data sets of the accuracy benchmark."""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from _data import Dataset, Metric, Tasks, load, table, texts
from _texts import pair_groups, text_groups

POLARITY = ("mr", "cr", "mpqa", "sst")
FIRST_LABEL = {"subj": 2, "trec": 4}
"""Labels of tasks that mean something else than 0 and 1 of the polarity tasks."""


def _stacked(z: dict[str, NDArray[Any]], metric: Metric) -> Tasks:
    """A file with X, y and task as stacked tasks."""
    ids, task = np.unique(z["task"], return_inverse=True)
    names = tuple(map(str, z.get("task_names", ids)))
    return Tasks(z["X"].astype(np.float32), z["y"].astype(float), task, names, metric)


def _sentences(names: tuple[str, ...]) -> Dataset:
    """Text tasks with frozen sentence-encoder features (d = 384), the same sentences together."""
    parts = [load(f"sentiment6_minilm/{name}") for name in names]
    sentences = [text for name in names for text in texts(name)]
    labels = [part["y"] + FIRST_LABEL.get(name, 0) for name, part in zip(names, parts, strict=True)]
    tasks = Tasks(
        X=np.concatenate([part["X"] for part in parts]).astype(np.float32),
        y=np.concatenate(labels).astype(float),
        task=np.repeat(np.arange(len(names)), [len(part["y"]) for part in parts]),
        names=names,
        metric="accuracy",
    )
    if len(sentences) != len(tasks.X):
        sys.exit(f"Benchmark data: {len(sentences)} sentences but {len(tasks.X)} rows of features.")
    return Dataset(tasks, group=text_groups(sentences))


def polarity() -> Dataset:
    """Is this text positive? Four sources."""
    return _sentences(POLARITY)


def sentiment6() -> Dataset:
    """The four of `polarity`, subjectivity, and the type of a question: three label sets."""
    return _sentences((*POLARITY, *FIRST_LABEL))


def amazon400() -> Dataset:
    """Is this product review positive? Four product domains (d = 400)."""
    tasks = _stacked(load("tabular/amazon400"), "accuracy")
    first = np.unique(tasks.X, axis=0, return_index=True)[1]  # 2 % of the reviews are repeated
    return Dataset(tasks.take(np.sort(first)))


def landmine() -> Dataset:
    """Mine or clutter, from radar features (d = 9); 29 fields, 6 % of the rows positive."""
    return Dataset(_stacked(load("tabular/landmine"), "roc_auc"), each_class=True)


def newsgroup4() -> Dataset:
    """Which of two newsgroups? Four pairs of them, word weights (d = 2000)."""
    z = load("tabular/newsgroup4")
    matrix = csr_matrix((z["data"], z["indices"], z["indptr"]), shape=tuple(z["shape"]))
    tasks = _stacked({**z, "X": matrix.toarray()}, "accuracy")
    return Dataset(tasks, each_class=True)


def school() -> Dataset:
    """Is this exam score above the median? 139 schools, one-hot pupil features (d = 28)."""
    return Dataset(_stacked(load("tabular/school"), "accuracy"), above_median=True)


def school_scores() -> Dataset:
    """The exam scores themselves; 75 % of each school's pupils for training at most."""
    return Dataset(_stacked(load("tabular/school"), "explained"), most=0.75)


def _fingerprints(name: str) -> tuple[NDArray[np.float32], NDArray[np.float64], tuple[str, ...]]:
    z = load(f"molecules/{name}")
    X = np.unpackbits(z["fp"], axis=1).astype(np.float32)
    return X, np.where(z["Y"] < 0, np.nan, z["Y"]), tuple(map(str, z["task_names"]))


def molecules_with_labels(name: str) -> Dataset:
    """Several labels for each molecule. Fingerprints (d = 2048); some labels may be missing."""
    X, y, names = _fingerprints(name)
    return Dataset(Tasks(X, y, None, names, "roc_auc"), each_class=True)


def molecules4() -> Dataset:
    """ClinTox, BBBP, BACE and Tox21 stacked: 16 tasks, each with the molecules of its file."""
    X, y, task, names = [], [], [], []
    for name in ("clintox", "bbbp", "bace", "tox21"):
        fingerprints, labels, of_file = _fingerprints(name)
        for t, label in enumerate(of_file):
            known = ~np.isnan(labels[:, t])
            X.append(fingerprints[known])
            y.append(labels[known, t])
            task.append(np.full(known.sum(), len(names)))
            names.append(f"{name} {label}")
    rows = np.concatenate(X)
    group = np.unique(np.packbits(rows.astype(bool), axis=1), axis=0, return_inverse=True)[1]
    tasks = Tasks(rows, np.concatenate(y), np.concatenate(task), tuple(names), "roc_auc")
    return Dataset(tasks, group=group.ravel(), each_class=True)


def multi_label(name: str) -> Dataset:
    """Labels of the same rows: of music, images or bird songs. Rare labels, so ROC AUC."""
    z = load(f"tabular/{name}")
    names = tuple(map(str, z["label_names"]))
    tasks = Tasks(z["X"].astype(np.float32), z["Y"].astype(float), None, names, "roc_auc")
    return Dataset(tasks, each_class=True)


def multi_target(name: str) -> Dataset:
    """Values of the same rows."""
    z = load(f"tabular/{name}")
    names = tuple(str(t) for t in range(z["Y"].shape[1]))
    return Dataset(Tasks(z["X"].astype(np.float32), z["Y"].astype(float), None, names, "r2"))


def glue5() -> Dataset:
    """Five language tasks on frozen features u, v of two sentences: (u, v, |u - v|, u v).

    A single sentence is both u and v, so that all tasks have the same 4 x 384 columns. Labels of
    the tasks mean different things. Rows that share a sentence, over all tasks, stay together.
    """
    X, y, task = [], [], []
    first, second = [], []
    names = ("cola", "sst2", "mrpc", "rte", "qnli")
    for t, name in enumerate(names):
        z = load(f"glue5_minilm/{name}")
        u = z["X" if "X" in z else "U"].astype(np.float32)
        v = z["V"].astype(np.float32) if "V" in z else u
        X.append(np.hstack([u, v, np.abs(u - v), u * v]))
        y.append(z["y"] + 2.0 * t)
        task.append(np.full(len(u), t))
        lines = table(f"glue5/{name}")
        first += [lines[row][2] for row in z["row"]]
        second += [lines[row][3] or lines[row][2] for row in z["row"]]
    rows, group = np.concatenate(X), pair_groups(first, second)
    return Dataset(Tasks(rows, np.concatenate(y), np.concatenate(task), names, "accuracy"), group)


LOADERS: dict[str, Callable[[], Dataset]] = {
    "polarity": polarity,
    "sentiment6": sentiment6,
    "amazon400": amazon400,
    "newsgroup4": newsgroup4,
    "landmine": landmine,
    "school": school,
    "school_scores": school_scores,
    "tox21": partial(molecules_with_labels, "tox21"),
    "sider": partial(molecules_with_labels, "sider"),
    "molecules4": molecules4,
    **{name: partial(multi_label, name) for name in ("emotions", "scene", "birds")},
    "glue5": glue5,
    **{name: partial(multi_target, name) for name in ("wq", "atp1d", "oes97", "jura", "enb")},
}
