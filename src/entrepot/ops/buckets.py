"""Buckets: make, share, delete. A bucket's name is global; its rows belong to one account."""

from entrepot.errors import HubError, Kind
from entrepot.model import names
from entrepot.ops.context import Ctx, Hub
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as sql
from entrepot.store.sql import people
from entrepot.store.sql import repos as repos_sql


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
    exactly one call wins.
    """
    _need(ctx, "push", "to create a bucket")
    names.new_bucket(name)
    if region not in ctx.hub.settings.region_ids:
        raise HubError(Kind.BAD_PARAM, "Region")

    def make(rows: Rows) -> None:
        project = project_id or people.default_project(rows, ctx.who.account_id) or ""
        if not people.has_project(rows, ctx.who.account_id, project):
            raise HubError(Kind.UNKNOWN_PROJECT, project)
        made = sql.add(
            rows,
            name=name,
            account_id=ctx.who.account_id,
            project_id=project,
            region=region,
            is_public=is_public,
            description=description,
            now=ctx.now,
        )
        if not made:
            raise HubError(Kind.BUCKET_TAKEN, name)

    await ctx.hub.db.write(make)


async def delete(ctx: Ctx, name: str) -> None:
    """Delete an empty bucket of the caller's account. Raises DENIED, BUCKET_UNKNOWN, BUCKET_NOT_EMPTY."""
    _need(ctx, "delete", "to delete a bucket")

    def remove(rows: Rows) -> None:
        bucket = own(ctx, rows, name)
        if bucket.image_count:
            raise HubError(Kind.BUCKET_NOT_EMPTY, name)
        sql.delete(rows, bucket)

    await ctx.hub.db.write(remove)


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

    await ctx.hub.db.write(change)


async def list_all(hub: Hub) -> list[sql.Bucket]:
    """Every bucket of every account, by name: for the operator on the spot."""
    return await hub.db.read(sql.everything)


def own(ctx: Ctx, rows: Rows, name: str) -> sql.Bucket:
    """A bucket of the caller's account; another account's is as unknown as a missing one (BUCKET_UNKNOWN)."""
    bucket = sql.by_name(rows, name)
    if bucket is None or bucket.account_id != ctx.who.account_id:
        raise HubError(Kind.BUCKET_UNKNOWN, name)
    return bucket


def _need(ctx: Ctx, right: str, purpose: str) -> None:
    if right not in ctx.who.rights:
        raise HubError(Kind.DENIED, f"the right {right!r} is needed {purpose}; ask the account's main user")
