"""What the house itself tells of, which no service owns."""

from tane.db.recording import Source
from tane.hosts.tables import host
from tane.quota import quota

EVENTS = (
    Source(host, "cloud.host", ignores=("last_seen", "compared")),
    Source(quota, "cloud.quota", id=("project_id", "service", "resource"), shows=("service", "resource", "hard_limit")),
)
