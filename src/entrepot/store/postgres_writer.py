"""The one writer of a process: functions that wait at the same time share a transaction, a savepoint each.

Across processes an advisory lock keeps SQLite's order, one writing transaction after another: the verbs were written
for it. A transaction that met another one, or whose connection was lost before COMMIT was sent, runs again. Whether a
COMMIT that nobody answered took place is read from a row that it wrote itself, under the same lock: no guess, also
after a failover to a server that never got it.
"""

import contextlib
import queue
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg import Connection

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.store.db import Rows
from entrepot.store.postgres_faults import is_again, is_gone, plain
from entrepot.store.postgres_link import connect, lock_key
from entrepot.store.postgres_rows import PostgresRows

T = TypeVar("T")
GROUP = 64
"""Most functions that share one transaction."""
TRIES = 8
PATIENCE = 5.0
"""Seconds for which work that was begun waits for a server that went away; what comes later is refused at once."""
DOUBT = 15.0
"""Seconds for which an unanswered COMMIT is asked after."""
LATE = 30.0
"""Seconds after which a function that could not begin is refused.

A balancer or a client may have asked another node by then, and gone on from there: what was asked first must not be
done last. So whoever repeats requests waits longer than this.
"""


class Job(NamedTuple):
    """A function to be run, who waits for it, and since when by the monotonic clock."""

    fn: Callable[[Rows], Any]
    future: "Future[Any]"
    durable: bool
    since: float


Outcome = tuple[Any, Exception | None]


