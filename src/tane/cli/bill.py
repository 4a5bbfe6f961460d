"""``tane bill``: what a project has to pay for a month, line by line; and the closing of months."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tane.cli.client import CallError, Client
from tane.cli.common import DEFAULT_STATE, State, plain
from tane.cli.options import StateOption

COLUMNS = ("service", "name", "what", "from", "to", "hours", "price an hour", "sum")
RIGHT = ("hours", "price an hour", "sum")
STYLE = (
    "body{font:14px/1.4 sans-serif;margin:2em}table{border-collapse:collapse}th,td{padding:.2em .8em;"
    "border-bottom:1px solid #ccc;text-align:left}.n{text-align:right;white-space:nowrap}"
)

Project = Annotated[str, typer.Argument(metavar="PROJECT", help="Name or id of the project.")]
Month = Annotated[str, typer.Option("--month", help="As 2026-11; without it this month, as far as it has come.")]
Format = Annotated[str, typer.Option("--format", help="table, csv, json or html.")]
Close = Annotated[str, typer.Option("--close", metavar="MONTH", help="Close a month: its bills stand from then on.")]


def bill(
    project: Project = "",
    month: Month = "",
    format_: Format = "table",
    close: Close = "",
    state: StateOption = DEFAULT_STATE,
) -> None:
    """Print a project's bill of a month, each line explained; or close a month."""
    files = State.of(state)
    files.require()
    if format_ not in RENDERED:
        sys.exit(f"tane: a bill has no format {format_!r}: {', '.join(RENDERED)}")
    if bool(project) == bool(close):
        sys.exit("tane: name a project, or a month with --close")
    if not files.running():
        sys.exit(f"tane: no cloud runs in {files.folder}: start it with ./tane up")
    try:
        client = files.admin()
        if close:
            client.call("POST", "/rating/v2/closings", {"month": close})
            print(f"tane: {close} is closed: what becomes known of it later is on the next bill")
            return
        asked = f"/rating/v2/bill?project_id={quote(_id(client, project), safe='')}"
        found = client.call("GET", f"{asked}&month={quote(month, safe='')}" if month else asked)["bill"]
        if not found["lines"]:
            # What is deleted has bills; of what never was, an empty one would say too much.
            client.call("GET", f"/identity/v3/projects/{quote(found['project_id'], safe='')}")
    except CallError as error:
        sys.exit(f"tane: {error.told or error}")
    sys.stdout.write(RENDERED[format_](found, project))


def _id(client: Client, project: str) -> str:
    """Of the project that has this name or id. Of several with the name, in several domains, none is meant."""
    found = client.call("GET", f"/identity/v3/projects?name={quote(project, safe='')}")["projects"]
    if len(found) > 1:
        sys.exit(f"tane: {len(found)} projects are called {project}: name the id of one")
    # A project that is deleted has bills, and an id, but no name any more.
    return str(found[0]["id"]) if found else project


# -------------------------------------------------------------------------------------------------------- the formats


def rows(bill_: Mapping[str, Any]) -> list[dict[str, str]]:
    """The lines, by :data:`COLUMNS`; names that tenants gave are made harmless for a terminal."""
    return [
        {
            "service": line["service"],
            "name": plain(line["name"] or line["resource_id"]),
            "what": plain(line["what"]),
            "from": line["begin"][:19],
            "to": line["end"][:19],
            "hours": line["hours"] if line["seconds"] else "",
            "price an hour": line["price"] if line["seconds"] else "",
            "sum": line["amount"],
        }
        for line in bill_["lines"]
    ]


def _head(bill_: Mapping[str, Any], project: str) -> str:
    closed = bill_["closed_at"]
    how = f"closed on {closed[:10]}" if closed else f"counted until {bill_['until'][:19]}, not closed"
    return f"Bill of {plain(project)} for {bill_['month']}, {how}"


def table(bill_: Mapping[str, Any], project: str) -> str:
    found = rows(bill_)
    widths = {name: max(len(name), *(len(row[name]) for row in found), 0) if found else len(name) for name in COLUMNS}
    lines = [_head(bill_, project), ""]
    for row in ({name: name for name in COLUMNS}, *found):
        cells = (row[name].rjust(widths[name]) if name in RIGHT else row[name].ljust(widths[name]) for name in COLUMNS)
        lines.append("  ".join(cells).rstrip())
    return "\n".join([*lines, "", f"Total: {bill_['total']} {bill_['currency']}", ""])


def csv_(bill_: Mapping[str, Any], project: str) -> str:
    """A line each, and the total; a cell that a spreadsheet would compute begins with an apostrophe."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows(bill_):
        writer.writerow([row[name] if name in RIGHT else _no_formula(row[name]) for name in COLUMNS])
    writer.writerow(["total", "", "", "", "", "", bill_["currency"], bill_["total"]])
    return file.getvalue()


def _no_formula(text: str) -> str:
    """A cell that no spreadsheet computes, whichever of the separators it takes."""
    return f"'{text}" if re.search(r"(?:^|[;\t,])\s*[=+\-@|＝＋－＠]", text) else text


def json_(bill_: Mapping[str, Any], project: str) -> str:
    return json.dumps(bill_, indent=2) + "\n"


def html_(bill_: Mapping[str, Any], project: str) -> str:
    """A page for printing; it needs nothing else."""
    head = html.escape(_head(bill_, project))
    named = "".join(f"<th{' class=n' if name in RIGHT else ''}>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>"
        + "".join(f"<td{' class=n' if name in RIGHT else ''}>{html.escape(row[name])}</td>" for name in COLUMNS)
        + "</tr>\n"
        for row in rows(bill_)
    )
    total = html.escape(f"{bill_['total']} {bill_['currency']}")
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{head}</title><style>{STYLE}</style>\n'
        f"<h1>{head}</h1>\n<table><tr>{named}</tr>\n{body}</table>\n<p><strong>Total: {total}</strong></p></html>\n"
    )


RENDERED: dict[str, Callable[[Mapping[str, Any], str], str]] = {
    "table": table,
    "csv": csv_,
    "json": json_,
    "html": html_,
}
