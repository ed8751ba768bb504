"""A shared module that the user brings: made or copied, and asked for its capacity."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from copy import deepcopy
from typing import NoReturn

import torch
from torch import nn

from sk_mtl._seeding import seeded
from sk_mtl._shared import padding_mask, takes_mask
from sk_mtl._tasks import Array


def users_module(
    shared_module: nn.Module | Callable[..., nn.Module], n_features: int, seed: int
) -> nn.Module:
    """A copy of the user's module, or a new one from the user's factory.

    The factory is called with the number of features if it has an argument without a default,
    and with none otherwise.
    """
    if isinstance(shared_module, torch.jit.ScriptModule):
        _refuse_script(shared_module)
    if isinstance(shared_module, nn.Module):
        return deepcopy(shared_module)
    try:
        inspect.signature(shared_module).bind()
        arguments = []
    except (TypeError, ValueError):  # ValueError: it has no signature to look at
        arguments = [n_features]
    with seeded(seed):
        try:
            module = shared_module(*arguments)
        except TypeError as error:
            raise ValueError(
                f"shared_module={shared_module!r} could not be called with "
                f"{arguments or 'no argument'}: {error}. Pass an nn.Module, or a function that "
                "makes one, of no argument or of the number of features."
            ) from error
    if isinstance(module, torch.jit.ScriptModule):
        _refuse_script(module)
    if not isinstance(module, nn.Module):
        raise ValueError(
            f"shared_module={shared_module!r} made a {type(module).__name__}; it must make an "
            "nn.Module."
        )
    return module


def _refuse_script(module: nn.Module) -> NoReturn:
    raise ValueError(
        f"shared_module is a {type(module).__name__} of TorchScript, whose parameters torch gives "
        "no access to by name. Pass the nn.Module that it was made from."
    )


def refuse_noise(module: nn.Module, solver: str) -> None:
    """Refuse layers whose outcome varies from call to call to a solver that needs a fixed one."""
    if solver != "lbfgs":
        return
    for name, part in module.named_modules():
        draws = isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0
        draws |= isinstance(part, (nn.RNNBase, nn.MultiheadAttention)) and part.dropout > 0
        if draws or isinstance(part, nn.modules.batchnorm._BatchNorm):
            raise ValueError(
                f"shared_module has the layer {name!r}, {part}, which depends on the batch or on "
                'chance; solver="lbfgs" needs a fixed function of the rows. Pass solver="adam", '
                "or a module without such layers."
            )


def capacity_of(module: nn.Module, rows: Array, seed: int) -> int:
    """The width of the representation that the user's module makes of a few rows.

    ``seed`` decides what lazy layers draw when they see their first rows.
    """
    example = next(module.parameters(), torch.zeros(0))
    tensor = torch.as_tensor(rows).to(example.device, example.dtype)
    tensor, mask = padding_mask(tensor)
    told = {"mask": mask} if mask is not None and takes_mask(module) else {}
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad(), seeded(seed):
            made = module(tensor, **told)
    except Exception as error:  # whatever the user's code may raise
        raise ValueError(
            f"shared_module failed on rows of shape {tuple(tensor.shape)}: {error}"
        ) from error
    finally:
        module.train(was_training)
    if not isinstance(made, torch.Tensor) or made.ndim != 2 or len(made) != len(rows):
        shape = tuple(made.shape) if isinstance(made, torch.Tensor) else type(made).__name__
        raise ValueError(
            f"shared_module made {shape} of rows of shape {tuple(tensor.shape)}. It must return a "
            f"tensor of shape (n_rows, capacity), here ({len(rows)}, capacity)."
        )
    if not made.is_floating_point() or not made.isfinite().all():
        raise ValueError(
            f"shared_module made {made.dtype} numbers of finite rows, {made[0].tolist()} of the "
            "first. It must return finite ones of a floating type."
        )
    return int(made.shape[1])
