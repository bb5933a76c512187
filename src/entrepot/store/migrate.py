"""Numbered SQL files, applied once each, in order, each in its own transaction."""

import contextlib
import sqlite3
from importlib import resources
from pathlib import Path

from entrepot.store.db_sqlite import connect
from entrepot.store.sqlite_faults import plain_faults


def migrations() -> list[tuple[int, str]]:
    """Number and text of each migration, ascending."""
    folder = resources.files("entrepot.store") / "migrations"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".sql")]
    return sorted((int(entry.name.partition("_")[0]), entry.read_text("utf-8")) for entry in files)


def migrate_sqlite(path: Path) -> None:
    """Bring a database file (made when missing) to the newest schema; safe to race from several processes."""
    with plain_faults(), contextlib.closing(connect(path)) as connection:
        have = _version(connection)
        for number, text in migrations():
            if number > have:
                _apply(connection, number, text)


def _version(connection: sqlite3.Connection) -> int:
    row: tuple[int] = connection.execute("PRAGMA user_version").fetchone()
    return row[0]


def _apply(connection: sqlite3.Connection, number: int, text: str) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < number:  # another process may have been first
            for statement in _statements(text):
                connection.execute(_dialect(statement))
            connection.execute(f"PRAGMA user_version = {number:d}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _dialect(statement: str) -> str:
    """SQLite's words. AUTOINCREMENT, because tokens name buckets by id: an id must never come back for another one."""
    return statement.replace("BYTEA", "BLOB").replace("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT")


def _statements(text: str) -> list[str]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]
