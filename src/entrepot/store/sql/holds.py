"""Holds: while one lasts, no stored object is removed (``collect.dead_objects``)."""

from entrepot.store.db import Rows


def take(rows: Rows, name: str, now: int, until: int) -> None:
    """Take a hold, or renew it; what has ended is forgotten."""
    rows.run("DELETE FROM hold WHERE expires_at <= :now", now=now)
    rows.run(
        "INSERT INTO hold (id, expires_at) VALUES (:id, :until)"
        " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
        id=name,
        until=until,
    )


def release(rows: Rows, name: str) -> None:
    """Let go."""
    rows.run("DELETE FROM hold WHERE id = :id", id=name)
