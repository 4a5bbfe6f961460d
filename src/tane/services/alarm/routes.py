"""The API of alarms (Aodh v2)."""

from __future__ import annotations

from dataclasses import replace

from tane.services.alarm.api import alarms, root
from tane.services.alarm.schemas import AlarmIn, QueryIn, QuotasIn, StateIn
from tane.web.routes import Route
from tane.web.signal_addresses import hiding_addresses

ALARM = "/v2/alarms/{alarm_id}"

ALL = (
    Route("GET", "", root.versions, None),
    Route("GET", "/v2", root.index, None),
    Route("GET", "/v2/capabilities", root.capabilities, "telemetry:get_alarms"),
    Route("GET", "/v2/metrics", root.metrics, "telemetry:get_metrics"),
    Route("GET", "/v2/alarms", alarms.index, "telemetry:get_alarms"),
    Route("POST", "/v2/alarms", alarms.create, "telemetry:create_alarm", AlarmIn, 201),
    Route("GET", ALARM, alarms.show, "telemetry:get_alarm"),
    Route("PUT", ALARM, alarms.update, "telemetry:change_alarm", AlarmIn),
    Route("DELETE", ALARM, alarms.delete, "telemetry:delete_alarm", status=204),
    Route("GET", f"{ALARM}/history", alarms.history, "telemetry:alarm_history"),
    Route("GET", f"{ALARM}/state", alarms.state, "telemetry:get_alarm_state"),
    Route("PUT", f"{ALARM}/state", alarms.set_state, "telemetry:change_alarm_state", StateIn),
    Route("POST", "/v2/query/alarms", alarms.query, "telemetry:query_alarm", QueryIn),
    Route("POST", "/v2/query/alarms/history", alarms.query_history, "telemetry:query_alarm_history", QueryIn),
    Route("GET", "/v2/quotas", alarms.quotas, "telemetry:get_quotas"),
    Route("POST", "/v2/quotas", alarms.set_quotas, "telemetry:update_quotas", QuotasIn, 201),
    Route("DELETE", "/v2/quotas/{project_id}", alarms.reset_quotas, "telemetry:delete_quotas", status=204),
)


def _served(route: Route) -> Route:
    # Searches are posted.
    reads = route.policy is not None and (route.method == "GET" or route.path.startswith("/v2/query/"))
    return replace(route, handler=hiding_addresses(route.handler, "telemetry:change_alarm")) if reads else route


ROUTES = tuple(_served(route) for route in ALL)
