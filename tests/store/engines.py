"""Both engines behind one face, so that a test of the contract is written once."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from entrepot.store.db import Database
from entrepot.store.db_postgres import PostgresDatabase
from entrepot.store.db_sqlite import SqliteDatabase, connect
from entrepot.store.migrate import migrate_sqlite
from entrepot.store.migrate_postgres import migrate_postgres
from tests.postgres import Server, shared


class Sqlite:
    """An empty place for rows in a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "hub.db"

    def migrate(self) -> None:
        migrate_sqlite(self.path)

    def open(self) -> Database:
        return SqliteDatabase(self.path)

    @contextlib.contextmanager
    def other(self) -> Iterator[sqlite3.Connection]:
        """Another program at the same rows."""
        with contextlib.closing(connect(self.path)) as connection:
            yield connection

    def version(self) -> int:
        with self.other() as other:
            return int(other.execute("PRAGMA user_version").fetchone()[0])


class Postgres:
    """An empty place for rows in a server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.database()

    def migrate(self) -> None:
        migrate_postgres(self.url)

    def open(self) -> Database:
        return PostgresDatabase(self.url)

    @contextlib.contextmanager
    def other(self) -> Iterator["psycopg.Connection[Any]"]:
        """Another program at the same rows."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            yield connection

    def version(self) -> int:
        with self.other() as other:
            row = other.execute("SELECT MAX(number) FROM schema_migration").fetchone()
            return int(row[0]) if row else 0


@contextlib.contextmanager
def empty(name: str, folder: Path) -> Iterator[Sqlite | Postgres]:
    """A place of an engine without tables."""
    if name == "sqlite":
        yield Sqlite(folder)
        return
    pytest.importorskip("psycopg")
    place = Postgres(shared())
    yield place
    place.server.drop(place.url)
