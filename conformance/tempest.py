"""Tempest, OpenStack's own integration suite: installed, configured from what the cloud offers, run."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from conformance import disk_images, packages, report
from conformance.cloud import (
    FLAVORS,
    Cloud,
    Provisions,
    provision,
    register_image_limits,
    share_network,
    stack_user,
)
from tane.app import SERVICES

VERSION = "47.0.0"
PACKAGES = (f"tempest=={VERSION}", "python-subunit", "junitxml")
ORCHESTRATION, TELEMETRY = "heat_tempest_plugin", "telemetry_tempest_plugin"
PLUGINS = {ORCHESTRATION: "3.0.0", TELEMETRY: "2.11.0"}
"""Suites of their own; one is installed only where one of its tests is asked for."""
LISTS = Path(__file__).parent / "lists"
NOT_APPLYING = LISTS / "telemetry-not-applying.txt"
ATTRIBUTES = re.compile(r"\[[^\]]*\]")
"""What a test is marked with; a sample that it is run with may stand behind it."""
DEFAULT_DOMAIN = (("name", "Default"), ("id", "default"))
TEST_ID = re.compile(r"id-([0-9a-f-]{36})")


@dataclass(frozen=True)
class Selection:
    """Which tests, and how many at once. Without list and regex: all of Tempest's own."""

    listing: str | None
    regex: str | None
    concurrency: int


@dataclass(frozen=True)
class Group:
    """Tests that share a cloud and a ``tempest.conf``.

    ``image_settings`` are the cloud's. ``bad_content``: whether its tests upload noise that claims a format, so that
    Tempest must be told that formats are not enforced. ``limited``: whether limits of images must be registered.
    ``shared``: whether there must be a network of all projects. ``stacks``: whether they are those of orchestration,
    which want a user, a project and a shared network by their names. ``plugin``: the suite that they are of.
    """

    name: str
    tests: re.Pattern[str]
    image_settings: str = ""
    bad_content: bool = True
    limited: bool = False
    shared: bool = False
    stacks: bool = False
    plugin: str = ""


GROUPS = (
    Group(
        "formats",
        re.compile("ImagesFormatTest|do_secure_hash_false"),
        'do_secure_hash = false\nconversion_format = "raw"',
        bad_content=False,
    ),
    Group("limits", re.compile("ImageQuotaTest"), limited=True),
    Group("shared", re.compile(r"compute\.admin\.test_networks\."), shared=True),
    Group("orchestration", re.compile(rf"^{ORCHESTRATION}\."), stacks=True, plugin=ORCHESTRATION),
    Group("telemetry", re.compile(rf"^{TELEMETRY}\."), plugin=TELEMETRY),
    Group("main", re.compile("")),
)
"""A test belongs to the first group that it matches: no one cloud can fulfil what all of them ask for."""


def run(
    clouds: Cloud | Callable[[str], AbstractContextManager[Cloud]], selection: Selection, folder: Path
) -> list[report.Result]:
    """Run the selected tests in ``folder``; one result for each of them, also of those this Tempest does not have.

    ``clouds``: a running cloud, or what makes one with more settings of images for each group of tests.
    """
    programs = install(selection)
    samples = disk_images.make(folder / "disk-images")
    chosen, absent = choose(_all_tests(programs, prepare(programs, folder / "listing"), samples), selection)
    if not chosen:
        sys.exit("conformance: no test is selected")
    results = []
    for group in GROUPS:
        mine = [test for test in chosen if group is _group_of(test)]
        if isinstance(clouds, Cloud) and group is GROUPS[-1]:
            results += Session(group, programs, folder, samples).judge(clouds, chosen, selection.concurrency)
        elif not isinstance(clouds, Cloud) and mine:
            with clouds(group.image_settings) as cloud:
                session = Session(group, programs, folder / group.name, samples)
                results += session.judge(cloud, mine, selection.concurrency)
    results = applying(results, report.known(NOT_APPLYING.read_text()))
    return results + [report.Result(name, "failed", f"not in Tempest {VERSION}") for name in absent]


def applying(results: Sequence[report.Result], causes: Mapping[str, str]) -> list[report.Result]:
    """What fails though it does not apply to this cloud is skipped, with its cause; what passes has passed."""
    return [
        replace(one, outcome="skipped", reason=f"does not apply: {causes[name]}")
        if one.outcome == "failed" and (name := ATTRIBUTES.sub("", one.name)) in causes
        else one
        for one in results
    ]


