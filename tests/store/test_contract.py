"""What every BlobStore must hold."""

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import HubError, Kind
from entrepot.store.blobs import Broken
from entrepot.store.blobs_fs import FileBlobStore
from tests.conftest import Loop


async def pieces(*chunks: bytes, broken: bool = False) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk
    if broken:
        raise Broken(0)


async def append(store: FileBlobStore, upload: str, offset: int, body: AsyncIterator[bytes], sink: Any) -> int:
    async with store.writing(upload) as file:
        return await file.append(offset, body, sink)


async def gather(body: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in body])


def test_append_hash_commit_read(loop: Loop, tmp_path: Path) -> None:
    async def story() -> None:
        store, sink = FileBlobStore(tmp_path), hashlib.sha256()
        chunks = [os.urandom(size) for size in (10, 700_000, 300_000, 1, 600_000)]
        whole = b"".join(chunks)
        assert await append(store, "u1", 0, pieces(*chunks[:3]), sink) == 1_000_010
        assert await append(store, "u1", 1_000_010, pieces(*chunks[3:]), sink) == 600_001
        assert sink.digest() == hashlib.sha256(whole).digest()
        assert await store.size("u1") == len(whole)
        again = hashlib.sha256()
        await store.hash_upload("u1", len(whole), again)
        assert again.digest() == sink.digest()
        key = await store.commit("u1", len(whole), "sha256", sink.hexdigest())
        assert await store.size("u1") == 0
        assert store.path(key).read_bytes() == whole
        assert await gather(store.stream(key, 5, 1_500_000)) == whole[5:1_500_005]
        await store.delete(key)
        await store.delete(key)
        assert not store.path(key).exists()

    loop.run(story())


def test_a_broken_body_says_how_much_is_held(loop: Loop, tmp_path: Path) -> None:
    async def story() -> None:
        store, sink = FileBlobStore(tmp_path), hashlib.sha256()
        with pytest.raises(Broken) as broken:
            await append(store, "u1", 0, pieces(b"a" * 600_000, b"b" * 10, broken=True), sink)
        assert broken.value.written == await store.size("u1") == 600_010
        assert sink.hexdigest() == hashlib.sha256(b"a" * 600_000 + b"b" * 10).hexdigest()

    loop.run(story())


def test_two_keys_for_one_digest_and_no_late_writer(loop: Loop, tmp_path: Path) -> None:
    async def story() -> None:
        store = FileBlobStore(tmp_path)
        keys = set()
        for upload in ("u1", "u2"):
            await append(store, upload, 0, pieces(b"same"), hashlib.sha256())
            keys.add(await store.commit(upload, 4, "sha256", hashlib.sha256(b"same").hexdigest()))
        assert len(keys) == 2
        with pytest.raises(HubError) as refused:
            await store.commit("u1", 4, "sha256", "00")
        assert refused.value.kind is Kind.UPLOAD_UNKNOWN
        assert {store.path(key).read_bytes() for key in keys} == {b"same"}
        await store.drop_upload("u3")

    loop.run(story())


def test_one_appender_at_a_time(loop: Loop, tmp_path: Path) -> None:
    async def story() -> None:
        store, held = FileBlobStore(tmp_path), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            await held.wait()

        first = asyncio.create_task(append(store, "u1", 0, slow(), hashlib.sha256()))
        await asyncio.sleep(0.01)
        with pytest.raises(HubError) as refused:
            await append(store, "u1", 0, pieces(b"second"), hashlib.sha256())
        assert refused.value.kind is Kind.RANGE_INVALID
        with pytest.raises(HubError):
            await store.commit("u1", 5, "sha256", "00")
        held.set()
        assert await first == 5

    loop.run(story())


def test_an_unwritable_folder_is_said_clearly(loop: Loop, tmp_path: Path) -> None:
    async def story() -> None:
        store = FileBlobStore(tmp_path)
        (tmp_path / "uploads").rename(tmp_path / "moved")
        (tmp_path / "uploads").write_text("a file where a folder was")
        with pytest.raises(HubError) as refused:
            await append(store, "u1", 0, pieces(b"x"), hashlib.sha256())
        assert refused.value.kind is Kind.UNAVAILABLE
        assert "data folder" in refused.value.message

    loop.run(story())
