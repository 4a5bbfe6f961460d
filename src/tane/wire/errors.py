"""Errors a duty raises towards the operation that called it."""


class HostError(Exception):
    """A host could not do what it was asked; the message is fit to be shown in a resource's ``fault``.

    ``transient`` tells the caller whether the same call may succeed later (a busy port, a daemon still starting)
    or never will (no space, a corrupt image).
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class OlderRevision(HostError):
    """The document is older than one that the host has seen: of revision ``held``."""

    held: int | None = None

    def __init__(self, revision: int, held: int) -> None:
        super().__init__(f"revision {revision} is older than {held}, which this host has", transient=True)
        self.held = held


class WholeNeeded(HostError):
    """The document says what changed since a revision that is not the one the host has."""

    def __init__(self, since: int, held: int | None) -> None:
        has = "nothing" if held is None else f"revision {held}"
        super().__init__(f"this host has {has}, not revision {since}: it needs the whole document", transient=True)


class NotOnHost(HostError):
    """The guest, volume or port named is not on this host."""


class NotSupported(HostError):
    """This host, in the mode it runs in, cannot do this at all; the message says why."""


class Refused(HostError):
    """The cloud does not let the host in; trying again changes nothing."""


class OlderEpoch(HostError):
    """The call is of a runner that has lost its job: another one claimed it since."""

    def __init__(self, job_id: int, epoch: int, held: int) -> None:
        super().__init__(
            f"job {job_id} was claimed anew since: epoch {epoch}, this host has seen {held}", transient=True
        )
