"""A call: its parameters, who signed it, and which action it asks for.

Sources: AWS CloudFormation API Reference, "Making Query Requests", "Common Parameters"; AWS General Reference,
"Signature Version 2 signing process", "Signature Version 4".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import parse_qsl

from tane.services.identity import interface as identity
from tane.services.orchestration.api.cfn import answers
from tane.services.orchestration.api.cfn.errors import CfnError
from tane.services.orchestration.template import effort
from tane.shares import TakesLong
from tane.web import codec, inside
from tane.web.access import permits_all
from tane.web.context import Context
from tane.web.errors import ApiError, BadRequest, NotFound, Unauthorized
from tane.web.request import Request, Response

TYPES = ("cloudformation",)
"""As access rules name it."""
FORM = "application/x-www-form-urlencoded"
MOST_BODY = 2 << 20
"""Bytes of a form: a template of 512 KiB is up to three times as long in one."""
MOST_PARAMETERS = 2000
QUICK = 16 << 10
"""Bytes of a form that is read at once; a longer one, in a thread."""
ALGORITHM = "AWS4-HMAC-SHA256"
FIELDS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
NO_TIME = "SignatureVersion=2 and Timestamp are needed."
NO_SCOPE = "Credential should be scoped to this day and to cloudformation."
STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z\Z")
MEMBER = re.compile(r"([A-Za-z]+)\.member\.([0-9]{1,4})(?:\.([A-Za-z]+))?\Z")


@dataclass
class Call:
    """``long``: this is a thread for what computes for seconds."""

    request: Request
    ctx: Context
    action: str
    params: Mapping[str, str]
    long: bool = False

    def ask(self, method: str, path: str, body: Any = None, query: inside.Query = ()) -> Any:
        """Heat's own API, as the caller: ``path`` that below the project. :raises ApiError:"""
        where = f"/v1/{self.ctx.project_id}{path}"
        core = self.request.core
        return inside.call(core, self.ctx, "orchestration", method, where, body, query=query, long=self.long)

    def needed(self, name: str) -> str:
        """:raises CfnError: it is not given."""
        found = self.params.get(name)
        if not found:
            raise CfnError("MissingParameter", f"{name} was not given.")
        return found

    def members(self, name: str) -> list[dict[str, str]]:
        """A list of the parameters: ``NAME.member.1.KEY=VALUE``; plain values stand under ""."""
        found: dict[int, dict[str, str]] = {}
        for key, value in self.params.items():
            match = MEMBER.match(key)
            if match is not None and match[1] == name:
                found.setdefault(int(match[2]), {})[match[3] or ""] = value
        return [found[number] for number in sorted(found)]

    def flag(self, name: str) -> bool | None:
        """:raises CfnError: it is neither true nor false."""
        given = self.params.get(name)
        if given is None or given == "":
            return None
        if given.lower() not in ("true", "false"):
            raise CfnError("InvalidParameterValue", f"{name} is true or false, not {given[:100]!r}.")
        return given.lower() == "true"


Action = Callable[[Call], Mapping[str, Any]]


async def answered(request: Request, actions: Mapping[str, Action]) -> Response:
    """Let the caller in and do what is asked. :raises ApiError: before it is known how the answer is to look."""
    body = await _body(request)
    read = partial(_parameters, request, body)
    params = read() if len(body) <= QUICK else await request.core.in_thread(read)
    json = params.get("ContentType") == "JSON"
    try:
        ctx = await request.core.in_thread(_caller, request, params, body)
        request.ctx = ctx
        request.count_for(ctx.project_id)
        request.admitted()
        action = _chosen(request, params, actions)
        call = Call(request, ctx, params["Action"], params)
        try:
            # Whatever it asks for is one request, with what one request may spend.
            result = await request.core.in_thread(effort.within, effort.little(), partial(action, call))
        except TakesLong:
            call.long = True
            work = partial(effort.within, effort.much(), partial(action, call))
            result = await request.core.in_long_thread(ctx.project_id, work)
    except ApiError as error:
        return answers.refused(error, json=json)
    return await request.core.in_thread(answers.answer, call.action, result, json=json)


# ------------------------------------------------------------------------------------------------------- parameters


async def _body(request: Request) -> bytes:
    """:raises CfnError: it is too long, or no form."""
    if request.method != "POST":
        return b""
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in (FORM, ""):
        raise CfnError("InvalidQueryParameter", f"The body is a form ({FORM}), not {kind[:100]}.")
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()) or int(length) > request.core.config.limits.anonymous_body:
        # Who sends it is known only when all of it is there.
        request.grow()
    assert request.stream is not None
    found, buffer = bytearray(), memoryview(bytearray(1 << 16))
    while True:
        count = await request.stream.readinto(buffer)
        found += buffer[:count]
        if len(found) > MOST_BODY:
            raise CfnError("RequestLimitExceeded", f"A call has at most {MOST_BODY} bytes.")
        if count < len(buffer):
            return bytes(found)


def _parameters(request: Request, body: bytes) -> dict[str, str]:
    """Those of the address and of the form together. :raises CfnError: one is there twice, or they cannot be read."""
    try:
        form = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict")
    except ValueError:
        raise CfnError("InvalidQueryParameter", "The form cannot be read.") from None
    found: dict[str, str] = {}
    for name, value in (*request.query, *form):
        if name in found:
            raise CfnError("InvalidQueryParameter", f"The parameter {name[:100]} is given twice.")
        found[name] = value
        try:
            codec.refuse_half(name + value)
            codec.refuse_nul(name[:100], name + value)
        except BadRequest as error:
            raise CfnError("InvalidQueryParameter", error.message) from None
    return found


