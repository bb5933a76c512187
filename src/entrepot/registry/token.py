"""The token endpoint, GET and POST (distribution's auth specs: token, oauth)."""

import base64
import binascii
from datetime import UTC, datetime
from urllib.parse import parse_qsl

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.ops import access, audit, logins
from entrepot.ops.context import NOBODY, Who
from entrepot.registry.wire import JSON, Answer, Call

FORM_LENGTH = 65_536


async def get(call: Call) -> Answer:
    """GET /token: Basic credentials or none; rights that are not there are left out, wrong credentials are 401."""
    query = call.query()
    header = call.headers.get(b"authorization", b"").decode("latin-1")
    login = ""
    who = NOBODY
    if header:
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            raise HubError(Kind.UNAUTHORIZED, "log in with Basic credentials")
        login, secret = basic(value)
        who = await _login(call, login, secret)
    wants_refresh = bool(login) and query.get("offline_token") == ["true"]
    return await _answer(call, who, query.get("scope", []), login if wants_refresh else "")


async def post(call: Call) -> Answer:
    """POST /token: OAuth2, ``grant_type`` password or refresh_token."""
    raw = await call.small_body(FORM_LENGTH, Kind.TOO_LARGE)
    try:
        form = dict(parse_qsl(raw.decode("utf-8"), keep_blank_values=True))
    except ValueError as fault:
        raise HubError(Kind.BAD_REQUEST, "the form is not UTF-8") from fault
    hub, grant = call.ctx.hub, form.get("grant_type", "")
    if grant == "password":
        login = form.get("username", "")
        who = await _login(call, login, form.get("password", ""))
    elif grant == "refresh_token":
        who, login = await access.refresh(hub, form.get("refresh_token", ""), call.ctx.address)
    else:
        raise HubError(Kind.BAD_REQUEST, "grant_type must be password or refresh_token")
    offline = form.get("access_type") == "offline" or grant == "refresh_token"
    return await _answer(call, who, [form.get("scope", "")], login if offline else "")


async def _login(call: Call, login: str, secret: str) -> Who:
    """The person; a line in the audit trail of their account, also when the secret was wrong."""
    hub = call.ctx.hub
    try:
        who = await logins.login(hub, login, secret, call.ctx.address)
    except HubError as fault:
        if fault.kind is Kind.UNAUTHORIZED and (known := await logins.named(hub, login)) is not None:
            await audit.record(call.ctx, "Login", login, fault.kind.row.ret_code, known)
        raise
    await audit.record(call.ctx, "Login", login, who=who)
    return who


async def _answer(call: Call, who: Who, scopes: list[str], refresh_for: str) -> Answer:
    call.ctx.who = who
    token, life = await access.issue(call.ctx, access.parse_scopes(scopes))
    reply = {
        "token": token,
        "access_token": token,
        "expires_in": life,
        "issued_at": datetime.fromtimestamp(call.ctx.now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "scope": " ".join(scopes),
    }
    if refresh_for and who.robot is None:  # a robot's secret is all there is of it: what ends it must end everything
        reply["refresh_token"] = await access.issue_refresh(call.ctx, refresh_for)
    return Answer(200, [JSON, (b"cache-control", b"no-store")], msgspec.json.encode(reply))


def basic(value: str) -> tuple[str, str]:
    """Name and secret of Basic credentials (RFC 7617); raises UNAUTHORIZED."""
    try:
        name, colon, secret = base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as fault:
        raise HubError(Kind.UNAUTHORIZED, "the Basic credentials cannot be read") from fault
    if not colon:
        raise HubError(Kind.UNAUTHORIZED, "the Basic credentials hold no colon")
    return name, secret
