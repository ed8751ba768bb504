"""Lets torch compute in forked processes."""

from __future__ import annotations

import os

import torch


def _alone() -> None:
    """The threads of a process do not outlive a fork, and OpenMP would wait for them for ever."""
    torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, where nothing is forked
    os.register_at_fork(after_in_child=_alone)
