"""The paper's own experiments, at a size for one core.

::

    python benchmarks/bench_paper.py                       # everything that is not done yet
    python benchmarks/bench_paper.py --quick               # a glance at every part
    python benchmarks/bench_paper.py --parts pairs --seeds 1
    python benchmarks/bench_paper.py --tables              # write the tables, run nothing

The paper is S. Wu, H. R. Zhang, C. Ré, "Understanding and Improving Information Transfer in
Multi-Task Learning", ICLR 2020, arXiv:2005.00944. Parts, with minutes on one core of a busy
machine, two and a half hours in all; the first seed of all parts takes half of it:

    theory    Fig. 2 and 3, transfer between tasks drawn at random (5)
    capacity  Fig. 6, accuracy against the capacity on six sentiment tasks (15)
    weights   Algorithm 2 on five multi-label sets, with and without label noise (8)
    transfer  from SST to five other tasks, with and without R (5)
    pairs     Algorithm 1 on the 15 pairs of six sentiment tasks (90)
    glue      the 10 pairs of five GLUE tasks on frozen features (12)
    finetune  two of these pairs with the upper layers of the encoder trained (9)

Whatever is chosen is chosen by rows of the training side. Results go to a JSON file, one line per
part, setting, seed and method, after each of them: a run that was interrupted goes on where it
stopped. Let only one run at a time write to a file. The tables are written beside it as markdown.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import _paper_theory
import _paper_weights
from _data import data_folder
from _paper_finetune import jobs as finetune_jobs
from _paper_job import Job
from _paper_pairs import GLUE_SETTINGS, SENTIMENT_SETTINGS
from _paper_pairs import jobs as pair_jobs
from _paper_sentiment import capacity_jobs, transfer_jobs
from _paper_table import KEY, key, tables
from _results import Row, write, write_results

RESULTS = Path(__file__).parent / "results" / "paper.json"
QUICK_RESULTS = RESULTS.with_name("paper_quick.json")

PARTS: dict[str, tuple[int, Callable[[int, bool], Iterator[Job]]]] = {
    "theory": (10, _paper_theory.jobs),
    "capacity": (2, capacity_jobs),
    "weights": (4, _paper_weights.jobs),
    "transfer": (2, transfer_jobs),
    "pairs": (3, partial(pair_jobs, SENTIMENT_SETTINGS)),
    "glue": (3, partial(pair_jobs, GLUE_SETTINGS)),
    "finetune": (1, finetune_jobs),
}
"""Seeds and jobs of each part."""


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seeds", type=int, help="at most so many (default: 1 to 10 by part)")
    parser.add_argument("--quick", action="store_true", help="one seed of the cheapest settings")
    parser.add_argument("--redo", action="store_true", help="run finished results again")
    parser.add_argument("--tables", action="store_true", help="only write the tables")
    parser.add_argument("--threads", type=int, default=1, help="of the linear algebra (default: 1)")
    parser.add_argument("--out", type=Path, help="JSON file of the results")
    arguments = parser.parse_args()
    arguments.seeds = 1 if arguments.quick else arguments.seeds or 10
    arguments.out = arguments.out or (QUICK_RESULTS if arguments.quick else RESULTS)
    return arguments


def run(arguments: argparse.Namespace, rows: list[Row]) -> list[Row]:
    """Stored results and those that are not done yet."""
    data_folder()
    warnings.simplefilter("ignore", ConvergenceWarning)
    warnings.filterwarnings("ignore", category=UserWarning)
    done = set() if arguments.redo else {key(row) for row in rows}
    for seed in range(arguments.seeds):
        for part in arguments.parts:
            n_seeds, jobs = PARTS[part]
            for job in jobs(seed, arguments.quick) if seed < n_seeds else ():
                what = dict(zip(KEY, (part, job.setting, seed, job.method), strict=True))
                if key(what) in done:
                    continue
                start = time.perf_counter()
                row: dict[str, Any] = what | job.run()
                row["seconds"] = round(time.perf_counter() - start, 1)
                rows = [old for old in rows if key(old) != key(row)] + [row]
                write_results(arguments.out, rows, key)
                mean = sum(row["scores"].values()) / len(row["scores"])
                print(*key(row), f"{mean:.3f}", f"{row['seconds']} s", sep=" | ", flush=True)
    return rows


def main() -> None:
    """Run what is not done yet and write the tables."""
    arguments = parse_arguments()
    out: Path = arguments.out
    rows: list[Row] = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else []
    if not arguments.tables:
        torch.set_num_threads(arguments.threads)
        with threadpool_limits(arguments.threads):
            rows = run(arguments, rows)
    write(out.with_suffix(".md"), tables(rows))


if __name__ == "__main__":
    main()
