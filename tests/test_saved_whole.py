"""What stands at the path of `save`, whatever happens while it writes."""

from __future__ import annotations

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import make_tasks
from sk_mtl import MultiTaskAlignedClassifier

X, Y, TASK = make_tasks(rows=12)


def fitted(**params: Any) -> Any:
    model = MultiTaskAlignedClassifier(hidden_layer_sizes=(3,), random_state=0, **params)
    return model.fit(X, Y, task=TASK)


@pytest.fixture(scope="module")
def model() -> Any:
    return fitted()


def parts_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def kill_while_it_saves(n_kills: int) -> None:
    """In a process of its own, in a folder with two models: what the path holds after each kill."""
    models = [MultiTaskAlignedClassifier.load(name) for name in ("one", "two")]
    known = [Path(name).read_bytes() for name in ("one", "two")]
    random, found = np.random.default_rng(0), {"one": 0, "two": 0, "kills in save": 0}
    for _ in range(n_kills):
        told, tell = os.pipe()
        child = os.fork()
        if not child:
            for model in itertools.cycle(models):
                model.save("model")
                os.write(tell, b".")
        for _ in range(random.integers(1, 5)):
            os.read(told, 1)
        for _ in range(random.integers(100_000)):  # a moment, at any point of the next `save`
            pass
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)
        parts = parts_in(Path())
        assert len(parts) <= 1, parts  # this kill's: each `save` removes those before
        found["kills in save"] += len(parts)
        data = Path("model").read_bytes()
        found["one" if data == known[0] else "two"] += 1
        assert data in known
        MultiTaskAlignedClassifier.load("model")
    models[0].save("model")
    assert not parts_in(Path())
    print(json.dumps(found))


def test_a_kill_leaves_one_of_the_two_models(model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "one")
    fitted(alpha=5.0).save(tmp_path / "two")
    done = subprocess.run(
        [sys.executable, __file__], cwd=tmp_path, check=True, capture_output=True, timeout=300
    )
    found = json.loads(done.stdout)
    assert found["one"] + found["two"] == 100
    assert min(found.values()) > 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "one", "two"]


def kill_in(step: str) -> None:
    """In a process of its own: save, and die at a step."""

    def die(*args: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(*{"os.fsync": (os, "fsync"), "Path.replace": (Path, "replace")}[step], die)
    MultiTaskAlignedClassifier.load("new").save("model")


@pytest.mark.parametrize("step", ["os.fsync", "Path.replace"])
def test_a_kill_at_each_step_leaves_the_old_file(step: str, model: Any, tmp_path: Path) -> None:
    model.save(tmp_path / "model")
    before = (tmp_path / "model").read_bytes()
    fitted(alpha=5.0).save(tmp_path / "new")
    done = subprocess.run([sys.executable, __file__, step], cwd=tmp_path, check=False, timeout=300)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "model").read_bytes() == before
    assert len(parts_in(tmp_path)) == 1
    model.save(tmp_path / "model")
    assert not parts_in(tmp_path)


def test_the_part_of_a_process_that_lives_is_left_alone(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two save at a time: both do, and the file is that of the later."""
    other, fsync, seen = fitted(alpha=5.0), os.fsync, []

    def save_another(number: int) -> None:
        monkeypatch.setattr(os, "fsync", fsync)
        seen.append(parts_in(tmp_path))
        other.save(tmp_path / "model")
        seen.append(parts_in(tmp_path))
        fsync(number)

    monkeypatch.setattr(os, "fsync", save_another)
    model.save(tmp_path / "model")
    assert seen[0] == seen[1] != []
    found = MultiTaskAlignedClassifier.load(tmp_path / "model")
    assert found.alpha == model.alpha
    assert not parts_in(tmp_path)


def test_the_file_is_on_the_disk_before_it_has_its_name(
    model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the name when `save` returns: a power cut leaves the old file or the new one."""
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(number: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{number}") else "file")
        fsync(number)

    def noted_replace(self: Path, target: Path) -> Path:
        order.append("replace")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    model.save(tmp_path / "model")
    assert order == ["file", "replace", "folder"]


def test_a_disk_that_is_full(model: Any, tmp_path: Path) -> None:
    path = tmp_path / "model"
    model.save(path)
    before = path.read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))  # python ignores SIGXFSZ
    try:
        with pytest.raises(OSError, match="File too large") as info:
            fitted(alpha=5.0).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert info.value.filename == str(path)
    assert path.read_bytes() == before
    assert not parts_in(tmp_path)


UNWRITABLE = """
import os
from sk_mtl import MultiTaskAlignedClassifier as C
model = C.load("model")
if os.geteuid() == 0:  # to whom nothing is unwritable
    os.setuid(65534)
try:
    model.save("model")
except PermissionError as error:
    assert error.filename == "model", error
else:
    raise AssertionError("it was written")
"""


def test_a_folder_that_cannot_be_written_to(model: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:  # others may enter it, unlike tmp_path
        path = Path(folder) / "model"
        model.save(path)
        path.chmod(0o644)
        os.chmod(folder, 0o555)
        try:
            subprocess.run([sys.executable, "-c", UNWRITABLE], cwd=folder, check=True)
        finally:
            os.chmod(folder, 0o755)
        assert list(Path(folder).iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("nowhere/model", FileNotFoundError),
        ("file/model", NotADirectoryError),
        ("x" * 300, OSError),
    ],
    ids=["no folder", "no folder but a file", "too long"],
)
def test_paths_where_no_file_can_be(
    name: str, error: type[OSError], model: Any, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error) as info:
        model.save(tmp_path / name)
    assert info.value.filename == str(tmp_path / name)


def test_what_is_not_a_file_stays_what_it_is(model: Any, tmp_path: Path) -> None:
    """A device, a pipe or a folder: a file in the place of /dev/null would be a disaster."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "pipe", tmp_path / "folder", Path("/dev/null"), Path("/dev/full")):
        before = path.stat().st_mode
        with pytest.raises(FileExistsError, match="A folder or a device is there") as info:
            model.save(path)
        assert info.value.filename == str(path)
        assert path.stat().st_mode == before


def test_long_names_have_room_for_their_parts(model: Any, tmp_path: Path) -> None:
    for name in ("x" * 255, "é" * 127, "\U0001d6fc" * 63):
        model.save(tmp_path / name)
        assert MultiTaskAlignedClassifier.load(tmp_path / name).alpha == model.alpha
    assert len(list(tmp_path.iterdir())) == 3


if __name__ == "__main__":
    kill_in(sys.argv[1]) if len(sys.argv) > 1 else kill_while_it_saves(100)
