"""What an export reads: the images of a bucket, their manifests, and what one manifest is made of."""

from typing import NamedTuple

from entrepot.store.db import Rows


def images(rows: Rows, bucket_id: int) -> list[tuple[int, str]]:
    """(id, name) of the images that hold a manifest, by name."""
    return [
        (row[0], row[1])
        for row in rows.all(
            "SELECT id, name FROM image WHERE bucket_id = :bucket AND manifest_count > 0 ORDER BY name",
            bucket=bucket_id,
        )
    ]


class Listed(NamedTuple):
    """A manifest; ``is_child``: an index of the image holds it."""

    id: int
    digest: str
    media_type: str
    size: int
    is_child: int


def manifests(rows: Rows, image_id: int, after: int, limit: int) -> list[Listed]:
    """Manifests of an image by id, after one."""
    return [
        Listed(*row)
        for row in rows.all(
            "SELECT m.id, m.digest, m.media_type, m.size,"
            " EXISTS (SELECT 1 FROM manifest_child c JOIN manifest p ON p.id = c.manifest_id"
            "   WHERE c.child_digest = m.digest AND p.image_id = m.image_id)"
            " FROM manifest m WHERE m.image_id = :image AND m.id > :after ORDER BY m.id LIMIT :limit",
            image=image_id,
            after=after,
            limit=limit,
        )
    ]


class Part(NamedTuple):
    """A blob that a manifest needs; ``is_inside``: its bytes are in its row."""

    id: int
    digest: str
    size: int
    key: str
    is_inside: int


class Whole(NamedTuple):
    """A manifest with its tags and all blobs of it that the image links, as of one moment."""

    content: bytes
    tags: list[str]
    parts: list[Part]


def whole(rows: Rows, manifest_id: int) -> Whole | None:
    """Everything that one manifest is made of; None when it is gone."""
    row = rows.one("SELECT content FROM manifest WHERE id = :id", id=manifest_id)
    if row is None:
        return None
    tags = rows.all("SELECT name FROM tag WHERE manifest_id = :id ORDER BY name", id=manifest_id)
    parts = rows.all(
        "SELECT o.id, o.digest, o.size, o.storage_key, o.content IS NOT NULL FROM manifest_blob r"
        " JOIN blob o ON o.id = r.blob_id WHERE r.manifest_id = :id"
        # Build caches are indexes that list blobs as if they were manifests.
        " UNION SELECT o.id, o.digest, o.size, o.storage_key, o.content IS NOT NULL FROM manifest m"
        " JOIN manifest_child c ON c.manifest_id = m.id JOIN blob o ON o.digest = c.child_digest"
        " JOIN image_blob l ON l.blob_id = o.id AND l.image_id = m.image_id WHERE m.id = :id",
        id=manifest_id,
    )
    return Whole(bytes(row[0]), [one[0] for one in tags], [Part(*one) for one in parts])


def content(rows: Rows, blob_id: int) -> bytes:
    """The bytes of a blob that lives in its row."""
    row = rows.one("SELECT content FROM blob WHERE id = :id", id=blob_id)
    return bytes(row[0]) if row and row[0] is not None else b""
