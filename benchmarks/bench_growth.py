"""How do time and memory grow with the number of rows, of features and of tasks?

One of them changes, the others stay at 100,000 rows, 64 features, 8 tasks. Time is CPU time of one
thread, the median of rounds in which the alternatives take turns; of a fit it is the median of its
epochs. Memory is the peak above what a process that holds the rows has before.

    python benchmarks/bench_growth.py
"""

import json
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from skorch.callbacks import Callback

from _lock import only_writer
from _results import Row, write_results
from _speed_clock import peak_megabytes, threads
from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter

RESULTS = Path(__file__).parent / "results" / "growth.json"
BASE = {"rows": 100_000, "features": 64, "tasks": 8}
GROWTH = {
    "rows": (10_000, 100_000, 1_000_000),
    "features": (16, 64, 256, 1024),
    "tasks": (2, 8, 100, 1000),
}
EPOCHS, ROUNDS = 4, 3

Data = tuple[Any, Any, Any]


def draw(rows: int, features: int, tasks: int) -> Data:
    """Labels that a common direction and one of each task's own explain."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, features), dtype=np.float32)
    task = np.arange(rows) % tasks
    own = X[np.arange(rows), 1 + task % (features - 1)]
    return X, X[:, 0] + 0.7 * own + 0.5 * rng.standard_normal(rows) > 0, task


class _Clock(Callback):
    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.times_ = [time.process_time()]

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.times_.append(time.process_time())


def _fit(alignment: str | None, data: Data) -> tuple[MultiTaskAlignedClassifier, float]:
    """A model, and the CPU seconds of an epoch."""
    X, y, task = data
    clock = _Clock()
    model = MultiTaskAlignedClassifier(
        solver="adam",
        alignment=alignment,
        batch_size=1000,
        max_iter=EPOCHS,
        tol=0.0,
        callbacks=[clock],
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # max_iter is meant to be reached
        model.fit(X, y, task=task)
    return model, float(np.median(np.diff(clock.times_)))


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def measure(**size: int) -> list[Row]:
    """Seconds and megabytes of each piece of work at one size."""
    data = draw(**size)
    X, y, task = data
    model, _ = _fit("low_rank", data)
    fits: dict[str, Callable[[], Any]] = {
        f"an epoch, alignment={kind!r}": partial(_fit, kind, data)
        for kind in (None, "low_rank", "full")
    }
    others: dict[str, Callable[[], Any]] = {
        "predict_proba": partial(model.predict_proba, X, task=task),
        "SVDTaskReweighter.fit": partial(SVDTaskReweighter().fit, X, y, task=task),
    }
    times: dict[str, list[float]] = {name: [] for name in fits | others}
    for _ in range(ROUNDS):
        for name, fit in fits.items():
            times[name].append(fit()[1])
        for name, work in others.items():
            times[name].append(_seconds(work))
    return [
        {
            "work": name,
            "seconds": round(median(times[name]), 5),
            "fastest": round(min(times[name]), 5),
            "slowest": round(max(times[name]), 5),
            "peak_mb": round(peak_megabytes(work)),
        }
        for name, work in (fits | others).items()
    ]


def _key(row: Row) -> tuple[int, int, str]:
    return list(GROWTH).index(row["grows"]), row["size"], row["work"]


def main() -> None:
    """Measure each size that has no result yet."""
    with only_writer(RESULTS), threads(1):
        rows: list[Row] = json.loads(RESULTS.read_text()) if RESULTS.is_file() else []
        for grows, sizes in GROWTH.items():
            for size in sizes:
                if any((row["grows"], row["size"]) == (grows, size) for row in rows):
                    continue
                for row in measure(**(BASE | {grows: size})):
                    rows.append({"grows": grows, "size": size} | row)
                    print(rows[-1], flush=True)
                write_results(RESULTS, rows, _key)


if __name__ == "__main__":
    main()
