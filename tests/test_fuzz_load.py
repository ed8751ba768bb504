"""Files that somebody has altered: `load` refuses them, runs nothing and takes no memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load as load_tensors

import fuzz_load
import sk_mtl._files
from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier, MultiTaskAlignedRegressor

X, Y, TASK = make_tasks(rows=12)


@pytest.mark.parametrize("n_files", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_altered_files_do_no_harm(n_files: int) -> None:
    done = subprocess.run(
        [sys.executable, fuzz_load.__file__, str(n_files)],
        check=True,
        stdout=subprocess.PIPE,
        timeout=500,
    )
    found = json.loads(done.stdout)
    outcomes = found["outcomes"]
    known = {"refused", "equal", "another model", "not fitted", "of no use"}
    assert set(outcomes) <= known
    assert sum(outcomes.values()) == n_files
    assert outcomes["refused"] > 0.6 * n_files
    assert outcomes["equal"] > 0.05 * n_files
    assert outcomes.get("of no use", 0) < 0.03 * n_files
    assert found["watched"] == {}
    assert found["MiB"] < 100


def test_the_watch_sees_what_it_is_there_for(tmp_path: Path) -> None:
    """Or the test above would pass whatever `load` does."""
    code = f"""
import os, subprocess, sys
sys.path.insert(0, {str(Path(fuzz_load.__file__).parent)!r})
from fuzz_load import Watch
watch = Watch()
watch.path = "altered"
exec("1")
open("written", "w").close()
os.system("true")
import this
watch.path = ""
print(sorted(seen.split()[0] for seen in watch.seen), file=sys.stderr)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    for event in ("exec", "compile", "open", "os.system", "import"):
        assert f"'{event}'" in done.stderr


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays and the document of a model."""
    path = tmp_path_factory.mktemp("saved") / "model"
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(3,), random_state=0, alignment="full")
    model.fit(X, np.where(Y, "yes", "no"), task=TASK).save(path)
    arrays = load_tensors(path.read_bytes())
    return arrays, json.loads(arrays.pop("document").tobytes())


def load_altered(
    folder: Path,
    saved: tuple[dict[str, Any], dict[str, Any]],
    edit: Callable[[dict[str, Any]], dict[str, Any] | None],
    **arrays: Any,
) -> str:
    """The error that a signed file with other arrays and another document leads to."""
    document = json.loads(json.dumps(saved[1]))
    sk_mtl._files.write(folder / "altered", edit(document) or document, {**saved[0], **arrays})
    with pytest.raises(ValueError, match="altered") as info:
        MultiTaskAlignedClassifier.load(folder / "altered")
    return str(info.value)


def test_arrays_that_are_not_finite_are_refused(saved: Any, tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        name = "net_.arrays.heads.own"
        heads = {name: np.full_like(saved[0][name], value)}
        said = load_altered(tmp_path, saved, lambda document: None, **heads)
        assert "net_.arrays.heads.own holds values that are not finite" in said


def test_no_room_is_made_for_what_is_not_in_the_file(saved: Any, tmp_path: Path) -> None:
    """A few bytes that ask for terabytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    virtual = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (virtual + 2**29, hard))
    try:

        def widths(document: dict[str, Any]) -> None:
            document["built_with"]["hidden_layer_sizes"] = [2**40]

        def strings(document: dict[str, Any]) -> None:
            classes = document["fitted"]["classes_"]
            assert classes["dtype"] == "<U3"
            classes |= {"dtype": f"<U{2**28}", "shape": [2]}

        def void(document: dict[str, Any]) -> None:
            document["fitted"]["classes_"] = {"entries": [], "dtype": "V999999999", "shape": [0]}

        assert "hidden layers of the widths" in load_altered(tmp_path, saved, widths)
        assert "0 entries of the type 'V9" in load_altered(tmp_path, saved, void)
        wide = {"net_.arrays.alignment.deviation": np.zeros((10**5, 10**5, 0))}
        assert "not square" in load_altered(tmp_path, saved, lambda document: None, **wide)
        long = {"net_.arrays.heads.shared": np.zeros((1, 10**9, 0))}
        assert "heads of other tasks" in load_altered(tmp_path, saved, lambda d: None, **long)
        assert f"2 entries of the type '<U{2**28}'" in load_altered(tmp_path, saved, strings)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def test_no_room_is_made_for_groups_that_no_task_is_in(tmp_path: Path) -> None:
    path = tmp_path / "altered"
    model = MultiTaskAlignedRegressor(hidden_layer_sizes=(3,), random_state=0)
    model.fit(X, X[:, 0], task=TASK).save(path)
    arrays, document = fuzz_load.parts(path.read_bytes())
    assert arrays["_targets.group"].tolist() == [0, 0, 0]
    arrays["_targets.group"] = np.full(3, 10**6)
    path.write_bytes(fuzz_load.write(document, arrays))
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"altered.*more groups than tasks"):
            MultiTaskAlignedRegressor.load(path)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


def test_attributes_do_not_take_the_place_of_methods(saved: Any, tmp_path: Path) -> None:
    def shadow(document: dict[str, Any]) -> None:
        document["fitted"]["predict"] = 3

    assert "['predict'] as attributes" in load_altered(tmp_path, saved, shadow)


def test_records_hold_what_they_declare(saved: Any, tmp_path: Path) -> None:
    def other_record(document: dict[str, Any]) -> None:
        targets = document["fitted"]["_targets"]
        assert targets["record"] == "ClassTargets"
        of_plan = dict(targets["fields"]["dict"])["plan"]
        targets["fields"]["dict"] = [["labels", of_plan], ["plan", of_plan]]

    def other_route(document: dict[str, Any]) -> None:
        fields = document["fitted"]["_tasks"]["fields"]["dict"]
        fields[:] = [[name, "by car" if name == "route" else value] for name, value in fields]

    said = [load_altered(tmp_path, saved, edit) for edit in (other_record, other_route)]
    assert "labels of a ClassTargets cannot be this HeadPlan" in said[0]
    assert "route of a TaskSet cannot be this str" in said[1]


def test_depth_and_doubled_keys_are_refused(saved: Any, tmp_path: Path) -> None:
    path, text = tmp_path / "altered", json.dumps(saved[1])[:-1]
    for more in (
        ', "params": {}}',
        ', "more": ' + "[" * 10**5 + "]" * 10**5 + "}",
        ', "more": ' + '{"a": ' * 900 + "1" + "}" * 901,
        ', "more": NaN}',
    ):
        path.write_bytes(fuzz_load.write_text((text + more).encode(), saved[0], saved[1]))
        if '{"a": ' in more:  # deep, and of no effect
            MultiTaskAlignedClassifier.load(path)
            continue
        with pytest.raises(ValueError, match="altered"):
            MultiTaskAlignedClassifier.load(path)


def test_names_of_code_are_strings(saved: Any, tmp_path: Path) -> None:
    said = load_altered(tmp_path, saved, lambda document: document | {"code": [["open"]]})
    assert "names of parameters are not strings" in said
