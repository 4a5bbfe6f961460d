"""``tane job``: what the cloud does, step by step."""

from __future__ import annotations

from typing import Annotated

import typer

from tane.cli.common import DEFAULT_STATE
from tane.cli.host import administrator, asked
from tane.cli.options import StateOption

app = typer.Typer(no_args_is_help=True, help="What the cloud does, step by step, and why it waits or failed.")
JobArgument = Annotated[int, typer.Argument(help="Number of the job.")]
SHOWN = 20


def printable(text: str) -> str:
    """A line for a terminal: a reason may quote what a tenant wrote."""
    return "".join(one if one.isprintable() else "?" for one in text)


@app.command("list")
def list_jobs(
    state: StateOption = DEFAULT_STATE,
    only: Annotated[
        str, typer.Option("--only", help="unfinished, running, waiting, undoing, owed, failed or done.")
    ] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=100, help="How many, the newest first.")] = SHOWN,
) -> None:
    """The newest jobs, a line each."""
    query = f"all_projects=1&limit={limit}" + (f"&state={only}" if only else "")
    for job in asked(administrator(state), "GET", f"/jobs?{query}")["jobs"]:
        words = (str(job["id"]), job["created_at"], job["state"], job["operation"], job["resource"], job["step"])
        print(printable("  ".join(words) + (f": {job['error']}" if job["error"] else "")))


@app.command()
def show(job: JobArgument, state: StateOption = DEFAULT_STATE) -> None:
    """A job with its steps."""
    found = asked(administrator(state), "GET", f"/jobs/{job}")["job"]
    for name, value in found.items():
        if name != "steps" and value is not None:
            print(printable(f"{name}: {value}"))
    for step in found["steps"]:
        why = f": {step['detail']}" if step["detail"] else ""
        print(printable(f"  {step['state']:8} {step['step']}, {step['tries']} tries{why}"))


@app.command("try")
def try_now(job: JobArgument, state: StateOption = DEFAULT_STATE) -> None:
    """Let a job that pauses go on now."""
    asked(administrator(state), "POST", f"/jobs/{job}/try")
