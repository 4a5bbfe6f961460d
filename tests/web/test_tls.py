"""The APIs by TLS: what clients are given to trust, and that it is enough."""

from __future__ import annotations

import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from cryptography import x509

from tane.cli.common import State
from tane.config import ConfigError, load
from tane.doctor.host import certificate
from tane.doctor.machine import Machine
from tane.web import certificates, tls
from tests.ports import free_port


def settings(folder: Path, text: str) -> None:
    (folder / "tane.toml").write_text(text)


def shown_names(folder: Path) -> set[str]:
    found = x509.load_pem_x509_certificate((folder / "tls" / "server.pem").read_bytes())
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        ("", "http"),
        ('host = "127.0.0.2"', "http"),
        ('host = "0.0.0.0"', "https"),
        ('host = "::"', "https"),
        ('host = "192.0.2.7"', "https"),
        ('host = "192.0.2.7"\ntls = "off"', "http"),
        ('tls = "auto"', "https"),
        ('tls_certificate = "/c.pem"\ntls_key = "/k.pem"', "https"),
    ],
)
def test_only_who_asks_for_it_speaks_to_the_network_in_the_clear(tmp_path: Path, text: str, scheme: str) -> None:
    settings(tmp_path, text)
    config = load(tmp_path)
    assert config.url.startswith(f"{scheme}://")
    assert (tls.files(config) is None) == (scheme == "http")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('tls_key = "/k.pem"', "go together"),
        ('tls = "files"', "needs tls_certificate"),
        ('tls = "off"\ntls_certificate = "/c.pem"\ntls_key = "/k.pem"', "makes no use"),
        ('tls = "yes"', "Invalid enum value"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(tmp_path: Path, text: str, reason: str) -> None:
    settings(tmp_path, text)
    with pytest.raises(ConfigError, match=reason):
        load(tmp_path)


def test_a_cloud_on_all_addresses_is_told_by_one_that_others_can_use(tmp_path: Path) -> None:
    settings(tmp_path, 'host = "0.0.0.0"\nserver_names = ["cloud.example.org"]')
    config = load(tmp_path)
    assert "0.0.0.0" not in config.url
    tls.prepare(config)
    host = config.url.removeprefix("https://").rsplit(":", 1)[0]
    assert {host, "127.0.0.1", "localhost", "cloud.example.org"} <= shown_names(tmp_path)


def test_the_authority_stays_and_the_certificate_follows_the_names(tmp_path: Path) -> None:
    settings(tmp_path, 'tls = "auto"')
    shown = tls.prepare(load(tmp_path))
    assert shown is not None
    assert shown.ca is not None
    first = shown.certificate.read_bytes()
    authority = certificates.fingerprint(shown.ca)
    tls.prepare(load(tmp_path))
    assert shown.certificate.read_bytes() == first, "nothing changed, nothing is made"
    settings(tmp_path, 'tls = "auto"\npublic_url = "https://cloud.example.org"')
    tls.prepare(load(tmp_path))
    assert "cloud.example.org" in shown_names(tmp_path)
    assert certificates.fingerprint(shown.ca) == authority, "clients need no other file"
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "tls").iterdir()} == {0}


def test_a_certificate_that_ends_soon_is_told_and_renewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings(tmp_path, 'tls = "auto"')
    config = load(tmp_path)
    with monkeypatch.context() as earlier:
        earlier.setattr(certificates, "SERVER_DAYS", 5)
        shown = tls.prepare(config)
    assert shown is not None
    [finding] = certificate(Machine(), config)
    assert "ends in 4 days" in finding.what
    tls.prepare(config)
    assert certificates.days_left(shown.certificate) > 300
    assert list(certificate(Machine(), config)) == []


def test_files_that_do_not_belong_together_are_told_at_the_start(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        settings(tmp_path / name, 'tls = "auto"')
        tls.prepare(load(tmp_path / name))
    pair = f'tls_certificate = "{tmp_path}/one/tls/ca.pem"\ntls_key = "{tmp_path}/other/tls/server.pem"'
    settings(tmp_path, pair)
    with pytest.raises(ConfigError, match=r"cannot be used \(.*one/tls/ca.pem"):
        tls.prepare(load(tmp_path))


@pytest.mark.parametrize("whose", ["auto", "files"])
def test_clients_that_trust_the_authority_reach_every_api(tmp_path: Path, whose: str) -> None:
    state = tmp_path / "state"
    state.mkdir()
    text = 'tls = "auto"'
    if whose == "files":
        own = tmp_path / "own"
        own.mkdir()
        settings(own, 'tls = "auto"')
        tls.prepare(load(own))
        pem, ca = own / "tls" / "server.pem", own / "tls" / "ca.pem"
        text = f'tls_certificate = "{pem}"\ntls_key = "{pem}"\ntls_ca = "{ca}"'
    settings(state, text)
    command = [sys.executable, "-m", "tane.cli"]
    where = ["--state", str(state)]
    started = [*command, "up", *where, "--mode", "simulated", "--port", str(free_port())]
    done = subprocess.run(started, capture_output=True, text=True, check=True)
    try:
        files = State.of(state)
        shown = tls.files(files.config())
        assert shown is not None
        assert shown.ca is not None
        assert certificates.fingerprint(shown.ca) in done.stdout
        admin = files.admin()
        content = bytes(range(256)) * 8192
        (tmp_path / "disk").write_bytes(content)
        body = {"name": "disk", "disk_format": "raw", "container_format": "bare"}
        image = admin.call("POST", "/image/v2/images", body)["id"]
        admin.upload(f"/image/v2/images/{image}/file", tmp_path / "disk")
        ask = [*command, "openstack", *where, "image", "save", "--file", str(tmp_path / "copy"), image]
        subprocess.run(ask, capture_output=True, check=True)
        assert (tmp_path / "copy").read_bytes() == content, "by the standard client, with what openrc says"
        url = files.config().url
        with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
            urllib.request.urlopen(f"{url}/identity/v3")
        trusting = ssl.create_default_context(cafile=shown.ca)
        with urllib.request.urlopen(f"{url}/identity/v3", context=trusting) as answer:
            assert f'"{url}/identity/v3/"'.encode() in answer.read()
    finally:
        subprocess.run([*command, "down", *where], capture_output=True, check=True)
