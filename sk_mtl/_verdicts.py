"""The rules of the transfer report: what counts as a gain, likely causes of losses, advice."""

from __future__ import annotations

import numpy as np

from sk_mtl._tasks import Array

# A gain or loss is clear beyond this many standard errors and this share of the score.
CLEAR_ERRORS = 2.0
CLEAR_SHARE = 0.005
# Similarities, 1 being that of two halves of one task: tasks are alike from the first on, and
# opposed up to the second.
ALIKE = 0.6
OPPOSED = -0.3

NO_LABELS = "labels do not vary"
TOO_FEW = "too few rows to say"
LABELS = "labels"
COVARIANCE = "covariance"
EITHER = "labels or covariance"
NEITHER = "neither"


def verdict_of(gain: float, error: float, score: float) -> str:
    """Whether a gain is clear: beyond its error, and beyond what matters."""
    if np.isnan(gain):
        return "no score"
    if abs(gain) <= max(CLEAR_ERRORS * error, CLEAR_SHARE * abs(score)):
        return "no clear difference"
    return "gains" if gain > 0 else "loses"


def cause_of(covariance: Array, labels: Array, *, constant: bool) -> str:
    """What sets a task apart from the others, by its similarities to them.

    Those of its labels are NaN where there are too few rows to tell; ``constant`` are labels that
    do not vary.
    """
    if constant:
        return NO_LABELS
    known = labels[~np.isnan(labels)]
    if not len(known):
        return TOO_FEW
    covariance_alike = covariance.mean() >= ALIKE
    if known.mean() >= ALIKE:
        return NEITHER if covariance_alike else COVARIANCE
    # Where features vary in other directions, few rows make labels look unrelated, not opposed.
    return LABELS if covariance_alike or known.mean() <= OPPOSED else EITHER


EXPLANATIONS = {
    NO_LABELS: "all labels are the same",
    TOO_FEW: "the rows are too few to see what labels depend on",
    LABELS: "labels seem to depend on the features in another way than in most other tasks",
    COVARIANCE: "labels seem to depend on the features as in the other tasks, but the features "
    "vary in other directions",
    EITHER: "the features vary in other directions than in the other tasks, and whether labels "
    "depend on them in another way too, the rows are too few to tell",
    NEITHER: "features and labels seem to be like those of the other tasks, so that the model may "
    "be at fault",
}
ADVICE = {
    NO_LABELS: "leave it out",
    TOO_FEW: "collect rows, and train it apart until then",
    LABELS: "re-weight the tasks (task_weight=SVDTaskReweighter()), or train it with similar tasks "
    "alone, or apart (the SelectiveTransfer estimators do where that is better)",
    COVARIANCE: 'align the tasks (alignment="full" with a smaller alignment_alpha)',
    EITHER: 'align the tasks (alignment="full" with a smaller alignment_alpha); if that does not '
    "help, train it apart",
    NEITHER: "give the model more room (wider hidden_layer_sizes, a smaller head_alpha)",
}
ADVICE_WITHOUT_LOSS = {
    "gains": "train it with the others",
    "no clear difference": "either way; more rows or folds would tell",
    "no score": "use fewer folds or another scorer",
}
