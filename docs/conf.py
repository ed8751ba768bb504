"""Sphinx: how the site is made. ``python -m sphinx -W -b html docs docs/_build/html``."""

import sys
import warnings
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "extensions"))

import sk_mtl  # noqa: E402

project = "sk_mtl"
author = "The sk_mtl developers"
copyright = author
version = release = sk_mtl.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    # In docs/extensions:
    "api_members",
    "benchmark_pages",
    "code_blocks",
    "mathml",
    "repository_links",
]
templates_path = ["templates"]
exclude_patterns = [
    "_build",
    "examples",
    "templates",
    "gallery/**/*.md5",
    "**/sg_execution_times.rst",
    "sg_execution_times.rst",
]
default_role = "literal"
nitpicky = True

# Markdown.
myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3

# The reference: a page per public name.
autosummary_generate = True
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings say it in words
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Names of other packages that docstrings refer to, one by one: anything else must resolve.
nitpick_ignore = [
    ("py:obj", "sklearn.model_selection.LearningCurveDisplay"),
    ("py:obj", "skorch.callbacks.Checkpoint"),
]

# The gallery: every example is run.
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery_order.reading_order",
    "doc_module": ("sk_mtl",),
    "backreferences_dir": "api/backreferences",
    "reference_url": {"sk_mtl": None},
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "min_reported_time": 0,
    "image_scrapers": ("matplotlib",),
}
warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive", UserWarning)

# The look.
html_theme = "pydata_sphinx_theme"
html_title = "sk_mtl"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_theme_options = {
    "logo": {"text": "sk_mtl"},
    "navbar_end": ["theme-switcher"],
    "header_links_before_dropdown": 6,
    "show_prev_next": True,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
    "navigation_with_keys": False,
}
html_sidebars = {"index": [], "compare": []}
html_show_sourcelink = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
