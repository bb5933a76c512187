"""What tags pointed to: a line whenever one is set, moved or deleted, in the transaction that does it."""

from typing import NamedTuple

from entrepot.store.db import Rows


class Event(NamedTuple):
    """A line of a tag's history; ``is_held``: its manifest is still there."""

    id: int
    name: str
    digest: str
    is_set: int
    who: str
    at: int
    is_held: int


def note(rows: Rows, image_id: int, name: str, manifest_id: int, *, is_set: bool, who: str, now: int) -> None:
    """A tag was set to a manifest, or deleted from it."""
    rows.run(
        "INSERT INTO tag_event (image_id, name, digest, is_set, who, at)"
        " SELECT :image, :name, digest, :set, :who, :now FROM manifest WHERE id = :manifest",
        image=image_id,
        name=name,
        manifest=manifest_id,
        set=int(is_set),
        who=who,
        now=now,
    )


def note_deleted(rows: Rows, image_id: int, manifest_id: int | None, *, who: str, now: int) -> None:
    """Every tag of a manifest, or of an image, is about to be deleted."""
    only = "" if manifest_id is None else " AND t.manifest_id = :manifest"
    rows.run(
        "INSERT INTO tag_event (image_id, name, digest, is_set, who, at)"
        " SELECT t.image_id, t.name, m.digest, 0, :who, :now FROM tag t JOIN manifest m ON m.id = t.manifest_id"
        f" WHERE t.image_id = :image{only}",
        image=image_id,
        who=who,
        now=now,
        **({} if manifest_id is None else {"manifest": manifest_id}),
    )


def page(rows: Rows, image_id: int, name: str | None, before: int, limit: int) -> list[Event]:
    """Lines of an image's tags, or of one tag, newest first, before an id."""
    only = "" if name is None else " AND e.name = :name"
    found = rows.all(
        "SELECT e.id, e.name, e.digest, e.is_set, e.who, e.at,"
        " EXISTS (SELECT 1 FROM manifest m WHERE m.image_id = e.image_id AND m.digest = e.digest)"
        f" FROM tag_event e WHERE e.image_id = :image{only} AND e.id < :before ORDER BY e.id DESC LIMIT :limit",
        image=image_id,
        before=before,
        limit=limit,
        **({} if name is None else {"name": name}),
    )
    return [Event(*row) for row in found]


def last(rows: Rows) -> int:
    """The number of the newest line of all."""
    row = rows.one("SELECT COALESCE(MAX(id), 0) FROM tag_event")
    return int(row[0]) if row else 0


def has_deletion(rows: Rows, image_id: int, after: int) -> bool:
    """Whether a tag of an image was deleted after a line."""
    return (
        rows.one(
            "SELECT 1 FROM tag_event WHERE id > :after AND image_id = :image AND is_set = 0 LIMIT 1",
            after=after,
            image=image_id,
        )
        is not None
    )


def forget(rows: Rows, before: int, limit: int) -> int:
    """Delete at most ``limit`` lines older than a time; how many."""
    return rows.run(
        "DELETE FROM tag_event WHERE id IN (SELECT id FROM tag_event WHERE at < :before ORDER BY at LIMIT :limit)",
        before=before,
        limit=limit,
    )
