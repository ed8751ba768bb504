"""Stored results of the paper's experiments, and figures computed from them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from _results import Row

KEY = ("part", "setting", "seed", "method")


def key(row: Row) -> tuple[Any, ...]:
    """What identifies a result."""
    return tuple(row[field] for field in KEY)


@dataclass(frozen=True)
class Gain:
    """Gains of a method over another one, paired over seeds.

    Parameters
    ----------
    of_names : ndarray
        Of each pair of tasks, or task: the mean over seeds.
    error : float
        Standard error of the mean over them; NaN of one alone.
    """

    of_names: Any
    error: float

    @property
    def mean(self) -> float:
        """Over pairs or tasks."""
        return float(np.mean(self.of_names))

    @property
    def better(self) -> int:
        """How many pairs or tasks gain."""
        return int((self.of_names > 0).sum())

    def __str__(self) -> str:
        error = "" if np.isnan(self.error) else f" ± {self.error:.2f}"
        return f"{self.mean:+.2f}{error}, {self.better}/{len(self.of_names)}"


class Runs:
    """Results by part, setting, method and seed.

    Parameters
    ----------
    rows : iterable of dict
        Results as `bench_paper` stores them.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows: dict[tuple[str, str, str], dict[int, Row]] = {}
        for row in rows:
            of = (row["part"], row["setting"], row["method"])
            self._rows.setdefault(of, {})[row["seed"]] = row

    def settings(self, part: str, order: Sequence[str] = ()) -> list[str]:
        """Settings of a part that have results, those in `order` first."""
        found = dict.fromkeys(setting for of, setting, _ in self._rows if of == part)
        return [s for s in order if s in found] + [s for s in found if s not in order]

    def of(self, part: str, setting: str, method: str) -> dict[int, Row]:
        """Results by seed; none if there are none yet."""
        return self._rows.get((part, setting, method), {})

    def n_seeds(self, part: str, setting: str, method: str) -> int:
        """How many seeds there are results of."""
        return len(self.of(part, setting, method))

    def values(self, part: str, setting: str, method: str, name: str) -> list[float]:
        """Scores of one task, pair or point, by seed."""
        return [row["scores"][name] for row in self.of(part, setting, method).values()]

    def mean(self, part: str, setting: str, method: str) -> float:
        """Mean score, over tasks and then seeds; NaN without results."""
        means = [
            np.mean([*row["scores"].values()]) for row in self.of(part, setting, method).values()
        ]
        return float(np.mean(means)) if means else np.nan

    def gain(
        self, part: str, setting: str, method: str, baseline: str, *, over: str = "names"
    ) -> Gain | None:
        """Gain over a baseline on the seeds both have, or None.

        Parameters
        ----------
        part, setting, method, baseline : str
            Which results to compare.
        over : {"names", "seeds"}
            What the standard error is over: pairs or tasks, whose gains are means over seeds; or
            seeds, whose gains are means over tasks.
        """
        ours, theirs = self.of(part, setting, method), self.of(part, setting, baseline)
        seeds = sorted(ours.keys() & theirs.keys())
        if not seeds or method == baseline:
            return None
        if len({frozenset(ours[seed]["scores"]) for seed in seeds}) == 1:
            gains = np.array([_differences(ours[seed], theirs[seed]) for seed in seeds])
            of_names, of_seeds = gains.mean(axis=0), gains.mean(axis=1)
        else:  # other tasks, or pairs of them, with each seed
            each = [_differences(ours[seed], theirs[seed]) for seed in seeds]
            of_names, of_seeds = np.concatenate(each), np.array([np.mean(one) for one in each])
        spread = of_names if over == "names" else of_seeds
        error = np.std(spread, ddof=1) / len(spread) ** 0.5 if len(spread) > 1 else np.nan
        return Gain(of_names, float(error))

    def similarity(self, part: str, setting: str, method: str) -> tuple[Any, Any] | None:
        """Similarities of the pairs before and after alignment, means over seeds, or None."""
        rows = self.of(part, setting, method).values()
        if not rows or any("similarity" not in row for row in rows):
            return None
        both = np.mean([[*row["similarity"].values()] for row in rows], axis=0)
        return both[:, 0], both[:, 1]

    def add_chosen(self, part: str, name: str, methods: Sequence[str]) -> None:
        """Add a method that takes, per setting and seed, the best of others on validation rows."""
        for setting in self.settings(part):
            candidates = [self.of(part, setting, method) for method in methods]
            for seed in set.intersection(*(set(rows) for rows in candidates)):
                best = max((rows[seed] for rows in candidates), key=lambda row: row["validation"])
                of = (part, setting, name)
                self._rows.setdefault(of, {})[seed] = best | {"method": name}


def _differences(ours: Row, theirs: Row) -> Any:
    """Scores of a result minus those of another with the same names, without missing ones."""
    names = ours["scores"].keys() & theirs["scores"].keys()
    return np.array([ours["scores"][n] - theirs["scores"][n] for n in ours["scores"] if n in names])
