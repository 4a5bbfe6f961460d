"""Stacks with real guests: they signal what waits for them, run what a template hands them, and do what is deployed."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tane.cli.common import cache_folder
from tane.guest.build import build
from tests.e2e.real import RealCloud, Tenant, wait_for

pytestmark = [pytest.mark.root, pytest.mark.guest, pytest.mark.nightly]

OUTSIDE, CIDR = "172.29.77.1", "172.29.77.0/24"
"""Where the world behind the routers is; the API is there, too, at the cloud's port."""
POLL_SECONDS = 5
STACK_SECONDS = 600


class Cloud(RealCloud):
    """A real cloud that guests reach by their routers."""

    @property
    def environment(self) -> dict[str, str]:
        return {"TANE_PUBLIC_URL": f"http://{OUTSIDE}:{self.port}", "TANE_EXTERNAL_CIDR": CIDR}


@pytest.fixture(scope="module")
def mia(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    cloud = Cloud(tmp_path_factory.mktemp("cloud"))
    cloud.up()
    path = str(cloud.folder / "api")
    within = ["ip", "netns", "exec", cloud.outside]
    relay = [sys.executable, str(Path(__file__).parents[1] / "relay.py")]
    web = [sys.executable, "-m", "http.server", "--bind", OUTSIDE, "80", "--directory", str(cloud.folder / "web")]
    (cloud.folder / "web").mkdir()
    running = [
        subprocess.Popen([*relay, path, f"127.0.0.1:{cloud.port}"]),
        subprocess.Popen([*within, *relay, f"{OUTSIDE}:{cloud.port}", path]),
        subprocess.Popen([*within, *web]),
    ]
    yield cloud.tenant("mia")
    for one in running:
        one.kill()
        one.wait()
    cloud.tane("down", "--purge")


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
            - "curl -X PUT -d '{\\"Status\\": \\"SUCCESS\\", \\"Reason\\": \\"done\\", "
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


def test_the_chef_example_of_the_decks_runs_its_script(mia: Tenant, image: str) -> None:
    (mia.cloud.folder / "web" / "install.sh").write_text(INSTALL)
    template = CHEF.replace("  ChefServer: {Type: String}", "  ChefServer: {Type: String}\n  SubnetId: {Type: String}")
    # The small guest's curl knows no PUT; an address for signals takes both.
    stack = Stack(
        mia,
        "chef",
        template.replace("curl -X PUT", "curl -X POST"),
        KeyName="key",
        InstanceType=mia.cloud.flavor(),
        ImageId=image,
        ChefServer=f"http://{OUTSIDE}",
        SubnetId=mia.subnet,
    )
    stack.becomes("CREATE_COMPLETE")
    assert json.loads(stack.outputs()["Told"]) == {"web": "chef has run"}
    [found] = mia.get("/compute/v2.1/servers")["servers"]
    address = mia.floating_ip(found["id"])[1]
    ran = mia.ssh(address, "cat /etc/chef/ran")
    assert ran == f'chef_server_url "http://{OUTSIDE}"\n{{"run_list": ["role[web]"]}}'
    mia.client.call("DELETE", stack.path)
    stack.becomes("DELETE_COMPLETE")
