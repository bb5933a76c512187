"""What a backup asks the rows of one moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from entrepot.store.db import Rows


def trim(rows: Rows) -> None:
    """Leave out what is true only where it was: holds, dead objects, and bytes of uploads that have not ended.

    Their ids stay as ended ones: an id that began anew would make a storage key for a second time.
    """
    rows.run("DELETE FROM dead_object")
    rows.run("UPDATE upload SET received = -1, digest_so_far = ''")
    rows.run("DELETE FROM hold")


class Object(NamedTuple):
    """A blob whose bytes are a stored object."""

    id: int
    digest: str
    size: int
    key: str


_PAGE = 500


def objects(rows: Rows) -> Iterator[Object]:
    """Every blob that is a stored object, by id; read in pages."""
    after = 0
    while page := [
        Object(*row)
        for row in rows.all(
            "SELECT id, digest, size, storage_key FROM blob WHERE id > :after AND content IS NULL"
            " ORDER BY id LIMIT :limit",
            after=after,
            limit=_PAGE,
        )
    ]:
        yield from page
        after = page[-1].id


def names_object(rows: Rows, key: str) -> bool:
    """Whether a blob is stored under this key."""
    return rows.one("SELECT 1 FROM blob WHERE storage_key = :key AND content IS NULL", key=key) is not None


def inside(rows: Rows) -> Iterator[tuple[str, str, bytes]]:
    """(what it is, digest, bytes) of everything that lives in rows: manifests and small blobs; one row at a time."""
    for table in ("manifest", "blob"):
        after = 0
        while row := rows.one(
            f"SELECT id, digest, content FROM {table} WHERE id > :after AND content IS NOT NULL ORDER BY id LIMIT 1",
            after=after,
        ):
            after = row[0]
            yield table, row[1], bytes(row[2])


@dataclass(frozen=True, slots=True)
class Counts:
    """How much there is; ``objects`` and ``object_bytes`` of blobs that are stored objects."""

    accounts: int = 0
    buckets: int = 0
    manifests: int = 0
    tags: int = 0
    blobs: int = 0
    objects: int = 0
    object_bytes: int = 0


def counts(rows: Rows) -> Counts:
    """Count everything."""
    row = rows.one(
        "SELECT (SELECT COUNT(*) FROM account), (SELECT COUNT(*) FROM bucket), (SELECT COUNT(*) FROM manifest),"
        " (SELECT COUNT(*) FROM tag), (SELECT COUNT(*) FROM blob),"
        " (SELECT COUNT(*) FROM blob WHERE content IS NULL),"
        " (SELECT COALESCE(SUM(size), 0) FROM blob WHERE content IS NULL)"
    )
    assert row is not None
    return Counts(*row)
