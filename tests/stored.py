"""What a hub's store holds, seen from behind its back: files in its folder, or objects in its bucket.

What is found can be read, changed and removed like a file, so a test of damage or leftovers is one test for both.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeVar

import pytest

from entrepot import wiring
from entrepot.config import Settings
from entrepot.store.blobs import upload_of
from entrepot.store.db import Rows
from tests import s3
from tests.conftest import BUCKETS, TestHub

T = TypeVar("T")


class Kept(Protocol):
    """A file, or an object that acts like one."""

    name: str

    @property
    def parts(self) -> tuple[str, ...]: ...

    def read_bytes(self) -> bytes: ...

    def write_bytes(self, content: bytes, /) -> int: ...

    def unlink(self) -> None: ...

    def exists(self) -> bool: ...

    def stat(self) -> Any: ...


def is_in_bucket(hub: TestHub) -> bool:
    return bool(hub.settings.blobs_url)


class Piece:
    """An object of a bucket; equal to another one of the same name."""

    def __init__(self, hub: TestHub, key: str, size: int = 0) -> None:
        self._place, self.key, self._size = s3.behind(hub.settings), key, size
        self.name = key.rpartition("/")[2]
        self.parts = tuple(key.split("/"))
        self.stored_key = key.removeprefix("blobs/")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Piece) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.key

    def read_bytes(self) -> bytes:
        return asyncio.run(self._place.get(self.key))

    def write_bytes(self, content: bytes) -> int:
        asyncio.run(self._place.put(self.key, content))
        return len(content)

    def unlink(self) -> None:
        asyncio.run(self._place.delete(self.key))

    def exists(self) -> bool:
        return self.key in asyncio.run(self._place.sizes())

    def stat(self) -> Any:
        return SimpleNamespace(st_size=self._size)


def outside(settings: Settings, work: Callable[[Rows], T]) -> T:
    """Read or write the rows of a hub, whose process may run, by a connection of its own."""

    async def ask() -> T:
        db = wiring.open_database(settings)
        try:
            return await db.write(work)
        finally:
            await db.close()

    return asyncio.run(ask())


def _pieces(hub: TestHub) -> tuple[list[Piece], list[str]]:
    """Every object, and the names of the multipart uploads that are not completed."""
    place = s3.behind(hub.settings)

    async def ask() -> tuple[list[Piece], list[str]]:
        sizes = await place.sizes()
        return [Piece(hub, key, size) for key, size in sizes.items()], await place.unfinished()

    return asyncio.run(ask())


def _growing(hub: TestHub, pieces: list[Piece]) -> list[Piece]:
    """Those that are (or were) part of an upload rather than stored."""

    def read(rows: Rows) -> list[Piece]:
        known = {key for (key,) in rows.all("SELECT storage_key FROM blob UNION SELECT storage_key FROM dead_object")}
        uploads = {name for (name,) in rows.all("SELECT id FROM upload")}
        return [one for one in pieces if one.stored_key not in known and upload_of(one.stored_key) in uploads]

    return outside(hub.settings, read)  # the hub's own loop may stand still at a failpoint


def objects(hub: TestHub) -> list[Kept]:
    """Stored objects, and what is in quarantine."""
    if not is_in_bucket(hub):
        return [one for one in (hub.settings.data_dir / "blobs").rglob("*") if one.is_file()]
    found = [one for one in _pieces(hub)[0] if one.parts[0] != "entrepot"]
    growing = _growing(hub, found)
    return [one for one in found if one not in growing]


def growing(hub: TestHub) -> list[Kept]:
    """What is kept of uploads that have not become objects, and locks."""
    local: list[Kept] = [one for one in (hub.settings.data_dir / "uploads").glob("*") if one.is_file()]
    if not is_in_bucket(hub):
        return local
    found, unfinished = _pieces(hub)
    return [*local, *_growing(hub, found), *(Piece(hub, key) for key in unfinished)]


def object_of(hub: TestHub, digest: str) -> Kept:
    """The stored object of a blob."""
    row = hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT storage_key FROM blob WHERE digest = :d", d=digest)))
    return object_at(hub, row[0])


def object_at(hub: TestHub, key: str) -> Kept:
    """The object under a key, there or not."""
    if is_in_bucket(hub):
        return Piece(hub, f"blobs/{key}")
    return hub.settings.data_dir / "blobs" / key


@contextlib.contextmanager
def away(hub: TestHub) -> Iterator[None]:
    """The volume is not mounted; the bucket's place is another one."""
    if is_in_bucket(hub):
        bucket = hub.hub.blobs._remote  # type: ignore[attr-defined]
        before, bucket._prefix = bucket._prefix, "nowhere/"
        yield
        bucket._prefix = before
        return
    folder = hub.settings.data_dir / "blobs" / "sha256"
    folder.mkdir(parents=True, exist_ok=True)
    folder.rename(folder.with_name("away"))
    yield
    folder.with_name("away").rename(folder)


def only_files() -> None:
    """Skip what is about files themselves."""
    if BUCKETS:
        pytest.skip("files themselves are the subject")


def put(hub: TestHub, key: str, content: bytes) -> Kept:
    """An object that no row knows."""
    made = object_at(hub, key)
    if isinstance(made, Path):
        made.parent.mkdir(parents=True, exist_ok=True)
    made.write_bytes(content)
    return made
