"""Guests as QEMU processes, driven over QMP."""

from tane.agent.compute.drivers.qemu.accelerator import Accelerator, probe_accelerator
from tane.agent.compute.drivers.qemu.duty import QemuCompute, teardown
from tane.agent.compute.drivers.qemu.settings import QemuSettings

__all__ = ["Accelerator", "QemuCompute", "QemuSettings", "probe_accelerator", "teardown"]
