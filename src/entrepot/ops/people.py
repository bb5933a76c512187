"""Who is who: the first account, people, keys, passwords, and telling one from a name and a secret."""

import asyncio
import hmac
import secrets
import string
from dataclasses import dataclass

from entrepot.errors import HubError, Kind
from entrepot.model import networks, policy
from entrepot.model.policy import Attached
from entrepot.ops import guesses
from entrepot.ops.context import RIGHTS, Hub, Who
from entrepot.store.db import Rows
from entrepot.store.sql import people as sql
from entrepot.store.sql import policies as policies_sql
from entrepot.store.sql.policies import Attachment

PASSWORD_LENGTH = 8
WAITING = 500
"""Most password checks that wait at once in one process; beyond it, logins are told to come back."""
VERIFIED = 4096
"""Most passwords remembered as right, by keyed hash, in one process."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """A new person's credentials; the only time they are all in one place."""

    email: str
    password: str
    public_key: str
    private_key: str
    project_id: str


def who(rows: Rows, person: sql.Person) -> Who:
    """A person row as a caller. The main user holds every right of its account, whatever policies say."""
    if person.is_main:
        return Who(person.id, person.account_id, person.email, is_main=True, rights=frozenset(RIGHTS))
    held = policies_of(policies_sql.attached(rows, f"user {person.id}"))
    return Who(person.id, person.account_id, person.email, rights=frozenset(person.rights.split()), policies=held)


def policies_of(attachments: list[Attachment]) -> tuple[Attached, ...]:
    """What somebody's attached policies say."""
    return tuple(
        Attached(policy.parse(one.document or policy.SYSTEM[one.urn].document), one.project_id)
        for one in attachments
        if one.document is not None or one.urn in policy.SYSTEM
    )


def check_login_network(person: sql.Person, login: str, address: str) -> None:
    """Raise IP_REJECTED where the account does not log in (with a password), or call (with a key), from an address."""
    allowed = person.login_networks if "@" in login else person.api_networks
    if allowed and not networks.contains(allowed, address):
        raise HubError(Kind.IP_REJECTED, f"{address} is not in the account's networks")


