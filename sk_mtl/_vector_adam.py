"""Adam on parameters that are views of vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sk_mtl._vector import ParameterVector


class VectorAdam(torch.optim.Adam):
    """Adam whose steps are a few operations on vectors between `attach` and `detach`.

    Otherwise, and to schedulers and callbacks, it is the Adam that it inherits from: the moments
    of a parameter are views of vectors as well.
    """

    def attach(self, vectors: list[ParameterVector]) -> None:
        """Step the parameters in the vectors, which are all that train."""
        group_of = {id(p): group for group in self.param_groups for p in group["params"]}
        self._moments = [
            _Moments(self, vector, [group_of[id(p)] for p in vector.parameters])
            for vector in vectors
        ]

    def detach(self) -> None:
        """Step one parameter after the other, each of which has a state of its own."""
        for moments in self._moments:
            moments.release()
        self._moments = []

    def is_attached(self) -> bool:
        """Whether nobody has given the optimizer another state since `attach`."""
        moments = self.__dict__.get("_moments", [])
        return bool(moments) and all(part.is_whole() for part in moments)

    @property
    def is_plain(self) -> bool:
        """Whether learning rates are all that is set, and all parameters have made one way."""
        groups = self.param_groups
        training = [p for group in groups for p in group["params"] if p.requires_grad]
        steps = {float(self.state[p]["step"]) if p in self.state else 0.0 for p in training}
        return len(steps) == 1 and all(
            group["betas"] == groups[0]["betas"]
            and group["eps"] == groups[0]["eps"]
            and not (group["weight_decay"] or group["amsgrad"] or group["maximize"])
            for group in groups
        )

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Update parameters and moments from the gradient."""
        if not self.__dict__.get("_moments") or closure is not None:
            return super().step(closure)
        self.step_unseen()
        return None

    def step_unseen(self) -> None:
        """A step without what torch puts around it, which takes longer. Grad mode must be off."""
        for part in self._moments:
            part.step()


class _Moments:
    """Steps, first and second moments of the parameters in a vector."""

    def __init__(
        self, optimizer: VectorAdam, vector: ParameterVector, groups: list[dict[str, Any]]
    ) -> None:
        self.optimizer, self.vector, self.groups = optimizer, vector, groups
        states = [optimizer.state.get(p, {}) for p in vector.parameters]
        self.steps = states[0].get("step", self.vector.values.new_zeros((), dtype=torch.float32))
        self.steps = self.steps.clone()
        self.first, self.second = (
            vector.join([state[name] for state in states])
            if float(self.steps)
            else torch.zeros_like(vector.values)
            for name in ("exp_avg", "exp_avg_sq")
        )
        self._rates: list[float] = []
        parts = zip(vector.split(self.first), vector.split(self.second), strict=True)
        for parameter, (first, second) in zip(vector.parameters, parts, strict=True):
            optimizer.state[parameter] = {
                "step": self.steps,
                "exp_avg": first,
                "exp_avg_sq": second,
            }

    def is_whole(self) -> bool:
        states = [self.optimizer.state.get(p, {}) for p in self.vector.parameters]
        return all(state.get("step") is self.steps for state in states)

    def release(self) -> None:
        if len(self.vector.parameters) == 1:  # nobody else's memory
            return
        for parameter in self.vector.parameters:
            state = self.optimizer.state.get(parameter, {})
            self.optimizer.state[parameter] = {name: v.clone() for name, v in state.items()}

    def step(self) -> None:
        rates = [float(group["lr"]) for group in self.groups]  # schedulers may change them
        if len(set(rates)) == 1:
            self._move(self.vector.values, rates[0])
            return
        if rates != self._rates:
            self._rates, self._rate_of_values = rates, self.vector.join(rates)
            self._moved = torch.empty_like(self.vector.values)
        self._move(self._moved.zero_(), 1.0)
        self.vector.values.addcmul_(self._moved, self._rate_of_values)

    def _move(self, values: Tensor, rate: float) -> None:
        (beta1, beta2), eps = self.groups[0]["betas"], self.groups[0]["eps"]
        self.steps += 1
        # What Adam(fused=True) calls, without its search for groups, which takes longer than this.
        torch._fused_adam_(
            [values],
            [self.vector.gradient],
            [self.first],
            [self.second],
            [],
            [self.steps],
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=rate,
            weight_decay=0.0,
            eps=eps,
            maximize=False,
        )
