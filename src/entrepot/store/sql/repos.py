"""What UHub lists: buckets as repositories, images with their pulls, tags with their digests."""

from typing import NamedTuple

from entrepot.store.db import Rows


class RepoRow(NamedTuple):
    """A bucket as a repository."""

    name: str
    is_public: int
    description: str
    created_at: int
    updated_at: int
    is_outside: int


def repos(rows: Rows, *, project_id: str | None, limit: int, offset: int) -> tuple[int, list[RepoRow]]:
    """(how many, one page by name) of a project's private buckets, or without a project of everybody's public ones."""
    where = "is_public = 1" if project_id is None else "project_id = :project AND is_public = 0"
    params = {} if project_id is None else {"project": project_id}
    total = rows.one(
        "SELECT COALESCE(SUM(buckets), 0) FROM bucket_count WHERE scope = :scope AND is_public = :public",
        scope="all" if project_id is None else f"project {project_id}",
        public=int(project_id is None),
    )
    page = rows.all(
        f"SELECT name, is_public, description, created_at, updated_at, is_outside FROM bucket WHERE {where}"
        " ORDER BY name LIMIT :limit OFFSET :offset",
        limit=limit,
        offset=offset,
        **params,
    )
    return (int(total[0]) if total else 0), [RepoRow(*row) for row in page]


def update(rows: Rows, bucket_id: int, *, is_public: bool | None, description: str | None, now: int) -> None:
    """Change what is not None."""
    rows.run(
        "UPDATE bucket SET is_public = COALESCE(:public, is_public), description = COALESCE(:description, description),"
        " updated_at = :now WHERE id = :id",
        public=None if is_public is None else int(is_public),
        description=description,
        now=now,
        id=bucket_id,
    )


class ImageRow(NamedTuple):
    """An image of a list."""

    id: int
    name: str
    pull_count: int
    created_at: int
    updated_at: int
    latest_tag: str


def images(rows: Rows, bucket_id: int, limit: int, offset: int) -> list[ImageRow]:
    """Images that hold a manifest, by name."""
    return [
        ImageRow(*row)
        for row in rows.all(
            "SELECT id, name, pull_count, created_at, updated_at, latest_tag FROM image"
            " WHERE bucket_id = :bucket AND manifest_count > 0 ORDER BY name LIMIT :limit OFFSET :offset",
            bucket=bucket_id,
            limit=limit,
            offset=offset,
        )
    ]


def add_pulls(rows: Rows, pulls: dict[int, int], now: int) -> None:
    """Add what was counted since the last time, by image id."""
    rows.run_many(
        "UPDATE image SET pull_count = pull_count + :count, pulled_at = :now WHERE id = :id",
        [{"count": count, "now": now, "id": image_id} for image_id, count in pulls.items()],
    )


def tags(
    rows: Rows, image_id: int, name: str | None, limit: int, offset: int
) -> tuple[int, list[tuple[str, int, str]]]:
    """(how many, one page of (name, time, digest) by name); ``name``: only this tag."""
    if name is None:
        total = rows.one("SELECT tag_count FROM image WHERE id = :image", image=image_id)
    else:
        total = rows.one("SELECT COUNT(*) FROM tag WHERE image_id = :image AND name = :name", image=image_id, name=name)
    only = "" if name is None else " AND t.name = :name"
    page = rows.all(
        "SELECT t.name, t.updated_at, m.digest FROM tag t JOIN manifest m ON m.id = t.manifest_id"
        f" WHERE t.image_id = :image{only} ORDER BY t.name LIMIT :limit OFFSET :offset",
        image=image_id,
        limit=limit,
        offset=offset,
        **({} if name is None else {"name": name}),
    )
    return (int(total[0]) if total else 0), [(row[0], row[1], row[2]) for row in page]
