"""An account's administration: its members, their keys, its projects. Every id is resolved inside the account."""

import asyncio
import secrets

from entrepot.errors import HubError, Kind
from entrepot.model import networks
from entrepot.ops import people
from entrepot.ops.context import RIGHTS, Ctx
from entrepot.ops.people import Secrets
from entrepot.store.db import Rows
from entrepot.store.sql import members as sql
from entrepot.store.sql import people as people_sql

NAME_LENGTH = 64
KEYS = 50
"""Most access keys of one user."""


async def create(
    ctx: Ctx, user_name: str, *, email: str, display_name: str, password: str | None, log_in: bool, with_key: bool
) -> Secrets:
    """A member without any right yet; its password is made when it may log in and none is given.

    Without an e-mail it logs in as ``<user name>@<account id>``. Raises DENIED, BAD_PARAM, EXISTS.
    """
    _need_admin(ctx)
    _check_name(user_name)
    email = email or (user_name if "@" in user_name else f"{user_name}@{ctx.who.account_id}")
    people.check_new(email, password, frozenset())
    password = password or people.new_secret(24)
    hashed = await asyncio.to_thread(ctx.hub.vault.hash_password, password)
    public_key, private_key, sealed = people.new_key(ctx.hub)

    def add(rows: Rows) -> str:
        person_id = people_sql.add_person(
            rows,
            account_id=ctx.who.account_id,
            email=email,
            is_main=False,
            rights="",
            password_hash=hashed,
            now=ctx.now,
        )
        named = person_id is not None and sql.describe(
            rows, person_id, user_name=user_name, name=display_name or user_name, may_log_in=log_in
        )
        if person_id is None or not named:
            raise HubError(Kind.EXISTS, f"a user {user_name}")
        if with_key:
            people_sql.add_key(rows, public_key, sealed, person_id, ctx.now)
        return people_sql.default_project(rows, ctx.who.account_id) or ""

    project_id = await ctx.hub.db.write(add)
    keys = (public_key, private_key) if with_key else ("", "")
    return Secrets(email, password if log_in else "", *keys, project_id)


async def update(
    ctx: Ctx, user_name: str, *, new_name: str | None, display_name: str | None, active: bool | None
) -> None:
    """Change what is not None. The main user cannot be disabled. Raises DENIED, USER_UNKNOWN, EXISTS, BAD_PARAM."""
    _need_admin(ctx)
    if new_name is not None:
        _check_name(new_name)

    def change(rows: Rows) -> None:
        member = found(ctx, rows, user_name)
        if member.is_main and active is False:
            raise HubError(Kind.DENIED, "the main user cannot be disabled")
        if active is not None:
            people_sql.set_active(rows, member.id, is_active=active)
        name = member.name if display_name is None else display_name[:NAME_LENGTH]
        free = sql.describe(
            rows,
            member.id,
            user_name=new_name or member.user_name,
            name=name,
            may_log_in=bool(member.may_log_in),
        )
        if not free:
            raise HubError(Kind.EXISTS, f"a user {new_name}")

    await ctx.hub.db.write(change)


async def set_rights(ctx: Ctx, user_name: str, rights: list[str]) -> None:
    """Exactly these rights from now on. Raises DENIED, USER_UNKNOWN, BAD_PARAM."""
    _need_admin(ctx)
    if set(rights) - set(RIGHTS):
        raise HubError(Kind.BAD_PARAM, "Right")

    def change(rows: Rows) -> None:
        member = found(ctx, rows, user_name)
        if member.is_main:
            raise HubError(Kind.DENIED, "the main user holds every right")
        sql.set_rights(rows, member.id, " ".join(sorted(set(rights))))

    await ctx.hub.db.write(change)


async def delete(ctx: Ctx, user_name: str) -> None:
    """A member with its keys; what it pushed stays. Raises DENIED (for the main user too), USER_UNKNOWN."""
    _need_admin(ctx)

    def remove(rows: Rows) -> None:
        member = found(ctx, rows, user_name)
        if member.is_main:
            raise HubError(Kind.DENIED, "the main user cannot be deleted")
        sql.delete(rows, member.id)

    await ctx.hub.db.write(remove)


def found(ctx: Ctx, rows: Rows, user_name: str) -> sql.Member:
    """A member of the caller's account; raises USER_UNKNOWN."""
    member = sql.find(rows, ctx.who.account_id, user_name)
    if member is None:
        raise HubError(Kind.USER_UNKNOWN, user_name)
    return member


async def create_key(ctx: Ctx, user_name: str) -> tuple[sql.Key, str]:
    """A new key of oneself, or for an administrator of any member; the key and its secret, shown once."""
    public_key, private_key, sealed = people.new_key(ctx.hub)

    def add(rows: Rows) -> sql.Key:
        member = _mine(ctx, rows, user_name)
        if len(sql.keys(rows, ctx.who.account_id, member.id)) >= KEYS:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a user has at most {KEYS} keys")
        people_sql.add_key(rows, public_key, sealed, member.id, ctx.now)
        return sql.Key(public_key, member.id, 1, "", ctx.now, ctx.now, member.is_main)

    return await ctx.hub.db.write(add), private_key


async def list_keys(ctx: Ctx, user_name: str) -> list[sql.Key]:
    """The keys of oneself, or for an administrator of any member. Raises DENIED, USER_UNKNOWN."""
    return await ctx.hub.db.read(lambda rows: sql.keys(rows, ctx.who.account_id, _mine(ctx, rows, user_name).id))


