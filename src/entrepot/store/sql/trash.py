"""What was deleted and can be brought back: buckets that are hidden, manifests that were moved aside.

A hidden bucket keeps its rows under the name ``~<id>``, which no request can ask for, in an account and a project that
nobody is in: hiding and showing it costs the same at any size. A manifest's row moves, because its image goes on; the
blobs it needs are held, but no longer counted in the bucket.
"""

from typing import NamedTuple

from entrepot.model import events as kinds
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import collect, events
from entrepot.store.sql.buckets import Bucket

NOBODYS = -1
"""The account that hidden buckets are in; its one project is HIDDEN."""
HIDDEN = "deleted"


class Deletion(NamedTuple):
    """A row of ``deletion``."""

    id: int
    account_id: int
    bucket_id: int
    bucket_name: str
    project_id: str
    region: str
    kind: str
    image_name: str
    name: str
    manifests: int
    bytes: int
    kept: str
    who: str
    at: int
    expires_at: int


_COLUMNS = ", ".join(Deletion._fields)


def window(rows: Rows, bucket_id: int, default: int) -> int:
    """How many seconds what is deleted in a bucket can be brought back."""
    row = rows.one("SELECT undelete_seconds FROM bucket WHERE id = :id", id=bucket_id)
    return default if row is None or row[0] is None else int(row[0])


def set_window(rows: Rows, bucket_id: int, seconds: int | None, now: int) -> None:
    """Set a bucket's window; None: the setting holds."""
    rows.run(
        "UPDATE bucket SET undelete_seconds = :seconds, updated_at = :now WHERE id = :id",
        seconds=seconds,
        now=now,
        id=bucket_id,
    )


def note(
    rows: Rows, bucket: Bucket, *, kind: str, image: str, name: str, kept: str, who: str, now: int, window: int
) -> int:
    """File a deletion; its id."""
    row = rows.one(
        "INSERT INTO deletion (account_id, bucket_id, bucket_name, project_id, region, kind, image_name, name,"
        " manifests, bytes, kept, who, at, expires_at)"
        " VALUES (:account, :bucket, :bucket_name, :project, :region, :kind, :image, :name,"
        " 0, :bytes, :kept, :who, :now, :expires) RETURNING id",
        account=bucket.account_id,
        bucket=bucket.id,
        bucket_name=bucket.name,
        project=bucket.project_id,
        region=bucket.region,
        kind=kind,
        image=image,
        name=name,
        bytes=bucket.bytes if kind == "bucket" else 0,
        kept=kept,
        who=who,
        now=now,
        expires=now + window,
    )
    assert row is not None
    return int(row[0])


def find(rows: Rows, account_id: int, deletion_id: int) -> Deletion | None:
    """A deletion of an account."""
    row = rows.one(
        f"SELECT {_COLUMNS} FROM deletion WHERE id = :id AND account_id = :account", id=deletion_id, account=account_id
    )
    return Deletion(*row) if row else None


def page(rows: Rows, account_id: int, bucket: str | None, before: int, limit: int, now: int) -> list[Deletion]:
    """What can be brought back in an account, or in its buckets of one name, newest first, before an id."""
    only = "" if bucket is None else " AND bucket_name = :bucket"
    found = rows.all(
        f"SELECT {_COLUMNS} FROM deletion WHERE account_id = :account{only} AND id < :before"
        " AND expires_at > :now ORDER BY id DESC LIMIT :limit",
        account=account_id,
        before=before,
        limit=limit,
        now=now,
        **({} if bucket is None else {"bucket": bucket}),
    )
    return [Deletion(*row) for row in found]


def is_held(rows: Rows, name: str, account_id: int, now: int) -> bool:
    """Whether another account deleted a bucket of this name and may still bring it back."""
    return (
        rows.one(
            "SELECT 1 FROM deletion WHERE bucket_name = :name AND kind = 'bucket' AND account_id <> :account"
            " AND expires_at > :now LIMIT 1",
            name=name,
            account=account_id,
            now=now,
        )
        is not None
    )


def size(rows: Rows, project_id: str, now: int) -> tuple[int, int]:
    """How many deletions of a project can be brought back, and what they hold in bytes."""
    row = rows.one(
        "SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM deletion WHERE project_id = :project AND expires_at > :now",
        project=project_id,
        now=now,
    )
    assert row is not None
    return int(row[0]), int(row[1])


