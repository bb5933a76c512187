"""Buckets and images as rows."""

from typing import NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.model import events as kinds
from entrepot.store.db import Rows
from entrepot.store.sql import events


class Place(NamedTuple):
    """A bucket as a registry request meets it: whose it is, and who is let near it."""

    id: int
    account_id: int
    is_public: int
    is_outside: int
    networks: str
    robots: str = ""
    """Its active robots (sql.robots); left out where none can be the caller."""


PLACE = "b.id, b.account_id, b.is_public, b.is_outside, b.networks, b.robots"
"""The columns of a Place, of the table ``bucket b``."""
WIDE = len(Place._fields)
"""How many columns that is."""


class Bucket(NamedTuple):
    """A row of ``bucket``."""

    id: int
    name: str
    account_id: int
    project_id: str
    region: str
    is_public: int
    image_count: int
    created_at: int
    bytes: int
    is_outside: int
    networks: str

    @property
    def place(self) -> Place:
        """What a registry request needs of it."""
        return Place(self.id, self.account_id, self.is_public, self.is_outside, self.networks)


_BUCKET = (
    "SELECT id, name, account_id, project_id, region, is_public, image_count, created_at, bytes, is_outside, networks"
    " FROM bucket"
)


def by_name(rows: Rows, name: str) -> Bucket | None:
    """The bucket with this name."""
    row = rows.one(f"{_BUCKET} WHERE name = :name", name=name)
    return Bucket(*row) if row else None


def by_id(rows: Rows, bucket_id: int) -> Bucket | None:
    """The bucket with this id."""
    row = rows.one(f"{_BUCKET} WHERE id = :id", id=bucket_id)
    return Bucket(*row) if row else None


def project_of(rows: Rows, bucket_id: int) -> str:
    """The project of a bucket; "" without the bucket."""
    row = rows.one("SELECT project_id FROM bucket WHERE id = :id", id=bucket_id)
    return str(row[0]) if row else ""


def owner_of(rows: Rows, bucket_id: int) -> int:
    """The account of a bucket; 0 without the bucket."""
    row = rows.one("SELECT account_id FROM bucket WHERE id = :id", id=bucket_id)
    return int(row[0]) if row else 0


def everything(rows: Rows) -> list[Bucket]:
    """All buckets by name, but for deleted ones."""
    return [Bucket(*row) for row in rows.all(f"{_BUCKET} WHERE account_id > 0 ORDER BY name")]


def add(
    rows: Rows,
    *,
    name: str,
    account_id: int,
    project_id: str,
    region: str,
    is_public: bool,
    description: str,
    now: int,
    who: str = "",
    depth: int = 0,
) -> int | None:
    """Its id, None when the name is taken; to be counted by whoever asks (``count``), once for all that it makes.

    Those who listen to the account hear of it; ``depth`` as of an event.
    """
    row = rows.one(
        "INSERT INTO bucket"
        " (name, account_id, project_id, region, is_public, description, image_count, created_at, updated_at)"
        " VALUES (:name, :account, :project, :region, :public, :description, 0, :now, :now)"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        name=name,
        account=account_id,
        project=project_id,
        region=region,
        public=int(is_public),
        description=description,
        now=now,
    )
    if row is None:
        return None
    events.note(rows, int(row[0]), kinds.CREATED, now, who=who, depth=depth, Public=is_public)
    return int(row[0])


def count(rows: Rows, account_id: int, project_id: str, region: str, *, is_public: bool, step: int) -> None:
    """Keep the counts of every scope that a bucket belongs to."""
    count_in(rows, ["all", f"account {account_id}", f"project {project_id}"], region, is_public=is_public, step=step)


def count_in(rows: Rows, scopes: list[str], region: str, *, is_public: bool, step: int) -> None:
    """Keep the counts of some scopes."""
    rows.run_many(
        "INSERT INTO bucket_count (scope, region, is_public, buckets) VALUES (:scope, :region, :public, :step)"
        " ON CONFLICT (scope, region, is_public) DO UPDATE SET buckets = bucket_count.buckets + excluded.buckets",
        [{"scope": scope, "region": region, "public": int(is_public), "step": step} for scope in scopes],
    )


def counted(rows: Rows, scope: str) -> int:
    """How many buckets a scope holds in all regions."""
    row = rows.one("SELECT COALESCE(SUM(buckets), 0) FROM bucket_count WHERE scope = :scope", scope=scope)
    return int(row[0]) if row else 0


