"""What retention reads and keeps: rules of buckets, tags by age, and when manifests were last pulled."""

from typing import Any, NamedTuple

from entrepot.model import globs, retention
from entrepot.model.retention import Tag
from entrepot.store.db import Rows
from entrepot.store.sql import manifests


class Policy(NamedTuple):
    """The rules of a bucket, and its immutable tags. ``last_run_at`` 0: never."""

    bucket_id: int
    bucket: str
    account_id: int
    rules: str
    immutable: str
    next_run_at: int
    last_run_at: int


_POLICY = (
    "SELECT b.id, b.name, b.account_id, COALESCE(r.rules, '[]'), b.immutable_tags, COALESCE(r.next_run_at, 0),"
    " COALESCE(r.last_run_at, 0) FROM bucket b LEFT JOIN bucket_retention r ON r.bucket_id = b.id WHERE b.id = :bucket"
)


def policy(rows: Rows, bucket_id: int) -> Policy | None:
    """What holds for a bucket now; None without the bucket."""
    row = rows.one(_POLICY, bucket=bucket_id)
    return Policy(*row) if row else None


def set_rules(rows: Rows, bucket_id: int, rules: str, next_run_at: int) -> None:
    """Set a bucket's rules, and when they are first applied; for rules that are set already nothing changes."""
    rows.run(
        "INSERT INTO bucket_retention (bucket_id, rules, next_run_at, last_run_at) VALUES (:bucket, :rules, :next, 0)"
        " ON CONFLICT (bucket_id) DO UPDATE SET rules = excluded.rules, next_run_at = CASE"
        " WHEN bucket_retention.rules = excluded.rules THEN bucket_retention.next_run_at ELSE excluded.next_run_at END",
        bucket=bucket_id,
        rules=rules,
        next=next_run_at,
    )


def forget_rules(rows: Rows, bucket_id: int) -> None:
    """A bucket has no rules any more."""
    rows.run("DELETE FROM bucket_retention WHERE bucket_id = :bucket", bucket=bucket_id)


def claim(rows: Rows, now: int, until: int) -> int | None:
    """A bucket whose rules are due; nobody else gets it before ``until``."""
    row = rows.one(
        "UPDATE bucket_retention SET next_run_at = :until WHERE bucket_id = (SELECT bucket_id FROM bucket_retention"
        " WHERE next_run_at <= :now ORDER BY next_run_at LIMIT 1) AND next_run_at <= :now RETURNING bucket_id",
        now=now,
        until=until,
    )
    return int(row[0]) if row else None


def ran(rows: Rows, bucket_id: int, rules: str, now: int, next_run_at: int) -> None:
    """These rules were applied to the whole bucket; others that were set meanwhile keep their time."""
    rows.run(
        "UPDATE bucket_retention SET last_run_at = :now, next_run_at = :next WHERE bucket_id = :bucket"
        " AND rules = :rules",
        now=now,
        next=next_run_at,
        bucket=bucket_id,
        rules=rules,
    )


def images(rows: Rows, bucket_id: int, after: str, limit: int) -> list[tuple[int, str]]:
    """(id, name) of images that hold tags, by name, after one."""
    return [
        (row[0], row[1])
        for row in rows.all(
            "SELECT id, name FROM image WHERE bucket_id = :bucket AND name > :after AND tag_count > 0"
            " ORDER BY name LIMIT :limit",
            bucket=bucket_id,
            after=after,
            limit=limit,
        )
    ]


# Who pulls one platform of an index by its digest uses the index, whose tag keeps that platform. An index may list
# thousands of manifests, and as many tags may point to it: those of real ones are in the first 64.
_TAG = (
    "SELECT t.name, t.manifest_id, m.digest, t.updated_at,"
    " COALESCE((SELECT p.pulled_at FROM manifest_pull p WHERE p.manifest_id = t.manifest_id), 0),"
    " COALESCE((SELECT MAX(p.pulled_at)"
    "  FROM (SELECT child_digest FROM manifest_child WHERE manifest_id = t.manifest_id"
    "   ORDER BY child_digest LIMIT 64) c"
    "  JOIN manifest k ON k.image_id = t.image_id AND k.digest = c.child_digest"
    "  JOIN manifest_pull p ON p.manifest_id = k.id), 0)"
    " FROM tag t JOIN manifest m ON m.id = t.manifest_id WHERE t.image_id = :image"
)


def newest(rows: Rows, image_id: int, after: Tag | None, limit: int) -> list[Tag]:
    """Tags of an image from the newest to the oldest, after one."""
    older = "" if after is None else " AND (t.updated_at, t.name) < (:at, :name)"
    found = rows.all(
        f"{_TAG}{older} ORDER BY t.updated_at DESC, t.name DESC LIMIT :limit",
        image=image_id,
        limit=limit,
        **({} if after is None else {"at": after.pushed_at, "name": after.name}),
    )
    return [_seen(row) for row in found]


def tag(rows: Rows, image_id: int, name: str) -> Tag | None:
    """One tag as it is now."""
    row = rows.one(f"{_TAG} AND t.name = :name", image=image_id, name=name)
    return _seen(row) if row else None


def _seen(row: tuple[Any, ...]) -> Tag:
    name, manifest_id, digest, pushed_at, pulled_at, child_pulled_at = row
    return Tag(name, manifest_id, digest, pushed_at, max(pulled_at, child_pulled_at))


def add_pulls(rows: Rows, manifests_pulled: list[int], now: int) -> None:
    """Manifests were pulled; those that are gone meanwhile are passed over."""
    rows.run_many(
        "INSERT INTO manifest_pull (manifest_id, pulled_at) SELECT id, :now FROM manifest WHERE id = :id"
        " ON CONFLICT (manifest_id) DO UPDATE SET pulled_at = excluded.pulled_at",
        [{"id": one, "now": now} for one in manifests_pulled],
    )


def follow(rows: Rows, image_id: int, digest: str, now: int, untagged: int, who: str) -> None:
    """A manifest is gone: so are the tags that hold its signatures, attestations and SBOMs, if they may go."""
    names = {f"n{place}": name for place, name in enumerate(retention.companions(digest))}
    if not names:
        return
    listed = ", ".join(f":{name}" for name in names)
    found = rows.all(
        "SELECT t.name, i.name, b.immutable_tags FROM tag t JOIN image i ON i.id = t.image_id"
        f" JOIN bucket b ON b.id = i.bucket_id WHERE t.image_id = :image AND t.name IN ({listed})",
        image=image_id,
        **names,
    )
    for name, image, immutable in found:
        if not globs.selection(immutable).has(image, name):
            manifests.delete_tag(rows, image_id, name, now, untagged, who)
