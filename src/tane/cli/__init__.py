"""The ``tane`` command: one file per subcommand; :mod:`tane.cli.processes` are those that stay."""

from __future__ import annotations

import sys

INTERRUPTED = 128 + 2
"""As shells tell of a program that SIGINT ended."""


def main() -> None:
    """Run the command that was typed."""
    try:
        from tane.cli import app

        app.main()
    except KeyboardInterrupt:
        # Also while the programs of all commands are still being read.
        sys.exit(INTERRUPTED)
