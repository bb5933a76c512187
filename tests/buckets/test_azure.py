"""What is Azure's own: credentials, an upload of blocks that ends twice or is forgotten, and refusals."""

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from entrepot import config, wiring
from entrepot.errors import HubError, Kind
from entrepot.store.remote import Gone, Unfinished
from entrepot.store.remote_azure import AzureContainer, connection_of
from entrepot.store.remote_spool import Body
from tests import azure, s3
from tests.buckets import gate
from tests.buckets.gate import Gate
from tests.conftest import Loop

MIB = 1024 * 1024
NAME = "blobs/u/ab/name"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Server]:
    made = s3.start("azurite", tmp_path_factory.mktemp("azurite"))
    yield made
    s3.stop(made)


@pytest.fixture
def store(server: s3.Server) -> Iterator[Gate]:
    made = Gate(server.url)
    yield made
    made.close()


class Place:
    """A container behind a gate, and what is in it."""

    def __init__(self, server: s3.Server, gate_: Gate) -> None:
        prefix = s3.new_prefix()
        self.remote = azure.remote(gate_.url, s3.BUCKET, prefix)
        self.inside = azure.Container(azure.connection(server.url), s3.BUCKET, prefix)

    async def send(self, *contents: bytes, upload: str = "") -> tuple[str, list[str]]:
        """An upload with these parts: its id and their ETags."""
        upload = upload or await self.remote.begin(NAME)
        etags = []
        for number, content in enumerate(contents, 1):
            async with body_of(content) as body:
                etags.append(await self.remote.put_part(NAME, upload, number, body))
        return upload, etags

    async def unfinished(self) -> list[Unfinished]:
        return [one async for one in self.remote.unfinished("blobs/")]


@asynccontextmanager
async def body_of(content: bytes) -> AsyncIterator[Body]:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        yield Body(file.fileno(), len(content))


@pytest.fixture
def place(server: s3.Server, store: Gate, loop: Loop) -> Iterator[Place]:
    made = Place(server, store)
    yield made
    loop.run(made.remote.close())


async def refused(work: Coroutine[Any, Any, Any]) -> HubError:
    with pytest.raises(HubError) as why:
        await work
    assert why.value.kind is Kind.UNAVAILABLE
    assert azure.KEY not in why.value.message
    assert "sig=" not in why.value.message
    return why.value


def test_an_upload_that_was_completed_is_completed_again_or_gone(loop: Loop, place: Place) -> None:
    async def story() -> None:
        upload, etags = await place.send(b"one" * MIB, b"two")
        for _ in range(2):
            await place.remote.complete(NAME, upload, etags)
            assert await place.inside.get(NAME) == b"one" * MIB + b"two"
            with pytest.raises(Gone):
                await place.remote.parts(NAME, upload)
        await place.remote.delete(NAME)
        with pytest.raises(Gone):
            await place.remote.complete(NAME, upload, etags)
        assert await place.inside.sizes() == {}

    loop.run(story())


def test_a_completion_whose_answer_is_lost_was_done(loop: Loop, place: Place, store: Gate) -> None:
    async def story() -> None:
        upload, etags = await place.send(b"one")
        store.lost = gate.completions
        await place.remote.complete(NAME, upload, etags)
        assert store.lost is None, "it was met"
        assert await place.inside.get(NAME) == b"one"
        store.lost = gate.completions
        async with body_of(b"other" * MIB) as body:
            await place.remote.put(NAME, body)
        assert store.lost is None, "it was met"
        assert await place.inside.get(NAME) == b"other" * MIB

    loop.run(story())


def test_parts_are_of_their_upload_and_all_of_a_number_stay(loop: Loop, place: Place) -> None:
    async def story() -> None:
        first, etags = await place.send(b"one", b"two")
        second, others = await place.send(b"else", b"two")
        await place.send(b"again", upload=first)
        found = await place.remote.parts(NAME, first)
        assert sorted((one.number, one.size) for one in found) == [(1, 3), (1, 5), (2, 3)]
        assert [one.etag for one in await place.remote.parts(NAME, second)] == others
        assert {one.id for one in await place.unfinished()} == {first, second}
        await place.remote.complete(NAME, first, etags)
        assert await place.inside.get(NAME) == b"onetwo"
        assert await place.unfinished() == []

    loop.run(story())


