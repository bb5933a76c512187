"""The outbox: events as rows, written in the transaction that causes them, by what changes the rows.

Where nobody listens an event costs one statement that changes nothing; a push does not even pay that (``LISTENS``).
"""

import json
from typing import Any, NamedTuple

from entrepot.model import events as kinds
from entrepot.store.db import Rows

TOLD = 100
"""Most tags that one event names."""

LISTENS = (
    "(SELECT b.listens + a.listens FROM bucket b JOIN account a ON a.id = b.account_id WHERE b.id = image.bucket_id)"
)
"""Whether somebody listens to the bucket of an ``image`` that a statement returns anyway: 0 for nobody."""

# The number comes out of the bucket's own row: whoever is second waits, so numbers have no gaps and no doubles.
_NUMBER = (
    "UPDATE bucket SET event_number = event_number + 1 WHERE id = :id AND (listens > 0 OR EXISTS"
    " (SELECT 1 FROM account a WHERE a.id = bucket.account_id AND a.listens > 0))"
    " RETURNING event_number, account_id, project_id, name"
)
_COLUMNS = (
    "id", "bucket_id", "number", "kind", "account_id", "project_id", "bucket", "image", "tag", "digest", "detail",
    "who", "depth", "at",
)  # fmt: skip


class Event(NamedTuple):
    """A row of ``event``; ``detail`` is JSON."""

    id: int
    bucket_id: int
    number: int
    kind: str
    account_id: int
    project_id: str
    bucket: str
    image: str
    tag: str
    digest: str
    detail: str
    who: str
    depth: int
    at: int

    @property
    def tags(self) -> list[str]:
        """The tags that it is about."""
        return [self.tag] if self.tag else list(json.loads(self.detail).get("Tags", []))


_SELECT = f"SELECT {', '.join(f'e.{name}' for name in _COLUMNS)} FROM event e"


def note(
    rows: Rows,
    bucket_id: int,
    kind: str,
    now: int,
    *,
    image: str = "",
    tag: str = "",
    digest: str = "",
    who: str = "",
    depth: int = 0,
    **detail: Any,
) -> None:
    """File an event of a bucket if somebody listens; ``detail``: what is special about its kind."""
    place = rows.one(_NUMBER, id=bucket_id)
    if place is None:
        return
    rows.run(
        "INSERT INTO event (bucket_id, number, kind, account_id, project_id, bucket, image, tag, digest, detail, who,"
        " depth, at, is_filed) VALUES (:bucket_id, :number, :kind, :account, :project, :bucket, :image, :tag, :digest,"
        " :detail, :who, :depth, :now, 0)",
        bucket_id=bucket_id,
        number=place[0],
        kind=kind,
        account=place[1],
        project=place[2],
        bucket=place[3],
        image=image,
        tag=tag,
        digest=digest,
        detail=json.dumps(detail),
        who=who,
        depth=depth,
        now=now,
    )


def note_tag(
    rows: Rows, image_id: int, kind: str, tag: str, manifest_ids: tuple[int, int], *, who: str, depth: int, now: int
) -> None:
    """File that a tag came, moved or went. ``manifest_ids``: where it pointed before (0: nowhere), and which it is
    about now.
    """
    row = rows.one(
        "SELECT i.bucket_id, i.name, COALESCE((SELECT m.digest FROM manifest m WHERE m.id = :now), ''),"
        " COALESCE((SELECT m.digest FROM manifest m WHERE m.id = :before), '') FROM image i WHERE i.id = :image",
        image=image_id,
        before=manifest_ids[0],
        now=manifest_ids[1],
    )
    assert row is not None
    more = {"OldDigest": row[3]} if row[3] else {}
    note(rows, row[0], kind, now, image=row[1], tag=tag, digest=row[2], who=who, depth=depth, **more)


def note_image(
    rows: Rows, image_id: int, kind: str, manifest_id: int | None, *, who: str, depth: int, now: int, **detail: Any
) -> None:
    """File what happens to a manifest of an image, or to the whole image (None), with the tags that point there.

    To be called while they are still there.
    """
    place = rows.one(
        "SELECT i.bucket_id, i.name, b.listens + a.listens FROM image i JOIN bucket b ON b.id = i.bucket_id"
        " JOIN account a ON a.id = b.account_id WHERE i.id = :image",
        image=image_id,
    )
    if place is None or not place[2]:
        return
    only = "" if manifest_id is None else " AND manifest_id = :manifest"
    given = {} if manifest_id is None else {"manifest": manifest_id}
    tags = rows.all(
        f"SELECT name FROM tag WHERE image_id = :image{only} ORDER BY name LIMIT :limit",
        image=image_id,
        limit=TOLD,
        **given,
    )
    digest = rows.one("SELECT digest FROM manifest WHERE id = :id", id=manifest_id) if manifest_id is not None else None
    note(
        rows,
        place[0],
        kind,
        now,
        image=place[1],
        digest=digest[0] if digest else "",
        who=who,
        depth=depth,
        Tags=[row[0] for row in tags],
        **detail,
    )


