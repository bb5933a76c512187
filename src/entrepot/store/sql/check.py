"""What a check reads, and the counters with the rows that they count."""

from typing import NamedTuple

from entrepot.store.db import Rows


class BlobRow(NamedTuple):
    """A blob; ``inside``: how many bytes its row holds, None for a stored object."""

    id: int
    digest: str
    size: int
    key: str
    inside: int | None


def blob_count(rows: Rows) -> int:
    """How many blobs there are."""
    row = rows.one("SELECT COUNT(*) FROM blob")
    return int(row[0]) if row else 0


def blobs(rows: Rows, after: int, limit: int) -> list[BlobRow]:
    """Blobs by id, after one."""
    return [
        BlobRow(*row)
        for row in rows.all(
            "SELECT id, digest, size, storage_key, LENGTH(content) FROM blob"
            " WHERE id > :after ORDER BY id LIMIT :limit",
            after=after,
            limit=limit,
        )
    ]


def is_there(rows: Rows, blob_id: int) -> bool:
    """Whether the row is still there: it may have been collected during the check."""
    return rows.one("SELECT 1 FROM blob WHERE id = :id", id=blob_id) is not None


def content(rows: Rows, blob_id: int) -> bytes:
    """The bytes of a blob that lives in its row."""
    row = rows.one("SELECT content FROM blob WHERE id = :id", id=blob_id)
    return bytes(row[0]) if row and row[0] is not None else b""


def manifests(rows: Rows, after: int, limit: int) -> list[tuple[int, str, bytes]]:
    """(id, digest, bytes) of manifests by id, after one."""
    return [
        (row[0], row[1], row[2])
        for row in rows.all(
            "SELECT id, digest, content FROM manifest WHERE id > :after ORDER BY id LIMIT :limit",
            after=after,
            limit=limit,
        )
    ]


def unlinked(rows: Rows) -> list[tuple[str, str]]:
    """(image, digest) of manifests that name a blob which their image does not link; at most a thousand."""
    return [
        (row[0], row[1])
        for row in rows.all(
            "SELECT DISTINCT b.name || '/' || i.name, m.digest FROM manifest_blob r"
            " JOIN manifest m ON m.id = r.manifest_id JOIN image i ON i.id = m.image_id"
            " JOIN bucket b ON b.id = i.bucket_id"
            " LEFT JOIN image_blob l ON l.image_id = m.image_id AND l.blob_id = r.blob_id"
            " WHERE l.blob_id IS NULL LIMIT 1000"
        )
    ]


class Counter(NamedTuple):
    """A kept number: where it is, how its row is named for people, and the statement that counts anew."""

    name: str
    table: str
    column: str
    label: str
    counts: str


_BUCKET_BYTES = (
    "(SELECT COALESCE(SUM(o.size), 0) FROM blob o WHERE o.id IN (SELECT l.blob_id FROM image_blob l"
    " JOIN image i ON i.id = l.image_id WHERE i.bucket_id = t.id))"
    " + (SELECT COALESCE(SUM(m.size), 0) FROM manifest m JOIN image i ON i.id = m.image_id WHERE i.bucket_id = t.id)"
)
COUNTERS = (
    Counter(
        "manifests", "image", "manifest_count", "t.name", "(SELECT COUNT(*) FROM manifest m WHERE m.image_id = t.id)"
    ),
    Counter("tags", "image", "tag_count", "t.name", "(SELECT COUNT(*) FROM tag g WHERE g.image_id = t.id)"),
    Counter(
        "images",
        "bucket",
        "image_count",
        "t.name",
        "(SELECT COUNT(*) FROM image i WHERE i.bucket_id = t.id AND i.manifest_count > 0)",
    ),
    Counter("bytes", "bucket", "bytes", "t.name", _BUCKET_BYTES),
    Counter(
        "bytes",
        "project",
        "bytes",
        "t.id",
        "(SELECT COALESCE(SUM(b.bytes), 0) FROM bucket b WHERE b.project_id = t.id)",
    ),
    Counter(
        "images of a blob",
        "bucket_blob",
        "images",
        "t.blob_id",
        "(SELECT COUNT(*) FROM image_blob l JOIN image i ON i.id = l.image_id"
        " WHERE l.blob_id = t.blob_id AND i.bucket_id = t.bucket_id)",
    ),
    Counter(
        "buckets",
        "bucket_count",
        "buckets",
        "t.scope || ' ' || t.region",
        "(SELECT COUNT(*) FROM bucket b WHERE b.region = t.region AND b.is_public = t.is_public AND t.scope IN"
        " ('all', 'account ' || b.account_id, 'project ' || b.project_id))"
        " + (SELECT COUNT(*) FROM bucket_grant g WHERE g.region = t.region AND g.is_public = t.is_public"
        " AND t.scope = 'granted ' || g.account_id)",
    ),
)


def wrong(rows: Rows, counter: Counter) -> list[tuple[str, int, int]]:
    """(row, what is kept, what is right) where they differ; at most a thousand."""
    return [
        (str(row[0]), int(row[1]), int(row[2]))
        for row in rows.all(
            f"SELECT label, kept, counted FROM (SELECT {counter.label} AS label, t.{counter.column} AS kept,"
            f" {counter.counts} AS counted FROM {counter.table} t) AS seen WHERE kept <> counted LIMIT 1000"
        )
    ]


def mend(rows: Rows, counter: Counter) -> None:
    """Set a counter to what its rows say, wherever it differs."""
    column, counts = counter.column, counter.counts
    rows.run(f"UPDATE {counter.table} AS t SET {column} = {counts} WHERE {column} <> {counts}")