async def update_key(ctx: Ctx, public_key: str, *, active: bool | None, description: str | None) -> None:
    """Change what is not None. Raises DENIED, KEY_UNKNOWN."""

    def change(rows: Rows) -> None:
        key = _my_key(ctx, rows, public_key)
        sql.update_key(
            rows,
            public_key,
            is_active=bool(key.is_active) if active is None else active,
            description=key.description if description is None else description,
            now=ctx.now,
        )

    await ctx.hub.db.write(change)


async def delete_key(ctx: Ctx, public_key: str) -> None:
    """Forget a key for good. Raises DENIED, KEY_UNKNOWN."""

    def remove(rows: Rows) -> None:
        _my_key(ctx, rows, public_key)
        people_sql.delete_key(rows, public_key)

    await ctx.hub.db.write(remove)


def _mine(ctx: Ctx, rows: Rows, user_name: str) -> sql.Member:
    member = sql.find(rows, ctx.who.account_id, user_name)
    if "admin" not in ctx.who.rights and (member is None or not _is_oneself(ctx, member.id)):
        raise HubError(Kind.DENIED, "only an administrator handles the keys of others")
    if member is None:
        raise HubError(Kind.USER_UNKNOWN, user_name)
    _not_above(ctx, member)
    return member


def _not_above(ctx: Ctx, member: sql.Member) -> None:
    """No policy binds the main user: with one of its keys, whoever may make keys could do everything."""
    if member.is_main and not ctx.who.is_main:
        raise HubError(Kind.DENIED, "only the main user handles its own keys")


def _is_oneself(ctx: Ctx, person_id: int) -> bool:
    # With a temporary key one acts in a role: it must not make itself permanent through the person behind it.
    return person_id == ctx.who.person_id and not ctx.who.role


def _my_key(ctx: Ctx, rows: Rows, public_key: str) -> sql.Key:
    key = sql.find_key(rows, ctx.who.account_id, public_key)
    if key is None or ("admin" not in ctx.who.rights and not _is_oneself(ctx, key.person_id)):
        raise HubError(Kind.KEY_UNKNOWN, public_key[:60])
    if key.is_of_main and not ctx.who.is_main:
        raise HubError(Kind.DENIED, "only the main user handles its own keys")
    return key


async def create_project(ctx: Ctx, name: str) -> str:
    """A new project; its id. Raises DENIED, BAD_PARAM."""
    _need_admin(ctx)
    _check_project_name(name)
    project_id = f"org-{secrets.token_hex(4)}"
    await ctx.hub.db.write(sql.add_project, ctx.who.account_id, project_id, name, ctx.now)
    return project_id


async def rename_project(ctx: Ctx, project_id: str, name: str) -> None:
    """Give a project another name. Raises DENIED, BAD_PARAM, UNKNOWN_PROJECT."""
    _need_admin(ctx)
    _check_project_name(name)

    def change(rows: Rows) -> None:
        _project(ctx, rows, project_id)
        sql.rename_project(rows, project_id, name)

    await ctx.hub.db.write(change)


async def delete_project(ctx: Ctx, project_id: str) -> None:
    """Delete an empty project. Raises DENIED (for the default one too), UNKNOWN_PROJECT, PROJECT_NOT_EMPTY."""
    _need_admin(ctx)

    def remove(rows: Rows) -> None:
        is_default, holds_buckets = _project(ctx, rows, project_id)
        if is_default:
            raise HubError(Kind.DENIED, "the default project cannot be deleted")
        if holds_buckets:
            raise HubError(Kind.PROJECT_NOT_EMPTY, project_id)
        sql.delete_project(rows, project_id)

    await ctx.hub.db.write(remove)


def _project(ctx: Ctx, rows: Rows, project_id: str) -> tuple[bool, bool]:
    known = sql.project(rows, ctx.who.account_id, project_id)
    if known is None:
        raise HubError(Kind.UNKNOWN_PROJECT, project_id)
    return known


async def set_networks(ctx: Ctx, *, login: str | None, api: str | None) -> None:
    """From where the account's people may log in, and call the API; None leaves one as it is, "" is anywhere.

    Raises DENIED, and BAD_PARAM for what is no network, or for API networks without the caller's own address: the call
    would be the account's last one.
    """
    _need_admin(ctx)
    kept = [None if text is None else ",".join(str(one) for one in networks.parse(text)) for text in (login, api)]
    if kept[1] and not networks.contains(kept[1], ctx.address):
        raise HubError(Kind.BAD_PARAM, f"APINetworkMask: it leaves out {ctx.address}, where you call from")

    def change(rows: Rows) -> None:
        before = people_sql.networks(rows, ctx.who.account_id)
        login_now, api_now = (old if new is None else new for new, old in zip(kept, before, strict=True))
        people_sql.set_networks(rows, ctx.who.account_id, login=login_now, api=api_now)

    await ctx.hub.db.write(change)


def _need_admin(ctx: Ctx) -> None:
    if "admin" not in ctx.who.rights:
        raise HubError(Kind.DENIED, "the right 'admin' is needed; ask the account's main user")


def _check_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable() or any(mark in name for mark in ' :/"'):
        raise HubError(Kind.BAD_PARAM, "UserName")


def _check_project_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH or not name.isprintable():
        raise HubError(Kind.BAD_PARAM, "ProjectName")
