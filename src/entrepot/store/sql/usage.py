"""Bytes that buckets and projects hold, and the quotas on them. Counted in the transaction that changes them."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Usage(NamedTuple):
    """What a bucket and its project hold, in bytes, after a change."""

    bucket_id: int
    project_id: str
    bucket_bytes: int
    project_bytes: int
    grown: int = 0
    """By how much the change made it more."""


def grow(rows: Rows, image_id: int, size: int) -> Usage | None:
    """Count ``size`` more (or, negative, fewer) bytes in the bucket of an image and in its project."""
    row = rows.one(
        "UPDATE bucket SET bytes = bytes + :size WHERE id = (SELECT bucket_id FROM image WHERE id = :image)"
        " RETURNING id, project_id, bytes",
        size=size,
        image=image_id,
    )
    assert row is not None
    total = rows.one(
        "UPDATE project SET bytes = bytes + :size WHERE id = :project RETURNING bytes", size=size, project=row[1]
    )
    assert total is not None
    return Usage(row[0], row[1], row[2], total[0], size)


def hold(rows: Rows, image_id: int, blob_id: int) -> Usage | None:
    """An image has got a link to a blob; None when its bucket held the blob already."""
    row = rows.one(
        "INSERT INTO bucket_blob (bucket_id, blob_id, images) SELECT bucket_id, :blob, 1 FROM image WHERE id = :image"
        " ON CONFLICT (bucket_id, blob_id) DO UPDATE SET images = bucket_blob.images + 1 RETURNING images",
        blob=blob_id,
        image=image_id,
    )
    assert row is not None
    return grow(rows, image_id, _size(rows, blob_id)) if row[0] == 1 else None


def release(rows: Rows, image_id: int, blob_id: int) -> None:
    """An image has lost its link to a blob."""
    row = rows.one(
        "UPDATE bucket_blob SET images = images - 1"
        " WHERE blob_id = :blob AND bucket_id = (SELECT bucket_id FROM image WHERE id = :image)"
        " RETURNING images, bucket_id",
        blob=blob_id,
        image=image_id,
    )
    assert row is not None
    if row[0] == 0:
        rows.run("DELETE FROM bucket_blob WHERE bucket_id = :bucket AND blob_id = :blob", bucket=row[1], blob=blob_id)
        grow(rows, image_id, -_size(rows, blob_id))


def _size(rows: Rows, blob_id: int) -> int:
    row = rows.one("SELECT size FROM blob WHERE id = :id", id=blob_id)
    assert row is not None
    return int(row[0])


def project_bytes(rows: Rows, project_id: str) -> int:
    """Bytes that a project holds."""
    row = rows.one("SELECT bytes FROM project WHERE id = :id", id=project_id)
    return int(row[0]) if row else 0


def unfinished(rows: Rows, column: str, value: object) -> int:
    """Bytes that uploads hold which have not ended, in the buckets whose ``column`` has a value."""
    row = rows.one(
        "SELECT COALESCE(SUM(u.received), 0) FROM bucket b JOIN image i ON i.bucket_id = b.id"
        f" JOIN upload u ON u.image_id = i.id WHERE b.{column} = :value AND u.received > 0",
        value=value,
    )
    return int(row[0]) if row else 0


def tag_count(rows: Rows, bucket_id: int, image: str) -> int:
    """Tags of an image; 0 for one that is not there."""
    row = rows.one(
        "SELECT tag_count FROM image WHERE bucket_id = :bucket AND name = :name", bucket=bucket_id, name=image
    )
    return int(row[0]) if row else 0


def quotas(rows: Rows, project_id: str, bucket_id: int) -> dict[tuple[str, str], int]:
    """What was set for a project and a bucket: ("project" or "bucket", kind) -> most."""
    found = rows.all(
        "SELECT scope, kind, most FROM quota WHERE scope IN (:project, :bucket)",
        project=f"project {project_id}",
        bucket=f"bucket {bucket_id}",
    )
    return {(scope.partition(" ")[0], kind): most for scope, kind, most in found}


def set_quota(rows: Rows, scope: str, kind: str, most: int | None) -> None:
    """Set a quota for one scope; None: the setting holds again."""
    rows.run("DELETE FROM quota WHERE scope = :scope AND kind = :kind", scope=scope, kind=kind)
    if most is not None:
        rows.run(
            "INSERT INTO quota (scope, kind, most) VALUES (:scope, :kind, :most)", scope=scope, kind=kind, most=most
        )
