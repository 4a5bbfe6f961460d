"""``tane status``: whether the cloud runs, how, and what it holds."""

from __future__ import annotations

import sys

from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption
from tane.linux import process


def status(state: StateOption = DEFAULT_STATE) -> None:
    """Say whether the cloud runs. Exit status 0 when it does, 3 when it does not."""
    from sqlalchemy import text

    from tane.app import SERVICES
    from tane.db import Database, DatabaseUnavailable
    from tane.db.migrate import HEAD, revision
    from tane.jobs import store as jobs
    from tane.services.metric import checks

    files = State.of(state)
    if files.joined():
        runs = files.running()
        print(f"tane: {files.folder} is that of a host; its agent {'runs' if runs else 'does not run: ./tane up'}")
        sys.exit(0 if runs else 3)
    config = files.config()
    if not files.running():
        print(f"tane: no cloud runs in {files.folder}")
        sys.exit(3)
    print(f"tane: running at {config.url}, process {process.read_pid(files.pidfile)}")
    print(files.chosen_mode.read_text().split("\n")[1])
    database = Database(config.database)
    try:
        with database.read() as tx:
            if revision(tx) != HEAD:
                print("tane: it is starting, or its database is of another release: what it holds is not counted")
                return
            unfinished, late, owed = jobs.numbers(tx)
            counted = [pair for service in SERVICES for pair in service.counted]
            rows = {name: tx.scalar(text(f"SELECT count(*) FROM {table}")) for name, table in counted}
    except DatabaseUnavailable as error:
        sys.exit(f"tane: its database {database.name} does not answer: {error.orig}")
    finally:
        database.close()
    print("tane: " + ", ".join(f"{count} {name}" for name, count in rows.items()) + f", {unfinished} unfinished jobs")
    if sending := checks.sentence(config):
        print(f"tane: {sending}")
    if late:
        print(f"tane: {late} jobs are past their deadline: the log names them")
    if owed:
        print(f"tane: {owed} steps are owed by hosts that were away")
