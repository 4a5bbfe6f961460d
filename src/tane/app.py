"""The composition root: the only module that knows every service.

``build`` makes the core and the ASGI application; :class:`Cloud` also runs jobs and reconcilers.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import falcon.asgi
import structlog

from tane import schema
from tane.clock import Clock, SystemClock
from tane.config import Config
from tane.core import OWN_THREADS, Core
from tane.db import Database
from tane.hosts import Hosts
from tane.jobs import forever, upkeep
from tane.jobs.reconcile import reconcile_forever
from tane.jobs.runner import Runner
from tane.services.alarm import SERVICE as ALARM
from tane.services.compute import SERVICE as COMPUTE
from tane.services.dashboard import SERVICE as DASHBOARD
from tane.services.event import SERVICE as EVENT
from tane.services.host import SERVICE as HOST
from tane.services.identity import SERVICE as IDENTITY
from tane.services.identity import interface as identity
from tane.services.image import SERVICE as IMAGE
from tane.services.job import SERVICE as JOB
from tane.services.metric import PROMETHEUS
from tane.services.metric import SERVICE as METRIC
from tane.services.network import SERVICE as NETWORK
from tane.services.object import S3
from tane.services.object import SERVICE as OBJECT
from tane.services.orchestration import CFN
from tane.services.orchestration import SERVICE as ORCHESTRATION
from tane.services.placement import SERVICE as PLACEMENT
from tane.services.rating import SERVICE as RATING
from tane.services.volume import SERVICE as VOLUME
from tane.web import app as web
from tane.web.policy import Policy
from tane.web.routes import Service
from tane.wire import structs

log = structlog.get_logger()
SERVICES: tuple[Service, ...] = (
    IDENTITY,
    IMAGE,
    NETWORK,
    VOLUME,
    COMPUTE,
    PLACEMENT,
    OBJECT,
    S3,
    ORCHESTRATION,
    CFN,
    METRIC,
    PROMETHEUS,
    ALARM,
    RATING,
    EVENT,
    HOST,
    JOB,
    DASHBOARD,
)


def make_core(
    config: Config, *, clock: Clock | None = None, hosts: Hosts | None = None, services: Sequence[Service] = SERVICES
) -> Core:
    """Open the database, bring it to this version's schema, load the policy.

    :raises OtherSchema: the database is of another release, or gone.
    """
    clock = clock or SystemClock()
    database = Database(config.database, clock=clock, readers=config.handler_threads + OWN_THREADS)
    schema.bring_up(database, config.state_dir)
    override = config.state_dir / "policy.yaml"
    policy = Policy([rule for service in services for rule in service.rules], override if override.exists() else None)
    if policy.unknown:
        log.warning("policy.yaml names rules that this cloud does not have", rules=policy.unknown)
    threads = ThreadPoolExecutor(config.handler_threads, thread_name_prefix="tane")
    return Core(config, database, hosts or Hosts(), policy, clock, services, threads)


class Cloud:
    """A cloud in this process: the application, its jobs and its reconcilers."""

    def __init__(self, core: Core, services: Sequence[Service] = SERVICES) -> None:
        self.core = core
        self.services = services
        core.db.record([recorded for service in services for recorded in service.events])
        self.runner = Runner(
            core, [operation for service in services for operation in service.operations], slots=core.config.job_slots
        )
        self.app: falcon.asgi.App[Any, Any] = web.build(core, services, identity)
        self._tasks: list[asyncio.Task[None]] = []
        structs.prepare()

    def prepare(self, admin_password: str) -> None:
        """What must stand in the database before the first request: the administrator and the catalogue."""
        identity.bootstrap(self.core, admin_password)
        identity.publish(self.core, [entry for service in self.services for entry in service.catalog])

    async def start(self) -> None:
        """Start running jobs and reconcilers."""
        reconcilers = [*upkeep.RECONCILERS, *(found for service in self.services for found in service.reconcilers)]
        self._tasks = [
            asyncio.create_task(self.runner.serve(), name="jobs"),
            asyncio.create_task(reconcile_forever(self.core, reconcilers), name="reconcilers"),
            asyncio.create_task(forever("signals of other processes", self.core.db.listen), name="signals"),
        ]

    async def stop(self) -> None:
        """Stop at the next safe point; unfinished jobs go on at the next start."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []
