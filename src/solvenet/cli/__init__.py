"""The command line; everything it does is a function in :mod:`solvenet.commands`."""

from __future__ import annotations

import sys

from solvenet._validation import import_optional
from solvenet.errors import MissingExtraError


def main() -> None:
    """Run the command line: the entry point ``solvenet``.

    Exits with 0 after success, 2 after an error that is the user's to solve (one line on
    stderr says which), 130 after Ctrl-C.
    """
    try:
        for package in ("click", "rich", "pyarrow"):
            import_optional(package, extra="cli", purpose="The command line")
    except MissingExtraError as error:
        sys.exit(f"solvenet: {error}")
    from solvenet.cli.analysis import app

    app(prog_name="solvenet")
