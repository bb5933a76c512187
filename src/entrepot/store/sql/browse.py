"""What the pages of a bucket and of an image show, read through indexes that are already in the order of the page."""

from typing import Any, NamedTuple

from entrepot.store.db import Rows
from entrepot.store.sql.listing import BEYOND, COUNTED

SMALL = 65_536
"""A manifest or config up to this size is read for a list; of larger ones a list tells less."""


class ImageRow(NamedTuple):
    """An image of a bucket."""

    id: int
    name: str
    tag_count: int
    pull_count: int
    pulled_at: int | None
    created_at: int
    updated_at: int
    latest_tag: str


def images(rows: Rows, bucket_id: int, prefix: str, limit: int, offset: int) -> list[ImageRow]:
    """Images that hold a manifest, by name, whose names begin with ``prefix``."""
    only = " AND name >= :prefix AND name < :beyond" if prefix else ""
    found = rows.all(
        "SELECT id, name, tag_count, pull_count, pulled_at, created_at, updated_at, latest_tag FROM image"
        f" WHERE bucket_id = :bucket AND manifest_count > 0{only} ORDER BY name LIMIT :limit OFFSET :offset",
        bucket=bucket_id,
        limit=limit,
        offset=offset,
        **_range(prefix),
    )
    return [ImageRow(*row) for row in found]


def count_images(rows: Rows, bucket_id: int, prefix: str) -> int:
    """How many images begin with ``prefix``, counted up to COUNTED."""
    row = rows.one(
        "SELECT COUNT(*) FROM (SELECT name FROM image WHERE bucket_id = :bucket AND manifest_count > 0"
        f" AND name >= :prefix AND name < :beyond LIMIT {COUNTED}) AS counted",
        bucket=bucket_id,
        **_range(prefix),
    )
    return int(row[0]) if row else 0


def image(rows: Rows, bucket_id: int, name: str) -> ImageRow | None:
    """One image, also one that holds nothing (any more)."""
    row = rows.one(
        "SELECT id, name, tag_count, pull_count, pulled_at, created_at, updated_at, latest_tag FROM image"
        " WHERE bucket_id = :bucket AND name = :name",
        bucket=bucket_id,
        name=name,
    )
    return ImageRow(*row) if row else None


class TagRow(NamedTuple):
    """A tag with its manifest; ``content`` is None for one that is not SMALL."""

    name: str
    created_at: int
    updated_at: int
    digest: str
    media_type: str
    artifact_type: str | None
    size: int
    pulled_at: int | None
    content: bytes | None


def tags(rows: Rows, image_id: int, total: int, prefix: str, limit: int, offset: int, *, by_name: bool) -> list[TagRow]:
    """A page of the ``total`` tags that begin with ``prefix``: by name, or the newest first."""
    size = min(limit, total - offset)
    if size <= 0:
        return []
    # From whichever end is nearer; a search is short from either.
    from_end = not prefix and offset > total // 2
    skip = total - offset - size if from_end else offset
    order = "ASC" if by_name is not from_end else "DESC"
    keys = f"name {order}" if by_name else f"updated_at {order}, name {order}"
    only = " AND name >= :prefix AND name < :beyond" if prefix else ""
    found = rows.all(
        "SELECT t.name, t.created_at, t.updated_at, m.digest, m.media_type, m.artifact_type, m.size, p.pulled_at,"
        f" CASE WHEN m.size <= {SMALL} THEN m.content END"
        f" FROM (SELECT name FROM tag WHERE image_id = :image{only} ORDER BY {keys} LIMIT :size OFFSET :skip) AS k"
        " JOIN tag t ON t.image_id = :image AND t.name = k.name"
        " JOIN manifest m ON m.id = t.manifest_id LEFT JOIN manifest_pull p ON p.manifest_id = m.id"
        f" ORDER BY {'t.name' if by_name else 't.updated_at DESC, t.name DESC'}",
        image=image_id,
        size=size,
        skip=skip,
        **_range(prefix),
    )
    return [TagRow(*row) for row in found]


def count_tags(rows: Rows, image_id: int, prefix: str) -> int:
    """How many tags begin with ``prefix``, counted up to COUNTED."""
    row = rows.one(
        "SELECT COUNT(*) FROM (SELECT name FROM tag WHERE image_id = :image AND name >= :prefix AND name < :beyond"
        f" LIMIT {COUNTED}) AS counted",
        image=image_id,
        **_range(prefix),
    )
    return int(row[0]) if row else 0


def _range(prefix: str) -> dict[str, Any]:
    return {"prefix": prefix, "beyond": prefix + BEYOND} if prefix else {}


def manifests(rows: Rows, image_id: int, digests: list[str]) -> dict[str, bytes]:
    """The bytes of those manifests of an image that are there and SMALL, by digest."""
    return _contents(
        rows,
        f"SELECT digest, content FROM manifest WHERE image_id = :image AND size <= {SMALL} AND digest IN",
        image_id,
        digests,
    )


def configs(rows: Rows, image_id: int, digests: list[str]) -> dict[str, bytes]:
    """The bytes of those blobs of an image that live in their rows and are SMALL, by digest."""
    return _contents(
        rows,
        "SELECT o.digest, o.content FROM blob o JOIN image_blob l ON l.blob_id = o.id AND l.image_id = :image"
        f" WHERE o.content IS NOT NULL AND o.size <= {SMALL} AND o.digest IN",
        image_id,
        digests,
    )


def _contents(rows: Rows, select: str, image_id: int, digests: list[str]) -> dict[str, bytes]:
    if not digests:
        return {}
    named = {f"d{place}": digest for place, digest in enumerate(digests)}
    listed = ", ".join(f":{name}" for name in named)
    return {row[0]: bytes(row[1]) for row in rows.all(f"{select} ({listed})", image=image_id, **named)}


class ManifestRow(NamedTuple):
    """One manifest, whole."""

    id: int
    digest: str
    media_type: str
    artifact_type: str | None
    subject: str | None
    size: int
    created_at: int
    content: bytes
    pulled_at: int | None


_MANIFEST = (
    "SELECT m.id, m.digest, m.media_type, m.artifact_type, m.subject, m.size, m.created_at, m.content, p.pulled_at"
    " FROM manifest m LEFT JOIN manifest_pull p ON p.manifest_id = m.id WHERE m.image_id = :image"
)


def manifest(rows: Rows, image_id: int, reference: str) -> ManifestRow | None:
    """A manifest by digest or tag."""
    by = "m.digest = :reference"
    if ":" not in reference:
        by = "m.id = (SELECT manifest_id FROM tag WHERE image_id = :image AND name = :reference)"
    row = rows.one(f"{_MANIFEST} AND {by}", image=image_id, reference=reference)
    return ManifestRow(*row) if row else None


def tags_on(rows: Rows, manifest_id: int, most: int) -> list[str]:
    """Tags that point to a manifest, at most ``most``."""
    found = rows.all(
        "SELECT name FROM tag WHERE manifest_id = :manifest ORDER BY name LIMIT :most", manifest=manifest_id, most=most
    )
    return [row[0] for row in found]


def referrers(rows: Rows, image_id: int, subject: str, most: int) -> list[TagRow]:
    """Manifests whose subject is a digest, at most ``most``; they have no name."""
    found = rows.all(
        "SELECT '', created_at, created_at, digest, media_type, artifact_type, size, NULL,"
        f" CASE WHEN size <= {SMALL} THEN content END FROM manifest"
        " WHERE image_id = :image AND subject = :subject ORDER BY digest LIMIT :most",
        image=image_id,
        subject=subject,
        most=most,
    )
    return [TagRow(*row) for row in found]
