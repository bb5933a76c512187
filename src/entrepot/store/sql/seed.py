"""Rows for measuring, many at a time; counters are kept as a push keeps them."""

import hashlib
from collections import Counter
from typing import Any, NamedTuple

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
    made: list[dict[str, Any]] = []
    counts: Counter[tuple[int, str, bool]] = Counter()
    for seed in seeds:
        found = buckets.add(
            rows,
            name=seed.name,
            account_id=seed.account_id,
            project_id=seed.project_id,
            region=region,
            is_public=seed.is_public,
            description="",
            now=now,
        )
        if found is not None:
            counts[seed.account_id, seed.project_id, seed.is_public] += 1
            made.append({"bucket": found, "project": seed.project_id, **_document(seed, media_type), "now": now})
    for (account_id, project_id, is_public), step in counts.items():
        buckets.count(rows, account_id, project_id, region, is_public=is_public, step=step)
    _add_images(rows, [one for one in made if one["images"]])


def _document(seed: Seed, media_type: str) -> dict[str, Any]:
    """The manifest of each image of a bucket, and what it adds to the counters."""
    content = f'{{"schemaVersion":2,"mediaType":"{media_type}","manifests":[],"seed":"{seed.name}"}}'.encode()
    return {
        "digest": f"sha256:{hashlib.sha256(content).hexdigest()}",
        "type": media_type,
        "size": len(content),
        "content": content,
        "images": seed.images,
        "bytes": len(content) * seed.images,
    }


def _add_images(rows: Rows, made: list[dict[str, Any]]) -> None:
    rows.run_many(
        "INSERT INTO image (bucket_id, name, manifest_count, tag_count, created_at, updated_at, latest_tag)"
        " VALUES (:bucket, :name, 1, 1, :now, :now, 'v1')",
        [{**one, "name": f"image-{number:06}"} for one in made for number in range(one["images"])],
    )
    rows.run_many(
        "INSERT INTO manifest (image_id, digest, media_type, size, created_at, content)"
        " SELECT id, :digest, :type, :size, :now, :content FROM image WHERE bucket_id = :bucket",
        made,
    )
    rows.run_many(
        "INSERT INTO tag (image_id, name, manifest_id, created_at, updated_at)"
        " SELECT m.image_id, 'v1', m.id, :now, :now FROM image i JOIN manifest m ON m.image_id = i.id"
        " WHERE i.bucket_id = :bucket",
        made,
    )
    rows.run_many(
        "INSERT INTO tag_event (image_id, name, digest, is_set, who, at)"
        " SELECT id, 'v1', :digest, 1, '', :now FROM image WHERE bucket_id = :bucket",
        made,
    )
    rows.run_many("UPDATE bucket SET image_count = :images, bytes = :bytes WHERE id = :bucket", made)
    held: Counter[str] = Counter()
    for one in made:
        held[one["project"]] += one["bytes"]
    rows.run_many(
        "UPDATE project SET bytes = bytes + :bytes WHERE id = :project",
        [{"project": project, "bytes": added} for project, added in held.items()],
    )
