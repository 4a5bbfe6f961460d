"""Prices and budgets, for administrators. What a project pays is a page of its own (``api/bills.py``)."""

from __future__ import annotations

from typing import Any

from tane.services.dashboard.domain.describing import Action, Build, Column, Field, Kind, Panel, Row, Values
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources.administration import SECTION

H = "/v1/rating/module_config/hashmap"
HASHMAP = "openstack rating hashmap"
TYPES = (("flat", N_("an amount for an hour of one unit")), ("rate", N_("a factor on what it costs otherwise")))


def within(parent: str) -> Build:
    """What is made on a page belongs to what the page is of."""

    def build(values: Values, row: Row) -> Values:
        return {**values, parent: row["in"]}

    return build


def changed(values: Values, row: Row) -> Values:
    """A price as it was shown, with what is changed: it is only changed as a whole."""
    return {**row, **values}


def deleted(what: str, command: str, help_: str = "", back: str = "list") -> Action:
    return Action(
        "delete",
        N_("Delete"),
        f"rating DELETE {H}/{what}/{{id}}",
        danger=True,
        bulk=True,
        back=back,
        help=help_,
        command=f"{HASHMAP} {command} delete {{id}}",
    )


COST = Field("cost", N_("Price, or factor"), required=True, option="-")
TYPE = Field("type", N_("Kind"), "choice", choices=TYPES, required=True, option="--type")
GROUP = Field("group_id", N_("Group"), "ref", ref="price-groups", value="group_id", option="--group-id", folded=True)
PROJECT = Field("tenant_id", N_("Only for this project"), "ref", ref="projects", option="--project-id", folded=True)
PRICE_COLUMNS = (
    Column("cost", N_("Price, or factor")),
    Column("type", N_("Kind")),
    Column("group_id", N_("Group"), "ref:price-groups"),
    Column("tenant_id", N_("Project"), "ref:projects"),
)


def mappings(name: str, parent: str, of: str) -> Kind:
    """The prices of a service, or of the values of a field."""
    valued = parent == "field_id"
    value = (Field("value", N_("Value"), required=True, option="--value"),) if valued else ()
    return Kind(
        name,
        N_("Prices"),
        N_("Price"),
        SECTION,
        f"rating GET {H}/mappings",
        "mappings",
        (
            *((Column("value", N_("Value")),) if valued else ()),
            *PRICE_COLUMNS,
            Column("start", N_("From"), "time"),
            Column("end", N_("Until"), "time"),
        ),
        id="mapping_id",
        label="mapping_id",
        query={parent: "{in}"},
        inner=True,
        admin=True,
        paged=False,
        gone_to=of,
        command=f"{HASHMAP} mapping list --{parent.replace('_', '-')} {{in}}",
        create=Action(
            "create",
            N_("Set a price"),
            f"rating POST {H}/mappings",
            build=within(parent),
            fields=(
                *value,
                COST,
                TYPE,
                GROUP,
                PROJECT,
                Field(
                    "start", N_("From"), option="--start", help=N_("A time of UTC: 2026-12-01T00:00:00"), folded=True
                ),
                Field("end", N_("Until"), option="--end", folded=True),
            ),
            command=f"{HASHMAP} mapping create --{parent.replace('_', '-')} {{in}}",
        ),
        actions=(
            Action(
                "change",
                N_("Change"),
                f"rating PUT {H}/mappings/{{id}}",
                build=changed,
                help=N_("A price that has begun is only given an end; another one begins then."),
                fields=(
                    Field("cost", N_("Price, or factor"), default="=cost", option="--cost"),
                    Field("end", N_("Until"), default="=end", option="--end", keeps=True),
                ),
                command=f"{HASHMAP} mapping update {{id}}",
            ),
            deleted("mappings", "mapping", N_("It ends now; what was used until now costs what it did.")),
        ),
    )


def thresholds(name: str, parent: str, of: str) -> Kind:
    """Prices from a level on."""
    return Kind(
        name,
        N_("Thresholds"),
        N_("Threshold"),
        SECTION,
        f"rating GET {H}/thresholds",
        "thresholds",
        (Column("level", N_("From this much on")), *PRICE_COLUMNS),
        id="threshold_id",
        label="threshold_id",
        query={parent: "{in}"},
        inner=True,
        admin=True,
        paged=False,
        gone_to=of,
        command=f"{HASHMAP} threshold list --{parent.replace('_', '-')} {{in}}",
        create=Action(
            "create",
            N_("Set a threshold"),
            f"rating POST {H}/thresholds",
            build=within(parent),
            fields=(Field("level", N_("From this much on"), required=True, option="-"), COST, TYPE, GROUP, PROJECT),
            command=f"{HASHMAP} threshold create --{parent.replace('_', '-')} {{in}}",
        ),
        actions=(
            Action(
                "change",
                N_("Change"),
                f"rating PUT {H}/thresholds/{{id}}",
                build=changed,
                fields=(
                    Field("level", N_("From this much on"), default="=level", option="--level"),
                    Field("cost", N_("Price, or factor"), default="=cost", option="--cost"),
                ),
                command=f"{HASHMAP} threshold update {{id}}",
            ),
            deleted("thresholds", "threshold"),
        ),
    )


