"""Bodies of the hosts' API."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from tane.wire.joining import Name, Role

MOST_HOURS = 168.0


class NewToken(msgspec.Struct, forbid_unknown_fields=True):
    """``hours`` until it ends; ``name``: of the one host that may use it; ``roles``: by default those of the host of
    that name, if there is one."""

    roles: Annotated[tuple[Role, ...], Meta(min_length=1, max_length=4)] | None = None
    name: Name | None = None
    hours: Annotated[float, Meta(gt=0, le=MOST_HOURS)] = 1.0


class CreateToken(msgspec.Struct, forbid_unknown_fields=True):
    token: NewToken


class HostChange(msgspec.Struct, forbid_unknown_fields=True):
    """``dead``: an administrator's word that nothing runs there any more, so that its servers may run elsewhere."""

    enabled: bool | None = None
    dead: bool | None = None
    disabled_reason: Annotated[str, Meta(max_length=255)] | None = None


class UpdateHost(msgspec.Struct, forbid_unknown_fields=True):
    host: HostChange
