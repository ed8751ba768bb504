"""Examples end with a blank line, as doctest wants it; on the site they need none."""

import re
from typing import Any

from sphinx.application import Sphinx

LAST_LINE = re.compile(r"(^```pycon\n.*?)\n(?=\n```$)", re.DOTALL | re.MULTILINE)


def drop_last_line(app: Sphinx, name: str, source: list[str]) -> None:
    """Drop it in a page's text."""
    source[0] = LAST_LINE.sub(r"\1", source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Called for every page that is read."""
    app.connect("source-read", drop_last_line)
    return {"parallel_read_safe": True}
