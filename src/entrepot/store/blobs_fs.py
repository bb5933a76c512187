"""Bytes in local files.

    uploads/<session>                        growing; its length is never less than what was acknowledged
    blobs/<algorithm>/<2 hex>/<hex>-<session>  stored; written once, never again under the same name
    blobs/quarantine/<name>                  found damaged, set aside for whoever wants to know why

Durability: fsync the file, rename it, fsync the folder it came to. Then the caller writes the row.
"""

import asyncio
import contextlib
import errno
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model.digest import Digest
from entrepot.store.blobs import TOPS, Broken, Sending, Sink, Unreadable
from entrepot.store.disk import disk_faults, old_names, own_upload, sync_folder, sync_upload

PIECE = 512 * 1024
"""Bytes gathered before a hop to threads writes and hashes them; while it works, the next piece arrives."""
INLINE = 64 * 1024
"""A piece this small is written where it is: the hop would cost more."""
READ = 1024 * 1024
FEW = 3
FLUSH = 8 * 1024 * 1024
"""Bytes after which writing out to the disk is begun while more arrive."""
_MEDIUM = frozenset({errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA})
"""Errors that speak of the bytes of one file, not of the machine."""


class FileBlobStore:
    """The BlobStore port over one folder."""

    def __init__(self, folder: Path) -> None:
        self._uploads = folder / "uploads"
        self._blobs = folder / "blobs"
        self._quarantine = self._blobs / "quarantine"
        self._uploads.mkdir(parents=True, exist_ok=True)
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._shards: set[Path] = set()

    @property
    def is_durable(self) -> bool:
        """Pages that were not brought to the disk are lost with the power."""
        return False

    @contextlib.asynccontextmanager
    async def writing(self, upload: str, held: str = "") -> AsyncIterator["GrowingFile"]:
        """Own the file by its lock; see the port."""
        with disk_faults():
            descriptor = os.open(self._uploads / upload, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            own_upload(descriptor, self._uploads / upload)
            failpoint.at("upload.owned")
            yield GrowingFile(descriptor, self._uploads / upload)
        finally:
            os.close(descriptor)

    async def size(self, upload: str, held: str = "") -> int:
        """Bytes held for an upload."""
        with disk_faults():
            try:
                return (self._uploads / upload).stat().st_size
            except FileNotFoundError:
                return 0

    async def hash_upload(self, upload: str, length: int, sink: Sink, held: str = "") -> None:
        """Read the first bytes again, in a thread."""

        def read() -> None:
            left = length
            with (self._uploads / upload).open("rb") as file:
                while left and (piece := file.read(min(READ, left))):
                    sink.update(piece)
                    left -= len(piece)

        if length:
            with disk_faults():
                await asyncio.to_thread(read)

    async def content(self, upload: str, length: int, held: str = "") -> bytes:
        """Read them where we are: they were written a moment ago and are few."""
        if not length:
            return b""
        with disk_faults(), (self._uploads / upload).open("rb") as file:
            found = file.read(length)
        if len(found) < length:
            raise HubError(Kind.UPLOAD_UNKNOWN, "its bytes are gone")
        return found

    async def commit(self, upload: str, length: int, algorithm: str, encoded: str, held: str = "") -> str:
        """Cut, fsync, rename, fsync the folder."""
        key = f"{algorithm}/{encoded[:2]}/{encoded}-{upload}"
        with disk_faults():
            await asyncio.to_thread(self._commit, self._uploads / upload, length, self._blobs / key)
        return key

    def _commit(self, source: Path, length: int, target: Path) -> None:
        shard = target.parent
        if shard not in self._shards:
            shard.mkdir(parents=True, exist_ok=True)
            failpoint.at("blob.folder-made")
            try:
                for folder in (shard.parent, self._blobs):
                    sync_folder(folder)
                    failpoint.at("blob.folder-synced")
            except OSError:
                # The system forgets what it could not write: the next fsync would say yes to a folder that is lost.
                with contextlib.suppress(OSError):
                    shard.rmdir()
                raise
            self._shards.add(shard)
        descriptor = os.open(source, os.O_RDWR | (0 if length else os.O_CREAT), 0o600)
        try:
            own_upload(descriptor, source)
            if os.fstat(descriptor).st_size < length:
                raise FileNotFoundError(source)
            os.ftruncate(descriptor, length)
            failpoint.at("blob.cut")
            sync_upload(descriptor, source)
            failpoint.at("blob.synced")
            source.rename(target)  # under the lock: whoever waits for it finds the name gone
            failpoint.at("blob.renamed")
        finally:
            os.close(descriptor)
        sync_folder(shard)

    async def drop_upload(self, upload: str, held: str = "") -> None:
        """Unlink the growing file."""
        with disk_faults():
            (self._uploads / upload).unlink(missing_ok=True)

    async def old_uploads(self, before: float, limit: int) -> list[str]:
        """Look through the growing files, in a thread."""
        with disk_faults():
            return await asyncio.to_thread(old_names, self._uploads, before, limit)

    @property
    def shards(self) -> int:
        """One for each pair of hex digits."""
        return 256

    async def old_objects(self, shard: int, before: float) -> list[str]:
        """Look through the folders of one pair of digits, in a thread."""

        def look() -> list[str]:
            found: list[str] = []
            for algorithm in TOPS:
                part = f"{algorithm}/{shard:02x}"
                with contextlib.suppress(FileNotFoundError):
                    found += [f"{part}/{name}" for name in old_names(self._blobs / part, before)]
            return found

        with disk_faults():
            return await asyncio.to_thread(look)

    async def stored_size(self, key: str) -> int | None:
        """Bytes of a stored file."""
        try:
            return self.path(key).stat().st_size
        except OSError as fault:
            wrong = self._fault_of(key, fault)
            if wrong.fault == "missing":
                return None
            raise wrong from fault

    async def hash_stored(self, key: str, start: int, length: int, sink: Sink) -> None:
        """Read and hash in a thread."""

        def read() -> None:
            with self.path(key).open("rb", buffering=0) as file:
                file.seek(start)
                left = length
                while left:
                    piece = file.read(min(READ, left))
                    if not piece:
                        raise Unreadable("short")
                    sink.update(piece)
                    left -= len(piece)

        try:
            await asyncio.to_thread(read)
        except OSError as fault:
            raise self._fault_of(key, fault) from fault

    def _fault_of(self, key: str, fault: OSError) -> Unreadable:
        """What an error says about one object; raises UNAVAILABLE when it says nothing about it."""
        if isinstance(fault, FileNotFoundError):
            # A volume that is not mounted must not make every blob look lost.
            if not (self._blobs / key.partition("/")[0]).is_dir():
                raise HubError(Kind.UNAVAILABLE, "the blobs folder is empty; is its volume mounted?") from fault
            return Unreadable("missing")
        if fault.errno in _MEDIUM:
            return Unreadable("unreadable")
        raise HubError(Kind.UNAVAILABLE, f"the data folder cannot be read: {fault.strerror}") from fault

    async def delete(self, key: str) -> None:
        """Unlink a stored file."""
        with disk_faults():
            self.path(key).unlink(missing_ok=True)

    async def quarantine(self, key: str) -> None:
        """Move a stored file aside, on the same volume; its time counts from now."""
        aside = self._quarantine / key.replace("/", "_")
        with disk_faults():
            self._quarantine.mkdir(exist_ok=True, mode=0o700)
            with contextlib.suppress(FileNotFoundError):
                os.utime(self.path(key))
                self.path(key).rename(aside)

    async def drop_quarantined(self, before: float, limit: int) -> int:
        """Unlink what was set aside long ago, in a thread."""

        def drop() -> int:
            found: list[str] = []
            with contextlib.suppress(FileNotFoundError):
                found = old_names(self._quarantine, before, limit)
            for name in found:
                (self._quarantine / name).unlink(missing_ok=True)
            return len(found)

        with disk_faults():
            return await asyncio.to_thread(drop)

    def make_place(self) -> None:
        """Make the folders of objects, for a store that gets its first ones from elsewhere.

        A hub's own comes with its first blob, and where it is gone later, a volume is not mounted.
        """
        for top in TOPS:
            (self._blobs / top).mkdir(exist_ok=True)

    async def put(self, key: str, digest: Digest, body: AsyncIterator[bytes]) -> None:
        """Write beside, hash on the way, then as ``commit``."""
        draft = self._uploads / f"put.{secrets.token_hex(16)}"
        hasher = digests.hasher(digest.algorithm)
        try:
            descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                length = await _pump(descriptor, 0, body, hasher)
            finally:
                os.close(descriptor)
            if hasher.hexdigest() != digest.hex:
                raise HubError(Kind.DIGEST_INVALID, f"{key}: its bytes have the digest {hasher.hexdigest()}")
            await asyncio.to_thread(self._commit, draft, length, self._blobs / key)
        except OSError as fault:
            raise HubError(Kind.UNAVAILABLE, f"{self._blobs} cannot be written: {fault.strerror}") from fault
        finally:
            draft.unlink(missing_ok=True)

    def path(self, key: str) -> Path:
        """The file of a stored object."""
        return self._blobs / key

    async def sending(self, key: str, start: int, length: int, *, is_whole: bool, redirect_seconds: int) -> Sending:
        """A whole file is the server's to send."""
        if is_whole:
            return Sending(path=str(self.path(key)))
        return Sending(stream=self.stream(key, start, length))

    async def close(self) -> None:
        """Nothing is open."""

    async def stream(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Read in pieces; the first one inline, because it is mostly the only one."""
        try:
            with self.path(key).open("rb", buffering=0) as file:
                file.seek(start)
                left = length
                while left > 0:
                    piece = file.read(min(READ, left))
                    if not piece:
                        raise Unreadable("short")
                    left -= len(piece)
                    yield piece
        except OSError as fault:
            raise self._fault_of(key, fault) from fault


class GrowingFile:
    """A file under its owner's lock."""

    held = ""

    def __init__(self, descriptor: int, path: Path | None = None) -> None:
        self._descriptor = descriptor
        self._path = path

    @property
    def size(self) -> int:
        """Bytes held."""
        return os.fstat(self._descriptor).st_size

    def undo(self) -> None:
        """Unlink a file that owning it made."""
        if self._path and self.size == 0:
            with disk_faults():
                self._path.unlink(missing_ok=True)

    async def append(self, offset: int, body: AsyncIterator[bytes], sink: Sink) -> int:
        """Write and hash at once; see the port."""
        with disk_faults():
            os.ftruncate(self._descriptor, offset)
            os.lseek(self._descriptor, offset, os.SEEK_SET)
            failpoint.at("upload.cut")
            return await _pump(self._descriptor, offset, body, sink)


async def _pump(descriptor: int, offset: int, body: AsyncIterator[bytes], sink: Sink) -> int:
    """Receive the next piece while threads write and hash the one before it; two pieces in memory at most."""
    writer = _Writer(descriptor, offset, sink)
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
    except BaseException:
        await writer.abandon()
        raise
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
