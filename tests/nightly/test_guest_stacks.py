"""Stacks with real guests: they signal what waits for them, run what a template hands them, and do what is deployed."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.packages import install
from tane.cli.common import cache_folder
from tane.guest.build import build
from tests.e2e.real import RealCloud, Tenant, wait_for
from tests.nightly.test_debian import BOOT_SECONDS, flavor, upload
from tests.nightly.test_guest_agents import AGENTS

pytestmark = [pytest.mark.root, pytest.mark.guest, pytest.mark.nightly]

OUTSIDE, CIDR = "172.29.77.1", "172.29.77.0/24"
"""Where the world behind the routers is; the API is there, too, at the cloud's port."""
POLL_SECONDS = 5
STACK_SECONDS = 600


class Cloud(RealCloud):
    """A real cloud that guests reach by their routers."""

    @property
    def seen(self) -> str:
        """Its address, as guests see it."""
        return f"http://{OUTSIDE}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        # What listens on the loopback alone is offered to no guest.
        reached = {"TANE_HOST": "0.0.0.0", "TANE_TLS": "off", "TANE_PUBLIC_URL": self.seen}
        return {**reached, "TANE_EXTERNAL_CIDR": CIDR}


@pytest.fixture(scope="module")
def mia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    cloud.up()
    path = str(cloud.folder / "api")
    within = ["ip", "netns", "exec", cloud.outside]
    relay = [sys.executable, str(Path(__file__).parents[1] / "relay.py")]
    running = [
        subprocess.Popen([*relay, path, f"127.0.0.1:{cloud.port}"]),
        subprocess.Popen([*within, *relay, f"{OUTSIDE}:{cloud.port}", path]),
    ]
    yield cloud.tenant("mia")
    for one in running:
        one.kill()
        one.wait()
    cloud.tane("down", "--purge")


def publish(mia: Tenant, name: str, file: Path) -> str:
    """Lay a file into a container that everybody reads; its address, for guests."""
    container = f"/v1/AUTH_{mia.client.project_id}/public"
    headers = {"X-Auth-Token": mia.client._token, "X-Container-Read": ".r:*", "Content-Length": "0"}
    asked = urllib.request.Request(f"{mia.cloud.url}{container}", b"", headers, method="PUT")
    with urllib.request.urlopen(asked) as answer:
        assert answer.status in (201, 202)
    mia.client.upload(f"{container}/{name}", file)
    return f"{mia.cloud.environment['TANE_PUBLIC_URL']}{container}/{name}"


@pytest.fixture(scope="module")
def image(mia: Tenant) -> str:
    return mia.upload_image(build(cache_folder()))


class Stack:
    """A stack of a tenant's."""

    def __init__(self, mia: Tenant, name: str, template: Any, **parameters: Any) -> None:
        self.mia, self.name, self.parameters = mia, name, parameters
        self.stacks = f"/orchestration/v1/{mia.client.project_id}/stacks"
        body = {"stack_name": name, "template": template, "parameters": parameters, "timeout_mins": 60}
        self.id = mia.post(self.stacks, body)["stack"]["id"]

    @property
    def path(self) -> str:
        return f"{self.stacks}/{self.name}/{self.id}"

    def update(self, template: Any) -> None:
        self.mia.client.call("PUT", self.path, {"template": template, "parameters": self.parameters})

    def show(self) -> dict[str, Any]:
        return dict(self.mia.get(self.path)["stack"])

    def becomes(self, status: str, seconds: float = STACK_SECONDS) -> dict[str, Any]:
        def there() -> bool:
            shown = self.show()
            assert not shown["stack_status"].endswith("FAILED"), shown["stack_status_reason"]
            return bool(shown["stack_status"] == status)

        wait_for(f"stack {self.name} {status}", there, seconds)
        return self.show()

    def outputs(self) -> dict[str, Any]:
        return {one["output_key"]: one.get("output_value") for one in self.show()["outputs"]}


