"""Pages of classes show what this package says of them, not what they inherit of scikit-learn."""

from typing import Any

from sphinx.application import Sphinx


def is_elsewhere(
    app: Sphinx, kind: str, name: str, member: Any, skip: bool, options: Any
) -> bool | None:
    """Whether to leave a member out: None for the usual rules."""
    home = getattr(member, "__module__", None) or ""
    if home.startswith("sklearn.") or (name.startswith("set_") and name.endswith("_request")):
        return True
    return None


def setup(app: Sphinx) -> dict[str, Any]:
    """Called for every member of a class."""
    app.connect("autodoc-skip-member", is_elsewhere)
    return {"parallel_read_safe": True}
