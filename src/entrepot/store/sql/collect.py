"""Candidates for collection: what may have become garbage, when to look again, and what looking decides.

Order: manifests give up their blobs' links, links give up blobs, blobs give up stored objects. Each ``review`` is one
transaction that decides again from the rows as they are then, so nothing that came back meanwhile is lost.
"""

from typing import NamedTuple

from entrepot.store.blobs import UPLOADED, upload_of
from entrepot.store.db import Rows


def watch_manifest(rows: Rows, manifest_id: int, after: int) -> None:
    """A manifest may have lost its last tag."""
    rows.run(
        "INSERT INTO gc_manifest (manifest_id, review_after) VALUES (:id, :after)"
        " ON CONFLICT (manifest_id) DO UPDATE SET review_after = excluded.review_after",
        id=manifest_id,
        after=after,
    )


def renew_manifest(rows: Rows, image_id: int, digest: str, after: int) -> bool:
    """A pusher counts on a manifest: where it is a candidate, it is looked at later; False when it is gone."""
    rows.run(
        "UPDATE gc_manifest SET review_after = :after WHERE review_after < :after AND manifest_id ="
        " (SELECT id FROM manifest WHERE image_id = :image AND digest = :digest)",
        image=image_id,
        digest=digest,
        after=after,
    )
    row = rows.one("SELECT 1 FROM manifest WHERE image_id = :image AND digest = :digest", image=image_id, digest=digest)
    return row is not None


def watch_link(rows: Rows, image_id: int, blob_id: int, after: int) -> None:
    """An image may have no manifest (yet, or any more) that names a blob it links."""
    rows.run(
        "INSERT INTO gc_link (image_id, blob_id, review_after) VALUES (:image, :blob, :after)"
        " ON CONFLICT (image_id, blob_id) DO UPDATE SET review_after = excluded.review_after",
        image=image_id,
        blob=blob_id,
        after=after,
    )


def watch_links_of(rows: Rows, manifest_id: int, after: int) -> None:
    """A manifest goes: so may the links of its blobs."""
    rows.run(
        "INSERT INTO gc_link (image_id, blob_id, review_after)"
        " SELECT m.image_id, r.blob_id, :after FROM manifest m JOIN manifest_blob r ON r.manifest_id = m.id"
        " WHERE m.id = :id ON CONFLICT (image_id, blob_id) DO UPDATE SET review_after = excluded.review_after",
        id=manifest_id,
        after=after,
    )


def watch_family_of(rows: Rows, manifest_id: int, after: int) -> None:
    """A manifest goes: children of an index, and what refers to it, lose what kept them, but no time of their own."""
    rows.run(
        "INSERT INTO gc_manifest (manifest_id, review_after)"
        " SELECT c.id, :after FROM manifest m JOIN manifest c ON c.image_id = m.image_id"
        " WHERE m.id = :id AND (c.subject = m.digest"
        " OR c.digest IN (SELECT child_digest FROM manifest_child WHERE manifest_id = m.id))"
        " ON CONFLICT (manifest_id) DO UPDATE SET review_after = excluded.review_after"
        " WHERE excluded.review_after > gc_manifest.review_after",
        id=manifest_id,
        after=after,
    )


def watch_all_of(rows: Rows, image_id: int, after: int) -> None:
    """Every manifest of an image goes: so may all its links."""
    rows.run(
        "INSERT INTO gc_link (image_id, blob_id, review_after)"
        " SELECT image_id, blob_id, :after FROM image_blob WHERE image_id = :image"
        " ON CONFLICT (image_id, blob_id) DO UPDATE SET review_after = excluded.review_after",
        image=image_id,
        after=after,
    )
    rows.run(
        "DELETE FROM gc_manifest WHERE manifest_id IN (SELECT id FROM manifest WHERE image_id = :image)", image=image_id
    )


def watch_blob(rows: Rows, blob_id: int, after: int) -> None:
    """A blob may have lost its last link."""
    rows.run(
        "INSERT INTO gc_blob (blob_id, review_after) VALUES (:id, :after)"
        " ON CONFLICT (blob_id) DO UPDATE SET review_after = excluded.review_after",
        id=blob_id,
        after=after,
    )