def install(selection: Selection) -> Path:
    """Tempest, with the suites that the selection speaks of; returns the folder of programs."""
    asked = selection.regex or ""
    if selection.listing is not None:
        asked += "\n".join(_listing(selection.listing))
    plugins = {name: version for name, version in PLUGINS.items() if name in asked}
    folder = "-".join([f"tempest-{VERSION}", *(f"{name.split('_')[0]}-{version}" for name, version in plugins.items())])
    wanted = (f"{name.replace('_', '-')}=={version}" for name, version in plugins.items())
    return packages.install(folder, (*PACKAGES, *wanted))


def _group_of(test: str) -> Group:
    return next(group for group in GROUPS if group.tests.search(test))


@dataclass(frozen=True)
class Session:
    """One group's run in a folder of its own."""

    group: Group
    programs: Path
    folder: Path
    samples: Path | None

    def judge(self, cloud: Cloud, tests: list[str], concurrency: int) -> list[report.Result]:
        """Run ``tests`` against ``cloud``; one result for each."""
        workspace = prepare(self.programs, self.folder)
        provisions = provision(cloud, self.folder)
        if self.group.limited:
            register_image_limits(cloud)
        conf = settings(cloud, provisions, workspace)
        if self.group.shared:
            conf["compute"]["fixed_network_name"] = share_network(cloud)
        if self.group.stacks:
            conf.read_dict({"heat_plugin": orchestration(cloud, provisions)})
            conf["service_available"]["heat_plugin"] = "True"
        if self.group.plugin == TELEMETRY:
            conf["service_available"].update(dict.fromkeys(("aodh", "gnocchi", "ceilometer"), "True"))
            conf["service_available"]["sg_core"] = "False"
        conf["image-feature-enabled"]["image_format_enforcement"] = str(not self.group.bad_content)
        if self.samples is not None:
            conf["image"]["images_manifest_file"] = str(self.samples)
        with (workspace / "etc" / "tempest.conf").open("w") as file:
            conf.write(file)
        tests = as_named(tests, _list(self.programs, workspace))
        listed = self.folder / "tests.txt"
        listed.write_text("\n".join(tests) + "\n")
        log = self.folder / "run.log"
        print(f"conformance: {len(tests)} tests of Tempest {VERSION}; log in {log}", flush=True)
        command = [str(self.programs / "stestr"), "run", "--load-list", str(listed), "--concurrency", str(concurrency)]
        with log.open("wb") as output:
            # Its return code tells no more than the results do.
            subprocess.run(
                command, cwd=workspace, env=_environment(workspace), stdout=output, stderr=output, check=False
            )
        return report.complete(report.from_junit(_junit(self.programs, workspace, self.folder)), tests)


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
    named = selection.listing is not None or selection.regex is not None
    chosen = tests if named else [test for test in tests if test.startswith("tempest.")]
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


def _network_extensions(offered: list[str]) -> str:
    """Tempest knows tags by the name that they had before they were of every resource."""
    return ",".join([*offered, *(["tag"] if "standard-attr-tag" in offered else [])])


def settings(cloud: Cloud, provisions: Provisions, workspace: Path) -> configparser.RawConfigParser:
    """``tempest.conf``. What is switched off here stands as not yet done in the README of its service."""
    rules = cloud.state.config()
    hosts = len(cloud.admin.call("GET", "/hosts")["hosts"])
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
            "swift": any(service.name == "object" for service in SERVICES),
        },
        "image": {
            "catalog_type": "image",
            "http_image": f"{cloud.web}/disk.raw" if cloud.web else "",
            "http_qcow2_image": f"{cloud.web}/disk.qcow2",
            # The list tests upload noise as the first six pairs: an ova's content is not looked into.
            "image_caching_enabled": bool(rules.image.image_cache_dir),
            "container_formats": "ova,bare,ami,ari,aki,ovf",
            "disk_formats": "raw,qcow2,vmdk,vdi,vhd,vhdx,iso,ami,ari,aki,ploop",
        },
        "image-feature-enabled": {
            "import_image": True,
            "os_glance_reserved": True,
            "manage_locations": bool(cloud.web),
            "http_store_enabled": bool(cloud.web),
            "do_secure_hash": rules.image.do_secure_hash,
            "image_conversion": bool(rules.image.conversion_format),
            "store_weight_enabled": any(store.weight for store in rules.image.stores.values()),
        },
        "network": {
            "public_network_id": provisions.public_network,
            "floating_network_name": "public",
            "project_networks_reachable": False,
        },
        "network-feature-enabled": {
            "api_extensions": _network_extensions(provisions.network_extensions),
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
            "min_compute_nodes": hosts,
        },
        # See the README of compute: 501, or absent.
        "compute-feature-enabled": {
            "attach_encrypted_volume": False,
            "cold_migration": hosts > 1,
            "live_migration": False,
            "resize": True,
            "change_password": False,
            "vnc_console": not cloud.simulated and cloud.state.config().novnc_dir.exists(),
            "console_output": not cloud.simulated,
        },
        "validation": {
            "run_validation": not cloud.simulated,
            "image_ssh_user": "root",
            "image_alt_ssh_user": "root",
            # Scenarios log in whatever is said above; where no guest will ever answer they need not wait for it.
            **(dict.fromkeys(("connect_timeout", "ssh_timeout", "ping_timeout"), 1) if cloud.simulated else {}),
        },
        "volume": {
            "catalog_type": "volumev3",
            "min_microversion": "3.0",
            "max_microversion": "3.71",
            "vendor_name": "Tane",
            "storage_protocol": "nbd",
        },
        "volume-feature-enabled": {
            # Tempest skips its test of the list when none is named: "all" makes it ask.
            "api_extensions": ",".join(provisions.volume_extensions) or "all",
            "backup": True,
            "extend_attached_volume": False,
            "manage_volume": False,
            "enable_volume_image_dep_tests": True,
        },
        # Whoever is an administrator of the cloud is the reseller; container sync is refused.
        "object-storage": {"operator_role": "member", "reseller_admin_role": "admin"},
        "object-storage-feature-enabled": {
            "discoverability": True,
            "discoverable_apis": ",".join(provisions.object_features),
            "container_sync": "container_sync" in provisions.object_features,
        },
        "scenario": {"img_file": provisions.image_file, "img_disk_format": "raw" if cloud.simulated else "qcow2"},
        "oslo_concurrency": {"lock_path": workspace / "locks"},
    }
    parser = configparser.RawConfigParser()
    parser.read_dict({section: {key: str(value) for key, value in pairs.items()} for section, pairs in values.items()})
    return parser


