"""Route table of hosts."""

from __future__ import annotations

from tane.services.host.api import findings, hosts, settings, tokens
from tane.services.host.schemas import CreateToken, UpdateHost
from tane.web.routes import Route

ROUTES = (
    Route("GET", "", hosts.index, "host:index", summary="List the hosts"),
    Route("GET", "/tokens", tokens.index, "host:tokens:index", summary="List the join tokens that are good"),
    Route(
        "POST",
        "/tokens",
        tokens.create,
        "host:tokens:create",
        CreateToken,
        status=201,
        summary="Make a token by which one host joins; it is shown this once",
    ),
    Route("DELETE", "/tokens/{token_id}", tokens.delete, "host:tokens:delete", status=204, summary="Take a token back"),
    Route("GET", "/findings", findings.index, "host:findings", summary="What the doctor finds in the cloud"),
    Route("GET", "/settings", settings.index, "host:settings", summary="The settings that the cloud runs with"),
    Route("GET", "/{host_id}", hosts.show, "host:show", summary="Show a host, by its id or name"),
    Route("PUT", "/{host_id}", hosts.update, "host:update", UpdateHost, summary="Enable or disable a host"),
    Route(
        "DELETE",
        "/{host_id}/certificates",
        hosts.cut_off,
        "host:cut_off",
        status=204,
        summary="Believe a host no more and end its connections, whatever is on it",
    ),
    Route(
        "DELETE",
        "/{host_id}",
        hosts.delete,
        "host:delete",
        status=204,
        summary="Remove a host that holds no servers and no volumes",
    ),
)
