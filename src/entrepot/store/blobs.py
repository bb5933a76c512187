"""The BlobStore port: it speaks of uploads, not of paths.

An upload is a growing object under its session id. ``commit`` turns it into a stored object under a key that
is never used again; which digest that key holds is a row's business.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from entrepot.errors import HubError, Kind
from entrepot.model.digest import Digest


class BlobStore(Protocol):
    """Where bytes live."""

    def writing(self, upload: str) -> AbstractAsyncContextManager["Growing"]:
        """Own an upload until the block ends; it is made when missing.

        Raises RANGE_INVALID while somebody else owns it, UPLOAD_UNKNOWN when it was published meanwhile.
        """
        ...

    async def size(self, upload: str) -> int:
        """Bytes held for an upload; 0 for one that was never written to."""
        ...

    async def hash_upload(self, upload: str, length: int, sink: "Sink") -> None:
        """Feed the first ``length`` bytes of an upload to ``sink``: for a resumed upload on another worker."""
        ...

    async def content(self, upload: str, length: int) -> bytes:
        """The first ``length`` bytes of a small upload; raises UPLOAD_UNKNOWN when they are not there."""
        ...

    async def commit(self, upload: str, length: int, algorithm: str, encoded: str) -> str:
        """Make the first ``length`` bytes of the upload durable as a stored object; returns its key.

        What was written beyond ``length`` and never acknowledged is cut off. Raises RANGE_INVALID while somebody
        appends, UPLOAD_UNKNOWN when the bytes are not there (any more).
        """
        ...

    async def drop_upload(self, upload: str) -> None:
        """Forget an upload; no error when there is none."""
        ...

    async def old_uploads(self, before: float, limit: int) -> list[str]:
        """At most ``limit`` uploads that were not written to since ``before`` (Unix seconds)."""
        ...

    @property
    def shards(self) -> int:
        """How many parts the stored objects are in, for ``old_objects``."""
        ...

    async def old_objects(self, shard: int, before: float) -> list[str]:
        """Keys of the stored objects in one part that were stored before a time (Unix seconds)."""
        ...

    async def stored_size(self, key: str) -> int | None:
        """Bytes of a stored object; None when it is not there. Raises Unreadable, UNAVAILABLE."""
        ...

    async def hash_stored(self, key: str, start: int, length: int, sink: "Sink") -> None:
        """Feed ``length`` bytes of a stored object to ``sink``, away from the event loop.

        Raises Unreadable, and UNAVAILABLE where the fault is not the object's.
        """
        ...

    async def quarantine(self, key: str) -> None:
        """Set the bytes of a stored object aside, where nothing is served from; no error when there are none."""
        ...

    async def drop_quarantined(self, before: float, limit: int) -> int:
        """Remove at most ``limit`` objects that were set aside before a time (Unix seconds); how many."""
        ...

    async def delete(self, key: str) -> None:
        """Remove a stored object; no error when there is none."""
        ...

    def path(self, key: str) -> Path:
        """The file of a stored object, for servers that send files themselves."""
        ...

    def stream(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """The bytes ``start`` to ``start + length`` of a stored object, in pieces of at most 1 MiB.

        Raises Unreadable, and UNAVAILABLE where the fault is not the object's.
        """
        ...


class Objects(Protocol):
    """Stored objects that keep the keys they had elsewhere: a backup, and what is restored from one."""

    async def stored_size(self, key: str) -> int | None:
        """Bytes of a stored object; None when it is not there."""
        ...

    def stream(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """As ``BlobStore.stream``."""
        ...

    async def put(self, key: str, digest: Digest, body: AsyncIterator[bytes]) -> None:
        """Store an object durably, in place of one that is there under this key.

        Raises DIGEST_INVALID for bytes of another digest and UNAVAILABLE for a full disk, and stores nothing then.
        """
        ...


_PART = r"[0-9A-Za-z][0-9A-Za-z._-]*"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")


def check_key(key: str) -> None:
    """Raise BAD_REQUEST for a storage key that leads out of a store: keys from elsewhere are not trusted."""
    if len(key) > 512 or not _KEY.fullmatch(key):
        raise HubError(Kind.BAD_REQUEST, f"{key[:160]!r} is no storage key")


class Growing(Protocol):
    """An upload that the caller owns."""

    @property
    def size(self) -> int:
        """Bytes held."""
        ...

    async def append(self, offset: int, body: AsyncIterator[bytes], sink: "Sink") -> int:
        """Write ``body`` at ``offset`` (what lies beyond is cut off first) and feed the same bytes to ``sink``.

        Returns the number of bytes written; when the body breaks off, ``Broken`` carries it.
        """
        ...


class Sink(Protocol):
    """Takes bytes in order; a running hash is one."""

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        """Take the next bytes."""
        ...


class Unreadable(Exception):
    """The bytes of a stored object cannot be had; ``fault`` is missing, short or unreadable (the medium fails)."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault


class Broken(Exception):
    """The body of an append broke off; ``written`` bytes of it are held."""

    def __init__(self, written: int) -> None:
        super().__init__(written)
        self.written = written
