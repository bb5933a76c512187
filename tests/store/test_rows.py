"""What every Database must hold, on each engine."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import HubError, Kind
from entrepot.store import migrate, migrate_postgres, moved, rows_file
from entrepot.store.migrate import migrations
from entrepot.store.sql import leases
from tests.conftest import Loop
from tests.store.engines import Postgres, Sqlite, empty

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(params=ENGINES)
def bare(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sqlite | Postgres]:
    with empty(request.param, tmp_path) as place:
        yield place


@pytest.fixture
def place(bare: Sqlite | Postgres) -> Sqlite | Postgres:
    bare.migrate()
    return bare


def add(rows: Any, name: str) -> int:
    row = rows.one("INSERT INTO account (name, created_at) VALUES (:name, 0) RETURNING id", name=name)
    return int(row[0])


def count(rows: Any) -> int:
    return int(rows.one("SELECT COUNT(*) FROM account WHERE id > 0")[0])


def test_writes_group_and_one_refusal_undoes_only_itself(loop: Loop, place: Sqlite | Postgres) -> None:
    async def story() -> None:
        db = place.open()

        def refuse(rows: Any) -> None:
            add(rows, "half")
            raise HubError(Kind.DENIED, "no")

        def broken(rows: Any) -> None:
            add(rows, "half")
            rows.run("INSERT INTO account (id, name, created_at) VALUES (-1, 'twice', 0)")

        jobs = [db.write(add, f"a{place}") for place in range(50)]
        jobs[10:10] = [db.write(refuse), db.note(refuse), db.write(broken)]
        done = await asyncio.gather(*jobs, return_exceptions=True)
        assert sum(isinstance(one, HubError) for one in done) == 2
        assert sum(isinstance(one, Exception) for one in done) == 3
        assert await db.read(count) == 50
        assert len({one for one in done if isinstance(one, int)}) == 50
        with pytest.raises(HubError):
            await db.write(refuse)  # alone in its group
        assert await db.read(count) == 50
        await db.close()
        with pytest.raises(HubError):
            await db.write(add, "late")

    loop.run(story())


def test_a_write_is_there_for_others_when_it_returns_and_notes_ride_along(loop: Loop, place: Sqlite | Postgres) -> None:
    async def story() -> None:
        db = place.open()
        await db.note(add, "note")
        await db.write(add, "write")
        with place.other() as other:
            assert other.execute("SELECT COUNT(*) FROM account WHERE id > 0").fetchone() == (2,)
        await db.close()

    loop.run(story())


def test_a_read_sees_one_moment(loop: Loop, place: Sqlite | Postgres) -> None:
    async def story() -> None:
        db = place.open()
        with place.other() as other:

            def twice(rows: Any) -> tuple[int, int]:
                first = count(rows)
                other.execute("INSERT INTO account (name, created_at) VALUES ('between', 0)")
                return first, count(rows)

            first, second = await db.read(twice)
            assert first == second
            first, second = await db.read(twice)  # also when the engine knows that it asks twice
            assert first == second
            assert await db.read(count) >= first + 1
        await db.close()

    loop.run(story())


def test_writers_of_two_nodes_are_one_after_the_other(loop: Loop, place: Sqlite | Postgres) -> None:
    """What a function read in its transaction still holds when it writes."""

    def more(rows: Any) -> None:
        size = count(rows)
        rows.run("INSERT INTO account (id, name, created_at) VALUES (:id, 'n', 0)", id=100 + size)

    async def story() -> None:
        nodes = [place.open(), place.open()]
        await asyncio.gather(*(nodes[turn % 2].write(more) for turn in range(60)))
        assert await nodes[0].read(count) == 60
        for node in nodes:
            await node.close()

    loop.run(story())


def test_a_fault_of_a_statement_is_unavailable_and_passes(loop: Loop, place: Sqlite | Postgres) -> None:
    async def story() -> None:
        db = place.open()
        for _ in range(3):
            with pytest.raises(HubError) as refused:
                await db.read(lambda rows: rows.one("SELECT * FROM nowhere"))
            assert refused.value.kind is Kind.UNAVAILABLE
            await asyncio.sleep(0.01)
        with pytest.raises(HubError):
            await db.write(lambda rows: rows.run("DELETE FROM nowhere"))
        await db.write(add, "goes on")
        assert await db.read(count) == 1
        await db.close()

    loop.run(story())


def test_nodes_that_start_at_once_migrate_once(bare: Sqlite | Postgres) -> None:
    failed: list[Exception] = []

    def start() -> None:
        try:
            bare.migrate()
        except Exception as fault:
            failed.append(fault)

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    bare.migrate()
    assert not failed
    assert bare.version() == migrations()[-1][0]


def test_ids_are_never_reused(loop: Loop, place: Sqlite | Postgres) -> None:
    async def story() -> None:
        db = place.open()
        first = await db.write(add, "a")
        await db.write(lambda rows: rows.run("DELETE FROM account WHERE id > 0"))
        assert await db.write(add, "b") > first
        await db.close()

    loop.run(story())


NAMES = ["a", "B", "a-b", "a.b", "a_b", "ab", "Z", "~1", "0", "中", "é"]


def test_values_and_the_order_of_names_are_the_same(loop: Loop, place: Sqlite | Postgres) -> None:
    """Sums and truths are integers, bytes are bytes, names are in byte order; from either way of reading."""

    def fill(rows: Any) -> None:
        rows.run_many("INSERT INTO account (name, created_at) VALUES (:n, 7)", [{"n": name} for name in NAMES])
        rows.run_many("INSERT INTO account (name, created_at) VALUES (:n, 7)", [])
        rows.run(
            "INSERT INTO blob (digest, size, storage_key, created_at, content) VALUES ('d', 3, 'k', 0, :b)",
            b=b"\x00'\xff",
        )

    def one(rows: Any) -> Any:
        return rows.all(
            "SELECT (SELECT SUM(created_at) FROM account WHERE id > 0), EXISTS (SELECT 1 FROM blob), content,"
            " ':no' || :text, :number + 1, 'it''s :not' FROM blob WHERE size = :number"
            " AND fault = COALESCE(:nothing, '')",
            text="a%s$1",
            number=3,
            nothing=None,
        )

    def order(rows: Any) -> list[str]:
        return [row[0] for row in rows.all("SELECT name FROM account WHERE id > 0 AND name > :a ORDER BY name", a="")]

    async def story() -> None:
        db = place.open()
        await db.write(fill)
        expected = [(7 * len(NAMES), 1, b"\x00'\xff", ":noa%s$1", 4, "it's :not")]
        for _ in range(3):
            assert await db.read(one) == expected
            found = await db.read(one)
            assert [type(value) for value in found[0]] == [int, int, bytes, str, int, str]
            assert await db.read(order) == sorted(NAMES, key=str.encode)
            assert await db.read(lambda rows: (one(rows), order(rows))[0]) == expected
            await asyncio.sleep(0.02)
        await db.close()

    loop.run(story())


def test_many_reads_at_once_each_get_their_own_answer(loop: Loop, place: Sqlite | Postgres) -> None:
    async def story() -> None:
        db = place.open()
        await db.read(count)
        await asyncio.sleep(0.05)

        def echo(rows: Any, number: int) -> int:
            return int(rows.one("SELECT :number + 0", number=number)[0])

        def fails(rows: Any) -> Any:
            return rows.one("SELECT 1 / (COUNT(*) - COUNT(*)) FROM nowhere")

        async def lane(start: int) -> None:
            for number in range(start, start + 40):
                assert await db.read(echo, number) == number
                if number % 10 == 0:
                    with pytest.raises(HubError):
                        await db.read(fails)

        tasks = [asyncio.create_task(lane(1000 * turn)) for turn in range(8)]
        left = asyncio.create_task(db.read(echo, 5))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.gather(*tasks)
        await db.close()

    loop.run(story())


def test_a_snapshot_is_one_moment_and_holds_every_row(loop: Loop, place: Sqlite | Postgres, tmp_path: Path) -> None:
    async def story() -> None:
        db = place.open()
        last = await db.write(add, "中")
        await db.write(
            lambda rows: rows.run(
                "INSERT INTO blob (digest, size, storage_key, created_at, content) VALUES ('d', 3, 'k', 0, :b)",
                b=b"\x00\xff",
            )
        )
        target = tmp_path / "rows.db"
        writing = asyncio.create_task(db.write(add, "meanwhile"))
        await db.snapshot(target)
        await writing
        await db.close()
        assert rows_file.schema(target) == rows_file.newest()
        with rows_file.reading(target) as rows:
            assert rows.one("SELECT name FROM account WHERE id = :id", id=last) == ("中",)
            assert rows.one("SELECT content FROM blob") == (b"\x00\xff",)
            assert rows.one("SELECT COUNT(*) FROM account WHERE id = -1") == (1,)
            assert rows.one("SELECT COUNT(*) FROM scrub") == (2,)
            seq = rows.one("SELECT seq FROM sqlite_sequence WHERE name = 'account'")
            assert seq is not None
            assert seq[0] >= last
        with sqlite3.connect(target) as found:
            assert found.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert found.execute("PRAGMA foreign_key_check").fetchall() == []
        found.close()

    loop.run(story())


def test_a_place_that_was_left_refuses_every_process_and_can_be_had_back(
    loop: Loop, place: Sqlite | Postgres, tmp_path: Path
) -> None:
    def refused(fault: object) -> bool:
        return isinstance(fault, HubError) and moved.is_refusal(fault)

    async def story() -> None:
        db, older = place.open(), place.open()
        await db.write(add, "one")
        running = [older.write(add, f"a{place}") for place in range(300)]
        closing = db.set_read_only(True)
        *done, _ = await asyncio.gather(*running, closing, return_exceptions=True)
        kept = await db.read(count)
        assert kept == 1 + sum(isinstance(one, int) for one in done)
        assert all(isinstance(one, int) or refused(one) for one in done)
        await db.set_read_only(True)  # a second time
        jobs = [which.write(add, "no") for which in (db, older, older)] + [db.note(add, "no")]
        assert all(map(refused, await asyncio.gather(*jobs, return_exceptions=True)))
        newer = place.open()
        for change in ("UPDATE account SET name = 'x'", "DELETE FROM scrub"):
            with pytest.raises(HubError) as told:
                await newer.write(lambda rows, change=change: rows.run(change))
            assert refused(told.value)
        assert await newer.read(count) == kept
        await newer.write(lambda rows: rows.run("INSERT INTO hold (id, expires_at) VALUES ('one', 1)"))
        assert (await db.is_read_only(), await older.is_read_only()) == (True, True)
        await db.snapshot(tmp_path / "rows.db")
        rows_file.change(tmp_path / "rows.db", add, "a copy is a place of its own")
        await older.set_read_only(False)
        await older.set_read_only(False)
        await db.write(add, "again")
        assert (await db.read(count), await db.is_read_only()) == (kept + 1, False)
        for one in (db, older, newer):
            await one.close()

    loop.run(story())


def test_a_newer_version_brings_a_place_that_was_left_up_to_date(
    loop: Loop, bare: Sqlite | Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: every[:-3])
    monkeypatch.setattr(migrate_postgres, "migrations", lambda: every[:-3])
    bare.migrate()
    monkeypatch.undo()

    async def refuse() -> None:
        db = bare.open()
        await db.set_read_only(True)
        await db.close()

    async def ask() -> None:
        db = bare.open()
        assert await db.is_read_only()
        with pytest.raises(HubError) as told:  # a table that was not there when the hub moved
            await db.write(lambda rows: leases.claim(rows, "upload", "node", 0, 1))
        assert moved.is_refusal(told.value)
        await db.set_read_only(False)
        assert await db.write(leases.claim, "upload", "node", 0, 1)
        await db.close()

    loop.run(refuse())
    bare.migrate()
    assert bare.version() == every[-1][0]
    loop.run(ask())
