"""What importing the package costs, and that README's example runs as pasted."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sk_mtl

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def run(code: str, folder: Path | None = None) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "SK_MTL_DATA"}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_torch_and_skorch_load_on_first_fit() -> None:
    heavy = "[m for m in ('torch', 'skorch', 'sklearn', 'scipy') if m in sys.modules]"
    assert run(f"import sys, sk_mtl; print({heavy})") == "[]\n"
    code = f"import sys; from sk_mtl import *; MultiTaskAlignedClassifier(); print({heavy})"
    assert "torch" not in run(code)


def test_every_public_name_is_there() -> None:
    for name in sk_mtl.__all__:
        assert getattr(sk_mtl, name).__name__ == name
        assert name in dir(sk_mtl)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        sk_mtl.Nothing  # noqa: B018


def test_readme_example_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    probabilities, score = run(code).strip().rsplit("\n", 1)
    assert probabilities.startswith("[[")
    assert float(score) > 0.85


def test_readme_table_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from readme_table import with_summary

    text = README.read_text(encoding="utf-8")
    assert with_summary(text) == text


def test_table_of_speed_is_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from _speed_table import GUIDE, with_table

    rows = json.loads((ROOT / "benchmarks/results/speed.json").read_text(encoding="utf-8"))
    text = GUIDE.read_text(encoding="utf-8")
    assert with_table(text, rows) == text


def test_tables_of_scale_are_made_from_the_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from scale_table import GUIDE, with_tables

    text = GUIDE.read_text(encoding="utf-8")
    assert with_tables(text) == text
    assert "{" not in text.partition("## On paper")[2]


def test_every_public_name_is_in_the_reference() -> None:
    reference = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    for path in sorted((ROOT / "sk_mtl").glob("[!_]*.py")):
        module = importlib.import_module(f"sk_mtl.{path.stem}")
        _, _, section = reference.partition(f".. currentmodule:: {module.__name__}\n")
        listed = re.findall(r"^   (\w+)$", section.partition(".. currentmodule::")[0], re.MULTILINE)
        assert sorted(listed) == sorted(module.__all__)


def test_every_public_name_has_an_example() -> None:
    """Which the doctests run."""
    for path in sorted((ROOT / "sk_mtl").glob("[!_]*.py")):
        module = importlib.import_module(f"sk_mtl.{path.stem}")
        for name in module.__all__:
            assert ">>> " in (getattr(module, name).__doc__ or ""), name
    for name in sk_mtl.__all__:
        assert ">>> " in getattr(sk_mtl, name).__doc__, name


def test_main_example_beats_a_model_per_task_and_a_pooled_one(tmp_path: Path) -> None:
    example = ROOT / "docs" / "examples" / "digits_from_five_scanners.py"
    out = run(f"import runpy; runpy.run_path({str(example)!r})['main'](seeds=1)", tmp_path)
    alone, pooled, multi_task = map(float, re.findall(r"^mean +(\S+) +(\S+) +(\S+)$", out, re.M)[0])
    assert multi_task > max(alone, pooled)
    assert (tmp_path / "sk_mtl_example.png").stat().st_size > 10_000
