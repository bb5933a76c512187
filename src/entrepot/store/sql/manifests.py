"""Manifests, tags and referrers as rows. Content, tags and counters change in one transaction."""

from typing import NamedTuple

from entrepot.model import events as kinds
from entrepot.model.manifest import Manifest
from entrepot.store.db import Rows, single
from entrepot.store.sql import collect, events, history, immutable, trash
from entrepot.store.sql.buckets import PLACE, WIDE, Place
from entrepot.store.sql.usage import Usage, grow


class Stored(NamedTuple):
    """A bucket as a request sees it, and a manifest inside it (``digest`` None: not there)."""

    bucket: Place
    image_id: int | None
    id: int | None
    digest: str | None
    media_type: str
    size: int
    fault: str
    content: bytes


_HEAD = f"SELECT {PLACE}, i.id, m.id, m.digest, m.media_type, m.size, m.fault, "
_BY_TAG = (
    " FROM bucket b"
    " LEFT JOIN image i ON i.bucket_id = b.id AND i.name = :image"
    " LEFT JOIN tag t ON t.image_id = i.id AND t.name = :reference"
    " LEFT JOIN manifest m ON m.id = t.manifest_id"
    " WHERE b.name = :bucket"
)
_BY_DIGEST = (
    " FROM bucket b"
    " LEFT JOIN image i ON i.bucket_id = b.id AND i.name = :image"
    " LEFT JOIN manifest m ON m.image_id = i.id AND m.digest = :reference"
    " WHERE b.name = :bucket"
)
_QUERIES = {
    (by_digest, with_content): _HEAD
    + ("m.content" if with_content else "NULL")
    + (_BY_DIGEST if by_digest else _BY_TAG)
    for by_digest in (True, False)
    for with_content in (True, False)
}


@single
def locate(rows: Rows, bucket: str, image: str, reference: str, *, content: bool) -> Stored | None:
    """A manifest by tag or digest, with or without its bytes, in one statement; None without the bucket."""
    row = rows.one(_QUERIES[":" in reference, content], bucket=bucket, image=image, reference=reference)
    return Stored(Place(*row[:WIDE]), *(*row[WIDE:-1], row[-1] or b"")) if row else None


def find(rows: Rows, image_id: int, digest: str) -> int | None:
    """A manifest's id."""
    row = rows.one(
        "SELECT id FROM manifest WHERE image_id = :image AND digest = :digest", image=image_id, digest=digest
    )
    return int(row[0]) if row else None


def blob_ids(rows: Rows, image_id: int, digests: tuple[str, ...]) -> tuple[dict[str, int], set[str]]:
    """Ids of those blobs that are linked in the image, by digest; and which of them have a fault."""
    found: dict[str, int] = {}
    faulty: set[str] = set()
    for start in range(0, len(digests), 200):
        part = {f"d{place}": digest for place, digest in enumerate(digests[start : start + 200])}
        listed = ", ".join(f":{name}" for name in part)
        for digest, blob_id, fault in rows.all(
            "SELECT o.digest, o.id, o.fault FROM blob o JOIN image_blob l ON l.blob_id = o.id AND l.image_id = :image"
            f" WHERE o.digest IN ({listed})",
            image=image_id,
            **part,
        ):
            found[digest] = blob_id
            if fault:
                faulty.add(digest)
    return found, faulty


def add(
    rows: Rows, image_id: int, digest: str, manifest: Manifest, content: bytes, blobs: dict[str, int], now: int
) -> tuple[int, Usage | None]:
    """A manifest with its references: its id, and what bucket and project hold now.

    When the image holds the manifest already, the old one's id and None; its bytes are what was pushed now, which heals
    what may have happened to them.
    """
    known = find(rows, image_id, digest)
    if known is not None:
        rows.run(
            "UPDATE manifest SET media_type = :type, content = :content, fault = '' WHERE id = :id",
            type=manifest.media_type,
            content=content,
            id=known,
        )
        return known, None
    row = rows.one(
        "INSERT INTO manifest (image_id, digest, media_type, artifact_type, subject, size, created_at, content)"
        " VALUES (:image, :digest, :type, :artifact, :subject, :size, :now, :content) RETURNING id",
        image=image_id,
        digest=digest,
        type=manifest.media_type,
        artifact=manifest.artifact_type,
        subject=manifest.subject,
        size=len(content),
        now=now,
        content=content,
    )
    assert row is not None
    manifest_id = int(row[0])
    if blobs:
        rows.run_many(
            "INSERT INTO manifest_blob (manifest_id, blob_id) VALUES (:manifest, :blob)",
            [{"manifest": manifest_id, "blob": blob} for blob in dict.fromkeys(blobs.values())],
        )
    missing = [one for one in manifest.blobs if one not in blobs]
    if missing:
        rows.run_many(
            "INSERT INTO manifest_missing (image_id, digest, manifest_id) VALUES (:image, :digest, :manifest)",
            [{"image": image_id, "digest": one, "manifest": manifest_id} for one in missing],
        )
    if manifest.children:
        rows.run_many(
            "INSERT INTO manifest_child (manifest_id, child_digest) VALUES (:manifest, :child)",
            [{"manifest": manifest_id, "child": child} for child in manifest.children],
        )
    _count(rows, image_id, 1, now)
    return manifest_id, grow(rows, image_id, len(content))