class DueManifest(NamedTuple):
    """A manifest to look at, and whether a tag, an index that holds it, or a subject it refers to keeps it."""

    id: int
    image_id: int | None
    digest: str
    size: int
    is_kept: int
    is_tagged: int


_KEPT = (
    "EXISTS (SELECT 1 FROM tag t WHERE t.manifest_id = m.id)"
    " OR EXISTS (SELECT 1 FROM manifest_child c JOIN manifest p ON p.id = c.manifest_id"
    "   WHERE c.child_digest = m.digest AND p.image_id = m.image_id)"
    " OR EXISTS (SELECT 1 FROM manifest s WHERE s.image_id = m.image_id AND s.digest = m.subject)"
)


def due_manifests(rows: Rows, now: int, limit: int) -> list[DueManifest]:
    """Candidates whose time has come, oldest first; ``image_id`` None: the manifest is gone already."""
    return [
        DueManifest(*row)
        for row in rows.all(
            f"SELECT g.manifest_id, m.image_id, COALESCE(m.digest, ''), COALESCE(m.size, 0), ({_KEPT}),"
            " EXISTS (SELECT 1 FROM tag t WHERE t.manifest_id = m.id)"
            " FROM gc_manifest g LEFT JOIN manifest m ON m.id = g.manifest_id"
            " WHERE g.review_after <= :now ORDER BY g.review_after LIMIT :limit",
            now=now,
            limit=limit,
        )
    ]


class Holder(NamedTuple):
    """A manifest that keeps another one; ``review_after`` 0: it is no candidate."""

    id: int
    is_tagged: int
    review_after: int


def holders(rows: Rows, image_id: int, manifest_id: int) -> list[Holder]:
    """The indexes that list a manifest, and its subject."""
    shown = (
        "SELECT p.id, EXISTS (SELECT 1 FROM tag t WHERE t.manifest_id = p.id), COALESCE(g.review_after, 0)"
        " FROM manifest m {joined} LEFT JOIN gc_manifest g ON g.manifest_id = p.id"
        " WHERE m.id = :id AND p.image_id = :image"
    )
    listing = shown.format(
        joined="JOIN manifest_child c ON c.child_digest = m.digest JOIN manifest p ON p.id = c.manifest_id"
    )
    subject = shown.format(joined="JOIN manifest p ON p.image_id = m.image_id AND p.digest = m.subject")
    return [Holder(*row) for row in rows.all(f"{listing} UNION ALL {subject}", id=manifest_id, image=image_id)]


def forget_manifest(rows: Rows, manifest_id: int) -> None:
    """No candidate any more."""
    rows.run("DELETE FROM gc_manifest WHERE manifest_id = :id", id=manifest_id)


def reviewed(rows: Rows, manifest_id: int, now: int) -> None:
    """A candidate was looked at; it stays one if what kept it was deleted since, and it is to be looked at later."""
    rows.run("DELETE FROM gc_manifest WHERE manifest_id = :id AND review_after <= :now", id=manifest_id, now=now)


class DueLink(NamedTuple):
    """A link to look at, whether a manifest of its image names the blob, and when it was last asked for."""

    image_id: int
    blob_id: int
    lease: int | None
    size: int
    is_used: int


def due_links(rows: Rows, now: int, limit: int) -> list[DueLink]:
    """Candidates whose time has come, oldest first; ``lease`` None: the link is gone already."""
    return [
        DueLink(*row)
        for row in rows.all(
            "SELECT g.image_id, g.blob_id, l.created_at, COALESCE(o.size, 0),"
            " EXISTS (SELECT 1 FROM manifest_blob r JOIN manifest m ON m.id = r.manifest_id"
            "   WHERE r.blob_id = g.blob_id AND m.image_id = g.image_id)"
            # Build caches are indexes that list blobs as if they were manifests.
            " OR EXISTS (SELECT 1 FROM manifest_child c JOIN manifest p ON p.id = c.manifest_id"
            "   WHERE c.child_digest = o.digest AND p.image_id = g.image_id)"
            " FROM gc_link g LEFT JOIN image_blob l ON l.image_id = g.image_id AND l.blob_id = g.blob_id"
            " LEFT JOIN blob o ON o.id = g.blob_id"
            " WHERE g.review_after <= :now ORDER BY g.review_after LIMIT :limit",
            now=now,
            limit=limit,
        )
    ]


