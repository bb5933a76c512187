"""Reads of one statement, many at a time over one connection, on the event loop: one round trip each, no thread.

The function is run to see what it asks for; the statement goes out in libpq's pipeline mode; with the answer the
function is run again. One that asks for more than one statement is for a transaction of its own (``db_postgres``).
"""

import asyncio
import struct
import time
from collections import deque
from typing import Any, NamedTuple

import psycopg
from psycopg import Connection
from psycopg.adapt import Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from entrepot.store.postgres_link import connect
from entrepot.store.postgres_rows import dollars

MOST_PREPARED = 500
STALE_SECONDS = 30.0
"""A statement that is not answered for so long ends the connection."""
RETRY_SECONDS = 1.0
_INT8, _BYTEA = 20, 17
_Row = tuple[Any, ...]


class Asked(BaseException):
    """What a function wants to know first."""

    def __init__(self, sql: str, params: dict[str, Any]) -> None:
        self.sql = sql
        self.params = params


class More(BaseException):
    """A function wants more than one statement, or no read."""


class OneRows:
    """Rows as a function sees them that may ask once."""

    __slots__ = ("_answer", "count")

    def __init__(self, answer: list[_Row] | None = None) -> None:
        self._answer = answer
        self.count = 0

    def _take(self, sql: str, params: dict[str, Any]) -> list[_Row]:
        if self._answer is None:
            raise Asked(sql, params)
        self.count += 1
        if self.count > 1:
            raise More
        return self._answer

    def one(self, sql: str, **params: Any) -> _Row | None:
        """The first row, or None."""
        found = self._take(sql, params)
        return found[0] if found else None

    def all(self, sql: str, **params: Any) -> list[_Row]:
        """Every row."""
        return self._take(sql, params)

    def run(self, sql: str, **params: Any) -> int:
        """Never here."""
        del sql, params
        raise More

    def run_many(self, sql: str, params: list[dict[str, Any]]) -> None:
        """Never here."""
        del sql, params
        raise More


class Answered(NamedTuple):
    """Rows, and the seconds that the server had for them alone: waiting for those before is not in it."""

    rows: list[_Row]
    took: float


class _Waiting(NamedTuple):
    future: "asyncio.Future[Answered]"
    sent_at: float
    prepares: str | None


