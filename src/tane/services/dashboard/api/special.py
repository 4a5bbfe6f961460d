"""What is not done by a form and a call alone: files, consoles, secrets shown once, several calls for one wish."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from tane.services.dashboard.api.incoming import Form
from tane.services.dashboard.api.visit import SAFE, Visit
from tane.services.dashboard.domain import forms
from tane.services.dashboard.domain.describing import Action, Call, Kind, Row, Values, id_of
from tane.services.dashboard.domain.messages import N_
from tane.services.dashboard.resources import stacks
from tane.web import codec, inside
from tane.web.errors import ApiError, BadRequest
from tane.web.request import Response

if TYPE_CHECKING:
    from tane.services.dashboard.api.pages import Order

LINES = 400
"""Lines of a server's log that its page shows."""
DOWNLOAD = {**SAFE, "Content-Security-Policy": "default-src 'none'; sandbox"}
"""Of files that users brought: a browser keeps them, and runs nothing of them in the portal's origin."""

KEEP = N_("Keep this private key now: it is shown once, and the cloud does not have it.")

Special = Callable[[Visit, "Order", Form], Awaitable[Response]]


def attachment(name: str) -> str:
    """``Content-Disposition`` of a file with this name."""
    return f"attachment; filename=\"{plain(name)}\"; filename*=UTF-8''{quote(name[:200], safe='')}"


def plain(name: str) -> str:
    """A name of a file that every system takes."""
    found = "".join(
        character if (character.isascii() and character.isalnum()) or character in "._-" else "_" for character in name
    )
    return found[:100] or "file"


async def console(visit: Visit, order: Order, given: Form) -> Response:
    """The screen of a server, in the page that shows consoles; under the address by which the portal was reached."""
    answer = await visit.ask(order.action.target, body(visit, order.action, {}, {}), id=order.id)
    found = urlsplit(str(answer["remote_console"]["url"]))
    return Response(None, 303, {**SAFE, "Location": f"{found.path}?{found.query}"})


async def serial(visit: Visit, server_id: str, row: Row) -> Response:
    """A terminal on a server's serial console; its script asks for what it connects to."""
    return await visit.in_thread(
        visit.page,
        "serial.html",
        kind=_kind("servers"),
        id=server_id,
        label=str(row.get("name", "")),
        command=forms.line(["openstack console url show --serial", forms.operand(server_id)]),
    )


async def serial_socket(visit: Visit, server_id: str, row: Row) -> Response:
    """The address of a server's serial console, with a token of its own: each tab of a browser has one."""
    call = Call.of("compute POST /v2.1/servers/{id}/remote-consoles")
    answer = await visit.ask(call, {"remote_console": {"protocol": "serial", "type": "serial"}}, id=server_id)
    found = urlsplit(str(answer["remote_console"]["url"]))
    return Response(codec.encode({"socket": f"{found.path}?{found.query}"}), 200, SAFE)


async def screen_socket(visit: Visit, server_id: str, row: Row) -> Response:
    from tane.services.dashboard.api import consoles

    return await consoles.screen_socket(visit, server_id, row)


async def launch(visit: Visit, order: Order, given: Form) -> Response:
    """The launch dialog with this image or volume chosen."""
    return visit.go("/new/servers", **{"image" if order.kind.name == "images" else "volume": order.id})


async def keypair(visit: Visit, order: Order, given: Form) -> Response:
    """Import a key, or make one: then the page shows the private key, to copy or to keep as a file, once."""
    fields = await visit.in_thread(forms.inputs, visit.core, order.action)
    values = forms.values(fields, given.values)
    answer = await visit.ask(
        order.action.target, {"keypair": values}, spoken="2.91" if "public_key" not in values else None
    )
    key = answer["keypair"].get("private_key")
    if key is None:
        return visit.go("/keypairs", done="create")
    return await visit.in_thread(_private_key, visit, order, str(values["name"]), key)


def _private_key(visit: Visit, order: Order, name: str, key: str) -> Response:
    from tane.services.dashboard.api import home

    return visit.page(
        "secret.html",
        kind=order.kind,
        action=order.action,
        note=visit.words(KEEP),
        values=[("name", name)],
        text=key,
        file=f"{plain(name)}.pem",
        data=base64.b64encode(key.encode()).decode(),
        tour=home.tour(visit, order.kind.name, made=True),
    )


