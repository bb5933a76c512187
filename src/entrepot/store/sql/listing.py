"""What the management API lists. Each page is read through an index that is already in its order."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from entrepot.store.db import Rows


class BucketRow(NamedTuple):
    """A bucket of a list."""

    name: str
    is_public: int
    image_count: int
    created_at: int
    account_id: int
    project_id: str
    region: str
    updated_at: int
    bytes: int
    description: str


class Scope(NamedTuple):
    """A range of buckets that an index holds in order of name, and the sum of counts that tells how many they are.

    ``names`` selects their names and ends in conditions, so that more can be added; both hold ``{region}``, the
    condition on the region. ``params`` go into both.
    """

    names: str
    counts: str
    params: Mapping[str, Any] = MappingProxyType({})


# A whole list is one range, or several that do not overlap; each count is a row or two of bucket_count.
_SUM = "SELECT COALESCE(SUM(buckets), 0) FROM bucket_count WHERE {region}"
_ACCOUNT = f"{_SUM} AND scope = 'account ' || :account"
_ALL_PUBLIC = f"{_SUM} AND scope = 'all' AND is_public = 1"
_BUCKET = "SELECT name FROM bucket WHERE {region}"
OWN = Scope(f"{_BUCKET} AND account_id = :account", f"({_ACCOUNT})")
OWN_PRIVATE = Scope(f"{_BUCKET} AND account_id = :account AND is_public = 0", f"({_ACCOUNT} AND is_public = 0)")
PUBLIC = Scope(f"{_BUCKET} AND is_public = 1", f"({_ALL_PUBLIC})")
SHARED = Scope(
    f"{_BUCKET} AND is_public = 1 AND account_id <> :account", f"({_ALL_PUBLIC}) - ({_ACCOUNT} AND is_public = 1)"
)
GRANTED = Scope(
    "SELECT name FROM bucket_grant WHERE account_id = :account AND is_public = 0 AND {region}",
    f"({_SUM} AND scope = 'granted ' || :account AND is_public = 0)",
)
_COLUMNS = "name, is_public, image_count, created_at, account_id, project_id, region, updated_at, bytes, description"
COUNTED = 1000
"""What a search finds is counted up to here: it is no number that could be kept."""
BEYOND = "~"
"""Sorts behind every character of a name: with it a prefix becomes a range of an index."""


def in_projects(projects: Iterable[str], *, private_only: bool) -> tuple[Scope, ...]:
    """The buckets of some projects, or only their private ones."""
    only = " AND is_public = 0" if private_only else ""
    return tuple(
        Scope(
            f"{_BUCKET} AND project_id = :project{place}{only}",
            f"({_SUM} AND scope = 'project ' || :project{place}{only})",
            {f"project{place}": project},
        )
        for place, project in enumerate(sorted(projects))
    )


def buckets(
    rows: Rows,
    *,
    account_id: int,
    region: str | None,
    name: str | None,
    scopes: tuple[Scope, ...],
    limit: int,
    offset: int,
    prefix: str = "",
) -> tuple[int, list[BucketRow]]:
    """(how many match, one page by name) of what the scopes hold together, in one region or (None) in all.

    With a ``prefix`` of names, how many is counted up to COUNTED.
    """
    where = "region = :region" if region is not None else "1 = 1"
    params: dict[str, Any] = {"account": account_id, **({} if region is None else {"region": region})}
    for scope in scopes:
        params |= scope.params
    found = [scope.names.format(region=where) for scope in scopes]
    if name is not None:
        return _named(rows, name, found, limit, offset, params)
    if prefix:
        found = [f"{one} AND name >= :prefix AND name < :beyond" for one in found]
        params |= {"prefix": prefix, "beyond": prefix + BEYOND}
        union = " UNION ALL ".join(found)
        row = rows.one(
            f"SELECT COUNT(*) FROM (SELECT name FROM ({union}) AS seen LIMIT {COUNTED}) AS counted", **params
        )
    else:
        counted = " + ".join(scope.counts.format(region=where) for scope in scopes)
        row = rows.one(f"SELECT {counted}", **params)
    total = int(row[0]) if row else 0
    if not limit or offset >= total:
        return total, []
    # From whichever end is nearer: the last page costs what the first one does.
    size = min(limit, total - offset)
    from_end = not prefix and offset > total // 2
    skip, order = (total - offset - size, "DESC") if from_end else (offset, "ASC")
    # Each range says its order, though all is ordered again: PostgreSQL merges such ranges, and would sort whole ones.
    ranges = [f"SELECT name FROM ({one} ORDER BY name {order}) AS range{place}" for place, one in enumerate(found)]
    union = " UNION ALL ".join(ranges)
    page = rows.all(
        f"SELECT {_COLUMNS} FROM bucket WHERE name IN"
        f" (SELECT name FROM ({union}) AS seen ORDER BY name {order} LIMIT :size OFFSET :skip) ORDER BY name",
        size=size,
        skip=skip,
        **params,
    )
    return total, [BucketRow(*one) for one in page]


def _named(
    rows: Rows, name: str, found: list[str], limit: int, offset: int, params: dict[str, Any]
) -> tuple[int, list[BucketRow]]:
    """At most one bucket: names are global."""
    either = " OR ".join(f"EXISTS ({names} AND name = :name)" for names in found)
    row = rows.one(f"SELECT {_COLUMNS} FROM bucket WHERE name = :name AND ({either})", name=name, **params)
    if row is None:
        return 0, []
    return 1, [BucketRow(*row)] if limit and not offset else []


def bucket(rows: Rows, bucket_id: int) -> BucketRow:
    """One bucket that is known to be there."""
    row = rows.one(f"SELECT {_COLUMNS} FROM bucket WHERE id = :id", id=bucket_id)
    assert row is not None
    return BucketRow(*row)


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


def references(
    rows: Rows, account_id: int, region: str, most: int, projects: frozenset[str] | None = None
) -> list[tuple[str, str, str, str]]:
    """(project, bucket, image, tag) of an account's own buckets in a region (or of some projects only), in order."""
    named = {f"p{place}": project for place, project in enumerate(sorted(projects or ()))}
    only = f" AND b.project_id IN ({', '.join(f':{name}' for name in named)})" if projects is not None else ""
    found = rows.all(
        "SELECT b.project_id, b.name, i.name, t.name FROM bucket b JOIN image i ON i.bucket_id = b.id"
        f" JOIN tag t ON t.image_id = i.id WHERE b.account_id = :account AND b.region = :region{only}"
        " ORDER BY b.name, i.name, t.name LIMIT :most",
        account=account_id,
        region=region,
        most=most,
        **named,
    )
    return [(row[0], row[1], row[2], row[3]) for row in found]


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
