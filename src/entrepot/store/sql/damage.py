"""What is known to be wrong with stored bytes, what is suspected, and how far the scrub has come."""

from typing import Any, NamedTuple

from entrepot.store.db import Rows, single


class Object(NamedTuple):
    """A blob as the rows describe it; ``inside``: how many bytes its row holds, None for a stored object."""

    id: int
    digest: str
    size: int
    key: str
    inside: int | None
    fault: str


OBJECT = "SELECT o.id, o.digest, o.size, o.storage_key, LENGTH(o.content), o.fault FROM "


def blobs(rows: Rows, after: int, limit: int) -> list[Object]:
    """Blobs by id, after one."""
    found = rows.all(f"{OBJECT}blob o WHERE o.id > :after ORDER BY o.id LIMIT :limit", after=after, limit=limit)
    return [Object(*row) for row in found]


@single
def by_digest(rows: Rows, digest: str) -> Object | None:
    """The blob of a digest, whoever links it."""
    row = rows.one(f"{OBJECT}blob o WHERE o.digest = :digest", digest=digest)
    return Object(*row) if row else None


def suspects(rows: Rows, limit: int) -> list[Object]:
    """Blobs that are to be checked before all others, oldest suspicion first."""
    found = rows.all(
        f"{OBJECT}suspect s JOIN blob o ON o.id = s.blob_id ORDER BY s.since, s.blob_id LIMIT :limit", limit=limit
    )
    return [Object(*row) for row in found]


def suspect(rows: Rows, blob_id: int, now: int) -> None:
    """The bytes of a blob could not be read to their end."""
    rows.run(
        "INSERT INTO suspect (blob_id, since) SELECT id, :now FROM blob WHERE id = :blob"
        " ON CONFLICT (blob_id) DO NOTHING",
        blob=blob_id,
        now=now,
    )


def cleared(rows: Rows, blob_ids: list[int]) -> None:
    """Suspects that were checked."""
    rows.run_many("DELETE FROM suspect WHERE blob_id = :blob", [{"blob": one} for one in blob_ids])


def content(rows: Rows, blob_id: int) -> bytes | None:
    """The bytes of a blob that lives in its row; None when it does not (any more)."""
    row = rows.one("SELECT content FROM blob WHERE id = :id", id=blob_id)
    return None if row is None or row[0] is None else _bytes(row[0])


class Document(NamedTuple):
    """A manifest as the rows describe it."""

    id: int
    image_id: int
    digest: str
    size: int
    fault: str


