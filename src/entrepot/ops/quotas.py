"""Quotas: buckets of a project, bytes of projects and buckets, tags of an image. Checked where they are counted.

The settings hold for everybody; the operator sets others for one project or bucket. 0 is no limit.
"""

from typing import Any, NamedTuple

from entrepot.config import Settings
from entrepot.errors import HubError, Kind
from entrepot.model import events as kinds
from entrepot.ops.context import Ctx, Hub
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import events
from entrepot.store.sql import people as people_sql
from entrepot.store.sql import usage as sql
from entrepot.store.sql.usage import Usage

KINDS = {"project": ("buckets", "bytes", "tags"), "bucket": ("bytes", "tags")}
WARN = 0.9
"""The part of a quota from which on answers warn."""


class Limits(NamedTuple):
    """The quotas that hold in one place; 0 is no limit."""

    buckets: int
    project_bytes: int
    bucket_bytes: int
    tags: int


def limits(rows: Rows, settings: Settings, project_id: str, bucket_id: int = 0) -> Limits:
    """What holds for a bucket, or with ``bucket_id`` 0 for a project."""
    own = sql.quotas(rows, project_id, bucket_id)
    tags = own.get(("bucket", "tags"), own.get(("project", "tags"), settings.image_tags))
    return Limits(
        buckets=own.get(("project", "buckets"), settings.project_buckets),
        project_bytes=own.get(("project", "bytes"), settings.project_bytes),
        bucket_bytes=own.get(("bucket", "bytes"), settings.bucket_bytes),
        tags=tags,
    )


def check_buckets(rows: Rows, settings: Settings, project_id: str) -> str:
    """A bucket was added: the warning, or "". Raises QUOTA_EXCEEDED."""
    most = limits(rows, settings, project_id).buckets
    return _check("buckets", f"project {project_id}", buckets_sql.counted(rows, f"project {project_id}"), most)


def check_bytes(rows: Rows, ctx: Ctx, usage: Usage | None) -> list[str]:
    """Bytes were added: the warnings. Raises QUOTA_EXCEEDED."""
    if usage is None:
        return []
    most, warnings = limits(rows, ctx.hub.settings, usage.project_id, usage.bucket_id), list[str]()
    for place, used, limit in (
        ("this bucket", usage.bucket_bytes, most.bucket_bytes),
        (f"project {usage.project_id}", usage.project_bytes, most.project_bytes),
    ):
        warning = _check("bytes", place, used, limit)
        if warning:
            warnings.append(warning)
            _tell(rows, ctx, usage.bucket_id, ("bytes", place, used, limit), used - usage.grown)
    return warnings


def check_tags(rows: Rows, ctx: Ctx, bucket_id: int, count: int | None) -> str:
    """A tag was added, ``count`` are there: the warning, or "". Raises QUOTA_EXCEEDED."""
    if count is None:
        return ""
    project_id = buckets_sql.project_of(rows, bucket_id)
    most = limits(rows, ctx.hub.settings, project_id, bucket_id).tags
    warning = _check("tags", "this image", count, most)
    if warning:
        _tell(rows, ctx, bucket_id, ("tags", "this image", count, most), count - 1)
    return warning


def _tell(rows: Rows, ctx: Ctx, bucket_id: int, what: tuple[str, str, int, int], before: int) -> None:
    """Whoever listens to the bucket hears it once when warnings begin: with the change that makes them."""
    quota, place, used, most = what
    if before < WARN * most:
        told: dict[str, Any] = {
            "Quota": quota,
            "Place": place,
            "Used": used,
            "Most": most,
            "Percent": 100 * used // most,
        }
        events.note(rows, bucket_id, kinds.NEAR, ctx.now, who=ctx.who.email, depth=ctx.depth, **told)


def room(rows: Rows, settings: Settings, bucket_id: int) -> int | None:
    """How many bytes more an upload to a bucket may bring, unfinished uploads counted; None: as many as it likes."""
    bucket = buckets_sql.by_id(rows, bucket_id)
    if bucket is None:
        return None
    most = limits(rows, settings, bucket.project_id, bucket_id)
    left = []
    if most.bucket_bytes:
        left.append(most.bucket_bytes - bucket.bytes - sql.unfinished(rows, "id", bucket_id))
    if most.project_bytes:
        held = sql.project_bytes(rows, bucket.project_id)
        left.append(most.project_bytes - held - sql.unfinished(rows, "project_id", bucket.project_id))
    return max(0, min(left)) if left else None


