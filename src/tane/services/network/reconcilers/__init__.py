"""Keeping hosts as the database says."""

from tane.services.network.reconcilers.hosts import HOSTS, converge

RECONCILERS = (HOSTS,)

__all__ = ["RECONCILERS", "converge"]