def note_pulls(rows: Rows, pulled: dict[int, int], now: int) -> None:
    """File how often manifests were pulled since the last time, for the buckets where somebody wants to know."""
    ids = sorted(pulled)
    for start in range(0, len(ids), 200):
        part = {f"m{place}": one for place, one in enumerate(ids[start : start + 200])}
        found = rows.all(
            "SELECT m.id, i.bucket_id, i.name, m.digest FROM manifest m JOIN image i ON i.id = m.image_id"
            " JOIN bucket b ON b.id = i.bucket_id JOIN account a ON a.id = b.account_id"
            f" WHERE m.id IN ({', '.join(f':{name}' for name in part)}) AND (b.listens > 1 OR a.listens > 1)",
            **part,
        )
        for manifest_id, bucket_id, image, digest in found:
            tags = rows.all(
                "SELECT name FROM tag WHERE manifest_id = :id ORDER BY name LIMIT :limit", id=manifest_id, limit=TOLD
            )
            names = [row[0] for row in tags]
            note(
                rows,
                bucket_id,
                kinds.PULLED,
                now,
                image=image,
                digest=digest,
                Count=pulled[manifest_id],
                Tags=names,
            )


def note_collected(rows: Rows, taken: dict[int, int], what: str, now: int) -> None:
    """File how many manifests or links to blobs (``what``) the collector took from images; an event for each bucket."""
    buckets: dict[int, dict[str, int]] = {}
    for image_id, count in taken.items():
        row = rows.one("SELECT bucket_id, name FROM image WHERE id = :id", id=image_id)
        if row is not None:
            buckets.setdefault(row[0], {})[row[1]] = count
    for bucket_id, images in buckets.items():
        told: dict[str, Any] = {what: sum(images.values()), "Images": sorted(images)[:TOLD]}
        note(rows, bucket_id, kinds.COLLECTED, now, **told)


def listening(rows: Rows, after: int, limit: int) -> list[int]:
    """Ids of buckets that somebody listens to, after one."""
    found = rows.all(
        "SELECT b.id FROM bucket b JOIN account a ON a.id = b.account_id"
        " WHERE b.id > :after AND (b.listens > 0 OR a.listens > 0) ORDER BY b.id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [int(row[0]) for row in found]


def page(
    rows: Rows, bucket_id: int, kind: str | None, between: tuple[int, int], limit: int, *, newest_first: bool
) -> list[Event]:
    """Events of a bucket by number, after the one and before the other."""
    only = "" if kind is None else " AND e.kind = :kind"
    found = rows.all(
        f"{_SELECT} WHERE e.bucket_id = :bucket AND e.number > :after AND e.number < :before{only}"
        f" ORDER BY e.number{' DESC' if newest_first else ''} LIMIT :limit",
        bucket=bucket_id,
        after=between[0],
        before=between[1],
        limit=limit,
        **({} if kind is None else {"kind": kind}),
    )
    return [Event(*row) for row in found]


def find(rows: Rows, event_id: int) -> Event | None:
    """An event."""
    row = rows.one(f"{_SELECT} WHERE e.id = :id", id=event_id)
    return Event(*row) if row else None


def unfiled(rows: Rows, limit: int) -> list[Event]:
    """Events that those who listen have not got yet, oldest first."""
    return [Event(*row) for row in rows.all(f"{_SELECT} WHERE e.is_filed = 0 ORDER BY e.id LIMIT :limit", limit=limit)]


def filed(rows: Rows, ids: list[int]) -> None:
    """Everybody who listens has them."""
    rows.run_many("UPDATE event SET is_filed = 1 WHERE id = :id", [{"id": one} for one in ids])


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` events older than a time that nobody needs any more; how many."""
    return rows.run(
        "DELETE FROM event WHERE id IN (SELECT e.id FROM event e WHERE e.at < :before AND e.is_filed = 1"
        " AND NOT EXISTS (SELECT 1 FROM webhook_delivery d WHERE d.event_id = e.id)"
        " AND NOT EXISTS (SELECT 1 FROM flow_firing f WHERE f.event_id = e.id) ORDER BY e.at LIMIT :limit)",
        before=before,
        limit=limit,
    )


def forget_bucket(rows: Rows, bucket_id: int) -> None:
    """Everything about the events of a bucket that goes for good."""
    events = "(SELECT id FROM event WHERE bucket_id = :id)"
    rows.run(f"DELETE FROM flow_firing WHERE event_id IN {events}", id=bucket_id)
    rows.run(f"DELETE FROM webhook_delivery WHERE event_id IN {events}", id=bucket_id)
    rows.run("DELETE FROM webhook WHERE bucket_id = :id", id=bucket_id)
    rows.run("DELETE FROM event WHERE bucket_id = :id", id=bucket_id)
