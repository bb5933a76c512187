"""What the hub does by itself, as its rows tell it: bounded looks, nothing is counted beyond ``MOST``."""

from typing import NamedTuple

from entrepot.store.db import Rows

MOST = 10_000
"""Candidates that are counted; more is told as this many."""
_QUEUES = {
    "gc_manifest": "review_after",
    "gc_link": "review_after",
    "gc_blob": "review_after",
    "dead_object": "remove_after",
}


class Queue(NamedTuple):
    """Candidates of the collection: how many are due, and when the next one is (0: none waits)."""

    due: int
    next_at: int


class Scrubbing(NamedTuple):
    """How far a pass over a table has come; ``is_running``: a process works on it."""

    position: int
    last: int
    started_at: int
    is_running: bool


class Rule(NamedTuple):
    """Retention of a bucket."""

    bucket: str
    next_run_at: int
    last_run_at: int


def collection(rows: Rows, now: int) -> Queue:
    """What waits to be collected, of all kinds."""
    due, times = 0, []
    for table, column in _QUEUES.items():
        row = rows.one(
            f"SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM {table} WHERE {column} <= :now LIMIT :most) AS due),"
            f" (SELECT MIN({column}) FROM {table})",
            now=now,
            most=MOST,
        )
        assert row is not None
        due += row[0]
        times += [row[1]] if row[1] is not None else []
    return Queue(min(due, MOST), min(times, default=0))


def scrubbing(rows: Rows, now: int) -> Scrubbing:
    """The pass over the blobs."""
    row = rows.one(
        "SELECT position, started_at, held_until, (SELECT COALESCE(MAX(id), 0) FROM blob)"
        " FROM scrub WHERE name = 'blob'"
    )
    assert row is not None
    return Scrubbing(row[0], row[3], row[1], row[2] > now)


def backups(rows: Rows, now: int) -> int:
    """How many backups run now."""
    row = rows.one("SELECT COUNT(*) FROM hold WHERE expires_at > :now", now=now)
    return int(row[0]) if row else 0


def retention(rows: Rows, account_id: int, limit: int) -> list[Rule]:
    """The buckets of an account that have rules, next one first."""
    return [
        Rule(*row)
        for row in rows.all(
            "SELECT b.name, r.next_run_at, r.last_run_at FROM bucket_retention r JOIN bucket b ON b.id = r.bucket_id"
            " WHERE b.account_id = :account ORDER BY r.next_run_at, b.name LIMIT :limit",
            account=account_id,
            limit=limit,
        )
    ]
