"""The network duty of a host: bridges, routers, DHCP, metadata and security groups in the Linux kernel."""
