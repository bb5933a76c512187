"""Undelete: buckets, images and manifests can be brought back for a while, then the collector frees what they held.

What is deleted leaves the quotas of its owner; so that deleting is no way around them, the deletions of a project hold
at most as many bytes as the project may, and the oldest go early.
"""

import json
from dataclasses import dataclass, field
from typing import NamedTuple

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import events
from entrepot.model import manifest as manifests
from entrepot.ops import permits, quotas
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import collect as collect_sql
from entrepot.store.sql import grants as grants_sql
from entrepot.store.sql import manifests as manifests_sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql import trash as sql
from entrepot.store.sql import usage as usage_sql
from entrepot.store.sql.buckets import Bucket
from entrepot.store.sql.usage import Usage

BATCH = 50
"""Manifests that are brought back, or freed, in one transaction."""
MOST = 10_000
"""Deletions of one project that can be brought back."""


class Removed(NamedTuple):
    """An image of a bucket, and which of its manifests is deleted: one (``digest``), or all ("")."""

    image_id: int
    image: str
    digest: str = ""


def set_aside(ctx: Ctx, rows: Rows, bucket: Bucket, removed: Removed, manifest_id: int | None) -> int:
    """Keep what is about to be deleted; how many seconds it can be brought back."""
    window = sql.window(rows, bucket.id, ctx.hub.settings.undelete_seconds)
    if window:
        deletion_id = sql.note(
            rows,
            bucket,
            kind="manifest" if removed.digest else "image",
            image=removed.image,
            name=removed.digest or removed.image,
            kept="",
            who=ctx.who.email,
            now=ctx.now,
            window=window,
        )
        sql.set_aside(rows, deletion_id, removed.image_id, manifest_id)
        _squeeze(ctx, rows, bucket.project_id)
    return window


def hide(ctx: Ctx, rows: Rows, bucket: Bucket) -> None:
    """Delete a bucket without images: it goes out of sight now, and for good when its window ends."""
    grants = grants_sql.of_bucket(rows, bucket.id)
    kept = {"is_public": bool(bucket.is_public), "grants": [[one.account_id, one.may_write] for one in grants]}
    for one in grants:
        grants_sql.remove(rows, bucket, one.account_id)
    sql.note(
        rows,
        bucket,
        kind="bucket",
        image="",
        name=bucket.name,
        kept=json.dumps(kept),
        who=ctx.who.email,
        now=ctx.now,
        window=sql.window(rows, bucket.id, ctx.hub.settings.undelete_seconds),
    )
    sql.hide(rows, bucket, ctx.now, ctx.who.email, ctx.depth)
    _squeeze(ctx, rows, bucket.project_id)


def _squeeze(ctx: Ctx, rows: Rows, project_id: str) -> None:
    count, held = sql.size(rows, project_id, ctx.now)
    most = quotas.limits(rows, ctx.hub.settings, project_id).project_bytes
    for one in sql.oldest(rows, project_id, ctx.now, count) if count > MOST or 0 < most < held else ():
        sql.expire(rows, one.id, ctx.now)
        count, held = count - 1, held - one.bytes
        if count <= MOST and (held <= most or not most):
            return


@dataclass(slots=True)
class Restored:
    """What came back: manifests, tags, and the tags that point elsewhere now and were left alone."""

    manifests: int = 0
    tags: int = 0
    skipped: list[str] = field(default_factory=list)


async def restore(ctx: Ctx, bucket: str, deletion_id: int) -> Restored:
    """Bring a deletion back, a bounded part in each transaction: after a fault or a kill, ask again for the rest.

    Raises DENIED, DELETION_UNKNOWN, BUCKET_UNKNOWN (an image of a bucket that is deleted itself), BUCKET_TAKEN,
    QUOTA_EXCEEDED, IP_REJECTED.
    """
    _need(ctx, "push")
    done = Restored()

    def step(rows: Rows) -> tuple[Restored, bool, list[str]]:
        deletion = _find(ctx, rows, bucket, deletion_id)
        if deletion.kind == "bucket":
            return Restored(), False, _show(ctx, rows, deletion)
        return _put_back(ctx, rows, deletion)

    failpoint.at("undelete.begun")
    more = True
    while more:
        part, more, warnings = await ctx.hub.db.write(step)
        failpoint.at("undelete.part")
        done.manifests += part.manifests
        done.tags += part.tags
        done.skipped += part.skipped
        quotas.warn(ctx, list(dict.fromkeys(warnings)))
    return done


def _find(ctx: Ctx, rows: Rows, bucket: str, deletion_id: int) -> sql.Deletion:
    deletion = sql.find(rows, ctx.who.account_id, deletion_id)
    if deletion is None or deletion.bucket_name != bucket or deletion.expires_at <= ctx.now:
        raise HubError(Kind.DELETION_UNKNOWN, f"{bucket} {deletion_id}")
    return deletion


