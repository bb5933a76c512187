"""Manifests and tags: push, delete. One transaction each: content, references, tags and counters together."""

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import events, names
from entrepot.model import manifest as manifests
from entrepot.model.manifest import Manifest
from entrepot.model.names import Repository
from entrepot.ops import audit, permits, pulls, quotas, trash
from entrepot.ops.buckets import own
from entrepot.ops.context import Ctx
from entrepot.ops.trash import Removed
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import collect, history
from entrepot.store.sql import manifests as sql
from entrepot.store.sql.buckets import Bucket

HISTORY = 1000
"""How many lines of a tag's history are looked through for what to restore."""


async def put(
    ctx: Ctx, bucket_id: int, repository: Repository, digest: str, content: bytes, content_type: str, tags: list[str]
) -> Manifest:
    """Store a manifest or index under its digest and point ``tags`` at it; what was read of it.

    Every blob it names must be linked in this image (MANIFEST_BLOB_UNKNOWN) unless the setting ``missing_content``
    accepts sparse images; its subject and the children of an index may be missing, as the distribution-spec allows.
    Raises MANIFEST_INVALID, QUOTA_EXCEEDED.
    """
    manifest = manifests.parse(content, content_type)

    def store(rows: Rows) -> tuple[int, list[str]]:
        image_id = buckets_sql.image_for_push(rows, bucket_id, repository.image, ctx.now)
        blobs, faulty = sql.blob_ids(rows, image_id, manifest.blobs + manifest.foreign)
        missing = [one for one in manifest.blobs if one not in blobs or one in faulty]
        if missing and ctx.hub.settings.missing_content == "refuse":
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise HubError(Kind.MANIFEST_BLOB_UNKNOWN, f"{missing[0]}{more}; push the blobs first, then the manifest")
        manifest_id, usage = sql.add(rows, image_id, digest, manifest, content, blobs, ctx.now)
        warnings = quotas.check_bytes(rows, ctx, usage)
        if not tags:
            collect.watch_manifest(rows, manifest_id, ctx.now + ctx.hub.settings.untagged_after)
        for tag in tags:
            count = _point(ctx, rows, image_id, tag, manifest_id)
            warnings.append(quotas.check_tags(rows, ctx, bucket_id, count))
        owner = buckets_sql.owner_of(rows, bucket_id)
        audit.write(rows, ctx, "PushManifest", f"{repository}@{digest} {' '.join(tags)}".rstrip(), owner)
        return owner, warnings

    failpoint.at("manifest.parsed")
    owner, warnings = await ctx.hub.db.write(store)
    failpoint.at("manifest.stored")
    quotas.warn(ctx, warnings)
    pulls.count_push(ctx.hub, owner)
    ctx.hub.stored_at = ctx.hub.monotonic()
    ctx.hub.told.set()
    return manifest


def _point(ctx: Ctx, rows: Rows, image_id: int, tag: str, manifest_id: int, new: str = events.PUSHED) -> int | None:
    """``sql.set_tag`` as the caller."""
    after, who = ctx.hub.settings.untagged_after, ctx.who.email
    return sql.set_tag(rows, image_id, tag, manifest_id, ctx.now, after, who, depth=ctx.depth, new=new)


def _take(ctx: Ctx, rows: Rows, image_id: int, tag: str) -> bool:
    """``sql.delete_tag`` as the caller."""
    after, who = ctx.hub.settings.untagged_after, ctx.who.email
    return sql.delete_tag(rows, image_id, tag, ctx.now, after, who, depth=ctx.depth)


async def delete(ctx: Ctx, repository: Repository, image_id: int | None, reference: str) -> None:
    """Delete a tag (only it), or a manifest by digest with every tag on it. Raises MANIFEST_UNKNOWN."""

    def remove(rows: Rows) -> None:
        if image_id is None:
            raise HubError(Kind.MANIFEST_UNKNOWN, reference)
        audit.write(rows, ctx, "DeleteManifest", f"{repository} {reference}", ctx.who.account_id)
        if ":" not in reference:
            if not _take(ctx, rows, image_id, reference):
                raise HubError(Kind.MANIFEST_UNKNOWN, f"tag {reference}")
            return
        manifest_id = sql.find(rows, image_id, reference)
        if manifest_id is None:
            raise HubError(Kind.MANIFEST_UNKNOWN, reference)
        bucket = own(ctx, rows, repository.bucket)
        kept = trash.set_aside(ctx, rows, bucket, Removed(image_id, repository.image, reference), manifest_id)
        grace, who = ctx.hub.settings.grace_seconds, ctx.who.email
        sql.delete(rows, image_id, manifest_id, ctx.now, grace, who, kept=kept, depth=ctx.depth)

    failpoint.at("delete.begun")
    await ctx.hub.db.write(remove)
    failpoint.at("delete.done")