# --------------------------------------------------------------------------------------------------------- signatures


def _signed(request: Request, params: Mapping[str, str], body: bytes) -> dict[str, Any]:
    """What must have been signed, by version 4 in the headers or the address, or by version 2.

    :raises CfnError: there is no signature, or it does not say who signed what and when.
    """
    headers = dict(request.headers)
    call: dict[str, Any] = {
        "verb": request.method,
        "host": headers.get("host", ""),
        "path": request.raw_path,
        "headers": headers,
        "body_hash": hashlib.sha256(body).hexdigest(),
        "params": dict(request.query),
    }
    given = headers.get("authorization", "")
    if given.startswith(ALGORITHM):
        fields = FIELDS.findall(given)
        found = dict(fields)
        if len(found) != 3 or len(fields) != 3:
            raise CfnError("IncompleteSignature", "Authorization needs Credential, SignedHeaders and Signature.")
        return _version_4(call, found, headers.get("x-amz-date"))
    if "X-Amz-Signature" in call["params"]:
        query = call["params"]
        _refuse_expired(request, query.get("X-Amz-Date", ""), query.get("X-Amz-Expires", ""))
        found = {name: query.get(f"X-Amz-{name}", "") for name in ("Credential", "SignedHeaders", "Signature")}
        return _version_4(call, found, query.get("X-Amz-Date"))
    if "Signature" not in params:
        raise CfnError("IncompleteSignature", "There is no signature.")
    if not params.get("AWSAccessKeyId"):
        raise CfnError("MissingAuthenticationToken")
    if params.get("SignatureVersion") != "2":
        raise CfnError("IncompleteSignature", NO_TIME)
    return {**call, "params": dict(params), "access": params["AWSAccessKeyId"], "signature": params["Signature"]}


def _refuse_expired(request: Request, date: str, seconds: str) -> None:
    """An address is good for as long as it says. :raises CfnError:"""
    if not (seconds.isascii() and seconds.isdigit()) or len(seconds) > 6 or not STAMP.match(date):
        raise CfnError("IncompleteSignature", "X-Amz-Date and X-Amz-Expires (in seconds) are needed.")
    try:
        until = datetime.strptime(date, "%Y%m%dT%H%M%SZ") + timedelta(seconds=int(seconds))
    except ValueError:
        raise CfnError("IncompleteSignature", "X-Amz-Date is no moment.") from None
    if request.core.clock.now() > until:
        raise CfnError("RequestExpired")


def _version_4(call: dict[str, Any], found: Mapping[str, str], date: str | None) -> dict[str, Any]:
    access, *scope = found["Credential"].split("/")
    if not access:
        raise CfnError("MissingAuthenticationToken")
    if len(scope) != 4 or scope[3] != "aws4_request" or scope[0] != (date or "")[:8]:
        raise CfnError("SignatureDoesNotMatch", NO_SCOPE)
    if "host" not in found["SignedHeaders"].split(";") or not date:
        raise CfnError("IncompleteSignature", "The header host and X-Amz-Date have to be signed.")
    # Of version 2 alone: it would say that it is that.
    call["params"] = {name: value for name, value in call["params"].items() if name != "SignatureVersion"}
    return {**call, "access": access, "scope": scope, "signature": found["Signature"]}


def _caller(request: Request, params: Mapping[str, str], body: bytes) -> Context:
    """:raises CfnError: nobody, or somebody else, or not by the credential's access rules."""
    signed = _signed(request, params, body)
    try:
        ctx = identity.sent_by(request.core, signed, request.ctx.request_id)
    except NotFound:
        raise CfnError("InvalidClientTokenId") from None
    except Unauthorized as error:
        expired = error.type == identity.EXPIRED
        raise CfnError("RequestExpired" if expired else "SignatureDoesNotMatch") from None
    if not identity.is_guest(ctx):
        _refuse_loose(params, signed)
    if not ctx.project_id or not permits_all(ctx.access_rules, TYPES, request.method, request.url_path):
        raise CfnError("AccessDenied")
    return ctx


def _refuse_loose(params: Mapping[str, str], signed: Mapping[str, Any]) -> None:
    """What programs of guests leave out is needed of all others: os-collect-config says no time, and heat-cfntools
    takes the name of a service out of an address. Their keys are good for the metadata of their stack alone.

    :raises CfnError:
    """
    if "Signature" in params and "scope" not in signed and not params.get("Timestamp"):
        raise CfnError("IncompleteSignature", NO_TIME)
    if "scope" in signed and signed["scope"][2] != "cloudformation":
        # A key that was derived for another service is good for that alone.
        raise CfnError("SignatureDoesNotMatch", NO_SCOPE)


def _chosen(request: Request, params: Mapping[str, str], actions: Mapping[str, Action]) -> Action:
    name = params.get("Action")
    if not name:
        raise CfnError("MissingAction")
    action = actions.get(name)
    if action is None:
        raise CfnError("InvalidAction", f"The action {name[:100]} is not one of: {', '.join(actions)}.")
    if not request.allows(f"cloudformation:{name}"):
        raise CfnError("AccessDenied", f"Action {name} not allowed for user")
    return action