def delete(rows: Rows, bucket: Bucket) -> None:
    """Remove a bucket without manifests for good, with what is left of its images, their links and uploads."""
    bucket_id = bucket.id
    count(rows, bucket.account_id, bucket.project_id, bucket.region, is_public=bool(bucket.is_public), step=-1)
    images = "(SELECT id FROM image WHERE bucket_id = :id)"
    for (account_id,) in rows.all("SELECT account_id FROM bucket_grant WHERE bucket_id = :id", id=bucket_id):
        count_in(rows, [f"granted {account_id}"], bucket.region, is_public=bool(bucket.is_public), step=-1)
    rows.run("DELETE FROM bucket_grant WHERE bucket_id = :id", id=bucket_id)
    rows.run("UPDATE project SET bytes = bytes - :bytes WHERE id = :id", bytes=bucket.bytes, id=bucket.project_id)
    rows.run("DELETE FROM quota WHERE scope = :scope", scope=f"bucket {bucket_id}")
    rows.run("DELETE FROM bucket_retention WHERE bucket_id = :id", id=bucket_id)
    rows.run("DELETE FROM robot WHERE bucket_id = :id", id=bucket_id)
    events.forget_bucket(rows, bucket_id)
    rows.run("DELETE FROM bucket_blob WHERE bucket_id = :id", id=bucket_id)
    rows.run(f"DELETE FROM upload WHERE image_id IN {images}", id=bucket_id)
    rows.run(f"DELETE FROM tag_event WHERE image_id IN {images}", id=bucket_id)
    rows.run(f"DELETE FROM gc_link WHERE image_id IN {images}", id=bucket_id)
    rows.run(
        "INSERT INTO gc_blob (blob_id, review_after)"
        f" SELECT DISTINCT blob_id, 0 FROM image_blob WHERE image_id IN {images} ON CONFLICT (blob_id) DO NOTHING",
        id=bucket_id,
    )
    rows.run(f"DELETE FROM image_blob WHERE image_id IN {images}", id=bucket_id)
    rows.run("DELETE FROM image WHERE bucket_id = :id", id=bucket_id)
    rows.run("DELETE FROM bucket WHERE id = :id", id=bucket_id)


def find_image(rows: Rows, bucket_id: int, name: str) -> int | None:
    """An image's id."""
    row = rows.one("SELECT id FROM image WHERE bucket_id = :bucket AND name = :name", bucket=bucket_id, name=name)
    return int(row[0]) if row else None


def image_for_push(rows: Rows, bucket_id: int, name: str, now: int) -> int:
    """An image's id; it is made when missing. It counts as an image once it holds a manifest.

    Raises NAME_UNKNOWN when the bucket was deleted meanwhile.
    """
    found = rows.one(
        "SELECT i.id FROM image i JOIN bucket b ON b.id = i.bucket_id"
        " WHERE i.bucket_id = :bucket AND i.name = :name AND b.account_id > 0",
        bucket=bucket_id,
        name=name,
    )
    if found is not None:
        return int(found[0])
    row = rows.one(
        "INSERT INTO image (bucket_id, name, manifest_count, tag_count, created_at, updated_at)"
        " SELECT id, :name, 0, 0, :now, :now FROM bucket WHERE id = :bucket AND account_id > 0"
        " ON CONFLICT (bucket_id, name) DO UPDATE SET updated_at = image.updated_at RETURNING id",
        bucket=bucket_id,
        name=name,
        now=now,
    )
    if row is None:
        raise HubError(Kind.NAME_UNKNOWN, "the bucket was deleted meanwhile")
    return int(row[0])


def catalog(
    rows: Rows, *, account_id: int, bucket_id: int, after: tuple[str, str], limit: int
) -> list[tuple[str, str]]:
    """(bucket, image) pairs that hold manifests and that may be read, in byte order after a pair.

    Those are the public ones, the account's (0: none) and the bucket's (0: none). Buckets come from two indexes in
    order, so only what is returned (and empty images between) is read.
    """
    return [
        (row[0], row[1])
        for row in rows.all(
            "SELECT b.name, i.name FROM bucket b JOIN image i ON i.bucket_id = b.id"
            " WHERE (b.name > :bucket OR (b.name = :bucket AND i.name > :image)) AND b.name >= :bucket"
            " AND i.manifest_count > 0 AND (b.is_public = 1 OR b.account_id = :account OR b.id = :only)"
            " ORDER BY b.name, i.name LIMIT :limit",
            bucket=after[0],
            image=after[1],
            account=account_id,
            only=bucket_id,
            limit=limit,
        )
    ]


def set_networks(rows: Rows, bucket_id: int, *, is_outside: bool, networks: str, now: int) -> None:
    """From where the bucket may be used."""
    rows.run(
        "UPDATE bucket SET is_outside = :outside, networks = :networks, updated_at = :now WHERE id = :id",
        outside=int(is_outside),
        networks=networks,
        now=now,
        id=bucket_id,
    )