def oldest(rows: Rows, project_id: str, now: int, limit: int) -> list[Deletion]:
    """Deletions of a project that can be brought back, oldest first."""
    return [
        Deletion(*row)
        for row in rows.all(
            f"SELECT {_COLUMNS} FROM deletion WHERE project_id = :project AND expires_at > :now"
            " ORDER BY id LIMIT :limit",
            project=project_id,
            now=now,
            limit=limit,
        )
    ]


def hide(rows: Rows, bucket: Bucket, now: int, who: str = "", depth: int = 0) -> None:
    """Take a bucket without grants out of everybody's sight, after those who listen have it that it goes."""
    events.note(rows, bucket.id, kinds.GONE, now, who=who, depth=depth)
    _move(rows, bucket, f"~{bucket.id}", NOBODYS, HIDDEN, is_public=False, now=now)


def show(
    rows: Rows, hidden: Bucket, deletion: Deletion, *, is_public: bool, now: int, who: str = "", depth: int = 0
) -> None:
    """Put a hidden bucket back where it was; its name must be free."""
    _move(rows, hidden, deletion.bucket_name, deletion.account_id, deletion.project_id, is_public=is_public, now=now)
    events.note(rows, hidden.id, kinds.BACK, now, who=who, depth=depth)


def _move(
    rows: Rows, bucket: Bucket, name: str, account_id: int, project_id: str, *, is_public: bool, now: int
) -> None:
    buckets_sql.count(
        rows, bucket.account_id, bucket.project_id, bucket.region, is_public=bool(bucket.is_public), step=-1
    )
    buckets_sql.count(rows, account_id, project_id, bucket.region, is_public=is_public, step=1)
    for project, size in ((bucket.project_id, -bucket.bytes), (project_id, bucket.bytes)):
        rows.run("UPDATE project SET bytes = bytes + :size WHERE id = :id", size=size, id=project)
    rows.run(
        "UPDATE bucket SET name = :name, account_id = :account, project_id = :project, is_public = :public,"
        " updated_at = :now WHERE id = :id",
        name=name,
        account=account_id,
        project=project_id,
        public=int(is_public),
        now=now,
        id=bucket.id,
    )


def set_aside(rows: Rows, deletion_id: int, image_id: int, manifest_id: int | None) -> None:
    """Keep a manifest of an image (None: all of them) with its tags and blobs, before it is deleted."""
    which = "m.image_id = :image" + ("" if manifest_id is None else " AND m.id = :manifest")
    given = {"image": image_id, **({} if manifest_id is None else {"manifest": manifest_id})}
    rows.run(
        "INSERT INTO deleted_manifest (id, deletion_id, image_id, digest, media_type, created_at, content)"
        " SELECT m.id, :deletion, m.image_id, m.digest, m.media_type, m.created_at, m.content"
        f" FROM manifest m WHERE {which}",
        deletion=deletion_id,
        **given,
    )
    rows.run(
        "INSERT INTO deleted_tag (manifest_id, name)"
        f" SELECT m.id, t.name FROM manifest m JOIN tag t ON t.manifest_id = m.id WHERE {which}",
        **given,
    )
    rows.run(
        "INSERT INTO deleted_manifest_blob (manifest_id, blob_id) SELECT m.id, r.blob_id FROM manifest m"
        f" JOIN manifest_blob r ON r.manifest_id = m.id WHERE {which}"
        # Build caches are indexes that list blobs as if they were manifests.
        " UNION SELECT m.id, o.id FROM manifest m JOIN manifest_child c ON c.manifest_id = m.id"
        " JOIN blob o ON o.digest = c.child_digest"
        f" JOIN image_blob l ON l.image_id = m.image_id AND l.blob_id = o.id WHERE {which}",
        **given,
    )
    rows.run(
        "UPDATE deletion SET"
        " manifests = (SELECT COUNT(*) FROM deleted_manifest d WHERE d.deletion_id = deletion.id),"
        " bytes = (SELECT COALESCE(SUM(LENGTH(d.content)), 0) FROM deleted_manifest d"
        " WHERE d.deletion_id = deletion.id)"
        " + (SELECT COALESCE(SUM(o.size), 0) FROM blob o WHERE o.id IN (SELECT r.blob_id FROM deleted_manifest d"
        " JOIN deleted_manifest_blob r ON r.manifest_id = d.id WHERE d.deletion_id = deletion.id)) WHERE id = :id",
        id=deletion_id,
    )


