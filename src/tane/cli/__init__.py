"""The ``tane`` command: one file per subcommand; :mod:`tane.cli.processes` are those that stay."""

from __future__ import annotations


def main() -> None:
    """Run the command that was typed."""
    from tane.cli import app

    app.main()
