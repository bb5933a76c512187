"""What every BlobStore must hold."""

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.store.blobs import Broken, Unreadable, check_key, upload_of
from entrepot.store.blobs_fs import FileBlobStore
from entrepot.store.remote_spool import Body
from tests import s3
from tests.conftest import Loop

# The stores of bytes: files, and buckets of three servers.


@pytest.fixture(scope="session", params=["files", "moto", "versitygw", "azurite"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Server | None]:
    """Where a bucket is; None for files."""
    if request.param == "files":
        yield None
        return
    made = s3.start(request.param, tmp_path_factory.mktemp(request.param))
    yield made
    s3.stop(made)


class Place:
    """A store, what goes on in it, and a second process that has the same bytes."""

    def __init__(self, server: s3.Server | None, folder: Path) -> None:
        self.folder = folder
        self.kind = server.kind if server else "files"
        self.nodes = s3.Nodes(server, folder) if server else None
        self.store = self.another("one")
        self.held: dict[str, str] = {}

    def another(self, name: str) -> Any:
        """A store of another node (another process, of files)."""
        return self.nodes.node(name) if self.nodes else FileBlobStore(self.folder)

    async def append(self, upload: str, offset: int, body: AsyncIterator[bytes], sink: Any, store: Any = None) -> int:
        """As a session does it: what the store must know is kept when the bytes are acknowledged."""
        async with (store or self.store).writing(upload, self.held.get(upload, "")) as file:
            try:
                return int(await file.append(offset, body, sink))
            finally:
                self.held[upload] = file.held

    async def commit(self, upload: str, length: int, store: Any = None) -> str:
        return str(await (store or self.store).commit(upload, length, "sha256", "0" * 64, self.held.get(upload, "")))

    async def close(self) -> None:
        await self.store.close()
        if self.nodes:
            await self.nodes.close()


@pytest.fixture
def place(server: s3.Server | None, tmp_path: Path, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    for name, value in s3.KEYS.items():
        monkeypatch.setenv(name, value)
    made = Place(server, tmp_path)
    yield made
    loop.run(made.close())


async def pieces(*chunks: bytes, broken: bool = False) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk
    if broken:
        raise Broken(0)


def open_below(folder: Path) -> list[str]:
    """Uploads and objects in a folder that this process has open, with names or without."""
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the look itself
            found.append(descriptor.readlink())
    return [str(one) for one in found if one.is_relative_to(folder) and {"uploads", "blobs"} & set(one.parts)]


async def gather(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in body])


def test_append_hash_commit_read(loop: Loop, place: Place) -> None:
    async def story() -> None:
        store, sink = place.store, hashlib.sha256()
        chunks = [os.urandom(size) for size in (10, 700_000, 300_000, 1, 600_000)]
        whole = b"".join(chunks)
        assert await place.append("u1", 0, pieces(*chunks[:3]), sink) == 1_000_010
        assert await place.append("u1", 1_000_010, pieces(*chunks[3:]), sink) == 600_001
        assert sink.digest() == hashlib.sha256(whole).digest()
        assert await store.size("u1", place.held["u1"]) == len(whole)
        again = hashlib.sha256()
        await store.hash_upload("u1", len(whole), again, place.held["u1"])
        assert again.digest() == sink.digest()
        key = await place.commit("u1", len(whole))
        check_key(key)
        assert upload_of(key) == "u1"
        assert await store.stored_size(key) == len(whole)
        assert await gather(store.stream(key, 0, len(whole))) == whole
        assert await gather(store.stream(key, 5, 1_500_000)) == whole[5:1_500_005]
        hashed = hashlib.sha256()
        await store.hash_stored(key, 7, 1_600_000, hashed)
        assert hashed.digest() == hashlib.sha256(whole[7:1_600_007]).digest()
        await store.delete(key)
        await store.delete(key)
        assert await store.stored_size(key) is None

    loop.run(story())


def test_many_parts_from_chunks_of_any_size(loop: Loop, place: Place) -> None:
    async def story() -> None:
        sink, whole = hashlib.sha256(), os.urandom(3 * s3.PART + 12_345)
        at = 0
        for size in (1, s3.PART - 1, s3.PART, 100, s3.PART + 12_245):
            body = pieces(*(whole[at + start : at + min(start + 300_000, size)] for start in range(0, size, 300_000)))
            assert await place.append("u1", at, body, sink) == size
            at += size
        assert (at, sink.digest()) == (len(whole), hashlib.sha256(whole).digest())
        key = await place.commit("u1", at)
        assert await gather(place.store.stream(key, 0, at)) == whole
        if place.nodes:
            assert await place.nodes.names() == [f"blobs/{key}", "entrepot"], "no tail stays"
            assert await place.nodes.unfinished() == 0
            assert await place.commit("u1", at) == key, "its answer was lost: the same again"

    loop.run(story())


@pytest.mark.parametrize("size", [0, 1, s3.PART - 1, s3.PART, s3.PART + 1])
def test_sizes_around_a_part(loop: Loop, place: Place, size: int) -> None:
    async def story() -> None:
        whole = os.urandom(size)
        assert await place.append("u1", 0, pieces(whole), hashlib.sha256()) == size
        key = await place.commit("u1", size)
        assert await place.store.stored_size(key) == size
        assert await gather(place.store.stream(key, 0, size)) == whole

    loop.run(story())


@pytest.mark.parametrize("size", [0, 1, s3.PART, s3.PART + 1])
def test_what_one_request_writes_it_ends_itself(loop: Loop, place: Place, size: int) -> None:
    async def story() -> None:
        whole = os.urandom(size)
        async with place.store.writing("u1", is_one_request=True) as file:
            assert await file.append(0, pieces(whole), hashlib.sha256()) == size
            key = await file.commit("sha256", "0" * 64)
        assert upload_of(key) == "u1"
        assert await gather(place.store.stream(key, 0, size)) == whole
        assert await place.store.old_uploads(time.time() + 60, 10) == []
        if place.nodes:
            assert await place.nodes.names() == [f"blobs/{key}", "entrepot"]
            assert await place.nodes.unfinished() == 0

    loop.run(story())


def test_of_two_that_write_and_end_an_upload_neither_changes_the_other_ones_bytes(loop: Loop, place: Place) -> None:
    """They are nobody's blob until the rows say so; another node's are, where nothing keeps the nodes apart."""

    async def story() -> None:
        bodies = [os.urandom(s3.PART + 7), os.urandom(s3.PART + 7)]
        both = asyncio.Barrier(2)

        async def one(store: Any, body: bytes) -> str:
            await both.wait()
            async with store.writing("u1", is_one_request=True) as file:
                await file.append(0, pieces(body[:400_000], body[400_000:]), hashlib.sha256())
                await asyncio.sleep(0.01)
                return str(await file.commit("sha256", digests.of(body, "sha256")[7:]))

        stores = [place.store, place.another("two")]
        ended = await asyncio.gather(*map(one, stores, bodies), return_exceptions=True)
        refused = [one for one in ended if isinstance(one, HubError)]
        assert [one.kind for one in refused] == ([] if place.nodes else [Kind.RANGE_INVALID])
        for key, body in zip(ended, bodies, strict=True):
            if isinstance(key, str):
                assert await gather(place.store.stream(key, 0, len(body))) == body
        await stores[1].close()

    loop.run(story())


def test_whoever_ends_an_upload_while_it_is_owned_may_go_away(loop: Loop, place: Place) -> None:
    """A request that is cancelled in the middle of storing leaves the lock, and the file, to what goes on."""

    async def story() -> None:
        whole = os.urandom(100_000)

        async def push() -> None:
            async with place.store.writing("u1", is_one_request=True) as file:
                await file.append(0, pieces(whole), hashlib.sha256())
                await file.commit("sha256", "0" * 64)

        for wait in range(40):
            pushing = asyncio.create_task(push())
            for _ in range(wait):
                await asyncio.sleep(0)
            pushing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pushing
            while True:  # whatever goes on of it ends
                try:
                    async with place.store.writing("u1", is_one_request=True):
                        break
                except HubError:
                    await asyncio.sleep(0.01)
        await push()
        shards = [await place.store.old_objects(shard, float("inf")) for shard in range(place.store.shards)]
        stored = [key for shard in shards for key in shard]
        assert stored
        for key in stored:  # of those that went away, too
            assert await place.store.stored_size(key) == len(whole)
            assert await gather(place.store.stream(key, 0, len(whole))) == whole
        assert open_below(place.folder) == []

    loop.run(story())


def test_an_upload_goes_on_in_another_process(loop: Loop, place: Place) -> None:
    async def story() -> None:
        first, second = os.urandom(s3.PART + 1000), os.urandom(s3.PART + 1000)
        await place.append("u1", 0, pieces(first), hashlib.sha256())
        other = place.another("two")
        assert await place.append("u1", len(first), pieces(second), hashlib.sha256(), other) == len(second)
        third = place.another("three")
        key = await place.commit("u1", 2 * len(first), third)
        assert await gather(third.stream(key, 0, 2 * len(first))) == first + second
        for one in (other, third):
            await one.close()

    loop.run(story())


def test_a_part_that_a_node_thought_dead_writes_over_is_found_out(loop: Loop, place: Place, tmp_path: Path) -> None:
    if not place.nodes:
        pytest.skip("of files there is one writer by their locks")

    async def story() -> None:
        whole, other = os.urandom(2 * s3.PART + 1000), tmp_path / "other"
        await place.append("u1", 0, pieces(whole), hashlib.sha256())
        held = json.loads(place.held["u1"])
        other.write_bytes(os.urandom(s3.PART))
        with other.open("rb") as file:
            body = Body(file.fileno(), s3.PART)
            await place.store._remote.put_part(f"blobs/{held['key']}", held["id"], 2, body)
        second = place.another("two")
        if place.kind == "azurite":  # it keeps both
            key = await place.commit("u1", len(whole), second)
            assert await gather(second.stream(key, 0, len(whole))) == whole
        else:
            with pytest.raises(HubError) as lost:
                await place.commit("u1", len(whole), second)
            assert lost.value.kind is Kind.UPLOAD_UNKNOWN
        await second.close()

    loop.run(story())


def test_a_broken_body_says_how_much_is_held(loop: Loop, place: Place) -> None:
    async def story() -> None:
        sink = hashlib.sha256()
        with pytest.raises(Broken) as broken:
            await place.append("u1", 0, pieces(b"a" * 600_000, b"b" * 10, broken=True), sink)
        assert broken.value.written == await place.store.size("u1", place.held["u1"]) == 600_010
        assert sink.hexdigest() == hashlib.sha256(b"a" * 600_000 + b"b" * 10).hexdigest()
        assert await place.append("u1", 600_010, pieces(b"c"), sink) == 1
        key = await place.commit("u1", 600_011)
        assert await gather(place.store.stream(key, 599_999, 12)) == b"a" + b"b" * 10 + b"c"

    loop.run(story())


def test_two_keys_for_one_digest_and_no_late_writer(loop: Loop, place: Place) -> None:
    async def story() -> None:
        keys = set()
        for upload in ("u1", "u2"):
            await place.append(upload, 0, pieces(b"same"), hashlib.sha256())
            keys.add(await place.commit(upload, 4))
        assert len(keys) == 2
        assert {await gather(place.store.stream(key, 0, 4)) for key in keys} == {b"same"}
        await place.store.drop_upload("u3")

    loop.run(story())


def test_one_appender_at_a_time(loop: Loop, place: Place) -> None:
    async def story() -> None:
        held, begun = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            begun.set()
            await held.wait()

        first = asyncio.create_task(place.append("u1", 0, slow(), hashlib.sha256()))
        await begun.wait()
        for other in (place.store, place.another("two")):
            with pytest.raises(HubError) as refused:
                async with other.writing("u1"):
                    pass
            assert refused.value.kind is Kind.RANGE_INVALID
        with pytest.raises(HubError):
            await place.store.commit("u1", 5, "sha256", "00")
        held.set()
        assert await first == 5

    loop.run(story())


def test_what_is_dropped_leaves_nothing_and_what_is_stored_stays(loop: Loop, place: Place) -> None:
    async def story() -> None:
        await place.append("u1", 0, pieces(os.urandom(s3.PART + 5)), hashlib.sha256())
        await place.store.drop_upload("u1", place.held["u1"])
        await place.store.drop_upload("u1")
        if place.nodes:
            assert (await place.nodes.names(), await place.nodes.unfinished()) == ([], 0)
        else:
            assert list((place.folder / "uploads").iterdir()) == []

    loop.run(story())


def test_old_uploads_and_old_objects_are_found_and_young_ones_are_not(loop: Loop, place: Place) -> None:
    async def story() -> None:
        store, now = place.store, time.time()
        await place.append("u1", 0, pieces(os.urandom(s3.PART + 5)), hashlib.sha256())
        if place.kind != "moto":  # it says that all of them began in 2010
            assert await store.old_uploads(now - 100, 10) == []
        assert await store.old_uploads(now + 100, 10) == ["u1"]
        await place.append("u2", 0, pieces(b"stored"), hashlib.sha256())
        key = await place.commit("u2", 6)
        found = [one for shard in range(store.shards) for one in await store.old_objects(shard, now + 100)]
        assert key in found
        assert len(found) == (2 if place.nodes else 1), "a tail is an object that the rows know by its upload"
        assert [one for shard in range(store.shards) for one in await store.old_objects(shard, now - 100)] == []

    loop.run(story())


def test_quarantine(loop: Loop, place: Place) -> None:
    async def story() -> None:
        store = place.store
        await place.append("u1", 0, pieces(b"rotten"), hashlib.sha256())
        key = await place.commit("u1", 6)
        await store.quarantine(key)
        await store.quarantine(key)
        assert await store.stored_size(key) is None
        assert await store.drop_quarantined(time.time() - 100, 10) == 0
        assert await store.drop_quarantined(time.time() + 100, 10) == 1
        assert await store.drop_quarantined(time.time() + 100, 10) == 0

    loop.run(story())


def test_objects_keep_their_keys_and_must_have_their_digest(loop: Loop, place: Place) -> None:
    async def story() -> None:
        store = place.store
        if not place.nodes:
            store.make_place()
        for content in (b"small", os.urandom(2 * s3.PART + 7), b""):
            digest = digests.Digest("sha256", hashlib.sha256(content).hexdigest())
            key = f"sha256/ab/{digest.hex}-elsewhere"
            with pytest.raises(HubError) as refused:
                await store.put(key, digest, pieces(content, b"more"))
            assert refused.value.kind is Kind.DIGEST_INVALID
            assert await store.stored_size(key) is None
            for _ in range(2):
                await store.put(key, digest, pieces(content))
            assert await gather(store.stream(key, 0, len(content))) == content
        if place.nodes:
            assert await place.nodes.unfinished() == 0

    loop.run(story())


def test_what_is_missing_or_short_is_told_from_a_store_that_is_away(loop: Loop, place: Place) -> None:
    async def story() -> None:
        store = place.store
        await place.append("u1", 0, pieces(b"stored"), hashlib.sha256())
        key = await place.commit("u1", 6)
        for wrong, length, fault in ((key + "x", 6, "missing"), (key, 7, "short")):
            with pytest.raises(Unreadable) as unreadable:
                await gather(store.stream(wrong, 0, length))
            assert unreadable.value.fault == fault
        if place.nodes:
            store._remote._prefix = "nowhere/"
        else:
            (place.folder / "blobs" / "sha256").rename(place.folder / "away")
        with pytest.raises(HubError) as away:
            await store.stored_size(key)
        assert away.value.kind is Kind.UNAVAILABLE
        with pytest.raises(HubError):
            await gather(store.stream(key, 0, 6))

    loop.run(story())


def test_an_unwritable_folder_is_said_clearly(loop: Loop, tmp_path: Path) -> None:
    async def story() -> None:
        store = FileBlobStore(tmp_path)
        (tmp_path / "uploads").rename(tmp_path / "moved")
        (tmp_path / "uploads").write_text("a file where a folder was")
        with pytest.raises(HubError) as refused:
            async with store.writing("u1") as file:
                await file.append(0, pieces(b"x"), hashlib.sha256())
        assert refused.value.kind is Kind.UNAVAILABLE
        assert "data folder" in refused.value.message

    loop.run(story())
