"""The schema: made at the first start, upgraded from every landed one, refused when it is another's."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import column, insert, select, table, text

from tane.app import SERVICES
from tane.db import Database, Tx, metadata
from tane.db.migrate import FIRST, HEAD, MIGRATIONS, OtherSchema, config, migrate
from tane.jobs import Order, enqueue
from tane.jobs.tables import job, job_history
from tane.services.volume.tables import volume_attachment, volume_snapshot
from tests.conftest import NewDatabase

LANDED = {
    "0001_identity.py": "3ed848b951469af95c2302630e113752e08ab30e151858fbb6bd624ebec167f1",
    "0002_image.py": "58b49531b55baf661930185d68ec4063859a5df34f99fc36c6735b2f4aad50ad",
    "0003_network.py": "d016f38290a787e9cbb4133924787f78b4a1058c101b996d123ddc6046512e77",
    "0004_volume.py": "3a6a173e2f7a6cff1ed4e457a00eda8960e5692e8aa7f0156587e899db68ccb4",
    "0005_compute.py": "f7dde2995f0816a4f0bef55fa7d4ce31820469a2f4a53dd2dc5c1393ba6d0780",
    "0006_jobs.py": "11a1855d635ea900e302d9e9eef83013743294b20bb07ebbb8c5b57044c3385c",
    "0007_allocations.py": "87255a00cc06ad823d192e933f838fd28137321b92f149f01c9cf00851796475",
    "0008_network_hosts.py": "b40ee3f082610f2912d1d9e88665da34dcbc7ef9ac021c5219f472769e440a8f",
    "0009_volume_transfers.py": "e89188133e9bd22697e7abc06731d582bc8652a5464315a3a78ef46c9d6f583f",
    "0010_volume_groups.py": "33bc28b0e555f093b92fa5184d2b80c926a87bf9cf9c3d672668e79d268c509e",
    "0011_events.py": "4d93d3214066d61c9277bd502d300646d89003a51e1239a2a457d70d6b7748c5",
    "0012_snapshot_images.py": "34e11de90d91dda998637556c97f7202e9b69f1271bc9312e1337d3296e52d0f",
    "0013_joining.py": "e804ee4f6970e6c44ea7f02eb5211357f08ac9df5967d4e7c8c964a02ff15b20",
    "0014_server_password.py": "40f8b0b3bc1111ad92c772f6b7885dfa967ec3f411373dcb41aa3420b66b251f",
    "0015_moves.py": "25a28d78ef5a27a0eb9451980f5325ea2c192c5fd1b3484f58f4f90d4e2be89c",
    "0016_orchestration.py": "9136852b6be4ea955a8db6a7e4c353c53f730c1dbd4eff0b3348ee4dc4d8fdf8",
    "0017_distributed_routers.py": "65165f37d596f868539f6d41080a92e8190e3e181f2ec8c14c397b9c08fdc8bd",
    "0018_telemetry.py": "1510b7b8ffe6439260e4da515261f0ffea05fc69276d569ccd5de641f264ec97",
    "0019_dashboard.py": "40e272fe0437fdb35ea39a3eb96e1365cb04be786fc013181d6b794de099e4db",
    "0020_stacks_of_authors.py": "f6dae30c4e05bc89ca5576c56f5b0c39268188ff367ee158d089ee397464c493",
    "0021_live_migration.py": "4eb10e580ce757992192a2162eb8936f9a70ab6c4af7c64ab0cd0ab1b9ae24ef",
    "0022_rating.py": "4d3e374be304e246246cc757a2a5af1d54d609a78616a8df5139ac6df80f4ff2",
    "0023_volume_backups.py": "4391493b7ad2e3b8059f2c6f9050f0941d4b849b8cc49a255462d0d23ac0d7c7",
    "0024_leases.py": "a77b99412625f2fcbd2dfe4e8f9065368ae22dfde87aca4ce557e461249af125",
    "0025_stack_snapshots.py": "3fbe6eb0f3486c05100dc7a05d8435a27319fe3866ff0408cef138b03d9a3078",
    "0026_console_rights.py": "4e223d46437f9f2358b490e537b174b34aae06f4165a4169255493179a0fbcce",
    "0027_replaced_members.py": "16d1fb36ffe3435643f050f7e9045a3464b4fe1f867b8392a236bfb4715c8e18",
    "0028_providers.py": "cbcfbffa48584ff02f78d98f435a8de0103258e996287cfa069d9338231ad5da",
    "0029_jobs_of_projects.py": "3737ea798efd93fa699a2fed9d74550d22191c6a9247091f6db6a82d2d12df94",
    "0030_allocation_totals.py": "0a42559061644ca18d93fe68e588012db3d58f2642863c40b501dc62e4fbe11e",
    "0031_jobs_ordered_by.py": "89ce499e37f03a61dc177c220b06bd5b8433d8ab1bf2f40accf6be6651b0539c",
}
"""Databases were made by these: who wants other tables writes another migration, and adds it here when it landed."""


def test_landed_migrations_are_never_edited() -> None:
    versions = MIGRATIONS / "versions"
    assert {name: hashlib.sha256((versions / name).read_bytes()).hexdigest() for name in LANDED} == LANDED


def test_the_newest_migration_is_the_one_written_down() -> None:
    assert ScriptDirectory.from_config(config()).get_current_head() == HEAD


def test_the_migrations_lead_to_the_tables_the_services_declare(new_database: NewDatabase, tmp_path: Path) -> None:
    database = Database(new_database(tmp_path, empty=True))
    assert migrate(database)
    assert not migrate(database)
    _fits(database)
    database.close()


def test_a_database_of_an_older_release_is_upgraded_and_keeps_what_it_holds(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    database = Database(new_database(tmp_path, empty=True))
    settings = config()
    with database.write() as tx:
        settings.attributes["connection"] = tx.connection
        command.upgrade(settings, FIRST)
        tx.execute(
            text("INSERT INTO quota (project_id, service, resource, hard_limit) VALUES ('p', 'compute', 'cores', 7)")
        )
    migrate(database)
    _fits(database)
    with database.read() as tx:
        assert tx.scalar(text("SELECT hard_limit FROM quota WHERE project_id = 'p'")) == 7
    database.close()


class Nothing(msgspec.Struct):
    """An order's parameters."""


