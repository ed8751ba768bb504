"""Which of the paper's statements hold, computed from the results."""

from collections.abc import Callable, Iterator

import numpy as np

from _paper_pairs import (
    CONTROLS,
    GLUE_SETTINGS,
    NO_R,
    SCHEDULES,
    SENTIMENT_SETTINGS,
    Setting,
    aligned_method,
)
from _paper_runs import Gain, Runs
from _paper_sentiment import ALONE as STL
from _paper_sentiment import CAPACITIES
from _paper_sentiment import TOGETHER as MTL
from _paper_theory import COSINES, COVARIANCES, SOURCE_ROWS
from _paper_weights import METHODS, N_ROWS, NEVER, NOISES

HOLDS, CONDITIONS, NOT = "holds", "holds with conditions", "not reproduced"
SVD_METHODS = [method for method in METHODS if method != "uncertainty"]
R_OR_NONE = "R joint or none, by validation"
R_METHODS = [NO_R, *(aligned_method("joint", penalty) for penalty in ("free", "penalised"))]
BY_VALIDATION = "SVD or none, by validation"
GOAL = 13 / 15

WHY_CAPACITY = (
    "Accuracy rises with the capacity and flattens, for single tasks and for sharing. With no "
    "sentence on two sides of the split, sharing gains little, or nothing."
)
WHY_ALIGNMENT = (
    "R undoes what sharing costs, most where few units serve tasks that differ. Where sharing "
    "itself gains little over single tasks, so does R."
)
WHY_SIMILARITY = "Training for accuracy moves the tasks' inputs apart rather than together."
WHY_WEIGHTS = "Gains are small beside their errors; where no labels are noisy, weights only cost."


Line = tuple[str, str, str, str, str, str]


def statements(runs: Runs) -> list[Line]:
    """A line per statement whose results are there: paper, ours, seeds, verdict and why."""
    checks: tuple[Callable[[Runs], Iterator[Line]], ...] = (
        _covariance,
        _likeness,
        _capacity,
        _leak,
        _alignment,
        _similarity,
        _transfer,
        _glue,
        _weights,
    )
    return [line for check in checks for line in check(runs)]


def _covariance(runs: Runs) -> Iterator[Line]:
    medians = {}
    for inputs in COVARIANCES:
        at = ("theory", f"Fig. 3, {inputs}", "capacity 1")
        if not runs.of(*at):
            return
        medians[inputs] = [np.median(runs.values(*at, f"{n} rows")) for n in SOURCE_ROWS]
    same, *others = medians.values()
    holds = max(same) < 0 and all(max(other) > 0 > other[-1] for other in others)
    figures = "; ".join(
        "/".join(f"{median:+.2f}" for median in of_inputs) for of_inputs in medians.values()
    )
    yield (
        "Tasks with one covariance transfer at once, others hurt until the source is large",
        "Fig. 3",
        f"{figures} at {'/'.join(map(str, SOURCE_ROWS))} rows",
        str(runs.n_seeds(*at)),
        HOLDS if holds else NOT,
        "Capacity 1 without penalties; one ridge regression for both tasks is not hurt. "
        "Inputs are Q D g: as the paper writes them, R Q D with a Gaussian R, Q does nothing.",
    )


def _likeness(runs: Runs) -> Iterator[Line]:
    at = ("theory", "Fig. 2, angle of the coefficients", "one least squares")
    if not runs.of(*at):
        return
    medians = [np.median(runs.values(*at, f"{cosine:g}")) for cosine in COSINES]
    yield (
        "The nearer the tasks' coefficients, the more transfer",
        "Fig. 2",
        "/".join(f"{median:+.2f}" for median in medians)
        + f" at cosines {'/'.join(f'{cosine:g}' for cosine in COSINES)}",
        str(runs.n_seeds(*at)),
        HOLDS if np.all(np.diff(medians) > 0) else NOT,
        "With inputs of one covariance.",
    )


def _capacity(runs: Runs) -> Iterator[Line]:
    for net, capacities in CAPACITIES.items():
        at = [("capacity", f"{net}, r = {r}") for r in capacities]
        if not all(runs.of(*one, method) for one in at for method in (STL, MTL)):
            continue
        stl, mtl = ([runs.mean(*one, method) for one in at] for method in (STL, MTL))
        best_stl, best_mtl = int(np.argmax(stl)), int(np.argmax(mtl))
        gain = mtl[best_mtl] - stl[best_stl]
        inner = best_mtl < len(capacities) - 1
        yield (
            f"Sharing is best at a limited capacity, and better than single tasks ({net})",
            "82.6 → 85.1 at r = 100",
            f"STL {stl[best_stl]:.1f} at r = {capacities[best_stl]}, "
            f"MTL {mtl[best_mtl]:.1f} at r = {capacities[best_mtl]}",
            str(runs.n_seeds(*at[0], MTL)),
            (HOLDS if inner else CONDITIONS) if gain > 0.3 else NOT,
            WHY_CAPACITY,
        )


def _leak(runs: Runs) -> Iterator[Line]:
    clean, leaky = (
        ("capacity", f"MR and SST, {s}") for s in ("split by sentence", "with the leak")
    )
    if not all(runs.of(*at, method) for at in (clean, leaky) for method in (STL, MTL)):
        return
    gains = [
        runs.values(*at, MTL, "mr")[0] - runs.values(*at, STL, "mr")[0] for at in (clean, leaky)
    ]
    yield (
        "MR gains most from the other tasks",
        "76.4 → 96.0",
        f"{gains[0]:+.1f} by sentence, {gains[1]:+.1f} with the leak",
        str(runs.n_seeds(*clean, MTL)),
        CONDITIONS if gains[1] > gains[0] + 2 else NOT,
        "Test sentences of MR are training sentences of SST if each task is split by itself.",
    )


