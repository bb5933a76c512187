"""Every row of a file of SQLite's format into a schema of PostgreSQL that holds no hub: all of them or none.

The way back is ``postgres_copy``. Both places are compared before the commit, row by row, whatever their order.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from psycopg import Connection, sql

from entrepot.errors import HubError, Kind
from entrepot.store import postgres_copy, sqlite_faults
from entrepot.store.migrate_postgres import migrate_postgres
from entrepot.store.postgres_faults import plain_faults
from entrepot.store.postgres_link import connect, conninfo, lock_key

Sum = tuple[int, int]
"""How many rows, and the sum of their digests."""


class PostgresPlace:
    """The RowsPlace port over the schema of a URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    def check_empty(self) -> None:
        """Ask for accounts; bring the schema to the newest version first."""
        migrate_postgres(self._url)
        with plain_faults(), contextlib.closing(connect(conninfo(self._url))) as connection:
            if _is_hub(connection):
                raise _occupied()

    def check_fit(self, file: Path) -> None:
        """Look for texts that PostgreSQL has none of."""
        with sqlite_faults.plain_faults(), contextlib.closing(sqlite3.connect(file)) as source:
            for table in postgres_copy.tables(source):
                names = postgres_copy.columns(source, table)
                for row in _rows_here(source, table):
                    _check(table, names, row)

    def put(self, file: Path) -> None:
        """One transaction, in which no other node writes."""
        self._put(file)
        file.unlink()

    def _put(self, file: Path) -> None:
        migrate_postgres(self._url)
        with (
            plain_faults(),
            sqlite_faults.plain_faults(),
            contextlib.closing(sqlite3.connect(file)) as source,
            contextlib.closing(connect(conninfo(self._url))) as connection,
        ):
            # Summing up a large table takes longer between two statements than a node may be silent.
            connection.execute("SET idle_in_transaction_session_timeout = 0")
            connection.execute("BEGIN")
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(connection, "write"),))
            if _is_hub(connection):  # a run that was killed after its commit, or another hub
                if _differing(source, connection):
                    raise _occupied()
                return
            _fill(source, connection)
            wrong = _differing(source, connection)
            if wrong:
                raise HubError(Kind.UNAVAILABLE, f"rows came out other than they went in: {', '.join(wrong)}")
            connection.execute("COMMIT")


def _is_hub(connection: Connection[Any]) -> bool:
    return connection.execute("SELECT 1 FROM account WHERE id > 0 LIMIT 1").fetchone() is not None


def _occupied() -> HubError:
    return HubError(Kind.EXISTS, "the database holds a hub with other rows; give database_url of an empty database")


def _fill(source: sqlite3.Connection, connection: Connection[Any]) -> None:
    tables = postgres_copy.tables(source)
    connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(map(sql.Identifier, tables))))
    for table in tables:
        names = postgres_copy.columns(source, table)
        into = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        with connection.cursor() as cursor:
            types = postgres_copy.types(cursor, postgres_copy.select(table, names))
            with cursor.copy(into) as copy:
                copy.set_types(types)
                for row in _rows_here(source, table):
                    _check(table, names, row)
                    copy.write_row(row)
        if postgres_copy.is_counted(source, table):
            _set_counter(source, connection, table)


def _check(table: str, names: list[str], row: tuple[Any, ...]) -> None:
    for name, value in zip(names, row, strict=True):
        if isinstance(value, str) and "\0" in value:
            raise HubError(
                Kind.UNSUPPORTED, f"{table}.{name} holds a text with a NUL in it ({value[:80]!r}); PostgreSQL has none"
            )


def _set_counter(source: sqlite3.Connection, connection: Connection[Any], table: str) -> None:
    found = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    last = found[0] if found else 0
    connection.execute(
        "SELECT setval(%(name)s::regclass, GREATEST(%(last)s, 1), %(last)s > 0)",
        {"name": f"{table}_id_seq", "last": last},
    )


def _differing(source: sqlite3.Connection, connection: Connection[Any]) -> list[str]:
    """The tables that do not hold the same rows in both places."""
    return [
        table
        for table in postgres_copy.tables(source)
        if _sum(_rows_here(source, table)) != _sum(_rows_there(source, connection, table))
    ]


def _rows_here(source: sqlite3.Connection, table: str) -> Iterator[tuple[Any, ...]]:
    yield from source.execute(f"SELECT {', '.join(postgres_copy.columns(source, table))} FROM {table}")


def _rows_there(source: sqlite3.Connection, connection: Connection[Any], table: str) -> Iterator[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        yield from postgres_copy.rows(cursor, postgres_copy.select(table, postgres_copy.columns(source, table)))


def _sum(rows: Iterable[tuple[Any, ...]]) -> Sum:
    count = total = 0
    for row in rows:
        digest = hashlib.blake2b(msgspec.msgpack.encode(row), digest_size=16).digest()
        count, total = count + 1, (total + int.from_bytes(digest, "big")) % 2**128
    return count, total