def test_what_is_aborted_leaves_nothing(loop: Loop, place: Place) -> None:
    async def story() -> None:
        upload, etags = await place.send(b"one", b"two")
        assert [one[:2] for one in await place.unfinished()] == [(NAME, upload)]
        await place.remote.abort(NAME, "0" * len(upload))
        assert len(await place.remote.parts(NAME, upload)) == 2, "another one's"
        for _ in range(2):
            await place.remote.abort(NAME, upload)
        assert (await place.unfinished(), await place.inside.sizes()) == ([], {})
        with pytest.raises(Gone):
            await place.remote.complete(NAME, upload, etags)

    loop.run(story())


def test_an_abort_never_takes_an_object(loop: Loop, place: Place) -> None:
    async def story() -> None:
        upload, etags = await place.send(b"one", b"two")
        await place.remote.complete(NAME, upload, etags)
        await place.send(b"late", upload=upload)
        await place.remote.abort(NAME, upload)
        assert await place.inside.get(NAME) == b"onetwo"
        await place.inside.put(NAME, b"")
        await place.send(b"late", upload=upload)
        await place.remote.abort(NAME, upload)
        assert await place.inside.sizes() == {NAME: 0}, "an object without a byte is one"

    loop.run(story())


def test_a_completion_that_overtakes_an_abort_keeps_its_object(loop: Loop, place: Place, store: Gate) -> None:
    """The abort looked, and before it does anything the object is there; or is there again when it deletes."""

    async def overtaken(at: gate.Asks) -> None:
        store.held = at
        store.waiting.clear()
        store.release.clear()
        upload, etags = await place.send(b"one")
        direct = azure.remote(azure_url(place), s3.BUCKET, place.remote._prefix)
        abort = asyncio.create_task(place.remote.abort(NAME, upload))
        assert await asyncio.to_thread(store.waiting.wait, 30)
        if at is gate.deletions:  # what was sent is forgotten by now
            async with body_of(b"one") as body:
                await direct.put_part(NAME, upload, 1, body)
        await direct.complete(NAME, upload, etags)
        await direct.close()
        store.release.set()
        await abort
        assert await place.inside.get(NAME) == b"one"
        await place.inside.delete(NAME)

    async def story() -> None:
        await overtaken(gate.completions)
        await overtaken(gate.deletions)

    loop.run(story())


def azure_url(place: Place) -> str:
    """The server's own address."""
    return place.inside.connection.partition("BlobEndpoint=")[2].removesuffix(f"/{azure.ACCOUNT}")


def test_an_abort_that_is_cut_off_leaves_what_the_sweep_takes(
    loop: Loop, server: s3.Server, store: Gate, tmp_path: Path
) -> None:
    async def story() -> None:
        nodes = s3.Nodes(server._replace(url=store.url), tmp_path)
        try:
            node = nodes.node()
            name = "blobs/u/bb/u1_abc"
            upload = await node._remote.begin(name)
            async with body_of(b"one") as body:
                await node._remote.put_part(name, upload, 1, body)
            store.refused = gate.deletions
            await refused(node._remote.abort(name, upload))
            store.refused = None
            assert await nodes.inside.sizes() == {name: 0}
            found = [key for shard in range(node.shards) for key in await node.old_objects(shard, float("inf"))]
            assert found == [name.removeprefix("blobs/")]
        finally:
            await nodes.close()

    loop.run(story())


def test_a_tail_that_is_cut_off_goes_with_its_upload(
    loop: Loop, server: s3.Server, store: Gate, tmp_path: Path
) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield os.urandom(2 * MIB)

    async def append(node: Any) -> None:
        async with node.writing("u1") as growing:
            await growing.append(0, body(), hashlib.sha256())

    async def story() -> None:
        nodes = s3.Nodes(server._replace(url=store.url), tmp_path)
        try:
            node = nodes.node()
            store.refused = gate.completions
            await refused(append(node))
            store.refused = None
            assert await nodes.unfinished() == 1
            assert await node.old_uploads(float("inf"), 10) == ["u1"]
            await node.drop_upload("u1")
            assert (await nodes.names(), await nodes.unfinished()) == ([], 0)
        finally:
            await nodes.close()

    loop.run(story())


