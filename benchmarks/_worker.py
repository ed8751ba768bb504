"""Fits in a process of their own, which is ended when a fit takes too long."""

import multiprocessing
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection

import torch
from threadpoolctl import threadpool_limits

from _results import Row


def run_limited(fit: Callable[[], Row], limit: int) -> Row:
    """What a fit returns, and its times; without them if it failed or took too long.

    Parameters
    ----------
    fit : callable
        Returns fields of a result, "score" among them.
    limit : int
        Seconds of wall time after which its process is ended: from outside, as a fit may be in
        compiled code, or in a search that catches whatever is raised.

    Returns
    -------
    dict
        The fields with "cpu_seconds" and "wall_seconds"; else "score": None with "over_limit" and
        "limit", or with "error".
    """
    # A fork shares the data and the imported packages: it costs milliseconds.
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(fit, there), daemon=True)
    process.start()
    there.close()
    try:
        if not here.poll(limit):
            return {"score": None, "over_limit": True, "limit": limit}
        result: Row = here.recv()
        return result
    except EOFError:
        return {"score": None, "error": "the process ended without a result"}
    finally:
        process.kill()
        process.join()


def _work(fit: Callable[[], Row], to: Connection) -> None:
    """Run in the process: one thread, no warnings."""
    torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            result = fit()
        except Exception as error:
            traceback.print_exc()
            to.send({"score": None, "error": f"{type(error).__name__}: {error}"[:200]})
            return
        to.send(
            result
            | {
                "cpu_seconds": round(time.process_time() - cpu, 3),
                "wall_seconds": round(time.perf_counter() - wall, 3),
            }
        )