def test_jobs_of_an_older_release_go_on_at_their_step_by_its_name(new_database: NewDatabase, tmp_path: Path) -> None:
    database = Database(new_database(tmp_path, empty=True))
    settings = config()
    names = ("operation", "resource", "params", "data", "state", "active", "step", "attempt", "run_after", "deadline")
    names += ("epoch", "cancel_requested", "created_at", "finished_at")
    old = table("job", *(column(name) for name in names))
    with database.write() as tx:
        settings.attributes["connection"] = tx.connection
        command.upgrade(settings, FIRST)
        rest = {
            "resource": "server:1",
            "params": "{}",
            "data": "{}",
            "attempt": 0,
            "epoch": 0,
            "cancel_requested": False,
        }
        rest |= dict.fromkeys(("run_after", "deadline", "created_at", "finished_at"), tx.now)
        for operation, state, active, step in (
            ("compute.create_server", "running", True, 2),
            ("volume.create_volume", "unwinding", True, 1),
            ("compute.stop_server", "unwinding", True, -1),
            ("compute.delete_server", "done", False, 3),
        ):
            values = {"operation": operation, "state": state, "active": active, "step": step}
            tx.execute(insert(old).values(**values, **rest))
    migrate(database)
    with database.read() as tx:
        queue = tx.all(select(job.c.operation, job.c.step, job.c.begun).order_by(job.c.id))
        assert [tuple(row) for row in queue] == [
            ("compute.create_server", "ports", ["place", "volumes", "ports"]),
            ("volume.create_volume", "make", ["choose host", "make"]),
            ("compute.stop_server", "", []),
        ]
        assert [(row.id, row.operation) for row in tx.all(select(job_history))] == [(4, "compute.delete_server")]
    with database.write() as tx:
        assert enqueue(tx, Order("test.new", Nothing), Nothing(), resource="thing:1") == 5
    database.close()


