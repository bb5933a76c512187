"""The numbered SQL files on PostgreSQL (``migrate``), while other nodes serve."""

import contextlib
import time
from typing import Any

import psycopg
from psycopg import Connection

from entrepot.store import postgres_moved
from entrepot.store.migrate import migrations, postgres_migrations
from entrepot.store.postgres_copy import version
from entrepot.store.postgres_faults import is_again, plain_faults
from entrepot.store.postgres_link import connect, conninfo, lock_key

TRIES = 10
_OWN = (
    "CREATE TABLE IF NOT EXISTS schema_migration (number BIGINT PRIMARY KEY)",
    # What a writer committed last: postgres_writer.
    "CREATE TABLE IF NOT EXISTS commit_mark (writer TEXT PRIMARY KEY, mark BIGINT NOT NULL, at BIGINT NOT NULL)",
)
MARK_SECONDS = 30 * 86_400


def migrate_postgres(url: str) -> None:
    """Bring a schema to the newest version; safe to race from several nodes, of which others may be older.

    Raises UNAVAILABLE.
    """
    with plain_faults(), contextlib.closing(connect(conninfo(url))) as connection:
        if version(connection) >= migrations()[-1][0]:
            return
        # A reader that lasts (a backup) must not make a queue behind a waiting ALTER TABLE.
        connection.execute("SET lock_timeout = '3s'")
        key = lock_key(connection, "write")
        for attempt in range(1, TRIES + 1):
            try:
                _bring(connection, key)
                return
            except psycopg.Error as fault:
                connection.execute("ROLLBACK")
                if attempt == TRIES or not (is_again(fault) or isinstance(fault, psycopg.errors.LockNotAvailable)):
                    raise
            time.sleep(0.2 * attempt)


def _bring(connection: Connection[Any], key: int) -> None:
    """Each migration in a transaction that no writer is in the middle of."""
    for number, statements in [(0, list(_OWN)), *postgres_migrations()]:
        connection.execute("BEGIN")
        connection.execute(f"SELECT pg_advisory_xact_lock({key:d})")
        if number == 0 or version(connection) < number:
            has_moved = postgres_moved.refuses(connection)
            if has_moved:
                postgres_moved.accept(connection)
            for statement in statements:
                connection.execute(statement, prepare=False)
            if has_moved:  # its new tables refuse, too
                postgres_moved.refuse(connection)
            if number:
                connection.execute("INSERT INTO schema_migration (number) VALUES (%s)", (number,))
            else:
                connection.execute("DELETE FROM commit_mark WHERE at < %s", (int(time.time()) - MARK_SECONDS,))
        connection.execute("COMMIT")
