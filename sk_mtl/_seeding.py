"""Chance in torch, decided by a seed and without a trace."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import torch


@contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Let torch draw as the seed says, then put its generators back as they were.

    ``torch.manual_seed`` would seed those of every other device too, for good.
    """
    kind = "cpu" if device is None else device.type
    on_device = torch.cuda.device(device) if kind == "cuda" else nullcontext()
    devices = [] if kind == "cpu" else [device]
    with on_device, torch.random.fork_rng(devices, device_type="cuda" if kind == "cpu" else kind):
        torch.default_generator.manual_seed(seed)
        if kind != "cpu":
            getattr(torch, kind).manual_seed(seed)
        yield
