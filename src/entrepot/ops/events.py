"""Events as those who listen get them: CloudEvents 1.0, and what a workflow takes of one."""

import json
from datetime import UTC, datetime
from typing import Any

from entrepot.errors import HubError, Kind
from entrepot.model import events as kinds
from entrepot.model import globs
from entrepot.ops.buckets import own
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import events as sql
from entrepot.store.sql.events import Event

CONTENT_TYPE = "application/cloudevents+json"


def cloud_event(event: Event) -> dict[str, Any]:
    """An event in CloudEvents' JSON format. Its id tells it from every other one of the hub, now and later."""
    subject = event.image
    if event.tag:
        subject += f":{event.tag}"
    elif event.digest:
        subject += f"@{event.digest}"
    return {
        "specversion": "1.0",
        "id": f"{event.bucket_id}/{event.number}",
        "source": f"/buckets/{event.bucket}",
        "type": f"entrepot.{event.kind}",
        **({"subject": subject} if subject else {}),
        "time": datetime.fromtimestamp(event.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "datacontenttype": "application/json",
        "data": {
            "Number": event.number,
            "BucketName": event.bucket,
            "ImageName": event.image,
            "TagName": event.tag,
            "Digest": event.digest,
            "User": event.who,
            "Time": event.at,
            **json.loads(event.detail),
        },
    }


def inputs(event: Event) -> dict[str, Any]:
    """What a workflow is offered of an event, by the names of its inputs."""
    whole = cloud_event(event)
    return {"OldDigest": "", **whole["data"], "Kind": event.kind, "Event": whole}


async def page(
    ctx: Ctx, bucket: str, kind: str | None, *, between: tuple[int, int], limit: int, newest_first: bool
) -> list[Event]:
    """Events of a bucket of the caller's account whose number is between two others. Raises BUCKET_UNKNOWN."""

    def load(rows: Rows) -> list[Event]:
        return sql.page(rows, own(ctx, rows, bucket).id, kind, between, limit, newest_first=newest_first)

    return await ctx.hub.db.read(load)


def words(given: list[str]) -> str:
    """Kinds as they are stored; all of them are none. Each is one of ``kinds.KINDS``."""
    return "" if set(given) == set(kinds.KINDS) else " ".join(one for one in kinds.KINDS if one in given)


def selection(patterns: list[str]) -> str:
    """Globs over tags as they are stored. Raises BAD_PARAM."""
    return globs.select(patterns, []).text


def tell_scanned(rows: Rows, what: str, now: int) -> None:
    """Every byte of the hub's blobs, or manifests, was read again: those who listen hear of it, the first thousand."""
    for bucket_id in sql.listening(rows, 0, 1000):
        sql.note(rows, bucket_id, kinds.SCANNED, now, What=what)


async def refused_for_quota(ctx: Ctx, bucket: str, fault: HubError) -> None:
    """A push was refused because a quota is used up: those who listen hear of it, once an hour from each process."""
    if fault.kind is not Kind.QUOTA_EXCEEDED:
        return
    told, now = ctx.hub.refused, ctx.hub.monotonic()
    if now - told.get(bucket, -1e9) < 3600:
        return
    if len(told) > 10_000:
        told.clear()
    told[bucket] = now

    def note(rows: Rows) -> None:
        home = buckets_sql.by_name(rows, bucket)
        if home is not None:
            sql.note(rows, home.id, kinds.QUOTA, ctx.now, who=ctx.who.email, depth=ctx.depth, Reason=fault.detail)

    await ctx.hub.db.write(note)
    ctx.hub.told.set()
