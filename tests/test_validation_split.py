"""The rows that early stopping holds out."""

from typing import Any

import numpy as np
import pytest

from sk_mtl._validation_split import hold_out


def split(codes: Any, task: Any, fraction: float, seed: int = 0) -> Any:
    return hold_out(codes, task, fraction, np.random.RandomState(seed))


@pytest.mark.parametrize("seed", range(5))
def test_every_class_of_every_task_gives_its_share(seed: int) -> None:
    rng = np.random.default_rng(seed)
    task, codes = rng.integers(0, 4, 1000), rng.integers(0, 3, 1000)
    held = split(codes, task, 0.2, seed)
    for t in range(4):
        for c in range(3):
            stratum = (task == t) & (codes == c)
            assert abs(held[stratum].sum() - 0.2 * stratum.sum()) <= 1


def test_rows_are_drawn_at_random_within_a_stratum() -> None:
    codes, task = np.zeros(200, dtype=int), np.zeros(200, dtype=int)
    draws = np.mean([split(codes, task, 0.25, seed) for seed in range(200)], axis=0)
    assert 0.1 < draws.min() < draws.max() < 0.4
    np.testing.assert_array_equal(split(codes, task, 0.25, 7), split(codes, task, 0.25, 7))


def test_the_last_row_of_a_class_stays_in_training() -> None:
    task, codes = np.repeat([0, 1], 20), np.zeros(40, dtype=int)
    codes[[3, 25]] = 1
    for seed in range(30):
        held = split(codes, task, 0.5, seed)
        assert not held[[3, 25]].any()


def test_labels_of_a_wide_y_keep_their_share_and_a_training_row() -> None:
    rng = np.random.default_rng(0)
    codes = (rng.random((2000, 3)) < [0.5, 0.2, 0.05]).astype(int)
    codes[rng.random((2000, 3)) < 0.3] = -1
    held = split(codes, None, 0.2)
    for column in codes.T:
        for label in (0, 1):
            assert held[column == label].mean() == pytest.approx(0.2, abs=0.06)
    rare = np.full((40, 2), -1)
    rare[:, 0] = np.arange(40) % 2
    rare[[5, 11], 1] = [0, 1]
    for seed in range(30):
        assert not split(rare, None, 0.5, seed)[[5, 11]].any()


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="leaves no row to train or to validate on: 2 rows"):
        split(np.array([0, 1]), np.array([0, 0]), 0.5)
