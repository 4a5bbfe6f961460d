"""The one database: short synchronous transactions, migrations, and the signals a commit sends."""

from sqlalchemy.exc import DataError as DoesNotFit
from sqlalchemy.exc import OperationalError as DatabaseUnavailable

from tane.db.database import Database, HeldTooLong, Tx
from tane.db.schema import metadata
from tane.db.signals import Signals, Subscription

__all__ = ["Database", "DatabaseUnavailable", "DoesNotFit", "HeldTooLong", "Signals", "Subscription", "Tx", "metadata"]
