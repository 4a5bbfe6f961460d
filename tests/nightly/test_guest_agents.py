"""The programs of guests, as their authors wrote them, against a cloud with simulated hosts: os-collect-config, and
those of heat-cfntools. They run in a mount namespace, in which the folders that they write into are empty."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.packages import install
from tane.services.identity.interface import publish
from tests.api.orchestration_support import delete, outputs, resources, stack, update
from tests.api.test_orchestration_guests import Bed
from tests.ports import free_port
from tests.support import ApiCloud
from tests.web.test_streams import served

pytestmark = [pytest.mark.root, pytest.mark.nightly]

AGENTS = (
    "os-collect-config==14.1.0",
    "os-apply-config==14.1.0",
    "os-refresh-config==14.1.0",
    "heat-cfntools==2.0.0",
    "setuptools<80",
)
EMPTY = ("/var/lib", "/var/log", "/var/cache", "/run")
"""A guest's own, where the programs run."""


class Guest:
    """Where programs run as in a guest: its folders are kept from one program to the next."""

    def __init__(self, cloud: ApiCloud, folder: Path) -> None:
        self.cloud, self.folder = cloud, folder
        self.programs = install("guest-agents-14.1.0", AGENTS)
        self.port = free_port()
        cloud.core.config.public_url = f"http://127.0.0.1:{self.port}"
        publish(cloud.core, [entry for service in cloud.core.services for entry in service.catalog])
        shutil.copytree("/etc", folder / "etc", symlinks=True)

    def write(self, name: str, text: str) -> None:
        """A file of the guest's."""
        file = self.folder / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def read(self, name: str) -> str:
        return (self.folder / name.lstrip("/")).read_text()

    def run(self, program: str, *arguments: str) -> str:
        """What the program writes while the cloud listens; jobs run afterwards."""
        for name in EMPTY:
            (self.folder / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
        mounts = [f"mount --bind {self.folder}{name} {name}" for name in (*EMPTY, "/etc")]
        command = shlex.join([str(self.programs / program), *arguments])
        script = self.folder / "run.sh"
        script.write_text(
            "\n".join(["set -e", *mounts, f"export LC_ALL=C PATH={self.programs}:$PATH", f"exec {command}"])
        )

        async def both() -> subprocess.CompletedProcess[str]:
            async with served(self.cloud, self.port):
                return await asyncio.to_thread(
                    subprocess.run,
                    ["unshare", "--mount", "sh", str(script)],
                    capture_output=True,
                    text=True,
                    timeout=120,
                    check=False,
                )

        done = self.cloud.wait(both())
        self.cloud.run_jobs()
        logs = "".join(file.read_text() for file in (self.folder / "var/log").glob("cfn-*.log"))
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}{logs}"
        return str(done.stdout)


@pytest.fixture
def guest(cloud: ApiCloud, tmp_path: Path) -> Guest:
    return Guest(cloud, tmp_path / "guest")


@pytest.fixture
def bed(guest: Guest) -> Bed:
    return Bed(guest.cloud)


def settings(told: dict[str, Any]) -> str:
    """The file of os-collect-config that says what it was told."""
    name = told["collectors"][1]
    lines = [f"{key.replace('-', '_')} = {value}" for key, value in told[name].items()]
    return "\n".join([f"[DEFAULT]\ncollectors = {name}", f"[{name}]", *lines])


@pytest.mark.parametrize("transport", ["POLL_SERVER_HEAT", "POLL_SERVER_CFN", "POLL_TEMP_URL"])
def test_os_collect_config_finds_what_is_to_do_and_what_an_update_changes(
    guest: Guest, bed: Bed, transport: str
) -> None:
    made, told = bed.stack(transport)
    guest.write("/etc/os-collect-config.conf", settings(told))
    found = json.loads(guest.run("os-collect-config", "--one-time", "--print", "--force"))
    name = told["collectors"][1]
    assert found[name]["os-collect-config"] == told
    assert [one["config"] for one in found[name]["deployments"]] == ["water"]
    update(guest.cloud, bed.mia, made, bed.template(transport, text="more water"))
    found = json.loads(guest.run("os-collect-config", "--one-time", "--print", "--force"))
    assert [one["config"] for one in found[name]["deployments"]] == ["more water"]


