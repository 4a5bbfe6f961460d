"""What becomes of a server in place by another flavor, image or user data: it is resized, rebuilt, or another takes its
place, as its policies say (Heat: ``flavor_update_policy``, ``image_update_policy``, ``user_data_update_policy``).

What is to be done stands in the resource's data until compute has taken it: it is asked for while the server has
nothing else under way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tane.services.orchestration.resources import guest_data
from tane.services.orchestration.resources.base import Failed, Replace
from tane.services.orchestration.resources.server_shown import SERVERS, SPOKEN

if TYPE_CHECKING:
    from tane.services.orchestration.domain.hand import Hand

TELLS_FLAVOR_ID = "2.46"
"""The last microversion that shows of a server the id of its flavor."""


def replaces(before: Mapping[str, Any], changed: Mapping[str, Any]) -> list[str]:
    """Which properties need another server by the policies that they change to."""
    after = {**before, **changed}
    has_disk = before.get("image") and after.get("image")
    stays = {
        "flavor": after.get("flavor_update_policy", "RESIZE") == "RESIZE",
        "image": after.get("image_update_policy") == "REBUILD" and has_disk,
        "user_data": after.get("user_data_update_policy") == "IGNORE"
        or (after.get("user_data_update_policy") == "REBUILD" and has_disk),
    }
    return [name for name, kept in stays.items() if name in changed and not kept]


def order(hand: Hand, changed: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    """Note what is to be done. :raises Replace: another server has to take its place."""
    if replaces(hand.row.properties, changed):
        raise Replace
    given = hand.properties
    renewed = "user_data" in changed and given.get("user_data_update_policy") == "REBUILD"
    if ("image" in changed or renewed) and not shown["image"]:
        # It boots from a volume.
        raise Replace
    if "flavor" in changed:
        hand.keep(resize={"to": hand.lookup("nova.flavor", given["flavor"])})
    if "image" in changed or renewed:
        image_id = hand.lookup("glance.image", given["image"])
        # A rebuild that was never begun leaves the disk as it is, where an update goes back from that.
        still = hand.row.data.get("rebuild") and shown["image"].get("id") == image_id
        hand.keep(rebuild=None if still else image_id, renewed=renewed)


def rebuild(hand: Hand, shown: Mapping[str, Any]) -> bool:
    """As soon as nothing else is under way with it. Never done: what comes of it is looked at next."""
    if shown.get("OS-EXT-STS:task_state") is None:
        body = {"imageRef": hand.row.data["rebuild"]}
        if hand.row.data.get("renewed"):
            body["user_data"] = guest_data.encoded(hand) or None
        _act(hand, {"rebuild": body})
        hand.keep(rebuild=None, renewed=None)
    return False


def resize(hand: Hand, shown: Mapping[str, Any]) -> bool:
    """Whether the server has the flavor and no decision about it is left. A resize is confirmed at once; one to a
    flavor that is not wanted any more is taken back. :raises Failed: compute could not; the next action of the stack
    asks once more."""
    if shown.get("OS-EXT-STS:task_state") is not None:
        return False
    wanted = hand.row.data["resize"]
    told = hand.call("compute", "GET", f"{SERVERS}/{hand.id}", spoken=TELLS_FLAVOR_ID)["server"]
    is_it = told["flavor"]["id"] == wanted["to"]
    if told["status"] == "VERIFY_RESIZE":
        _act(hand, {"confirmResize" if is_it else "revertResize": None})
        return False
    if is_it:
        hand.keep(resize=None)
        return True
    if wanted.get("asked") == hand.stack.traversal:
        raise Failed(f"Resizing to '{wanted['to']}' failed, status '{told['status']}'")
    _act(hand, {"resize": {"flavorRef": wanted["to"]}})
    hand.keep(resize={**wanted, "asked": hand.stack.traversal})
    return False


def _act(hand: Hand, body: Mapping[str, Any]) -> None:
    hand.call("compute", "POST", f"{SERVERS}/{hand.id}/action", dict(body), spoken=SPOKEN)
