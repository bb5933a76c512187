"""Blobs, their links and uploads as rows."""

from typing import NamedTuple

from entrepot.store.db import Rows, single
from entrepot.store.sql import collect
from entrepot.store.sql.buckets import PLACE, WIDE, Place
from entrepot.store.sql.damage import OBJECT, Object
from entrepot.store.sql.usage import Usage, hold, release


class Found(NamedTuple):
    """A bucket as a request sees it, and what was looked for inside it (None: not there)."""

    bucket: Place
    image_id: int | None
    size: int | None
    key: str | None
    content: bytes | None
    blob_id: int | None
    lease: int | None
    fault: str | None


@single
def locate_image(rows: Rows, bucket: str, image: str) -> tuple[Place, int | None] | None:
    """(the bucket, image id or None); None without the bucket."""
    row = rows.one(
        f"SELECT {PLACE}, i.id FROM bucket b"
        " LEFT JOIN image i ON i.bucket_id = b.id AND i.name = :image WHERE b.name = :bucket",
        bucket=bucket,
        image=image,
    )
    return (Place(*row[:WIDE]), row[WIDE]) if row else None


_LOCATE = (
    f"SELECT {PLACE}, i.id,"
    " CASE WHEN l.blob_id IS NULL THEN NULL ELSE o.size END, o.storage_key, {content}, l.blob_id, l.created_at, o.fault"
    " FROM bucket b"
    " LEFT JOIN image i ON i.bucket_id = b.id AND i.name = :image"
    " LEFT JOIN blob o ON o.digest = :digest"
    " LEFT JOIN image_blob l ON l.image_id = i.id AND l.blob_id = o.id"
    " WHERE b.name = :bucket"
)
_QUERIES = {
    True: _LOCATE.format(content="CASE WHEN l.blob_id IS NULL THEN NULL ELSE o.content END"),
    False: _LOCATE.format(content="NULL"),
}


@single
def locate(rows: Rows, bucket: str, image: str, digest: str, *, content: bool) -> Found | None:
    """A blob through its link in an image, with its bytes if they live in the row; None without the bucket."""
    row = rows.one(_QUERIES[content], bucket=bucket, image=image, digest=digest)
    return Found(Place(*row[:WIDE]), *row[WIDE:]) if row else None


def keep(rows: Rows, *, digest: str, size: int, key: str, now: int, content: bytes | None = None) -> tuple[int, str]:
    """Insert a blob, with its bytes or as a stored object; or keep the one that is there.

    (id, the storage key that counts).
    """
    row = rows.one(
        "INSERT INTO blob (digest, size, storage_key, created_at, content)"
        " VALUES (:digest, :size, :key, :now, :content)"
        " ON CONFLICT (digest) DO UPDATE SET digest = excluded.digest RETURNING id, storage_key",
        digest=digest,
        size=size,
        key=key,
        now=now,
        content=content,
    )
    assert row is not None
    return row[0], row[1]


def link(rows: Rows, image_id: int, blob_id: int, now: int, grace: int) -> Usage | None:
    """Make a blob visible in an image; what its bucket and project hold then, None when nothing was added.

    A link that is there gets a new lease; one that no manifest comes to need is looked at after ``grace`` seconds.
    """
    added = rows.run(
        "INSERT INTO image_blob (image_id, blob_id, created_at) VALUES (:image, :blob, :now)"
        " ON CONFLICT (image_id, blob_id) DO NOTHING",
        image=image_id,
        blob=blob_id,
        now=now,
    )
    if not added:
        renew(rows, image_id, blob_id, now)
        return None
    collect.watch_link(rows, image_id, blob_id, now + grace)
    _arrive(rows, image_id, blob_id)
    return hold(rows, image_id, blob_id)


def _arrive(rows: Rows, image_id: int, blob_id: int) -> None:
    """A blob that manifests of the image were waiting for is theirs now."""
    waiting = rows.all(
        "SELECT w.manifest_id, w.digest FROM blob o JOIN manifest_missing w ON w.digest = o.digest"
        " WHERE o.id = :blob AND w.image_id = :image",
        blob=blob_id,
        image=image_id,
    )
    for manifest_id, digest in waiting:
        rows.run(
            "INSERT INTO manifest_blob (manifest_id, blob_id) VALUES (:manifest, :blob)"
            " ON CONFLICT (manifest_id, blob_id) DO NOTHING",
            manifest=manifest_id,
            blob=blob_id,
        )
        rows.run(
            "DELETE FROM manifest_missing WHERE image_id = :image AND digest = :digest AND manifest_id = :manifest",
            image=image_id,
            digest=digest,
            manifest=manifest_id,
        )


@single
def linked(rows: Rows, image_id: int, digest: str) -> Object | None:
    """A blob that is linked in the image."""
    row = rows.one(
        f"{OBJECT}blob o JOIN image_blob l ON l.blob_id = o.id WHERE o.digest = :digest AND l.image_id = :image",
        digest=digest,
        image=image_id,
    )
    return Object(*row) if row else None


