"""The toy: table, routes, rules, schema, order, operation, reconciler, quota, catalogue entry, check, status line,
events."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from sqlalchemy import Column, MetaData, String, Table, delete, func, insert, select, update

from tane import quota
from tane.core import Core
from tane.db import Tx
from tane.db.recording import Source
from tane.finding import Finding
from tane.jobs import Operation, Order, Reconciler, Run, Step, enqueue
from tane.web.errors import Forbidden, NotFound, compute_shape
from tane.web.policy import MEMBER, READER, Rule
from tane.web.request import Request
from tane.web.routes import CatalogEntry, Route, Service

LIMITS = {"seeds": 3}

seed = Table(
    "toy_seed",
    MetaData(),
    Column("id", String(36), primary_key=True),
    Column("project_id", String(64), nullable=False),
    Column("name", String(255), nullable=False),
    Column("status", String(16), nullable=False),
)
"""Of a MetaData of its own: migrations are the cloud's."""


class SeedIn(msgspec.Struct, forbid_unknown_fields=True):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Create(msgspec.Struct, forbid_unknown_fields=True):
    seed: SeedIn


class Grow(msgspec.Struct):
    seed_id: str


GROW = Order("toy.grow", Grow, patience=60.0)


async def grow(run: Run[Grow]) -> None:
    await run.write(_become, run.params.seed_id, "grown")


async def shrink(run: Run[Grow]) -> None:
    await run.write(_become, run.params.seed_id, "seed")


async def wither(run: Run[Grow], reason: str) -> None:
    await run.write(_become, run.params.seed_id, "error")


def _become(tx: Tx, seed_id: str, status: str) -> None:
    tx.execute(update(seed).where(seed.c.id == seed_id).values(status=status))


def index(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        rows = tx.all(select(seed).where(seed.c.project_id == request.ctx.project_id).order_by(seed.c.id))
    return {"seeds": [dict(row._mapping) for row in rows]}


def create(request: Request) -> dict[str, Any]:
    ctx = request.ctx
    with request.core.db.write() as tx:
        most = quota.limits(tx, "toy", ctx.project_id, LIMITS)["seeds"]
        used = tx.scalar(select(func.count()).select_from(seed).where(seed.c.project_id == ctx.project_id))
        if quota.exceeded(most, used, 1):
            raise Forbidden(f"Quota exceeded for seeds: Requested 1, but already used {used} of {most} seeds")
        row = {"id": str(uuid.uuid4()), "project_id": ctx.project_id, "name": request.body.seed.name, "status": "seed"}
        tx.execute(insert(seed).values(**row))
        enqueue(tx, GROW, Grow(row["id"]), resource=f"seed:{row['id']}", by=ctx)
    return {"seed": row}


def show(request: Request) -> dict[str, Any]:
    with request.core.db.read() as tx:
        return {"seed": dict(_own(tx, request)._mapping)}


def remove(request: Request) -> None:
    with request.core.db.write() as tx:
        tx.execute(delete(seed).where(seed.c.id == _own(tx, request).id))


def _own(tx: Tx, request: Request) -> Any:
    row = tx.first(select(seed).where(seed.c.id == request.path["seed_id"]))
    if row is None or not request.ctx.sees(row.project_id):
        raise NotFound(f"Seed {request.path['seed_id']} could not be found.")
    return row


async def weed(core: Core) -> str | None:
    """One pass; a sentence when withered seeds went."""

    def pull() -> int:
        with core.db.write() as tx:
            return tx.count(delete(seed).where(seed.c.status == "error"))

    gone = await core.in_thread(pull)
    return f"pulled {gone} seeds" if gone else None


def withered(tx: Tx) -> Iterator[Finding]:
    """Seeds that did not grow."""
    count = tx.scalar(select(func.count()).select_from(seed).where(seed.c.status == "error"))
    if count:
        yield Finding("warning", f"{count} seeds are withered.", "Nobody watered them.", "rain")


SERVICE = Service(
    name="toy",
    prefix="/toy",
    routes=(
        Route("GET", "/v1/seeds", index, "toy:index"),
        Route("POST", "/v1/seeds", create, "toy:create", Create, 202),
        Route("GET", "/v1/seeds/{seed_id}", show, "toy:show"),
        Route("DELETE", "/v1/seeds/{seed_id}", remove, "toy:delete", status=204),
    ),
    rules=(
        Rule("toy:index", READER, "List seeds."),
        Rule("toy:create", MEMBER, "Plant a seed."),
        Rule("toy:show", READER, "Show a seed."),
        Rule("toy:delete", MEMBER, "Pull a seed."),
    ),
    error_shape=compute_shape,
    operations=(Operation(GROW, (Step("grow", grow, shrink),), wither),),
    reconcilers=(Reconciler("toy.weed", weed, interval=60.0, scope="cloud"),),
    catalog=(CatalogEntry("toy", "toy", "/toy/v1"),),
    counted=(("seeds", "toy_seed"),),
    checks=(withered,),
    events=(Source(seed, "toy.seed"),),
)
