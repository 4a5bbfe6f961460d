"""``conformance/run SUITE``: run what strangers wrote against a cloud and print what came out in one line."""

from __future__ import annotations

import argparse
import contextlib
import functools
import signal
import sys
import time
from pathlib import Path

from conformance import (
    gnocchi,
    heat_oracle,
    heat_stacks,
    heat_templates,
    heat_types,
    horizon,
    portal,
    report,
    swift,
    telemetry,
    tempest,
)
from conformance.cloud import own_cloud, running_cloud

RESULTS = Path(__file__).parent.absolute() / "results"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance/run", description=__doc__)
    parser.add_argument(
        "suite",
        choices=("gnocchi", "heat-oracle", "heat-templates", "horizon", "portal", "swift", "telemetry", "tempest"),
    )
    parser.add_argument("--list", help="tempest: name of a list in conformance/lists, or a file of test ids")
    parser.add_argument("--regex", help="tempest, swift: run the tests whose name matches")
    parser.add_argument("--state", type=Path, help="state folder of a running cloud; default: start one, and end it")
    parser.add_argument("--simulated", action="store_true", help="start the cloud with simulated hosts: the API alone")
    parser.add_argument("--hosts", type=int, default=1, help="how many hosts the started cloud has (default 1)")
    parser.add_argument("--concurrency", type=int, default=2, help="tempest: tests at once (default 2)")
    parser.add_argument("--keep", action="store_true", help="leave the started cloud running")
    parser.add_argument("--folder", type=Path, help="heat-templates: a checkout of openstack/heat-templates")
    parser.add_argument("--make", action="store_true", help="heat-templates: make a stack of each, on simulated hosts")
    parser.add_argument("--seed", type=int, default=1, help="heat-oracle: what the cases are drawn from (default 1)")
    parser.add_argument("--count", type=int, default=heat_oracle.COUNT, help="heat-oracle: how many cases")
    parser.add_argument("--pictures", type=Path, help="portal: a folder for pictures of its pages")
    return parser.parse_args()


def main() -> int:
    # Being told to end must not leave a cloud behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    options = arguments()
    folder = RESULTS / f"{options.suite}-{time.strftime('%Y%m%d-%H%M%S')}"
    folder.mkdir(parents=True)
    if options.suite == "heat-oracle":
        return ask_heat(options, folder)
    if options.suite == "gnocchi":
        return ask_gnocchi(folder)
    if options.suite == "telemetry":
        return walk_telemetry(options, folder)
    if options.suite == "swift":
        return ask_swift(options, folder)
    if options.suite == "heat-templates":
        return read_templates(options, folder)
    if options.suite == "portal":
        return look_at_portal(options, folder)
    return walk(options, folder) if options.suite == "horizon" else judge(options, folder)


def ask_gnocchi(folder: Path) -> int:
    """Run Gnocchi's tests of its API against ours; returns 1 when one fails."""
    results = gnocchi.run(folder)
    print("\n".join(gnocchi.lines(results)))
    return 1 if any(outcome == "failed" for _, _, outcome, _ in results) else 0


def ask_swift(options: argparse.Namespace, folder: Path) -> int:
    """Run Swift's own suites against a cloud of their own; returns 1 when something fails that is not on the list."""
    if options.state is not None:
        raise SystemExit("swift moves the catalogue's address of object storage: it takes no --state")
    begun = time.monotonic()
    with own_cloud(object_settings=swift.OBJECT_SETTINGS, simulated=True, keep=options.keep) as cloud:
        results = swift.run(cloud, folder, options.regex)
    (folder / "report.md").write_text(report.markdown("swift", results, time.monotonic() - begun))
    causes = report.known(swift.KNOWN.read_text())
    print("\n".join(swift.lines(results, causes)))
    return 0 if swift.good(results, causes) else 1


def walk_telemetry(options: argparse.Namespace, folder: Path) -> int:
    """Give each command of the clients of metrics and alarms; returns 1 when one fails."""
    with contextlib.ExitStack() as left:
        own = options.state is None
        cloud = left.enter_context(own_cloud(simulated=True, keep=options.keep)) if own else None
        found = telemetry.run(cloud or running_cloud(options.state), folder)
    print("\n".join(telemetry.lines(found)))
    return 1 if any(why for _, why in found) else 0


def ask_heat(options: argparse.Namespace, folder: Path) -> int:
    """Ask Heat's own classes and ours the same; returns 1 when anything differs."""
    differences, count = heat_oracle.run(options.seed, options.count, folder)
    for one in differences:
        print(heat_oracle.line(one))
    told, looked_at = heat_types.compare(heat_oracle.python(), folder)
    types = heat_types.lines(told, looked_at, report.known(heat_types.KNOWN.read_text()))
    print("\n".join(types))
    print(heat_oracle.last_line(differences, count))
    return 1 if differences or len(types) > 1 else 0


def read_templates(options: argparse.Namespace, folder: Path) -> int:
    """Read OpenStack's collection of templates, or make stacks of it; returns 1 when one is refused, or does not go."""
    if options.folder is None or not options.folder.is_dir():
        raise SystemExit("heat-templates needs --folder: git clone https://opendev.org/openstack/heat-templates")
    if options.make:
        with contextlib.ExitStack() as left:
            own = options.state is None
            cloud = left.enter_context(own_cloud(simulated=True, keep=options.keep)) if own else None
            made = heat_stacks.run(cloud or running_cloud(options.state), options.folder, folder)
        print(heat_stacks.last_line(made))
        return 0 if all(one.gone for one in made) else 1
    outcome = heat_templates.run(options.folder)
    print("\n".join(heat_templates.lines(outcome)))
    return 1 if outcome.refused else 0


def look_at_portal(options: argparse.Namespace, folder: Path) -> int:
    """Cross the portal in a real browser; returns 1 when there is anything to complain of."""
    with own_cloud(simulated=True, keep=options.keep) as cloud:
        complaints = portal.run(cloud, folder, options.pictures)
    print(f"portal: {len(complaints)} complaints in {len(portal.LOOKS)} looks of two roles")
    return 1 if complaints else 0


def judge(options: argparse.Namespace, folder: Path) -> int:
    """Run Tempest, write its report, print its failures; returns 1 when there are any."""
    begun = time.monotonic()
    selection = tempest.Selection(listing=options.list, regex=options.regex, concurrency=options.concurrency)
    if options.state is not None:
        results = tempest.run(running_cloud(options.state), selection, folder)
    else:
        clouds = functools.partial(own_cloud, simulated=options.simulated, hosts=options.hosts, keep=options.keep)
        results = tempest.run(clouds, selection, folder)
    text = report.markdown(options.suite, results, time.monotonic() - begun)
    (folder / "report.md").write_text(text)
    for failure in results:
        if failure.outcome == "failed":
            print(f"FAILED {failure.name}\n       {failure.reason}")
    print(report.groups(results))
    print(f"report: {folder / 'report.md'}")
    print(report.last_line(options.suite, results))
    return 1 if any(result.outcome == "failed" for result in results) else 0


def walk(options: argparse.Namespace, folder: Path) -> int:
    """Load Horizon's panels, print the failures again at the end; returns 1 when there are any."""
    if options.state is not None:
        outcome = horizon.run(running_cloud(options.state), folder)
    else:
        with own_cloud(simulated=options.simulated, hosts=options.hosts, keep=options.keep) as cloud:
            outcome = horizon.run(cloud, folder)
    print("hidden by Horizon: " + ", ".join(outcome.hidden))
    for visit in outcome.failed:
        print(horizon.line(visit))
    print(f"logs: {folder}")
    print(horizon.last_line(outcome))
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
