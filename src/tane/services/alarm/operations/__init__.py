"""What alarms have done, as sagas."""

from tane.services.alarm.operations import notify

OPERATIONS = (notify.OPERATION,)
