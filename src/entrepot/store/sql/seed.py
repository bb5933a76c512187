"""Rows for measuring, many at a time; counters are kept as a push keeps them."""

import hashlib
from collections import Counter
from typing import NamedTuple

from entrepot.store.db import Rows
from entrepot.store.sql import buckets


class Seed(NamedTuple):
    """A bucket to make, with so many images."""

    name: str
    account_id: int
    project_id: str
    is_public: bool
    images: int


def accounts(rows: Rows) -> list[tuple[int, str]]:
    """(account, its default project) of every account."""
    return [
        (row[0], row[1])
        for row in rows.all("SELECT account_id, id FROM project WHERE is_default = 1 ORDER BY account_id")
    ]


def add(rows: Rows, seeds: list[Seed], region: str, media_type: str, now: int) -> None:
    """Make the buckets that are not there yet, each with its images: one manifest and one tag in each.

    Counters change once for all of them: a row that one transaction changes thousands of times gets slow to find.
    """
    made = [(found, seed) for seed in seeds if (found := _add_bucket(rows, seed, region, now))]
    for (account_id, project_id, is_public), step in Counter(seed[1:4] for _, seed in made).items():
        buckets.count(rows, account_id, project_id, region, is_public=is_public, step=step)
    _add_images(rows, [(found, seed) for found, seed in made if seed.images], media_type, now)


def _add_bucket(rows: Rows, seed: Seed, region: str, now: int) -> int:
    """Its id; 0 when the name is taken."""
    row = rows.one(
        "INSERT INTO bucket"
        " (name, account_id, project_id, region, is_public, description, image_count, created_at, updated_at)"
        " VALUES (:name, :account, :project, :region, :public, '', :images, :now, :now)"
        " ON CONFLICT (name) DO NOTHING RETURNING id",
        name=seed.name,
        account=seed.account_id,
        project=seed.project_id,
        region=region,
        public=int(seed.is_public),
        images=seed.images,
        now=now,
    )
    return int(row[0]) if row else 0


def _add_images(rows: Rows, made: list[tuple[int, Seed]], media_type: str, now: int) -> None:
    rows.run_many(
        "INSERT INTO image (bucket_id, name, manifest_count, tag_count, created_at, updated_at, latest_tag)"
        " VALUES (:bucket, :name, 1, 1, :now, :now, 'v1')",
        [
            {"bucket": bucket, "name": f"image-{number:06}", "now": now}
            for bucket, seed in made
            for number in range(seed.images)
        ],
    )
    documents = [(bucket, _document(seed, media_type)) for bucket, seed in made]
    named = [{"bucket": bucket, "digest": _digest(content), "now": now} for bucket, content in documents]
    sized = [{"bucket": bucket, "size": len(content)} for bucket, content in documents]
    rows.run_many(
        "INSERT INTO manifest (image_id, digest, media_type, size, created_at, content)"
        " SELECT id, :digest, :type, :size, :now, :content FROM image WHERE bucket_id = :bucket",
        [
            {**name, "type": media_type, "size": len(content), "content": content}
            for name, (_, content) in zip(named, documents, strict=True)
        ],
    )
    rows.run_many(
        "INSERT INTO tag (image_id, name, manifest_id, created_at, updated_at)"
        " SELECT m.image_id, 'v1', m.id, :now, :now FROM image i JOIN manifest m ON m.image_id = i.id"
        " WHERE i.bucket_id = :bucket AND m.digest = :digest",
        named,
    )
    rows.run_many(
        "INSERT INTO tag_event (image_id, name, digest, is_set, who, at)"
        " SELECT id, 'v1', :digest, 1, '', :now FROM image WHERE bucket_id = :bucket",
        named,
    )
    rows.run_many("UPDATE bucket SET bytes = image_count * :size WHERE id = :bucket", sized)
    held: Counter[str] = Counter()
    for size, (_, seed) in zip(sized, made, strict=True):
        held[seed.project_id] += size["size"] * seed.images
    rows.run_many(
        "UPDATE project SET bytes = bytes + :bytes WHERE id = :project",
        [{"project": project, "bytes": added} for project, added in held.items()],
    )


def _document(seed: Seed, media_type: str) -> bytes:
    return f'{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[],"seed":"{seed.name}"}}'.encode()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
