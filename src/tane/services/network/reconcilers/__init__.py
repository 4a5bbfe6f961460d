"""Keeping hosts as the database says."""

from tane.services.network.reconcilers.gateways import GATEWAYS
from tane.services.network.reconcilers.hosts import HOSTS, converge

RECONCILERS = (HOSTS, GATEWAYS)

__all__ = ["RECONCILERS", "converge"]
