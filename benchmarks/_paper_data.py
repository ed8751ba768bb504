"""The data of the paper's experiments, split into rows to fit, to choose by and to test on."""

import gzip
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from _data import FIRST_LABEL, data_folder
from _texts import text_groups

Array = NDArray[Any]

SENTIMENT = ("mr", "sst", "cr", "mpqa", "subj", "trec")

GLUE = ("cola", "mrpc", "rte", "qnli", "sst2")
MAX_LENGTH, N_WORD_FEATURES = 24, 100
SHARES = (0.5, 0.6)  # of the groups: up to the first for fitting, up to the second for choosing
N_VALIDATION, N_TEST = 300, 1500


@dataclass(frozen=True)
class Sides:
    """Numbers of a task's rows to fit, to choose by and to test on."""

    train: Array
    validation: Array
    test: Array


def path_of(name: str) -> Path:
    """A file of the data folder; the program ends with a message where it is missing."""
    path = data_folder() / name
    if not path.is_file():
        sys.exit(f"No benchmark data: {path} is missing. Set SK_MTL_DATA to a complete folder.")
    return path


@cache
def load(name: str) -> dict[str, Array]:
    """The arrays of one file of the data folder."""
    with np.load(path_of(f"{name}.npz")) as file:
        return dict(file)


def columns(name: str) -> list[list[str]]:
    """The lines of a text file as lists of fields, without the header."""
    with gzip.open(path_of(f"{name}.tsv.gz"), "rt", encoding="utf-8", newline="\n") as lines:
        return [line.rstrip("\n").split("\t") for line in lines][1:]


@cache
def sentiment_labels(name: str) -> Array:
    """The labels of a sentiment task, in numbers that other label sets do not use."""
    return load(f"sentiment6_minilm/{name}")["y"].astype(int) + FIRST_LABEL[name]


@cache
def _sentence_groups() -> dict[str, Array]:
    """Which sentences of the six tasks are the same, by number."""
    sentences = [[fields[2] for fields in columns(f"sentiment6/{name}")] for name in SENTIMENT]
    group = text_groups([text for texts in sentences for text in texts])
    parts = np.split(group, np.cumsum([len(texts) for texts in sentences])[:-1])
    return dict(zip(SENTIMENT, parts, strict=True))


@cache
def sentiment_sides(m: int, seed: int, *, leak: bool = False) -> dict[str, Sides]:
    """Rows of each sentiment task.

    Parameters
    ----------
    m : int
        Rows to fit, at most as many as are on that side.
    seed : int
        Of the draw.
    leak : bool
        Split each task by its own rows, as is usual. The tasks share sentences, so test rows of
        one then are training rows of another.

    Returns
    -------
    dict of Sides
        Without `leak`, no sentence is on two sides, over all tasks.
    """
    groups = _sentence_groups()
    n_groups = max(group.max() for group in groups.values()) + 1
    place = np.random.default_rng([seed, 7]).random(n_groups)
    sides = {}
    for number, (name, group) in enumerate(groups.items()):
        rng = np.random.default_rng([seed, number])
        where = rng.random(len(group)) if leak else place[group]
        order = rng.permutation(len(group))
        side = np.searchsorted(SHARES, where[order])
        train, validation, test = (order[side == s] for s in range(3))
        sides[name] = Sides(train[:m], validation[:N_VALIDATION], test[:N_TEST])
    return sides


@cache
def word_vectors() -> Array:
    """Word pieces' input embeddings of the encoder, as principal components of unit size."""
    table = load("minilm_vocab/word_embeddings")["E"].astype(np.float32)
    table -= table.mean(axis=0)
    directions = np.linalg.eigh(table.T @ table)[1][:, ::-1][:, :N_WORD_FEATURES]
    reduced = table @ directions
    return reduced / reduced.std()


def sequences(name: str, rows: Array) -> Array:
    """Sentences as sequences of frozen word-piece vectors, NaN behind their end."""
    ids = load(f"sentiment6_tokens/{name}")["ids"][rows, :MAX_LENGTH].astype(int)
    X = word_vectors()[ids]
    X[ids == 0] = np.nan
    return X


def sentence_features(name: str, rows: Array) -> Array:
    """Sentences as features of the frozen sentence encoder."""
    return load(f"sentiment6_minilm/{name}")["X"][rows].astype(np.float64)


def bags(name: str, rows: Array) -> Array:
    """Sentences as means of their word-piece vectors: another, simpler encoder."""
    ids = load(f"sentiment6_tokens/{name}")["ids"][rows].astype(int)
    real = ids > 0
    sums = np.einsum("nl,nld->nd", real.astype(np.float32), word_vectors()[ids])
    return (sums / real.sum(axis=1, keepdims=True)).astype(np.float64)


@cache
def glue_sides(m: int, seed: int) -> dict[str, Sides]:
    """Rows of each GLUE task: official training rows to fit and choose, official dev rows to test.

    QNLI has dev rows alone: half of them are taken for training ones.
    """
    sides = {}
    for number, name in enumerate(GLUE):
        rng = np.random.default_rng([seed, number])
        split = load(f"glue5_minilm/{name}")["split"]
        order = rng.permutation(len(split))
        first = np.arange(len(order)) < len(order) // 2 if name == "qnli" else split[order] != "dev"
        pool, test = order[first], order[~first]
        sides[name] = Sides(pool[:m], pool[m : m + N_VALIDATION], test[:N_TEST])
    return sides


def glue_features(name: str, rows: Array) -> Array:
    """Frozen features ``[U, V, |U - V|, U * V]`` of two sentences; one stands for both."""
    z = load(f"glue5_minilm/{name}")
    U, V = (z[part][rows].astype(np.float64) for part in (("X", "X") if "X" in z else ("U", "V")))
    scale = U.shape[1] ** 0.5  # of a product of entries of unit vectors, beside the entries
    return np.hstack([U, V, np.abs(U - V), scale * U * V])


def multi_label(name: str) -> tuple[Array, Array, Array]:
    """Features, labels (NaN where missing) and groups of rows of a multi-label set."""
    if name in ("tox21", "sider"):
        z = load(f"molecules/{name}")
        X, group = np.unpackbits(z["fp"], axis=1), np.arange(len(z["fp"]))
    elif name == "chest":
        z = load("chest/nih1000_64")
        X = z["images"].reshape(-1, 16, 4, 16, 4).mean(axis=(2, 4)).reshape(-1, 256) / 255
        group = np.unique(z["patient"], return_inverse=True)[1]
    else:
        z = load(f"tabular/{name}")
        X, group = z["X"], np.arange(len(z["X"]))
    return X.astype(np.float64), np.where(z["Y"] < 0, np.nan, z["Y"]), group
