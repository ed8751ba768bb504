"""Put the results of `bench_streaming`, `bench_processes` and `bench_growth` into the guide.

::

    python benchmarks/scale_table.py
"""

import json
import re
from pathlib import Path
from typing import Any

from _markdown import markdown
from _results import write

RESULTS = Path(__file__).parent / "results"
GUIDE = Path(__file__).parents[1] / "docs" / "guide" / "scale.md"
BLOCK = re.compile(r"(<!-- tables -->\n).*?(<!-- end of tables -->)", re.DOTALL)
RATE = re.compile(r"At the rate of the table, [^\n]*, it\n  takes [^\n]* hours")


def with_tables(chapter: str) -> str:
    """The chapter with its tables, and what follows from them, made anew."""
    streaming, processes, growth = (
        json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("streaming", "processes", "growth")
    )
    made = _of_streams(streaming), _of_processes(processes), _of_growth(growth)
    tables = "\n" + "\n\n".join(made) + "\n\n"
    rate = streaming[0]["epoch_rows_per_second"]
    text = BLOCK.sub(lambda match: match[1] + tables + match[2], chapter)
    hours = 1e9 / rate / 3600
    takes = f"At the rate of the table, {rate:,} rows a second, it\n  takes {hours:.1f} hours"
    return RATE.sub(takes, text)


def _of_streams(rows: list[dict[str, Any]]) -> str:
    lines = [
        ("work", "rows", "peak, MB", "first pass, rows/s", "an epoch, rows/s", "held-out loss")
    ]
    for row in rows:
        epoch, loss = row.get("epoch_rows_per_second"), row.get("held_out_loss")
        lines.append(
            (
                row["work"],
                f"{row['rows']:,}",
                str(row["peak_mb"]),
                f"{row['first_pass_rows_per_second']:,}",
                f"{epoch:,}" if epoch else "",
                f"{loss:.4f}" if loss else "",
            )
        )
    return markdown(lines)


def _of_processes(rows: list[dict[str, Any]]) -> str:
    lines = [("model", "processes", "rows/s", "slowest to fastest", "held-out loss")]
    for row in rows:
        lines.append(
            (
                row["model"],
                str(row["processes"]),
                f"{row['rows_per_second']:,}",
                f"{row['slowest']:,} to {row['fastest']:,}",
                f"{row['held_out_loss']:.5f}",
            )
        )
    return markdown(lines)


def _of_growth(rows: list[dict[str, Any]]) -> str:
    """A line for each size, a column for each piece of work: seconds, and megabytes."""
    cells = {
        (r["grows"], r["size"], r["work"]): f"{r['seconds']:.3g} s, {r['peak_mb']} MB" for r in rows
    }
    works = sorted({r["work"] for r in rows}, key=lambda work: (not work.startswith("an"), work))
    sizes = list(dict.fromkeys((r["grows"], r["size"]) for r in rows))
    lines = [("grows", "to", *works)]
    for grows, size in sizes:
        lines.append((grows, f"{size:,}", *(cells[grows, size, work] for work in works)))
    return markdown(lines)


if __name__ == "__main__":
    write(GUIDE, with_tables(GUIDE.read_text(encoding="utf-8")))
