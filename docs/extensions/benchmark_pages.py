"""The benchmark pages, made from the JSON files of the results when the site is built."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"

Rows = list[dict[str, Any]]


def tables() -> dict[str, tuple[str, str, Callable[[Rows], str]]]:
    """Of each page the title, the program that makes the results, and what makes its tables."""
    sys.path.insert(0, str(BENCHMARKS))
    import _alignment_table
    import _paper_table
    import _speed_table
    import _table
    import _weights_table
    import bench_alignment
    import bench_components
    import bench_few_tasks
    import bench_rates
    import bench_sensors
    import bench_task_weights
    import goals_table
    import guard_table

    return {
        "accuracy": ("Accuracy", "bench_accuracy", _table.tables),
        "goals": (
            "Goals of accuracy, and whether they hold",
            "bench_accuracy",
            lambda rows: goals_table.table(_table.by_setting(rows)),
        ),
        "guard": ("Selective transfer", "bench_accuracy", guard_table.table),
        "alignment": (
            "When alignment gains",
            "bench_alignment",
            lambda rows: _alignment_table.tables(rows, bench_alignment.METHODS),
        ),
        "sensors": (
            "Tasks measured by different instruments",
            "bench_sensors",
            bench_sensors.table,
        ),
        "components": ("Principal components", "bench_components", bench_components.table),
        "task_weights": (
            "Task weights",
            "bench_task_weights",
            lambda rows: _weights_table.tables(rows, list(bench_task_weights.METHODS)),
        ),
        "rates": ("Schedules of learning rates", "bench_rates", bench_rates.table),
        "few_tasks": ("Batches of few tasks", "bench_few_tasks", bench_few_tasks.table),
        "paper": ("The paper's experiments", "bench_paper", _paper_table.tables),
        "speed": ("Speed", "bench_speed", _speed_table.table),
    }


def write_pages(app: Sphinx) -> None:
    """Write a page for each file of results."""
    folder = Path(app.srcdir) / "benchmarks"
    folder.mkdir(exist_ok=True)
    for name, (title, program, make) in tables().items():
        source = "accuracy" if program == "bench_accuracy" else name
        path = BENCHMARKS / "results" / f"{source}.json"
        text = make(json.loads(path.read_text(encoding="utf-8")))
        page = (
            f"# {title}\n\nMade by `benchmarks/{program}.py`; this page was made from "
            f"`benchmarks/results/{source}.json` together with the site.\n\n{_below(text)}"
        )
        target = folder / f"{name}.md"
        if not target.exists() or target.read_text(encoding="utf-8") != page:
            target.write_text(page, encoding="utf-8")
    import readme_table

    controls = readme_table.summary(readme_table.CONTROLS)
    (folder / "controls.txt").write_text(controls, encoding="utf-8")


def _below(text: str) -> str:
    """The text without a title of its own."""
    first, _, rest = text.lstrip().partition("\n")
    return rest if first.startswith("# ") else text


def setup(app: Sphinx) -> dict[str, Any]:
    """Called before any page is read."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}