def _count(rows: Rows, image_id: int, step: int, now: int) -> None:
    """Keep manifest_count, and image_count of the bucket when the image gains its first or loses its last one."""
    row = rows.one(
        "UPDATE image SET manifest_count = manifest_count + :step, updated_at = :now WHERE id = :id"
        " RETURNING manifest_count, bucket_id",
        step=step,
        now=now,
        id=image_id,
    )
    assert row is not None
    if row[0] == max(step, 0):
        rows.run(
            "UPDATE bucket SET image_count = image_count + :step, updated_at = :now WHERE id = :id",
            step=step,
            now=now,
            id=row[1],
        )


def set_tag(
    rows: Rows,
    image_id: int,
    name: str,
    manifest_id: int,
    now: int,
    untagged: int,
    who: str,
    *,
    depth: int = 0,
    new: str = kinds.PUSHED,
) -> int | None:
    """Point a tag at a manifest; how many tags the image has when this one is new, else None.

    Those who listen hear of it, ``new``: as what, where there was no such tag; ``depth`` as of an event.

    A manifest that it pointed to before is looked at after ``untagged`` seconds, or after its bucket's own window.
    Raises TAG_IMMUTABLE.
    """
    before = rows.one(immutable.OF_TAG, image=image_id, name=name)
    if before is not None and before[0] != manifest_id:
        immutable.refuse_change(name, *before[1:])
        trash.watch_tagless(rows, before[0], now, untagged)
    if before is None or before[0] != manifest_id:
        history.note(rows, image_id, name, manifest_id, is_set=True, who=who, now=now)
    moved = before is not None and rows.run(
        "UPDATE tag SET manifest_id = :manifest, updated_at = :now WHERE image_id = :image AND name = :name",
        image=image_id,
        name=name,
        manifest=manifest_id,
        now=now,
    )
    if not moved:
        rows.run(
            "INSERT INTO tag (image_id, name, manifest_id, created_at, updated_at)"
            " VALUES (:image, :name, :manifest, :now, :now)",
            image=image_id,
            name=name,
            manifest=manifest_id,
            now=now,
        )
    row = rows.one(
        "UPDATE image SET tag_count = tag_count + :step, latest_tag = :name, updated_at = :now WHERE id = :id"
        f" RETURNING tag_count, {events.LISTENS}",
        step=0 if moved else 1,
        name=name,
        now=now,
        id=image_id,
    )
    assert row is not None
    if row[1] and (before is None or before[0] != manifest_id):
        kind, old = (new, 0) if before is None else (kinds.MOVED, before[0])
        events.note_tag(rows, image_id, kind, name, (old, manifest_id), who=who, depth=depth, now=now)
    return None if moved else int(row[0])


def delete_tag(
    rows: Rows, image_id: int, name: str, now: int, untagged: int, who: str, *, only: int | None = None, depth: int = 0
) -> bool:
    """Delete one tag and nothing else; whether there was one. Its manifest is looked at as ``set_tag`` says.

    ``only``: unless it points at another manifest by now. Raises TAG_IMMUTABLE.
    """
    row = rows.one(
        "DELETE FROM tag WHERE image_id = :image AND name = :name AND manifest_id = COALESCE(:only, manifest_id)"
        " RETURNING manifest_id",
        image=image_id,
        name=name,
        only=only,
    )
    if row is None:
        return False
    immutable.refuse_loss(rows, image_id, tag=name)
    trash.watch_tagless(rows, row[0], now, untagged)
    history.note(rows, image_id, name, row[0], is_set=False, who=who, now=now)
    left = rows.one(
        f"UPDATE image SET tag_count = tag_count - 1, updated_at = :now WHERE id = :id RETURNING {events.LISTENS}",
        now=now,
        id=image_id,
    )
    _forget_latest(rows, image_id)
    if left is not None and left[0]:
        events.note_tag(rows, image_id, kinds.DELETED, name, (0, row[0]), who=who, depth=depth, now=now)
    return True


def _forget_latest(rows: Rows, image_id: int) -> None:
    """When the latest tag is gone, the one pushed last before it is the latest."""
    rows.run(
        "UPDATE image SET latest_tag = COALESCE((SELECT t.name FROM tag t WHERE t.image_id = image.id"
        " ORDER BY t.updated_at DESC, t.name DESC LIMIT 1), '')"
        " WHERE id = :id AND NOT EXISTS"
        " (SELECT 1 FROM tag t WHERE t.image_id = image.id AND t.name = image.latest_tag)",
        id=image_id,
    )


