"""What the management API lists. Each page is read through an index that is already in its order."""

from typing import NamedTuple

from entrepot.store.db import Rows


class BucketRow(NamedTuple):
    """A bucket of a list."""

    name: str
    is_public: int
    image_count: int
    created_at: int


# Own buckets and other accounts' public ones are two ranges of two indexes, each in order of name.
_OWN = "account_id = :account AND region = :region"
_SHARED = "is_public = 1 AND region = :region AND account_id <> :account"
_COLUMNS = "name, is_public, image_count, created_at"


def buckets(
    rows: Rows, *, account_id: int, region: str, name: str | None, own: bool, shared: bool, limit: int, offset: int
) -> tuple[int, list[BucketRow]]:
    """(how many match, one page by name) of the account's own buckets and of other accounts' public ones."""
    only = " AND name = :name" if name else ""
    ranges = [f"{where}{only}" for where, wanted in ((_OWN, own), (_SHARED, shared)) if wanted]
    params = {"account": account_id, "region": region, **({"name": name} if name else {})}
    counts = " + ".join(f"(SELECT COUNT(*) FROM bucket WHERE {where})" for where in ranges)
    row = rows.one(f"SELECT {counts}", **params)
    total = int(row[0]) if row else 0
    if not limit or offset >= total:
        return total, []
    union = " UNION ALL ".join(f"SELECT {_COLUMNS} FROM bucket WHERE {where}" for where in ranges)
    page = rows.all(
        f"SELECT {_COLUMNS} FROM ({union}) AS seen ORDER BY name LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **params,
    )
    return total, [BucketRow(*one) for one in page]


class ImageRow(NamedTuple):
    """An image of a list."""

    id: int
    name: str
    updated_at: int


def images(rows: Rows, bucket_id: int, limit: int, offset: int) -> list[ImageRow]:
    """Images that hold a manifest, by name."""
    return [
        ImageRow(*row)
        for row in rows.all(
            "SELECT id, name, updated_at FROM image WHERE bucket_id = :bucket AND manifest_count > 0"
            " ORDER BY name LIMIT :limit OFFSET :offset",
            bucket=bucket_id,
            limit=limit,
            offset=offset,
        )
    ]


def tags_of(rows: Rows, images: list[ImageRow], most: int) -> dict[int, list[tuple[str, int]]]:
    """(name, time of first push) of the tags of some images, by image id; at most ``most`` altogether."""
    if not images:
        return {}
    listed = ", ".join(f":i{place}" for place in range(len(images)))
    found: dict[int, list[tuple[str, int]]] = {}
    for image_id, name, created_at in rows.all(
        f"SELECT image_id, name, created_at FROM tag WHERE image_id IN ({listed}) ORDER BY image_id, name LIMIT :most",
        most=most,
        **{f"i{place}": image.id for place, image in enumerate(images)},
    ):
        found.setdefault(image_id, []).append((name, created_at))
    return found


def references(rows: Rows, account_id: int, region: str, most: int) -> list[str]:
    """bucket/image:tag of an account's own buckets in a region, in order."""
    return [
        f"{bucket}/{image}:{tag}"
        for bucket, image, tag in rows.all(
            "SELECT b.name, i.name, t.name FROM bucket b JOIN image i ON i.bucket_id = b.id"
            " JOIN tag t ON t.image_id = i.id WHERE b.account_id = :account AND b.region = :region"
            " ORDER BY b.name, i.name, t.name LIMIT :most",
            account=account_id,
            region=region,
            most=most,
        )
    ]


class ProjectRow(NamedTuple):
    """A project of a list."""

    id: str
    name: str
    is_default: int
    created_at: int
    buckets: int


def projects(rows: Rows, account_id: int) -> list[ProjectRow]:
    """The account's projects, the default one first."""
    return [
        ProjectRow(*row)
        for row in rows.all(
            "SELECT p.id, p.name, p.is_default, p.created_at,"
            " (SELECT COUNT(*) FROM bucket b WHERE b.account_id = p.account_id AND b.project_id = p.id)"
            " FROM project p WHERE p.account_id = :account ORDER BY p.is_default DESC, p.id",
            account=account_id,
        )
    ]


def members(rows: Rows, account_id: int) -> int:
    """How many people the account has."""
    row = rows.one("SELECT COUNT(*) FROM person WHERE account_id = :account", account=account_id)
    return int(row[0]) if row else 0


def main_email(rows: Rows, account_id: int) -> str:
    """E-mail of the account's main user."""
    row = rows.one(
        "SELECT email FROM person WHERE account_id = :account AND is_main = 1 ORDER BY id LIMIT 1", account=account_id
    )
    return str(row[0]) if row else ""
