"""Sphinx configuration: built without network and without warnings."""

import os
from importlib.metadata import version as version_of

os.environ.setdefault("MPLBACKEND", "agg")

project = "solvenet"
copyright = "2026, The solvenet developers"
version = release = version_of("solvenet")

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3

html_theme = "pydata_sphinx_theme"
html_title = "solvenet"
html_static_path = ["_static"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"install": [], "changelog": []}

templates_path = ["_templates"]
autosummary_generate = True
autodoc_mock_imports = ["torch", "onnx", "onnxruntime", "dask", "distributed"]
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

sphinx_gallery_conf = {
    "examples_dirs": ["../examples"],
    "gallery_dirs": ["auto_examples"],
    "filename_pattern": r"/plot_",
    "abort_on_example_error": True,
    "capture_repr": (),
    "download_all_examples": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "plot_gallery": True,
}

# Names that are documented under another module, or are private on purpose.
nitpick_ignore = [
    ("py:class", "Activation"),
    ("py:data", "ACTIVATIONS"),
    ("py:meth", "_solve"),
]
