"""What importing the package costs, and that README's example runs as pasted."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import sk_mtl

README = Path(__file__).parent.parent / "README.md"


def run(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
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
