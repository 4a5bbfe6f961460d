"""The doctor finds what the mission's users ran into, and says the command that mends it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlalchemy.event import listen

from tane import ids
from tane.agent.compute.drivers.qemu.settings import guests_folder
from tane.cli.doctor import doctor
from tane.config import Config, load
from tane.core import Core
from tane.db import Database, Tx
from tane.doctor import CLOUD_CHECKS, Finding, Machine, host
from tane.held import Held
from tane.hosts import store as host_store
from tane.jobs import enqueue
from tane.jobs.tables import job
from tane.server import external_cidr, host_settings
from tane.services.compute.checks import of_no_server
from tane.services.compute.held import HOLDS as COMPUTE_HOLDS
from tane.services.compute.orders import DELETE_SERVER, ServerParams
from tane.services.identity import interface as identity
from tane.services.image.checks import without_data
from tane.services.image.domain import stores
from tane.services.image.store import locations
from tane.services.network import checks as network_checks
from tests.api.compute_support import make_image, project
from tests.api.object_support import account, lose_rows
from tests.support import HOST_ID, ApiCloud


class Told(Machine):
    """A machine that is as the test tells."""

    def __init__(self, **facts: object) -> None:
        self.files: dict[str, str] = facts.get("files", {})  # type: ignore[assignment]
        self.programs: set[str] | None = facts.get("programs")  # type: ignore[assignment]
        self.outputs: dict[str, str] = facts.get("outputs", {})  # type: ignore[assignment]
        self.processes: set[str] = facts.get("processes", set())  # type: ignore[assignment]
        self.modes: dict[str, int] = facts.get("modes", {})  # type: ignore[assignment]
        self.free = facts.get("free", 1 << 40)
        self.variables: dict[str, str] = facts.get("variables", {})  # type: ignore[assignment]

    def read(self, path: str) -> str | None:
        return self.files.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files

    def mode(self, path: str) -> int | None:
        return self.modes.get(path)

    def which(self, program: str) -> str | None:
        return program if self.programs is None or program in self.programs else None

    def run(self, *command: str, seconds: float = 10.0) -> tuple[int, str]:
        return (0, self.outputs[command[0]]) if command[0] in self.outputs else (127, "")

    def free_bytes(self, path: str) -> int:
        return int(self.free)  # type: ignore[call-overload, no-any-return]

    def is_root(self) -> bool:
        return False

    def environment(self, name: str) -> str:
        return self.variables.get(name, "")

    def process_names(self) -> set[str]:
        return self.processes


def one(check: host.HostCheck, machine: Machine, config: Config) -> Finding:
    [finding] = list(check(machine, config))
    return finding


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(state_dir=tmp_path)


def test_forwarding_switched_off(config: Config) -> None:
    machine = Told(files={"/proc/sys/net/ipv4/ip_forward": "0"})
    assert one(host.forwarding, machine, config).mend == "sudo sysctl -w net.ipv4.ip_forward=1"
    assert not list(host.forwarding(Told(files={"/proc/sys/net/ipv4/ip_forward": "1"}), config))


def test_consoles_need_novnc(config: Config) -> None:
    finding = one(host.console_page, Told(), config)
    assert finding.level == "warning" and finding.mend.endswith("install --no-install-recommends novnc")
    assert not list(host.console_page(Told(files={"/usr/share/novnc/vnc_lite.html": ""}), config))


def test_iscsi_daemons_in_conflict(config: Config) -> None:
    assert one(host.iscsi, Told(processes={"tgtd", "ietd"}), config).level == "problem"
    assert one(host.iscsi, Told(processes={"tgtd"}), config).level == "note"
    assert not list(host.iscsi(Told(), config))


def test_apparmor_denials(config: Config) -> None:
    line = 'audit: apparmor="DENIED" operation="open" profile="libvirt" name="/vol" comm="qemu-system-x86"'
    assert "AppArmor denied QEMU" in one(host.apparmor, Told(outputs={"dmesg": line}), config).what
    assert not list(host.apparmor(Told(outputs={"dmesg": "all quiet"}), config))


def test_a_proxy_that_would_swallow_the_clouds_own_calls(config: Config) -> None:
    variables = {"http_proxy": "http://proxy.example:3128", "no_proxy": "localhost"}
    assert "127.0.0.1" in one(host.proxy, Told(variables=variables), config).mend
    assert not list(host.proxy(Told(variables={**variables, "no_proxy": "127.0.0.1"}), config))


def test_a_full_disk(config: Config) -> None:
    assert one(host.disk, Told(free=100 << 20), config).level == "problem"
    assert one(host.disk, Told(free=5 << 30), config).level == "warning"
    assert not list(host.disk(Told(), config))


def test_a_missing_program_names_its_package(config: Config) -> None:
    programs = set(host.CLOUD) - {"dnsmasq"}
    finding = one(host.programs, Told(programs=programs), config)
    assert "dnsmasq" in finding.what
    assert finding.mend == "sudo apt-get install dnsmasq-base"


def test_an_external_network_that_meets_the_machines_own(tmp_path: Path) -> None:
    config = Config(state_dir=tmp_path, external_cidr="192.0.2.0/24")
    machine = Told(outputs={"ip": "2: eth0    inet 192.0.2.7/25 brd 192.0.2.127 scope global eth0"})
    assert "overlaps with 192.0.2.0/25 of interface eth0" in one(host.addresses, machine, config).what
    chosen = external_cidr(Config(state_dir=tmp_path), ids.of(tmp_path).cloud_id)
    machine = Told(outputs={"ip": f"2: tx-other-1    inet {chosen} scope global tx-other-1"})
    assert not list(host.addresses(machine, Config(state_dir=tmp_path))), "a cloud chooses a range that is free"


def test_a_clock_that_is_not_synchronised(config: Config) -> None:
    assert "set-ntp" in one(host.clock, Told(outputs={"timedatectl": "no\n"}), config).mend


@pytest.mark.guest
def test_the_accelerator_is_tried_not_assumed(config: Config) -> None:
    [finding] = list(host.accelerated(Machine(), config))
    assert finding.what.startswith(("Guests run on KVM", "Guests run under emulation"))


def test_a_cloud_without_a_way_out_is_told(cloud: ApiCloud) -> None:
    def told() -> list[str]:
        with cloud.core.db.read() as tx:
            return [finding.what for finding in network_checks.without_way_out(tx)]

    assert told() == []
    with cloud.core.db.write() as tx:
        host_store.change(tx, HOST_ID, roles=["compute"])
    assert told() == ["No host has the role network."]


def test_a_subnet_without_dns_server_is_told(cloud: ApiCloud) -> None:
    admin = cloud.admin
    network = admin.post("/network/v2.0/networks", {"network": {"name": "net"}}, 201).json()["network"]["id"]
    body = {"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24", "name": "silent"}
    admin.post("/network/v2.0/subnets", {"subnet": body}, 201)
    with cloud.core.db.read() as tx:
        found = [finding for check in CLOUD_CHECKS for finding in check(tx)]
    assert [finding.what for finding in found] == ["Subnet silent (10.0.0.0/24) has no DNS server."]


def test_what_is_left_of_deleted_projects_is_told(cloud: ApiCloud) -> None:
    garden = project(cloud)
    garden.server()
    admin = cloud.admin
    admin.delete(f"/identity/v3/projects/{garden.user.project_id}")
    with cloud.core.db.read() as tx:
        found = [finding for check in CLOUD_CHECKS for finding in check(tx)]
    told = {one.what: one.mend for one in found if "deleted" in one.what}
    assert garden.user.project_id in told["1 server(s) are of projects that were deleted."]
    assert garden.user.project_id in told["1 network(s) are of projects that were deleted."]


def test_thousands_of_projects_are_looked_for_in_few_queries(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    mine = cloud.new_user("mia", "garden").project_id
    with cloud.core.db.read() as tx:
        listen(tx.connection, "before_cursor_execute", lambda *given: asked.append(given[2]))
        counted = dict.fromkeys([mine, *(f"{number:032x}" for number in range(2500))], 1)
        monkeypatch.setattr(Held, "by_project", lambda self, tx: counted)
        [told] = identity.of_nobody(tx, COMPUTE_HOLDS)
    assert told.what.startswith("2500 server(s)") and mine not in told.mend and len(asked) == 3


def test_a_healthy_cloud_has_no_findings(new_core: Callable[[], Core]) -> None:
    with new_core().db.read() as tx:
        assert [finding for check in CLOUD_CHECKS for finding in check(tx)] == []


def test_a_state_folder_that_others_may_enter_is_a_problem(config: Config) -> None:
    [found] = host.open_files(Told(modes={str(config.state_dir): 0o755}), config)
    assert (found.level, found.mend) == ("problem", f"chmod 700 {config.state_dir}")
    assert list(host.open_files(Told(modes={str(config.state_dir): 0o700}), config)) == []


def test_late_jobs_and_hosts_that_owe_are_told(new_core: Callable[[], Core]) -> None:
    core = new_core()
    with core.db.write() as tx:
        for resource in ("server:1", "server:2"):
            enqueue(tx, DELETE_SERVER, ServerParams(resource[-1]), resource=resource)
        late, owed = tx.all(select(job).order_by(job.c.id))
        tx.execute(update(job).where(job.c.id == late.id).values(deadline=tx.now - timedelta(hours=1)))
        tx.execute(update(job).where(job.c.id == owed.id).values(host_away="h1"))
    with core.db.read() as tx:
        found = [finding.what for check in CLOUD_CHECKS for finding in check(tx)]
    assert found == [
        "Job 1 (compute.delete_server of server:1) is past its deadline, at attempt 0.",
        "Host h1 is away and owes steps of operations that went on without it.",
    ]


STRANGER = "0b5d1c6e-3f1f-4d0a-8b1c-5d8a2f9c7e01"


@pytest.fixture
def told(
    cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[], tuple[object, str]]:
    """What ``./tane doctor`` ends with and says of the cloud, looking at nothing of the machine; a second store of
    images lies in the folder ``second``."""
    monkeypatch.setattr("tane.doctor.HOST_CHECKS", ())
    folder = cloud.core.config.state_dir
    settings = f"database_url = {json.dumps(cloud.core.config.database)}\n"
    (folder / "tane.toml").write_text(f"{settings}[image.stores.second]\npath = {json.dumps(str(folder / 'second'))}\n")

    def run() -> tuple[object, str]:
        with pytest.raises(SystemExit) as ended:
            doctor(folder)
        return ended.value.code, capsys.readouterr().out

    return run


def guest_folder(cloud: ApiCloud, guest_id: str) -> Path:
    """Where the host of this machine has a guest."""
    settings = host_settings(cloud.core.config.state_dir, cloud.core.config, "simulated")
    return guests_folder(settings.state_dir) / guest_id


def image_file(cloud: ApiCloud, image_id: str, store: str) -> Path:
    with cloud.core.db.read() as tx:
        [place] = [place for place in locations.of_image(tx, image_id) if place.store == store]
    path = stores.in_folders(load(cloud.core.config.state_dir))[store].local_path(place.url)
    assert path is not None
    return path


@contextmanager
def view(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch, *meanwhile: Callable[[], object]) -> Iterator[Database]:
    """A doctor's own view of the cloud's database: as soon as the first one has begun, the next thing happens."""
    database, ahead = Database(cloud.core.config.database), list(meanwhile)
    real = database.read

    @contextmanager
    def read() -> Iterator[Tx]:
        with real() as tx:
            tx.scalar(select(job.c.id))
            if ahead:
                ahead.pop(0)()
            yield tx

    monkeypatch.setattr(database, "read", read)
    try:
        yield database
        assert ahead == []
    finally:
        database.close()


def test_guests_that_are_newer_than_the_database_are_told(
    cloud: ApiCloud, told: Callable[[], tuple[object, str]]
) -> None:
    garden = project(cloud)
    known = garden.server()
    ids.of(cloud.core.config.state_dir / "elsewhere")
    shutil.copy(cloud.core.config.state_dir / "elsewhere" / ids.FILE, cloud.core.config.state_dir)
    guest_folder(cloud, known).mkdir(parents=True)
    assert "no server" not in told()[1]
    others = [f"{STRANGER[:-2]}{number}" for number in range(10, 22)]
    for stranger in others:
        guest_folder(cloud, stranger).mkdir()
    _, said = told()
    assert f"12 guest(s) on this machine are of no server that the database knows: {others[0]}" in said
    assert known not in said and "and 2 more" in said


def test_a_server_made_while_the_doctor_looks_is_no_stranger(
    cloud: ApiCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden = project(cloud)

    def made() -> None:
        (tmp_path / "guests" / garden.server()).mkdir(parents=True)

    with view(cloud, monkeypatch, made) as database:
        assert list(of_no_server(database, tmp_path / "guests")) == []


@pytest.mark.parametrize("action", [None, "deactivate"])
def test_images_whose_data_are_gone_are_told(
    cloud: ApiCloud, told: Callable[[], tuple[object, str]], action: str | None
) -> None:
    image_id = make_image(cloud.admin)
    if action:
        cloud.admin.post(f"/image/v2/images/{image_id}/actions/{action}", None, 204)
    before, said = told()
    assert before != 2 and "are missing" not in said
    image_file(cloud, image_id, "local").unlink()
    code, said = told()
    assert code == 2 and f"The data of 1 image(s) are missing (store local): {image_id}." in said


def test_an_image_that_another_store_has_can_be_downloaded(
    cloud: ApiCloud, told: Callable[[], tuple[object, str]]
) -> None:
    image_id = make_image(cloud.admin)
    file = image_file(cloud, image_id, "local")
    second = stores.in_folders(load(cloud.core.config.state_dir))["second"]
    second.put(file, file.name)
    with cloud.core.db.write() as tx:
        locations.add(tx, image_id, "second", second.url_of(file.name), {})
    assert "are missing" not in told()[1]
    file.unlink()
    code, said = told()
    assert code == 1 and f"missing from one of their stores: {image_id} (local)." in said
    image_file(cloud, image_id, "second").unlink()
    code, said = told()
    assert code == 2 and f"The data of 1 image(s) are missing (store local, second): {image_id}." in said


def test_an_image_deleted_while_the_doctor_looks_is_not_lost(cloud: ApiCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    image_id = make_image(cloud.admin)
    with view(cloud, monkeypatch, lambda: cloud.admin.delete(f"/image/v2/images/{image_id}")) as database:
        assert list(without_data(database, cloud.core.config)) == []


def test_objects_whose_rows_are_gone_are_told(cloud: ApiCloud, told: Callable[[], tuple[object, str]]) -> None:
    mine = account(cloud)
    mine.container()
    mine.put("/c/o", b"b" * 50_000)
    assert "object storage" not in told()[1]
    lose_rows(cloud.core)
    code, said = told()
    assert code == 2 and f"The rows of object storage are gone, and {cloud.core.config.state_dir / 'objects'}" in said
    mine.get("/c/o", 503)
    (cloud.core.config.state_dir / "objects.db").touch()
    assert "The rows of object storage are gone" in told()[1], "an empty file has none"


def test_rules_of_the_site_that_this_cloud_does_not_have_are_told(
    cloud: ApiCloud, told: Callable[[], tuple[object, str]]
) -> None:
    file = cloud.core.config.state_dir / "policy.yaml"
    file.write_text("os_compute_api:servers:strat: role:admin\nos_compute_api:servers:start: role:admin\n")
    found = told()[1]
    assert "names rules that this cloud does not have: os_compute_api:servers:strat." in found
    file.write_text("os_compute_api:servers:start: nobody\n")
    code, found = told()
    assert code == 2 and "cannot be read as a check" in found
