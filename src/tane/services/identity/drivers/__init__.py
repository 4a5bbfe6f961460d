"""Where users come from. Tokens know users by these drivers only."""

from tane.core import Core
from tane.services.identity.drivers.base import User, UserDriver
from tane.services.identity.drivers.sql import SqlUsers

__all__ = ["User", "UserDriver", "users_of"]


def users_of(core: Core) -> UserDriver:
    """The driver of a cloud's users."""
    return SqlUsers(core.config)
