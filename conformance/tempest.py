"""Tempest, OpenStack's own integration suite: installed, configured from what the cloud offers, run."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

from conformance import report
from conformance.cloud import Cloud, Provisions, provision

VERSION = "47.0.0"
PACKAGES = (f"tempest=={VERSION}", "python-subunit", "junitxml")
LISTS = Path(__file__).parent / "lists"
TEST_ID = re.compile(r"id-([0-9a-f-]{36})")


@dataclass(frozen=True)
class Selection:
    """Which tests, and how many at once. Without list and regex: all of Tempest's own."""

    listing: str | None
    regex: str | None
    concurrency: int


def run(cloud: Cloud, selection: Selection, folder: Path) -> list[report.Result]:
    """Run the selected tests in ``folder``; one result for each of them, also of those this Tempest does not have."""
    programs = install()
    workspace = prepare(programs, folder)
    provisions = provision(cloud, folder)
    with (workspace / "etc" / "tempest.conf").open("w") as file:
        settings(cloud, provisions, workspace).write(file)
    chosen, absent = choose(_all_tests(programs, workspace), selection)
    if not chosen:
        sys.exit("conformance: no test is selected")
    (folder / "tests.txt").write_text("\n".join(chosen) + "\n")
    print(f"conformance: {len(chosen)} tests of Tempest {VERSION}; log in {folder / 'run.log'}", flush=True)
    command = [str(programs / "stestr"), "run", "--load-list", str(folder / "tests.txt")]
    with (folder / "run.log").open("wb") as log:
        # Its return code tells no more than the results do.
        command += ["--concurrency", str(selection.concurrency)]
        subprocess.run(command, cwd=workspace, env=_environment(workspace), stdout=log, stderr=log, check=False)
    results = report.from_junit(_junit(programs, workspace, folder))
    missing = [report.Result(name, "failed", f"not in Tempest {VERSION}") for name in absent]
    return report.complete(results, chosen) + missing


def install() -> Path:
    """Install Tempest into a virtual environment of its own, once; returns its folder of programs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tane" / f"tempest-{VERSION}"
    programs = cache / "bin"
    if not (programs / "tempest").exists():
        print(f"conformance: installing {', '.join(PACKAGES)} into {cache}", flush=True)
        venv.create(cache, with_pip=True)
        command = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, *PACKAGES], check=True)
    return programs


def prepare(programs: Path, folder: Path) -> Path:
    """A folder for one run, as ``tempest init`` would make it but without an entry in the user's list of them."""
    workspace = folder / "workspace"
    for name in ("etc", "logs", "locks"):
        (workspace / name).mkdir(parents=True)
    ask = "import os, tempest; print(os.path.dirname(tempest.__file__))"
    package = subprocess.run([str(programs / "python"), "-c", ask], capture_output=True, text=True, check=True)
    top = package.stdout.strip()
    # Tests of a class share what its set-up made: they stay together.
    lines = ("[DEFAULT]", f"test_path={top}/test_discover", f"top_dir={top}", r"group_regex=([^\.]*\.)*")
    (workspace / ".stestr.conf").write_text("\n".join(lines) + "\n")
    subprocess.run([str(programs / "stestr"), "init"], cwd=workspace, check=True)
    return workspace


def _environment(workspace: Path) -> dict[str, str]:
    return {**os.environ, "TEMPEST_CONFIG_DIR": str(workspace / "etc")}


def choose(tests: list[str], selection: Selection) -> tuple[list[str], list[str]]:
    """The tests of the selection among ``tests``, and the names of the list that are not among them.

    A listed test is found by its name, or by its id when it was renamed.
    """
    absent: list[str] = []
    chosen = tests
    if selection.listing is not None:
        chosen, absent = _listed(tests, _listing(selection.listing))
    if selection.regex is not None:
        wanted = re.compile(selection.regex)
        chosen, absent = [t for t in chosen if wanted.search(t)], [t for t in absent if wanted.search(t)]
    return chosen, absent


def _listing(name: str) -> list[str]:
    file = LISTS / f"{name}.txt"
    lines = (file if file.exists() else Path(name)).read_text().splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _listed(tests: list[str], listing: list[str]) -> tuple[list[str], list[str]]:
    by_name = {test.split("[")[0]: test for test in tests}
    by_id = {found[1]: test for test in tests if (found := TEST_ID.search(test))}
    chosen: dict[str, None] = {}
    absent = []
    for entry in listing:
        identified = TEST_ID.search(entry)
        test = by_name.get(entry.split("[")[0]) or (by_id.get(identified[1]) if identified else None)
        if test is None:
            absent.append(entry)
        else:
            chosen[test] = None
    return list(chosen), absent