def orchestration(cloud: Cloud, provisions: Provisions) -> dict[str, str]:
    """The section ``[heat_plugin]``, for a user and a network that are made for it."""
    user, network = stack_user(cloud), share_network(cloud)
    admin = cloud.state.admin_password()
    return {
        "auth_url": f"{cloud.url}/identity/v3",
        "auth_version": "3",
        "region": cloud.state.config().region,
        "username": user.name,
        "password": user.password,
        "project_name": user.name,
        "admin_username": "admin",
        "admin_password": admin,
        "admin_project_name": "admin",
        **{f"{what}_domain_{form}": value for what in ("user", "project") for form, value in DEFAULT_DOMAIN},
        "instance_type": FLAVORS[1][0],
        "minimal_instance_type": FLAVORS[0][0],
        "image_ref": provisions.images[0],
        "minimal_image_ref": provisions.images[0],
        "fixed_network_name": network,
        "network_for_ssh": network,
        "fixed_subnet_name": network,
        "build_interval": "1",
        "build_timeout": "120" if cloud.simulated else "600",
        "hidden_stack_tag": "data-processing-cluster",
    }


def _all_tests(programs: Path, workspace: Path, samples: Path | None) -> list[str]:
    """Every test by name; those of disk images once for each sample."""
    conf = configparser.RawConfigParser()
    conf.read_dict({"image": {"images_manifest_file": str(samples)} if samples else {}})
    with (workspace / "etc" / "tempest.conf").open("w") as file:
        conf.write(file)
    return _list(programs, workspace)


def as_named(tests: list[str], listed: list[str]) -> list[str]:
    """``tests`` under the names that the settings give: some are marked slow only where guests are logged in to."""
    now = {ATTRIBUTES.sub("", test): test for test in listed}
    return [now.get(ATTRIBUTES.sub("", test), test) for test in tests]


def _list(programs: Path, workspace: Path) -> list[str]:
    """Every test by name, as the workspace's settings have it."""
    command = [str(programs / "stestr"), "list"]
    done = subprocess.run(
        command, cwd=workspace, env=_environment(workspace), capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"conformance: {' '.join(command)} failed: {done.stderr[-2000:]}{done.stdout[-2000:]}")
    suites = ("tempest.", *(f"{name}." for name in PLUGINS))
    return [line.strip() for line in done.stdout.splitlines() if line.startswith(suites)]


def _junit(programs: Path, workspace: Path, folder: Path) -> Path:
    """Keep the last run's subunit stream and turn it into JUnit XML."""
    with (folder / "results.subunit").open("wb") as stream:
        subprocess.run([str(programs / "stestr"), "last", "--subunit"], cwd=workspace, stdout=stream, check=False)
    file = folder / "results.xml"
    with (folder / "results.subunit").open("rb") as stream, file.open("wb") as xml:
        subprocess.run([str(programs / "subunit2junitxml")], stdin=stream, stdout=xml, check=False)
    return file