class _Doubt(Exception):
    """COMMIT was sent, and no answer came."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__("in doubt")
        self.outcomes = outcomes


class Writer:
    """Takes jobs from any thread, does them in a thread of its own."""

    def __init__(self, info: str, name: str) -> None:
        self._info = info
        self._name = name
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._connection: Connection[Any] | None = None
        self._begin = ""
        self._mark = 0
        self._patient_until: float | None = None
        self.statements = self.commits = self.writes = 0
        self._thread = threading.Thread(target=self._work, name="postgres-writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Functions that wait for their turn."""
        return self._jobs.qsize()

    def submit(self, fn: Callable[[Rows], T], *, durable: bool) -> "Future[T]":
        """What ``fn`` returned, after its commit."""
        future: Future[T] = Future()
        self._jobs.put(Job(fn, future, durable, time.monotonic()))
        return future

    def close(self) -> None:
        """Finish what was accepted, then end the thread and its connection."""
        self._jobs.put(None)
        self._thread.join()
        self._drop()

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            group: list[Job] = []
            while job is not None:
                if job.future.set_running_or_notify_cancel():
                    group.append(job)
                if len(group) == GROUP or self._jobs.empty():
                    break
                job = self._jobs.get()
            if group:
                self._settle(group)
            if job is None:
                return

    def _settle(self, group: list[Job]) -> None:
        try:
            outcomes = self._commit(group)
        except BaseException as fault:  # nothing that one group meets ends the thread
            if not isinstance(fault, psycopg.Error):
                self._drop()  # what is open on the connection is not known
            for job in group:
                job.future.set_exception(plain(fault) if isinstance(fault, Exception) else fault)
            return
        self.commits += 1
        self.writes += len(group)
        for job, (result, failed) in zip(group, outcomes, strict=True):
            if failed is None:
                job.future.set_result(result)
            else:
                job.future.set_exception(plain(failed))

    def _commit(self, group: list[Job]) -> list[Outcome]:
        """Run and commit, again where that is harmless."""
        tries = 0
        while True:
            tries += 1
            try:
                outcomes = self._attempt(group)
            except _Doubt as doubt:
                kept = self._was_kept()
                if kept:
                    return doubt.outcomes
            except psycopg.Error as fault:
                if not self._may_go_on(fault, tries):
                    raise
            else:
                self._patient_until = None
                return outcomes

    def _may_go_on(self, fault: psycopg.Error, tries: int) -> bool:
        """After a fault: clear up, wait a little; whether to try again."""
        if is_gone(fault):
            self._drop()
            now = time.monotonic()
            if self._patient_until is None:
                self._patient_until = now + PATIENCE
            if now > self._patient_until:
                return False
            time.sleep(random.uniform(0.05, 0.2))  # noqa: S311
            return True
        if not self._rolled_back():
            self._drop()
        if not is_again(fault) or tries >= TRIES:
            return False
        time.sleep(random.uniform(0, 0.01) * 2**tries)  # noqa: S311
        return True

    def _attempt(self, group: list[Job]) -> list[Outcome]:
        connection = self._connected()
        durable = any(job.durable for job in group)
        connection.execute(self._begin.format("" if durable else "SET LOCAL synchronous_commit = off;"))
        rows = PostgresRows(connection)
        try:
            outcomes = self._run(connection, rows, group)
        except psycopg.Error:
            raise
        except BaseException:
            self._drop()
            raise
        finally:
            self.statements += rows.count
        if len(group) == 1 and outcomes[0][1] is not None:
            connection.execute("ROLLBACK")
            return outcomes
        failpoint.at("db.ready")
        self._mark += 1
        try:
            done = connection.execute(
                "INSERT INTO commit_mark (writer, mark, at)"
                f" VALUES ('{self._name}', {self._mark:d}, {int(time.time()):d})"
                " ON CONFLICT (writer) DO UPDATE SET mark = excluded.mark, at = excluded.at; COMMIT"
            )
        except psycopg.Error as fault:
            if is_gone(fault):
                self._drop()
                raise _Doubt(outcomes) from fault
            raise
        assert done is not None
        failpoint.at("db.committed")
        return outcomes

    def _run(self, connection: Connection[Any], rows: PostgresRows, group: list[Job]) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for job in group:
            if len(group) > 1:
                connection.execute("RELEASE SAVEPOINT one; SAVEPOINT one" if outcomes else "SAVEPOINT one")
            try:
                outcomes.append((_in_time(job)(rows), None))
            except Exception as fault:
                if is_again(fault) or is_gone(fault):
                    raise
                outcomes.append((None, fault))
                if len(group) > 1:
                    connection.execute("ROLLBACK TO SAVEPOINT one")
        return outcomes

    def _connected(self) -> Connection[Any]:
        if self._connection is None:
            self._connection = connection = connect(self._info)
            key = lock_key(connection, "write")
            self._begin = f"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;{{}}SELECT pg_advisory_xact_lock({key:d})"
        return self._connection

    def _was_kept(self) -> bool:
        """Whether the COMMIT that was not answered took place; raises UNAVAILABLE when nobody can be asked."""
        until = time.monotonic() + DOUBT
        while True:
            try:
                connection = self._connected()
                # The lock is held until that transaction has ended, wherever it is by now.
                connection.execute(self._begin.format(""))
                row = connection.execute(
                    "SELECT mark FROM commit_mark WHERE writer = %s", (self._name,), prepare=False
                ).fetchone()
                connection.execute("ROLLBACK")
                return row is not None and int(row[0]) == self._mark
            except psycopg.Error as fault:
                self._drop()
                if time.monotonic() > until:
                    raise HubError(
                        Kind.UNAVAILABLE,
                        "the database server went away before it said whether this was stored; send it again",
                    ) from fault
                time.sleep(0.1)

    def _rolled_back(self) -> bool:
        if self._connection is None:
            return True
        try:
            self._connection.execute("ROLLBACK")
        except psycopg.Error:
            return False
        return True

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                self._connection.close()
            self._connection = None


def _in_time(job: Job) -> Callable[[Rows], Any]:
    """The function of a job. Raises UNAVAILABLE when it is late."""
    if time.monotonic() - job.since > LATE:
        raise HubError(
            Kind.UNAVAILABLE, "the database was busy or away for too long; nothing was stored, send it again"
        )
    return job.fn
