"""Buckets: make, share, delete. A bucket's name is global; its rows belong to one account."""

from typing import Any

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import events, globs, names, networks
from entrepot.ops import quotas, trash
from entrepot.ops.context import Ctx, Hub
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as sql
from entrepot.store.sql import events as events_sql
from entrepot.store.sql import grants as grants_sql
from entrepot.store.sql import immutable, people
from entrepot.store.sql import repos as repos_sql
from entrepot.store.sql import trash as trash_sql


async def create(
    ctx: Ctx,
    name: str,
    *,
    region: str,
    project_id: str | None = None,
    is_public: bool = False,
    description: str = "",
) -> None:
    """A new bucket in the caller's account, in ``project_id`` or the default project.

    Raises DENIED, BUCKET_NAME_INVALID, BAD_PARAM (region), UNKNOWN_PROJECT, BUCKET_TAKEN. Asked twice at once,
    exactly one call wins. Raises QUOTA_EXCEEDED when the project holds as many as it may.
    """
    _need(ctx, "push", "to create a bucket")
    names.new_bucket(name)
    if region not in ctx.hub.settings.region_ids:
        raise HubError(Kind.BAD_PARAM, "Region")

    def make(rows: Rows) -> str:
        project = project_id or people.default_project(rows, ctx.who.account_id) or ""
        if not people.has_project(rows, ctx.who.account_id, project):
            raise HubError(Kind.UNKNOWN_PROJECT, project)
        if trash_sql.is_held(rows, name, ctx.who.account_id, ctx.now):
            raise HubError(Kind.BUCKET_TAKEN, name)
        made = sql.add(
            rows,
            name=name,
            account_id=ctx.who.account_id,
            project_id=project,
            region=region,
            is_public=is_public,
            description=description,
            now=ctx.now,
            who=ctx.who.email,
            depth=ctx.depth,
        )
        if made is None:
            raise HubError(Kind.BUCKET_TAKEN, name)
        sql.count(rows, ctx.who.account_id, project, region, is_public=is_public, step=1)
        return quotas.check_buckets(rows, ctx.hub.settings, project)

    quotas.warn(ctx, [await ctx.hub.db.write(make)])


async def delete(ctx: Ctx, name: str) -> None:
    """Delete an empty bucket of the caller's account; for a while it can be brought back (ops.trash), and until then
    nobody else takes its name. Raises DENIED, BUCKET_UNKNOWN, BUCKET_NOT_EMPTY.
    """
    _need(ctx, "delete", "to delete a bucket")

    def remove(rows: Rows) -> None:
        bucket = own(ctx, rows, name)
        if bucket.image_count:
            raise HubError(Kind.BUCKET_NOT_EMPTY, name)
        trash.hide(ctx, rows, bucket)

    failpoint.at("delete-bucket.begun")
    await ctx.hub.db.write(remove)
    failpoint.at("delete-bucket.done")


async def update(ctx: Ctx, name: str, *, is_public: bool | None, description: str | None) -> None:
    """Change what is not None. Raises DENIED, BUCKET_UNKNOWN."""
    _need(ctx, "push", "to change a bucket")

    def change(rows: Rows) -> None:
        bucket = own(ctx, rows, name)
        repos_sql.update(rows, bucket.id, is_public=is_public, description=description, now=ctx.now)
        if is_public is not None and is_public != bool(bucket.is_public):
            place = (bucket.account_id, bucket.project_id, bucket.region)
            sql.count(rows, *place, is_public=is_public, step=1)
            sql.count(rows, *place, is_public=not is_public, step=-1)
            grants_sql.share(rows, bucket, is_public=is_public)
            _tell(ctx, rows, bucket, events.SHARED if is_public else events.UNSHARED, Public=is_public)

    await ctx.hub.db.write(change)


GRANTS = 200
"""Most accounts that one bucket is granted to."""


