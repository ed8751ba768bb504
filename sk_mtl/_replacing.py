"""Puts a file in the place of another in one step, whatever happens on the way."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

try:
    import fcntl
except ImportError:  # on Windows
    fcntl = None  # type: ignore[assignment]

_SUFFIX = ".part"


def replace(path: Path, data: bytes) -> None:
    """Write a complete file, or leave the one that is there.

    A process that is killed on the way leaves a hidden file, which the next one removes.

    Raises
    ------
    OSError
        If the file cannot be written; ``filename`` is the path that was passed.
    """
    try:
        target = path.resolve()  # through links
        if target.exists() and not target.is_file():
            raise OSError(errno.EEXIST, "A folder or a device is there")  # such as /dev/null
        remove_parts(target)
        _write(target, data)
        with suppress(OSError):  # not every system synchronises folders
            _synchronise(target.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def remove_parts(path: Path) -> None:
    """Remove what killed processes have left of their attempts to write a file."""
    if fcntl is None:
        return
    prefix = _prefix(path)
    with suppress(OSError):
        for entry in list(os.scandir(path.parent)):
            if entry.name.startswith(prefix) and entry.name.endswith(_SUFFIX):
                with suppress(OSError), open(entry.path, "rb") as file:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where one writes
                    os.unlink(entry.path)


def _prefix(path: Path) -> str:
    return f".{path.name[:50]}."  # a name has 255 bytes at most


def _write(target: Path, data: bytes) -> None:
    part, file = _new_part(target)
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # before the file has its name, lest a power cut empties it
            if target.exists():
                shutil.copymode(target, part)
            if fcntl is None:
                file.close()  # Windows renames no open file
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _new_part(target: Path) -> tuple[Path, BinaryIO]:
    """A new file beside a path, locked as long as it is open."""
    while True:
        part = target.with_name(f"{_prefix(target)}{uuid4().hex[:16]}{_SUFFIX}")
        file = part.open("xb")
        if fcntl is not None:
            with suppress(OSError):  # not every file system has locks
                fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return part, file
        file.close()  # removed between its beginning and its lock


def _synchronise(folder: Path) -> None:
    """Make what the files of a folder are called outlast a power cut."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
