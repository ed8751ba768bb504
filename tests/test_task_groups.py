"""Tasks in groups that share no module: each group is as if it were alone."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from helpers import CONVEX, make_tasks
from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedRegressor,
)
from sk_mtl._task_groups import resolve_task_groups
from sk_mtl.diagnostics import group_tasks, task_direction_similarity
from sk_mtl.export import to_onnx

X, Y, TASK = make_tasks(rows=15)
GROUPS = {0: "a", 1: "b", 2: "a"}
ALONE = {**CONVEX, "input_scaling": None}


def test_each_group_is_a_model_of_its_own() -> None:
    """The scaling of the features apart, which all rows decide."""
    model = MultiTaskAlignedClassifier(task_groups=GROUPS, **ALONE).fit(X, Y, task=TASK)
    for members in ([0, 2], [1]):
        own = np.isin(TASK, members)
        alone = MultiTaskAlignedClassifier(**ALONE).fit(X[own], Y[own], task=TASK[own])
        np.testing.assert_allclose(
            model.predict_proba(X[own], task=TASK[own]),
            alone.predict_proba(X[own], task=TASK[own]),
            atol=1e-6,
        )
    together = MultiTaskAlignedClassifier(**ALONE).fit(X, Y, task=TASK)
    difference = together.predict_proba(X, task=TASK) - model.predict_proba(X, task=TASK)
    assert np.abs(difference).max() > 0.01


def test_values_in_groups() -> None:
    values = X[:, 0] + TASK
    model = MultiTaskAlignedRegressor(task_groups=GROUPS, **ALONE).fit(X, values, task=TASK)
    own = TASK == 1
    together = MultiTaskAlignedRegressor(**ALONE).fit(X, values, task=TASK)
    assert not np.allclose(
        model.predict(X[own], task=TASK[own]), together.predict(X[own], task=TASK[own])
    )
    assert model.module_.heads.shared.shape[0] == 2
    assert model.score(X, values, task=TASK) > 0.9


def test_labels_of_one_group_do_not_reach_the_other() -> None:
    """Layers and alignments included: no gradient crosses."""
    settings: dict[str, Any] = {"solver": "adam", "max_iter": 5, "tol": 0, "random_state": 0}
    settings |= {"hidden_layer_sizes": (4,), "alignment": "full", "shuffle": False}
    # Not of all rows: a mirror image of all labels has the same layers.
    other = np.where((TASK == 1) & (np.arange(len(Y)) % 3 == 0), 1 - Y, Y)
    with pytest.warns(match="max_iter"):
        one, two = (
            MultiTaskAlignedClassifier(task_groups=GROUPS, **settings).fit(X, y, task=TASK)
            for y in (Y, other)
        )
    for own, same in ((TASK != 1, True), (TASK == 1, False)):
        of_one, of_two = (m.transform(X[own], task=TASK[own]) for m in (one, two))
        assert np.array_equal(of_one, of_two) == same
    assert len(one.module_.shared.of_groups) == 2


def test_a_wide_y_in_groups() -> None:
    wide = np.where(np.random.default_rng(0).random((len(X), 3)) < 0.2, np.nan, X[:, :3] > 0)
    model = MultiTaskAlignedClassifier(task_groups=[0, 1, 0], **ALONE).fit(X, wide)
    alone = MultiTaskAlignedClassifier(**ALONE).fit(X, wide[:, [0, 2]])
    found = model.predict_proba(X)
    np.testing.assert_allclose(found[:, [0, 2]], alone.predict_proba(X), atol=1e-6)
    with pytest.raises(ValueError, match="one representation per task"):
        model.transform(X)


def test_a_module_of_the_users_for_each_group(tmp_path: Path) -> None:
    model = MultiTaskAlignedClassifier(
        shared_module=lambda n: torch.nn.Linear(n, 2), task_groups=GROUPS, random_state=0
    ).fit(X, Y, task=TASK)
    one, two = (part.module.weight for part in model.module_.shared.of_groups)
    assert not torch.equal(one, two)
    model.save(tmp_path / "model")
    again = MultiTaskAlignedClassifier.load(
        tmp_path / "model", shared_module=lambda n: torch.nn.Linear(n, 2)
    )
    np.testing.assert_array_equal(
        again.predict_proba(X, task=TASK), model.predict_proba(X, task=TASK)
    )


def test_groups_survive_files_and_pickles(tmp_path: Path) -> None:
    model = MultiTaskAlignedClassifier(
        hidden_layer_sizes=(3,), task_groups=GROUPS, random_state=0, warm_start=True
    ).fit(X, Y, task=TASK)
    model.save(tmp_path / "model")
    expected = model.predict_proba(X, task=TASK)
    for again in (
        MultiTaskAlignedClassifier.load(tmp_path / "model"),
        pickle.loads(pickle.dumps(model)),
    ):
        np.testing.assert_array_equal(again.predict_proba(X, task=TASK), expected)
        assert again.fit(X, Y, task=TASK).task_groups == GROUPS


def test_groups_that_are_found_can_be_passed_on() -> None:
    task = np.repeat(np.arange(4), len(X) // 4 + 1)[: len(X)]
    y = np.where(task % 2, X[:, 0] > 0, X[:, 1] > 0)
    groups = group_tasks(task_direction_similarity(X, y, task=task), n_groups=2)
    model = MultiTaskAlignedClassifier(task_groups=groups, random_state=0).fit(X, y, task=task)
    assert list(groups.values()) == [0, 1, 0, 1]
    assert model.score(X, y, task=task) > 0.8


def test_names_of_groups() -> None:
    ids = np.array([0, 1, 2, 3])
    for groups, expected in (
        (pd.Series({3: "A", 2: "A", 1: "A", 0: "B"}), [0, 1, 1, 1]),  # by id, as in a dict
        ([1, "1", 2, "2"], [0, 1, 2, 3]),
        ([("a", 1), ("a", 1), ("b", 2), ("a", 1)], [0, 0, 1, 0]),
        (np.array(["x", "y", "x", "y"]), [0, 1, 0, 1]),
        ({0: 5, 1: 5, 2: 6, 3: 6, "elsewhere": 7}, [0, 0, 1, 1]),
    ):
        assert resolve_task_groups(groups, ids).tolist() == expected


def test_modules_of_one_capacity() -> None:
    widths = iter([4, 6])
    model = MultiTaskAlignedClassifier(
        shared_module=lambda n: torch.nn.Linear(n, next(widths)), task_groups=GROUPS
    )
    with pytest.raises(ValueError, match=r"capacities \[4, 6\]"):
        model.fit(X, Y, task=TASK)


def test_what_groups_do_not_allow() -> None:
    for groups, message in (
        ({0: "a", 1: "b"}, r"no group for the tasks \[2\]"),
        ([0, 1], "for each of the 3 tasks"),
        ([[0, 1, 2]], "for each of the 3 tasks"),
        ([0, None, 1], "None, which is no name of a group"),
        ([0, np.nan, np.nan], "nan, which is no name"),
        ({0: [1], 1: [1], 2: [2]}, r"\[1\], which is no name"),
        ("abc", "'task_groups' parameter"),
    ):
        with pytest.raises(ValueError, match=message):
            MultiTaskAlignedClassifier(task_groups=groups).fit(X, Y, task=TASK)
    model = MultiTaskAlignedClassifier(task_groups=GROUPS, warm_start=True, **ALONE)
    model.fit(X, Y, task=TASK)
    with pytest.raises(ValueError, match="in groups that share no module"):
        model.add_task(X[:20], Y[:20], task=9)
    with pytest.raises(ValueError, match="not one to start from"):
        AlignedTransferClassifier(model).fit(X[:20], Y[:20])
    with pytest.raises(ValueError, match="this estimator has task_groups"):
        to_onnx(model)
    with pytest.raises(ValueError, match="task_groups differ from those of the last fit"):
        model.set_params(task_groups={0: 1, 1: 1, 2: 0}).fit(X, Y, task=TASK)
    same = model.set_params(task_groups={0: "x", 1: 7, 2: "x"})
    same.fit(X, Y, task=TASK)  # other names, the same groups