async def delete_image(ctx: Ctx, bucket: str, image: str) -> None:
    """Delete an image of the caller's account with all its tags and manifests. Raises as ``delete_tags`` does."""
    _need_delete(ctx)

    def remove(rows: Rows) -> None:
        found = _open_own(ctx, rows, bucket)
        image_id = buckets_sql.find_image(rows, found.id, image)
        if image_id is None or not sql.has_any(rows, image_id):
            raise HubError(Kind.DELETE_UNKNOWN, f"image {image!r}")
        trash.set_aside(ctx, rows, found, Removed(image_id, image), None)
        sql.delete_all(rows, image_id, ctx.now, ctx.hub.settings.grace_seconds, ctx.who.email, depth=ctx.depth)

    failpoint.at("delete-image.begun")
    await ctx.hub.db.write(remove)
    failpoint.at("delete-image.done")


def _open_own(ctx: Ctx, rows: Rows, name: str) -> Bucket:
    """A bucket of the caller's account whose networks hold the caller; raises BUCKET_UNKNOWN, IP_REJECTED."""
    bucket = own(ctx, rows, name)
    permits.check_network(ctx, bucket.place, "delete")
    return bucket


def _need_delete(ctx: Ctx) -> None:
    if "delete" not in ctx.who.rights:
        raise HubError(Kind.DENIED, "the right 'delete' is needed; ask the account's main user")


async def delete_tags(ctx: Ctx, bucket: str, image: str, tags: list[str]) -> None:
    """Delete tags of an image in the caller's account: all of them, or none.

    Raises DENIED, BUCKET_UNKNOWN (another account's bucket too), DELETE_UNKNOWN for a missing image or tag.
    """
    _need_delete(ctx)

    def remove(rows: Rows) -> None:
        image_id = buckets_sql.find_image(rows, _open_own(ctx, rows, bucket).id, image)
        if image_id is None:
            raise HubError(Kind.DELETE_UNKNOWN, f"image {image!r}")
        for tag in dict.fromkeys(tags):
            if not _take(ctx, rows, image_id, tag):
                raise HubError(Kind.DELETE_UNKNOWN, f"tag {tag!r}; no tag was deleted")

    failpoint.at("delete-tags.begun")
    await ctx.hub.db.write(remove)
    failpoint.at("delete-tags.done")


async def restore_tag(ctx: Ctx, bucket: str, image: str, tag: str, digest: str) -> str:
    """Point a tag again at a manifest of its history, or ("") at what it pointed to before; that digest.

    Raises DENIED, BUCKET_UNKNOWN, IP_REJECTED, IMAGE_UNKNOWN (also when the manifest was collected), QUOTA_EXCEEDED.
    """

    def restore(rows: Rows) -> tuple[str, list[str]]:
        bucket_id = _open_own(ctx, rows, bucket).id
        image_id = buckets_sql.find_image(rows, bucket_id, image)
        if image_id is None:
            raise HubError(Kind.IMAGE_UNKNOWN, image)
        lines = history.page(rows, image_id, tag, 2**53, HISTORY)
        now_at = lines[0].digest if lines and lines[0].is_set else ""
        wanted = digest or next((one.digest for one in lines if one.digest != now_at), "")
        manifest_id = sql.find(rows, image_id, wanted) if any(one.digest == wanted for one in lines) else None
        if manifest_id is None:
            hint = "ListTagHistory and ListDeleted tell what can be restored"
            raise HubError(Kind.IMAGE_UNKNOWN, f"{tag} {wanted}; {hint}".strip())
        count = _point(ctx, rows, image_id, tag, manifest_id, events.RESTORED)
        return wanted, [quotas.check_tags(rows, ctx, bucket_id, count)]

    if "push" not in ctx.who.rights:
        raise HubError(Kind.DENIED, "the right 'push' is needed; ask the account's main user")
    failpoint.at("restore-tag.begun")
    wanted, warnings = await ctx.hub.db.write(restore)
    failpoint.at("restore-tag.done")
    quotas.warn(ctx, warnings)
    return wanted


async def tag_image(ctx: Ctx, bucket: str, image: str, tag: str, source: str) -> str:
    """Point a tag at a manifest that the image holds, named by its digest or by another tag; that digest.

    Raises DENIED, TAG_INVALID, BUCKET_UNKNOWN, IP_REJECTED, IMAGE_UNKNOWN, TAG_IMMUTABLE, QUOTA_EXCEEDED.
    """
    names.tag(tag)

    def point(rows: Rows) -> tuple[str, list[str]]:
        home = own(ctx, rows, bucket)
        permits.check_network(ctx, home.place, "push")
        found = sql.locate(rows, bucket, image, source, content=False)
        if found is None or found.image_id is None or found.id is None or found.digest is None or found.fault:
            raise HubError(Kind.IMAGE_UNKNOWN, f"{image} {source}"[:200])
        count = _point(ctx, rows, found.image_id, tag, found.id)
        return found.digest, [quotas.check_tags(rows, ctx, home.id, count)]

    if "push" not in ctx.who.rights:
        raise HubError(Kind.DENIED, "the right 'push' is needed; ask the account's main user")
    failpoint.at("tag-image.begun")
    digest, warnings = await ctx.hub.db.write(point)
    failpoint.at("tag-image.done")
    quotas.warn(ctx, warnings)
    ctx.hub.told.set()
    return digest
