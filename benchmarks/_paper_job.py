"""One fit or group of fits of the paper's experiments: what gives one row of the results."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from _results import Row


@dataclass(frozen=True)
class Job:
    """A result that can be had by calling a function.

    Parameters
    ----------
    setting, method : str
        What is run, and what the result is called.
    function : callable
        Returns the fields of the result, "scores" among them.
    arguments : tuple
        Of the function.
    """

    setting: str
    method: str
    function: Callable[..., Row]
    arguments: tuple[Any, ...]

    def run(self) -> Row:
        """The fields of the result."""
        return self.function(*self.arguments)
