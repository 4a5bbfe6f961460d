"""Runs ``openstack`` commands one after another in one process: each line of the input is a JSON list of arguments,
each line of the output a JSON object with the code, the output and the errors of that command.

The client logs in once and loads its plugins once, which makes a command some hundred times faster than a process does.
"""

from __future__ import annotations

import io
import json
import sys

from openstackclient.shell import OpenStackShell


class NoInput(io.StringIO):
    """A terminal at which no one types: else a command takes the lines meant for us as an image's data."""

    def isatty(self) -> bool:
        return True


def main() -> None:
    lines, sys.stdin = sys.stdin, NoInput()
    out, err = io.StringIO(), io.StringIO()
    # What the client prints itself must not stand between our lines.
    answers, sys.stdout, sys.stderr = sys.stdout, out, err
    shell = OpenStackShell()
    first = True
    for line in lines:
        for stream in (out, err):
            stream.seek(0)
            stream.truncate()
        arguments = json.loads(line)
        # The first run reads the environment and logs in; run_subcommand goes on from there.
        try:
            code = shell.run(arguments) if first else shell.run_subcommand(arguments)
        except SystemExit as error:  # It does not understand the arguments.
            code = int(error.code or 0)
        first = False
        print(json.dumps({"code": code, "out": out.getvalue(), "err": err.getvalue()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