def named(name: str, title: str, one: str, what: str, **more: Any) -> Kind:
    """Services, fields and groups: they have a name, and that is all."""
    key = what.removesuffix("s")
    return Kind(
        name,
        title,
        one,
        SECTION,
        f"rating GET {H}/{what}",
        what,
        (Column("name", N_("Name"), "name"), Column(f"{key}_id", N_("ID"), "code")),
        f"rating GET {H}/{what}/{{id}}",
        id=f"{key}_id",
        admin=True,
        paged=False,
        command=f"{HASHMAP} {key} list" + (" {in}" if key == "field" else ""),
        **more,
    )


NAME = Field("name", N_("Name"), required=True, option="-")
AMOUNT = Field("amount", N_("Amount for a month"), required=True)
SPENT = Field(
    "action",
    N_("Once it is spent"),
    "choice",
    choices=(("warn", N_("tell so")), ("refuse", N_("refuse what is new"))),
    required=True,
)

KINDS = (
    named(
        "price-services",
        N_("Prices"),
        N_("Priced service"),
        "services",
        empty=N_("Nothing costs anything yet. Begin with a service: instance, volume.size, image.size, ip.floating …"),
        panels=(Panel("service-prices"), Panel("price-fields"), Panel("service-thresholds")),
        create=Action(
            "create",
            N_("Price a service"),
            f"rating POST {H}/services",
            fields=(
                Field(
                    "name",
                    N_("Name"),
                    required=True,
                    option="-",
                    help=N_("instance, volume.size, volume.snapshot.size, image.size, ip.floating, router …"),
                ),
            ),
            command=f"{HASHMAP} service create",
        ),
        actions=(deleted("services", "service", N_("Its fields and prices end with it.")),),
    ),
    named(
        "price-fields",
        N_("Fields"),
        N_("Field"),
        "fields",
        query={"service_id": "{in}"},
        inner=True,
        gone_to="price-services",
        panels=(Panel("field-prices"), Panel("field-thresholds")),
        create=Action(
            "create",
            N_("Price by a field"),
            f"rating POST {H}/fields",
            build=within("service_id"),
            fields=(
                Field(
                    "name",
                    N_("Name"),
                    required=True,
                    option="-",
                    help=N_("Of an instance: flavor_name, state, vcpus …; of a volume: volume_type."),
                ),
            ),
            command=f"{HASHMAP} field create {{in}}",
        ),
        actions=(deleted("fields", "field"),),
    ),
    mappings("service-prices", "service_id", "price-services"),
    mappings("field-prices", "field_id", "price-fields"),
    thresholds("service-thresholds", "service_id", "price-services"),
    thresholds("field-thresholds", "field_id", "price-fields"),
    named(
        "price-groups",
        N_("Groups of prices"),
        N_("Group of prices"),
        "groups",
        empty=N_("No groups yet. Prices of several groups add up."),
        create=Action(
            "create",
            N_("Create a group of prices"),
            f"rating POST {H}/groups",
            fields=(NAME,),
            command=f"{HASHMAP} group create",
        ),
        actions=(deleted("groups", "group"),),
    ),
    Kind(
        "budgets",
        N_("Budgets"),
        N_("Budget"),
        SECTION,
        "rating GET /v2/budgets",
        "budgets",
        (
            Column("project_id", N_("Project"), "ref:projects"),
            Column("amount", N_("Amount for a month")),
            Column("spent", N_("Spent this month")),
            Column("currency", N_("Currency")),
            Column("action", N_("Once it is spent")),
            Column("state", N_("State"), "state"),
        ),
        id="project_id",
        label="project_id",
        admin=True,
        paged=False,
        status="state",
        empty=N_("No budgets yet. A project that has spent its budget is told so, or gets nothing new."),
        create=Action(
            "create",
            N_("Give a project a budget"),
            "rating PUT /v2/budgets/{project_id}",
            fields=(Field("project_id", N_("Project"), "ref", ref="projects", required=True, to="-"), AMOUNT, SPENT),
        ),
        actions=(
            Action(
                "change",
                N_("Change"),
                "rating PUT /v2/budgets/{id}",
                fields=(Field("amount", N_("Amount for a month"), default="=amount", required=True), SPENT),
                back="list",
            ),
            Action(
                "delete",
                N_("Delete"),
                "rating DELETE /v2/budgets/{id}",
                danger=True,
                bulk=True,
                back="list",
            ),
        ),
    ),
)