def test_a_container_that_is_not_there_is_no_loss(loop: Loop, server: s3.Server) -> None:
    async def story() -> None:
        remote = azure.remote(server.url, "nowhere", "hub/")
        async with body_of(b"one") as body:
            asked: list[Callable[[], Coroutine[Any, Any, Any]]] = [
                lambda: remote.put(NAME, body),
                lambda: remote.put_part(NAME, "0" * 24, 1, body),
                lambda: remote.complete(NAME, "0" * 24, ["0" * 32]),
                lambda: remote.abort(NAME, "0" * 24),
                lambda: remote.head(NAME),
                lambda: remote.delete(NAME),
                lambda: remote.has_any(""),
                lambda: remote.copy(NAME, "other", 3),
                lambda: anext(remote.read(NAME, 0, 3)),
                lambda: anext(remote.unfinished("")),
            ]
            told = [await refused(one()) for one in asked]
        # Neither "not there" nor "unreadable": whoever reads that would mark every blob as lost.
        assert {one.kind for one in told} == {Kind.UNAVAILABLE}
        assert all("the container of blobs answers" in one.message for one in told)
        await remote.close()

    loop.run(story())


def test_a_wrong_key_and_a_server_that_is_away(loop: Loop, server: s3.Server) -> None:
    async def story() -> None:
        wrong = azure.connection(server.url).replace(azure.KEY, "d3Jvbmc=")
        for connection in (wrong, azure.connection("http://127.0.0.1:9")):
            remote = AzureContainer(s3.BUCKET, "hub/", connection)
            for one in (remote.head(NAME), remote.mark(), anext(remote.read(NAME, 0, 3))):
                why = await refused(one)
                assert "d3Jvbmc=" not in why.message
            await remote.close()

    loop.run(story())


def test_credentials_come_from_the_variables_of_azures_own_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = azure.connection("http://127.0.0.1:1")
    for environ in (
        {azure.VARIABLE: whole},
        {"AZURE_STORAGE_ACCOUNT": "hub", "AZURE_STORAGE_KEY": azure.KEY},
        {azure.VARIABLE: "UseDevelopmentStorage=true"},
    ):
        assert connection_of(environ)
    settings = config.load(environ={}, blobs_url="az://hub/one")
    for name in (azure.VARIABLE, "AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_KEY"):
        monkeypatch.delenv(name, raising=False)
    for given, says in (
        ({}, "Access keys"),
        ({"AZURE_STORAGE_ACCOUNT": "hub"}, "AZURE_STORAGE_KEY"),
        ({"AZURE_STORAGE_ACCOUNT": "hub", "AZURE_STORAGE_KEY": "not base64!"}, "not whole"),
        ({azure.VARIABLE: "BlobEndpoint=https://a.example.com;SharedAccessSignature=sv=1"}, "not enough"),
        ({azure.VARIABLE: "anything"}, "not whole"),
    ):
        with monkeypatch.context() as during:
            for name, value in given.items():
                during.setenv(name, value)
            with pytest.raises(HubError) as why:
                wiring.objects_of(settings)
        assert why.value.kind is Kind.CONFIG_INVALID
        assert says in why.value.message
    monkeypatch.setenv(azure.VARIABLE, whole)
    with pytest.raises(HubError) as why:
        wiring.objects_of(config.load(environ={}, blobs_url="az://My_Hub/one"))
    assert why.value.kind is Kind.CONFIG_INVALID


@pytest.mark.parametrize("size", [0, 1, MIB, MIB + 1])
def test_objects_around_the_size_that_is_sent_at_once(loop: Loop, place: Place, size: int) -> None:
    async def story() -> None:
        content = os.urandom(size)
        for _ in range(2):
            async with body_of(content) as body:
                await place.remote.put(NAME, body)
        assert await place.inside.get(NAME) == content
        assert await place.unfinished() == []

    loop.run(story())


def test_the_address_is_for_reading_and_over_https_where_the_server_is(loop: Loop, place: Place) -> None:
    async def story() -> None:
        assert "sp=r&" in await place.remote.address(NAME, 60)
        assert "spr=" not in await place.remote.address(NAME, 60)
        secure = AzureContainer("hub", "", f"AccountName=hub;AccountKey={azure.KEY}")
        found = await secure.address("blobs/a b", 60)
        assert found.startswith("https://hub.blob.core.")
        assert "/hub/blobs/a%20b?" in found
        assert "spr=https&" in found
        await secure.close()

    loop.run(story())
