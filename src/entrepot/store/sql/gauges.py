"""What a scrape asks of the rows: one statement, each part of which reads a bounded piece of one index."""

from typing import NamedTuple

from entrepot.store.db import Rows, single

MOST = 10_000
"""No queue is counted further: this number stands for itself and for more."""


class Gauges(NamedTuple):
    """How much waits, each at most ``MOST``; ``due_at``: since when the oldest candidate should have been looked at."""

    uploads: int
    manifests: int
    links: int
    blobs: int
    objects: int
    object_bytes: int
    damaged_blobs: int
    damaged_manifests: int
    runs_waiting: int
    runs_running: int
    runs_cancelling: int
    due_at: int


_GAUGES = """
SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM upload LIMIT :most) AS a),
 (SELECT COUNT(*) FROM (SELECT 1 FROM gc_manifest LIMIT :most) AS b),
 (SELECT COUNT(*) FROM (SELECT 1 FROM gc_link LIMIT :most) AS c),
 (SELECT COUNT(*) FROM (SELECT 1 FROM gc_blob LIMIT :most) AS d),
 (SELECT COUNT(*) FROM (SELECT 1 FROM dead_object LIMIT :most) AS e),
 (SELECT COALESCE(SUM(size), 0) FROM (SELECT size FROM dead_object LIMIT :most) AS f),
 (SELECT COUNT(*) FROM (SELECT 1 FROM blob WHERE fault <> '' LIMIT :most) AS g),
 (SELECT COUNT(*) FROM (SELECT 1 FROM manifest WHERE fault <> '' LIMIT :most) AS h),
 (SELECT COUNT(*) FROM (SELECT 1 FROM workflow_instance WHERE state = 'Waiting' LIMIT :most) AS i),
 (SELECT COUNT(*) FROM (SELECT 1 FROM workflow_instance WHERE state = 'Running' LIMIT :most) AS j),
 (SELECT COUNT(*) FROM (SELECT 1 FROM workflow_instance WHERE state = 'Cancelling' LIMIT :most) AS k),
 (SELECT COALESCE(MIN(due), 0)
    FROM (SELECT MIN(review_after) AS due FROM gc_manifest
          UNION ALL SELECT MIN(review_after) FROM gc_link
          UNION ALL SELECT MIN(review_after) FROM gc_blob) AS l)
"""


@single
def gauges(rows: Rows) -> Gauges:
    """How much waits."""
    row = rows.one(_GAUGES, most=MOST)
    assert row is not None
    return Gauges(*map(int, row))


@single
def stored_key(rows: Rows) -> str | None:
    """The key of some object that is outside the rows; also an answer to whether rows can be read."""
    # Those inside are named row:<id>; a seek in the unique index finds one behind them.
    row = rows.one("SELECT storage_key FROM blob WHERE storage_key >= 's' ORDER BY storage_key LIMIT 1")
    return None if row is None else str(row[0])
