"""Scores of what a method says of test rows."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, r2_score, roc_auc_score

from _data import Floats, Tasks

Answer = tuple[Floats, Floats]
"""Of the rows of one task: the labels that there are, of shape (n_labels,), and probabilities of
shape (n_rows, n_labels); or nothing, and values of shape (n_rows,)."""


def values(predicted: NDArray) -> Answer:
    """An answer of values."""
    return np.zeros(0), np.asarray(predicted, dtype=float)


def score_tasks(test: Tasks, answers: list[Answer]) -> dict[str, float]:
    """The score of each task in %; tasks for which it is not defined are left out."""
    scores = {}
    for task, (name, (labels, said)) in enumerate(zip(test.names, answers, strict=True)):
        y = test.y[test.at(task)]
        known = ~np.isnan(y)
        y, said = y[known], said[known]
        if np.isnan(said).any() or len(said) != len(y):
            raise ValueError(f"no answer for some test rows of {name}")
        if test.metric == "accuracy" and len(y):
            scores[name] = 100 * float(accuracy_score(y, labels[said.argmax(axis=1)]))
        elif test.metric == "roc_auc" and len(np.unique(y)) == 2:
            positive = said[:, -1] if len(labels) == 2 else np.zeros(len(y))
            scores[name] = 100 * float(roc_auc_score(y, positive))
        elif test.of_values and len(y) > 1 and np.ptp(y) > 0:
            scores[name] = 100 * float(r2_score(y, said))
    return scores


def score(test: Tasks, answers: list[Answer]) -> float:
    """The mean over tasks, or the share of the squares of all test rows that is explained."""
    if test.metric != "explained":
        return float(np.mean(list(score_tasks(test, answers).values())))
    true = np.concatenate([test.y[test.at(task)] for task in range(len(test.names))])
    return 100 * float(r2_score(true, np.concatenate([said for _, said in answers])))
