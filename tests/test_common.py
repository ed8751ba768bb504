"""scikit-learn's own estimator checks on every public estimator."""

from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from helpers import CONVEX
from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    MultiTaskAlignedRegressorCV,
    SelectiveTransferClassifier,
    SelectiveTransferRegressor,
    SVDTaskReweighter,
)

CLASSIFIERS = [
    MultiTaskAlignedClassifier(random_state=0),
    MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None),
    MultiTaskAlignedClassifier(alignment="full", activation="tanh", random_state=0),
    MultiTaskAlignedClassifier(solver="adam", learning_rate_init=0.01, random_state=0),
    MultiTaskAlignedClassifier(
        alignment="full", alignment_schedule="alternating", alignment_init="coral", random_state=0
    ),
    AlignedTransferClassifier(random_state=0),
]
REGRESSORS = [
    MultiTaskAlignedRegressor(random_state=0),
    MultiTaskAlignedRegressor(hidden_layer_sizes=(), alignment=None, task_weight="uncertainty"),
    MultiTaskAlignedRegressor(
        alignment="low_rank",
        alignment_rank=1,
        alignment_schedule="after_shared",
        activation="identity",
        random_state=0,
    ),
    MultiTaskAlignedRegressor(solver="adam", learning_rate_init=0.01, random_state=0),
]
# Well conditioned: their weights are checked to more digits than a solver has otherwise.
EXACT: dict[str, Any] = {**CONVEX, "alpha": 10, "head_alpha": 10}
SELECTIVE = [
    SelectiveTransferClassifier(MultiTaskAlignedClassifier(**EXACT), cv=2, random_state=0),
    SelectiveTransferClassifier(
        MultiTaskAlignedClassifier(**EXACT), LogisticRegression(), blend=False, random_state=0
    ),
    SelectiveTransferRegressor(MultiTaskAlignedRegressor(**EXACT), cv=2, random_state=0),
]
SEARCHED = [
    MultiTaskAlignedClassifierCV(penalties=4, random_state=0),
    MultiTaskAlignedRegressorCV(penalties=4, random_state=0),
]
WEIGHTS = "check_sample_weight_equivalence_on_dense_data"


def expected_failures(estimator: Any) -> dict[str, str]:
    if getattr(estimator, "solver", None) == "adam":
        return {
            WEIGHTS: "a weight is not a repeated row in a mini-batch (as in scikit-learn's MLPs)"
        }
    if hasattr(estimator, "penalties"):
        return {WEIGHTS: "of a repeated row, one is left when another is left out"}
    return {}


@parametrize_with_checks(
    [*CLASSIFIERS, *REGRESSORS, *SELECTIVE, *SEARCHED], expected_failed_checks=expected_failures
)
def test_estimator(estimator: Any, check: Any) -> None:
    check(estimator)


@parametrize_with_checks(
    [
        SVDTaskReweighter(),
        SVDTaskReweighter(n_components=0.9),
        SVDTaskReweighter(center=False, scale=False),
        SVDTaskReweighter(shrinkage=0.25),
        SVDTaskReweighter(
            aligner=MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
        ),
    ]
)
def test_reweighter(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize(
    "estimator", [*CLASSIFIERS, *REGRESSORS, *SELECTIVE, *SEARCHED, SVDTaskReweighter()]
)
def test_html_repr_names_the_estimator(estimator: Any) -> None:
    assert type(estimator).__name__ in estimator._repr_html_()
