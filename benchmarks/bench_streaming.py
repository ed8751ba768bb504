"""More rows than memory: peak, rows a second and loss of fit_chunks on a memmap and on Parquet.

Writes its data (2.6 GB a file for 10 million rows of 64 features) to a temporary folder. Memory is
that of a process of its own, above what it holds before it fits. Linux only.

    python benchmarks/bench_streaming.py [--rows 10000000] [--folder DIR]
"""

import argparse
import gc
import multiprocessing
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from sklearn.metrics import log_loss
from skorch.callbacks import Callback as SkorchCallback

from _lock import only_writer
from _results import write_results
from _speed_clock import _status
from sk_mtl import MultiTaskAlignedClassifier, SVDTaskReweighter
from sk_mtl.diagnostics import CovarianceSimilarity

RESULTS = Path(__file__).parent / "results" / "streaming.json"
N_FEATURES, N_TASKS, CHUNK, EPOCHS, BATCH = 64, 8, 20_000, 2, 1000
SUBSET = 500_000  # rows that fit takes as well
HELD_OUT = 100_000
MIX = np.random.default_rng(0).standard_normal((N_FEATURES, N_FEATURES)) / 8

Chunk = tuple[Any, Any, Any]


def draw(number: int, n_rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, labels and tasks; labels follow a common direction, one of the task's, and a curve."""
    rng = np.random.default_rng([1, number])
    task = rng.integers(0, N_TASKS, n_rows).astype(np.int8)
    latent = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    own = latent[np.arange(n_rows), 1 + task]
    signal = latent[:, 0] + 0.7 * own + 0.5 * latent[:, 20] * latent[:, 21]
    y = signal + 0.5 * rng.standard_normal(n_rows) > 0
    return (latent @ MIX).astype(np.float32), y, task


class MemmapChunks:
    """Slices of .npy files, opened anew for each chunk: pages that were read are given back."""

    def __init__(self, folder: Path, n_rows: int) -> None:
        self.folder, self.n_rows = folder, n_rows

    def __iter__(self) -> Iterator[Chunk]:
        for start in range(0, self.n_rows, CHUNK):
            rows = slice(start, min(start + CHUNK, self.n_rows))
            X, y, task = (np.load(self.folder / f"{n}.npy", mmap_mode="r") for n in "Xyt")
            yield X[rows], y[rows], task[rows]


class ParquetChunks:
    """Batches of a Parquet file."""

    def __init__(self, folder: Path, n_rows: int) -> None:
        self.path, self.n_rows = folder / "rows.parquet", n_rows

    def __iter__(self) -> Iterator[Chunk]:
        left = self.n_rows
        with pq.ParquetFile(self.path, pre_buffer=False) as file:  # or it reads far ahead
            for batch in file.iter_batches(CHUNK, use_threads=False):
                if left <= 0:
                    return
                part, left = batch.slice(0, left), left - len(batch)
                columns = [part[f"x{j}"].to_numpy() for j in range(N_FEATURES)]
                y = part["y"].to_numpy(zero_copy_only=False)
                yield np.stack(columns, axis=1), y, part["t"].to_numpy()


def write_files(folder: Path, n_rows: int) -> None:
    shapes = {"X": (n_rows, N_FEATURES), "y": (n_rows,), "t": (n_rows,)}
    dtypes = {"X": np.float32, "y": np.bool_, "t": np.int8}
    files = {
        n: np.lib.format.open_memmap(folder / f"{n}.npy", "w+", dtypes[n], shapes[n]) for n in "Xyt"
    }
    names = [f"x{j}" for j in range(N_FEATURES)]
    schema = pa.schema([*((n, pa.float32()) for n in names), ("y", pa.bool_()), ("t", pa.int8())])
    with pq.ParquetWriter(folder / "rows.parquet", schema, compression="none") as writer:
        for number, start in enumerate(range(0, n_rows, CHUNK)):
            X, y, task = draw(number, min(CHUNK, n_rows - start))
            rows = slice(start, start + CHUNK)
            files["X"][rows], files["y"][rows], files["t"][rows] = X, y, task
            writer.write_table(pa.table([*X.T, y, task], schema=schema), row_group_size=CHUNK)


class Clock(SkorchCallback):
    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        self.times_ = [time.perf_counter()]

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        self.times_.append(time.perf_counter())


def classifier(clock: Clock, **params: Any) -> MultiTaskAlignedClassifier:
    return MultiTaskAlignedClassifier(
        solver="adam",
        batch_size=BATCH,
        max_iter=EPOCHS,
        callbacks=[clock],
        random_state=0,
        **params,
    )


def fit_stream(chunks: Any, buffer_rows: int) -> dict[str, Any]:
    clock = Clock()
    start = time.perf_counter()
    model = classifier(clock).fit_chunks(chunks, buffer_rows=buffer_rows)
    return _of_model(model, clock, start, chunks.n_rows)


def fit_in_memory(chunks: Any) -> dict[str, Any]:
    X, y, task = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    clock = Clock()
    start = time.perf_counter()
    return _of_model(classifier(clock).fit(X, y, task=task), clock, start, len(X))


def fit_memmap(folder: Path, n_rows: int) -> dict[str, Any]:
    """Plain fit of a memmap: what it needs above the float32 copy in the order of its steps."""
    X, y, task = (np.load(folder / f"{n}.npy", mmap_mode="r")[:n_rows] for n in "Xyt")
    clock = Clock()
    start = time.perf_counter()
    return _of_model(classifier(clock).fit(X, y, task=task), clock, start, n_rows)


def _of_model(model: Any, clock: Clock, start: float, n_rows: int) -> dict[str, Any]:
    found = {
        "first_pass_rows_per_second": round(n_rows / (clock.times_[0] - start)),
        "epoch_rows_per_second": round(n_rows / np.median(np.diff(clock.times_))),
        "train_loss": round(float(model.loss_curve_[-1]), 5),
        "model_mb": round(3 * sum(p.nbytes for p in model.module_.parameters()) / 2**20, 2),
    }
    found["peak_mb"] = round(_status("VmHWM"))  # not that of what follows
    X, y, task = draw(10**6, HELD_OUT)  # of a number that no chunk has
    return found | {"held_out_loss": round(log_loss(y, model.predict_proba(X, task=task)), 5)}


def one_pass(estimator: Any, chunks: Any) -> dict[str, Any]:
    start = time.perf_counter()
    for X, y, task in chunks:
        labels = {"y": y} if isinstance(estimator, SVDTaskReweighter) else {}
        estimator.partial_fit(X, task=task, **labels)
    return {"first_pass_rows_per_second": round(chunks.n_rows / (time.perf_counter() - start))}


def in_a_process(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the work finds, and its peak of memory above that at its start."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_measure, args=(work, there))
    process.start()
    there.close()
    try:
        found: dict[str, Any] = here.recv()
        return found
    finally:
        process.join()


def _measure(work: Callable[[], dict[str, Any]], to: Any) -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # max_iter is meant to be reached
    few = draw(0, 1000)
    classifier(Clock()).fit_chunks([few])  # imports what is imported when it is needed
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = _status("VmRSS")
    found = work()
    peak = found.pop("peak_mb", _status("VmHWM"))
    to.send(found | {"peak_mb": round(peak - before)})


def measure(folder: Path, n_rows: int) -> Iterator[dict[str, Any]]:
    every = {"memmap": MemmapChunks(folder, n_rows), "parquet": ParquetChunks(folder, n_rows)}
    part = MemmapChunks(folder, min(SUBSET, n_rows))
    works: dict[str, tuple[int, Callable[[], dict[str, Any]]]] = {
        "fit_chunks, memmap": (n_rows, lambda: fit_stream(every["memmap"], 100_000)),
        "fit_chunks, Parquet": (n_rows, lambda: fit_stream(every["parquet"], 100_000)),
        "fit_chunks, part": (part.n_rows, lambda: fit_stream(part, 100_000)),
        "fit_chunks, part, buffer of 10 batches": (part.n_rows, lambda: fit_stream(part, 10_000)),
        "fit, part": (part.n_rows, lambda: fit_in_memory(part)),
        "fit, memmap, part": (part.n_rows, lambda: fit_memmap(folder, part.n_rows)),
        "SVDTaskReweighter.partial_fit": (
            n_rows,
            lambda: one_pass(SVDTaskReweighter(), every["memmap"]),
        ),
        "CovarianceSimilarity.partial_fit": (
            n_rows,
            lambda: one_pass(CovarianceSimilarity(), every["memmap"]),
        ),
    }
    for name, (rows, work) in works.items():
        row = {"work": name, "rows": rows, "features": N_FEATURES} | in_a_process(work)
        print(row, flush=True)
        yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    with only_writer(options.out), tempfile.TemporaryDirectory(dir=options.folder) as folder:
        write_files(Path(folder), options.rows)
        rows = list(measure(Path(folder), options.rows))
        order = {row["work"]: number for number, row in enumerate(rows)}
        write_results(options.out, rows, lambda row: order[row["work"]])


if __name__ == "__main__":
    main()