class Kept(NamedTuple):
    """A deleted manifest."""

    id: int
    image_id: int
    digest: str
    media_type: str
    created_at: int
    content: bytes


def kept(rows: Rows, deletion_id: int, limit: int) -> list[Kept]:
    """Manifests of a deletion that were not brought back yet."""
    return [
        Kept(*row)
        for row in rows.all(
            "SELECT id, image_id, digest, media_type, created_at, content FROM deleted_manifest"
            " WHERE deletion_id = :deletion ORDER BY id LIMIT :limit",
            deletion=deletion_id,
            limit=limit,
        )
    ]


def kept_ids(rows: Rows, deletion_id: int, limit: int) -> list[int]:
    """Their ids."""
    return [
        row[0]
        for row in rows.all(
            "SELECT id FROM deleted_manifest WHERE deletion_id = :deletion ORDER BY id LIMIT :limit",
            deletion=deletion_id,
            limit=limit,
        )
    ]


def tags(rows: Rows, manifest_id: int) -> list[tuple[str, bool]]:
    """(name, whether the image has no such tag now) of the tags that were deleted with a manifest."""
    return [
        (row[0], not row[1])
        for row in rows.all(
            "SELECT d.name, EXISTS (SELECT 1 FROM tag t WHERE t.image_id = m.image_id AND t.name = d.name)"
            " FROM deleted_tag d JOIN deleted_manifest m ON m.id = d.manifest_id WHERE d.manifest_id = :id"
            " ORDER BY d.name",
            id=manifest_id,
        )
    ]


def blobs(rows: Rows, manifest_id: int) -> dict[str, int]:
    """Ids of the blobs that a deleted manifest needs, by digest."""
    return dict(
        rows.all(
            "SELECT o.digest, o.id FROM deleted_manifest_blob r JOIN blob o ON o.id = r.blob_id"
            " WHERE r.manifest_id = :id",
            id=manifest_id,
        )
    )


def drop_manifest(rows: Rows, manifest_id: int, now: int) -> None:
    """Forget a deleted manifest; blobs that only it needed are collected."""
    rows.run(
        "INSERT INTO gc_blob (blob_id, review_after) SELECT blob_id, :now FROM deleted_manifest_blob"
        " WHERE manifest_id = :id ON CONFLICT (blob_id) DO NOTHING",
        now=now,
        id=manifest_id,
    )
    for table in ("deleted_manifest_blob", "deleted_tag"):
        rows.run(f"DELETE FROM {table} WHERE manifest_id = :id", id=manifest_id)
    rows.run("DELETE FROM deleted_manifest WHERE id = :id", id=manifest_id)


def drop(rows: Rows, deletion_id: int) -> None:
    """Forget a deletion whose manifests are gone from here."""
    rows.run("DELETE FROM deletion WHERE id = :id", id=deletion_id)


def expire(rows: Rows, deletion_id: int, now: int) -> None:
    """Nothing of a deletion can be brought back any more; the collector frees what it held."""
    rows.run("UPDATE deletion SET expires_at = :now WHERE id = :id", now=now, id=deletion_id)


def due(rows: Rows, now: int) -> Deletion | None:
    """The deletion whose window ended first."""
    row = rows.one(f"SELECT {_COLUMNS} FROM deletion WHERE expires_at <= :now ORDER BY expires_at, id LIMIT 1", now=now)
    return Deletion(*row) if row else None


def inside(rows: Rows, bucket_id: int) -> Deletion | None:
    """Something that was deleted inside a bucket."""
    row = rows.one(
        f"SELECT {_COLUMNS} FROM deletion WHERE bucket_id = :bucket AND kind <> 'bucket' ORDER BY id LIMIT 1",
        bucket=bucket_id,
    )
    return Deletion(*row) if row else None


def watch_tagless(rows: Rows, manifest_id: int, now: int, default: int) -> None:
    """A manifest may have lost its last tag: it stays as long as what is deleted in its bucket does."""
    row = rows.one(
        "SELECT b.undelete_seconds FROM manifest m JOIN image i ON i.id = m.image_id"
        " JOIN bucket b ON b.id = i.bucket_id WHERE m.id = :id",
        id=manifest_id,
    )
    collect.watch_manifest(rows, manifest_id, now + (default if row is None or row[0] is None else int(row[0])))
