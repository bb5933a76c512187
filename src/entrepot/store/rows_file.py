"""Rows of one moment in a file of their own, as ``Database.snapshot`` writes it: in SQLite's format."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar
from urllib.parse import quote

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.store.db import Rows
from entrepot.store.db_sqlite import FILE, SqliteRows
from entrepot.store.disk import sync_folder
from entrepot.store.migrate import migrations

P = ParamSpec("P")
T = TypeVar("T")
HUB = FILE
"""Where a hub has its rows, in its data folder."""
SKIPPED = 1_000_000
"""How many row ids are left out after a restore."""


@contextlib.contextmanager
def reading(path: Path) -> Iterator[Rows]:
    """The rows, from a file that never changes (it may be on a medium that cannot be written).

    Raises UNAVAILABLE for what is no such file.
    """
    with _faults(path), contextlib.closing(_connect(path, "mode=ro&immutable=1")) as connection:
        yield SqliteRows(connection)


def change(path: Path, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run ``fn`` on the rows in one transaction, durable when this returns."""
    with _faults(path), contextlib.closing(_connect(path, "mode=rw")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN IMMEDIATE")
        result = fn(SqliteRows(connection), *args, **kwargs)
        connection.execute("COMMIT")
        return result


def schema(path: Path) -> int:
    """The number of the newest migration in it."""
    with reading(path) as rows:
        found = rows.one("PRAGMA user_version")
    return int(found[0]) if found else 0


def newest() -> int:
    """The number of the newest migration that this version knows."""
    return migrations()[-1][0]


def skip_ids(rows: Rows) -> None:
    """Leave out the ids that the hub may have given out after this moment: tokens from then name buckets by id."""
    rows.run("UPDATE sqlite_sequence SET seq = seq + :skipped", skipped=SKIPPED)


class FilePlace:
    """The RowsPlace port over a hub's own file."""

    def __init__(self, data: Path) -> None:
        self._path = data / HUB

    def check_empty(self) -> None:
        """Nothing to ask: the folder is new."""

    def check_fit(self, file: Path) -> None:
        """A file takes what a file holds."""

    def put(self, file: Path) -> None:
        """Give the file its name, after whatever a killed run left there.

        A log or a journal that it left would be read into the new file: those go first.
        """
        for name in (f"{HUB}-wal", f"{HUB}-shm", HUB):
            self._path.with_name(name).unlink(missing_ok=True)
            failpoint.at("restore.rows-cleared")
        sync_folder(self._path.parent)
        failpoint.at("restore.clear-synced")
        file.rename(self._path)
        failpoint.at("restore.rows-named")
        sync_folder(self._path.parent)
        failpoint.at("restore.rows-durable")


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True, isolation_level=None)


@contextlib.contextmanager
def _faults(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as fault:
        raise HubError(Kind.UNAVAILABLE, f"{path}: {fault}") from fault
