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
        self._where, self.key, self._size = (hub.settings.s3_endpoint, _place(hub)), key, size
        self.name = key.rpartition("/")[2]
        self.parts = tuple(key.split("/"))
        self.stored_key = key.removeprefix("blobs/")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Piece) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return self.key

    def _ask(self, verb: str, **given: Any) -> Any:
        from tests import s3

        url, (bucket, prefix) = self._where

        async def ask() -> Any:
            async with s3.raw(url) as client:
                answer = await getattr(client, verb)(Bucket=bucket, Key=prefix + self.key, **given)
                return await answer["Body"].read() if "Body" in answer else answer

        return asyncio.run(ask())

    def read_bytes(self) -> bytes:
        content: bytes = self._ask("get_object")
        return content

    def write_bytes(self, content: bytes) -> int:
        self._ask("put_object", Body=content)
        return len(content)

    def unlink(self) -> None:
        self._ask("delete_object")

    def exists(self) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._ask("head_object")
        except ClientError:
            return False
        return True

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


def _place(hub: TestHub) -> tuple[str, str]:
    bucket, _, prefix = hub.settings.blobs_url.removeprefix("s3://").partition("/")
    return bucket, f"{prefix}/"


def _pieces(hub: TestHub) -> tuple[list[Piece], list[str]]:
    """Every object, and the names of the multipart uploads that are not completed."""
    from tests import s3

    bucket, prefix = _place(hub)

    async def ask() -> tuple[list[Piece], list[str]]:
        found = []
        async with s3.raw(hub.settings.s3_endpoint) as client:
            async for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                found += [Piece(hub, one["Key"].removeprefix(prefix), one["Size"]) for one in page.get("Contents", ())]
            open_ = await client.list_multipart_uploads(Bucket=bucket, Prefix=prefix)
        return found, [one["Key"].removeprefix(prefix) for one in open_.get("Uploads", ())]

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
