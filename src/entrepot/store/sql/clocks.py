"""The newest time that the hub's clock has shown, and what a clock that was ahead has left behind."""

from entrepot.store.db import Rows


def seen(rows: Rows) -> tuple[int, int] | None:
    """(the time, for how many seconds more nothing is removed); None on a new hub."""
    row = rows.one("SELECT at, hold FROM clock_seen WHERE name = 'hub'")
    return (row[0], row[1]) if row else None


def see(rows: Rows, now: int, hold: int, every: int) -> None:
    """Remember the time, where it has gone on by ``every`` seconds or gone back, or the hold has changed."""
    rows.run(
        "INSERT INTO clock_seen (name, at, hold) VALUES ('hub', :now, :hold)"
        " ON CONFLICT (name) DO UPDATE SET at = excluded.at, hold = excluded.hold"
        " WHERE excluded.at >= clock_seen.at + :every OR excluded.at < clock_seen.at"
        " OR excluded.hold <> clock_seen.hold",
        now=now,
        hold=hold,
        every=every,
    )


def come_back(rows: Rows, now: int, grace: int, untagged: int) -> None:
    """The clock went back: what was to be looked at long after now is looked at when it would be if filed now."""
    for table, most in (("gc_manifest", max(grace, untagged)), ("gc_link", grace), ("gc_blob", grace)):
        rows.run(f"UPDATE {table} SET review_after = :most WHERE review_after > :most", most=now + most)
    rows.run("UPDATE dead_object SET remove_after = :most WHERE remove_after > :most", most=now + 3600)
    rows.run("UPDATE upload SET updated_at = :now WHERE updated_at > :now", now=now)