def _against_controls(runs: Runs, part: str, setting: Setting, method: str) -> list[Gain] | None:
    """Gains over the three controls."""
    gains = [runs.gain(part, str(setting), method, control) for control in CONTROLS]
    return None if None in gains else [gain for gain in gains if gain]


def _alignment(runs: Runs) -> Iterator[Line]:
    found = []
    for setting in SENTIMENT_SETTINGS:
        for schedule in SCHEDULES:
            for penalty in ("free", "penalised"):
                method = aligned_method(schedule, penalty)
                gains = _against_controls(runs, "pairs", setting, method)
                if gains:
                    found.append((min(gain.better for gain in gains), gains, setting, method))
    if not found:
        return
    for controls, what in ((slice(3), "common R, no R, single"), (slice(2), "common R, no R")):
        worst, gains, setting, method = max(
            found,
            key=lambda one: (
                min(gain.better for gain in one[1][controls]),
                min(gain.mean for gain in one[1][controls]),
            ),
        )
        shown = "; ".join(map(str, gains[controls]))
        worst = min(gain.better for gain in gains[controls])
        reached = worst >= GOAL * len(gains[0].of_names)
        verdict = (HOLDS if controls == slice(3) else CONDITIONS) if reached else NOT
        name = str(setting).removeprefix("sentiment, ")
        yield (
            f"Alignment gains for 13 of 15 pairs; best setting against {what}",
            "13/15, up to +4.1",
            f"{shown} ({name}; {method})",
            str(runs.n_seeds("pairs", str(setting), method)),
            verdict,
            WHY_ALIGNMENT,
        )


def _similarity(runs: Runs) -> Iterator[Line]:
    shares, seeds = [], []
    for setting in SENTIMENT_SETTINGS:
        for schedule in SCHEDULES:
            at = ("pairs", str(setting), aligned_method(schedule, "penalised"))
            similarity = runs.similarity(*at)
            if similarity is not None:
                before, after = similarity
                shares.append(((after > before).sum(), str(setting), schedule))
                seeds.append(runs.n_seeds(*at))
    if not shares:
        return
    most, setting, schedule = max(shares)
    yield (
        "Alignment raises the similarity of the covariances for all pairs",
        "15/15",
        f"most: {most}/15 ({setting.removeprefix('sentiment, ')}; {schedule}), "
        f"median over settings {int(np.median([share for share, *_ in shares]))}/15",
        str(min(seeds)),
        NOT if np.median([share for share, *_ in shares]) < 13 else HOLDS,
        WHY_SIMILARITY,
    )


def _transfer(runs: Runs) -> Iterator[Line]:
    for setting in runs.settings("transfer"):
        over_full = runs.gain("transfer", setting, "R, B, A", "B, A", over="seeds")
        frozen = runs.gain("transfer", setting, "R, A, B frozen", "A, B frozen", over="seeds")
        if over_full and frozen:
            clear = over_full.mean > 2 * over_full.error
            yield (
                f"R gains in transfer from SST ({setting})",
                "up to +2.5",
                f"{over_full} over B, A; {frozen} over A where B is frozen",
                str(runs.n_seeds("transfer", setting, "R, B, A")),
                HOLDS if clear else CONDITIONS if frozen.mean > 2 * frozen.error else NOT,
                "R is worth most where B must stay as it is.",
            )


def _glue(runs: Runs) -> Iterator[Line]:
    for setting in GLUE_SETTINGS:
        method = aligned_method("joint", "penalised")
        gains = _against_controls(runs, "glue", setting, method)
        if gains:
            name = str(setting).removeprefix("GLUE, ")
            yield (
                f"GLUE pairs gain by alignment, against common R, no R, single ({name})",
                "7/10 pairs",
                "; ".join(map(str, gains)),
                str(runs.n_seeds("glue", str(setting), method)),
                HOLDS if min(gain.better for gain in gains) >= 7 else NOT,
                "Frozen features; the paper trains BERT.",
            )


def _weights(runs: Runs) -> Iterator[Line]:
    for noise, paper in zip(NOISES, ("+0.4", "+2.4", "-"), strict=True):
        for method in (SVD_METHODS[1], BY_VALIDATION):
            gains = {
                data: runs.gain("weights", f"{data}, {noise}", method, NEVER, over="seeds")
                for data in N_ROWS
            }
            means = {data: gain.mean for data, gain in gains.items() if gain}
            if len(means) < len(N_ROWS):
                continue
            above = sum(mean > 0 for mean in means.values())
            worst = min(means.values())
            mean = float(np.mean([*means.values()]))
            error = float(np.linalg.norm([gain.error for gain in gains.values() if gain]))
            error /= len(means)
            seeds = min(runs.n_seeds("weights", f"{data}, {noise}", method) for data in N_ROWS)
            reached = above >= 4 and worst >= -0.3
            yield (
                f"SVD weights gain: {noise}; {method}",
                paper,
                f"{mean:+.2f} ± {error:.2f}, {above}/{len(means)} sets above, worst {worst:+.2f}",
                str(seeds),
                (HOLDS if mean > 2 * error else CONDITIONS) if reached else NOT,
                WHY_WEIGHTS,
            )
