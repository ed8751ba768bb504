"""scikit-learn's own estimator checks on every public estimator."""

from typing import Any

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

CLASSIFIERS = [
    MultiTaskAlignedClassifier(random_state=0),
    MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None),
    MultiTaskAlignedClassifier(alignment="full", activation="tanh", random_state=0),
    MultiTaskAlignedClassifier(solver="adam", learning_rate_init=0.01, random_state=0),
]
WEIGHTS = "check_sample_weight_equivalence_on_dense_data"


def expected_failures(estimator: MultiTaskAlignedClassifier) -> dict[str, str]:
    if estimator.solver == "adam":
        return {WEIGHTS: "a weight is not a repeated row in a mini-batch (as in MLPClassifier)"}
    return {}


@parametrize_with_checks(CLASSIFIERS, expected_failed_checks=expected_failures)
def test_classifier(estimator: Any, check: Any) -> None:
    check(estimator)


@parametrize_with_checks(
    [
        SVDTaskReweighter(),
        SVDTaskReweighter(n_components=0.9),
        SVDTaskReweighter(center=False, scale=False),
    ]
)
def test_reweighter(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.parametrize("estimator", [*CLASSIFIERS, SVDTaskReweighter()])
def test_html_repr_names_the_estimator(estimator: Any) -> None:
    assert type(estimator).__name__ in estimator._repr_html_()
