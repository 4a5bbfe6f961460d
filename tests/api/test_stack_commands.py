"""``tane stack plan`` and ``tane stack drift``, as one types them, against a cloud that listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from tane.cli import stack as commands
from tane.cli.client import CallError, Client
from tests.api.orchestration_support import resources, stack, update
from tests.support import ApiCloud, Caller
from tests.web.test_streams import served

Run = Callable[..., Result]
TEMPLATE = """
heat_template_version: 2021-04-16
parameters: {size: {type: number, default: 8}}
resources:
  net: {type: OS::Neutron::Net, properties: {name: beds}}
  word: {type: OS::Heat::RandomString, properties: {length: {get_param: size}}}
  it: {type: OS::Heat::TestResource, properties: {value: {get_resource: word}}}
  bed: {type: bed.yaml, properties: {text: {get_file: bed.txt}}}
"""
BED = """
heat_template_version: 2021-04-16
parameters: {text: {type: string}}
resources:
  inner: {type: OS::Heat::TestResource, properties: {value: {get_param: text}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in (("rose.yaml", TEMPLATE), ("bed.yaml", BED), ("bed.txt", "soil")):
        (tmp_path / name).write_text(text)
    (tmp_path / "env.yaml").write_text("parameters: {size: 9}")
    return tmp_path


@pytest.fixture
def run(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Type a command as mia."""

    def typed(caller: Caller, *words: object) -> Result:
        async def both() -> Result:
            async with served(cloud) as port:

                @contextmanager
                def client(*_: object) -> Iterator[Client]:
                    found = Client.__new__(Client)
                    found._base, found._context = f"http://127.0.0.1:{port}", None
                    found._token, found.project_id = caller.token, caller.project_id
                    yield found

                monkeypatch.setattr(commands, "_client", client)
                return await asyncio.to_thread(CliRunner().invoke, commands.app, [str(word) for word in words])

        found: Result = cloud.wait(both())
        return found

    return typed


def _made(cloud: ApiCloud, caller: Caller, folder: Path, **more: Any) -> dict[str, Any]:
    """The stack of the folder's template, as the client would have sent it."""
    body = commands._template(folder / "rose.yaml", [])
    return stack(cloud, caller, body.pop("template"), **body, **more)


def test_a_plan_says_what_would_be_created(cloud: ApiCloud, run: Run, folder: Path) -> None:
    mia = cloud.new_user("mia", "garden")
    done = run(mia, "plan", folder / "rose.yaml", "-e", folder / "env.yaml")
    assert done.exit_code == 2, done.output
    assert ": it would be created, with 4 resources." in done.output
    assert "  +  bed/inner  OS::Heat::TestResource" in done.output
    assert mia.get(f"/orchestration/v1/{mia.project_id}/stacks").json()["stacks"] == []


def test_a_plan_says_what_an_update_would_do_and_why(cloud: ApiCloud, run: Run, folder: Path) -> None:
    mia = cloud.new_user("mia", "garden")
    _made(cloud, mia, folder)
    same = run(mia, "plan", folder / "rose.yaml")
    assert (same.exit_code, same.output.strip()) == (0, "The stack rose: 5 unchanged.")
    (folder / "rose.yaml").write_text(TEMPLATE.replace("beds", "weeds").replace("  bed:", "  pot:"))
    (folder / "bed.txt").write_text("sand")
    done = run(mia, "plan", folder / "rose.yaml", "-P", "size=10")
    assert done.exit_code == 2
    said = [" ".join(line.split()) for line in done.output.splitlines()]
    assert said[0] == "The stack rose: 2 to create, 2 to change in place, 1 to replace, 2 to delete, 0 unchanged."
    assert "~ net OS::Neutron::Net changes: name" in said
    assert "-/+ word OS::Heat::RandomString no change in place is possible of: length" in said
    # What refers to a resource that is replaced gets another value.
    assert "~ it OS::Heat::TestResource changes: value" in said
    nested = {"+ pot", "+ pot/inner", "- bed", "- bed/inner"}
    assert nested <= {" ".join(line.split()[:2]) for line in said} and len(said) == 8
    (folder / "env.yaml").write_text("resource_registry: {resources: {net: {restricted_actions: update}}}")
    done = run(mia, "plan", folder / "rose.yaml", "-P", "size=10", "-e", folder / "env.yaml")
    said = [" ".join(line.split()) for line in done.output.splitlines()]
    assert "~ net OS::Neutron::Net refused: update is restricted for resource." in said


def test_a_mistake_of_a_template_or_of_who_types_is_told(cloud: ApiCloud, run: Run, folder: Path) -> None:
    mia = cloud.new_user("mia", "garden")
    (folder / "rose.yaml").write_text(TEMPLATE.replace("RandomString", "Random"))
    wrong = run(mia, "plan", folder / "rose.yaml")
    assert wrong.exit_code == 1 and isinstance(wrong.exception, CallError)
    assert "OS::Heat::Random" in wrong.exception.told and "{" not in wrong.exception.told
    (folder / "bed.yaml").unlink()
    missing = run(mia, "plan", folder / "rose.yaml")
    assert missing.exit_code == 1 and "bed.yaml" in missing.output
    assert run(mia, "plan", folder / "rose.yaml", "-P", "size").exit_code == 1
    assert run(mia, "drift", "nothing").exit_code == 1


def test_drift_says_what_is_otherwise_and_what_mends_it(cloud: ApiCloud, run: Run, folder: Path) -> None:
    mia = cloud.new_user("mia", "garden")
    made = _made(cloud, mia, folder)
    assert run(mia, "drift", "rose").exit_code == 0
    net = resources(mia, made)["net"]["physical_resource_id"]
    mia.put(f"/network/v2.0/networks/{net}", {"network": {"name": "we\x1b[2Jeds"}}, 200)
    done = run(mia, "drift", "rose")
    assert done.exit_code == 2
    assert 'name was set to "beds" and is "we\\u001b[2Jeds". It is changed in place.' in done.output
    assert "./tane openstack stack update --existing --converge rose" in done.output
    body = commands._template(folder / "rose.yaml", [])
    update(cloud, mia, made, body.pop("template"), **body, converge=True)
    assert run(mia, "drift", "rose").exit_code == 0
    mia.delete(f"/network/v2.0/networks/{net}")
    gone = run(mia, "drift", "rose")
    assert gone.exit_code == 2 and "gone: " in gone.output and "It is made again." in gone.output
