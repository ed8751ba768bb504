"""Which texts are the same sentence, so that a split can keep them on one side.

The polarity tasks share their sources: the SST sentences are the MR snippets, relabelled, some
of them cut into their sentences and tokenised otherwise; MPQA repeats phrases. A split by row
would put test sentences of one task into the training rows of another, and methods that share
between tasks would be flattered.
"""

import re
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

PART_LENGTH = 16
"""A text of at least so many letters and digits is looked for inside of longer texts."""


def letters(text: str) -> str:
    """Lower-case letters and digits of `text` in order: the same however it was tokenised."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"-[lr][rs]b-", "", text.lower()))


def words(text: str) -> str:
    """The set of words of `text`, sorted."""
    return " ".join(sorted(set(re.findall(r"[^\W_]+", text.lower()))))


def text_groups(texts: list[str]) -> NDArray[np.int64]:
    """Number the groups of texts that are the same, or part of one another.

    Two texts belong together if they have the same letters or the same set of words, or if one
    of at least `PART_LENGTH` letters is part of the other, and through a third text as well.

    Parameters
    ----------
    texts : list of str
        n texts.

    Returns
    -------
    ndarray of shape (n,)
        The number of each text's group.
    """
    same: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        same.setdefault("letters " + letters(text), []).append(row)
        same.setdefault("words " + words(text), []).append(row)
    pairs = [pair for rows in same.values() for pair in pairwise(rows)]
    pairs += _parts([letters(text) for text in texts])
    start, end = np.array(pairs, dtype=int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(len(texts), len(texts)))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def pair_groups(first: list[str], second: list[str]) -> NDArray[np.int64]:
    """Number the groups of pairs of texts that share a text, by `text_groups`.

    Parameters
    ----------
    first, second : list of str
        The texts of n pairs.

    Returns
    -------
    ndarray of shape (n,)
        The number of each pair's group.
    """
    of_text = text_groups(first + second)
    n, n_groups = len(first), of_text.max() + 1
    links = (np.ones(n), (of_text[:n], of_text[n:]))
    graph = coo_array(links, shape=(n_groups, n_groups))
    of_group = connected_components(graph, directed=False)[1]
    return np.asarray(of_group[of_text[:n]], dtype=np.int64)


def _parts(keys: list[str]) -> list[tuple[int, int]]:
    """Pairs (i, j) with keys[i] inside of keys[j], for keys of at least `PART_LENGTH`."""
    first = {key: row for row, key in enumerate(keys)}
    openings: dict[str, list[str]] = {}
    for key in first:
        if len(key) >= PART_LENGTH:
            openings.setdefault(key[:PART_LENGTH], []).append(key)
    return [
        (first[part], row)
        for whole, row in first.items()
        for at in range(len(whole) - PART_LENGTH + 1)
        for part in openings.get(whole[at : at + PART_LENGTH], ())
        if part != whole and whole.startswith(part, at)
    ]