async def network(visit: Visit, order: Order, given: Form) -> Response:
    """A network, with a subnet and a way out. When a later call is refused, what was made before it goes again."""
    fields = await visit.in_thread(forms.inputs, visit.core, order.action)
    values = forms.values(fields, given.values)
    made = (await visit.ask(order.action.target, body(visit, order.action, values, {})))["network"]["id"]
    try:
        if "cidr" in values:
            version = 6 if ":" in values["cidr"] else 4
            subnet = {"network_id": made, "cidr": values["cidr"], "ip_version": version, "name": values["name"]}
            subnet["dns_nameservers"] = values.get("dns", [])
            found = await visit.ask(Call.of("network POST /v2.0/subnets"), {"subnet": subnet})
            if "router" in values:
                call = Call.of("network PUT /v2.0/routers/{id}/add_router_interface")
                await visit.ask(call, {"subnet_id": found["subnet"]["id"]}, id=values["router"])
    except ApiError:
        with contextlib.suppress(ApiError):
            await visit.ask(Call.of("network DELETE /v2.0/networks/{id}"), id=made)
        raise
    return visit.go(f"/networks/{made}", done="create")


async def upload(visit: Visit, order: Order, given: Form) -> Response:
    """A new image, from a file, which is passed on as it comes, or from an address."""
    fields = await visit.in_thread(forms.inputs, visit.core, order.action)
    values = forms.values(fields, given.values)
    address = values.get("url")
    if given.file is None and not address:
        raise BadRequest(visit.words("Choose a file, or give an address."))
    made = (await visit.ask(order.action.target, body(visit, order.action, values, {})))["id"]
    try:
        if given.file is not None:
            path = f"/v2/images/{inside.part(made)}/file"
            headers = {"content-type": "application/octet-stream", "transfer-encoding": "chunked"}
            await inside.ask(visit.core, visit.ctx, "image", "PUT", path, headers=headers, stream=given.file)
        else:
            wanted = {"method": {"name": "web-download", "uri": address}}
            await visit.ask(Call.of("image POST /v2/images/{id}/import"), wanted, id=made)
    except BaseException:
        # Also when the browser went away in the middle.
        await asyncio.shield(_unmake(visit, made, protected=bool(values.get("protected"))))
        raise
    return visit.go(f"/images/{inside.part(made)}", done="create")


async def _unmake(visit: Visit, image_id: str, *, protected: bool) -> None:
    """Of an image whose data did not come; that somebody else deleted it is as good."""
    with contextlib.suppress(ApiError):
        if protected:
            change = [{"op": "replace", "path": "/protected", "value": False}]
            await visit.ask(Call.of("image PATCH /v2/images/{id}"), change, id=image_id)
        await visit.ask(Call.of("image DELETE /v2/images/{id}"), id=image_id)


async def download(visit: Visit, order: Order, given: Form) -> Response:
    """An image's data."""
    answer = await inside.ask(visit.core, visit.ctx, "image", "GET", f"/v2/images/{inside.part(order.id)}/file")
    name = f"{order.label}.{order.row.get('disk_format') or 'img'}"
    kept = {key: value for key, value in answer.headers.items() if key.lower() in ("content-length", "content-md5")}
    answer.headers = {**kept, **DOWNLOAD, "Content-Disposition": attachment(name)}
    answer.content_type, answer.status = "application/octet-stream", answer.status or 200
    return answer


async def made_secret(visit: Visit, order: Order, given: Form) -> Response:
    """A key of EC2, or the seed of passcodes, which is made here and known to the cloud and who sees this page."""
    answer = await visit.ask(order.action.target, body(visit, order.action, {}, {}))
    return await visit.in_thread(secret, visit, order, answer)


async def alarm(visit: Visit, order: Order, given: Form) -> Response:
    from tane.services.dashboard.api import alarms

    return await alarms.send(visit, order, given)


async def plan(visit: Visit, order: Order, given: Form) -> Response:
    from tane.services.dashboard.api import plans

    return await plans.show(visit, order, given)


AGAIN = ("console", "download")
"""What its page asks for as often as one likes."""
SEVERAL = ("network", "upload", "watch", "console", "launch", "download", "drain", "dead")
"""What is more, or less, than the one call of its action."""
LEADING = ("watch", "launch")
"""What only leads to another form."""
SEED_BYTES = 20
"""Of passcodes: what RFC 4226, 4 recommends."""
IMAGE = ("name", "disk_format", "visibility", "min_disk", "min_ram", "protected", "tags")


def _some(values: Values, *names: str) -> Values:
    return {name: values[name] for name in names if name in values}


FIRST: Mapping[str, Callable[[Values], Any]] = {
    "network": lambda values: {"network": _some(values, "name", "description")},
    "upload": lambda values: {"container_format": "bare", **_some(values, *IMAGE)},
    "drain": lambda values: {"host": {"enabled": False, "disabled_reason": values.get("disabled_reason")}},
    "dead": lambda values: {"host": {"dead": True}},
}
"""The body of the first of several calls."""


