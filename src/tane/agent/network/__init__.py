"""The network duty of a host: bridges, routers, DHCP, metadata and security groups in the Linux kernel."""

from tane.agent.network.duty import LinuxNetwork
from tane.agent.network.plan import NetworkSettings

__all__ = ["LinuxNetwork", "NetworkSettings"]