def manifests(rows: Rows, after: int, limit: int) -> list[Document]:
    """Manifests by id, after one, without their bytes."""
    found = rows.all(
        "SELECT id, image_id, digest, size, fault FROM manifest WHERE id > :after ORDER BY id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [Document(*row) for row in found]


def marked_manifests(rows: Rows, after: int, limit: int) -> list[Document]:
    """As ``manifests``, only those with a fault."""
    found = rows.all(
        "SELECT id, image_id, digest, size, fault FROM manifest WHERE fault <> '' AND id > :after"
        " ORDER BY id LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [Document(*row) for row in found]


def document(rows: Rows, manifest_id: int) -> bytes | None:
    """The bytes of a manifest; None when it is gone."""
    row = rows.one("SELECT content FROM manifest WHERE id = :id", id=manifest_id)
    return _bytes(row[0]) if row else None


def _bytes(value: Any) -> bytes:
    """The column as bytes: what is damaged may have become text."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)


def mark_blob(rows: Rows, seen: Object, fault: str, now: int) -> bool:
    """Set what is wrong with a blob ("": nothing); False when that was known, or it has other bytes or none by now."""
    changed = rows.run(
        "UPDATE blob SET fault = :fault, fault_at = :now WHERE id = :id AND storage_key = :key"
        f" AND fault {'=' if fault else '<>'} ''",
        id=seen.id,
        key=seen.key,
        fault=fault,
        now=now,
    )
    return changed == 1


def mark_manifest(rows: Rows, manifest_id: int, fault: str, now: int) -> bool:
    """Set what is wrong with a manifest ("": nothing); False when that was known, or the manifest is gone."""
    changed = rows.run(
        f"UPDATE manifest SET fault = :fault, fault_at = :now WHERE id = :id AND fault {'=' if fault else '<>'} ''",
        id=manifest_id,
        fault=fault,
        now=now,
    )
    return changed == 1


def replace(rows: Rows, old: Object, *, key: str, content: bytes | None, now: int, remove_after: int) -> None:
    """Give a blob the bytes that were pushed just now, for every image that links it; the old object goes later."""
    rows.run(
        "UPDATE blob SET storage_key = :key, content = :content, fault = '', fault_at = :now WHERE id = :id",
        id=old.id,
        key=key,
        content=content,
        now=now,
    )
    cleared(rows, [old.id])
    if old.inside is None:
        rows.run(
            "INSERT INTO dead_object (storage_key, size, remove_after) VALUES (:key, :size, :after)"
            " ON CONFLICT DO NOTHING",
            key=old.key,
            size=old.size,
            after=remove_after,
        )


def places(rows: Rows, blob_id: int, limit: int) -> list[tuple[int, int, str, str]]:
    """(account, bucket id, bucket, image) of images that link a blob."""
    return [
        (row[0], row[1], row[2], row[3])
        for row in rows.all(
            "SELECT b.account_id, b.id, b.name, i.name FROM image_blob l JOIN image i ON i.id = l.image_id"
            " JOIN bucket b ON b.id = i.bucket_id WHERE l.blob_id = :blob ORDER BY b.account_id, i.id LIMIT :limit",
            blob=blob_id,
            limit=limit,
        )
    ]


def place(rows: Rows, image_id: int) -> list[tuple[int, int, str, str]]:
    """(account, bucket id, bucket, image) of an image."""
    row = rows.one(
        "SELECT b.account_id, b.id, b.name, i.name FROM image i JOIN bucket b ON b.id = i.bucket_id"
        " WHERE i.id = :image",
        image=image_id,
    )
    return [(row[0], row[1], row[2], row[3])] if row else []


class Damage(NamedTuple):
    """Something of an image that is not served."""

    bucket: str
    image: str
    kind: str
    digest: str
    size: int
    fault: str
    at: int


_DAMAGED = (
    "SELECT b.name AS bucket, i.name AS image, 'Blob' AS kind, o.digest AS digest, o.size AS size, o.fault AS fault,"
    " o.fault_at AS at FROM blob o JOIN image_blob l ON l.blob_id = o.id JOIN image i ON i.id = l.image_id"
    " JOIN bucket b ON b.id = i.bucket_id WHERE o.fault <> '' AND b.account_id = :account{only}"
    " UNION ALL"
    " SELECT b.name, i.name, 'Manifest', m.digest, m.size, m.fault, m.fault_at FROM manifest m"
    " JOIN image i ON i.id = m.image_id JOIN bucket b ON b.id = i.bucket_id"
    " WHERE m.fault <> '' AND b.account_id = :account{only}"
)


def of_account(rows: Rows, account_id: int, bucket: str, offset: int, limit: int) -> tuple[int, list[Damage]]:
    """(how many, a page of) what is not served in the buckets of an account, or ("" is all) in one of them."""
    only = " AND b.name = :bucket" if bucket else ""
    given = {"account": account_id, **({"bucket": bucket} if bucket else {})}
    damaged = _DAMAGED.format(only=only)
    total = rows.one(f"SELECT COUNT(*) FROM ({damaged}) AS found", **given)
    listed = rows.all(
        f"SELECT * FROM ({damaged}) AS found ORDER BY bucket, image, kind, digest LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **given,
    )
    return int(total[0]) if total else 0, [Damage(*row) for row in listed]


class Pass(NamedTuple):
    """Where a pass of the scrub is: the id that was checked last, and when the pass began."""

    position: int
    started_at: int


def is_due(rows: Rows, name: str, now: int, rest: int) -> bool:
    """Whether a table's pass is under way, or began longer than ``rest`` seconds ago (or under a clock ahead)."""
    row = rows.one(
        "SELECT 1 FROM scrub WHERE name = :name AND (position > 0 OR started_at <= :before OR started_at > :now)",
        name=name,
        before=now - rest,
        now=now,
    )
    return row is not None


def hold(rows: Rows, name: str, me: str, now: int, until: int) -> Pass | None:
    """Take or keep a table's scrub until a time; None while another process works on it.

    A time of holding that lies further ahead than anybody may hold was written under a wrong clock: it does not count.
    """
    row = rows.one(
        "UPDATE scrub SET held_by = :me, held_until = :until"
        " WHERE name = :name AND (held_by = :me OR held_until < :now OR held_until > :until)"
        " RETURNING position, started_at",
        name=name,
        me=me,
        now=now,
        until=until,
    )
    return Pass(*row) if row else None


def advance(rows: Rows, name: str, me: str, now: Pass) -> None:
    """Remember where the pass is, unless another process took it over."""
    rows.run(
        "UPDATE scrub SET position = :position, started_at = :started WHERE name = :name AND held_by = :me",
        name=name,
        me=me,
        position=now.position,
        started=now.started_at,
    )


def renew(rows: Rows, me: str, until: int) -> None:
    """A process still works on what it holds."""
    rows.run("UPDATE scrub SET held_until = :until WHERE held_by = :me AND held_until > 0", me=me, until=until)


def let_go(rows: Rows, me: str) -> None:
    """What a process held is free for the others."""
    rows.run("UPDATE scrub SET held_until = 0 WHERE held_by = :me", me=me)
