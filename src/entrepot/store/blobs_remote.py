"""Bytes in a bucket of an object storage service: the BlobStore and Objects ports over it.

Uploads are in ``remote_uploads``, the requests in ``remote``.

    <prefix>blobs/<key>         stored objects, tails of uploads, targets of multipart uploads; no name is used twice
    <prefix>quarantine/<name>   found damaged, set aside
    <prefix>entrepot            says that this is the place
    <data>/uploads/             parts on their way (files without a name) and locks

Durability: the server answered. Then the caller writes the row.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model.digest import Digest
from entrepot.store.blobs import TOPS, UPLOADED, Sending, Sink, Unreread
from entrepot.store.remote import Gone, Remote
from entrepot.store.remote_held import BLOBS, PART, Held, held_of, shard_of
from entrepot.store.remote_spool import Spool
from entrepot.store.remote_uploads import GrowingParts, Sender, store, upload_faults

QUARANTINE = "quarantine/"
_KNOWN = 1024
"""Most uploads whose ETags one process remembers."""
KNOWN_SECONDS = 3600
"""For how long it need not ask whether what it sent is there: rules that remove objects count in days."""


class _Sent(NamedTuple):
    """The ETags of an upload's parts as of its ``held``, and when (monotonic seconds)."""

    held: str
    etags: list[str]
    at: float


def _always() -> None:
    """An upload that is nobody else's."""


class Leases(Protocol):
    """Who of several nodes writes to an upload (store.leases)."""

    def holding(self, upload: str) -> AbstractAsyncContextManager[Callable[[], None]]:
        """Hold one; what is given raises once it is lost."""
        ...


