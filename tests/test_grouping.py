"""Groups of tasks: the true ones where there are any, and none where there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sk_mtl.diagnostics import group_tasks, task_direction_similarity

BLOCKS = np.kron(np.eye(2), np.full((3, 3), 0.8)) + 0.05
ORDER = [0, 3, 1, 4, 2, 5]  # tasks of the two blocks in turn


def families(seed: int, n_families: int, n_rows: int) -> tuple[Any, Any, Any, list[int]]:
    """Eight classification tasks whose directions lie around those of unrelated families."""
    rng = np.random.default_rng(seed)
    own = np.arange(8) % n_families
    centre, task_own = rng.standard_normal((n_families, 20)), rng.standard_normal((8, 20))
    centre /= np.linalg.norm(centre, axis=1, keepdims=True)
    task_own /= np.linalg.norm(task_own, axis=1, keepdims=True)
    directions = 0.9 * centre[own] + np.sqrt(0.19) * task_own
    task = np.repeat(np.arange(8), n_rows)
    X = rng.standard_normal((8 * n_rows, 20))
    signal = np.einsum("nd,nd->n", X, directions[task])
    return X, signal + 0.5 * rng.standard_normal(len(X)) > 0, task, own.tolist()


def found_in(n_families: int, n_rows: int, draws: int = 100) -> int:
    """In how many draws the true families are found, their number unknown."""
    hits = 0
    for seed in range(draws):
        X, y, task, own = families(seed, n_families, n_rows)
        found = group_tasks(task_direction_similarity(X, y, task=task))
        hits += list(found.values()) == own
    return hits


def test_two_unrelated_families_are_found() -> None:
    assert found_in(n_families=2, n_rows=120) >= 95


def test_one_family_mostly_stays_together() -> None:
    assert found_in(n_families=1, n_rows=120) >= 70


@pytest.mark.parametrize("settings", [{}, {"n_groups": 2}, {"threshold": 0.5}])
def test_blocks_are_found_whatever_the_order(settings: dict[str, Any]) -> None:
    similarity = BLOCKS[np.ix_(ORDER, ORDER)]
    groups = group_tasks(similarity, list("uvwxyz"), **settings)
    assert groups == {"u": 0, "v": 1, "w": 0, "x": 1, "y": 0, "z": 1}


def test_gains_are_cut_where_they_turn_to_losses() -> None:
    gain = np.array([[0, 0.03, -0.02], [0.01, 0, -0.01], [0.001, -0.02, 0]])
    assert group_tasks(gain, ["a", "b", "c"], threshold=0) == {"a": 0, "b": 0, "c": 1}
    assert set(group_tasks(np.abs(gain), threshold=0).values()) == {0}
    assert len(set(group_tasks(-np.abs(gain), threshold=0).values())) == 3


def test_the_number_of_groups_may_be_given() -> None:
    for n_groups in range(1, 7):
        assert (
            len(
                set(
                    group_tasks(np.random.default_rng(0).random((6, 6)), n_groups=n_groups).values()
                )
            )
            == n_groups
        )


def test_all_alike_is_one_group() -> None:
    assert set(group_tasks(np.full((5, 5), 0.7)).values()) == {0}
    assert group_tasks([[1.0]], ["only"]) == {"only": 0}
    assert set(group_tasks([[1, 0.2], [0.2, 1]]).values()) <= {0, 1}


def test_gaps_and_the_diagonal() -> None:
    similarity = BLOCKS.copy()
    np.fill_diagonal(similarity, np.nan)
    similarity[0, 4] = similarity[4, 0] = np.nan
    assert list(group_tasks(similarity).values()) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"similarity": np.ones((2, 3))}, r"square matrix; got shape \(2, 3\)"),
        ({"similarity": np.ones((2, 2)), "tasks": ["a"]}, "name each of the 2 tasks"),
        ({"similarity": np.ones((2, 2)), "tasks": ["a", "a"]}, "name each of the 2 tasks"),
        ({"similarity": np.ones((2, 2)), "n_groups": 3}, "from 1 to 2; got 3"),
        ({"similarity": np.ones((2, 2)), "n_groups": 1, "threshold": 0}, "not both"),
        ({"similarity": np.diag([1.0, 1.0]) + np.nan}, "no finite entry"),
        ({"similarity": [[1, np.inf], [np.inf, 1]]}, "infinity"),
    ],
)
def test_what_cannot_be_grouped(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        group_tasks(**arguments)