def readable(rows: Rows, digest: str, account_id: int) -> Object | None:
    """A blob that an image of a public bucket, or of a bucket of the account (0: none), links.

    Buckets that are closed to some networks are left out: the caller may be in one of those.
    """
    row = rows.one(
        f"{OBJECT}blob o WHERE o.digest = :digest AND EXISTS ("
        " SELECT 1 FROM image_blob l JOIN image i ON i.id = l.image_id JOIN bucket b ON b.id = i.bucket_id"
        " WHERE l.blob_id = o.id AND (b.is_public = 1 OR (b.account_id = :account AND b.is_outside = 1))"
        " AND b.networks = '')",
        digest=digest,
        account=account_id,
    )
    return Object(*row) if row else None


def is_used(rows: Rows, image_id: int, blob_id: int) -> bool:
    """Whether a manifest of this image names the blob."""
    return (
        rows.one(
            "SELECT 1 FROM manifest_blob r JOIN manifest m ON m.id = r.manifest_id"
            " WHERE r.blob_id = :blob AND m.image_id = :image LIMIT 1",
            blob=blob_id,
            image=image_id,
        )
        is not None
    )


def renew(rows: Rows, image_id: int, blob_id: int, now: int) -> bool:
    """A pusher counts on the blob: its link stays for another grace time; False when it is gone."""
    return (
        rows.run(
            "UPDATE image_blob SET created_at = :now WHERE image_id = :image AND blob_id = :blob",
            image=image_id,
            blob=blob_id,
            now=now,
        )
        == 1
    )


def unlink(rows: Rows, image_id: int, blob_id: int, now: int) -> None:
    """Take a blob out of an image; without any link it is collected."""
    collect.forget_link(rows, image_id, blob_id)
    if rows.run("DELETE FROM image_blob WHERE image_id = :image AND blob_id = :blob", image=image_id, blob=blob_id):
        release(rows, image_id, blob_id)
        collect.watch_blob(rows, blob_id, now)


_MOST = 2**62
"""More bytes than any upload has."""


class Upload(NamedTuple):
    """A row of ``upload``."""

    id: str
    image_id: int
    person_id: int
    algorithm: str
    received: int
    digest_so_far: str
    held: str


def add_upload(
    rows: Rows, *, session: str, image_id: int, person_id: int, algorithm: str, received: int, digest: str, now: int,
    held: str = "",
) -> bool:  # fmt: skip
    """A session with what it has received, and the digest of that; False when it is there already."""
    made = rows.run(
        "INSERT INTO upload (id, image_id, person_id, algorithm, received, digest_so_far, created_at, updated_at, held)"
        " VALUES (:id, :image, :person, :algorithm, :received, :digest, :now, :now, :held) ON CONFLICT (id) DO NOTHING",
        id=session,
        image=image_id,
        person=person_id,
        algorithm=algorithm,
        received=received,
        digest=digest,
        now=now,
        held=held,
    )
    return made == 1


def find_upload(rows: Rows, session: str) -> Upload | None:
    """A session."""
    row = rows.one(
        "SELECT id, image_id, person_id, algorithm, received, digest_so_far, held FROM upload WHERE id = :id",
        id=session,
    )
    return Upload(*row) if row else None


@single
def open_uploads(rows: Rows, person_id: int) -> int:
    """How many sessions of somebody have received something and not ended."""
    row = rows.one("SELECT COUNT(*) FROM upload WHERE person_id = :person AND received >= 0", person=person_id)
    return int(row[0]) if row else 0


def advance(rows: Rows, session: str, *, before: int, received: int, digest: str, now: int, held: str = "") -> bool:
    """Record what was received; False when the session ended or moved meanwhile."""
    return (
        rows.run(
            "UPDATE upload SET received = :received, digest_so_far = :digest, updated_at = :now, held = :held"
            " WHERE id = :id AND received = :before",
            id=session,
            before=before,
            received=received,
            digest=digest,
            now=now,
            held=held,
        )
        == 1
    )


def end_upload(rows: Rows, session: str, now: int, at: int | None = None) -> bool:
    """Leave of a session only that it has ended; False when it had, or has not received ``at`` bytes (None: any)."""
    return (
        rows.run(
            "UPDATE upload SET received = -1, digest_so_far = '', held = '', updated_at = :now"
            " WHERE id = :id AND received BETWEEN :least AND :most",
            id=session,
            now=now,
            least=0 if at is None else at,
            most=_MOST if at is None else at,
        )
        == 1
    )


def forget_ended(rows: Rows, before: int, limit: int) -> int:
    """Forget at most ``limit`` sessions that ended before a time; how many."""
    return rows.run(
        "DELETE FROM upload WHERE id IN"
        " (SELECT id FROM upload WHERE updated_at < :before AND received < 0 ORDER BY updated_at LIMIT :limit)",
        before=before,
        limit=limit,
    )


def without_row(rows: Rows, sessions: list[str]) -> list[str]:
    """Those of the sessions that no row knows, or only as ended."""
    text = "SELECT 1 FROM upload WHERE id = :id AND received >= 0"
    return [one for one in sessions if rows.one(text, id=one) is None]


def idle_uploads(rows: Rows, before: int, limit: int) -> list[str]:
    """Sessions that nothing was sent to since a time."""
    return [
        row[0]
        for row in rows.all(
            "SELECT id FROM upload WHERE updated_at < :before AND received >= 0 ORDER BY updated_at LIMIT :limit",
            before=before,
            limit=limit,
        )
    ]
