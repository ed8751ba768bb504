"""The markdown tables of the benchmark of alignment."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from _markdown import markdown
from _results import Row

Runs = dict[int, Row]  # seed -> the result of one method in one setting

KEY = ("part", "basis", "net", "method", "seed")
BASELINES = {
    "multi-task": ("no alignment", "no alignment, alpha tuned"),
    "transfer": ("A", "scratch, alpha tuned"),
}
"""What each part's gains are over; "tasks better" is over the second."""

ABOUT = """\
Columns. accuracy: in %, mean over tasks, then over seeds. over ...: gain over a baseline, paired
over seeds, ± their standard error. tasks better: tasks whose mean over seeds is above that of the
second baseline. R used: in how many of the seeds (transfer: of the seeds and targets) the method
has a matrix R. s: seconds of one fit with the chosen parameters. Then each task's accuracy.

Features: 64 principal components of sentence-encoder features, fitted on training rows, rotated
at random: "one basis" means the same rotation for all tasks, which takes nothing away; "own
bases" a rotation for each. No sentence is on both sides of a split, over all tasks. Whatever is
chosen or tuned is so by the accuracy in 3-fold cross-validation on training rows, stratified by
task and class. Nets: the number of hidden units; "+ skip" is the default net, where heads also see
the features beside the hidden units. All fits have tol=0.001; parameters not named here are the
defaults.
"""
LEGENDS = {
    "multi-task": """\
Six tasks at once, 200 training rows each: MR, SST, CR, MPQA (polarity, the same labels), SUBJ and
TREC (labels of their own).

* no alignment: `alignment=None`.
* no alignment, alpha tuned: alpha chosen from 0.2, 1, 5.
* aligned: chosen from `alignment=None` and "full" with alignment_alpha 0.3, 10.
* aligned, alpha tuned: the same, with the alpha that was chosen without alignment.
* one common R, alpha tuned: control. The same choice with one matrix for all tasks in front of the
  shared layer, penalised as an alignment is: as many layers, but nothing that could align. (With
  "+ skip", it is in front of the hidden units only.)
* coral; alternating; after_shared: "aligned, alpha tuned" with `alignment_init="coral"`; with this
  `alignment_schedule`.
* alone; alone, alpha tuned: control without sharing, each task by itself in the same network.
""",
    "transfer": """\
From SST, 3000 training rows, to one target at a time, 200 rows each. Means over the five targets.
With the nets without skip a frozen B is all that a target gets of its features.

* scratch: no source; the same network fitted to the target's rows alone. alpha tuned: alpha chosen
  from 0.2, 1, 5.
* A: `alignment=None`; a head alone, B frozen.
* R, A: B frozen, `alignment="full"` with alignment_alpha chosen from 0.3, 10. Default penalty:
  `alignment="auto"`, here of low rank, and alignment_alpha 1000.
* B, A: `alignment=None, fine_tune_epochs=10`. To the end: `fine_tune_epochs=1000`, and alpha, the
  penalty on leaving the source's B, chosen from 0.2, 1, 5.
* R, B, A: `fine_tune_epochs=10` and alignment_alpha chosen as above.
""",
}


def key(row: Row) -> tuple[Any, ...]:
    """What identifies a result."""
    return tuple(row[field] for field in KEY)


def tables(rows: Iterable[Row], methods: dict[str, list[str]]) -> str:
    """A table per part and basis.

    Parameters
    ----------
    rows : iterable of dict
        Results as `bench_alignment` stores them.
    methods : dict of list of str
        The methods of each part, in the order of its tables.

    Returns
    -------
    str
        Markdown.
    """
    rows = list(rows)
    texts = ["# When does alignment gain?", ABOUT]
    for part in dict.fromkeys(row["part"] for row in rows):
        texts += [f"## {part.capitalize()}", LEGENDS[part]]
        of_part = [row for row in rows if row["part"] == part]
        for basis in dict.fromkeys(row["basis"] for row in of_part):
            chosen = [row for row in of_part if row["basis"] == basis]
            texts += [f"### {part.capitalize()}, {basis}", _table(chosen, methods[part])]
    return "\n\n".join(text.strip() for text in texts) + "\n"


def _table(rows: list[Row], methods: list[str]) -> str:
    """One line per net and method."""
    part = rows[0]["part"]
    first, second = BASELINES[part]
    names = list(rows[0]["tasks"])
    header = ("net", "method", "seeds", "accuracy", f"over {first}", f"over {second}")
    lines: list[tuple[str, ...]] = [(*header, "tasks better", "R used", "s", *names)]
    for net in dict.fromkeys(row["net"] for row in rows):
        runs: dict[str, Runs] = {}
        for row in rows:
            if row["net"] == net:
                runs.setdefault(row["method"], {})[row["seed"]] = row
        for method in (name for name in methods if name in runs):
            own = runs[method]
            used, of = np.sum([run["aligned"] for run in own.values()], axis=0)
            lines.append(
                (
                    net,
                    method,
                    str(len(own)),
                    f"{np.mean([run['score'] for run in own.values()]):.2f}",
                    _gain(own, runs.get(first, {})),
                    _gain(own, runs.get(second, {})),
                    _better(own, runs.get(second, {})),
                    f"{used}/{of}",
                    f"{np.mean([run['seconds'] for run in own.values()]):.2f}",
                    *(f"{mean:.1f}" for mean in _task_means(own, own.keys())),
                )
            )
    return markdown(lines)


def _gain(runs: Runs, baseline: Runs) -> str:
    """Mean gain over a baseline on the seeds both have, ± its standard error."""
    seeds = sorted(runs.keys() & baseline.keys())
    if runs is baseline or not seeds:
        return "-"
    gains = [runs[seed]["score"] - baseline[seed]["score"] for seed in seeds]
    if len(seeds) == 1:
        return f"{gains[0]:+.2f}"
    return f"{np.mean(gains):+.2f} ± {np.std(gains, ddof=1) / len(seeds) ** 0.5:.2f}"


def _better(runs: Runs, baseline: Runs) -> str:
    """How many of the tasks are above a baseline, on average over the seeds both have."""
    seeds = runs.keys() & baseline.keys()
    if runs is baseline or not seeds:
        return "-"
    above = _task_means(runs, seeds) > _task_means(baseline, seeds)
    return f"{above.sum()}/{len(above)}"


def _task_means(runs: Runs, seeds: Iterable[int]) -> Any:
    """Each task's accuracy, its mean over seeds."""
    return np.mean([list(runs[seed]["tasks"].values()) for seed in seeds], axis=0)