def has_any(rows: Rows, image_id: int) -> bool:
    """Whether an image holds a manifest."""
    return rows.one("SELECT 1 FROM image WHERE id = :id AND manifest_count > 0", id=image_id) is not None


def delete_all(rows: Rows, image_id: int, now: int, grace: int, who: str, *, depth: int = 0) -> None:
    """Delete every manifest of an image that holds some, with its tags. Raises TAG_IMMUTABLE."""
    immutable.refuse_loss(rows, image_id)
    events.note_image(rows, image_id, kinds.DELETED, None, who=who, depth=depth, now=now)
    manifests = "(SELECT id FROM manifest WHERE image_id = :id)"
    history.note_deleted(rows, image_id, None, who=who, now=now)
    collect.watch_all_of(rows, image_id, now + grace)
    held = rows.one("SELECT COALESCE(SUM(size), 0) FROM manifest WHERE image_id = :id", id=image_id)
    grow(rows, image_id, -int(held[0]) if held else 0)
    rows.run("DELETE FROM tag WHERE image_id = :id", id=image_id)
    rows.run(f"DELETE FROM manifest_blob WHERE manifest_id IN {manifests}", id=image_id)
    rows.run(f"DELETE FROM manifest_child WHERE manifest_id IN {manifests}", id=image_id)
    rows.run("DELETE FROM manifest_missing WHERE image_id = :id", id=image_id)
    rows.run(f"DELETE FROM manifest_pull WHERE manifest_id IN {manifests}", id=image_id)
    rows.run("DELETE FROM manifest WHERE image_id = :id", id=image_id)
    rows.run(
        "UPDATE image SET manifest_count = 0, tag_count = 0, latest_tag = '', updated_at = :now WHERE id = :id",
        now=now,
        id=image_id,
    )
    rows.run(
        "UPDATE bucket SET image_count = image_count - 1, updated_at = :now"
        " WHERE id = (SELECT bucket_id FROM image WHERE id = :id)",
        now=now,
        id=image_id,
    )


def delete(
    rows: Rows, image_id: int, manifest_id: int, now: int, grace: int, who: str, *, kept: int = 0, depth: int = 0
) -> None:
    """Delete a manifest, its references and every tag that points at it; what it kept is looked at after ``grace``.

    Where it can be brought back for ``kept`` seconds, its children and referrers stay as long. Raises TAG_IMMUTABLE.
    """
    immutable.refuse_loss(rows, image_id, manifest_id=manifest_id)
    events.note_image(rows, image_id, kinds.DELETED, manifest_id, who=who, depth=depth, now=now)
    history.note_deleted(rows, image_id, manifest_id, who=who, now=now)
    collect.watch_links_of(rows, manifest_id, now + grace)
    collect.watch_family_of(rows, manifest_id, now + max(grace, kept))
    collect.forget_manifest(rows, manifest_id)
    tags = rows.run("DELETE FROM tag WHERE manifest_id = :id", id=manifest_id)
    rows.run("UPDATE image SET tag_count = tag_count - :tags WHERE id = :image", tags=tags, image=image_id)
    _forget_latest(rows, image_id)
    rows.run("DELETE FROM manifest_blob WHERE manifest_id = :id", id=manifest_id)
    rows.run("DELETE FROM manifest_child WHERE manifest_id = :id", id=manifest_id)
    rows.run("DELETE FROM manifest_missing WHERE manifest_id = :id", id=manifest_id)
    rows.run("DELETE FROM manifest_pull WHERE manifest_id = :id", id=manifest_id)
    gone = rows.one("DELETE FROM manifest WHERE id = :id RETURNING size", id=manifest_id)
    grow(rows, image_id, -int(gone[0]) if gone else 0)
    _count(rows, image_id, -1, now)


def tags(rows: Rows, image_id: int, after: str, limit: int) -> list[str]:
    """Tag names after one, in byte order."""
    return [
        row[0]
        for row in rows.all(
            "SELECT name FROM tag WHERE image_id = :image AND name > :after ORDER BY name LIMIT :limit",
            image=image_id,
            after=after,
            limit=limit,
        )
    ]


def referrers(
    rows: Rows, image_id: int, subject: str, artifact_type: str | None, after: str, limit: int
) -> list[tuple[str, str, int, str | None, bytes]]:
    """(digest, media type, size, artifact type, bytes) of manifests with this subject, after a digest."""
    wanted = "" if artifact_type is None else " AND artifact_type = :artifact"
    return [
        (row[0], row[1], row[2], row[3], row[4])
        for row in rows.all(
            "SELECT digest, media_type, size, artifact_type, content FROM manifest"
            f" WHERE image_id = :image AND subject = :subject AND digest > :after AND fault = ''{wanted}"
            " ORDER BY digest LIMIT :limit",
            image=image_id,
            subject=subject,
            after=after,
            limit=limit,
            **({} if artifact_type is None else {"artifact": artifact_type}),
        )
    ]
