"""Rows for measuring, many at a time; counters are kept as a push keeps them."""

import hashlib
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
    """Make the buckets that are not there yet, each with its images: one manifest and one tag in each."""
    for seed in seeds:
        made = buckets.add(
            rows,
            name=seed.name,
            account_id=seed.account_id,
            project_id=seed.project_id,
            region=region,
            is_public=seed.is_public,
            description="",
            now=now,
        )
        bucket = buckets.by_name(rows, seed.name)
        if made and bucket is not None and seed.images:
            _add_images(rows, bucket.id, seed, media_type, now)


def _add_images(rows: Rows, bucket_id: int, seed: Seed, media_type: str, now: int) -> None:
    content = f'{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[],"seed":"{seed.name}"}}'.encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    rows.run_many(
        "INSERT INTO image (bucket_id, name, manifest_count, tag_count, created_at, updated_at, latest_tag)"
        " VALUES (:bucket, :name, 1, 1, :now, :now, 'v1')",
        [{"bucket": bucket_id, "name": f"image-{number:06}", "now": now} for number in range(seed.images)],
    )
    rows.run(
        "INSERT INTO manifest (image_id, digest, media_type, size, created_at, content)"
        " SELECT id, :digest, :type, :size, :now, :content FROM image WHERE bucket_id = :bucket",
        digest=digest,
        type=media_type,
        size=len(content),
        now=now,
        content=content,
        bucket=bucket_id,
    )
    rows.run(
        "INSERT INTO tag (image_id, name, manifest_id, created_at, updated_at)"
        " SELECT m.image_id, 'v1', m.id, :now, :now FROM image i JOIN manifest m ON m.image_id = i.id"
        " WHERE i.bucket_id = :bucket",
        now=now,
        bucket=bucket_id,
    )
    rows.run(
        "INSERT INTO tag_event (image_id, name, digest, is_set, who, at)"
        " SELECT id, 'v1', :digest, 1, '', :now FROM image WHERE bucket_id = :bucket",
        digest=digest,
        now=now,
        bucket=bucket_id,
    )
    held = len(content) * seed.images
    rows.run(
        "UPDATE bucket SET image_count = :images, bytes = :bytes WHERE id = :bucket",
        images=seed.images,
        bytes=held,
        bucket=bucket_id,
    )
    rows.run("UPDATE project SET bytes = bytes + :bytes WHERE id = :project", bytes=held, project=seed.project_id)
