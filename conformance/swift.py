"""``conformance/run swift``: Swift's own functional suites, of both APIs, against a cloud of our own.

Their tests come with the source distribution of Swift; nothing of them is changed. Users, projects and roles are those
that its sample of a configuration describes, in Keystone's words.
"""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import tarfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from conformance import report
from conformance.cloud import Cloud
from conformance.packages import install

VERSION = "2.38.3"
PACKAGES = (
    f"swift=={VERSION}",
    "python-swiftclient==4.11.0",
    "python-keystoneclient==6.0.0",
    "boto==2.49.0",
    "boto3==1.44.8",
    "awscrt==0.38.1",
    "pytest==9.2.0",
    "pytest-timeout==2.4.0",
)
SUITES = ("test/functional", "test/s3api")
"""Each runs in a process of its own: the first one replaces the sockets of Python's library."""
S3_HOST = "localhost"
"""What S3 is asked at; everything else is asked at 127.0.0.1."""
OBJECT_SETTINGS = f's3_domain = "{S3_HOST}"'
KNOWN = Path(__file__).parent / "lists" / "swift-known.txt"
SECONDS = 300
"""No test of theirs takes longer unless it hangs."""
PLACE = re.compile(r"^\S+\.py:\d+: (?:Skipped$)?")
"""Where in the file a test was skipped."""
PASSWORD = "testing"
DOMAIN = "test-domain"


@dataclass(frozen=True)
class Person:
    """One of the suite's users: a name, a project (its "account"), the domain of both, and the role there."""

    name: str
    account: str
    role: str
    domain: str = "default"


FUNCTIONAL = (
    Person("tester", "test", "member"),
    Person("tester2", "test2", "member"),
    Person("tester3", "test", "guest"),
    Person("tester4", "test4", "member", DOMAIN),
    Person("tester5", "test5", "service"),
    Person("tester6", "test6", "ResellerAdmin"),
)
"""``guest`` is a role that no rule names: its bearer is of the project and may do nothing there."""
SECOND_OWNER = Person("tester7", "test", "member")
"""Of the first one's project, as the suite's tests of S3 want it."""
DIRECT = (
    Person("s3-tester", "s3-test", "member"),
    Person("s3-tester2", "s3-test2", "member"),
    Person("s3-tester3", "s3-test3", "reader"),
)
"""Of the suite that knows S3 alone. Whose a bucket is follows from the project, so each has one."""


def run(cloud: Cloud, folder: Path, regex: str | None = None) -> list[report.Result]:
    """Run the tests whose name matches, the suites at the same time; one result for each, also of those that told
    nothing."""
    programs = install(f"swift-{VERSION}", PACKAGES)
    source = _source(programs)
    conf = folder / "test.conf"
    with conf.open("w") as file:
        settings(cloud, *_people(cloud)).write(file)
    _move_endpoints(cloud)
    environment = {**os.environ, "SWIFT_TEST_CONFIG_FILE": str(conf), "SWIFT_TEST_QUIET_BOTO_LOGS": "1"}
    chosen = _chosen(programs, source, environment, regex)
    running = []
    for suite in SUITES:
        mine = [test for test in chosen if test.startswith(f"{suite}/")]
        if mine:
            running.append(_start(programs, source, environment, mine, folder / suite.rpartition("/")[2]))
    told: list[report.Result] = []
    for process, results in running:
        process.wait()
        told += report.from_junit(results) if results.exists() else []
    return report.complete(told, [named(test) for test in chosen])