def forget_link(rows: Rows, image_id: int, blob_id: int) -> None:
    """No candidate any more."""
    rows.run("DELETE FROM gc_link WHERE image_id = :image AND blob_id = :blob", image=image_id, blob=blob_id)


class DueBlob(NamedTuple):
    """A blob to look at, and whether any image links it, or a deleted manifest may be brought back with it."""

    id: int
    key: str | None
    size: int
    is_linked: int


def due_blobs(rows: Rows, now: int, limit: int) -> list[DueBlob]:
    """Candidates whose time has come, oldest first; ``key`` None: the blob is gone already."""
    return [
        DueBlob(*row)
        for row in rows.all(
            "SELECT g.blob_id, o.storage_key, COALESCE(o.size, 0),"
            " EXISTS (SELECT 1 FROM image_blob l WHERE l.blob_id = g.blob_id)"
            " OR EXISTS (SELECT 1 FROM manifest_blob r WHERE r.blob_id = g.blob_id)"
            " OR EXISTS (SELECT 1 FROM deleted_manifest_blob r WHERE r.blob_id = g.blob_id)"
            " FROM gc_blob g LEFT JOIN blob o ON o.id = g.blob_id"
            " WHERE g.review_after <= :now ORDER BY g.review_after LIMIT :limit",
            now=now,
            limit=limit,
        )
    ]


def bury(rows: Rows, blob: DueBlob, remove_after: int) -> None:
    """Delete a blob's row; a stored object stays until later, under a key that nothing hands out any more."""
    rows.run("DELETE FROM gc_blob WHERE blob_id = :id", id=blob.id)
    rows.run("DELETE FROM blob WHERE id = :id", id=blob.id)
    if blob.key is not None and not blob.key.startswith("row:"):
        rows.run(
            "INSERT INTO dead_object (storage_key, size, remove_after) VALUES (:key, :size, :after)"
            " ON CONFLICT DO NOTHING",
            key=blob.key,
            size=blob.size,
            after=remove_after,
        )


def forget_blob(rows: Rows, blob_id: int) -> None:
    """No candidate any more."""
    rows.run("DELETE FROM gc_blob WHERE blob_id = :id", id=blob_id)


def dead_objects(rows: Rows, now: int, limit: int) -> list[str]:
    """Keys of stored objects whose time is over; none while somebody holds them."""
    return [
        row[0]
        for row in rows.all(
            "SELECT storage_key FROM dead_object WHERE remove_after <= :now"
            " AND NOT EXISTS (SELECT 1 FROM hold WHERE expires_at > :now) ORDER BY remove_after LIMIT :limit",
            now=now,
            limit=limit,
        )
    ]


def forget_objects(rows: Rows, keys: list[str]) -> None:
    """Their bytes are gone."""
    rows.run_many("DELETE FROM dead_object WHERE storage_key = :key", [{"key": key} for key in keys])


def unknown_keys(rows: Rows, keys: list[str]) -> list[str]:
    """Those of the keys that no row knows, dead or alive; of those that an upload has from its begin, once it ended."""
    return [
        key
        for key in keys
        if rows.one(
            "SELECT 1 FROM blob WHERE storage_key = :key"
            " UNION ALL SELECT 1 FROM dead_object WHERE storage_key = :key"
            " UNION ALL SELECT 1 FROM upload WHERE id = :upload AND received >= 0",
            key=key,
            upload=upload_of(key) if key.startswith(f"{UPLOADED}/") else "",
        )
        is None
    ]


class Waiting(NamedTuple):
    """How many candidates wait, due or not, and what dead objects still hold."""

    manifests: int
    links: int
    blobs: int
    objects: int
    object_bytes: int


def waiting(rows: Rows) -> Waiting:
    """The queues' lengths."""
    row = rows.one(
        "SELECT (SELECT COUNT(*) FROM gc_manifest), (SELECT COUNT(*) FROM gc_link), (SELECT COUNT(*) FROM gc_blob),"
        " (SELECT COUNT(*) FROM dead_object), (SELECT COALESCE(SUM(size), 0) FROM dead_object)"
    )
    assert row is not None
    return Waiting(*row)
