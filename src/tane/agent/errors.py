"""Errors a duty raises towards the operation that called it."""


class HostError(Exception):
    """A host could not do what it was asked; the message is fit to be shown in a resource's ``fault``.

    ``transient`` tells the caller whether the same call may succeed later (a busy port, a daemon still starting)
    or never will (no space, a corrupt image).
    """

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient


class NotOnHost(HostError):
    """The guest, volume or port named is not on this host."""


class NotSupported(HostError):
    """This host, in the mode it runs in, cannot do this at all; the message says why."""
