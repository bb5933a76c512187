"""A read of one statement runs without a transaction around it; one that lies about it is found out."""

import asyncio
from pathlib import Path

import pytest

from entrepot.store.db import Rows, single
from entrepot.store.db_sqlite import SqliteDatabase


@single
def once(rows: Rows) -> int:
    row = rows.one("SELECT 1")
    assert row is not None
    return int(row[0])


@single
def twice(rows: Rows) -> int:
    return once(rows) + once(rows)


def plainly(rows: Rows) -> int:
    return once(rows) + once(rows)


def test_alone_opens_no_transaction_and_may_ask_once(tmp_path: Path) -> None:
    async def ask() -> None:
        db = SqliteDatabase(tmp_path / "hub.db")
        try:
            assert await db.read(plainly) == 2
            said: list[str] = []
            db._readers[0].set_trace_callback(said.append)
            assert await db.read(once) == 1
            assert said == ["SELECT 1"]
            with pytest.raises(RuntimeError, match="asked 2"):
                await db.read(twice)
            said.clear()
            assert await db.read(plainly) == 2
            assert said == ["BEGIN", "SELECT 1", "SELECT 1", "ROLLBACK"]
        finally:
            await db.close()

    asyncio.run(ask())
