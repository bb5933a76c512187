"""Roles and temporary keys (UCloud STS): a trusted person acts in a role for a while, with its policies alone."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.model import names, policy
from entrepot.model.policy import Target
from entrepot.ops import audit, permits, policies
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.ops.people import new_secret, policies_of
from entrepot.store.db import Rows
from entrepot.store.sql import audit as audit_sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql import policies as sql
from entrepot.store.sql.policies import Role, Session

SHORTEST = 900
"""Seconds; UCloud's shortest session."""
LONGEST = 43_200
_URN = re.compile(r"ucs:iam::(\d{1,18}):role/([A-Za-z0-9_.@-]{1,64})")
_PRINCIPAL = re.compile(r"ucs:iam::(\d{1,18}):(root|user/[^\s:/]{1,64})")
_SESSION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_ACCOUNTS = 64
SESSIONS = 100
"""Most temporary keys that one person has of one role at a time."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """A temporary key; the only time that secret and token are shown."""

    public_key: str
    private_key: str
    token: str
    expires_at: int


def trusted(document: str) -> tuple[tuple[int, str], ...]:
    """(account, user name or "" for all its people) that a trust document names; raises BAD_PARAM.

    Form: statements with Effect Allow, Action sts:AssumeRole and a Principal ``ucs:iam::<CompanyID>:root`` or
    ``ucs:iam::<CompanyID>:user/<UserName>``, alone, in a list, or under a key of an object.
    """
    if len(document) > policy.DOCUMENT_LENGTH:
        raise HubError(Kind.BAD_PARAM, f"RolePolicyDocument: at most {policy.DOCUMENT_LENGTH} characters")
    try:
        whole = msgspec.json.decode(document.encode(), type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as fault:
        raise HubError(Kind.BAD_PARAM, f"RolePolicyDocument: {str(fault)[:120]}") from fault
    rules = whole.get("Statement")
    rules = [rules] if isinstance(rules, dict) else rules
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise HubError(Kind.BAD_PARAM, "RolePolicyDocument: Statement must be a list of objects")
    found: list[tuple[int, str]] = []
    for rule in rules:
        if rule.get("Effect") != "Allow" or rule.get("Action") not in ("sts:AssumeRole", ["sts:AssumeRole"]):
            raise HubError(Kind.BAD_PARAM, "RolePolicyDocument: Effect must be Allow and Action sts:AssumeRole")
        found += [_principal(text) for text in _texts(rule.get("Principal"))]
    if not 1 <= len(found) <= _ACCOUNTS:
        raise HubError(Kind.BAD_PARAM, f"RolePolicyDocument: 1 to {_ACCOUNTS} principals")
    return tuple(found)


def _texts(value: Any) -> list[Any]:
    under = list(value.values()) if isinstance(value, dict) else [value]
    return [text for one in under for text in (one if isinstance(one, list) else [one])]


def _principal(text: Any) -> tuple[int, str]:
    match = _PRINCIPAL.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise HubError(
            Kind.BAD_PARAM, "RolePolicyDocument: Principal is ucs:iam::<CompanyID>:root or ...:user/<UserName>"
        )
    return int(match[1]), match[2].removeprefix("user/") if match[2] != "root" else ""


async def create(ctx: Ctx, name: str, *, trust: str, description: str, session_seconds: int) -> Role:
    """A new role without any policy. Raises BAD_PARAM, EXISTS, QUOTA_EXCEEDED."""
    names.policy(name)
    trusted(trust)
    if not SHORTEST <= session_seconds <= LONGEST:
        raise HubError(Kind.BAD_PARAM, f"MaxSessionDuration: {SHORTEST} to {LONGEST} seconds")

    def add(rows: Rows) -> Role:
        if sql.roles(rows, ctx.who.account_id, 0, 0)[0] >= policies.POLICIES:
            raise HubError(Kind.QUOTA_EXCEEDED, f"at most {policies.POLICIES} roles in an account")
        free = sql.add_role(
            rows,
            ctx.who.account_id,
            name=name,
            description=description,
            trust=trust,
            session_seconds=session_seconds,
            now=ctx.now,
        )
        if not free:
            raise HubError(Kind.EXISTS, f"a role {name}")
        return policies.role(ctx, rows, name)

    return await ctx.hub.db.write(add)


async def delete(ctx: Ctx, name: str) -> None:
    """A role, with every temporary key of it. Raises ROLE_UNKNOWN."""
    await ctx.hub.db.write(lambda rows: sql.delete_role(rows, policies.role(ctx, rows, name).id))


async def assume(ctx: Ctx, urn: str, *, name: str, seconds: int | None, boundary: str) -> Credentials:
    """Act in a role: a temporary key. Raises DENIED (also where there is no such role), BAD_PARAM.

    Both sides must want it: the role trusts the caller or its account, and the caller, unless it is a main user, may
    call sts:AssumeRole on the role. ``boundary`` narrows what the key may do further.
    """
    if not _SESSION_NAME.fullmatch(name):
        raise HubError(Kind.BAD_PARAM, "RoleSessionName")
    if boundary:
        policy.parse(boundary, policy.SESSION_LENGTH)
    match = _URN.fullmatch(urn)
    if match is None:
        raise HubError(Kind.BAD_PARAM, "RoleUrn")
    who = ctx.who
    refusal = HubError(Kind.DENIED, f"the role {urn} is not there or does not trust you, or you may not take on roles")
    if who.role or not (who.is_main or permits.may(who, "admin", "sts:AssumeRole", Target((urn,)))):
        raise refusal
    public_key, private_key, token = f"STS.{new_secret(22)}", secrets.token_hex(24), new_secret(64)

    def add(rows: Rows) -> int:
        role = sql.find_role(rows, int(match[1]), match[2])
        user = people_sql.user_name(rows, who.person_id)
        if role is None or not {(who.account_id, ""), (who.account_id, user)} & set(trusted(role.trust)):
            raise refusal
        longest = role.session_seconds
        if seconds is not None and not SHORTEST <= seconds <= longest:
            raise HubError(Kind.BAD_PARAM, f"DurationSeconds: {SHORTEST} to {longest} for this role")
        expires = ctx.now + (seconds or min(3600, longest))
        session = Session(
            public_key,
            ctx.hub.vault.seal(private_key, public_key),
            _digest(token),
            who.person_id,
            role.id,
            name,
            boundary,
            expires,
        )
        if sql.live_sessions(rows, who.person_id, role.id, ctx.now) >= SESSIONS:
            raise HubError(Kind.QUOTA_EXCEEDED, f"at most {SESSIONS} temporary keys of one role at a time")
        sql.add_session(rows, session, ctx.now)
        if role.account_id != who.account_id:
            audit_sql.add(rows, audit.entry(ctx, "AssumeRole", f"{urn} {name}", account_id=role.account_id))
        return expires

    return Credentials(public_key, private_key, token, await ctx.hub.db.write(add))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


async def open_session(hub: Hub, public_key: str, token: str) -> tuple[Who, str, str]:
    """Who acts with a temporary key, its private key, and the networks it may call from.

    Raises UNKNOWN_TOKEN for a key that ended, whose role or person is gone, or whose token is another one.
    """

    def load(rows: Rows) -> tuple[Who, str, str] | None:
        found = sql.find_session(rows, public_key)
        if found is None:
            return None
        session, role = found
        person = people_sql.by_id(rows, session.person_id)
        is_right = hmac.compare_digest(session.token_digest, _digest(token))
        # A life longer than any session has: the clock was ahead when it was made, and went back.
        is_alive = 0 < session.expires_at - hub.clock() <= LONGEST + 60
        if not is_right or not is_alive or person is None or not person.is_active:
            return None
        who = Who(
            person.id,
            role.account_id,
            f"{person.email} as {role.name}/{session.name}",
            policies=policies_of(sql.attached(rows, f"role {role.id}")),
            boundary=policy.parse(session.boundary, policy.SESSION_LENGTH) if session.boundary else None,
            role=role.name,
        )
        return who, session.private_key, people_sql.networks(rows, role.account_id)[1]

    found = await hub.db.read(load)
    if found is None:
        raise HubError(Kind.UNKNOWN_TOKEN)
    who, sealed, allowed = found
    return who, hub.vault.open(sealed, public_key), allowed
