"""Links that work in the repository, on the site.

Chapters are read in both places. There a link leads to a table in ``benchmarks/results`` or to a
program in ``docs/examples``; here it leads to the page that is made of it.
"""

import re
from typing import Any

from sphinx.application import Sphinx

PAGES = (
    (re.compile(r"\]\((?:\.\./)*benchmarks/results/(\w+)\.md\)"), r"](/benchmarks/\1.md)"),
    (re.compile(r"\]\((?:\.\./)*(?:docs/)?examples/(\w+)\.py\)"), r"](/gallery/\1.rst)"),
)


def lead_to_pages(app: Sphinx, name: str, source: list[str]) -> None:
    """Replace the targets in a page's text."""
    for link, page in PAGES:
        source[0] = link.sub(page, source[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Called for every page that is read."""
    app.connect("source-read", lead_to_pages)
    return {"parallel_read_safe": True}