def test_os_collect_config_collects_what_lies_in_the_guest_itself(guest: Guest, bed: Bed) -> None:
    """What an operator wrote there, and what cloud-init kept of the stack's own words, both by collectors named."""
    made, told = bed.stack("POLL_SERVER_HEAT")
    assert told["collectors"][-1] == "local"
    guest.write("/etc/os-collect-config.conf", "[DEFAULT]\ncollectors = heat_local\ncollectors = local\n")
    guest.write("/var/lib/heat-cfntools/cfn-init-data", bed.parts(made)["cfn-init-data"])
    for name, colour in (("10-first", "red"), ("20-last", "white")):
        guest.write(f"/var/lib/os-collect-config/local-data/{name}.json", json.dumps({name: colour}))
    (guest.folder / "var/lib/os-collect-config/local-data").chmod(0o700)
    found = json.loads(guest.run("os-collect-config", "--one-time", "--print", "--force"))
    assert found["heat_local"]["os-collect-config"] == told
    assert [found[f"{name}.json"] for name in ("10-first", "20-last")] == [{"10-first": "red"}, {"20-last": "white"}]


INIT = {
    "AWS::CloudFormation::Init": {
        "config": {
            "files": {"/var/lib/bed": {"content": "soil", "mode": "000600"}},
            "commands": {"water": {"command": "echo watered >/var/lib/watered"}},
        }
    }
}


def cfn_template(bed: Bed, text: str = "soil") -> dict[str, Any]:
    """As Heat's own examples have it: a user with keys, a server that cfn-init configures, a condition that waits."""
    init = json.loads(json.dumps(INIT).replace("soil", text))
    server = {
        "image": bed.image,
        "flavor": bed.flavor,
        "networks": [{"allocate_network": "none"}],
        "user_data": "#!/bin/sh\ncfn-init",
    }
    condition = {"Handle": {"Ref": "Handle"}, "Timeout": "600"}
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "User": {"Type": "AWS::IAM::User"},
            "Keys": {"Type": "AWS::IAM::AccessKey", "Properties": {"UserName": {"Ref": "User"}}},
            "Server": {"Type": "OS::Nova::Server", "Metadata": init, "Properties": server},
            "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
            "Condition": {"Type": "AWS::CloudFormation::WaitCondition", "Properties": condition},
        },
        "Outputs": {
            "access": {"Value": {"Ref": "Keys"}},
            "secret": {"Value": {"Fn::GetAtt": ["Keys", "SecretAccessKey"]}},
            "handle": {"Value": {"Ref": "Handle"}},
        },
    }


def test_cfn_init_signal_and_hup_do_their_work(guest: Guest, bed: Bed) -> None:
    mia = bed.mia
    made = stack(guest.cloud, mia, cfn_template(bed))
    assert made["stack_status"] == "CREATE_IN_PROGRESS"
    told = outputs(made)
    keys = ["--access-key", told["access"], "--secret-key", told["secret"], "--region", "RegionOne"]
    for name, part in bed.parts(made, "Server").items():
        if name.startswith("cfn-"):
            guest.write(f"/var/lib/heat-cfntools/{name}", part)
    guest.run("cfn-init", "--stack", "rose", "--resource", "Server", *keys)
    assert guest.read("/var/lib/bed") == "soil" and guest.read("/var/lib/watered") == "watered\n"
    guest.run("cfn-signal", "--success", "true", "--id", "one", told["handle"])
    assert resources(mia, made)["Condition"]["resource_status"] == "CREATE_COMPLETE"
    guest.write("/etc/cfn/cfn-credentials", f"AWSAccessKeyId={told['access']}\nAWSSecretKey={told['secret']}\n")
    guest.write("/etc/cfn/cfn-hup.conf", "[main]\nstack=rose\ncredential-file=/etc/cfn/cfn-credentials\nregion=R\n")
    hook = "[again]\ntriggers=post.update\npath=Resources.Server\naction=touch /var/lib/updated\nrunas=root\n"
    guest.write("/etc/cfn/hooks.conf", hook)
    guest.run("cfn-hup", "--no-daemon")
    assert not (guest.folder / "var/lib/updated").exists()
    update(guest.cloud, mia, made, cfn_template(bed, "peat"))
    guest.run("cfn-hup", "--no-daemon")
    assert (guest.folder / "var/lib/updated").exists()
    assert delete(guest.cloud, mia, made)["stack_status"] == "DELETE_COMPLETE"
