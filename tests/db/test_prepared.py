"""Single rows by statements that are built once: they find and change what a statement of their own would."""

from __future__ import annotations

from pathlib import Path

from tane.db import Database
from tane.db.migrate import migrate
from tane.services.compute.tables import keypair
from tane.services.network.tables import network_host
from tests.conftest import NewDatabase


def test_a_row_is_added_found_and_changed_by_its_columns(new_database: NewDatabase, tmp_path: Path) -> None:
    database = Database(new_database(tmp_path, empty=True))
    migrate(database)
    values = {"revision": 0, "summary": "", "applied_at": None}
    with database.write() as tx:
        for host_id in ("a", "b"):
            tx.insert(network_host, host_id=host_id, wanted=3, **values)
        assert tx.update(network_host, {"host_id": "a"}, wanted=network_host.c.wanted + 1, summary="more") == 1
        assert tx.update(network_host, {"host_id": "c"}, wanted=9) == 0
        assert tx.update(network_host, {"applied_at": None, "wanted": 3}, summary="never") == 1
    with database.read() as tx:
        found = tx.row(network_host, host_id="a")
        assert found is not None
        assert (found.wanted, found.summary) == (4, "more")
        assert [row.host_id for row in tx.rows(network_host, wanted=3)] == ["b"]
        assert {row.host_id for row in tx.rows(network_host, applied_at=None)} == {"a", "b"}
        assert tx.row(network_host, host_id="c") is None
    database.close()


def test_a_column_may_be_named_as_what_finds_another(new_database: NewDatabase, tmp_path: Path) -> None:
    database = Database(new_database(tmp_path, empty=True))
    migrate(database)
    with database.write() as tx:
        more = {"fingerprint": "f", "public_key": "k", "type": "ssh", "created_at": tx.now}
        tx.insert(keypair, user_id="mia", name="laptop", **more)
        assert tx.update(keypair, {"name": "laptop"}, name="desk") == 1
        assert tx.row(keypair, name="desk", user_id="mia") is not None
    database.close()
