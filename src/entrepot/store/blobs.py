"""The BlobStore port: it speaks of uploads, not of paths.

An upload is a growing object under its session id. ``commit`` turns it into a stored object under a key that
is never used again; which digest that key holds is a row's business. What a store must know of an upload to go on with
it elsewhere is ``held``: words of its own, which the upload's row keeps beside the number of bytes they stand for.
"""

import re
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple, Protocol

from entrepot.errors import HubError, Kind
from entrepot.model.digest import ALGORITHMS, Digest


class BlobStore(Protocol):
    """Where bytes live."""

    @property
    def is_durable(self) -> bool:
        """Whether what an upload acknowledged survives a power cut: then nothing need be read again to be sure."""
        ...

    def writing(
        self, upload: str, held: str = "", *, is_one_request: bool = False
    ) -> AbstractAsyncContextManager["Growing"]:
        """Own an upload until the block ends; it is made when missing.

        ``is_one_request``: nothing was acknowledged of it, and the caller ends it. Then a store may let several write
        to it at once if none is in another one's way: the rows decide whose bytes become the blob.
        Raises RANGE_INVALID while somebody else owns it, UPLOAD_UNKNOWN when it was published meanwhile.
        """
        ...

    async def size(self, upload: str, held: str = "") -> int:
        """Bytes held for an upload; 0 for one that was never written to."""
        ...

    async def hash_upload(self, upload: str, length: int, sink: "Sink", held: str = "") -> None:
        """Feed the first ``length`` bytes of an upload to ``sink``: for a resumed upload on another worker.

        Raises Unreread where only a stored object can be read.
        """
        ...

    async def content(self, upload: str, length: int, held: str = "") -> bytes:
        """The first ``length`` bytes of a small upload; raises UPLOAD_UNKNOWN when they are not there."""
        ...

    async def commit(self, upload: str, length: int, algorithm: str, encoded: str, held: str = "") -> str:
        """Make the first ``length`` bytes of the upload durable as a stored object; returns its key.

        What was written beyond ``length`` and never acknowledged is cut off. Raises RANGE_INVALID while somebody
        appends, UPLOAD_UNKNOWN when the bytes are not there (any more).
        """
        ...

    async def drop_upload(self, upload: str, held: str = "") -> None:
        """Forget an upload that has ended in the rows; no error when there is none. A stored object stays."""
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

    async def sending(self, key: str, start: int, length: int, *, is_whole: bool, redirect_seconds: int) -> "Sending":
        """How a stored object, or a part of it, gets to a client.

        ``redirect_seconds``: how long an address may be good for that the client is sent to; 0: none may be given out.
        """
        ...

    def stream(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """The bytes ``start`` to ``start + length`` of a stored object, in pieces of at most 1 MiB.

        Raises Unreadable, and UNAVAILABLE where the fault is not the object's.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class Sending(NamedTuple):
    """What the door does to send bytes: one of these is set."""

    path: str = ""
    """A file for the server to send by itself."""
    url: str = ""
    """Where the client is sent for them; it asks there for the same range again."""
    stream: AsyncIterator[bytes] | None = None


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

    async def close(self) -> None:
        """Let go of connections."""
        ...


_PART = r"[0-9A-Za-z][0-9A-Za-z._-]*"
_KEY = re.compile(rf"{_PART}(?:/{_PART})*")


def check_key(key: str) -> None:
    """Raise BAD_REQUEST for a storage key that leads out of a store: keys from elsewhere are not trusted."""
    if len(key) > 512 or not _KEY.fullmatch(key):
        raise HubError(Kind.BAD_REQUEST, f"{key[:160]!r} is no storage key")


UPLOADED = "u"
"""First part of the keys of objects that were named before their digest was known."""
TOPS = (*ALGORITHMS, UPLOADED)
"""First parts of all keys; the second one is the shard."""


def upload_of(key: str) -> str:
    """The session that an object's key was made for: ``sha256/ab/<hex>-<session>`` or ``u/ab/<session>_<word>``."""
    top, _, name = key.partition("/")
    name = name.rpartition("/")[2]
    return name.partition("_")[0] if top == UPLOADED else name.partition("-")[2]


class Growing(Protocol):
    """An upload that the caller owns."""

    @property
    def size(self) -> int:
        """Bytes held."""
        ...

    @property
    def held(self) -> str:
        """What the upload's row must keep, in one transaction with the number of bytes."""
        ...

    def undo(self) -> None:
        """Take back what owning an upload made that turns out to have ended."""
        ...

    async def append(self, offset: int, body: AsyncIterator[bytes], sink: "Sink") -> int:
        """Write ``body`` at ``offset`` (what lies beyond is cut off first) and feed the same bytes to ``sink``.

        Returns the number of bytes written; when the body breaks off, ``Broken`` carries it.
        """
        ...

    async def commit(self, algorithm: str, encoded: str) -> str:
        """Make all that is held durable as a stored object, while it is still owned; as ``BlobStore.commit``."""
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


class Unreread(Exception):
    """The bytes of an upload cannot be read before it is a stored object."""


class Broken(Exception):
    """The body of an append broke off; ``written`` bytes of it are held."""

    def __init__(self, written: int) -> None:
        super().__init__(written)
        self.written = written
