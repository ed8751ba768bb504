"""Alters saved models in every way that one can think of, and loads them.

``python tests/fuzz_load.py 10000`` alters as many files, and prints what came of them. Run by
`test_fuzz_load`, with fewer.
"""

from __future__ import annotations

import copy
import json
import resource
import struct
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import load as load_tensors
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

import sk_mtl._files
from helpers import make_tasks
from sk_mtl import (
    AlignedTransferClassifier,
    MultiTaskAlignedClassifier,
    MultiTaskAlignedClassifierCV,
    MultiTaskAlignedRegressor,
    SelectiveTransferClassifier,
    SVDTaskReweighter,
)

X, Y, TASK = make_tasks(rows=12)
SMALL: dict[str, Any] = {"hidden_layer_sizes": (3,), "random_state": 0}
Random = np.random.Generator


def models() -> list[Any]:
    stacked = MultiTaskAlignedClassifier(alignment="full", alignment_init="coral", **SMALL)
    stacked.fit(X, Y, task=TASK).add_task(X[:30], Y[:30], task=7)
    adam = MultiTaskAlignedRegressor(
        solver="adam",
        alignment="low_rank",
        alignment_rank=2,
        max_iter=3,
        task_groups=[0, 0, 1],
        **SMALL,
    ).fit(X, X[:, 0] + TASK, task=TASK)
    labels = np.where(TASK == 0, np.where(Y, "a", "b"), np.where(Y, "c", "d")).astype(object)
    names = np.array(["north", "south", "west"])[TASK]
    mixed = MultiTaskAlignedClassifier(
        alignment="diagonal", task_weight=SVDTaskReweighter(n_components=1), **SMALL
    ).fit(X, labels, task=names)
    wide = MultiTaskAlignedClassifier(early_stopping=True, **SMALL).fit(X, X[:, :3] > 0)
    source = MultiTaskAlignedClassifier(**SMALL).fit(X, Y, task=TASK)
    transfer = AlignedTransferClassifier(source, random_state=1).fit(X[:40], Y[:40])
    search = MultiTaskAlignedClassifierCV(penalties=2, cv=None, random_state=0)
    selective = SelectiveTransferClassifier(
        MultiTaskAlignedClassifier(**SMALL), cv=2, random_state=0
    )
    return [
        *(stacked, adam, mixed, wide, transfer),
        search.fit(X, Y, task=TASK),
        selective.fit(X, Y, task=TASK),
        SVDTaskReweighter(n_components=2).fit(X, X[:, 0] * (TASK + 1), task=TASK),
    ]


def answer(model: Any) -> Any:
    """What a model makes of rows."""
    if isinstance(model, SVDTaskReweighter):
        return model.transform(X)
    task = np.resize(model.tasks_, len(X)) if model._tasks.route == "keyword" else None
    if hasattr(model, "predict_proba"):
        return model.predict_proba(X, task=task)
    return model.predict(X, task=task)


# What is altered: bytes, the header that safetensors reads, arrays, the document.