def _show(ctx: Ctx, rows: Rows, deletion: sql.Deletion) -> list[str]:
    hidden = buckets_sql.by_id(rows, deletion.bucket_id)
    assert hidden is not None, "a deletion of a bucket keeps its row"
    permits.check_network(ctx, hidden.place, "push")
    if buckets_sql.by_name(rows, deletion.bucket_name) is not None:
        raise HubError(Kind.BUCKET_TAKEN, f"{deletion.bucket_name}: delete the new bucket of this name first")
    if not people_sql.has_project(rows, deletion.account_id, deletion.project_id):
        home = people_sql.default_project(rows, deletion.account_id) or ""
        deletion = deletion._replace(project_id=home)
    kept = json.loads(deletion.kept)
    sql.show(rows, hidden, deletion, is_public=kept["is_public"], now=ctx.now, who=ctx.who.email, depth=ctx.depth)
    sql.drop(rows, deletion.id)
    shown = buckets_sql.by_id(rows, hidden.id)
    assert shown is not None
    for account_id, may_write in kept["grants"]:
        if grants_sql.account_exists(rows, account_id):
            grants_sql.put(rows, shown, account_id, may_write=bool(may_write), now=ctx.now)
    held = usage_sql.project_bytes(rows, shown.project_id)
    usage = Usage(shown.id, shown.project_id, shown.bytes, held, shown.bytes)
    buckets_warning = quotas.check_buckets(rows, ctx.hub.settings, shown.project_id)
    return [one for one in (buckets_warning, *quotas.check_bytes(rows, ctx, usage)) if one]


def _put_back(ctx: Ctx, rows: Rows, deletion: sql.Deletion) -> tuple[Restored, bool, list[str]]:
    bucket = buckets_sql.by_id(rows, deletion.bucket_id)
    if bucket is None or bucket.account_id != ctx.who.account_id:
        raise HubError(Kind.BUCKET_UNKNOWN, f"{deletion.bucket_name}: it was deleted too; bring it back first")
    permits.check_network(ctx, bucket.place, "push")
    part, warnings = Restored(), list[str]()
    found = sql.kept(rows, deletion.id, BATCH)
    for one in found:
        warnings += _add(ctx, rows, bucket, one, part)
        sql.drop_manifest(rows, one.id, ctx.now)
    if len(found) < BATCH:
        sql.drop(rows, deletion.id)
    return part, len(found) == BATCH, warnings


def _add(ctx: Ctx, rows: Rows, bucket: Bucket, one: sql.Kept, part: Restored) -> list[str]:
    settings, warnings = ctx.hub.settings, list[str]()
    held = sql.blobs(rows, one.id)
    for blob_id in held.values():
        usage = blobs_sql.link(rows, one.image_id, blob_id, ctx.now, settings.grace_seconds)
        warnings += quotas.check_bytes(rows, ctx, usage)
    manifest = manifests.parse(one.content, one.media_type)
    named = {digest: held[digest] for digest in (*manifest.blobs, *manifest.foreign) if digest in held}
    manifest_id, usage = manifests_sql.add(rows, one.image_id, one.digest, manifest, one.content, named, ctx.now)
    warnings += quotas.check_bytes(rows, ctx, usage)
    collect_sql.watch_manifest(rows, manifest_id, ctx.now + settings.untagged_after)
    part.manifests += 1
    for name, is_free in sql.tags(rows, one.id):
        if not is_free:
            part.skipped.append(name)
            continue
        count = manifests_sql.set_tag(
            rows,
            one.image_id,
            name,
            manifest_id,
            ctx.now,
            settings.untagged_after,
            ctx.who.email,
            depth=ctx.depth,
            new=events.RESTORED,
        )
        warnings.append(quotas.check_tags(rows, ctx, bucket.id, count))
        part.tags += 1
    return warnings


async def purge(ctx: Ctx, bucket: str, deletion_id: int) -> None:
    """Give a deletion up now; the collector frees what it held. Raises DENIED, DELETION_UNKNOWN."""
    _need(ctx, "delete")
    failpoint.at("purge.begun")
    await ctx.hub.db.write(lambda rows: sql.expire(rows, _find(ctx, rows, bucket, deletion_id).id, ctx.now))
    failpoint.at("purge.done")


async def set_window(ctx: Ctx, bucket: str, seconds: int | None) -> None:
    """How long what is deleted in a bucket from now on can be brought back; None: what the setting says.

    Raises DENIED, BUCKET_UNKNOWN.
    """
    _need(ctx, "admin")

    def change(rows: Rows) -> None:
        found = buckets_sql.by_name(rows, bucket)
        if found is None or found.account_id != ctx.who.account_id:
            raise HubError(Kind.BUCKET_UNKNOWN, bucket)
        sql.set_window(rows, found.id, seconds, ctx.now)

    await ctx.hub.db.write(change)


def _need(ctx: Ctx, right: str) -> None:
    if right not in ctx.who.rights:
        raise HubError(Kind.DENIED, f"the right {right!r} is needed; ask the account's main user")


def free(rows: Rows, now: int) -> int | None:
    """Free a bounded part of a deletion whose window ended; how many manifests, None when nothing was due."""
    deletion = sql.due(rows, now)
    if deletion is None:
        return None
    if deletion.kind == "bucket":
        deletion = sql.inside(rows, deletion.bucket_id) or deletion
    found = sql.kept_ids(rows, deletion.id, BATCH)
    for manifest_id in found:
        sql.drop_manifest(rows, manifest_id, now)
    if len(found) < BATCH:
        sql.drop(rows, deletion.id)
        hidden = buckets_sql.by_id(rows, deletion.bucket_id) if deletion.kind == "bucket" else None
        if hidden is not None:
            buckets_sql.delete(rows, hidden)
    return len(found)
