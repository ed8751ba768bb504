"""`save` and `load`: estimators in files that hold no code."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self


_PARTS = {"estimator": str, "params": dict, "fitted": dict, "code": list}  # of every document


class Savable:
    """Saves an estimator to a file and loads it from there."""

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the estimator to a file that loads anywhere and runs no code when it does.

        The file is in the safetensors format: arrays, and a JSON document with all parameters
        and fitted attributes. An estimator loaded from it predicts the same, bit for bit, takes
        new tasks and trains further as this one would.

        Parameters
        ----------
        path : str or path-like
            The file, replaced if it is there.

        Raises
        ------
        ValueError
            If a fitted attribute holds what only code can make, such as a task reweighter that is
            not of this package.
        OSError
            If the file cannot be written; it names the path. One that was there stays as it is.

        Notes
        -----
        The file is replaced in one step: at any moment, a kill or a power cut leaves the old one
        or the new one. A kill may also leave a hidden file beside it, ``.<name>.<digits>.part``,
        which the next `save` to the path removes.

        Parameters that are code (``shared_module``, ``callbacks``, ``net_params`` with classes)
        are not in the file: pass them to `load` again. The weights of a ``shared_module`` are.
        Neither are scikit-learn's callbacks (``set_callbacks``).

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from sk_mtl import MultiTaskAlignedClassifier
        >>> rng = np.random.default_rng(0)
        >>> X, shop = rng.standard_normal((60, 3)), np.repeat(["north", "south"], 30)
        >>> model = MultiTaskAlignedClassifier(random_state=0).fit(X, X[:, 0] > 0, task=shop)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model.save(Path(folder) / "shops.safetensors")
        ...     again = MultiTaskAlignedClassifier.load(Path(folder) / "shops.safetensors")
        >>> bool((again.predict_proba(X, shop) == model.predict_proba(X, shop)).all())
        True
        """
        from sk_mtl._codec import Encoder, NotStorableError
        from sk_mtl._files import write

        encoder = Encoder()
        try:
            document = encoder.estimator(self)
        except NotStorableError as error:
            raise ValueError(
                f"The estimator cannot be saved: {error}. Use pickle, or skops, for it."
            ) from error
        document["code"] = sorted(encoder.code)
        write(Path(path), document, encoder.arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str], **parameters: Any) -> Self:
        """Read an estimator that `save` wrote.

        No code of the file's is run, whoever made it: an altered file leads to an error, or at
        worst to another model.

        Parameters
        ----------
        path : str or path-like
        **parameters
            Those that the file cannot hold because they are code; the error message without them
            lists them. Where several nested estimators lack a parameter of one name, all get
            this value. And ``device``, to use another one than the estimator was fitted on.

        Returns
        -------
        estimator : object

        Raises
        ------
        ValueError
            If the file was truncated or altered, holds another estimator, comes from a later
            version of the format, or parameters are missing or not asked for.
        OSError
            If there is no such file, or it cannot be read.
        """
        from sk_mtl._codec import Decoder
        from sk_mtl._files import read

        document, arrays = read(Path(path))
        if "checkpoint" in document:
            raise ValueError(
                f"{path} is a checkpoint of a training that has not come to its end: call fit "
                "again, as it was called before."
            )
        if any(not isinstance(document.get(name), kind) for name, kind in _PARTS.items()):
            raise ValueError(f"{path} is damaged: its document lacks a part.")
        if document["estimator"] != cls.__name__:
            raise ValueError(
                f"{path} holds a {document['estimator']}: load it with "
                f"{document['estimator']}.load."
            )
        if not all(isinstance(name, str) for name in document["code"]):
            raise ValueError(f"{path} is damaged: names of parameters are not strings.")
        missing = [name for name in document["code"] if name not in parameters]
        if missing:
            raise ValueError(
                f"{path} does not hold the parameters {missing}, which are code. Pass them: "
                f"{cls.__name__}.load(path, {missing[0]}=...)."
            )
        free = [*document["code"], *(["device"] if _mentions(document, "device") else [])]
        held = [name for name in parameters if name not in free]
        if held:
            raise ValueError(
                f"load takes the parameters {free} alone, the others are in the file; got {held}. "
                f"Set them afterwards: set_params({held[0]}=...)."
            )
        try:
            estimator: Self = Decoder(arrays, parameters).estimator(document, cls)
        except Exception as error:  # whatever a forged document may lead to
            raise ValueError(
                f"{path} does not hold an estimator that this version of sk_mtl can make: {error}"
            ) from error
        return estimator


def _mentions(encoded: Any, name: str) -> bool:
    """Whether some estimator in a document has a parameter of this name."""
    left = [encoded]  # however deep: not by recursion
    while left:
        inner = left.pop()
        if isinstance(inner, dict):
            if name in inner:
                return True
            left += inner.values()
        elif isinstance(inner, list):
            left += inner
    return False
