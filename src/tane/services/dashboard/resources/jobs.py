"""What the cloud does, step by step: a project's jobs, and all of them for administrators."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Column, Field, Kind, Panel, Row
from tane.services.dashboard.domain.messages import N_

STATES = (
    ("", N_("all")),
    ("unfinished", N_("not finished")),
    ("running", N_("Under way")),
    ("waiting", N_("Waiting")),
    ("undoing", N_("Being undone")),
    ("owed", N_("Owed by a host")),
    ("failed", N_("Failed")),
    ("done", N_("Complete")),
)
DOING = Column("operation", N_("Job"), "doing")
WHY = Column("error", N_("Why"), "said")


def steps(answer: Any) -> list[Row]:
    return [{**one, "id": f"{place}"} for place, one in enumerate(answer["job"]["steps"])]


def jobs(name: str, title: str, section: str, *more: Column, all_of: bool) -> Kind:
    thing = "all-thing" if all_of else "thing"
    return Kind(
        name,
        title,
        N_("Job"),
        section,
        "job GET ",
        "jobs",
        (
            DOING,
            Column("resource", N_("Resource"), thing),
            Column("state", N_("State"), "state"),
            Column("step", N_("Step"), "step"),
            *more,
            Column("created_at", N_("Began"), "time"),
            Column("finished_at", N_("Ended"), "time"),
        ),
        "job GET /{id}",
        "job",
        label="operation",
        status="state",
        query={"all_projects": "1"} if all_of else None,
        admin=all_of,
        filters=(Field("state", N_("State"), "choice", choices=STATES),),
        details=(
            DOING,
            Column("resource", N_("Resource"), thing),
            Column("state", N_("State"), "state"),
            Column("error", N_("Why"), "said"),
            Column("late", N_("Later than it should be"), "bool"),
            Column("tries", N_("Tries")),
            Column("next_try_at", N_("Goes on"), "time"),
            Column("host_id", N_("Waits for this host"), "ref:hosts"),
            Column("awaits", N_("Waits for"), thing),
            Column("created_at", N_("Began"), "time"),
            Column("finished_at", N_("Ended"), "time"),
            Column("project_id", N_("Project"), "ref:projects"),
            Column("request_id", N_("Request"), "code"),
        ),
        panels=(Panel("job-steps"),),
        command="./tane job list" if all_of else "",
        narrowed=("resource",),
        follows=True,
        actions=(
            Action(
                "try",
                N_("Try it now"),
                "job POST /{id}/try",
                quick=True,
                command="./tane job try {id}" if all_of else "",
                when=lambda row: bool(row.get("can_be_tried")),
                help=N_("It pauses, and goes on by itself; this does not wait for that."),
            ),
        ),
        empty=N_("Nothing was done yet, or all of it is long ago."),
    )


KINDS = (
    jobs("jobs", N_("Jobs"), N_("Monitoring"), all_of=False),
    Kind(
        "job-steps",
        N_("Steps"),
        N_("Step"),
        N_("Monitoring"),
        "job GET /{in}",
        "job",
        (
            Column("step", N_("Step"), "step"),
            Column("state", N_("State"), "state"),
            Column("tries", N_("Tries")),
            Column("detail", N_("Why"), "said"),
            Column("started_at", N_("Began"), "time"),
            Column("ended_at", N_("Ended"), "time"),
        ),
        label="step",
        inner=True,
        paged=False,
        spread=steps,
        gone_to="jobs",
    ),
)
ALL = (
    jobs(
        "all-jobs",
        N_("All jobs"),
        N_("Administration"),
        WHY,
        Column("project_id", N_("Project"), "ref:projects"),
        all_of=True,
    ),
)
