"""The one database: short synchronous transactions, migrations, and the signals a commit sends."""

from tane.db.database import Database, Tx
from tane.db.schema import metadata
from tane.db.signals import Signals

__all__ = ["Database", "Signals", "Tx", "metadata"]
