"""One transaction on a PostgreSQL connection: the shared dialect's words and values in PostgreSQL's.

Statements keep their text; ``:name`` becomes ``$1`` once per text. Values arrive as SQLite would give them: sums and
truths are integers, bytes are bytes. Nothing here opens, begins or commits.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from psycopg import Connection, RawCursor
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, Loader
from psycopg.pq import Format
from psycopg.types.numeric import Int8BinaryDumper, NumericBinaryLoader, NumericLoader

_LEFT_OUT = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|--[^\n]*|::|:([a-zA-Z_][a-zA-Z0-9_]*)")
MOST_TEXTS = 4096
"""Texts that are remembered: lists of parameters make many of one."""
_known: dict[str, tuple[str, tuple[str, ...]]] = {}


def dollars(text: str) -> tuple[str, tuple[str, ...]]:
    """A statement with ``$n`` in place of ``:name``, and the names by number; literals and casts stay as they are."""
    known = _known.get(text)
    if known is None:
        names: list[str] = []

        def number(found: re.Match[str]) -> str:
            name = found[1]
            if name is None:
                return found[0]
            if name not in names:
                names.append(name)
            return f"${names.index(name) + 1}"

        known = _LEFT_OUT.sub(number, text), tuple(names)
        if len(_known) >= MOST_TEXTS:
            _known.clear()
        _known[text] = known
    return known


class _TruthDumper(Dumper):
    """0 and 1, as columns of truths are integers."""

    oid = 20

    def dump(self, obj: bool) -> bytes:
        return b"1" if obj else b"0"


class _TruthLoader(Loader):
    format = Format.BINARY

    def load(self, data: Buffer) -> int:
        return bytes(data)[0]


class _TextTruthLoader(Loader):
    def load(self, data: Buffer) -> int:
        return int(bytes(data) == b"t")


def _plain_number(number: Decimal) -> int | float:
    return int(number) if number == number.to_integral_value() else float(number)


class _SumLoader(NumericBinaryLoader):
    """SUM of BIGINT is NUMERIC here."""

    def load(self, data: Buffer) -> Any:
        return _plain_number(super().load(data))


class _TextSumLoader(NumericLoader):
    def load(self, data: Buffer) -> Any:
        return _plain_number(super().load(data))


def adapt(adapters: AdaptersMap) -> None:
    """Teach a connection the hub's values."""
    adapters.register_dumper(int, Int8BinaryDumper)
    adapters.register_dumper(bool, _TruthDumper)
    adapters.register_loader("bool", _TruthLoader)
    adapters.register_loader("bool", _TextTruthLoader)
    adapters.register_loader("numeric", _SumLoader)
    adapters.register_loader("numeric", _TextSumLoader)


class PostgresRows:
    """One open transaction on a connection; ``count`` is how many statements were run, for query budgets."""

    __slots__ = ("_cursor", "count")

    def __init__(self, connection: Connection[Any]) -> None:
        self._cursor = RawCursor(connection)
        self._cursor.format = Format.BINARY
        self.count = 0

    def _execute(self, sql: str, params: dict[str, Any]) -> "RawCursor[Any]":
        self.count += 1
        text, names = dollars(sql)
        return self._cursor.execute(text, [params[name] for name in names], prepare=True)

    def one(self, sql: str, **params: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        row: tuple[Any, ...] | None = self._execute(sql, params).fetchone()
        return row

    def all(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """Every row."""
        return self._execute(sql, params).fetchall()

    def run(self, sql: str, **params: Any) -> int:
        """Execute; the number of rows changed."""
        return self._execute(sql, params).rowcount

    def run_many(self, sql: str, params: list[dict[str, Any]]) -> None:
        """Execute once per parameter set, without waiting between."""
        self.count += 1
        text, names = dollars(sql)
        sets: Sequence[Sequence[Any]] = [[one[name] for name in names] for one in params]
        if sets:
            self._cursor.executemany(text, sets)
