"""Times of alternatives that take turns, and the memory that a piece of work takes."""

import gc
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

Work = Callable[[], object]


@dataclass(frozen=True)
class Times:
    """CPU and wall seconds of each round, of one alternative."""

    cpu: list[float]
    wall: list[float]


@dataclass(frozen=True)
class Epochs:
    """Training for a number of epochs: what is timed is one more epoch, without the set-up.

    Where only a part of equal parts is trained, all would take ``parts`` times as long.
    """

    train: Callable[[int], object]
    more: int = 10
    parts: float = 1.0

    def __call__(self) -> None:
        """Train for some epochs more than one."""
        self.train(1 + self.more)

    def start(self) -> None:
        """Train for one epoch: what is taken off."""
        self.train(1)


def take_turns(works: dict[str, Work | Epochs], rounds: int) -> dict[str, Times]:
    """Time each alternative once a round, after a round that does not count."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            cpu, wall = _time(work)
            if isinstance(work, Epochs):
                start_cpu, start_wall = _time(work.start)
                share = work.parts / work.more
                cpu, wall = (cpu - start_cpu) * share, (wall - start_wall) * share
            if number:
                found[name].append((cpu, wall))
    return {name: Times(*map(list, zip(*times, strict=True))) for name, times in found.items()}


def _time(work: Work) -> tuple[float, float]:
    """CPU seconds of all threads, and wall seconds. Short work is repeated."""
    gc.collect()
    gc.disable()
    try:
        times = 0
        cpu, wall = time.process_time(), time.perf_counter()
        while not times or time.perf_counter() - wall < 0.05:
            work()
            times += 1
        return (time.process_time() - cpu) / times, (time.perf_counter() - wall) / times
    finally:
        gc.enable()


def ratio(ours: list[float], theirs: list[float]) -> tuple[float, float, float]:
    """Ratio of the medians, and the quartiles of the ratios by round."""
    by_round = np.array(ours) / np.array(theirs)
    low, high = np.quantile(by_round, [0.25, 0.75])
    return float(np.median(ours) / np.median(theirs)), float(low), float(high)


@contextmanager
def threads(number: int) -> Iterator[None]:
    """So many threads for BLAS, OpenMP and torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        with threadpool_limits(number):
            yield
    finally:
        torch.set_num_threads(before)


def peak_megabytes(work: Work) -> float:
    """Resident memory at the peak of the work above that at its start, in a process of its own.

    Linux only: the peak is reset by the kernel.
    """
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_report_peak, args=(work, there))
    process.start()
    there.close()
    try:
        return float(here.recv())
    finally:
        process.join()


def _report_peak(work: Work, to: Connection) -> None:
    torch.set_num_threads(1)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    kept = work()
    to.send(_status("VmHWM") - before)
    del kept


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))
