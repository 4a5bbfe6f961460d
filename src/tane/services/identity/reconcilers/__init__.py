"""What identity does on a timer."""

from tane.services.identity.reconcilers.housekeeping import HOUSEKEEPING

RECONCILERS = (HOUSEKEEPING,)
