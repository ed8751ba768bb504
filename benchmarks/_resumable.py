"""The main program of a benchmark that goes through settings and can be interrupted."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from threadpoolctl import threadpool_limits

from _data import Tasks, data_folder
from _results import Row, write, write_results
from _scores import Answer, score


def run_all(
    about: str,
    results: Path,
    settings: list[Row],
    key: Callable[[Row], Any],
    sides: Callable[[Row], tuple[Tasks, Tasks]],
    methods: dict[str, Callable[[Tasks, Tasks, int], list[Answer]]],
    table: Callable[[list[Row]], str],
) -> None:
    """Run the settings that have no result yet; print the table, and write it beside the results.

    Parameters
    ----------
    about : str
        The program's own words.
    results : Path
        JSON file, written after each fit; the command line may name another.
    settings : list of dict
        With "method" and "seed" among their fields.
    key : callable
        What identifies a setting.
    sides : callable
        The training and test rows of a setting.
    methods : dict
    table : callable
    """
    parser = argparse.ArgumentParser(description=about.split("\n")[0])
    parser.add_argument("--tables", action="store_true", help="run nothing")
    parser.add_argument("--out", type=Path, default=results, help="JSON file of the results")
    arguments = parser.parse_args()
    out: Path = arguments.out
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else []
    done = {key(row) for row in rows}
    todo = [] if arguments.tables else [row for row in settings if key(row) not in done]
    if todo:
        data_folder()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        for row in todo:
            train, test = sides(row)
            answers = methods[row["method"]](train, test.without_labels(), row["seed"])
            rows.append(row | {"score": round(score(test, answers), 3)})
            write_results(out, rows, key)
            print(*key(row), rows[-1]["score"], flush=True)
    print("\n" + table(rows))
    write(out.with_suffix(".md"), table(rows))