def new_secret(length: int) -> str:
    """Letters and digits only: it is pasted into shells and URLs, and must never look like an option."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def new_key(hub: Hub) -> tuple[str, str, str]:
    """(public key, private key, the private key sealed for its row)."""
    public_key, private_key = new_secret(44), secrets.token_hex(24)
    return public_key, private_key, hub.vault.seal(private_key, public_key)


async def first_account(hub: Hub, *, email: str, password: str | None) -> Secrets:
    """The first account of an empty hub; raises ALREADY_INITIALISED when there is a person."""
    return await add_user(hub, email, password=password, rights=frozenset(RIGHTS), account_of=None, only_first=True)


async def add_user(
    hub: Hub,
    email: str,
    *,
    password: str | None,
    rights: frozenset[str],
    account_of: str | None,
    only_first: bool = False,
) -> Secrets:
    """A person with a key: in the account of ``account_of`` (an e-mail), or as main user of a new account.

    Without a password one is made. Raises EXISTS, USER_UNKNOWN, BAD_PARAM, and with ``only_first``
    ALREADY_INITIALISED when there is somebody.
    """
    check_new(email, password, rights)
    password = password or new_secret(24)
    password_hash = await asyncio.to_thread(hub.vault.hash_password, password)
    public_key, private_key, sealed = new_key(hub)
    now = int(hub.clock())

    def add(rows: Rows) -> str:
        if only_first and sql.first_main(rows) is not None:
            raise HubError(Kind.ALREADY_INITIALISED, "nothing was changed; add people with `entrepot user add`")
        if account_of is None:
            account_id = sql.add_account(rows, email, f"org-{secrets.token_hex(4)}", now)
        else:
            account_id = _known(sql.by_email(rows, account_of), account_of).account_id
        person_id = sql.add_person(
            rows,
            account_id=account_id,
            email=email,
            is_main=account_of is None,
            rights=" ".join(sorted(rights)),
            password_hash=password_hash,
            now=now,
        )
        if person_id is None:
            raise HubError(Kind.EXISTS, f"a user {email}")
        sql.add_key(rows, public_key, sealed, person_id, now)
        project_id = sql.default_project(rows, account_id)
        assert project_id is not None
        return project_id

    project_id = await hub.db.write(add)
    return Secrets(email, password, public_key, private_key, project_id)


def check_new(email: str, password: str | None, rights: frozenset[str]) -> None:
    """Raises BAD_PARAM for what a new person may not have."""
    if "@" not in email or len(email) > 200 or ":" in email or any(not c.isprintable() or c.isspace() for c in email):
        raise HubError(Kind.BAD_PARAM, f"email: {email[:60]!r} is not an e-mail address")
    if password is not None:
        check_password_rule(password)
    unknown = rights - set(RIGHTS)
    if unknown:
        raise HubError(Kind.BAD_PARAM, f"rights: {' '.join(sorted(unknown))}; known are {' '.join(RIGHTS)}")


def check_password_rule(password: str) -> None:
    """Raises BAD_PARAM for a password that is too short or too long."""
    if not PASSWORD_LENGTH <= len(password) <= 1024:
        raise HubError(Kind.BAD_PARAM, f"password: {PASSWORD_LENGTH} to 1024 characters")


def _known(person: sql.Person | None, email: str) -> sql.Person:
    if person is None:
        raise HubError(Kind.USER_UNKNOWN, f"{email}; `entrepot user list` shows all")
    return person


async def list_users(hub: Hub) -> list[sql.Person]:
    """Everybody, oldest first. Hashes included: print fields, not rows."""
    return await hub.db.read(sql.everyone)


async def operator(hub: Hub, email: str | None = None) -> Who:
    """The person an operator on the spot acts as: the given one, else the first account's main user."""

    def find(rows: Rows) -> Who:
        person = sql.first_main(rows) if email is None else _known(sql.by_email(rows, email), email)
        if person is None:
            raise HubError(Kind.NOT_INITIALISED, "it has no account; run `entrepot init`")
        return who(rows, person)

    return await hub.db.read(find)


async def set_password(hub: Hub, email: str, password: str, *, registry: bool) -> None:
    """Set the console password, or the independent registry password. Raises USER_UNKNOWN, BAD_PARAM."""
    check_password_rule(password)
    hashed = await asyncio.to_thread(hub.vault.hash_password, password)

    def change(rows: Rows) -> None:
        person = _known(sql.by_email(rows, email), email)
        (sql.set_registry_password if registry else sql.set_password)(rows, person.id, hashed)

    await hub.db.write(change)


async def set_active(hub: Hub, email: str, *, active: bool) -> None:
    """Disable or enable a person; keys and passwords follow at once, registry tokens when they expire."""

    def change(rows: Rows) -> None:
        sql.set_active(rows, _known(sql.by_email(rows, email), email).id, is_active=active)

    await hub.db.write(change)


async def create_key(hub: Hub, email: str) -> Secrets:
    """One more key for a person; ``password`` of the answer is empty. Raises USER_UNKNOWN."""
    public_key, private_key, sealed = new_key(hub)

    def add(rows: Rows) -> str:
        person = _known(sql.by_email(rows, email), email)
        sql.add_key(rows, public_key, sealed, person.id, int(hub.clock()))
        return sql.default_project(rows, person.account_id) or ""

    return Secrets(email, "", public_key, private_key, await hub.db.write(add))


async def list_keys(hub: Hub, email: str) -> list[tuple[str, int, int]]:
    """Public key, active or not, time made. Raises USER_UNKNOWN."""
    return await hub.db.read(lambda rows: sql.keys_of(rows, _known(sql.by_email(rows, email), email).id))