def no_room(left: int) -> HubError:
    """The refusal of bytes that could not be kept."""
    return HubError(
        Kind.QUOTA_EXCEEDED, f"{left} bytes are left for this bucket; delete what is not needed, or ask the operator"
    )


def _check(kind: str, place: str, used: int, most: int) -> str:
    if not most or used < WARN * most:
        return ""
    if used > most:
        raise HubError(
            Kind.QUOTA_EXCEEDED, f"{kind} of {place}: at most {most}; delete what is not needed, or ask the operator"
        )
    return f"{used} of {most} {kind} of {place} are used"


def warn(ctx: Ctx, warnings: list[str]) -> None:
    """Let the answer carry what is not empty."""
    ctx.warnings += [one for one in warnings if one]


class Shown(NamedTuple):
    """A quota and how much of it is used."""

    scope: str
    kind: str
    most: int
    used: int


def show(ctx: Ctx, rows: Rows, project_id: str | None, bucket: str, image: str) -> list[Shown]:
    """The quotas of a project of the caller's account, and of a bucket and an image in it where they are named.

    Raises UNKNOWN_PROJECT, BUCKET_UNKNOWN.
    """
    found = buckets_sql.by_name(rows, bucket) if bucket else None
    if bucket and (found is None or found.account_id != ctx.who.account_id):
        raise HubError(Kind.BUCKET_UNKNOWN, bucket)
    if project_id and not people_sql.has_project(rows, ctx.who.account_id, project_id):
        raise HubError(Kind.UNKNOWN_PROJECT, project_id)
    return show_any(ctx, rows, project_id, bucket, image)


def show_any(ctx: Ctx, rows: Rows, project_id: str | None, bucket: str, image: str = "") -> list[Shown]:
    """As ``show``, in every account: for the operator."""
    settings = ctx.hub.settings
    found = buckets_sql.by_name(rows, bucket) if bucket else None
    if bucket and found is None:
        raise HubError(Kind.BUCKET_UNKNOWN, bucket)
    if project_id and not people_sql.project_exists(rows, project_id):
        raise HubError(Kind.UNKNOWN_PROJECT, project_id)
    project = found.project_id if found else project_id or people_sql.default_project(rows, ctx.who.account_id) or ""
    most = limits(rows, settings, project, found.id if found else 0)
    where = f"project {project}"
    shown = [
        Shown(where, "buckets", most.buckets, buckets_sql.counted(rows, where)),
        Shown(where, "bytes", most.project_bytes, sql.project_bytes(rows, project)),
    ]
    if found:
        shown.append(Shown(f"bucket {bucket}", "bytes", most.bucket_bytes, found.bytes))
    if found and image:
        shown.append(Shown(f"image {bucket}/{image}", "tags", most.tags, sql.tag_count(rows, found.id, image)))
    return shown


async def set_quota(hub: Hub, *, project: str | None, bucket: str | None, wanted: dict[str, int | None]) -> None:
    """For the operator: quotas of one project, or of one bucket. Raises UNKNOWN_PROJECT, BUCKET_UNKNOWN, BAD_PARAM."""

    def change(rows: Rows) -> None:
        if bucket is not None:
            found = buckets_sql.by_name(rows, bucket)
            if found is None:
                raise HubError(Kind.BUCKET_UNKNOWN, bucket)
            kind_of, scope = "bucket", f"bucket {found.id}"
        else:
            if project is None or not people_sql.project_exists(rows, project):
                raise HubError(Kind.UNKNOWN_PROJECT, project or "")
            kind_of, scope = "project", f"project {project}"
        for kind, most in wanted.items():
            if kind not in KINDS[kind_of]:
                raise HubError(Kind.BAD_PARAM, f"{kind}: a {kind_of} has no such quota")
            sql.set_quota(rows, scope, kind, most)

    await hub.db.write(change)