def server(**more: Any) -> dict[str, Any]:
    properties = {"key_name": "key", "networks": [{"network": "net"}], "security_groups": ["open"], **more}
    return {"type": "OS::Nova::Server", "properties": properties}


def test_a_guest_signals_its_wait_condition(mia: Tenant, image: str) -> None:
    told = '{"status": "SUCCESS", "reason": "up", "data": "the beds are dug"}'
    script = f"#!/bin/sh\ncurl -s -X POST -d '{told}' 'ADDRESS'\n"
    address = {"get_attr": ["handle", "endpoint"]}
    user_data = {"str_replace": {"template": script, "params": {"ADDRESS": address}}}
    condition = {"handle": {"get_resource": "handle"}, "timeout": STACK_SECONDS}
    template = {
        "heat_template_version": "2021-04-16",
        "resources": {
            "handle": {"type": "OS::Heat::WaitConditionHandle"},
            "server": server(image=image, flavor=mia.cloud.flavor(), user_data=user_data, user_data_format="RAW"),
            "wait": {"type": "OS::Heat::WaitCondition", "properties": condition},
        },
        "outputs": {"told": {"value": {"get_attr": ["wait", "data"]}}},
    }
    stack = Stack(mia, "wait", template)
    stack.becomes("CREATE_COMPLETE")
    assert list(json.loads(stack.outputs()["told"]).values()) == ["the beds are dug"]
    mia.client.call("DELETE", stack.path)
    stack.becomes("DELETE_COMPLETE")


CHEF = """
AWSTemplateFormatVersion: '2010-09-09'
Description: A web server that Chef configures
Parameters:
  KeyName: {Type: String}
  InstanceType: {Type: String}
  ImageId: {Type: String}
  SubnetId: {Type: String}
  ChefServer: {Type: String}
Resources:
  WebServer:
    Type: AWS::EC2::Instance
    Properties:
      ImageId: {Ref: ImageId}
      InstanceType: {Ref: InstanceType}
      KeyName: {Ref: KeyName}
      SubnetId: {Ref: SubnetId}
      SecurityGroupIds: [open]
      UserData:
        Fn::Base64:
          Fn::Join:
          - ''
          - - "#!/bin/sh\\n"
            - "mkdir -p /etc/chef\\n"
            - "echo '{\\"run_list\\": [\\"role[web]\\"]}' > /etc/chef/first-boot.json\\n"
            - "echo 'chef_server_url \\""
            - {Ref: ChefServer}
            - "\\"' > /etc/chef/client.rb\\n"
            - "curl -L "
            - {Ref: ChefServer}
            - "/install.sh | sh\\n"
            - "chef-client -j /etc/chef/first-boot.json\\n"
            - "curl -X POST -d '{\\"Status\\": \\"SUCCESS\\", \\"Reason\\": \\"done\\", "
            - "\\"UniqueId\\": \\"web\\", \\"Data\\": \\"chef has run\\"}' '"
            - {Ref: Handle}
            - "'\\n"
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait:
    Type: AWS::CloudFormation::WaitCondition
    DependsOn: WebServer
    Properties: {Handle: {Ref: Handle}, Timeout: '600'}
Outputs:
  Told: {Value: {'Fn::GetAtt': [Wait, Data]}}
  Address: {Value: {'Fn::GetAtt': [WebServer, PrivateIp]}}
"""
INSTALL = """#!/bin/sh
# Stands for Chef's own: the client that it installs tells what it was given.
cat >/usr/bin/chef-client <<'END'
#!/bin/sh
cat /etc/chef/client.rb "$2" >/etc/chef/ran
END
chmod 755 /usr/bin/chef-client
"""


