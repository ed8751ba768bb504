"""The markdown tables of the paper's experiments."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from _markdown import markdown
from _paper_pairs import (
    ALONE,
    COMMON,
    GLUE_SETTINGS,
    NO_R,
    SCHEDULES,
    SENTIMENT_SETTINGS,
    Setting,
    aligned_method,
)
from _paper_runs import KEY, Runs, key
from _paper_sentiment import ALONE as STL
from _paper_sentiment import CAPACITIES, TRANSFER
from _paper_sentiment import TOGETHER as MTL
from _paper_texts import ABOUT, CAPTIONS
from _paper_theory import COSINES, COVARIANCES, SOURCE_ROWS
from _paper_theory import METHODS as THEORY_METHODS
from _paper_verdicts import BY_VALIDATION, R_METHODS, R_OR_NONE, SVD_METHODS, statements
from _paper_weights import METHODS as WEIGHT_METHODS
from _paper_weights import N_ROWS, NEVER, NOISES
from _results import Row

__all__ = ["KEY", "key", "tables"]

Lines = list[tuple[str, ...]]


def tables(rows: Iterable[Row]) -> str:
    """All tables.

    Parameters
    ----------
    rows : iterable of dict
        Results as `bench_paper` stores them.

    Returns
    -------
    str
        Markdown. Parts without results are left out.
    """
    runs = Runs(rows)
    runs.add_chosen("weights", BY_VALIDATION, SVD_METHODS)
    for part in ("pairs", "glue"):
        runs.add_chosen(part, R_OR_NONE, R_METHODS)
    parts: dict[str, list[Lines]] = {
        "Fig. 3: transfer against the rows of the source": [_fig3(runs)],
        "Fig. 2: transfer against the likeness of the tasks": [_fig2(runs)],
        "Fig. 6: capacity": [_capacity(runs), _leak(runs)],
        "Algorithm 1 on 15 pairs of sentiment tasks": [_pairs(runs, "pairs", SENTIMENT_SETTINGS)],
        "Transfer from SST to five tasks": [_transfer(runs)],
        "Ten pairs of GLUE tasks, frozen features": [_pairs(runs, "glue", GLUE_SETTINGS)],
        "Pairs of GLUE tasks, upper layers of the encoder trained": [_finetune(runs)],
        "Algorithm 2": [_weights(runs)],
        "The paper's statements": [_statements(runs)],
    }
    texts = ["# The paper's experiments, small", ABOUT]
    for title, of_part in parts.items():
        filled = [markdown(lines) for lines in of_part if len(lines) > 1]
        if filled:
            texts += [f"## {title}", CAPTIONS[title], *filled]
    return "\n\n".join(text.strip() for text in texts) + "\n"


def _fig3(runs: Runs) -> Lines:
    lines: Lines = [("inputs", "model", *(f"{n} rows" for n in SOURCE_ROWS), "seeds")]
    for inputs in COVARIANCES:
        for method in THEORY_METHODS:
            at = ("theory", f"Fig. 3, {inputs}", method)
            if runs.of(*at):
                medians = [np.median(runs.values(*at, f"{n} rows")) for n in SOURCE_ROWS]
                seeds = str(runs.n_seeds(*at))
                lines.append((inputs, method, *(f"{median:+.2f}" for median in medians), seeds))
    return lines


def _fig2(runs: Runs) -> Lines:
    at = ("theory", "Fig. 2, angle of the coefficients", "one least squares")
    lines: Lines = [("cosine of the coefficients", "change of the target's error", "seeds")]
    for cosine in COSINES if runs.of(*at) else ():
        median = np.median(runs.values(*at, f"{cosine:g}"))
        lines.append((f"{cosine:g}", f"{median:+.2f}", str(runs.n_seeds(*at))))
    return lines


def _capacity(runs: Runs) -> Lines:
    lines: Lines = [("net", "r", "STL", "MTL", "gain of MTL, tasks better", "seeds")]
    for net, capacities in CAPACITIES.items():
        for r in capacities:
            at = ("capacity", f"{net}, r = {r}")
            gain = runs.gain(*at, MTL, STL, over="seeds")
            if gain:
                means = (f"{runs.mean(*at, method):.1f}" for method in (STL, MTL))
                lines.append((net, str(r), *means, str(gain), str(runs.n_seeds(*at, MTL))))
    return lines


def _leak(runs: Runs) -> Lines:
    lines: Lines = [("split", "MR: STL", "MR: MTL", "SST: STL", "SST: MTL", "seeds")]
    for split in ("split by sentence", "with the leak"):
        at = ("capacity", f"MR and SST, {split}")
        if runs.of(*at, STL) and runs.of(*at, MTL):
            scores = [
                f"{np.mean(runs.values(*at, method, name)):.1f}"
                for name in ("mr", "sst")
                for method in (STL, MTL)
            ]
            lines.append((split, *scores, str(runs.n_seeds(*at, MTL))))
    return lines


def _pairs(runs: Runs, part: str, settings: Iterable[Setting]) -> Lines:
    over = tuple(f"over {control}" for control in (COMMON, NO_R, ALONE))
    lines: Lines = [("setting", "model", "accuracy", *over, "similarity", "rises", "seeds")]
    for setting in settings:
        methods = [ALONE, NO_R, COMMON]
        methods += [aligned_method(s, p) for s in SCHEDULES for p in ("free", "penalised")]
        for method in (*methods, R_OR_NONE):
            at = (part, str(setting), method)
            if not runs.of(*at):
                continue
            gains = [runs.gain(*at, control) for control in (COMMON, NO_R, ALONE)]
            similarity, rises = runs.similarity(*at), ""
            change = ""
            if similarity is not None:
                before, after = similarity
                change = f"{before.mean():.3f} → {after.mean():.3f}"
                rises = f"{(after > before).sum()}/{len(after)}"
            shown = (str(gain) if gain else "" for gain in gains)
            name = str(setting).removeprefix(f"{setting.data}, ")
            accuracy = f"{runs.mean(*at):.2f}"
            lines.append((name, method, accuracy, *shown, change, rises, str(runs.n_seeds(*at))))
    return lines


def _transfer(runs: Runs) -> Lines:
    names = ("mr", "cr", "mpqa", "subj", "trec")
    lines: Lines = [("net", "fitted", "accuracy", "over scratch", "over B, A", *names, "seeds")]
    for setting in runs.settings("transfer"):
        for method in TRANSFER:
            at = ("transfer", setting, method)
            if runs.of(*at):
                gains = (runs.gain(*at, other, over="seeds") for other in ("scratch", "B, A"))
                shown = (str(gain) if gain else "" for gain in gains)
                scores = (f"{np.mean(runs.values(*at, name)):.1f}" for name in names)
                seeds = str(runs.n_seeds(*at))
                lines.append((setting, method, f"{runs.mean(*at):.2f}", *shown, *scores, seeds))
    return lines


def _finetune(runs: Runs) -> Lines:
    lines: Lines = [("pair", "model", "accuracy of both", "over no R", "over single", "seeds")]
    for pair in runs.settings("finetune"):
        for method in (
            "single task",
            "no R",
            "one common R",
            "R joint, free",
            "R joint, penalised",
        ):
            at = ("finetune", pair, method)
            if runs.of(*at):
                scores = (f"{np.mean(runs.values(*at, name)):.1f}" for name in pair.split("+"))
                gains = (runs.gain(*at, other) for other in (NO_R, ALONE))
                shown = (str(gain) if gain else "" for gain in gains)
                lines.append((pair, method, ", ".join(scores), *shown, str(runs.n_seeds(*at))))
    return lines


def _weights(runs: Runs) -> Lines:
    lines: Lines = [("noise", "weights", *N_ROWS, "sets above", "worst", "seeds")]
    for noise in NOISES:
        for method in (*WEIGHT_METHODS, BY_VALIDATION):
            found: dict[str, Any] = {
                data: runs.gain("weights", f"{data}, {noise}", method, NEVER, over="seeds")
                for data in N_ROWS
            }
            seeds = [runs.n_seeds("weights", f"{data}, {noise}", method) for data in N_ROWS]
            if method == NEVER and any(seeds):
                means = [runs.mean("weights", f"{data}, {noise}", method) for data in N_ROWS]
                lines.append((noise, method, *(f"{m:.2f}" for m in means), "", "", str(min(seeds))))
            elif all(found.values()):
                shown = (f"{gain.mean:+.2f} ± {gain.error:.2f}" for gain in found.values())
                above = sum(gain.mean > 0 for gain in found.values())
                worst = min(gain.mean for gain in found.values())
                counts = (f"{above}/{len(found)}", f"{worst:+.2f}", str(min(seeds)))
                lines.append((noise, method, *shown, *counts))
    return lines


def _statements(runs: Runs) -> Lines:
    lines: Lines = [("The paper's statement", "paper", "ours", "seeds", "here it", "why")]
    return lines + statements(runs)
