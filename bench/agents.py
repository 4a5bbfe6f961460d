"""Many simulated hosts in one process, each with a line of its own to its cloud, as a real host has.

``python -m bench.agents FOLDER FIRST`` reads join tokens from standard input, one a line, joins a host by each and
serves until SIGTERM. Their state lies below FOLDER; their tunnels start from addresses counted from FIRST.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import signal
import sys
from pathlib import Path

from tane import ids
from tane.agent import cloud, process
from tane.agent.cloud import CloudLine, Files
from tane.agent.host import SIMULATED_TUNNELS, HostSettings
from tane.config import MetricSettings
from tane.wire.joining import USUAL_ROLES, token

JOIN_AT_ONCE = 4


def main(folder: Path, first: int) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    asyncio.run(_serve(folder, first, [line for line in sys.stdin.read().split() if line]))


async def _serve(folder: Path, first: int, tokens: list[str]) -> None:
    places = asyncio.Semaphore(JOIN_AT_ONCE)
    tasks = [
        asyncio.create_task(_host(folder / str(number), number, text, places))
        for number, text in enumerate(tokens, first)
    ]
    stop = asyncio.create_task(_signalled())
    # The first that ends ends all: a host too few would make the figures better.
    done, pending = await asyncio.wait([stop, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _host(folder: Path, number: int, text: str, places: asyncio.Semaphore) -> None:
    folder.mkdir(parents=True, mode=0o700)
    own, name = ids.of(folder), f"sim-{number:03}"
    async with places:
        await cloud.join(Files(folder), token(text), own.host_id, name, USUAL_ROLES, simulated=True)
    membership = Files(folder).read()
    assert membership is not None
    settings = HostSettings(
        state_dir=folder / "host",
        cloud_id=own.cloud_id,
        mode="simulated",
        hosts=[(own.host_id, name)],
        local_ip=str(SIMULATED_TUNNELS.network_address + (1 << 12) + number),
        tunnel_port=membership.tunnel_port,
    )
    await process.serve(CloudLine(Files(folder), membership), settings, membership, MetricSettings().interval)


async def _signalled() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), int(sys.argv[2]))