def test_the_chef_example_of_the_decks_runs_its_script(mia: Tenant, image: str, tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text(INSTALL)
    address = publish(mia, "install.sh", tmp_path / "install.sh").removesuffix("/install.sh")
    stack = Stack(
        mia,
        "chef",
        CHEF,
        KeyName="key",
        InstanceType=mia.cloud.flavor(),
        ImageId=image,
        SubnetId=mia.subnet,
        ChefServer=address,
    )
    stack.becomes("CREATE_COMPLETE")
    assert json.loads(stack.outputs()["Told"]) == {"web": "chef has run"}
    [found] = mia.get("/compute/v2.1/servers")["servers"]
    ran = mia.ssh(mia.floating_ip(found["id"])[1], "cat /etc/chef/ran")
    assert ran == f'chef_server_url "{address}"\n{{"run_list": ["role[web]"]}}'
    mia.client.call("DELETE", stack.path)
    stack.becomes("DELETE_COMPLETE")


PREPARE = """#!/bin/bash
set -eu
curl -sf AGENTS | tar -xz -C /usr/local
base=/usr/libexec/os-refresh-config templates=/usr/libexec/os-apply-config/templates
mkdir -p $base/{pre-configure,configure,post-configure,migration}.d $templates/etc $templates/var/lib/beds
cat >$base/configure.d/20-os-apply-config <<'END'
#!/bin/sh
exec os-apply-config
END
cat >$base/configure.d/55-deployments <<'END'
#!/usr/bin/python3
import json, os, subprocess, urllib.request
done = "/var/lib/beds/done"
known = open(done).read().split() if os.path.exists(done) else []
for one in json.load(open("/var/lib/beds/deployments")):
    if one["id"] in known:
        continue
    inputs = {each["name"]: each["value"] for each in one["inputs"]}
    given = {**os.environ, **{name: str(value) for name, value in inputs.items()}}
    ran = subprocess.run(["sh", "-c", one["config"]], capture_output=True, text=True, env=given)
    told = {"deploy_stdout": ran.stdout, "deploy_stderr": ran.stderr, "deploy_status_code": ran.returncode}
    if "deploy_signal_id" in inputs:
        headers = {"Content-Type": "application/json"}
        data = json.dumps(told).encode()
        asked = urllib.request.Request(inputs["deploy_signal_id"], data, headers, method=inputs["deploy_signal_verb"])
        urllib.request.urlopen(asked).read()
    with open(done, "a") as file:
        print(one["id"], file=file)
END
chmod 755 $base/configure.d/*
printf '{{deployments}}' >$templates/var/lib/beds/deployments
cat >$templates/etc/os-collect-config.conf <<'END'
[DEFAULT]
command = os-refresh-config
polling_interval = POLL
{{#os-collect-config}}
{{#collectors}}
collectors = {{.}}
{{/collectors}}
{{#heat}}
[heat]
user_id = {{user_id}}
password = {{password}}
auth_url = {{auth_url}}
project_id = {{project_id}}
stack_id = {{stack_id}}
resource_name = {{resource_name}}
region_name = {{region_name}}
{{/heat}}
{{#cfn}}
[cfn]
metadata_url = {{metadata_url}}
access_key_id = {{access_key_id}}
secret_access_key = {{secret_access_key}}
stack_name = {{stack_name}}
path = {{path}}
{{/cfn}}
{{/os-collect-config}}
END
printf '[DEFAULT]\ncommand = os-refresh-config\n' >/etc/os-collect-config.conf
systemd-run --unit=os-collect-config --property=Restart=always --setenv=LC_ALL=C os-collect-config --debug
"""


def agents(folder: Path) -> Path:
    """The programs of the guest, as they were installed from PyPI, in the folders of Debian's Python."""
    programs = install("guest-agents-14.1.0", AGENTS)
    [packages] = (programs.parent / "lib").glob("python3.*/site-packages")
    assert packages.parent.name == "python3.11", "the guest is Debian 12"
    file = folder / "agents.tgz"

    def wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if re.search(r"packages/(pip|boto|setuptools)(/|$)", member.name) else member

    with tarfile.open(file, "w:gz", compresslevel=1) as archive:
        archive.add(packages, "lib/python3.11/dist-packages", filter=wanted)
        for name in ("os-collect-config", "os-apply-config", "os-refresh-config", "dib-run-parts"):
            text = (programs / name).read_text()
            text = re.sub(r"^#!.*python\S*", "#!/usr/bin/python3", text)
            member = tarfile.TarInfo(f"bin/{name}")
            member.mode, member.size = 0o755, len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return file


def test_a_guest_applies_what_is_deployed_within_one_poll(mia: Tenant, tmp_path: Path) -> None:
    address = publish(mia, "agents.tgz", agents(tmp_path))
    user_data = PREPARE.replace("AGENTS", address).replace("POLL", str(POLL_SECONDS))
    image, kind = upload(mia), flavor(mia, "plain")

    def template(transport: str, words: str) -> dict[str, Any]:
        done = f"echo {words} $deploy_action >>/var/lib/beds/applied; echo did {words}"
        config = f"#!/bin/sh\nmkdir -p /var/lib/beds; {done}"
        machine = server(image=image, flavor=kind, user_data=user_data, user_data_format="SOFTWARE_CONFIG")
        machine["properties"]["software_config_transport"] = transport
        actions = ["CREATE", "UPDATE", "SUSPEND", "RESUME", "DELETE"]
        deployment = {
            "config": {"get_resource": "config"},
            "server": {"get_resource": "server"},
            "actions": actions,
        }
        parts = {
            "server": machine,
            "config": {"type": "OS::Heat::SoftwareConfig", "properties": {"group": "script", "config": config}},
            "deployment": {"type": "OS::Heat::SoftwareDeployment", "properties": deployment},
        }
        said = {"said": {"value": {"get_attr": ["deployment", "deploy_stdout"]}}}
        return {"heat_template_version": "2021-04-16", "resources": parts, "outputs": said}

    mia.login = "debian"
    stack = Stack(mia, "beds", template("POLL_SERVER_HEAT", "dug"))
    stack.becomes("CREATE_COMPLETE", BOOT_SECONDS)
    assert stack.outputs()["said"] == "did dug\n"
    [found] = mia.get("/compute/v2.1/servers")["servers"]
    floating = mia.floating_ip(found["id"])[1]
    for transport, words in (
        ("POLL_SERVER_HEAT", "watered"),
        ("POLL_SERVER_CFN", "weeded"),
        ("POLL_SERVER_CFN", "mown"),
    ):
        polled = polls(mia, floating)
        stack.update(template(transport, words))
        stack.becomes("UPDATE_COMPLETE", STACK_SECONDS)
        assert stack.outputs()["said"] == f"did {words}\n"
        # One that was under way when the update came, and the next.
        assert polls(mia, floating) - polled <= 2
    collectors = mia.ssh(floating, "sudo cat /etc/os-collect-config.conf")
    assert "collectors = cfn" in collectors and "collectors = heat" not in collectors
    for action in ("suspend", "resume"):
        mia.client.call("POST", f"{stack.path}/actions", {action: None})
        stack.becomes(f"{action.upper()}_COMPLETE", STACK_SECONDS)
    applied = mia.ssh(floating, "sudo cat /var/lib/beds/applied").splitlines()
    assert applied == ["dug CREATE", "watered UPDATE", "weeded UPDATE", "mown UPDATE", "mown SUSPEND", "mown RESUME"]
    # Which waits until the guest has told what it did.
    mia.client.call("DELETE", stack.path)
    stack.becomes("DELETE_COMPLETE")


def polls(mia: Tenant, address: str) -> int:
    """How often the guest has collected so far: its log says of each when it sleeps again."""
    return int(mia.ssh(address, "sudo journalctl -u os-collect-config | grep -c 'Sleeping' || true"))
