"""One run at a time for a file of results."""

import fcntl
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Hold a lock on a file of results in the block; the program ends if another run has it.

    Each run writes all results that it knows of: two of them would undo each other's.
    """
    name = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]
    lock = os.open(Path(gettempdir()) / f"sk_mtl_{name}.lock", os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        sys.exit(f"Another run is writing to {path}. Wait for it, or take another file by --out.")
    try:
        yield
    finally:
        os.close(lock)
