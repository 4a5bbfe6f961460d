"""The reconcilers of the portal."""

from tane.services.dashboard.reconcilers.sessions import RECONCILER as SESSIONS

RECONCILERS = (SESSIONS,)
