"""What a database that is another program's does to a hub: it goes away, comes back, cuts, kills, and is migrated."""

import asyncio
import hashlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot import config, wiring
from entrepot.errors import HubError, Kind
from entrepot.store import db_postgres, migrate_postgres, postgres_copy, postgres_link, postgres_reader, postgres_writer
from entrepot.store.db_postgres import PostgresDatabase
from entrepot.store.migrate import migrations, postgres_migrations
from tests.conftest import Loop, TestHub
from tests.postgres import Server, shared
from tests.store.cut import Relay


def add(rows: Any, name: str) -> None:
    rows.run("INSERT INTO account (name, created_at) VALUES (:name, 0)", name=name)


def names(rows: Any) -> list[str]:
    return [row[0] for row in rows.all("SELECT name FROM account WHERE id > 0 ORDER BY id")]


@pytest.fixture
def url() -> Iterator[str]:
    made = shared().hub_database()
    yield made
    shared().drop(made)


@pytest.fixture
def relay() -> Iterator[Relay]:
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        made = Relay(Path(folder), shared().folder)
        made.folder = Path(folder)  # type: ignore[attr-defined]
        yield made
        made.close()


def through(relay: Relay, url: str) -> str:
    return url.partition("?host=")[0] + f"?host={relay.folder}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("group", [1, 5])
@pytest.mark.parametrize("passes_on", [True, False], ids=["it was stored", "it was not"])
def test_a_commit_without_an_answer_is_asked_after(
    loop: Loop, url: str, relay: Relay, passes_on: bool, group: int
) -> None:
    """Each function is acknowledged, and stored exactly once."""

    async def story() -> None:
        db = PostgresDatabase(through(relay, url))
        await db.write(add, "first")
        relay.cut_at(b"; COMMIT", passes_on=passes_on)
        await asyncio.gather(*(db.write(add, f"a{place}") for place in range(group)))
        assert relay.cuts == 1
        found = await db.read(names)
        assert sorted(found) == sorted(["first", *(f"a{place}" for place in range(group))])
        await db.close()

    loop.run(story())


def test_a_commit_that_nobody_can_be_asked_about_is_unavailable(
    loop: Loop, url: str, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writer, "DOUBT", 0.2)

    async def story() -> None:
        db = PostgresDatabase(through(relay, url))
        await db.write(add, "first")
        relay.cut_at(b"; COMMIT", passes_on=True)
        (relay.folder / ".s.PGSQL.5432").rename(relay.folder / "away")  # type: ignore[attr-defined]
        with pytest.raises(HubError) as refused:
            await db.write(add, "second")
        assert refused.value.kind is Kind.UNAVAILABLE
        (relay.folder / "away").rename(relay.folder / ".s.PGSQL.5432")  # type: ignore[attr-defined]
        await db.write(add, "third")
        assert await db.read(names) == ["first", "second", "third"]
        await db.close()

    loop.run(story())


@pytest.mark.parametrize("word", [b"BEGIN", b"INSERT INTO account"])
def test_a_connection_lost_before_commit_is_no_matter(loop: Loop, url: str, relay: Relay, word: bytes) -> None:
    async def story() -> None:
        db = PostgresDatabase(through(relay, url))
        await db.write(lambda rows: rows.one("SELECT 1"))
        relay.cut_at(word, passes_on=True)
        await db.write(add, "once")
        assert relay.cuts == 1
        assert await db.read(names) == ["once"]
        await db.close()

    loop.run(story())