def body(visit: Visit, action: Action, values: Values, row: Row) -> Any:
    """What an action's form sends as the body of its call, of several of the first; None where it sends none."""
    if action.special in FIRST:
        return FIRST[action.special](values)
    if action.special == "console":
        return {"remote_console": {"protocol": "vnc", "type": "novnc"}}
    if action.special in SEVERAL:
        return None
    if action.special == "keypair":
        return {"keypair": values}
    if action.special == "ec2":
        return {"tenant_id": visit.ctx.project_id}
    if action.special == "passcode":
        seed = base64.b32encode(secrets.token_bytes(SEED_BYTES)).decode()
        return {"credential": {"type": "totp", "blob": seed, "user_id": visit.ctx.user_id}}
    if action.special in ("alarm", "event-alarm", "composite-alarm", "alarm-change"):
        from tane.services.dashboard.api import alarms

        return alarms.document(visit, action, values, row)
    return forms.body(action, values, row)


class Sent(NamedTuple):
    """A call as an action makes it: its body, and what stands in its path."""

    body: Any
    places: dict[str, str]


def sent(visit: Visit, action: Action, values: Values, row: Row, resource_id: str, inner: str = "") -> Sent:
    """What a form sends, with what it empties: for who does it, takes it back, or shows it as a command.

    :raises ApiError: it means nothing that can be sent.
    """
    return Sent(
        body(visit, action, forms.cleared(action, values, row), row),
        forms.ways(action, values, row, resource_id, inner),
    )


def filled(visit: Visit, action: Action, row: Row) -> dict[str, str]:
    """What a form begins with that is no value of the row as it is."""
    if action.build is stacks.change:
        return stacks.filled(row, _written(visit.call(TEMPLATE, id=id_of(_kind("stacks"), row))))
    if action.special != "alarm-change":
        return {}
    from tane.services.dashboard.api import alarms

    return alarms.filled(row, visit.core.config.metric.interval)


def seen(visit: Visit, kind: Kind, row: Row) -> Row:
    """A row with what its page says of it besides."""
    if kind.name != "alarms":
        return row
    from tane.services.dashboard.api import rules

    return {**row, "in_words": rules.in_words(visit, row)}


def line(action: Action, body: Any, resource_id: str = "") -> str | None:
    """The command that sends this very body; "" where the action's fields tell it, None where there is none."""
    if action.special in ("alarm", "event-alarm", "composite-alarm", "alarm-change"):
        from tane.services.dashboard.api import alarms

        return alarms.command(body, resource_id)
    return ""


def check(visit: Visit, order: Order, given: Form) -> None:
    """Before an action: whether what was shown to who orders it is still so. :raises PreconditionFailed:"""
    if order.kind.name == "stacks":
        from tane.services.dashboard.api import plans

        plans.check(visit, order, given)


async def drain(visit: Visit, order: Order, given: Form) -> Response:
    from tane.services.dashboard.api import draining

    return await draining.drain(visit, order, given)


async def dead(visit: Visit, order: Order, given: Form) -> Response:
    from tane.services.dashboard.api import draining

    return await draining.dead(visit, order, given)


async def watch(visit: Visit, order: Order, given: Form) -> Response:
    """The form of an alarm with this server chosen."""
    return visit.go("/new/alarms", server=order.id)


DOES: Mapping[str, Special] = {
    "console": console,
    "launch": launch,
    "keypair": keypair,
    "network": network,
    "upload": upload,
    "download": download,
    "alarm": alarm,
    "event-alarm": alarm,
    "composite-alarm": alarm,
    "alarm-change": alarm,
    "watch": watch,
    "plan": plan,
    "ec2": made_secret,
    "passcode": made_secret,
    "drain": drain,
    "dead": dead,
}
"""By an action's ``special``."""


SAID = {
    "id": N_("ID"),
    "name": N_("Name"),
    "access": N_("Access key"),
    "secret": N_("Secret"),
    "auth_key": N_("Key"),
    "token": N_("Token"),
    "expires_at": N_("Expires"),
}
"""What is shown once, by its name in the answer."""


def secret(visit: Visit, order: Order, answer: Any) -> Response:
    """What the API says once: shown, and kept nowhere."""
    document = next(iter(answer.values())) if isinstance(answer, dict) and len(answer) == 1 else answer
    shown = ("id", "name", "access", "secret", "auth_key", "token", "expires_at")
    values = [(SAID.get(name, name), str(document[name])) for name in shown if document.get(name)]
    if order.action.special == "passcode":
        name = quote(f"Tane:{visit.ctx.user_name}", safe="")
        values = [(SAID["secret"], document["blob"]), ("otpauth", f"otpauth://totp/{name}?secret={document['blob']}")]
    clouds = _clouds(visit, document) if order.kind.name == "credentials" else ""
    note, file = visit.words(order.action.secret), "clouds.yaml" if clouds else ""
    return visit.page(
        "secret.html", kind=order.kind, action=order.action, note=note, values=values, text=clouds, file=file
    )


