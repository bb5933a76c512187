"""Signing in at the console: throttled, without telling who exists; sessions that end with the password they rest on.

A session is a row under the digest of a random cookie. It ends by signing out, when it is not used for IDLE_SECONDS,
after LIFE_SECONDS, with a new password, and with the person; a disabled person is signed out at the next request.
"""

import asyncio
import contextlib
import hashlib
import hmac
import secrets
from typing import NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.model import networks
from entrepot.ops import audit, guesses, people
from entrepot.ops.context import Ctx, Hub, Who
from entrepot.ops.guesses import Tries
from entrepot.store.db import Rows
from entrepot.store.sql import logins as sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql.people import Person

IDLE_SECONDS = 12 * 3600
LIFE_SECONDS = 7 * 86_400
SEEN_EVERY = 300
"""A session notes that it is used at most this often."""
SESSIONS = 20
"""Most sessions of one person; the oldest one ends."""


class Visitor(NamedTuple):
    """Somebody who is signed in. ``project_id`` is the account's default project."""

    who: Who
    user_name: str
    project_id: str


async def sign_in(ctx: Ctx, email: str, password: str) -> str:
    """The cookie of a new session, for an e-mail and its console password (not the registry password).

    Raises UNAUTHORIZED without telling what was wrong, THROTTLED after many failures, and to those who know the
    password IP_REJECTED where the account's networks do not hold the address.
    """
    hub = ctx.hub
    if len(email) > 256 or len(password) > 1024 or "@" not in email:
        raise HubError(Kind.UNAUTHORIZED, "e-mail or password is wrong")
    person = await _checked(ctx, email, password)
    if person is None or not person.is_active:
        refusal = HubError(Kind.UNAUTHORIZED, "e-mail or password is wrong")
        if (known := await people.named(hub, email)) is not None:
            await audit.record(ctx, "Login", email, refusal.kind.row.ret_code, known)
        raise refusal
    people.check_login_network(person, email, ctx.address)
    cookie = secrets.token_urlsafe(32)

    def add(rows: Rows) -> Who:
        sql.add(rows, _digest(cookie), person.id, _basis(hub, person), ctx.now)
        sql.keep_newest(rows, person.id, _digest(cookie), SESSIONS)
        return people.who(rows, person)

    who = await hub.db.write(add)
    await audit.record(ctx, "Login", email, who=who)
    return cookie


async def visitor(hub: Hub, cookie: str, address: str, *, is_use: bool) -> Visitor | None:
    """Who is signed in with a cookie, as their rights are now; None for nobody.

    ``is_use`` False: a page that looks by itself whether something changed does not keep a session alive.
    """
    if not 20 <= len(cookie) <= 100:
        return None
    now, digest = int(hub.clock()), _digest(cookie)

    def load(rows: Rows) -> tuple[sql.Session, Who] | None:
        found = sql.find(rows, digest)
        if found is None or not _holds(hub, found, address, now):
            return None
        return found, people.who(rows, found.person)

    found = await hub.db.read(load)
    if found is None:
        return None
    session, who = found
    if is_use and now - session.seen_at >= SEEN_EVERY:
        # On a full disk the pages must still be there for who has to make room.
        with contextlib.suppress(HubError):
            await hub.db.note(sql.see, digest, now)
    return Visitor(who, session.user_name, session.project_id)


async def sign_out(hub: Hub, cookie: str) -> None:
    """End a session; no error where there is none. The cookie is worth nothing from now on."""
    await hub.db.write(sql.end, _digest(cookie))


async def set_password(ctx: Ctx, current: str, new: str, *, registry: bool) -> None:
    """Change the own console password, or set the own registry password; both ask for the console password.

    A new console password ends every session. Raises DENIED (in a role, or for a wrong password), BAD_PARAM, THROTTLED.
    """
    if ctx.who.role:
        raise HubError(Kind.DENIED, "who acts in a role has no password")
    people.check_password_rule(new)
    person = await _checked(ctx, ctx.who.email, current[:1025])
    if person is None or person.id != ctx.who.person_id:
        raise HubError(Kind.DENIED, "the current password is wrong")
    hashed = await asyncio.to_thread(ctx.hub.vault.hash_password, new)
    change = people_sql.set_registry_password if registry else people_sql.set_password
    await ctx.hub.db.write(change, person.id, hashed)


def _holds(hub: Hub, session: sql.Session, address: str, now: int) -> bool:
    person = session.person
    allowed = person.login_networks
    return (
        now - session.seen_at < IDLE_SECONDS
        and now - session.created_at < LIFE_SECONDS
        and bool(person.is_active and person.may_log_in)
        and hmac.compare_digest(session.basis, _basis(hub, person))
        and (not allowed or networks.contains(allowed, address))
    )


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()


def _basis(hub: Hub, person: Person) -> str:
    text = f"{person.id}:{person.password_hash}"
    return hmac.digest(hub.vault.derive("console-session"), text.encode(), "sha256").hex()


async def _checked(ctx: Ctx, email: str, password: str) -> Person | None:
    """The person with this console password; a failure uses up a try. Raises THROTTLED.

    The try is taken before the check and given back after a right one: a thousand tries at once are a thousand tries.
    """
    taken = _tries(ctx, email)
    if not await guesses.take(ctx.hub, taken):
        raise HubError(Kind.THROTTLED, "many logins failed; wait a minute")
    person = await people.by_password(ctx.hub, email, password, registry=False)
    if person is not None:
        await guesses.give_back(ctx.hub, taken)
    return person


def _tries(ctx: Ctx, email: str) -> list[Tries]:
    """Of a name from an address, of an address, of a name."""
    name, address = email.lower(), networks.neighbourhood(ctx.address)
    return [
        guesses.tries(ctx.hub, "console", name, address, most=10, seconds=30),
        guesses.tries(ctx.hub, "console address", address, most=50, seconds=5),
        guesses.tries(ctx.hub, "console name", name, most=200, seconds=10),
    ]
