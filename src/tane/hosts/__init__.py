"""The hosts of the cloud and the client through which every operation reaches one."""

from tane.hosts.registry import HostAgent, Hosts, HostUnreachable

__all__ = ["HostAgent", "HostUnreachable", "Hosts"]