async def delete_key(hub: Hub, public_key: str) -> None:
    """Forget a key for good. Raises KEY_UNKNOWN."""
    if not await hub.db.write(sql.delete_key, public_key):
        raise HubError(Kind.KEY_UNKNOWN, public_key)


async def login(hub: Hub, name: str, secret: str, address: str, hint: str = "") -> Who:
    """The person behind a registry login; raises UNAUTHORIZED without telling what was wrong, with a ``hint`` if any.

    ``name`` is an e-mail (with the console or the registry password) or a public key (with its private key). Raises
    THROTTLED after many wrong ones, and IP_REJECTED, to those who know the secret, where the account's networks do not
    hold the address.
    """
    if len(name) > 256 or len(secret) > 1024:
        raise HubError(Kind.UNAUTHORIZED, "name or password is wrong")
    if "@" in name:
        person = await by_password(hub, name, secret, registry=True, address=address)
    else:
        person = await _by_key(hub, name, secret)
    if person is None or not person.is_active:
        raise await guesses.wrong(hub, name, address, hint)
    check_login_network(person, name, address)
    return await hub.db.read(who, person)


async def by_password(
    hub: Hub, email: str, password: str, *, registry: bool, address: str | None = None
) -> sql.Person | None:
    """Who has this e-mail and console password, or with ``registry`` this registry password.

    ``address``: where it comes from, when wrong guesses from there count here. Raises THROTTLED.
    """
    person = await hub.db.read(sql.by_email, email)
    # As many checks for nobody as for somebody: the time must not tell which names there are.
    hashes: list[str | None] = [None, None] if registry else [None]
    if person and person.may_log_in:
        hashes = [person.password_hash, *([person.registry_password_hash] if registry else [])]
    if any(hashed and _pair(hub, hashed, password) in hub.verified for hashed in hashes):
        return person
    if address is not None:
        await guesses.check(hub, email, address)
    if hub.checking >= WAITING:
        raise HubError(Kind.THROTTLED, "many are logging in")
    hub.checking += 1
    try:
        # A check takes 19 MiB and tens of milliseconds: few at a time, whatever a flood of logins wants.
        async with hub.password_gate:
            for hashed in hashes:
                if await _is_right(hub, hashed, password):
                    return person
    finally:
        hub.checking -= 1
    return None


async def _is_right(hub: Hub, hashed: str | None, password: str) -> bool:
    if hashed and _pair(hub, hashed, password) in hub.verified:
        return True  # somebody with the same password was first in the queue
    if not await asyncio.to_thread(hub.vault.check_password, hashed, password) or not hashed:
        return False
    _remember(hub, _pair(hub, hashed, password))
    return True


def _pair(hub: Hub, hashed: str, password: str) -> bytes:
    # The stored hash is part of the key: a changed password is forgotten by itself.
    return hmac.digest(hub.vault.derive("verified"), f"{len(hashed)}:{hashed}{password}".encode(), "sha256")


def _remember(hub: Hub, pair: bytes) -> None:
    # argon2 takes tens of milliseconds; clients that speak Basic send the same password with every request.
    if len(hub.verified) >= VERIFIED:
        hub.verified.pop(next(iter(hub.verified)))
    hub.verified[pair] = None


async def _by_key(hub: Hub, public_key: str, private_key: str) -> sql.Person | None:
    found = await hub.db.read(sql.by_key, public_key)
    if found is None:
        return None
    person, sealed = found
    known = hub.vault.open(sealed, public_key)
    return person if hmac.compare_digest(known.encode(), private_key.encode()) else None


async def named(hub: Hub, login: str) -> Who | None:
    """Whom a login name belongs to, whatever its secret; None for nobody."""
    if "@" in login:
        person = await hub.db.read(sql.by_email, login)
    else:
        found = await hub.db.read(sql.by_key, login)
        person = found[0] if found else None
    return await hub.db.read(who, person) if person else None
