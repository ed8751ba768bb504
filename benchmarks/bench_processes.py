"""One model trained by one process and by two, through Hugging Face Accelerate and gloo.

Rows a second and loss on held-out rows, for a small network and for a large one. Each process has
one thread; how they share the machine's cores with others decides what two of them gain.

    python benchmarks/bench_processes.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from _lock import only_writer
from _results import write_results

RESULTS = Path(__file__).parent / "results" / "processes.json"
N_ROWS, N_FEATURES, N_TASKS, EPOCHS, ROUNDS = 100_000, 64, 8, 4, 3
MODELS = {
    "32 units, batch 1000": {"batch_size": 1000},
    "512-512 units, batch 2000": {"batch_size": 2000, "hidden_layer_sizes": (512, 512)},
}


def draw(seed: int, n_rows: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, N_FEATURES), dtype=np.float32)
    task = rng.integers(0, N_TASKS, n_rows)
    own = X[np.arange(n_rows), 1 + task]
    return X, X[:, 0] + 0.7 * own + 0.5 * rng.standard_normal(n_rows) > 0, task


def work(folder: Path) -> None:
    """What each process does; the first one writes down what it finds."""
    import torch
    from accelerate import Accelerator
    from sklearn.metrics import log_loss
    from skorch.callbacks import Callback

    from sk_mtl import MultiTaskAlignedClassifier

    class Clock(Callback):
        def on_train_begin(self, net: Any, **kwargs: Any) -> None:
            self.times_ = [time.perf_counter()]

        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            self.times_.append(time.perf_counter())

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # max_iter is meant to be reached
    accelerator = Accelerator(cpu=True)
    X, y, task = draw(0, N_ROWS)
    new = draw(1, N_ROWS)
    rows = []
    for name, params in MODELS.items():
        clock = Clock()
        model = MultiTaskAlignedClassifier(
            solver="adam",
            max_iter=EPOCHS,
            callbacks=[clock],
            net_params={"accelerator": accelerator},
            random_state=0,
            **params,
        ).fit(X, y, task=task)
        loss = log_loss(new[1], model.predict_proba(new[0], task=new[2]))
        rate = round(N_ROWS / np.median(np.diff(clock.times_)[1:]))
        found = {"rows_per_second": rate, "held_out_loss": loss}
        rows.append({"model": name, "processes": accelerator.num_processes, **found})
    if accelerator.is_main_process:
        (folder / "rows.json").write_text(json.dumps(rows))
    accelerator.end_training()


def run(n_processes: int) -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={n_processes}"]
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
        command = [sys.executable, *launch, __file__, folder]
        subprocess.run(command, check=True, env=os.environ | threads, timeout=1800)
        found: list[dict[str, Any]] = json.loads((Path(folder) / "rows.json").read_text())
        return found


def main() -> None:
    with only_writer(RESULTS):
        # One and two take turns, so that a busy machine is busy for both.
        every = [row for _ in range(ROUNDS) for n in (1, 2) for row in run(n)]
        rows = []
        for model in MODELS:
            for n in (1, 2):
                own = [r for r in every if (r["model"], r["processes"]) == (model, n)]
                rates = [r["rows_per_second"] for r in own]
                row = {"model": model, "processes": n, "rows_per_second": int(np.median(rates))}
                row |= {"slowest": min(rates), "fastest": max(rates)}
                rows.append(row | {"held_out_loss": round(own[0]["held_out_loss"], 7)})
                print(rows[-1], flush=True)
        write_results(RESULTS, rows, lambda row: (row["model"], row["processes"]))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(Path(sys.argv[1]))
    else:
        main()
