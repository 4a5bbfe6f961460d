"""``tane doctor``: what is wrong on this machine or in the cloud, why it matters, and the command that mends it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tane.cli.common import DEFAULT_STATE, State
from tane.cli.options import StateOption

if TYPE_CHECKING:
    from tane.config import Config
    from tane.db import Database, Tx
    from tane.doctor import Finding

WORDS = {"problem": "PROBLEM", "warning": "warning", "note": "ok     "}


def doctor(state: StateOption = DEFAULT_STATE) -> None:
    """Look for trouble. Exit status: 0 all well, 1 warnings, 2 problems."""
    files = State.of(state)
    found = list(_examine(files))
    for finding in found:
        print(f"{WORDS[finding.level]}  {finding.what}")
        if finding.why:
            print(f"         why:  {finding.why}")
        if finding.mend:
            print(f"         mend: {finding.mend}")
    if not files.running():
        print(f"ok       Nothing runs in {files.folder}: ./tane up starts it")
    problems = sum(finding.level == "problem" for finding in found)
    warnings = sum(finding.level == "warning" for finding in found)
    print(f"doctor: {problems} problems, {warnings} warnings")
    sys.exit(2 if problems else 1 if warnings else 0)


def _objects(config: Config, tx: Tx) -> Iterator[Finding]:
    """The rows of objects lie beside those of the cloud."""
    from tane.services.object import checks

    for opened in checks.opened(config):
        with opened.read() as objects:
            yield from checks.copies(tx, objects)
    yield from checks.without_rows(config)


def _beside(config: Config, database: Database) -> Iterator[Finding]:
    """What lies on this machine beside the database, and should be what that knows of."""
    from tane import ids
    from tane.agent.compute.drivers.qemu.settings import guests_folder
    from tane.services.compute.checks import of_no_server
    from tane.services.image.checks import without_data

    yield from of_no_server(database, guests_folder(config.state_dir / ids.HOST))
    yield from without_data(database, config)


def _policy(config: Config) -> Iterator[Finding]:
    """Whether each name of the site's rules is one of this cloud's."""
    from tane.app import SERVICES
    from tane.config import ConfigError
    from tane.doctor import Finding
    from tane.web.policy import Policy

    file = config.state_dir / "policy.yaml"
    if not file.exists():
        return
    try:
        unknown = Policy([rule for service in SERVICES for rule in service.rules], file).unknown
    except ConfigError as error:
        yield Finding("problem", str(error), "The cloud does not start.", "mend the check, or take it out")
        return
    if unknown:
        yield Finding(
            "warning",
            f"{file} names rules that this cloud does not have: {', '.join(unknown)}.",
            "What it says of them has no effect: nobody is kept from anything by it.",
            "the names are in docs/reference/",
        )


def _metrics(config: Config) -> Iterator[Finding]:
    """So do those of metrics."""
    from tane.services.metric import checks

    yield from checks.findings(config)


def _examine(files: State) -> Iterator[Finding]:
    # Here and not above: the other commands start without loading what these checks need.
    from tane.agent.cloud import Files
    from tane.db import Database
    from tane.db.migrate import HEAD, revision, upgradable
    from tane.doctor import CLOUD_CHECKS, HOST_CHECKS, Finding, Machine, database_answers
    from tane.schema import lost

    config = files.config()
    machine = Machine()
    for check in HOST_CHECKS:
        yield from check(machine, config)
    yield from _policy(config)
    # A host that has joined a cloud has what belongs to that one's database.
    reason = lost(config.state_dir) if Files(config.state_dir).read() is None else None
    gone = Finding("problem", reason, "The cloud does not start.", "as it says") if reason else None
    if (files.folder / "tane.db").exists() or config.database_url:
        database = Database(config.database)
        try:
            found = database_answers(database)
            yield found if found.level != "warning" or gone is None else gone
            if found.level == "note":
                with database.read() as tx:
                    schema = revision(tx)
                    if schema != HEAD:
                        can = schema in upgradable()
                        yield Finding(
                            "warning" if can else "problem",
                            f"The database has schema {schema}, this release has {HEAD}.",
                            "What is in it cannot be looked at yet." if can else "This release cannot upgrade it.",
                            "./tane up, which upgrades it" if can else "start it with the release that it is of",
                        )
                        return
                    for cloud_check in CLOUD_CHECKS:
                        yield from cloud_check(tx)
                    yield from _objects(config, tx)
                yield from _beside(config, database)
                yield from _metrics(config)
        finally:
            database.close()
    elif gone is not None:
        yield gone
