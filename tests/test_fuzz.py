"""A short round of fuzzing; ``fuzz/run`` makes longer ones."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fuzz import chains
from fuzz.hunt import Hunt
from fuzz.world import world


def test_no_request_breaks_the_cloud_or_tells_of_another_project(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    hunt = Hunt(request.getfixturevalue(database_kind), tmp_path, random.Random(1))
    hunt.run(3000)
    assert not hunt.defects
    assert sum(times for status, times in hunt.statuses.items() if status < 300) > 500, "the valid requests are wrong"


def test_every_chain_of_two_tenants_gets_to_its_end_and_each_theft_is_refused(
    database_kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Unspoilt: what may be done is done, what is refused is refused for what it is and not for a lost id or token."""
    databases = request.getfixturevalue(database_kind)
    with world(databases, tmp_path / "cloud", random.Random(1)) as here:
        ground = chains.prepare(here)
        for actor in here.actors:
            quotas = dict.fromkeys(("port", "network", "subnet", "router", "security_group", "floatingip"), -1)
            here.api.admin.put(f"{chains.N}/quotas/{actor.caller.project_id}", {"quota": quotas})
        for name, steps in chains.CHAINS.items():
            this = chains.pair(here, ground)
            assert not [key for key, value in this.names.items() if value == chains.NOTHING], this.names
            for step in steps:
                body = chains.body_of(this, step)
                asked = chains.question(this, step, None)
                answer = here.send(
                    step.method, asked.path, headers=asked.headers, json=body, params=asked.query or None
                )
                told = (name, step, answer.status_code, answer.text)
                if step.refused:
                    assert answer.status_code in (400, 403, 404, 409), told
                elif step.must:
                    assert answer.status_code < 300, told
                if step.keep:
                    found = chains.kept(step, answer)
                    assert found, told
                    this.names[step.keep] = found
            with here.api.core.db.read() as tx:
                assert not list(chains.wrongs(tx, ground["plaza"], ground["external"])), name
            here.api.run_jobs()
