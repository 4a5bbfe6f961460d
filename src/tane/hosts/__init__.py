"""The hosts of the cloud and the client through which every operation reaches one."""

from tane.hosts.registry import CONNECTED, HostAgent, Hosts, HostUnreachable

__all__ = ["CONNECTED", "HostAgent", "HostUnreachable", "Hosts"]