class Reader:
    """A pipelined connection that belongs to one event loop. ``is_up`` says whether it can be asked now."""

    def __init__(self, info: str, loop: asyncio.AbstractEventLoop) -> None:
        self._info = info
        self.loop = loop
        self.is_up = False
        self._link: Connection[Any] | None = None
        self._pgconn: PGconn
        self._transformer: Any
        self._socket = -1
        self._waiting: deque[_Waiting] = deque()
        self._prepared: dict[tuple[str, tuple[int, ...]], bytes] = {}
        self._names = 0
        self._result: PGresult | None = None
        self._fault: Exception | None = None
        self._next_try = 0.0
        self._connecting: asyncio.Task[None] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._answered_at = 0.0
        self._is_closed = False

    def wake(self) -> None:
        """Connect in the background where there is no connection, at most once a second."""
        if self.is_up or self._connecting is not None or self._is_closed:
            return
        if time.monotonic() >= self._next_try:
            self._next_try = time.monotonic() + RETRY_SECONDS
            self._connecting = self.loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            link = await asyncio.to_thread(connect, self._info)
        except Exception:  # whoever reads meanwhile hears why, from a connection of a thread
            return
        finally:
            self._connecting = None
        if self._is_closed:
            link.close()
            return
        self._link, self._pgconn = link, link.pgconn
        self._transformer = Transformer.from_context(link)
        self._prepared.clear()
        self._waiting.clear()
        self._result = self._fault = None
        self._pgconn.nonblocking = 1
        self._pgconn.enter_pipeline_mode()
        self._socket = self._pgconn.socket
        self.loop.add_reader(self._socket, self._readable)
        self.is_up = True

    def ask(self, sql: str, params: dict[str, Any]) -> "asyncio.Future[Answered]":
        """The rows of one statement. Raises what psycopg does; OperationalError when the connection is lost."""
        text, names = dollars(sql)
        values: list[bytes | None] = []
        types: list[int] = []
        formats: list[int] = []
        for name in names:
            value, oid, form = _dumped(params[name])
            values.append(value)
            types.append(oid)
            formats.append(form)
        future: asyncio.Future[Answered] = self.loop.create_future()
        key = (text, tuple(types))
        prepares = None
        try:
            name_ = self._prepared.get(key)
            if name_ is None:
                if len(self._prepared) >= MOST_PREPARED:
                    raise psycopg.OperationalError("a new connection is due")
                self._names += 1
                name_ = self._prepared[key] = b"r%d" % self._names
                self._pgconn.send_prepare(name_, text.encode(), types)
                prepares = text
            self._pgconn.send_query_prepared(name_, values, formats, result_format=Format.BINARY)
            self._pgconn.pipeline_sync()
            if self._pgconn.flush():
                self.loop.add_writer(self._socket, self._writable)
        except psycopg.Error as fault:
            self._lose(fault)
            future.set_exception(psycopg.OperationalError(str(fault)))
            return future
        self._waiting.append(_Waiting(future, self.loop.time(), prepares))
        if self._watch is None:
            self._watch = self.loop.call_later(STALE_SECONDS, self._look_at_oldest)
        return future

    def _writable(self) -> None:
        try:
            if not self._pgconn.flush():
                self.loop.remove_writer(self._socket)
        except psycopg.Error as fault:
            self._lose(fault)

    def _readable(self) -> None:
        pgconn, waiting = self._pgconn, self._waiting
        try:
            pgconn.consume_input()
            nothing = 0
            while waiting and nothing < 2 and not pgconn.is_busy():
                result = pgconn.get_result()
                nothing = nothing + 1 if result is None else 0
                if result is None:
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    self._answer(waiting.popleft())
                elif result.status == ExecStatus.TUPLES_OK:
                    self._result = result
                elif result.status == ExecStatus.FATAL_ERROR:
                    self._fault = error_from_result(result, encoding="utf-8")
        except psycopg.Error as fault:
            self._lose(fault)

    def _answer(self, asked: _Waiting) -> None:
        result, fault = self._result, self._fault
        self._result = self._fault = None
        now = self.loop.time()
        took, self._answered_at = now - max(asked.sent_at, self._answered_at), now
        if fault is not None and asked.prepares is not None:
            self._prepared = {key: name for key, name in self._prepared.items() if key[0] != asked.prepares}
        if asked.future.done():
            return
        if fault is not None:
            asked.future.set_exception(fault)
        elif result is None:
            asked.future.set_result(Answered([], took))
        else:
            self._transformer.set_pgresult(result, set_loaders=True, format=Format.BINARY)
            asked.future.set_result(Answered(self._transformer.load_rows(0, result.ntuples, tuple), took))

    def _look_at_oldest(self) -> None:
        self._watch = None
        if not self._waiting:
            return
        left = self._waiting[0].sent_at + STALE_SECONDS - self.loop.time()
        if left <= 0:
            self._lose(psycopg.OperationalError("the database server does not answer"))
        else:
            self._watch = self.loop.call_later(left, self._look_at_oldest)

    def _lose(self, fault: Exception) -> None:
        if not self.is_up:
            return
        self.is_up = False
        self.loop.remove_reader(self._socket)
        self.loop.remove_writer(self._socket)
        assert self._link is not None
        self._link.close()
        self._link = None
        while self._waiting:
            future = self._waiting.popleft().future
            if not future.done():
                future.set_exception(psycopg.OperationalError(str(fault)))

    async def close(self) -> None:
        """End the connection; on its loop."""
        self._is_closed = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._connecting is not None:
            await asyncio.gather(self._connecting, return_exceptions=True)
        self._lose(psycopg.OperationalError("the hub is stopping"))


_PACK = struct.Struct(">q").pack


def _dumped(value: Any) -> tuple[bytes | None, int, int]:
    """(bytes, type, format) as they are sent; a text has no type, so that it takes the one of its place."""
    if isinstance(value, str):
        data = value.encode()
        if b"\0" in data:
            raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
        return data, 0, Format.TEXT
    if isinstance(value, int):
        return _PACK(value), _INT8, Format.BINARY
    if value is None:
        return None, 0, Format.TEXT
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value), _BYTEA, Format.BINARY
    if isinstance(value, float):
        return str(value).encode(), 701, Format.TEXT
    raise psycopg.ProgrammingError(f"no SQL type for {type(value).__name__}")