def _clouds(visit: Visit, document: Mapping[str, Any]) -> str:
    base, region = visit.request.base_url, visit.core.config.region
    return (
        "clouds:\n  tane:\n    auth_type: v3applicationcredential\n    auth:\n"
        f"      auth_url: {base}/identity/v3\n      application_credential_id: {document['id']}\n"
        f"      application_credential_secret: {document['secret']}\n    region_name: {region}\n"
    )


async def log(visit: Visit, server_id: str, row: Row) -> Response:
    """The end of what a server wrote to its console."""
    from tane.services.dashboard.api import commands

    call, wanted = Call.of("compute POST /v2.1/servers/{id}/action"), {"os-getConsoleOutput": {"length": LINES}}
    answer = await visit.ask(call, wanted, id=server_id)
    command = forms.line(["openstack console log show", forms.operand(server_id)])
    text, label = str(answer.get("output") or ""), str(row.get("name", ""))
    curl = commands.curl(visit, call, wanted, places={"id": server_id})
    told: dict[str, Any] = {"label": label, "what": visit.words("Log"), "text": text, "command": command, "curl": curl}
    return await visit.in_thread(visit.page, "text.html", kind=_kind("servers"), id=server_id, **told)


async def template(visit: Visit, stack_id: str, row: Row) -> Response:
    """The template a stack was made from."""
    from tane.services.dashboard.api import commands

    answer = await visit.ask(TEMPLATE, id=stack_id)
    text = await visit.in_thread(_written, answer)
    command = forms.line(["openstack stack template show", forms.operand(stack_id.rpartition(":")[2])])
    label, curl = str(row.get("stack_name", "")), commands.curl(visit, TEMPLATE, None, places={"id": stack_id})
    told: dict[str, Any] = {
        "label": label,
        "what": visit.words("Template"),
        "text": text,
        "command": command,
        "curl": curl,
    }
    return await visit.in_thread(visit.page, "text.html", kind=_kind("stacks"), id=stack_id, **told)


async def drift(visit: Visit, stack_id: str, row: Row) -> Response:
    from tane.services.dashboard.api import drift as page

    return await page.show(visit, stack_id, row)


TEMPLATE = Call.of("orchestration GET /v1/{project}/stacks/{id:0}/{id:1}/template")
MOST_YAML = 32 << 10
"""Bytes of a template, as JSON, that is shown as YAML: its writer takes some microseconds for each and lets nobody
else compute meanwhile. A longer one is shown as JSON, which is YAML, too."""


def _written(document: Any) -> str:
    packed = codec.encode(document)
    if len(packed) > MOST_YAML:
        return msgspec.json.format(packed, indent=2).decode()
    import yaml

    return str(yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True))


def _kind(name: str) -> Kind:
    from tane.services.dashboard.resources import KINDS

    return KINDS[name]


async def graph(visit: Visit, stack_id: str, row: Row) -> Response:
    from tane.services.dashboard.api import graphs

    return await graphs.show(visit, stack_id, row)


async def charts_of_server(visit: Visit, server_id: str, row: Row) -> Response:
    from tane.services.dashboard.api import charts

    return await charts.server(visit, server_id, row)


async def charts_of_host(visit: Visit, host_id: str, row: Row) -> Response:
    from tane.services.dashboard.api import charts

    return await charts.host(visit, host_id, row)


PAGES: Mapping[tuple[str, str], Callable[[Visit, str, Row], Awaitable[Response]]] = {
    ("servers", "log"): log,
    ("servers", "serial"): serial,
    ("all-servers", "serial"): serial,
    ("all-servers", "log"): log,
    ("stacks", "graph"): graph,
    ("stacks", "drift"): drift,
    ("stacks", "template"): template,
    ("servers", "charts"): charts_of_server,
    ("all-servers", "charts"): charts_of_server,
    ("hosts", "charts"): charts_of_host,
}
"""Pages of their own making on a resource's page."""
ANSWERS: Mapping[tuple[str, str], Callable[[Visit, str, Row], Awaitable[Response]]] = {
    ("servers", "serial"): serial_socket,
    ("all-servers", "serial"): serial_socket,
    ("servers", "vnc"): screen_socket,
}
"""What the script of such a page asks for."""


def tail(visit: Visit, kind: Kind, action: Action) -> list[tuple[str, int, int]]:
    """What is used of the quota and what it is, before one makes a server or a volume."""
    if action is not kind.create or kind.name not in ("servers", "volumes"):
        return []
    from tane.services.dashboard.api import home

    wanted = ("compute",) if kind.name == "servers" else ("volume",)
    return home.quotas(visit, wanted)
