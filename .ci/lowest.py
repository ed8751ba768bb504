"""Prints pip constraints that hold every dependency in pyproject.toml to its lower bound."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text())["project"]
extras = project["optional-dependencies"]
for requirement in project["dependencies"] + [line for extra in extras.values() for line in extra]:
    name, bound = re.fullmatch(r"([\w-]+)\s*[>~]=\s*([\w.]+)", requirement).groups()
    if name != "torch":  # old builds for the CPU alone are not on PyPI: the newest is tested
        print(f"{name}=={bound}")
