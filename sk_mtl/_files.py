"""The files of saved estimators: safetensors, with a JSON document among the tensors."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from sk_mtl._replacing import replace
from sk_mtl._tasks import Array

FORMAT = 1
_DOCUMENT = "document"  # name of the tensor that holds the JSON, in bytes
_NO_DIGEST = "0" * 64


def write(path: Path, document: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Write a file, or leave the one that is there if anything fails."""
    from safetensors.numpy import save

    from sk_mtl import __version__

    text = json.dumps(document, allow_nan=False).encode()
    about = {
        "format": FORMAT,
        "version": __version__,
        "estimator": document.get("estimator"),
        "sha256": _NO_DIGEST,
    }
    # One entry, because the order of several would be left to chance.
    data = save({**arrays, _DOCUMENT: np.frombuffer(text, np.uint8)}, {"sk_mtl": json.dumps(about)})
    replace(path, _with_digest(data, _NO_DIGEST, _digest(data)))


def read(path: Path) -> tuple[dict[str, Any], dict[str, Array]]:
    """The document and the arrays of a file, checked to be what was written.

    Raises
    ------
    ValueError
        If the file is none of ours, of a later format, or not as it was written.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = path.read_bytes()
    about = _about(data)
    if not about:
        raise ValueError(f"{path} is not a file of an sk_mtl estimator, or it is damaged.")
    digest = str(about.get("sha256"))
    if _digest(_with_digest(data, digest, _NO_DIGEST)) != digest:
        raise ValueError(
            f"{path} is not as it was written: it is truncated or was altered. Save the estimator "
            "again, or copy the file again."
        )
    if about.get("format") != FORMAT:
        raise ValueError(
            f"{path} has format {about.get('format')}, written by sk_mtl {about.get('version')}; "
            f"this version reads format {FORMAT}. Upgrade sk_mtl."
        )
    try:
        arrays = load(data)
        document = _json(arrays.pop(_DOCUMENT).tobytes())
    except (SafetensorError, KeyError, ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path} is damaged: it holds no document.")
    return document, arrays


def _json(text: bytes) -> Any:
    """JSON as `write` writes it: python's reader would take NaN, and the last of doubled keys."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise ValueError(f"an object with doubled keys: {sorted(key for key, _ in pairs)[:20]}")
        return found

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


def _about(data: bytes) -> dict[str, Any]:
    """What the header says of the file: it is JSON behind eight bytes that hold its length."""
    stop = 8 + int.from_bytes(data[:8], "little")
    try:
        about = json.loads(_json(data[8:stop])["__metadata__"]["sk_mtl"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return {}
    return about if isinstance(about, dict) else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _with_digest(data: bytes, old: str, new: str) -> bytes:
    """The digest stands in the header, before any tensor; it is that of the file with zeros."""
    return data.replace(old.encode(), new.encode(), 1)