def _start(
    programs: Path, source: Path, environment: dict[str, str], tests: list[str], folder: Path
) -> tuple[subprocess.Popen[bytes], Path]:
    """pytest, running; what comes out lies in ``folder``, in JUnit's form in the file that is returned."""
    folder.mkdir()
    listing, results = folder / "tests.txt", folder / "results.xml"
    listing.write_text("\n".join(tests) + "\n")
    command = [
        *(str(programs / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=short"),
        *(f"--timeout={SECONDS}", f"--junitxml={results}", f"@{listing}"),
    ]
    with (folder / "run.log").open("wb") as log:
        return subprocess.Popen(command, cwd=source, env=environment, stdout=log, stderr=subprocess.STDOUT), results


def named(test: str) -> str:
    """A test's name with points, as in the results, from pytest's id of it."""
    path, _, inside = test.partition(".py::")
    return f"{path.replace('/', '.')}.{inside.replace('::', '.')}"


def _source(programs: Path) -> Path:
    """The folder in which ``test`` of the source distribution lies; fetched from PyPI once."""
    folder = programs.parent / "source"
    if not folder.exists():
        pip = [str(programs / "python"), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        into = programs.parent / "download"
        command = [*pip, "--no-deps", "--no-binary", "swift", "--dest", str(into), f"swift=={VERSION}"]
        subprocess.run(command, check=True)
        [archive] = into.glob(f"swift-{VERSION}.tar.gz")
        begun = programs.parent / "source.begun"
        root = f"swift-{VERSION}/"
        with tarfile.open(archive) as packed:
            for member in packed.getmembers():
                if member.name.startswith(f"{root}test/") and (member.isfile() or member.isdir()):
                    member.name = member.name.removeprefix(root)
                    packed.extract(member, begun, filter="data")
        begun.rename(folder)
    return folder


def _chosen(programs: Path, source: Path, environment: dict[str, str], regex: str | None) -> list[str]:
    """pytest's ids of the tests that are asked for."""
    command = [str(programs / "python"), "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *SUITES]
    done = subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)
    tests = [line for line in done.stdout.splitlines() if line.startswith("test/") and "::" in line]
    if done.returncode or not tests:
        raise SystemExit(f"conformance: {' '.join(command)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    chosen = [test for test in tests if regex is None or re.search(regex, named(test))]
    if not chosen:
        raise SystemExit("conformance: no test is selected")
    return chosen


Keys = list[tuple[str, str]]
"""EC2 credentials: (access, secret)."""


def _people(cloud: Cloud) -> tuple[Keys, Keys]:
    """Make everybody; returns the keys of the three whom the one suite knows by S3, and of the other suite's."""
    identity = "/identity/v3"
    call = cloud.admin.call
    domains = {"default": "default"}
    domains[DOMAIN] = call("POST", f"{identity}/domains", {"domain": {"name": DOMAIN}})["domain"]["id"]
    roles = {role["name"]: role["id"] for role in call("GET", f"{identity}/roles")["roles"]}
    projects: dict[str, str] = {}
    keys = {}
    for person in (*FUNCTIONAL, SECOND_OWNER, *DIRECT):
        domain = domains[person.domain]
        if person.role not in roles:
            roles[person.role] = call("POST", f"{identity}/roles", {"role": {"name": person.role}})["role"]["id"]
        if person.account not in projects:
            body = {"project": {"name": person.account, "domain_id": domain}}
            projects[person.account] = call("POST", f"{identity}/projects", body)["project"]["id"]
        project = projects[person.account]
        wanted = {"name": person.name, "password": PASSWORD, "domain_id": domain, "default_project_id": project}
        user = call("POST", f"{identity}/users", {"user": wanted})["user"]["id"]
        call("PUT", f"{identity}/projects/{project}/users/{user}/roles/{roles[person.role]}")
        made = call("POST", f"{identity}/users/{user}/credentials/OS-EC2", {"tenant_id": project})["credential"]
        keys[person] = (made["access"], made["secret"])
    known = (FUNCTIONAL[0], SECOND_OWNER, FUNCTIONAL[2])
    return [keys[person] for person in known], [keys[person] for person in DIRECT]


def _move_endpoints(cloud: Cloud) -> None:
    """Let the catalogue say ``/v1``, where the same accounts are: the suite takes the first part of an account's
    address for the version."""
    [service] = cloud.admin.call("GET", "/identity/v3/services?type=object-store")["services"]
    for endpoint in cloud.admin.call("GET", f"/identity/v3/endpoints?service_id={service['id']}")["endpoints"]:
        body = {"endpoint": {"url": f"{cloud.url}/v1/AUTH_$(project_id)s"}}
        cloud.admin.call("PATCH", f"/identity/v3/endpoints/{endpoint['id']}", body)


def settings(cloud: Cloud, keys: Keys, direct_keys: Keys) -> configparser.RawConfigParser:
    """``test.conf``, with the keys of :func:`_people`."""
    port = cloud.url.rpartition(":")[2].strip("/")
    s3 = f"http://{S3_HOST}:{port}"
    general = {"auth_version": "3", "auth_uri": f"{cloud.url}/identity/v3", "s3_storage_url": s3, "collate": "C"}
    general["s3_region"] = cloud.state.config().region
    for number, person in enumerate(FUNCTIONAL, 1):
        suffix = str(number).removeprefix("1")
        general[f"account{suffix}"] = person.account
        general[f"username{suffix}"] = person.name
        general[f"password{suffix}"] = PASSWORD
        general[f"domain{suffix}"] = "Default" if person.domain == "default" else person.domain
    direct = {"endpoint": s3, "region": general["s3_region"], "s3_acl_tests_enabled": "true"}
    for number, (access, secret) in enumerate(keys, 1):
        suffix = str(number).removeprefix("1")
        general[f"s3_access_key{suffix}"], general[f"s3_secret_key{suffix}"] = access, secret
    for number, (access, secret) in enumerate(direct_keys, 1):
        direct[f"access_key{number}"], direct[f"secret_key{number}"] = access, secret
    parser = configparser.RawConfigParser()
    parser.read_dict({"func_test": general, "s3api_test": direct})
    return parser


def lines(results: Sequence[report.Result], causes: dict[str, str]) -> list[str]:
    """What is told: failures that nobody knew, known ones by cause, what passes though it is on the list, why tests
    were skipped, and the figures last."""
    failed = {result.name: result.reason for result in results if result.outcome == "failed"}
    told = [f"FAILED {name}\n       {reason}" for name, reason in failed.items() if name not in causes]
    by_cause = Counter(causes[name] for name in failed if name in causes)
    told += [f"known, {count}: {cause}" for cause, count in by_cause.most_common()]
    told += [f"PASSES, and is on the list: {name}" for name in surprises(results, causes)]
    skips = (PLACE.sub("", result.reason) for result in results if result.outcome == "skipped")
    why = Counter(reason or "no reason given" for reason in skips)
    told += [f"skipped, {count}: {reason}" for reason, count in why.most_common()]
    return [*told, report.groups(list(results)), report.last_line("swift", list(results))]


def surprises(results: Sequence[report.Result], causes: dict[str, str]) -> list[str]:
    """Tests of the list that pass."""
    return [result.name for result in results if result.outcome == "passed" and result.name in causes]


def good(results: Sequence[report.Result], causes: dict[str, str]) -> bool:
    """Whether all failures are known, and the list says nothing that is no longer so."""
    unknown = any(result.outcome == "failed" and result.name not in causes for result in results)
    return not unknown and not surprises(results, causes)
