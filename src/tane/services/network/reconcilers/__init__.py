"""Keeping hosts as the database says."""

from tane.services.network.reconcilers.gateways import GATEWAYS, LOST_GATEWAYS
from tane.services.network.reconcilers.hosts import HOSTS, converge

RECONCILERS = (HOSTS, GATEWAYS, LOST_GATEWAYS)

__all__ = ["RECONCILERS", "converge"]