def settings(cloud: Cloud, provisions: Provisions, workspace: Path) -> configparser.RawConfigParser:
    """``tempest.conf``. What is switched off here stands as not yet done in the README of its service."""
    rules = cloud.state.config()
    values: dict[str, dict[str, object]] = {
        "DEFAULT": {"log_dir": workspace / "logs", "log_file": "tempest.log", "debug": True},
        "auth": {
            "admin_username": "admin",
            "admin_password": cloud.state.admin_password(),
            "admin_project_name": "admin",
            "admin_domain_name": "Default",
            "use_dynamic_credentials": True,
        },
        "identity": {
            "uri_v3": f"{cloud.url}/identity/v3",
            "region": rules.region,
            "auth_version": "v3",
            "user_unique_last_password_count": rules.unique_last_password_count,
            "user_lockout_failure_attempts": rules.lockout_failure_attempts,
            "user_lockout_duration": rules.lockout_duration,
            "user_minimum_password_age": rules.minimum_password_age,
        },
        "identity-feature-enabled": {
            "trust": True,
            "application_credentials": True,
            "access_rules": True,
            "security_compliance": bool(rules.unique_last_password_count and rules.lockout_failure_attempts),
        },
        "service_available": {
            "cinder": True,
            "glance": True,
            "horizon": False,
            "neutron": True,
            "nova": True,
            "swift": False,
        },
        "image": {
            "catalog_type": "image",
            "http_image": f"{cloud.web}/disk.raw" if cloud.web else "",
            "http_qcow2_image": f"{cloud.web}/disk.qcow2",
            # The list tests upload noise as the first six pairs: an ova's content is not looked into.
            "container_formats": "ova,bare,ami,ari,aki,ovf",
            "disk_formats": "raw,qcow2,vmdk,vdi,vhd,vhdx,iso,ami,ari,aki,ploop",
        },
        "image-feature-enabled": {
            "import_image": True,
            "os_glance_reserved": True,
            "manage_locations": bool(cloud.web),
            "http_store_enabled": bool(cloud.web),
            # Content is enforced, but where the list tests need it nothing is claimed of it (see above).
            "image_format_enforcement": False,
        },
        "network": {
            "public_network_id": provisions.public_network,
            "floating_network_name": "public",
            "project_networks_reachable": False,
        },
        "network-feature-enabled": {
            "api_extensions": ",".join(provisions.network_extensions),
            "ipv6_subnet_attributes": True,
            "port_security": "port-security" in provisions.network_extensions,
        },
        "compute": {
            "image_ref": provisions.images[0],
            "image_ref_alt": provisions.images[1],
            "flavor_ref": provisions.flavors[0],
            "flavor_ref_alt": provisions.flavors[1],
            "min_microversion": "2.1",
            "max_microversion": "2.96",
            "min_compute_nodes": 1,
        },
        # See the README of compute: 501, or absent.
        "compute-feature-enabled": {
            "attach_encrypted_volume": False,
            "cold_migration": False,
            "live_migration": False,
            "rescue": False,
            "resize": False,
            "shelve": False,
            "change_password": False,
            "vnc_console": not cloud.simulated and cloud.state.config().novnc_dir.exists(),
            "console_output": not cloud.simulated,
        },
        "validation": {"run_validation": not cloud.simulated, "image_ssh_user": "root", "image_alt_ssh_user": "root"},
        "volume": {
            "catalog_type": "volumev3",
            "min_microversion": "3.0",
            "max_microversion": "3.60",
            "vendor_name": "Tane",
            "storage_protocol": "nbd",
        },
        "volume-feature-enabled": {
            # Tempest skips its test of the list when none is named: "all" makes it ask.
            "api_extensions": ",".join(provisions.volume_extensions) or "all",
            "backup": False,
            "extend_attached_volume": False,
            "manage_volume": False,
            "enable_volume_image_dep_tests": True,
        },
        "scenario": {"img_file": provisions.image_file, "img_disk_format": "raw" if cloud.simulated else "qcow2"},
        "oslo_concurrency": {"lock_path": workspace / "locks"},
    }
    parser = configparser.RawConfigParser()
    parser.read_dict({section: {key: str(value) for key, value in pairs.items()} for section, pairs in values.items()})
    return parser


def _all_tests(programs: Path, workspace: Path) -> list[str]:
    command = [str(programs / "stestr"), "list"]
    done = subprocess.run(
        command, cwd=workspace, env=_environment(workspace), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"conformance: {' '.join(command)} failed: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    return [line.strip() for line in done.stdout.splitlines() if line.startswith("tempest.")]


def _junit(programs: Path, workspace: Path, folder: Path) -> Path:
    """Keep the last run's subunit stream and turn it into JUnit XML."""
    with (folder / "results.subunit").open("wb") as stream:
        subprocess.run([str(programs / "stestr"), "last", "--subunit"], cwd=workspace, stdout=stream, check=False)
    file = folder / "results.xml"
    with (folder / "results.subunit").open("rb") as stream, file.open("wb") as xml:
        subprocess.run([str(programs / "subunit2junitxml")], stdin=stream, stdout=xml, check=False)
    return file
