"""What a check reads and sets right, and the counters with the rows that they count."""

from typing import NamedTuple

from entrepot.store.db import Rows


def row_count(rows: Rows, deep: bool) -> int:
    """How many rows a check goes through."""
    tables = ["blob", *(["manifest"] if deep else []), *(counter.table for counter in COUNTERS)]
    row = rows.one("SELECT " + " + ".join(f"(SELECT COUNT(*) FROM {table})" for table in tables))
    return int(row[0]) if row else 0


def is_there(rows: Rows, blob_id: int, key: str) -> bool:
    """Whether the blob still has these bytes: it may have been collected or healed during the check."""
    return rows.one("SELECT 1 FROM blob WHERE id = :id AND storage_key = :key", id=blob_id, key=key) is not None


class Dangling(NamedTuple):
    """A manifest that names a blob which its image does not link."""

    manifest_id: int
    blob_id: int
    image_id: int
    image: str
    manifest: str
    digest: str


_DANGLING = (
    "SELECT r.manifest_id, r.blob_id, m.image_id, b.name || '/' || i.name, m.digest, o.digest FROM manifest_blob r"
    " JOIN manifest m ON m.id = r.manifest_id JOIN image i ON i.id = m.image_id JOIN bucket b ON b.id = i.bucket_id"
    " JOIN blob o ON o.id = r.blob_id"
    " LEFT JOIN image_blob l ON l.image_id = m.image_id AND l.blob_id = r.blob_id"
    " WHERE l.blob_id IS NULL"
)


def dangling(rows: Rows, after: tuple[int, int], limit: int) -> list[Dangling]:
    """Such pairs by manifest and blob, after one."""
    found = rows.all(
        f"{_DANGLING} AND (r.manifest_id, r.blob_id) > (:manifest, :blob)"
        " ORDER BY r.manifest_id, r.blob_id LIMIT :limit",
        manifest=after[0],
        blob=after[1],
        limit=limit,
    )
    return [Dangling(*row) for row in found]


def is_dangling(rows: Rows, one: Dangling) -> bool:
    """Whether it still is."""
    row = rows.one(
        f"{_DANGLING} AND r.manifest_id = :manifest AND r.blob_id = :blob",
        manifest=one.manifest_id,
        blob=one.blob_id,
    )
    return row is not None


class Counter(NamedTuple):
    """A kept number: where it is, how its row is named for people, what counts anew, and what makes a row out."""

    name: str
    table: str
    column: str
    label: str
    counts: str
    key: tuple[str, ...] = ("id",)


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
        ("bucket_id", "blob_id"),
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
        ("scope", "region", "is_public"),
    ),
)


class Counted(NamedTuple):
    """A row of a counter: what makes it out, its name for people, what is kept, what is right."""

    key: tuple[object, ...]
    label: str
    kept: int
    counted: int


def counted(rows: Rows, counter: Counter, after: tuple[object, ...], limit: int) -> list[Counted]:
    """Rows of a counter by key, after one (none: from the first)."""
    listed = ", ".join(f"t.{name}" for name in counter.key)
    bound = {f"k{place}": value for place, value in enumerate(after)}
    later = f" WHERE ({listed}) > ({', '.join(f':{name}' for name in bound)})" if after else ""
    found = rows.all(
        f"SELECT {listed}, {counter.label}, t.{counter.column}, {counter.counts}"
        f" FROM {counter.table} t{later} ORDER BY {listed} LIMIT :limit",
        limit=limit,
        **bound,
    )
    return [Counted(tuple(row[:-3]), str(row[-3]), int(row[-2]), int(row[-1])) for row in found]


def mend(rows: Rows, counter: Counter, keys: list[tuple[object, ...]]) -> None:
    """Set a counter of some rows to what it counts."""
    where = " AND ".join(f"{name} = :k{place}" for place, name in enumerate(counter.key))
    rows.run_many(
        f"UPDATE {counter.table} AS t SET {counter.column} = {counter.counts} WHERE {where}",
        [{f"k{place}": value for place, value in enumerate(key)} for key in keys],
    )
