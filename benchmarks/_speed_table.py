"""The table of speeds, from their JSON file."""

import re
from pathlib import Path

from _markdown import markdown
from _results import Row

GUIDE = Path(__file__).resolve().parent.parent / "docs" / "guide" / "speed.md"
BLOCK = re.compile(r"(<!-- table -->\n).*?(\n## )", re.DOTALL)
HEADER = ("", "work", "against", "1 thread", "2 threads", "goal", "verdict")
LEGEND = """\
Our CPU time over the other's (row 14: wall time, as workers of joblib do the work): the ratio of
medians, and the quartiles of the ratios by round. Memory in megabytes above what inputs, outputs,
parameters and optimizer take. The verdict goes by one thread; "stretch" is the harder goal."""


def table(rows: list[Row]) -> str:
    """A line for each work and what it is compared with."""
    lines = []
    for row in rows:
        if row["threads"] == 1:
            others = [r for r in rows if r["threads"] == 2 and _same(r, row)]
            two = _measured(others[0]) if others else ""
            lines.append(
                (
                    row["row"],
                    row["work"],
                    row["against"],
                    _measured(row),
                    two,
                    _goal(row),
                    _verdict(row),
                )
            )
    return "\n\n".join([markdown([HEADER, *lines]), LEGEND]) + "\n"


def with_table(chapter: str, rows: list[Row]) -> str:
    """The chapter of the guide with its table made anew."""
    text, times = BLOCK.subn(lambda match: match[1] + "\n" + table(rows) + match[2], chapter)
    if times != 1:
        raise SystemExit("The guide has no place for the table.")
    return text


def _same(one: Row, other: Row) -> bool:
    return all(one[field] == other[field] for field in ("work", "against"))


def _measured(row: Row) -> str:
    value = row.get("ratio", row.get("megabytes"))
    low, high = row["quartiles"]
    return f"{value:.3g} ({low:.3g} to {high:.3g})"


def _goal(row: Row) -> str:
    if row["goal"] is None:
        return ""
    stretch = row.get("stretch")
    return f"{row['goal']:.3g}" + (f", stretch {stretch:.3g}" if stretch else "")


def _verdict(row: Row) -> str:
    if row["goal"] is None:
        return ""
    value = row.get("ratio", row.get("megabytes"))
    if row.get("stretch") and value <= row["stretch"]:
        return "stretch"
    return "holds" if value <= row["goal"] else "missed"
