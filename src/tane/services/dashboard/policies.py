"""Who may open the portal: whoever has a session. What he sees and does there is decided by the rules of the calls."""

from __future__ import annotations

from tane.web.policy import ANYONE, Rule

RULES = (Rule("dashboard:open", ANYONE, "Open a page of the portal. Each of its calls has its own rule."),)
