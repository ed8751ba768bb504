"""Which output column of the network stands for what: the layout of the task heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from sk_mtl._tasks import Array


@dataclass(frozen=True)
class HeadPlan:
    """Which tasks share a head, and which output column stands for which class of which task.

    Tasks of one group whose label sets agree for the most part form a *family*: they share a
    head. A family of two classes needs one column only, the log-odds of the second class. Where
    all families are such, there is a single column; otherwise the first column of a binary family
    stays at 0. Regression has a family in each group, and a single column.

    Attributes
    ----------
    family : ndarray of shape (n_tasks,)
    members : list of list
        Sorted labels of each family; no label for regression.
    columns : ndarray of shape (n_tasks, max n_classes)
        Output column of each class of a task; 0 pads.
    is_open : ndarray of bool of shape (n_tasks, n_columns)
        Columns that belong to a class of the task.
    has_weights : ndarray of bool of shape (n_tasks, n_columns)
    group : ndarray of shape (n_tasks,)
        Tasks of different groups share nothing.
    """

    family: Array
    members: list[list[Any]]
    columns: Array
    is_open: Array
    has_weights: Array
    group: Array

    @classmethod
    def of_classes(cls, per_task: list[Array], group: Array | None = None) -> HeadPlan:
        """For tasks with these classes."""
        group = np.zeros(len(per_task), dtype=np.intp) if group is None else group
        family, members = _families([classes.tolist() for classes in per_task], group)
        sizes = np.array([len(labels) for labels in members])[family]
        n_classes = np.array([len(classes) for classes in per_task])
        if (sizes == 2).all() and (n_classes == 2).all():
            ones = np.ones((len(per_task), 1), dtype=bool)
            return cls(family, members, np.tile([0, 1], (len(per_task), 1)), ones, ones, group)
        columns = np.zeros((len(per_task), n_classes.max()), dtype=np.intp)
        # Never a single column: that would be log-odds.
        is_open = np.zeros((len(per_task), max(sizes.max(), 2)), dtype=bool)
        for t, classes in enumerate(per_task):
            own = [members[family[t]].index(label) for label in classes.tolist()]
            columns[t, : len(own)] = own
            is_open[t, own] = True
        has_weights = is_open.copy()
        has_weights[sizes <= 2, 0] = False
        return cls(family, members, columns, is_open, has_weights, group)

    @classmethod
    def of_values(cls, group: Array) -> HeadPlan:
        """For regression tasks: a family in each group."""
        ones = np.ones((len(group), 1), dtype=bool)
        zeros = np.zeros((len(group), 1), dtype=np.intp)
        return cls(group, [[] for _ in np.unique(group)], zeros, ones, ones, group)

    @property
    def single_column(self) -> bool:
        """Whether the only column is a value, or the log-odds of each task's second class."""
        return bool(self.is_open.shape[1] == 1)

    @property
    def n_families(self) -> int:
        return len(self.members)

    @property
    def n_groups(self) -> int:
        return int(self.group.max()) + 1


def _families(label_sets: list[list[Any]], group: Array) -> tuple[Array, list[list[Any]]]:
    """Put together label sets of a group that are `alike`, the largest first.

    With few rows a task may lack a class of its label set by chance; it still shares with the
    others. Codes that coincide by accident (0 and 1 of a binary task beside 0 to 5) do not.
    """
    family = np.empty(len(label_sets), dtype=np.intp)
    members: list[set[Any]] = []
    of_group: list[int] = []
    for t in sorted(range(len(label_sets)), key=lambda t: -len(label_sets[t])):
        labels = set(label_sets[t])
        close = [f for f, of in enumerate(members) if of_group[f] == group[t] and alike(labels, of)]
        if not close:
            members.append(set())
            of_group.append(int(group[t]))
        family[t] = close[0] if close else len(members) - 1
        members[family[t]] |= labels
    return family, [sorted(labels) for labels in members]


def alike(labels: set[Any], others: set[Any]) -> bool:
    """Whether two label sets have more than half of their union in common."""
    return 2 * len(labels & others) > len(labels | others)
