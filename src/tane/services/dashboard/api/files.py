"""Files of the portal itself, and those that tell clients how to reach the cloud."""

from __future__ import annotations

import mimetypes

from tane.services.dashboard.api.special import attachment
from tane.services.dashboard.api.visit import SAFE, YEAR, Visit, missing, page
from tane.services.dashboard.domain import rendering
from tane.services.dashboard.domain.describing import Call
from tane.web.errors import ApiError, NotFound
from tane.web.request import Request, Response

FOR_LONG = f"public, max-age={YEAR}, immutable"


def static(request: Request) -> Response:
    """A style, a script, a picture: public, and the same for everyone."""
    name = request.path["file"]
    data = rendering.static(name)
    if data is None:
        raise NotFound("There is no such file.")
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    headers = {"Cache-Control": FOR_LONG, "X-Content-Type-Options": "nosniff", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(rendering.packed(name), headers={**headers, "Content-Encoding": "gzip"}, content_type=kind)
    return Response(data, headers=headers, content_type=kind)


@page
def access(visit: Visit) -> Response:
    """Where the cloud's APIs are, and what clients need to reach them."""
    try:
        catalog = visit.call(Call.of("identity GET /v3/auth/catalog"))["catalog"]
    except ApiError:
        catalog = []
    rows = []
    for entry in catalog:
        public = next((one["url"] for one in entry["endpoints"] if one["interface"] == "public"), "")
        rows.append((str(entry["type"]), str(entry["name"]), str(public)))
    return visit.page("access.html", rows=rows, clouds=clouds(visit), openrc=openrc(visit))


@page
def download(visit: Visit) -> Response:
    """``clouds.yaml`` or ``openrc``: without the password, which is asked for."""
    made = {"clouds.yaml": clouds, "openrc": openrc}.get(visit.request.path["file"])
    if made is None:
        raise missing(visit)
    headers = {**SAFE, "Content-Disposition": attachment(visit.request.path["file"])}
    return Response(made(visit).encode(), 200, headers, "text/plain; charset=utf-8")


def clouds(visit: Visit) -> str:
    """A ``clouds.yaml`` for who is logged in."""
    import yaml

    ctx = visit.ctx
    auth = {
        "auth_url": f"{visit.request.base_url}/identity/v3",
        "username": ctx.user_name,
        "project_id": ctx.project_id,
    }
    auth |= {"user_domain_id": ctx.user_domain_id}
    return yaml.safe_dump(
        {"clouds": {"tane": {"auth": auth, "region_name": visit.core.config.region}}},
        sort_keys=False,
        allow_unicode=True,
    )


def openrc(visit: Visit) -> str:
    """The same as exports of a shell, which asks for the password."""
    from shlex import quote

    ctx = visit.ctx
    values = {
        "OS_AUTH_URL": f"{visit.request.base_url}/identity/v3",
        "OS_IDENTITY_API_VERSION": "3",
        "OS_USERNAME": ctx.user_name,
        "OS_USER_DOMAIN_ID": ctx.user_domain_id,
        "OS_PROJECT_ID": ctx.project_id,
        "OS_REGION_NAME": visit.core.config.region,
    }
    lines = [f"export {name}={quote(value)}" for name, value in values.items()]
    return "\n".join(
        [*lines, 'printf "Password: "; stty -echo; read -r OS_PASSWORD; stty echo; echo; export OS_PASSWORD', ""]
    )
