"""What a fitted network is used for: outputs and representations of rows, task by task."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sk_mtl._saving import Savable
from sk_mtl._scaling import InputScaler
from sk_mtl._tasks import Array, TaskSet, read_features

if TYPE_CHECKING:
    from sk_mtl._added import AddedTasks, TaskGroup

    # A group of tasks, which rows are theirs, the rows' tasks, and what was computed of them.
    GroupOutputs = tuple[TaskGroup, Any, Array | None, Array]


class FittedNetwork(Savable, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Runs the networks of all tasks, those added after fit included."""

    __metadata_request__predict: ClassVar = {"task": True}
    __metadata_request__score: ClassVar = {"task": True}
    __metadata_request__transform: ClassVar = {"task": True}

    tasks_: Array
    _tasks: TaskSet
    _targets: Any  # ClassTargets or ValueTargets: of the tasks that were not added later
    _scaler: InputScaler
    _added: list[AddedTasks]
    _built_with: dict[str, Any]
    net_: Any
    _of_network: Callable[..., Any]  # what a network's outputs stand for

    def _task_groups(self) -> list[TaskGroup]:
        """The tasks that were fitted first, and those added, with their networks."""
        from sk_mtl._added import TaskGroup

        fitted = self.net_.module_
        groups = [TaskGroup(0, self._targets, fitted)]
        for added in self._added:
            first = groups[-1].first + groups[-1].n_tasks
            groups.append(TaskGroup(first, added.targets, added.network_with(fitted)))
        return groups

    def _outputs(
        self,
        features: Array,
        codes: Array | None,
        compute: Callable[..., Any],
        *,
        of_outputs: bool = False,
    ) -> Iterator[GroupOutputs]:
        """``compute(network, rows, task)`` of every group of tasks that the rows belong to.

        See `sk_mtl._running.run`.

        Yields
        ------
        group : TaskGroup
        rows : slice or ndarray
            Which rows.
        task : ndarray or None
            Their task codes within the group; None where every row belongs to every task.
        outputs : ndarray
        """
        from sk_mtl._running import run

        groups = self._task_groups()
        for group in groups:
            rows: Any = slice(None)
            task = codes
            if codes is not None and len(groups) > 1:
                rows = np.flatnonzero(
                    (codes >= group.first) & (codes < group.first + group.n_tasks)
                )
                if not len(rows):
                    continue
                task = codes[rows] - group.first
            own = features[rows], task
            found = run(group.network, self._scaler, *own, compute, of_outputs=of_outputs)
            yield group, rows, task, found

    def _columns(self, features: Array, codes: Array | None) -> Array:
        """Output columns of the tasks that were fitted first: probabilities or values."""
        from sk_mtl._running import run

        network, compute = self.net_.module_, self._of_network
        return run(network, self._scaler, features, codes, compute, of_outputs=True)

    def _read_rows(self, X: Any, task: Any) -> tuple[Array, Array | None]:
        """Features and task codes of the rows to predict."""
        check_is_fitted(self)
        features, ids, _ = read_features(
            self,
            X,
            task,
            task_column=self.task_column,
            reset=False,
            accept_positions=self._accepts_positions,
        )
        return features, self._tasks.encode(ids, len(features))

    @property
    def _accepts_positions(self) -> bool:
        """Whether rows may have more than one dimension: if the shared module is the user's."""
        return self.shared_module is not None

    def transform(self, X: Any, task: Any = None) -> Array:
        """The shared representation g(z R_i B) of each row, z its standardised features.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        representation : ndarray of shape (n_samples, capacity)
            The capacity is the width of the last hidden layer, or of what ``shared_module``
            returns.

        Raises
        ------
        ValueError
            If the tasks are not named as in `fit`, an id is unseen, or the tasks share their
            rows (wide ``y``) and are aligned, so that a row has no single representation.
        """
        features, codes = self._read_rows(X, task)
        return self._of_rows(features, codes, lambda network, *inputs: network.represent(*inputs))

    def align(self, X: Any, task: Any = None) -> Array:
        """The aligned features z R_i of each row, z its standardised features.

        Parameters
        ----------
        X : array-like or DataFrame of shape (n_samples, n_columns)
        task : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        aligned : ndarray of shape (n_samples, ..., n_features)
            NaN where X holds padding.

        Raises
        ------
        ValueError
            As `transform`.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_mtl import MultiTaskAlignedClassifier
        >>> rng = np.random.default_rng(0)
        >>> X, task = rng.standard_normal((60, 3)), np.repeat([0, 1], 30)
        >>> model = MultiTaskAlignedClassifier(random_state=0).fit(X, X[:, 0] > 0, task=task)
        >>> z = (X - model.feature_mean_) @ model.feature_map_
        >>> by_hand = np.einsum("nd,nde->ne", z, model.alignment_[task])
        >>> bool(np.allclose(model.align(X, task=task), by_hand))
        True
        """
        features, codes = self._read_rows(X, task)
        aligned = self._of_rows(features, codes, lambda network, *inputs: network.align(*inputs))
        aligned[np.isnan(features)] = np.nan
        return aligned

    def _of_rows(self, features: Array, codes: Array | None, compute: Callable[..., Any]) -> Array:
        """What is computed of each row, of all groups of tasks together."""
        groups = self._task_groups()
        if codes is None and any(group.network.tells_tasks_apart for group in groups):
            raise ValueError(
                "With a wide y and alignment or task_groups, each row has one representation per "
                "task. Stack the tasks, or pass alignment=None and task_groups=None."
            )
        out: Array | None = None
        for _, rows, _, outputs in self._outputs(features, codes, compute):
            if out is None:
                out = np.empty((len(features), *outputs.shape[1:]), dtype=features.dtype)
            out[rows] = outputs
        assert out is not None
        return out

    @property
    def alignment_(self) -> Array | None:
        """The R_i, of shape (n_tasks, n_features, n_features), or None without alignment."""
        check_is_fitted(self)
        groups = self._task_groups()
        if all(group.network.alignment is None for group in groups):
            return None
        n_features = len(self.feature_mean_)
        return np.concatenate([group.alignment_matrices(n_features) for group in groups])

    @property
    def module_(self) -> Any:
        """The trained network, a torch.nn.Module."""
        check_is_fitted(self)
        return self.net_.module_

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "net_")

    def __getstate__(self) -> dict[str, Any]:
        """What a pickle holds: networks as arrays, but for one that has a module of the user's."""
        state: dict[str, Any] = super().__getstate__()
        if self.__sklearn_is_fitted__() and self._built_with["shared_module"] is None:
            state = self._plain_state()
        return state

    def _plain_state(self) -> dict[str, Any]:
        """All attributes, networks as arrays."""
        state: dict[str, Any] = dict(super().__getstate__())
        if self.__sklearn_is_fitted__():
            from sk_mtl._net_state import plain_networks

            state |= plain_networks(self)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if isinstance(state.get("net_"), dict):
            from sk_mtl._net_state import restore_networks

            restore_networks(self)