async def grant(ctx: Ctx, name: str, account_id: int, *, may_write: bool) -> None:
    """Let another account's people use a bucket as far as their own rights go: pull, or also push.

    Raises DENIED, BUCKET_UNKNOWN, BAD_PARAM (no such account, or the own one), QUOTA_EXCEEDED.
    """
    _need(ctx, "admin", "to grant a bucket")

    def add(rows: Rows) -> None:
        bucket = own(ctx, rows, name)
        if account_id == ctx.who.account_id or not grants_sql.account_exists(rows, account_id):
            raise HubError(Kind.BAD_PARAM, "GranteeID")
        grants_sql.put(rows, bucket, account_id, may_write=may_write, now=ctx.now)
        if len(grants_sql.of_bucket(rows, bucket.id)) > GRANTS:
            raise HubError(Kind.QUOTA_EXCEEDED, f"a bucket is granted to at most {GRANTS} accounts")
        _tell(ctx, rows, bucket, events.SHARED, GranteeID=account_id, Permission="Write" if may_write else "Read")

    await ctx.hub.db.write(add)


async def revoke(ctx: Ctx, name: str, account_id: int) -> None:
    """Take a grant back. Raises DENIED, BUCKET_UNKNOWN, BAD_PARAM where there is none."""
    _need(ctx, "admin", "to revoke a grant")

    def remove(rows: Rows) -> None:
        bucket = own(ctx, rows, name)
        if not grants_sql.remove(rows, bucket, account_id):
            raise HubError(Kind.BAD_PARAM, "GranteeID")
        _tell(ctx, rows, bucket, events.UNSHARED, GranteeID=account_id)

    await ctx.hub.db.write(remove)


async def set_networks(ctx: Ctx, name: str, *, is_outside: bool | None, allowed: list[str] | None) -> None:
    """From where a bucket may be used; None leaves a part as it is. Raises DENIED, BUCKET_UNKNOWN, BAD_PARAM."""
    _need(ctx, "admin", "to change a bucket's networks")
    text = None if allowed is None else ",".join(str(one) for one in networks.parse(",".join(allowed)))

    def change(rows: Rows) -> None:
        bucket = own(ctx, rows, name)
        sql.set_networks(
            rows,
            bucket.id,
            is_outside=bool(bucket.is_outside) if is_outside is None else is_outside,
            networks=bucket.networks if text is None else text,
            now=ctx.now,
        )

    await ctx.hub.db.write(change)


async def set_immutable_tags(ctx: Ctx, name: str, tags: list[str], exceptions: list[str]) -> None:
    """Which tags of a bucket can be neither moved nor deleted (model.globs), whoever asks; none for all may change.

    Raises DENIED, BUCKET_UNKNOWN, BAD_PARAM.
    """
    _need(ctx, "admin", "to set a bucket's immutable tags")
    wanted = globs.select(tags, exceptions)
    await ctx.hub.db.write(lambda rows: immutable.set_patterns(rows, own(ctx, rows, name).id, wanted.text, ctx.now))


async def list_all(hub: Hub) -> list[sql.Bucket]:
    """Every bucket of every account, by name: for the operator on the spot."""
    return await hub.db.read(sql.everything)


def own(ctx: Ctx, rows: Rows, name: str) -> sql.Bucket:
    """A bucket of the caller's account; another account's is as unknown as a missing one (BUCKET_UNKNOWN)."""
    bucket = sql.by_name(rows, name)
    if bucket is None or bucket.account_id != ctx.who.account_id:
        raise HubError(Kind.BUCKET_UNKNOWN, name)
    return bucket


def _tell(ctx: Ctx, rows: Rows, bucket: sql.Bucket, kind: str, **detail: Any) -> None:
    events_sql.note(rows, bucket.id, kind, ctx.now, who=ctx.who.email, depth=ctx.depth, **detail)


def _need(ctx: Ctx, right: str, purpose: str) -> None:
    if right not in ctx.who.rights:
        raise HubError(Kind.DENIED, f"the right {right!r} is needed {purpose}; ask the account's main user")