def flip_bits(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for position in random.integers(len(data), size=random.integers(1, 4)):
        changed[position] ^= 1 << int(random.integers(8))
    return bytes(changed)


def truncate(data: bytes, random: Random) -> bytes:
    return data[: random.integers(len(data))]


def splice(data: bytes, random: Random) -> bytes:
    """Cut a piece out, double it, or put noise in its place."""
    start, stop = sorted(int(at) for at in random.integers(len(data), size=2))
    noise = random.bytes(int(random.integers(100)))
    middle = [b"", data[start:stop] * 2, noise][random.integers(3)]
    return data[:start] + middle + data[stop:]


def declare_a_size(data: bytes, random: Random) -> bytes:
    """Another length of the header, often a giant one."""
    size = [0, 1, 7, len(data), 2**31, 2**40, 2**63, 2**64 - 1][random.integers(8)]
    return struct.pack("<Q", size) + data[8:]


def signed(data: bytes) -> bytes:
    """With the digest that belongs to the data, as a forger would."""
    about = sk_mtl._files._about(data)
    digest = str(about.get("sha256", ""))
    if len(digest) != 64:
        return data
    blank = sk_mtl._files._with_digest(data, digest, "0" * 64)
    return sk_mtl._files._with_digest(blank, "0" * 64, sk_mtl._files._digest(blank))


def edit_header(data: bytes, random: Random) -> bytes:
    """Other shapes, types, offsets and names in the header of safetensors."""
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    names = [name for name in header if name != "__metadata__"]
    name = names[random.integers(len(names))]
    entry = header[name]
    match random.integers(8):
        case 0:
            entry["shape"] = [[], [0], [2**40], [2**63], [-1], [1, 2**32, 2**32]][
                random.integers(6)
            ]
        case 1:
            entry["dtype"] = ["F64", "F32", "I64", "U8", "BOOL", "F16", "BF16", "XX"][
                random.integers(8)
            ]
        case 2:
            entry["data_offsets"] = [int(at) for at in random.integers(2**40, size=2)]
        case 3:
            entry["data_offsets"] = header[names[random.integers(len(names))]]["data_offsets"]
        case 4:
            header[names[random.integers(len(names))]] = header.pop(name)
        case 5:
            entry["shape"] = entry["shape"][::-1]
        case 6:
            header["__metadata__"] = [None, {}, {"sk_mtl": "{}"}, {"sk_mtl": "["}, 3][
                random.integers(5)
            ]
        case _:
            header["deep"] = {"dtype": "F32", "shape": "DEEP", "data_offsets": [0, 0]}
    text = json.dumps(header).replace('"DEEP"', "[" * 100_000 + "]" * 100_000).encode()
    text += b" " * (-len(text) % 8)
    return signed(struct.pack("<Q", len(text)) + text + data[8 + size :])


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def edit_arrays(data: bytes, random: Random) -> bytes:
    """NaN, other types, other shapes, arrays in the place of others."""
    arrays, document = parts(data)
    names = list(arrays)
    name, other = (names[j] for j in random.integers(len(names), size=2))
    array = arrays[name]
    match random.integers(8):
        case 0:
            arrays[name] = np.full(array.shape, np.nan)
        case 1:
            arrays[name] = np.full(array.shape, [np.inf, -1, 10**6, 2**40][random.integers(4)])
        case 2:
            kind = [np.float32, np.float64, np.int8, np.int64, np.bool_, np.uint8][
                random.integers(6)
            ]
            with np.errstate(all="ignore"):
                arrays[name] = array.astype(kind)
        case 3:
            arrays[name] = array.reshape(-1)
        case 4:
            arrays[name] = np.resize(array, random.integers(0, 9, size=random.integers(0, 4)))
        case 5:
            arrays[name], arrays[other] = arrays[other], arrays[name]
        case 6:
            del arrays[name]
        case _:
            arrays[name] = random.standard_normal(array.shape)
    return write(document, arrays)


VALUES: list[Any] = [
    *(None, True, -1, 0, 3, 2**31, 2**63, 10**30, 0.5, 1e300, "", "x", "auto", [], {}, [1, "a"]),
    *({"float": "nan"}, {"float": "x"}, {"float": 3}, {"array": "document"}, {"array": []}),
    *({"tuple": [2**31]}, {"tuple": 3}, {"dict": [[1]]}, {"dict": [[[], 1]]}, {"code": "open"}),
    *({"entries": ["a"], "dtype": "<U999999999", "shape": [1]}, {"scalar": 3}),
    *({"entries": [], "dtype": "V999999999", "shape": [0]}, {"times": {}, "dtype": "O"}),
    *({"entries": ["a"] * 9, "dtype": "O", "shape": [2**62, 4]}, {"frozen": 3}),
    *({"entries": [1], "dtype": "os.system", "shape": [1]}, {"record": "Popen", "fields": {}}),
    {"estimator": "Popen", "params": {}, "fitted": {}},
    {"estimator": "__builtins__", "params": {}, "fitted": {}},
    {"estimator": "MultiTaskAlignedClassifier", "params": {}, "fitted": {}},
    {"record": "HeadPlan", "fields": {"dict": []}},
    {"random_state": {"dict": []}},
    nested(300),
]


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a document, with every key into it."""
    keys: Any = range(len(node)) if isinstance(node, list) else list(node)
    for key in keys:
        yield node, key
        if isinstance(node[key], (list, dict)):
            yield from places(node[key])


def edit_document(data: bytes, random: Random) -> bytes:
    """Other values, types and keys in the JSON."""
    arrays, document = parts(data)
    every = list(places(document))
    for _ in range(random.choice([1, 1, 2])):
        node, key = every[random.integers(len(every))]
        other, other_key = every[random.integers(len(every))]
        try:
            match random.integers(6):
                case 0 | 1:
                    node[key] = copy.deepcopy(VALUES[random.integers(len(VALUES))])
                case 2:
                    node[key], other[other_key] = other[other_key], node[key]
                case 3:
                    node[key] = copy.deepcopy(other[other_key])
                case 4:
                    del node[key]
                case _:
                    if isinstance(node, dict):
                        node[["predict", "__class__", "dict", "net_", "x"][random.integers(5)]] = 3
                    else:
                        node.append(node[key])
        except (IndexError, KeyError):  # gone by the first edit
            continue
    try:
        return write(document, arrays)
    except (RecursionError, ValueError):  # it now holds itself
        return data


def edit_text(data: bytes, random: Random) -> bytes:
    """JSON that no encoder writes: doubled keys, depth, giant numbers, broken text."""
    arrays, document = parts(data)
    text = json.dumps(document)
    match random.integers(6):
        case 0:
            text = text[:-1] + ', "params": {}, "fitted": {}}'
        case 1:
            text = text[:-1] + ', "more": ' + "[" * 100_000 + "]" * 100_000 + "}"
        case 2:
            text = text[:-1] + ', "more": ' + "1" * 100_000 + "}"
        case 3:
            text = text.replace("0.2", ["NaN", "1e999", "-0", "1" * 400][random.integers(4)], 1)
        case 4:
            at = int(random.integers(len(text)))
            text = text[:at] + chr(random.integers(32, 127)) + text[at + 1 :]
        case _:
            text = text[:-1] + ', "params": ' + '{"tuple": [' * 900 + "]}" * 900 + "}"
    return write_text(text.encode(), arrays, document)


def parts(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays = dict(sorted(load_tensors(data).items()))  # in an order of chance before
    document = json.loads(arrays.pop("document").tobytes())
    return arrays, document


def write(document: dict[str, Any], arrays: dict[str, Any]) -> bytes:
    return write_text(json.dumps(document, allow_nan=False).encode(), arrays, document)


def write_text(text: bytes, arrays: dict[str, Any], document: dict[str, Any]) -> bytes:
    from safetensors.numpy import save

    about = {"format": sk_mtl._files.FORMAT, "version": "0", "estimator": "", "sha256": "0" * 64}
    kept = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    kept["document"] = np.frombuffer(text, np.uint8)
    return signed(save(kept, {"sk_mtl": json.dumps(about)}))


ALTERATIONS: list[Callable[[bytes, Random], bytes]] = [
    *(flip_bits, truncate, splice, declare_a_size),
    *(edit_header, edit_header, edit_arrays, edit_arrays, edit_text),
    *(edit_document, edit_document, edit_document, edit_document),
]


class Watch:
    """Notes what no loading of a file may do: run code, start programs, write, look elsewhere."""

    def __init__(self) -> None:
        self.path, self.seen = "", Counter[str]()
        sys.addaudithook(self.hear)

    def hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self.path:
            return
        harmless = event == "open" and str(args[0]) == self.path and args[1] in ("r", "rb")
        watched = ("exec", "compile", "import", "open", "os.", "subprocess.", "pickle.", "ctypes.")
        watched += ("socket.", "shutil.", "marshal.", "code.", "function.", "urllib.", "tempfile.")
        if event.startswith(watched) and not harmless:
            self.seen[f"{event} {args[0] if args else ''}"[:100]] += 1


def fuzz(n_files: int, seed: int = 0) -> dict[str, Any]:
    """Alter so many files, and count what came of them."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    random = np.random.default_rng(seed)
    originals = models()
    answers = [answer(model) for model in originals]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "altered"
        data = []
        for model in originals:
            model.save(path)
            data.append(path.read_bytes())
            answer(type(model).load(path))  # all that it imports
            repr(model)  # and messages, in which scikit-learn prints it
        outcomes, watch = Counter[str](), Watch()
        memory_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(n_files):
            j = int(random.integers(len(originals)))
            alter = ALTERATIONS[random.integers(len(ALTERATIONS))]
            path.write_bytes(alter(data[j], random))
            watch.path = str(path)
            try:
                model = type(originals[j]).load(path)
            except Exception as error:
                model = error
            finally:
                watch.path = ""
            outcome = judge(model, answers[j], path)
            outcomes[outcome] += 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_before
    return {
        "files": n_files,
        "outcomes": dict(outcomes),
        "watched": dict(watch.seen),
        "MiB": memory // 1024,
    }


def judge(model: Any, expected: Any, path: Path) -> str:
    """What came of a file.

    A forger can sign whatever he likes: another model, or one that fails when it is used. What
    counts is that no other error than a ValueError with the path comes out of `load`.
    """
    if isinstance(model, BaseException):
        cause = model.__cause__
        if type(model) is not ValueError or str(path) not in str(model):
            return f"error: {type(model).__name__}"
        return "too much memory" if isinstance(cause, MemoryError) else "refused"
    try:
        check_is_fitted(model)
        found = answer(model)
    except NotFittedError:
        return "not fitted"
    except Exception:
        return "of no use"
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape == expected.shape and np.array_equal(found, expected):
        return "equal"
    if not np.issubdtype(found.dtype, np.number) or not np.isfinite(found).all():
        return "of no use"
    return "another model"


if __name__ == "__main__":
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    virtual = 4096 * int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (virtual + 2**30, hard))
    print(json.dumps(fuzz(*map(int, sys.argv[1:]))))
