"""Fitting to more rows than memory holds: `fit_chunks`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from numbers import Integral
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import _fit_context, clone
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples

from sk_mtl._base import BaseAligned, trains_in_batches
from sk_mtl._callback_support import fit_task
from sk_mtl._inputs import Inputs, read_inputs
from sk_mtl._labels import read_labels
from sk_mtl._rows import TrainingRows
from sk_mtl._summary import Summary, above_labels
from sk_mtl._target_summary import TargetSummary
from sk_mtl._tasks import listing
from sk_mtl._undo import all_or_nothing

if TYPE_CHECKING:
    from typing import Self

    Chunks = Iterable[Any] | Callable[[], Iterable[Any]]


class FitsChunks(BaseAligned):
    """Goes several times over rows that come in chunks."""

    _target_summary: ClassVar[type[TargetSummary]]

    @available_if(trains_in_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    def fit_chunks(self, chunks: Chunks, *, buffer_rows: int = 100_000) -> Self:
        """Fit the network to rows that do not fit into memory. Needs ``solver="adam"``.

        Does what `fit` does on all chunks together: a first pass over them takes in the tasks,
        their labels and the moments of the features, and each of up to ``max_iter`` epochs is a
        further pass. Batches are drawn from a buffer of rows: whenever it is full, a random half
        of it leaves in random order, as ``random_state`` decides. With room for all rows the
        batches are those of `fit`.

        Parameters
        ----------
        chunks : iterable or callable
            Chunks ``(X, y)``, ``(X, y, task)`` or ``(X, y, task, sample_weight)``, each as in
            `fit`: a list, an object whose ``__iter__`` starts anew each time, or a function that
            returns an iterator. They must give the same rows each time. A chunk is in memory
            several times: some 10,000 rows are a good size.
        buffer_rows : int, default=100_000
            Rows in the buffer, at least two batches. It is in memory up to three times, as
            numbers of ``dtype``. Where rows are sorted, by task or by date say, batches from a
            buffer that holds a small part of them are one-sided: shuffle the file once.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            As `fit`; if ``chunks`` can be gone through only once, holds no row or gives others
            the next time; with ``early_stopping``; and for X of more than two dimensions. The
            estimator is then as before the call.

        Examples
        --------
        >>> import numpy as np
        >>> from sk_mtl import MultiTaskAlignedClassifier
        >>> rng = np.random.default_rng(0)
        >>> X, shop = rng.standard_normal((1000, 3)), rng.integers(0, 2, 1000)
        >>> y = X[:, 0] > 0
        >>> def chunks():
        ...     for start in range(0, 1000, 200):
        ...         rows = slice(start, start + 200)
        ...         yield X[rows], y[rows], shop[rows]
        >>> model = MultiTaskAlignedClassifier(solver="adam", tol=0.01, random_state=0)
        >>> model.fit_chunks(chunks).score(X, y, task=shop) > 0.95
        True
        """
        from sk_mtl._streamed_rows import RowStream

        self._check_for_chunks(buffer_rows)
        keep = self.warm_start and self.__sklearn_is_fitted__()
        with (
            fit_task(self, "fit-chunks", self.max_iter, None, None, None, None) as epoch_tasks,
            all_or_nothing(self),
        ):
            rows, n_rows = self._learn_from(chunks, keep=keep)
            self._build(rows, keep=keep)

            def encoded() -> Iterator[TrainingRows]:
                for inputs in self._read_chunks(chunks):
                    chunk = self._with_task_weight(self._encode(inputs))
                    if len(chunk.weight):
                        yield chunk

            total_weight = float(rows.weight.sum())
            stream = RowStream(encoded, n_rows, total_weight, buffer_rows)
            end = self._train(stream, self._stages(self.max_iter), epoch_tasks)
        self._warn_of(end, stacklevel=4)
        return self

    def _check_for_chunks(self, buffer_rows: Any) -> None:
        if not isinstance(buffer_rows, Integral) or buffer_rows < 1:
            raise ValueError(f"buffer_rows must be a positive integer; got {buffer_rows!r}.")
        if self.early_stopping:
            raise ValueError(
                "fit_chunks needs early_stopping=False: it has no rows to hold out. Score the "
                "model on rows of your own, or limit max_iter."
            )

    def _read_chunks(self, chunks: Chunks, *, reset: bool = False) -> Iterator[Inputs]:
        """Checked rows of each chunk that has some, from the first chunk on."""
        iterator = iter(chunks() if callable(chunks) else chunks)
        if iterator is chunks:
            raise ValueError(
                f"chunks is a {type(chunks).__name__}, which can be gone through only once, and "
                "training goes over the rows several times. Pass the function that makes it, or "
                "a list."
            )
        for number, chunk in enumerate(iterator):
            if not isinstance(chunk, (tuple, list)) or not 2 <= len(chunk) <= 4:
                raise ValueError(
                    f"Chunk {number} is {_described(chunk)}. Each must be a tuple (X, y), (X, y, "
                    "task) or (X, y, task, sample_weight)."
                )
            X, y, task, sample_weight = (*chunk, None, None)[:4]
            weighs = sample_weight is None or np.any(sample_weight)
            if not _num_samples(X) or not weighs:
                continue
            inputs = read_inputs(self, X, y, task, sample_weight, reset=reset)
            if inputs.features.ndim > 2:
                raise ValueError(
                    f"fit_chunks needs X of two dimensions; got {inputs.features.ndim}. Use "
                    "partial_fit, or fit."
                )
            reset = False
            yield inputs

    def _learn_from(self, chunks: Chunks, *, keep: bool) -> tuple[TrainingRows, list[int]]:
        """Learn tasks, labels and weights in a first pass; return a summary of all rows.

        Returns
        -------
        rows : TrainingRows
            Rows without labels that have the moments of all rows, and labels without features.
        n_rows : list of int
            The number of rows in each process.
        """
        from sk_mtl._processes import Processes

        if keep:
            self._check_going_on()
        summary: Summary | None = None
        for inputs in self._read_chunks(chunks, reset=not keep):
            by_task = self.alignment_init == "coral"
            part = Summary.of(_with_label(inputs), self._target_summary, by_task=by_task)
            summary = part if summary is None else summary.merge(part)
        if summary is None:
            raise ValueError("chunks holds no row of positive weight: nothing is left to fit.")
        of_each = Processes.of(self.net_params).all_of(summary)
        summary = reduce(Summary.merge, of_each)
        inputs = summary.as_inputs()
        if not keep:
            self._learn(inputs)
        labels = self._encode(inputs)
        if hasattr(self.task_weight, "normalized_task_weight"):
            self._fit_reweighter(chunks)
        else:
            self._weigh_tasks(inputs, labels)
        if not self.task_weight_.all():
            raise ValueError(
                f"The tasks {listing(self.tasks_[self.task_weight_ == 0])} have a weight of 0. "
                "fit_chunks needs positive weights: leave these tasks out."
            )
        labels = self._weighted(labels)
        features, ids, weight = summary.features.as_rows()
        task = None if self._tasks.route == "none" else ids
        task = self._tasks.encode(None if self._tasks.wide else task, len(ids))
        rows = above_labels(features, task, weight, labels)
        return rows, [int(own.features.n_rows.sum()) for own in of_each]

    def _fit_reweighter(self, chunks: Chunks) -> None:
        """Fit the reweighter in a pass of its own, in which all labels are known."""
        from sk_mtl._processes import Processes

        classes = getattr(self, "task_classes_", None)
        if classes is not None:
            names = self.tasks_.tolist()
            classes = dict(zip(names, classes, strict=True))
        reweighter = clone(self.task_weight).set_params(task_column=None)
        for inputs in self._read_chunks(chunks):
            rows = self._encode(inputs)
            ids = None if self._tasks.route in ("wide", "none") else self.tasks_[rows.task]
            settings = {} if classes is None else {"classes": classes}
            labels = self._targets.for_reweighter(inputs.columns, rows)
            reweighter.partial_fit(
                rows.features, labels, task=ids, sample_weight=rows.row_weight, **settings
            )
        first, *rest = Processes.of(self.net_params).all_of(reweighter)
        self.task_reweighter_ = first.merge(*rest)
        self.task_weight_ = first.normalized_task_weight()


def _with_label(inputs: Inputs) -> Inputs:
    """The rows of a wide ``y`` that have a label; stacked rows all have one."""
    if inputs.names is None:
        return inputs
    labelled = np.any([read_labels(column, "y")[1] for column in inputs.columns], axis=0)
    return inputs if labelled.all() else inputs.take(labelled)


def _described(chunk: Any) -> str:
    if isinstance(chunk, (tuple, list)):
        return f"a {type(chunk).__name__} of {len(chunk)} parts"
    return f"a {type(chunk).__name__}"
