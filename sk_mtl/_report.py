"""Which tasks gain by training together, which lose, the likely cause, and what to try."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import numpy as np
from scipy.stats import t as students_t

from sk_mtl._likeness import likeness
from sk_mtl._pandas import import_pandas
from sk_mtl._task_data import TaskData
from sk_mtl._tasks import Array
from sk_mtl._transfer_matrix import TransferMatrix, measure_transfer
from sk_mtl._verdicts import (
    ADVICE,
    ADVICE_WITHOUT_LOSS,
    CLEAR_ERRORS,
    CLEAR_SHARE,
    EXPLANATIONS,
    cause_of,
    verdict_of,
)

MOST_TASKS_IN_PAIRS = 12  # with pairs="auto"


@dataclass(frozen=True, eq=False)
class TransferReport:
    """What `transfer_report` finds. ``print(report)`` shows the summary.

    Attributes
    ----------
    table : pandas.DataFrame of shape (n_tasks, n_columns)
        A row for each task:

        - "rows": its labelled rows;
        - "score_alone", "score_together", "gain", "standard_error": as in `transfer_matrix`, of
          all tasks trained together;
        - "verdict": "gains", "loses", "no clear difference" or "no score";
        - "covariance_similarity", "label_similarity": to the other tasks, on average;
        - "most_opposed", "most_opposed_similarity": the task with the smallest label similarity;
        - "best_partner", "best_partner_gain", "worst_partner", "worst_partner_gain": of the
          tasks that it was trained with in pairs, if it was;
        - "likely_cause": of a loss: "labels", "covariance", "labels or covariance", "neither" or
          "too few rows to say"; or that the "labels do not vary";
        - "advice": what to try.
    summary : str
        The same in words.
    transfer : TransferMatrix or None
        Of the pairs of tasks, if they were trained.
    covariance_similarity, label_similarity : ndarray of shape (n_tasks, n_tasks)
        1 is as alike as two halves of one task. Labels that depend on the features in opposed
        ways have -1, and NaN where a task has too few rows to tell.

    Examples
    --------
    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.diagnostics import transfer_report
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((40, 3)), np.repeat(["north", "south"], 20)
    >>> model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), alignment=None)
    >>> report = transfer_report(model, X, X[:, 0] > 0, task=task, cv=2, random_state=0)
    >>> report.table["rows"].tolist(), report.label_similarity.shape
    ([20, 20], (2, 2))
    >>> str(report).split(",")[0]
    '2 tasks of 20 rows'
    """

    table: Any
    summary: str
    transfer: TransferMatrix | None
    covariance_similarity: Array
    label_similarity: Array

    def __str__(self) -> str:
        return fill(self.summary, 88)


def transfer_report(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    task: Any = None,
    task_column: Hashable = None,
    cv: Any = 5,
    scoring: Any = None,
    pairs: bool | str = "auto",
    n_jobs: int | None = None,
    random_state: Any = None,
    progress: bool = False,
) -> TransferReport:
    """Which tasks gain by training together and which lose, why, and what to try.

    Parameters
    ----------
    estimator : classifier or regressor
        As in `transfer_matrix`.
    X : array-like or DataFrame of shape (n_samples, n_columns)
        Numbers without gaps beside the task column; anything that the first steps turn into such
        if the estimator is a Pipeline whose last step has the task column.
    y : array-like of shape (n_samples,) or (n_samples, n_tasks)
    task, task_column, cv, scoring, n_jobs, progress
        As in `transfer_matrix`.
    pairs : bool or "auto", default="auto"
        Whether to train tasks in pairs too; "auto": up to 12 tasks.
    random_state : int, RandomState instance or None, default=None
        Decides the folds and the halves.

    Returns
    -------
    report : TransferReport

    Raises
    ------
    ValueError
        As `transfer_matrix`; if features are not numbers, or none of them varies.
    ImportError
        Without pandas.

    Warns
    -----
    UndefinedMetricWarning
        As `transfer_matrix`.

    Notes
    -----
    A gain or loss is clear if it exceeds 2 standard errors and 0.5 % of the score alone.

    What sets tasks apart is measured on random halves of them, so that with few rows they do not
    look different by chance: a similarity of two tasks is that of a half of one and a half of
    the other, over the geometric mean of those of the two halves of each. Similarities of
    covariances are those of `covariance_similarity` on standardised features. Those of labels are
    cosines of ridge regression's coefficients: `task_direction_similarity` on features that are
    decorrelated within each task, because ``X_i.T @ y_i`` itself differs between tasks whose
    features vary in other directions, even if labels depend on features in the same way.

    A loss is put down to the covariance where the mean similarity of labels to the other tasks is
    0.6 or more and that of covariances is less; to the labels where it is the other way round, or
    the labels' is -0.3 or less; to either where both are small, because with few rows other
    directions of the features make labels look unrelated; and to neither where both are large.
    There are too few rows to say where the cosine of two halves of the task is not well above
    what noise gives. These rules know linear relations only: where advice matters, try it and
    compare.

    Examples
    --------
    Two tasks that agree, and one whose labels mean the opposite.

    >>> import numpy as np
    >>> from sk_mtl import MultiTaskAlignedClassifier
    >>> from sk_mtl.diagnostics import transfer_report
    >>> rng = np.random.default_rng(0)
    >>> X, task = rng.standard_normal((90, 5)), np.repeat(["a", "b", "c"], 30)
    >>> y = (X[:, 0] > 0) != (task == "c")
    >>> model = MultiTaskAlignedClassifier(hidden_layer_sizes=(), head_alpha=1000)
    >>> report = transfer_report(model, X, y, task=task, cv=3, random_state=0)
    >>> report.table.loc["c", ["verdict", "likely_cause"]].tolist()
    ['loses', 'labels']
    >>> print(report)
    3 tasks of 30 rows, scored by accuracy on held-out rows in 3 folds. Trained together
    instead of alone, 1 task loses ('c' -0.63 ± 0.2) and 2 show no clear difference. In 'c',
    labels seem to depend on the features in another way than in most other tasks (labels
    -0.98, features 0.96). To try: re-weight the tasks (task_weight=SVDTaskReweighter()), or
    train it with similar tasks alone, or apart ...
    """
    pd = import_pandas("transfer_report")
    if not isinstance(pairs, bool) and pairs != "auto":
        raise ValueError(f'pairs must be True, False or "auto"; got {pairs!r}.')
    data = TaskData.of(estimator, X, y, task, task_column)
    features = data.features(estimator)
    if not np.ptp(features, axis=0).any():
        raise ValueError("All features are constant: there is nothing to learn from.")
    n_tasks = len(data.tasks)
    in_pairs = n_tasks <= MOST_TASKS_IN_PAIRS if pairs == "auto" else bool(pairs)
    transfer = measure_transfer(
        data,
        estimator,
        cv=cv,
        scoring=scoring,
        pairs=in_pairs,
        n_jobs=n_jobs,
        random_state=random_state,
        progress=progress,
    )
    covariance, labels = likeness(data, features, random_state)
    rows = [_row(t, data, transfer, covariance, labels, in_pairs=in_pairs) for t in range(n_tasks)]
    index = pd.Index(data.tasks, name="task")
    table = pd.DataFrame(rows, index=index, dtype=object).infer_objects()
    metric = scoring or ("accuracy" if data.classification else "R^2")
    if not isinstance(metric, str):
        metric = getattr(metric, "__name__", "the scorer passed")
    return TransferReport(
        table=table,
        summary=_summary(table, metric, transfer.n_folds),
        transfer=transfer if in_pairs else None,
        covariance_similarity=covariance,
        label_similarity=labels,
    )


def _row(
    t: int,
    data: TaskData,
    transfer: TransferMatrix,
    covariance: Array,
    labels: Array,
    *,
    in_pairs: bool,
) -> dict[str, Any]:
    """What the table says of a task."""
    gain, error = float(transfer.gain_together[t]), float(transfer.gain_together_se[t])
    verdict = verdict_of(gain, error, transfer.score_alone[t])
    row: dict[str, Any] = {
        "rows": len(data.rows[t]),
        "score_alone": transfer.score_alone[t],
        "score_together": transfer.score_together[t],
        "gain": gain,
        "standard_error": error,
        "verdict": verdict,
    }
    names = data.tasks.tolist()
    others = [j for j in range(len(names)) if j != t]
    if not others:
        return row
    known = [j for j in others if not np.isnan(labels[t, j])]
    row["covariance_similarity"] = covariance[t, others].mean()
    row["label_similarity"] = labels[t, known].mean() if known else np.nan
    opposed = min(known, key=lambda j: labels[t, j], default=None)
    row["most_opposed"] = None if opposed is None else names[opposed]
    row["most_opposed_similarity"] = np.nan if opposed is None else labels[t, opposed]
    if in_pairs:
        gains = {j: transfer.gain[j, t] for j in others if not np.isnan(transfer.gain[j, t])}
        for which, choose in (("best", max), ("worst", min)):
            partner = choose(gains, key=gains.__getitem__, default=None)
            row[f"{which}_partner"] = None if partner is None else names[partner]
            row[f"{which}_partner_gain"] = np.nan if partner is None else gains[partner]
    constant = len(np.unique(data.labels[t])) == 1
    cause = ""
    if verdict == "loses" or constant:
        cause = cause_of(covariance[t, others], labels[t, others], constant=constant)
    row["likely_cause"] = cause
    row["advice"] = ADVICE[cause] if cause else ADVICE_WITHOUT_LOSS[verdict]
    return row


def _summary(table: Any, metric: str, n_folds: int) -> str:
    """What the table says, in words."""
    fewest, most = table["rows"].min(), table["rows"].max()
    rows = f"{fewest} to {most}" if fewest < most else f"{most}"
    if len(table) == 1:
        return (
            f"There is one task, of {rows} rows: nothing can be transferred. Its {metric} on "
            f"held-out rows is {table['score_alone'].iloc[0]:.3g}."
        )
    verdicts = [_those(table, verdict) for verdict in VERBS]
    said = [
        f"{len(table)} tasks of {rows} rows, scored by {metric} on held-out rows in {n_folds} "
        f"fold{'s' * (n_folds > 1)}.",
        f"Trained together instead of alone, {_listed([text for text in verdicts if text])}.",
    ]
    compared = False
    for cause, explanation in EXPLANATIONS.items():
        found = table[table["likely_cause"] == cause]
        if found.empty:
            continue
        alike = found[["label_similarity", "covariance_similarity"]].mean()
        brackets = ""
        if alike.notna().all():
            brackets, compared = " (labels {:.2g}, features {:.2g})".format(*alike), True
        names = _listed([repr(name) for name in found.index])
        said.append(f"In {names}, {explanation}{brackets}. To try: {ADVICE[cause]}.")
    if compared:
        said.append(
            "Similarities in brackets are 1 for two halves of one task, and -1 for opposed labels."
        )
    return " ".join([*said, _certainty(table, n_folds)])


VERBS = {
    "gains": ("task gains", "tasks gain"),
    "loses": ("task loses", "tasks lose"),
    "no clear difference": ("shows no clear difference", "show no clear difference"),
    "no score": ("could not be scored", "could not be scored"),
}


def _those(table: Any, verdict: str) -> str:
    """How many tasks have a verdict, and the largest of their clear gains or losses."""
    found = table[table["verdict"] == verdict]
    if found.empty:
        return ""
    text = f"{len(found)} {VERBS[verdict][len(found) > 1]}"
    if verdict in ("gains", "loses"):
        largest = found.loc[found["gain"].abs().sort_values(ascending=False).index]
        named = [
            f"{name!r} {gain:+.2g} ± {error:.1g}"
            for name, gain, error in largest[["gain", "standard_error"]].itertuples()
        ]
        text += f" ({_listed(named)})"
    return text


def _listed(words: list[str]) -> str:
    """Up to six, in a sentence."""
    if len(words) > 6:
        words = [*words[:5], f"{len(words) - 5} more"]
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0]


def _certainty(table: Any, n_folds: int) -> str:
    """How sure all this is."""
    if n_folds == 1:
        return "One fold does not tell how sure this is: use more."
    by_chance = 200 * students_t.sf(CLEAR_ERRORS, n_folds - 1)
    text = (
        f"Numbers after ± are standard errors. Beyond {CLEAR_ERRORS:g} of them, and "
        f"{CLEAR_SHARE:.1%} of the score, a difference counts as clear: of 100 tasks that "
        f"sharing does nothing to, at most about {by_chance:.0f} would show one by chance."
    )
    unclear = table[table["verdict"] == "no clear difference"]
    most = (unclear["gain"].abs() + CLEAR_ERRORS * unclear["standard_error"]).max()
    if 0 < most < np.inf:
        text += f" Where none is clear, gains or losses of up to {most:.2g} may have gone unseen."
    return text
