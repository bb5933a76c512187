"""The guard of immutable tags. Whatever moves or deletes a tag asks here, in the transaction that does it."""

from collections.abc import Iterator

from entrepot.errors import HubError, Kind
from entrepot.model import globs
from entrepot.store.db import Rows

PAGE = 1000

OF_TAG = (
    "SELECT t.manifest_id, b.immutable_tags, b.name, i.name FROM tag t JOIN image i ON i.id = t.image_id"
    " JOIN bucket b ON b.id = i.bucket_id WHERE t.image_id = :image AND t.name = :name"
)
"""(manifest, the bucket's patterns, bucket, image) of a tag: one read for who moves it and for the guard."""

# A manifest is part of what the tags of the indexes that hold it promise, however deep it lies in them.
_HOLDERS = (
    "WITH RECURSIVE above (id, digest) AS ("
    " SELECT id, digest FROM manifest WHERE id = :manifest"
    " UNION SELECT p.id, p.digest FROM above a JOIN manifest_child c ON c.child_digest = a.digest"
    " JOIN manifest p ON p.id = c.manifest_id AND p.image_id = :image)"
    " SELECT id FROM above"
)


def set_patterns(rows: Rows, bucket_id: int, text: str, now: int) -> None:
    """Which tags of a bucket are immutable from now on."""
    rows.run(
        "UPDATE bucket SET immutable_tags = :text, updated_at = :now WHERE id = :id", text=text, now=now, id=bucket_id
    )


def refuse_change(tag: str, patterns: str, bucket: str, image: str) -> None:
    """Raise TAG_IMMUTABLE when the patterns of the bucket hold the tag."""
    if patterns and globs.selection(patterns).has(image, tag):
        raise HubError(
            Kind.TAG_IMMUTABLE,
            f"{tag} of {bucket}/{image} is neither moved nor deleted; use another tag, or let somebody with the right"
            " 'admin' except this one (SetBucketImmutableTags)",
        )


def refuse_loss(rows: Rows, image_id: int, *, tag: str | None = None, manifest_id: int | None = None) -> None:
    """Raise TAG_IMMUTABLE when what is to be deleted is, or is held by, an immutable tag.

    One tag, or a manifest with all that hold it, or without either every tag of the image.
    """
    place = rows.one(
        "SELECT b.immutable_tags, b.name, i.name FROM image i JOIN bucket b ON b.id = i.bucket_id WHERE i.id = :image",
        image=image_id,
    )
    if place is None or not place[0]:
        return
    if tag is not None:
        refuse_change(tag, *place)
        return
    if manifest_id is None:
        held = [("image_id", image_id)]
    else:
        held = [("manifest_id", row[0]) for row in rows.all(_HOLDERS, image=image_id, manifest=manifest_id)]
    for column, value in held:
        for name in _names(rows, column, value):
            refuse_change(name, *place)


def _names(rows: Rows, column: str, value: int) -> Iterator[str]:
    """Names of tags, read a page at a time: there may be any number."""
    after, page = "", [("",)]
    while page:
        page = rows.all(
            f"SELECT name FROM tag WHERE {column} = :value AND name > :after ORDER BY name LIMIT :limit",
            value=value,
            after=after,
            limit=PAGE,
        )
        for (after,) in page:
            yield after
