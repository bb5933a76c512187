"""The triggers of ``moved`` in a SQLite file: three for each table."""

import sqlite3

from entrepot.store.db import Rows, single
from entrepot.store.moved import OPEN

_PREFIX = "moved_"
_LOOK = f"SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name GLOB '{_PREFIX}*' LIMIT 1"
_CHANGES = ("insert", "update", "delete")


@single
def is_there(rows: Rows) -> bool:
    """Whether changes are refused."""
    return rows.one(_LOOK) is not None


def refuses(connection: sqlite3.Connection) -> bool:
    """The same, asked in an open transaction."""
    return connection.execute(_LOOK).fetchone() is not None


def refuse(connection: sqlite3.Connection) -> None:
    """Refuse changes from the commit of the open transaction on; a second time it changes nothing."""
    there = set(_triggers(connection))
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
    for table in {name for (name,) in tables} - OPEN:
        for change in _CHANGES:
            if f"{_PREFIX}{table}_{change}" not in there:
                connection.execute(
                    f"CREATE TRIGGER {_PREFIX}{table}_{change} BEFORE {change} ON {table}"
                    " BEGIN SELECT RAISE(ABORT, 'this hub has moved'); END"
                )


def accept(connection: sqlite3.Connection) -> None:
    """Take changes again from the commit of the open transaction on."""
    for name in _triggers(connection):
        connection.execute(f"DROP TRIGGER {name}")


def _triggers(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(f"SELECT name FROM sqlite_master WHERE type = 'trigger' AND name GLOB '{_PREFIX}*'")
    return [name for (name,) in found]
