"""Configuration of single domains: kept and shown, as far as Keystone allows it by its API.

The options are those of an identity store of the domain's own (LDAP). Passwords are kept but never shown.
Source: Identity API v3, "Domain configuration".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.engine import Row

from tane.core import Core
from tane.db import Tx
from tane.services.identity.domain import audit
from tane.services.identity.domain.common import require
from tane.services.identity.domain.projects import DEFAULT_DOMAIN
from tane.services.identity.store import domain_config as store
from tane.services.identity.tables import project
from tane.web.errors import Forbidden, NotFound

Config = dict[str, dict[str, Any]]

DEFAULTS: Config = {
    "identity": {"driver": "sql", "list_limit": None},
    "ldap": {
        "url": "ldap://localhost",
        "user": None,
        "suffix": "cn=example,cn=com",
        "query_scope": "one",
        "page_size": 0,
        "alias_dereferencing": "default",
        "debug_level": None,
        "chase_referrals": None,
        "user_tree_dn": None,
        "user_filter": None,
        "user_objectclass": "inetOrgPerson",
        "user_id_attribute": "cn",
        "user_name_attribute": "sn",
        "user_mail_attribute": "mail",
        "user_description_attribute": "description",
        "user_pass_attribute": "userPassword",
        "user_enabled_attribute": "enabled",
        "user_enabled_invert": False,
        "user_enabled_mask": 0,
        "user_enabled_default": "True",
        "user_attribute_ignore": ["default_project_id"],
        "user_default_project_id_attribute": None,
        "user_enabled_emulation": False,
        "user_enabled_emulation_dn": None,
        "user_enabled_emulation_use_group_config": False,
        "user_additional_attribute_mapping": [],
        "group_tree_dn": None,
        "group_filter": None,
        "group_objectclass": "groupOfNames",
        "group_id_attribute": "cn",
        "group_name_attribute": "ou",
        "group_members_are_ids": False,
        "group_member_attribute": "member",
        "group_desc_attribute": "description",
        "group_attribute_ignore": [],
        "group_additional_attribute_mapping": [],
        "tls_cacertfile": None,
        "tls_cacertdir": None,
        "use_tls": False,
        "tls_req_cert": "demand",
        "use_pool": True,
        "pool_size": 10,
        "pool_retry_max": 3,
        "pool_retry_delay": 0.1,
        "pool_connection_timeout": -1,
        "pool_connection_lifetime": 600,
        "use_auth_pool": True,
        "auth_pool_size": 100,
        "auth_pool_connection_lifetime": 60,
    },
}
"""What may be set for a domain, with Keystone's own defaults."""
SENSITIVE = {"identity": (), "ldap": ("password",)}


def _invalid(reason: str) -> Forbidden:
    return Forbidden(f"Invalid domain specific configuration: {reason}.")


def _check_known(group: str | None, option: str | None, *, shown: bool = False) -> None:
    """:raises Forbidden: a group or an option that may not be set (or, with ``shown``, not be read)."""
    if group is not None and group not in DEFAULTS:
        raise _invalid(f"Group {group} is not supported for domain specific configurations")
    if group is None or option is None or option in DEFAULTS[group]:
        return
    if shown:
        raise _invalid(f"Reading the default for option {option} in group {group} is not supported")
    if option not in SENSITIVE[group]:
        raise _invalid(f"Option {option} in group {group} is not supported for domain specific configurations")


def _check_config(config: Any) -> None:
    if not isinstance(config, dict) or not config:
        raise _invalid("No options specified")
    for group, options in config.items():
        if not isinstance(options, dict) or not options:
            raise _invalid(f"The value of group {group} specified in the config should be a dictionary of options")
        for option in options:
            _check_known(group, option)


def _shown(found: Iterable[Row[Any]]) -> Config:
    config: Config = {}
    for row in found:
        if row.option not in SENSITIVE.get(row.group, ()):
            config.setdefault(row.group, {})[row.option] = row.value
    return config


def _not_found(domain_id: str, group: str | None, option: str | None) -> NotFound:
    what = f"option {option} in group {group}" if option else f"group {group}" if group else "any options"
    return NotFound(f"Could not find {what} in domain configuration for domain {domain_id}.")


def _require_domain(tx: Tx, domain_id: str) -> None:
    require(tx, project, domain_id, "domain", is_domain=True)


def show(core: Core, domain_id: str, group: str | None, option: str | None) -> dict[str, Any]:
    """The configuration, or a group's options under its name, or one option under its own."""
    with core.db.read() as tx:
        _require_domain(tx, domain_id)
        _check_known(group, option)
        config = _shown(store.options(tx, domain_id, group, option))
    if not config:
        raise _not_found(domain_id, group, option)
    return config[group] if group and option else config


def replace(core: Core, domain_id: str, config: Any) -> tuple[Config, bool]:
    """Set the whole configuration; tells also whether there was none before."""
    with core.db.write() as tx:
        _require_domain(tx, domain_id)
        _check_config(config)
        new = not store.options(tx, domain_id)
        store.forget(tx, domain_id)
        return _put(tx, domain_id, config), new


def _put(tx: Tx, domain_id: str, config: Mapping[str, Mapping[str, Any]]) -> Config:
    for group, options in config.items():
        for option, value in options.items():
            store.put(tx, domain_id, group, option, value)
    audit.record(tx, "updated", "domain_config", domain_id)
    return _shown(store.options(tx, domain_id))


def update(core: Core, domain_id: str, config: Any, group: str | None, option: str | None) -> Config:
    """Change the configuration, one group, or one option, which must be there already; returns all of it."""
    with core.db.write() as tx:
        _require_domain(tx, domain_id)
        if group and option and isinstance(config, dict) and group not in config:
            config = {group: config}
        _check_config(config)
        _check_known(group, option)
        if group:
            if set(config) != {group}:
                raise _invalid(
                    f"Trying to update group {group}, so that, and only that, group must be specified in the config"
                )
            if option and set(config[group]) != {option}:
                raise _invalid(
                    f"Trying to update option {option} in group {group}, so that, and only that, option must be "
                    "specified in the config"
                )
            if not store.options(tx, domain_id, group, option):
                raise _not_found(domain_id, group, option)
        return _put(tx, domain_id, config)


def delete(core: Core, domain_id: str, group: str | None, option: str | None) -> None:
    with core.db.write() as tx:
        _require_domain(tx, domain_id)
        _check_known(group, option)
        if group and not store.options(tx, domain_id, group, option):
            raise _not_found(domain_id, group, option)
        store.forget(tx, domain_id, group, option)
        audit.record(tx, "deleted", "domain_config", domain_id)


def defaults(group: str | None, option: str | None) -> dict[str, Any]:
    """What holds where a domain says nothing, in the same three forms as :func:`show`."""
    _check_known(group, option, shown=True)
    if group and option:
        return {option: DEFAULTS[group][option]}
    return {group: DEFAULTS[group]} if group else DEFAULTS


def security_compliance(core: Core, domain_id: str, option: str | None) -> dict[str, Any]:
    """The rule for passwords, which holds in the whole cloud and is told for the default domain.

    :raises Forbidden: another domain, or an option that is not told.
    """
    if domain_id != DEFAULT_DOMAIN:
        raise _invalid(
            "Reading security compliance information for any domain other than the default domain is not allowed or "
            "supported."
        )
    config = core.config
    told = {name: getattr(config, name) or None for name in ("password_regex", "password_regex_description")}
    if option is None:
        return {"security_compliance": told}
    if option not in told:
        raise _invalid(
            "Reading security compliance values other than password_regex and password_regex_description is not "
            "allowed."
        )
    return {option: told[option]}
