"""Rows in one SQLite file: reads inline on a thread's own connection, writes through one thread in groups.

A point read costs about ten microseconds inline and ten times that through a thread hop, so reads stay on the
event loop. Writers that wait at the same time share one transaction and one fsync (group commit); each function
runs in a savepoint of its own, so one refusal does not undo its neighbours.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.store import sqlite_moved
from entrepot.store.db import SINGLE, Rows
from entrepot.store.sqlite_faults import plain, plain_faults, shakes_trust

P = ParamSpec("P")
T = TypeVar("T")

FILE = "hub.db"
GROUP = 64
"""Most functions that share one transaction."""
BUSY_SECONDS = 30


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the hub's settings: WAL, every commit fsynced, foreign keys held."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    _make_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA cache_size = -16000")
    return connection


def _make_wal(connection: sqlite3.Connection) -> None:
    """Of several that open a new file at once, SQLite refuses all but one at once, whatever the time-out: ask again."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as fault:
            if fault.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)


class SqliteRows:
    """One open transaction on a connection; ``count`` is how many statements were run, for query budgets."""

    __slots__ = ("_connection", "count")

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.count = 0

    def one(self, sql: str, **params: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        self.count += 1
        row: tuple[Any, ...] | None = self._connection.execute(sql, params).fetchone()
        return row

    def all(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        self.count += 1
        return self._connection.execute(sql, params).fetchall()

    def run(self, sql: str, **params: Any) -> int:
        """Execute; the number of rows changed."""
        self.count += 1
        return self._connection.execute(sql, params).rowcount

    def run_many(self, sql: str, params: list[dict[str, Any]]) -> None:
        """Execute once per parameter set."""
        self.count += 1
        self._connection.executemany(sql, params)


class Job(NamedTuple):
    """A function that waits for the writer, who waits for it where, and whether its commit must be on disk."""

    fn: Callable[[Rows], Any]
    future: "asyncio.Future[Any]"
    loop: asyncio.AbstractEventLoop
    durable: bool


Done = tuple[Job, Any, BaseException | None]


class SqliteDatabase:
    """The Database port over one file. Safe to open from several processes at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._readers: list[sqlite3.Connection] = []
        self._writer = connect(path)
        self._thread = threading.Thread(target=self._work, name="sqlite-writer", daemon=True)
        self._closed = False
        self._is_doubtful = False
        self._is_durable: bool | None = None
        self.statements = self.commits = self.writes = 0
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Writes in the queue; those of the group that is being committed are not."""
        return self._jobs.qsize()

    async def read(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` on one snapshot, inline. One that is ``single`` costs a third: no BEGIN, no ROLLBACK, which
        both give the interpreter lock away.
        """
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with plain_faults():
                connection = self._local.connection = connect(self._path)
            self._readers.append(connection)
        rows = SqliteRows(connection)
        if fn in SINGLE:
            try:
                found = fn(rows, *args, **kwargs)
            except sqlite3.Error as fault:
                raise plain(fault) from fault
            finally:
                self.statements += rows.count
            if rows.count > 1:
                raise RuntimeError(f"{fn} is marked as one statement and asked {rows.count}")
            return found
        with plain_faults():
            connection.execute("BEGIN")
            try:
                return fn(rows, *args, **kwargs)
            finally:
                if connection.in_transaction:  # some faults end it by themselves
                    connection.execute("ROLLBACK")
                self.statements += rows.count

    async def write(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction; returns after its commit is on disk."""
        return await self._submit(lambda rows: fn(rows, *args, **kwargs), durable=True)

    async def note(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction; returns without waiting for the disk."""
        return await self._submit(lambda rows: fn(rows, *args, **kwargs), durable=False)

    @contextlib.asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator[bool]:
        """Always: the processes of one node share the work through rows."""
        del name
        yield True

    async def still_alone(self, name: str) -> bool:
        """Always."""
        del name
        return True

    async def damage(self, *, deep: bool) -> list[str]:
        """SQLite's own check, on its own connection in a thread; ``deep`` holds the indexes against their tables."""

        def look() -> list[str]:
            try:
                connection = connect(self._path)
                try:
                    rows = connection.execute(f"PRAGMA {'integrity_check' if deep else 'quick_check'}(100)").fetchall()
                finally:
                    connection.close()
            except sqlite3.DatabaseError as fault:
                return [str(plain(fault))]
            return [line for (text,) in rows for line in str(text).splitlines() if line != "ok"]

        return await asyncio.to_thread(look)

    async def snapshot(self, target: Path) -> None:
        """Copy in one read transaction: the backup API would begin anew whenever another process writes."""

        def copy() -> None:
            with plain_faults():
                with contextlib.closing(connect(self._path)) as connection:
                    connection.execute("VACUUM INTO :target", {"target": str(target)})
                # The copy of a place that the hub has left is no such place.
                with contextlib.closing(sqlite3.connect(target)) as copied, copied:
                    sqlite_moved.accept(copied)

        await asyncio.to_thread(copy)

    async def is_read_only(self) -> bool:
        """Whether there are triggers that refuse."""
        return await self.read(sqlite_moved.is_there)

    async def set_read_only(self, wanted: bool) -> None:
        """Make or drop the triggers, in one transaction behind those of all writers."""

        def change() -> None:
            with plain_faults(), contextlib.closing(connect(self._path)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                (sqlite_moved.refuse if wanted else sqlite_moved.accept)(connection)
                connection.execute("COMMIT")

        await asyncio.to_thread(change)

    async def close(self) -> None:
        """Finish what was accepted, then close every connection."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        for connection in [*self._readers, self._writer]:
            connection.close()

    async def _submit(self, job: Callable[[Rows], T], *, durable: bool) -> T:
        if self._closed:
            raise HubError(Kind.UNAVAILABLE, "the hub is stopping")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(Job(job, future, loop, durable))
        return await future

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            group: list[Job] = []
            while job is not None:
                group.append(job)
                if len(group) == GROUP or self._jobs.empty():
                    break
                job = self._jobs.get()
            if group:
                _tell(self._commit(group))
            if job is None:
                return

    def _commit(self, group: list[Job]) -> list[Done]:
        done: list[Done] = []
        try:
            with plain_faults(), self._watched():
                self._regain_trust()
                # In WAL mode NORMAL skips only the fsync of the commit; the next FULL commit brings it.
                self._wait_for_disk(any(job.durable for job in group))
                self._writer.execute("BEGIN IMMEDIATE")
                for job in group:
                    self._run_one(job, done)
                failpoint.at("db.ready")
                self._writer.execute("COMMIT")
                failpoint.at("db.committed")
        except BaseException as fault:
            with contextlib.suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")
            refused = {id(job): refusal for job, _, refusal in done if refusal is not None}
            return [(job, None, refused.get(id(job), fault)) for job in group]
        self.commits += 1
        self.writes += len(group)
        return done

    def _wait_for_disk(self, durable: bool) -> None:
        if durable != self._is_durable:
            self._is_durable = None  # whatever a failure leaves behind, the next group says it again
            self._writer.execute("PRAGMA synchronous = FULL" if durable else "PRAGMA synchronous = NORMAL")
            self._is_durable = durable

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as fault:
            self._is_doubtful |= shakes_trust(fault)
            raise

    def _regain_trust(self) -> None:
        """After the disk failed, bring the whole log into the database file before anything is promised again.

        The system forgets which pages it could not write: notes before a failed fsync may be holes in the log, and a
        commit behind a hole would be lost in a power cut though its own fsync said yes.
        """
        if not self._is_doubtful:
            return
        self._wait_for_disk(True)
        if self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            raise HubError(Kind.UNAVAILABLE, "the disk failed a moment ago, and a reader holds up making sure of it")
        self._is_doubtful = False

    def _run_one(self, job: Job, done: list[Done]) -> None:
        if job.future.cancelled():
            return
        rows = SqliteRows(self._writer)
        self._writer.execute("SAVEPOINT one")
        try:
            result = job.fn(rows)
        except Exception as fault:
            # A full disk or a broken page has ended the whole transaction already: let the group hear of it.
            if not self._writer.in_transaction:
                raise
            self._writer.execute("ROLLBACK TO one")
            self._writer.execute("RELEASE one")
            self._is_doubtful |= shakes_trust(fault)
            done.append((job, None, plain(fault)))
            return
        finally:
            self.statements += rows.count
        self._writer.execute("RELEASE one")
        done.append((job, result, None))


def _tell(done: list[Done]) -> None:
    """Wake who waits: each loop once for all of a group, because each wake-up costs both threads a switch."""
    for loop in {one.loop for one, _, _ in done}:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits there any more
            loop.call_soon_threadsafe(_settle, [one for one in done if one[0].loop is loop])


def _settle(done: list[Done]) -> None:
    for job, result, fault in done:
        if job.future.done():  # cancelled meanwhile
            continue
        if fault is not None:
            job.future.set_exception(fault)
        else:
            job.future.set_result(result)
