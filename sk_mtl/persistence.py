"""Types that skops may trust. Estimators save themselves: see their `save` and `load`."""

from __future__ import annotations

from sk_mtl._codec import estimators, records
from sk_mtl.preprocessing import _AllBut

__all__ = ["trusted_types"]


def trusted_types() -> list[str]:
    """Names of this package's types that a skops file may hold.

    skops loads an object only if every type in its file is trusted: scikit-learn's estimators are,
    other types must be named. These are the estimators, the task column selector of
    `keep_task`, and the records that fitted estimators hold; none runs code from the file.

    Returns
    -------
    names : list of str

    Notes
    -----
    A ``shared_module``, ``callbacks`` and classes in ``net_params`` are types of the user's:
    look at ``skops.io.get_untrusted_types`` and add those that you trust. A fitted estimator with
    a ``shared_module`` holds torch objects, which skops cannot store: use its `save`.

    Examples
    --------
    >>> import skops.io
    >>> from sk_mtl import SVDTaskReweighter
    >>> from sk_mtl.persistence import trusted_types
    >>> data = skops.io.dumps(SVDTaskReweighter(n_components=2))
    >>> skops.io.loads(data, trusted=trusted_types())
    SVDTaskReweighter(n_components=2)
    """
    classes = [*estimators().values(), *records().values(), _AllBut]
    return sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in classes)
