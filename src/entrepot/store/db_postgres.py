"""Rows in PostgreSQL: the same functions and statements as on SQLite.

A read of one statement goes over a pipelined connection on the event loop (``postgres_reader``), any other read
through a thread in one REPEATABLE READ transaction; writes through one thread in groups (``postgres_writer``). The
server may go away and come back at any time: meanwhile everything answers UNAVAILABLE.
"""

import asyncio
import contextlib
import math
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
from psycopg import Connection

from entrepot.errors import HubError, Kind
from entrepot.store import postgres_copy, postgres_moved
from entrepot.store.db import Rows
from entrepot.store.postgres_faults import is_again, is_gone, plain, plain_faults
from entrepot.store.postgres_link import connect, conninfo, lock_key
from entrepot.store.postgres_reader import Asked, More, OneRows, Reader
from entrepot.store.postgres_rows import PostgresRows
from entrepot.store.postgres_writer import Writer

P = ParamSpec("P")
T = TypeVar("T")

READERS = 4
"""Threads for reads of several statements."""
SLOW_SECONDS = 0.05
STRIKES = 3
ASIDE_SECONDS = 60.0
"""After so many slow reads in a row a function does not hold up the others on the pipelined connection, for so long."""


class PostgresDatabase:
    """The Database port over the server of a URL. Any number of processes and nodes may have it open."""

    def __init__(self, url: str) -> None:
        self._info = conninfo(url)
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(READERS, "postgres-reader")
        self._links: list[Connection[Any]] = []
        self._reader: Reader | None = None
        self._aside: dict[Any, float] = {}
        """Functions that read in a thread, and until when: those of several statements for good."""
        self._slow: dict[Any, int] = {}
        self._writer = Writer(self._info, uuid.uuid4().hex)
        self._claims: Connection[Any] | None = None
        self._claimed: set[str] = set()
        self._claiming = threading.Lock()
        self._closed = False
        self._read = 0

    @property
    def statements(self) -> int:
        """Statements that were run so far, for query budgets."""
        return self._read + self._writer.statements

    @property
    def waiting(self) -> int:
        """Writes that wait for their turn."""
        return self._writer.waiting

    @property
    def commits(self) -> int:
        """How many groups of writes were committed."""
        return self._writer.commits

    @property
    def writes(self) -> int:
        """How many writes there were in those."""
        return self._writer.writes

    async def read(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` on one snapshot."""
        key = getattr(fn, "__code__", fn)
        reader = self._reader
        if reader is None and not self._closed:
            reader = self._reader = Reader(self._info, asyncio.get_running_loop())
        if reader is not None and not self._is_aside(key) and reader.loop is asyncio.get_running_loop():
            if reader.is_up:
                try:
                    return await self._read_one(reader, key, lambda rows: fn(rows, *args, **kwargs))
                except More:
                    self._aside[key] = math.inf
                except psycopg.errors.InvalidSqlStatementName:
                    pass  # whoever sent it first was refused; a thread hears why
                except psycopg.Error as fault:
                    if not is_gone(fault):
                        raise plain(fault) from None
            reader.wake()
        return await self._read_elsewhere(lambda rows: fn(rows, *args, **kwargs))

    async def _read_one(self, reader: Reader, key: Any, fn: Callable[[Rows], T]) -> T:
        try:
            return fn(OneRows())
        except Asked as asked:
            sql, params = asked.sql, asked.params
        answered = await reader.ask(sql, params)
        if answered.took > SLOW_SECONDS:
            strikes = self._slow[key] = self._slow.get(key, 0) + 1
            if strikes >= STRIKES:
                del self._slow[key]
                self._aside[key] = time.monotonic() + ASIDE_SECONDS
        elif self._slow:
            self._slow.pop(key, None)
        result = fn(OneRows(answered.rows))
        self._read += 1
        return result

    def _is_aside(self, key: Any) -> bool:
        until = self._aside.get(key)
        return until is not None and time.monotonic() < until

    async def _read_elsewhere(self, fn: Callable[[Rows], T]) -> T:
        if self._closed:
            raise HubError(Kind.UNAVAILABLE, "the hub is stopping")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read_here, fn)

    def _read_here(self, fn: Callable[[Rows], T]) -> T:
        """In a thread of the pool, on its own connection; a lost one is replaced once."""
        with plain_faults():
            for last in (False, False, True):
                fresh = getattr(self._local, "connection", None) is None
                try:
                    return self._in_transaction(self._link(), fn)
                except psycopg.Error as fault:
                    if is_gone(fault):
                        self._unlink()
                        if fresh:
                            raise
                    elif not is_again(fault):
                        raise
                    if last:
                        raise
        raise AssertionError

    def _in_transaction(self, connection: Connection[Any], fn: Callable[[Rows], T]) -> T:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = PostgresRows(connection)
        try:
            result = fn(rows)
        except BaseException:
            try:
                connection.execute("ROLLBACK")
            except psycopg.Error:
                self._unlink()
            raise
        connection.execute("COMMIT")
        self._read += rows.count
        return result

    def _link(self) -> Connection[Any]:
        connection: Connection[Any] | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._info)
            self._links.append(connection)
        return connection

    def _unlink(self) -> None:
        connection: Connection[Any] | None = getattr(self._local, "connection", None)
        self._local.connection = None
        if connection is not None:
            connection.close()
            with contextlib.suppress(ValueError):
                self._links.remove(connection)

    async def write(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction; returns after its commit is on disk."""
        return await self._submit(lambda rows: fn(rows, *args, **kwargs), durable=True)

    async def note(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction; returns without waiting for the disk."""
        return await self._submit(lambda rows: fn(rows, *args, **kwargs), durable=False)

    async def _submit(self, fn: Callable[[Rows], T], *, durable: bool) -> T:
        if self._closed:
            raise HubError(Kind.UNAVAILABLE, "the hub is stopping")
        return await asyncio.wrap_future(self._writer.submit(fn, durable=durable))

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """Whether this process holds a chore now: a session lock, which ends with the session."""
        claiming = asyncio.ensure_future(asyncio.to_thread(self._claim, name))
        try:
            is_mine = await asyncio.shield(claiming)
        except asyncio.CancelledError:  # the thread goes on; nobody else must wait for what it gets
            with contextlib.suppress(HubError):
                if await claiming:
                    await asyncio.to_thread(self._let_go, name)
            raise
        try:
            yield is_mine
        finally:
            if is_mine:
                await asyncio.shield(asyncio.to_thread(self._let_go, name))

    async def still_alone(self, name: str) -> bool:
        """Ask the session that holds the lock."""
        return await asyncio.to_thread(self._is_held, name)

    def _is_held(self, name: str) -> bool:
        with self._claiming:
            try:
                if self._claims is not None:
                    self._claims.execute("SELECT 1")
            except psycopg.Error:
                self._end_claims()
            return name in self._claimed

    def _claim(self, name: str) -> bool:
        with self._claiming, plain_faults():
            if name in self._claimed:
                return False
            try:
                is_mine = self._try_lock(name)
            except psycopg.OperationalError:
                self._end_claims()
                is_mine = self._try_lock(name)
            if is_mine:
                self._claimed.add(name)
            return is_mine

    def _try_lock(self, name: str) -> bool:
        if self._claims is None:
            self._claims = connect(self._info)
        key = lock_key(self._claims, f"chore {name}")
        row = self._claims.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
        return bool(row and row[0])

    def _let_go(self, name: str) -> None:
        with self._claiming:
            if self._claims is None or name not in self._claimed:
                return
            self._claimed.discard(name)
            try:
                self._claims.execute("SELECT pg_advisory_unlock(%s)", (lock_key(self._claims, f"chore {name}"),))
            except psycopg.Error:
                self._end_claims()

    def _end_claims(self) -> None:
        """With the session all of its locks are gone; who still works is protected by what the rows say."""
        if self._claims is not None:
            self._claims.close()
        self._claims = None
        self._claimed.clear()

    async def damage(self, *, deep: bool) -> list[str]:
        """What the server's amcheck extension finds wrong in indexes; nothing where it is not installed."""
        return await asyncio.to_thread(self._look, deep)

    def _look(self, deep: bool) -> list[str]:
        try:
            with plain_faults(), contextlib.closing(connect(self._info)) as connection:
                return postgres_copy.damage(connection, deep=deep)
        except HubError as fault:
            return [fault.message]

    async def snapshot(self, target: Path) -> None:
        """Copy every row in one REPEATABLE READ transaction, a row at a time."""

        def copy() -> None:
            with plain_faults(), contextlib.closing(connect(self._info)) as connection:
                postgres_copy.snapshot(connection, target)

        await asyncio.to_thread(copy)

    async def is_read_only(self) -> bool:
        """Whether there are triggers that refuse."""
        return await self.read(postgres_moved.is_there)

    async def set_read_only(self, wanted: bool) -> None:
        """Make or drop the triggers, in one transaction that no writer is in the middle of."""

        def change() -> None:
            with plain_faults(), contextlib.closing(connect(self._info)) as connection:
                connection.execute("BEGIN")
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (lock_key(connection, "write"),))
                (postgres_moved.refuse if wanted else postgres_moved.accept)(connection)
                connection.execute("COMMIT")

        await asyncio.to_thread(change)

    async def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        if self._closed:
            return
        self._closed = True
        if self._reader is not None:
            await self._reader.close()
        await asyncio.to_thread(self._writer.close)
        await asyncio.to_thread(self._threads.shutdown)
        self._end_claims()
        for connection in self._links:
            connection.close()