def test_a_read_of_several_statements_opens_no_second_reader(
    loop: Loop, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def connect(info: str) -> Any:
        opened.append(info)
        return postgres_link.connect(info)

    def twice(rows: Any) -> list[str]:
        return names(rows) + names(rows)

    async def story() -> None:
        db = PostgresDatabase(url)
        while db._reader is None or not db._reader.is_up:
            assert await db.read(names) == []
        for _ in range(3):
            assert await db.read(twice) == []
        await db.close()  # waits for a connection that is still being made

    monkeypatch.setattr(postgres_reader, "RETRY_SECONDS", 0.0)
    monkeypatch.setattr(postgres_reader, "connect", connect)
    loop.run(story())
    assert len(opened) == 1


def backend(rows: Any, seconds: float = 0.0) -> int:
    """Which process of the server answers, so long after it was asked."""
    return int(rows.one("SELECT pg_backend_pid(), pg_sleep(:seconds)", seconds=seconds)[0])


async def piped(db: PostgresDatabase) -> int:
    """The server's process behind the pipelined connection, once that is up."""
    while db._reader is None or not db._reader.is_up:
        await db.read(names)
        await asyncio.sleep(0.01)
    return await db.read(backend)


def test_reads_that_wait_for_others_are_not_slow_ones(loop: Loop, url: str) -> None:
    async def story() -> None:
        db = PostgresDatabase(url)
        first = await piped(db)
        reads = [asyncio.create_task(db.read(backend)) for _ in range(32)]
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_soon(time.sleep, 0.2)  # the loop itself is held up
        assert set(await asyncio.gather(*reads)) == {first}
        behind = [asyncio.create_task(db.read(lambda rows: backend(rows, 0.2)))]
        behind += [asyncio.create_task(db.read(backend)) for _ in range(32)]
        assert set(await asyncio.gather(*behind)) == {first}
        assert await db.read(backend) == first
        await db.close()

    loop.run(story())


def test_slow_reads_go_out_of_the_way_of_others_for_a_while(
    loop: Loop, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        db = PostgresDatabase(url)
        first = await piped(db)
        slow = [await db.read(backend, 0.06) for _ in range(4)]
        assert slow[:3] == [first] * 3
        assert slow[3] != first
        assert await db.read(names) == []
        await asyncio.sleep(0.5)
        assert await db.read(backend) == first
        await db.close()

    monkeypatch.setattr(db_postgres, "ASIDE_SECONDS", 0.4)
    loop.run(story())


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_a_transaction_that_met_another_one_runs_again(loop: Loop, url: str, state: str) -> None:
    calls = 0

    def meets(rows: Any) -> str:
        nonlocal calls
        calls += 1
        add(rows, "again")
        if calls < 3:
            rows.run(f"DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''{state}''; END'")
        return "done"

    async def story() -> None:
        db = PostgresDatabase(url)
        done = await asyncio.gather(db.write(add, "before"), db.write(meets), db.write(add, "after"))
        assert done == [None, "done", None]
        assert sorted(await db.read(names)) == ["after", "again", "before"]
        await db.close()

    loop.run(story())
    assert calls == 3


def test_sessions_that_the_server_ends_are_replaced(loop: Loop, url: str) -> None:
    async def story() -> None:
        db, name = PostgresDatabase(url), url.partition("@/")[2].partition("?")[0]

        async def everything(number: int) -> None:
            await db.write(add, f"a{number}")
            assert len(await db.read(names)) == number
            assert len((await db.read(lambda rows: (names(rows), names(rows))))[0]) == number

        for number in range(1, 6):
            await everything(number)
            await asyncio.sleep(0.02)
            ended = shared().run(
                f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'"
            )
            assert ended
        await db.close()

    loop.run(story())


@pytest.mark.parametrize("group", [1, 2])
def test_what_waited_too_long_is_not_done_any_more(
    loop: Loop, url: str, monkeypatch: pytest.MonkeyPatch, group: int
) -> None:
    """Whoever asked may have asked another node since, and gone on from there."""
    monkeypatch.setattr(postgres_writer, "LATE", 0.2)
    begun = threading.Event()

    def dawdle(rows: Any) -> None:
        begun.set()
        time.sleep(0.4)

    async def story() -> None:
        slow, db = PostgresDatabase(url), PostgresDatabase(url)
        other = asyncio.create_task(slow.write(dawdle))
        await asyncio.to_thread(begun.wait)
        late = await asyncio.gather(*(db.write(add, f"a{one}") for one in range(group)), return_exceptions=True)
        assert [getattr(one, "kind", one) for one in late] == [Kind.UNAVAILABLE] * group
        await other
        await db.write(add, "in time")
        assert await db.read(names) == ["in time"]
        await slow.close()
        await db.close()

    loop.run(story())


def test_one_node_does_a_chore_and_another_one_when_it_is_lost(loop: Loop, url: str) -> None:
    async def story() -> None:
        one, two = PostgresDatabase(url), PostgresDatabase(url)
        async with one.alone("collect") as is_mine, two.alone("collect") as is_its:
            assert (is_mine, is_its) == (True, False)
            async with one.alone("collect") as is_mine_twice, two.alone("janitor") as is_other:
                assert (is_mine_twice, is_other) == (False, True)
            assert await one.still_alone("collect")
            assert not await two.still_alone("collect")
            name = url.partition("@/")[2].partition("?")[0]
            shared().run(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
            assert not await one.still_alone("collect")
        async with two.alone("collect") as is_its, one.alone("collect") as is_mine:
            assert (is_mine, is_its) == (False, True)
        await one.close()
        async with two.alone("collect") as is_its:
            assert is_its
        await two.close()

    loop.run(story())


def test_the_server_is_killed_under_pushes_and_comes_back(loop: Loop, tmp_path: Path) -> None:
    """Whatever was acknowledged is there; what was not was told to come again; nobody restarts the hub."""
    server = Server(durable=True)
    try:
        hub = TestHub(loop, tmp_path / "data", database_url=server.hub_database())
        hub.bucket("shop")
        acknowledged, refused = _push_through_kills(hub, server)
        assert set(refused) == {503}
        for content in acknowledged:
            digest = hashlib.sha256(content).hexdigest()
            reply = hub.request("GET", f"/v2/shop/app/blobs/sha256:{digest}", login=hub.main)
            assert (reply.status, reply.body) == (200, content)
        hub.close()
    finally:
        server.stop()


def _push_through_kills(hub: TestHub, server: Server) -> tuple[list[bytes], list[int]]:
    """What was acknowledged, and the statuses of what was not, of four pushers through three kills."""
    acknowledged: list[bytes] = []
    refused: list[int] = []
    is_over = threading.Event()

    def push() -> None:
        while not is_over.is_set():
            content = os.urandom(400)
            digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
            path = f"/v2/shop/app/blobs/uploads/?digest={digest}"
            status = hub.request("POST", path, body=content, login=hub.main).status
            if status == 201:
                acknowledged.append(content)
            else:
                refused.append(status)

    pushers = [threading.Thread(target=push) for _ in range(4)]
    for pusher in pushers:
        pusher.start()
    for _ in range(3):
        _grown(acknowledged, 20)
        server.kill()
        _grown(refused, 1)
        server.start()
    _grown(acknowledged, 20)
    is_over.set()
    for pusher in pushers:
        pusher.join()
    return acknowledged, refused


def _grown(seen: list[Any], more: int) -> None:
    size, end = len(seen), time.monotonic() + 50
    while len(seen) < size + more:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_hub_whose_server_is_away_says_so_and_serves_when_it_is_back(loop: Loop, tmp_path: Path) -> None:
    server = Server()
    try:
        hub = TestHub(loop, tmp_path / "data", database_url=server.hub_database())
        server.kill()
        for _ in range(3):
            assert hub.request("GET", "/v2/", login=hub.main).status == 503
        with pytest.raises(HubError) as refused:
            loop.run(wiring.open_hub(hub.settings))
        assert refused.value.kind is Kind.UNAVAILABLE
        server.start()
        assert hub.request("GET", "/v2/", login=hub.main).status == 200
        assert hub.bucket("shop") == "shop"
        hub.close()
    finally:
        server.stop()


def test_a_node_of_the_version_before_goes_on_while_a_new_one_migrates(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = shared().database()
    older = postgres_migrations()[:-1]
    with monkeypatch.context() as patch:
        patch.setattr(migrate_postgres, "postgres_migrations", lambda: older)
        patch.setattr(migrate_postgres, "migrations", lambda: migrations()[:-1])
        migrate_postgres.migrate_postgres(url)

    async def story() -> None:
        old = PostgresDatabase(url)
        is_over = False

        async def serve() -> int:
            done = 0
            while not is_over or done < 10:
                await old.write(add, f"a{done}")
                done += 1
                assert len(await old.read(names)) == done
            return done

        serving = asyncio.create_task(serve())
        await asyncio.sleep(0)
        await asyncio.gather(*(asyncio.to_thread(migrate_postgres.migrate_postgres, url) for _ in range(3)))
        is_over = True
        assert await serving >= 10
        await old.close()

    loop.run(story())
    with postgres_link.connect(postgres_link.conninfo(url)) as connection:
        assert postgres_copy.version(connection) == migrations()[-1][0]
    shared().drop(url)


def test_no_refusal_shows_the_password() -> None:
    for url in (
        "postgresql://hub:hunter2@127.0.0.1:1/hub?connect_timeout=1",
        "postgresql://hub:hunter2@127.0.0.1:1/hub?nonsense=1",
        "postgresql://hub:hunter2@[::1/hub",
        "mysql://hub:hunter2@127.0.0.1/hub",
    ):
        with pytest.raises(HubError) as refused:
            wiring.open_database(config.load(environ={}, database_url=url))
        fault: BaseException | None = refused.value
        while fault is not None:
            assert "hunter2" not in str(fault)
            fault = fault.__cause__
