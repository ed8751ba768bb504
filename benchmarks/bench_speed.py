"""How fast are training, prediction, re-weighting and searches, side by side with their peers?

::

    python benchmarks/bench_speed.py                       # all of it, with one thread and two
    python benchmarks/bench_speed.py --quick               # few rounds, one thread
    python benchmarks/bench_speed.py --rows 1 8 --threads 1

The alternatives of a line take turns, in one process with its threads pinned. Given are ratios of
the medians of CPU time, ours over the other's, with the quartiles of the ratios by round.
Workers of joblib count by wall time. Results go to a JSON file; the table is printed, written
beside it as markdown, and put into the guide.
"""

import argparse
import json
import os
import re
from pathlib import Path
from statistics import median

from _lock import only_writer
from _results import Row, write, write_results
from _speed_analysis import CASES as ANALYSIS
from _speed_cases import Case, Memory
from _speed_clock import peak_megabytes, ratio, take_turns, threads
from _speed_search import CASES as SEARCH
from _speed_serving import CASES as SERVING
from _speed_table import GUIDE, table, with_table
from _speed_training import CASES as TRAINING

RESULTS = Path(__file__).parent / "results" / "speed.json"
CASES: list[Case | Memory] = sorted(
    [*TRAINING, *SERVING, *ANALYSIS, *SEARCH], key=lambda case: int(case.row.split(",")[0])
)
BY_WALL = ("14",)  # what runs in processes of joblib


def key(row: Row) -> tuple[int, str, str, int]:
    """What identifies a line."""
    return int(row["row"].split(",")[0]), row["work"], row["against"], row["threads"]


def time_case(case: Case, rounds: int, n_threads: int) -> list[Row]:
    """A line for each alternative."""
    with threads(n_threads):
        times = take_turns(case.alternatives(), rounds)
    ours = times.pop("ours")
    lines = []
    for name, other in times.items():
        by = "wall" if case.row in BY_WALL else "cpu"
        value, low, high = ratio(getattr(ours, by), getattr(other, by))
        wall, _, _ = ratio(ours.wall, other.wall)
        goal = next((g for against, g in case.goals.items() if name.startswith(against)), None)
        lines.append(
            {
                "row": case.row,
                "work": case.work,
                "against": name,
                "threads": n_threads,
                "ratio": round(value, 4),
                "quartiles": [round(low, 4), round(high, 4)],
                "wall_ratio": round(wall, 4),
                "by": by,
                "goal": goal,
                "stretch": case.stretch.get(name),
                "seconds": round(median(getattr(ours, by)), 5),
                "others_seconds": round(median(getattr(other, by)), 5),
                "rounds": rounds,
            }
        )
    return lines


def measure_memory(case: Memory, rounds: int) -> list[Row]:
    """One line: megabytes above what the work needs by its nature."""
    work, needed = case.run()
    above = sorted(peak_megabytes(work) - needed for _ in range(rounds))
    return [
        {
            "row": case.row,
            "work": case.work,
            "against": f"{needed:.0f} MB needed",
            "threads": 1,
            "megabytes": round(median(above), 1),
            "quartiles": [round(above[0], 1), round(above[-1], 1)],
            "goal": case.goal,
            "rounds": rounds,
        }
    ]


def main() -> None:
    """Measure what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rows", nargs="+", help="numbers in the table (default: all)")
    parser.add_argument("--work", default="", help="only work whose description matches")
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--quick", action="store_true", help="three rounds, one thread")
    parser.add_argument("--tables", action="store_true", help="measure nothing")
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.threads, arguments.rounds = [1], 3
    out: Path = arguments.out
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else []
    if not arguments.tables:
        with only_writer(out):
            for case in CASES:
                asked = not arguments.rows or set(case.row.split(", ")) & set(arguments.rows)
                if not asked or not re.search(arguments.work, case.work):
                    continue
                for n_threads in arguments.threads if isinstance(case, Case) else [1]:
                    if isinstance(case, Case):
                        found = time_case(case, arguments.rounds, n_threads)
                    else:
                        found = measure_memory(case, min(3, arguments.rounds))
                    same = {(line["work"], line["threads"]) for line in found}
                    rows = [old for old in rows if (old["work"], old["threads"]) not in same]
                    rows = sorted(rows + found, key=key)
                    write_results(out, rows, key)
                    for line in found:
                        print(*(line[f] for f in ("work", "against", "threads")), end=" ")
                        print(line.get("ratio", line.get("megabytes")), line["quartiles"])
    write(out.with_suffix(".md"), "# Speed\n\n" + table(rows))
    if out == RESULTS:
        write(GUIDE, with_table(GUIDE.read_text(encoding="utf-8"), rows))
    print("\n" + table(rows))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
