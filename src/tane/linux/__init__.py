"""Thin wrappers around what the kernel and QEMU's tools offer; knows no cloud concept."""