def test_volumes_on_their_way_to_a_server_are_reserved_and_snapshots_keep_what_was_theirs(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    database = Database(new_database(tmp_path, empty=True))
    settings = config()

    def add(tx: Tx, into: str, /, **values: Any) -> None:
        tx.execute(insert(table(into, *(column(key) for key in values))).values(values))

    with database.write() as tx:
        settings.attributes["connection"] = tx.connection
        command.upgrade(settings, "0011")
        made = {"created_at": tx.now}
        add(tx, "volume_type", id="t", name="t", is_public=True, extra_specs="{}", **made)
        volume = {"user_id": "u", "name": "", "size": 1, "bootable": False, "multiattach": False, **made}
        volume |= {"volume_type_id": "t", "availability_zone": "nova", "meta": "{}", "image_meta": '{"os": "x"}'}
        for name, status, owner in (("a", "attaching", "p"), ("b", "in-use", "p"), ("c", "attaching", "q")):
            add(tx, "volume", id=name, status=status, project_id=owner, **volume)
        add(tx, "server", id="s", project_id="p", host_name="h", **_server(tx))
        device = {"server_id": "s", "position": 0, "device": "/dev/vdb", "delete_on_termination": False, **made}
        for name in "abc":
            add(tx, "block_device", attachment_id=f"at-{name}", volume_id=name, made_for_server=False, **device)
        mine = {"user_id": "u", "group_id": "g", "group_type_id": "k", "name": "", "status": "available", **made}
        add(tx, "volume_group_snapshot", id="gs", project_id="p", **mine)
        taken = {"user_id": "u", "volume_id": "a", "volume_type_id": "t", "name": "", "size": 1, "meta": "{}", **made}
        for name, owner in (("own", "p"), ("others", "q")):
            more = {"project_id": owner, "group_snapshot_id": "gs", "status": "available"}
            add(tx, "volume_snapshot", id=name, **more, **taken)
    migrate(database)
    with database.read() as tx:
        [row] = tx.all(select(volume_attachment))
        assert (row.id, row.volume_id, row.server_id, row.status) == ("at-a", "a", "s", "attaching")
        assert (row.project_id, row.host_name, row.connector) == ("p", "h", {"host": "before"})
        kept = {row.id: (row.image_meta, row.group_snapshot_id) for row in tx.all(select(volume_snapshot))}
        assert kept == {"own": ({"os": "x"}, "gs"), "others": ({}, None)}
    database.close()


def _server(tx: Tx) -> dict[str, Any]:
    """What a row of a server must have besides."""
    texts = ("user_id", "name", "hostname", "description", "flavor_id", "image_ref", "vm_state", "access_ip_v4")
    texts += ("access_ip_v6", "disk_config", "root_device_name", "reservation_id")
    numbers = ("number", "vcpus", "ram_mb", "disk_gb", "power_state", "launch_index", "progress")
    found: dict[str, Any] = dict.fromkeys(texts, "")
    found |= dict.fromkeys(numbers, 1) | dict.fromkeys(("config_drive", "deleted"), False)
    return (
        found
        | dict.fromkeys(("flavor", "image_properties", "metadata"), "{}")
        | {"created_at": tx.now, "updated_at": tx.now}
    )


def test_what_hosts_had_applied_is_what_was_wanted(new_database: NewDatabase, tmp_path: Path) -> None:
    """Hosts have revisions of their own, and no change of before is kept."""
    database = Database(new_database(tmp_path, empty=True))
    settings = config()
    with database.write() as tx:
        settings.attributes["connection"] = tx.connection
        command.upgrade(settings, FIRST)
        tx.execute(text("INSERT INTO network_revision (id, number) VALUES (1, 12)"))
        columns = "(host_id, revision, summary, applied_at)"
        tx.execute(text(f"INSERT INTO network_host {columns} VALUES ('h', 11, 'done', '2026-01-01 00:00:00')"))
    migrate(database)
    with database.read() as tx:
        row = tx.first(text("SELECT wanted, revision, summary FROM network_host"))
        assert row is not None and tuple(row) == (11, 11, "done")
        assert tuple(tx.all(text("SELECT number, forgotten FROM network_revision"))[0]) == (12, 12)
    database.close()


def test_what_records_events_does_not_stand_in_the_way_of_a_migration(
    new_database: NewDatabase, tmp_path: Path
) -> None:
    url = new_database(tmp_path)
    events = [recorded for service in SERVICES for recorded in service.events]
    running = Database(url)
    running.record(events)
    running.close()
    next_release = Database(url)
    with next_release.write() as tx:
        next_release.engines.stop_recording(tx.connection)
        tx.execute(text("ALTER TABLE volume_qos_specs ADD COLUMN more VARCHAR(8)"))
        tx.execute(text("ALTER TABLE volume_qos_specs DROP COLUMN consumer"))
    without = [one for one in events if one.table.name != "volume_qos_specs"]
    next_release.record(without)
    with next_release.write() as tx:
        tx.execute(text("INSERT INTO region (id, description, extra, created_at) VALUES ('r', '', '{}', '2026-01-01')"))
    with next_release.read() as tx:
        assert tx.scalar(text("SELECT type FROM event WHERE resource_id = 'r'")) == "identity.region"
    next_release.close()


@pytest.mark.parametrize("revision", ["0004", "9999"])
def test_a_database_that_cannot_be_upgraded_is_refused_with_a_sentence(
    new_database: NewDatabase, tmp_path: Path, revision: str
) -> None:
    database = Database(new_database(tmp_path, empty=True))
    migrate(database)
    with database.write() as tx:
        tx.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    with pytest.raises(OtherSchema, match=f"schema {revision}, this one has"):
        migrate(database)
    database.close()


def _fits(database: Database) -> None:
    with database.read() as tx:
        assert compare_metadata(MigrationContext.configure(tx.connection), metadata) == []