class RemoteObjects:
    """The Objects port over one bucket."""

    def __init__(self, remote: Remote, folder: Path, *, part: int = PART) -> None:
        self._remote, self._part = remote, part
        self._spool = Spool(folder / "uploads")
        self._is_marked = False

    async def close(self) -> None:
        """Let go of connections."""
        await self._remote.close()

    async def _mark(self) -> None:
        if not self._is_marked:
            await self._remote.mark()
            failpoint.at("remote.marked")
            self._is_marked = True

    async def stored_size(self, key: str) -> int | None:
        """Ask the server. Whoever fills an empty place makes it one: nothing is lost there."""
        await self._mark()
        return await self._size(key)

    async def _size(self, key: str) -> int | None:
        stored = await self._remote.head(BLOBS + key)
        return None if stored is None else stored.size

    def stream(self, key: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """As the server sends it."""
        return self._remote.read(BLOBS + key, start, length)

    async def put(self, key: str, digest: Digest, body: AsyncIterator[bytes]) -> None:
        """Send parts, hash on the way, complete only what has the digest."""
        hasher = digests.hasher(digest.algorithm)
        await self._mark()
        async with Sender(self._remote, self._spool, self._part, key) as sender:
            try:
                await sender.receive(body, hasher)
                done = await sender.settle()
                if hasher.hexdigest() != digest.hex:
                    raise HubError(Kind.DIGEST_INVALID, f"{key}: its bytes have the digest {hasher.hexdigest()}")
                await sender.finish(done)
            except BaseException:
                if sender.id:
                    with contextlib.suppress(HubError):
                        await self._remote.abort(BLOBS + key, sender.id)
                raise


class RemoteBlobStore(RemoteObjects):
    """The BlobStore port over one bucket.

    ``unknown``: those of some keys that no row knows and whose upload has ended; nothing else is removed by its prefix.
    """

    def __init__(
        self,
        remote: Remote,
        folder: Path,
        leases: Leases,
        unknown: Callable[[list[str]], Awaitable[list[str]]],
        *,
        part: int = PART,
    ) -> None:
        super().__init__(remote, folder, part=part)
        self._leases, self._unknown = leases, unknown
        self._etags: dict[str, _Sent] = {}
        """Upload -> what this process sent: a hint that saves a request."""
        self._tops: list[str] | None = None
        """First parts of the keys that are there; other ones than our own come with a restore, before a hub opens."""

    @property
    def is_durable(self) -> bool:
        """The server has what was acknowledged."""
        return True

    @contextlib.asynccontextmanager
    async def writing(
        self, upload: str, held: str = "", *, is_one_request: bool = False
    ) -> AsyncIterator[GrowingParts]:
        """Own the upload: on this node by a lock, among nodes by a lease.

        What one request writes and ends needs neither: each one's objects have names of their own.
        """
        lock, lease = (
            (contextlib.nullcontext(), contextlib.nullcontext(_always))
            if is_one_request
            else (self._spool.owned(upload), self._leases.holding(upload))
        )
        with lock:
            async with lease as check:
                if is_one_request:
                    await self._mark()  # its object will be there before ``commit`` is asked
                failpoint.at("remote.owned")
                growing = GrowingParts(
                    self._remote, self._spool, upload, self._held(held), self._known(upload, held), check,
                    is_one_request=is_one_request,
                )  # fmt: skip
                try:
                    yield growing
                except BaseException:
                    self._remember(upload, growing)
                    raise
                self._remember(upload, growing)
                if growing.left:
                    with contextlib.suppress(HubError):  # the sweep takes it otherwise
                        await self._remote.delete(BLOBS + growing.left)
                    failpoint.at("remote.old-tail-gone")

    def _held(self, text: str) -> Held:
        return held_of(text, self._part)

    def _known(self, upload: str, held: str) -> list[str] | None:
        known = self._etags.get(upload)
        if known is None or known.held != held or time.monotonic() - known.at > KNOWN_SECONDS:
            return None
        return known.etags

    def _remember(self, upload: str, growing: GrowingParts) -> None:
        if growing.etags is None:
            return
        while len(self._etags) >= _KNOWN:
            self._etags.pop(next(iter(self._etags)))
        self._etags[upload] = _Sent(growing.held, growing.etags, time.monotonic())

    async def stored_size(self, key: str) -> int | None:
        """Ask the server; a hub makes its place with its first blob."""
        return await self._size(key)

    async def size(self, upload: str, held: str = "") -> int:
        """What the row says; whether it is there is found out where it is needed."""
        return self._held(held).size

    async def hash_upload(self, upload: str, length: int, sink: Sink, held: str = "") -> None:
        """Read a tail; parts cannot be read before they are an object."""
        now = self._held(held)
        if now.count:
            raise Unreread
        if length:
            with upload_faults(upload):
                await self._hash(now.tail, 0, length, sink)

    async def content(self, upload: str, length: int, held: str = "") -> bytes:
        """The tail: small uploads have no full part."""
        now = self._held(held)
        if not length:
            return b""
        if now.count or now.size < length:
            raise HubError(Kind.UPLOAD_UNKNOWN, "its bytes are gone")
        with upload_faults(upload):
            return b"".join([piece async for piece in self.stream(now.tail, 0, length)])

    async def commit(self, upload: str, length: int, algorithm: str, encoded: str, held: str = "") -> str:
        """Complete the multipart upload; an upload that is a tail only is the stored object already."""
        now = self._held(held)
        if now.size != length:
            raise HubError(Kind.UPLOAD_UNKNOWN, "its bytes are gone")
        with self._spool.owned(upload), upload_faults(upload):
            await self._mark()
            key = await store(self._remote, self._spool, upload, now, self._known(upload, held))
            self._etags.pop(upload, None)
            return key

    async def drop_upload(self, upload: str, held: str = "") -> None:
        """Abort what was begun, and remove the objects that no row knows."""
        self._etags.pop(upload, None)
        self._spool.drop(upload)
        now = self._held(held)
        begun = [(BLOBS + now.key, now.id)] if now.id else []
        prefix = f"{BLOBS}{UPLOADED}/{shard_of(upload)}/{upload}_"
        begun += [(one.name, one.id) async for one in self._remote.unfinished(prefix)]
        for name, id_ in dict.fromkeys(begun):
            await self._remote.abort(name, id_)
            failpoint.at("remote.aborted")
        found = [one.name.removeprefix(BLOBS) async for one in self._remote.below(prefix)]
        for key in await self._unknown(found):
            await self._remote.delete(BLOBS + key)
            failpoint.at("remote.dropped")

    async def old_uploads(self, before: float, limit: int) -> list[str]:
        """Uploads with a multipart upload that began before a time, and locks that a kill left.

        Tails are objects: the sweep takes them.
        """
        found = dict.fromkeys(await asyncio.to_thread(self._spool.names, before, limit))
        async with contextlib.aclosing(self._remote.unfinished(f"{BLOBS}{UPLOADED}/")) as unfinished:
            async for one in unfinished:
                if one.begun < before:
                    found[one.name.rpartition("/")[2].partition("_")[0]] = None
                if len(found) >= limit:
                    break
        return list(found)[:limit]

    @property
    def shards(self) -> int:
        """One for each hex digit: a request tells of a thousand objects."""
        return 16

    async def old_objects(self, shard: int, before: float) -> list[str]:
        """List each kind of key that is there below one digit."""
        if self._tops is None:
            self._tops = [top for top in TOPS if top == UPLOADED or await self._remote.has_any(f"{BLOBS}{top}/")]
        return [
            one.name.removeprefix(BLOBS)
            for top in self._tops
            async for one in self._remote.below(f"{BLOBS}{top}/{shard:x}")
            if one.modified < before
        ]

    async def hash_stored(self, key: str, start: int, length: int, sink: Sink) -> None:
        """Read and hash piece by piece."""
        await self._hash(key, start, length, sink)

    async def _hash(self, key: str, start: int, length: int, sink: Sink) -> None:
        async with contextlib.aclosing(self.stream(key, start, length)) as pieces:
            async for piece in pieces:
                await asyncio.to_thread(sink.update, piece)

    async def sending(self, key: str, start: int, length: int, *, is_whole: bool, redirect_seconds: int) -> Sending:
        """An address, or a stream through the hub."""
        if redirect_seconds:
            return Sending(url=await self._remote.address(BLOBS + key, redirect_seconds))
        return Sending(stream=self.stream(key, start, length))

    async def quarantine(self, key: str) -> None:
        """Copy inside the server, then delete; its time counts from the copy."""
        stored = await self._remote.head(BLOBS + key)
        if stored is None:
            return
        with contextlib.suppress(Gone):
            await self._remote.copy(BLOBS + key, QUARANTINE + key.replace("/", "_"), stored.size)
        await self._remote.delete(BLOBS + key)

    async def drop_quarantined(self, before: float, limit: int) -> int:
        """Delete what was set aside long ago."""
        old: list[str] = []
        async with contextlib.aclosing(self._remote.below(QUARANTINE)) as found:
            async for one in found:
                if one.modified < before and len(old) < limit:
                    old.append(one.name)
        for name in old:
            await self._remote.delete(name)
        return len(old)

    async def delete(self, key: str) -> None:
        """Delete a stored object."""
        await self._remote.delete(BLOBS + key)
