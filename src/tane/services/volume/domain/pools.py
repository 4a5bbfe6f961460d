"""What a pool can, and whether it meets the extra specs of a volume type (Cinder's capabilities filter)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tane.services.volume.domain.common import BACKEND

CAPABILITIES: dict[str, str | int | bool] = {
    "pool_name": BACKEND,
    "volume_backend_name": BACKEND,
    "vendor_name": "Tane",
    "driver_version": "1.0",
    "storage_protocol": "nbd",
    "reserved_percentage": 0,
    "QoS_support": False,
    "multiattach": False,
    "thin_provisioning_support": True,
}
"""Of every pool, as there is one driver; what a pool has room for its host tells."""

TRUE = ("1", "t", "true", "on", "y", "yes")
_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda has, asked: has >= asked,
    "==": lambda has, asked: has == asked,
    "!=": lambda has, asked: has != asked,
    ">=": lambda has, asked: has >= asked,
    "<=": lambda has, asked: has <= asked,
}
_WORDS: dict[str, Callable[[str, str], bool]] = {
    "<in>": lambda has, asked: asked in has,
    "<is>": lambda has, asked: (has.lower() in TRUE) == (asked.lower() in TRUE),
    "s==": lambda has, asked: has == asked,
    "s!=": lambda has, asked: has != asked,
    "s<": lambda has, asked: has < asked,
    "s<=": lambda has, asked: has <= asked,
    "s>": lambda has, asked: has > asked,
    "s>=": lambda has, asked: has >= asked,
}


def meets(specs: Mapping[str, str]) -> bool:
    """Whether a pool has what extra specs ask: those without a scope, and those of the scope ``capabilities``. What is
    asked of another scope a driver or the API itself looks at."""
    for name, asked in specs.items():
        scope, _, rest = name.partition(":")
        if rest and scope != "capabilities":
            continue
        if not _has(CAPABILITIES.get(rest or name), asked):
            return False
    return True


def _has(value: str | int | bool | None, asked: str) -> bool:
    if value is None:
        return False
    operator, *words = asked.split() or [""]
    has = str(value)
    if operator == "<or>":
        return has in words[::2]
    if operator in _WORDS:
        return bool(words) and _WORDS[operator](has, words[0])
    if operator in _NUMBERS:
        try:
            return bool(words) and _NUMBERS[operator](float(has), float(words[0]))
        except ValueError:
            return False
    return has == asked
