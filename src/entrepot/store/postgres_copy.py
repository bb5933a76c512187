"""Every row out of PostgreSQL into a file of SQLite's format; what is broken there.

Rows are copied one at a time in the server's binary COPY format, so memory is flat whatever they hold.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg import Connection, sql

from entrepot.errors import HubError, Kind
from entrepot.store.migrate import migrate_sqlite, migrations
from entrepot.store.postgres_faults import shown
from entrepot.store.sqlite_faults import plain_faults


def version(connection: Connection[Any]) -> int:
    """The number of the newest migration that was applied; 0 in an empty schema."""
    found = connection.execute("SELECT to_regclass('schema_migration') IS NOT NULL").fetchone()
    if not found or not found[0]:
        return 0
    row = connection.execute("SELECT COALESCE(MAX(number), 0) FROM schema_migration").fetchone()
    return int(row[0]) if row else 0


def snapshot(connection: Connection[Any], target: Path) -> None:
    """Make the file with all rows as of one moment. Raises UNAVAILABLE."""
    migrate_sqlite(target)
    with plain_faults(), contextlib.closing(sqlite3.connect(target, isolation_level=None)) as file:
        # Nothing is promised of the file before it is whole.
        for pragma in ("journal_mode = DELETE", "synchronous = OFF", "foreign_keys = OFF"):
            file.execute(f"PRAGMA {pragma}")
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        if version(connection) != migrations()[-1][0]:
            raise HubError(
                Kind.UNAVAILABLE, "the database has the schema of another version; use that version of entrepot"
            )
        file.execute("BEGIN")
        for table in tables(file):
            _fetch(connection, file, table)
        file.execute("COMMIT")
        connection.execute("COMMIT")
        file.execute("PRAGMA synchronous = FULL")
        file.execute("BEGIN IMMEDIATE")
        file.execute(f"PRAGMA user_version = {migrations()[-1][0]:d}")
        file.execute("COMMIT")


def tables(file: sqlite3.Connection) -> list[str]:
    """Tables in the order in which they were made: what is referred to comes first."""
    found = file.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid"
    )
    return [row[0] for row in found]


def columns(file: sqlite3.Connection, table: str) -> list[str]:
    """Columns of a table."""
    return [row[1] for row in file.execute(f"PRAGMA table_info({table})")]


def _fetch(connection: Connection[Any], file: sqlite3.Connection, table: str) -> None:
    names = columns(file, table)
    put = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
    file.execute(f"DELETE FROM {table}")
    with connection.cursor() as cursor:
        file.executemany(put, rows(cursor, select(table, names)))
        if is_counted(file, table):
            row = cursor.execute(
                sql.SQL("SELECT last_value FROM {}").format(sql.Identifier(f"{table}_id_seq"))
            ).fetchone()
            file.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            file.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, int(row[0]) if row else 0))


def select(table: str, names: list[str]) -> sql.Composed:
    """All rows of a table, their columns in this order."""
    return sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(map(sql.Identifier, names)), sql.Identifier(table))


def rows(cursor: "psycopg.Cursor[Any]", which: sql.Composed) -> Iterator[tuple[Any, ...]]:
    """What a statement selects, a row at a time."""
    kinds = types(cursor, which)
    with cursor.copy(sql.SQL("COPY ({}) TO STDOUT (FORMAT BINARY)").format(which)) as copy:
        copy.set_types(kinds)
        yield from copy.rows()


def types(cursor: "psycopg.Cursor[Any]", which: sql.Composed) -> list[int]:
    """The types of what a statement selects."""
    cursor.execute(sql.SQL("{} LIMIT 0").format(which))
    return [column.type_code for column in cursor.description or ()]


def is_counted(file: sqlite3.Connection, table: str) -> bool:
    """Whether the table gives out ids that never come back."""
    row = file.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    return "AUTOINCREMENT" in row[0]


def damage(connection: Connection[Any], *, deep: bool) -> list[str]:
    """What amcheck finds in the indexes of the schema (``deep``: and in their tables); a line each, at most 100."""
    has = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'amcheck'").fetchone()
    return list(_checked(connection, deep=deep)) if has else []


def _checked(connection: Connection[Any], *, deep: bool) -> Iterator[str]:
    indexes = connection.execute(
        "SELECT c.oid, c.relname FROM pg_class c JOIN pg_am a ON a.oid = c.relam"
        " JOIN pg_index i ON i.indexrelid = c.oid"
        " WHERE a.amname = 'btree' AND i.indisvalid AND c.relnamespace = current_schema()::regnamespace"
        " ORDER BY c.relname LIMIT 1000"
    ).fetchall()
    wrong = 0
    for oid, name in indexes:
        try:
            connection.execute("SELECT bt_index_check(%s::oid::regclass, %s)", (oid, deep))
        except psycopg.errors.InternalError as fault:
            wrong += 1
            yield f"index {name}: {shown(str(fault)).splitlines()[0]}"
            if wrong == 100:
                return
