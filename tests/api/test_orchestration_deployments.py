"""Deployments of stacks: what a guest is given to do at each action of its stack, and what its answer makes of it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tane.services.orchestration.reconcilers import deadlines
from tests.api.orchestration_support import delete, hot, outputs, path, resources, show, stack, update
from tests.api.test_orchestration_guests import Bed
from tests.support import ApiCloud

MINUTES = 10
ALL = ["CREATE", "UPDATE", "DELETE", "SUSPEND", "RESUME"]


class Garden(Bed):
    """A bed whose guest does what it is given, and tells of it."""

    def worked(self, actions: list[str] | None, **more: Any) -> dict[str, Any]:
        template = self.template("POLL_TEMP_URL", **more)
        properties = template["resources"]["deployment"]["properties"]
        properties["signal_transport"] = "CFN_SIGNAL"
        if actions is not None:
            properties["actions"] = actions
        return template

    def make(self, actions: list[str] | None, **more: Any) -> tuple[dict[str, Any], str]:
        """(stack, where its guest reads what it is to do)."""
        made = stack(self.cloud, self.mia, self.worked(actions, **more), timeout_mins=MINUTES)
        self.done: list[str] = []
        return made, urlsplit(outputs(made)["told"]["request"]["metadata_url"]).path

    def todo(self, where: str) -> list[dict[str, Any]]:
        """What the guest has not done yet: as its own programs do it goes by the ids."""
        there = self.cloud.call("GET", where).json()["deployments"]
        return [one for one in there if one["id"] not in self.done]

    def does(self, where: str, code: int = 0) -> list[str]:
        """Let the guest do all that, and tell it; at which actions that was."""
        found = []
        for one in self.todo(where):
            inputs = {each["name"]: each["value"] for each in one["inputs"]}
            told = {"deploy_status_code": code, "deploy_stdout": f"at {inputs['deploy_action']}"}
            answer = self.cloud.call("POST", urlsplit(inputs["deploy_signal_id"]).path, json=told)
            assert answer.status_code == 200, answer.text
            self.done.append(one["id"])
            found.append(inputs["deploy_action"])
        self.cloud.run_jobs()
        return found

    def now(self, made: dict[str, Any]) -> str:
        return str(show(self.mia, made["stack_name"], made["id"])["stack_status"])

    def wait(self, minutes: int) -> None:
        """Let so much time pass, and those look who see to what is late."""
        self.cloud.advance(minutes * 60 + 1)
        self.cloud.wait(deadlines.look(self.cloud.core))
        self.cloud.run_jobs()

    def act(self, made: dict[str, Any], action: str) -> str:
        self.mia.post(path(self.mia, made, "/actions"), {action: None}, 200)
        self.cloud.run_jobs()
        return self.now(made)


@pytest.fixture
def garden(cloud: ApiCloud) -> Garden:
    return Garden(cloud)


def test_a_guest_is_given_something_to_do_at_every_action_that_a_deployment_names(garden: Garden) -> None:
    made, where = garden.make(ALL)
    assert made["stack_status"] == "CREATE_IN_PROGRESS" and garden.does(where) == ["CREATE"]
    assert garden.now(made) == "CREATE_COMPLETE" and garden.todo(where) == []
    for action in ("suspend", "resume"):
        assert garden.act(made, action) == f"{action.upper()}_IN_PROGRESS"
        assert garden.does(where) == [action.upper()] and garden.now(made) == f"{action.upper()}_COMPLETE"
    changed = update(garden.cloud, garden.mia, made, garden.worked(ALL, text="more water"))
    assert changed["stack_status"] == "UPDATE_IN_PROGRESS" and garden.todo(where)[0]["config"] == "more water"
    assert garden.does(where) == ["UPDATE"] and garden.now(made) == "UPDATE_COMPLETE"
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_IN_PROGRESS"
    assert resources(garden.mia, made)["server"]["resource_status"] == "RESUME_COMPLETE"
    assert garden.does(where) == ["DELETE"] and garden.now(made) == "DELETE_COMPLETE"
    mine = f"/orchestration/v1/{garden.mia.project_id}"
    assert garden.mia.get(f"{mine}/software_deployments").json()["software_deployments"] == []
    assert garden.mia.get(f"{mine}/software_configs").json()["software_configs"] == []


def test_a_guest_has_nothing_to_do_at_actions_that_a_deployment_does_not_name(garden: Garden) -> None:
    made, where = garden.make(["DELETE"])
    assert made["stack_status"] == "CREATE_COMPLETE" and garden.todo(where) == []
    assert garden.act(made, "suspend") == "SUSPEND_COMPLETE" and garden.act(made, "resume") == "RESUME_COMPLETE"
    changed = update(garden.cloud, garden.mia, made, garden.worked(["DELETE"], text="more water"))
    assert changed["stack_status"] == "UPDATE_COMPLETE" and garden.todo(where) == []
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_IN_PROGRESS"
    assert garden.does(where) == ["DELETE"] and garden.now(made) == "DELETE_COMPLETE"


def test_without_a_word_of_actions_a_stack_goes_without_its_guest(garden: Garden) -> None:
    made, where = garden.make(None)
    assert garden.does(where) == ["CREATE"]
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_guest_that_fails_at_the_end_is_told_of_and_not_asked_again(garden: Garden) -> None:
    made, where = garden.make(ALL)
    garden.does(where)
    delete(garden.cloud, garden.mia, made)
    assert garden.does(where, code=3) == ["DELETE"] and garden.now(made) == "DELETE_FAILED"
    reason = resources(garden.mia, made)["deployment"]["resource_status_reason"]
    assert "Deployment to server failed: DELETE failed: deploy_status_code: 3" in reason
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_guest_that_never_answers_holds_a_deletion_until_its_time_is_over(garden: Garden) -> None:
    made, where = garden.make(ALL)
    garden.does(where)
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_IN_PROGRESS"
    garden.wait(MINUTES)
    assert garden.now(made) == "DELETE_FAILED"
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_COMPLETE"


def test_a_deletion_waits_for_no_guest_whose_server_is_gone(garden: Garden) -> None:
    made, where = garden.make(ALL)
    garden.does(where)
    server = resources(garden.mia, made)["server"]["physical_resource_id"]
    assert delete(garden.cloud, garden.mia, made)["stack_status"] == "DELETE_IN_PROGRESS"
    garden.mia.delete(f"/compute/v2.1/servers/{server}")
    garden.cloud.run_jobs()
    garden.wait(1)
    assert garden.now(made) == "DELETE_COMPLETE"


def test_a_guest_whose_deployment_is_taken_out_of_the_template_does_its_last_work(garden: Garden) -> None:
    made, where = garden.make(ALL)
    garden.does(where)
    template = garden.worked(ALL)
    del template["resources"]["deployment"], template["resources"]["server"], template["outputs"]
    assert update(garden.cloud, garden.mia, made, template)["stack_status"] == "UPDATE_IN_PROGRESS"
    assert garden.does(where) == ["DELETE"] and garden.now(made) == "UPDATE_COMPLETE"
    assert "server" not in resources(garden.mia, made)


def test_a_guest_that_fails_to_suspend_fails_the_action(garden: Garden) -> None:
    made, where = garden.make(ALL)
    garden.does(where)
    assert garden.act(made, "suspend") == "SUSPEND_IN_PROGRESS"
    assert garden.does(where, code=1) == ["SUSPEND"] and garden.now(made) == "SUSPEND_FAILED"


@pytest.mark.parametrize("again", [True, False])
def test_an_input_that_replaces_makes_another_deployment(garden: Garden, again: bool) -> None:
    def template(value: str) -> dict[str, Any]:
        found = garden.worked(None)
        parts = found["resources"]
        parts["config"]["properties"]["inputs"] = [{"name": "colour", "replace_on_change": again}]
        parts["deployment"]["properties"] |= {"input_values": {"colour": value}, "signal_transport": "NO_SIGNAL"}
        return hot(parts)

    made = stack(garden.cloud, garden.mia, template("red"))
    before = resources(garden.mia, made)["deployment"]["physical_resource_id"]
    assert update(garden.cloud, garden.mia, made, template("white"))["stack_status"] == "UPDATE_COMPLETE"
    assert (resources(garden.mia, made)["deployment"]["physical_resource_id"] != before) is again
