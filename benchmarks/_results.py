"""Storing results: one file, replaced in one step."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

Row = dict[str, Any]


def write(path: Path, text: str) -> None:
    """Replace a file in one step, so that an interruption leaves the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(path.name + ".new")
    new.write_text(text, encoding="utf-8")
    os.replace(new, path)


def write_results(path: Path, rows: list[Row], key: Callable[[Row], Any]) -> None:
    """Store results as a JSON list with one result a line, sorted by their keys."""
    lines = ",\n".join(json.dumps(row) for row in sorted(rows, key=key))
    write(path, f"[\n{lines}\n]\n")
