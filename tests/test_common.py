"""scikit-learn's own estimator checks on every public estimator."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sk_mtl import MultiTaskAlignedClassifier

SMALL = {"random_state": 0, "hidden_layer_sizes": (8,)}
CLASSIFIERS = [
    MultiTaskAlignedClassifier(max_iter=1000, **SMALL),
    MultiTaskAlignedClassifier(max_iter=1000, alignment="full", activation="identity", **SMALL),
    MultiTaskAlignedClassifier(solver="adam", max_iter=2000, learning_rate_init=0.01, **SMALL),
]


def expected_failures(estimator):
    if getattr(estimator, "solver", None) != "adam":
        return {}
    reason = "weights are not repetition in mini-batches, as in scikit-learn's MLPClassifier"
    return dict.fromkeys(
        (
            "check_sample_weight_equivalence_on_dense_data",
        ),
        reason,
    )


@parametrize_with_checks(CLASSIFIERS, expected_failed_checks=expected_failures, xfail_strict=True)
def test_estimator_checks(estimator, check):
    check(estimator)
