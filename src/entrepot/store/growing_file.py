"""Bytes on their way into a file: while one piece is written and hashed in threads, the next one arrives."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

from entrepot import failpoint
from entrepot.store.blobs import Broken, Sink
from entrepot.store.disk import disk_faults

PIECE = 512 * 1024
"""Bytes gathered before a hop to threads writes and hashes them; while it works, the next piece arrives."""
INLINE = 64 * 1024
"""A piece this small is written where it is: the hop would cost more."""
FEW = 3
FLUSH = 8 * 1024 * 1024
"""Bytes after which writing out to the disk is begun while more arrive."""


class GrowingFile:
    """A file that grows."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def append(self, offset: int, body: AsyncIterator[bytes], sink: Sink) -> int:
        """Write and hash at once; see the port."""
        with disk_faults():
            os.ftruncate(self._descriptor, offset)
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            failpoint.at("upload.cut")
            return await pump(self._descriptor, offset, body, sink)


async def pump(descriptor: int, offset: int, body: AsyncIterator[bytes], sink: Sink) -> int:
    """Receive the next piece while threads write and hash the one before it; two pieces in memory at most."""
    writer = _Writer(descriptor, offset, sink)
    try:
        return await _pump(writer, body)
    except BaseException:
        await writer.abandon()
        raise


async def _pump(writer: "_Writer", body: AsyncIterator[bytes]) -> int:
    piece: list[bytes] = []
    size = 0
    try:
        async for chunk in body:
            piece.append(chunk)
            size += len(chunk)
            if size >= PIECE:
                await writer.put(piece, size)
                piece, size = [], 0
    except Broken:
        await writer.put(piece, size)
        await writer.settle()
        raise Broken(writer.accepted) from None
    await writer.settle()
    if size <= INLINE:
        writer.write(piece)
        writer.hash(piece)
        return writer.accepted + size
    await writer.put(piece, size)
    await writer.settle()
    return writer.accepted


class _Writer:
    """One piece under way in two threads."""

    def __init__(self, descriptor: int, offset: int, sink: Sink) -> None:
        self._descriptor = descriptor
        self._sink = sink
        self._running: asyncio.Task[None] | None = None
        self._written = self._flushed = offset
        self.accepted = 0

    def hash(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            self._sink.update(chunk)

    def write(self, chunks: list[bytes]) -> None:
        for chunk in chunks:
            view, done = memoryview(chunk), 0
            while done < len(view):
                done += os.write(self._descriptor, view[done:])
                failpoint.at("upload.piece")
            self._written += done
        if self._written - self._flushed >= FLUSH and hasattr(os, "posix_fadvise"):
            # The kernel begins to write these pages out now (they stay readable): less is left to the fsync at the end.
            os.posix_fadvise(self._descriptor, self._flushed, self._written - self._flushed, os.POSIX_FADV_DONTNEED)
            self._flushed = self._written

    async def put(self, piece: list[bytes], size: int) -> None:
        await self.settle()
        # Many small chunks are joined: each call into the kernel or the hash gives the interpreter lock away.
        self._running = asyncio.ensure_future(self._both(piece if len(piece) <= FEW else [b"".join(piece)]))
        self.accepted += size

    async def _both(self, chunks: list[bytes]) -> None:
        """Write in one thread, hash in another: one after the other takes as long as both. Ends when both have."""
        loop = asyncio.get_running_loop()
        both = [loop.run_in_executor(None, do, chunks) for do in (self.write, self.hash)]
        await asyncio.wait(both)
        for one in both:
            one.result()

    async def settle(self) -> None:
        if self._running:
            # Shielded, and forgotten only when done: a cancelled request must not close a file that is written to.
            await asyncio.shield(self._running)
            self._running = None

    async def abandon(self) -> None:
        """Wait, whatever comes of it: the descriptor is closed next."""
        while self._running and not self._running.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([self._running])
