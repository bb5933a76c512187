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
from entrepot.store.blobs import TOPS, Sending, Sink, Unreadable
from entrepot.store.disk import disk_faults, old_names, own_upload, sync_folder, sync_upload
from entrepot.store.growing_file import GrowingFile, pump

READ = 1024 * 1024
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
    async def writing(
        self, upload: str, held: str = "", *, is_one_request: bool = False
    ) -> AsyncIterator["_OwnedFile"]:
        """Own the file by its lock, whatever comes; see the port."""
        with disk_faults():
            descriptor = os.open(self._uploads / upload, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            own_upload(descriptor, self._uploads / upload)
            failpoint.at("upload.owned")
            yield _OwnedFile(descriptor, self._uploads / upload, self)
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
        """Own it, then as ``keep``."""
        source = self._uploads / upload

        def own_and_keep() -> str:
            descriptor = os.open(source, os.O_RDWR | (0 if length else os.O_CREAT), 0o600)
            try:
                own_upload(descriptor, source)
                return self._keep(descriptor, source, length, f"{algorithm}/{encoded[:2]}/{encoded}-{upload}")
            finally:
                os.close(descriptor)

        with disk_faults():
            return await asyncio.to_thread(own_and_keep)

    async def keep(self, descriptor: int, source: Path, length: int, key: str) -> str:
        """Make a file durable under a key, while the caller owns it; the key."""
        own = os.dup(descriptor)  # also of the lock: the thread has both to its end, whatever becomes of the caller

        def keep() -> str:
            try:
                return self._keep(own, source, length, key)
            finally:
                os.close(own)

        # Shielded: where the caller is cancelled before a thread begins, it must begin all the same, and close its own.
        return await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, keep))

    def _keep(self, descriptor: int, source: Path, length: int, key: str) -> str:
        """Cut, fsync, rename, fsync the folder."""
        target = self._blobs / key
        self._make_shard(target.parent)
        if os.fstat(descriptor).st_size < length:
            raise FileNotFoundError(source)
        os.ftruncate(descriptor, length)
        failpoint.at("blob.cut")
        sync_upload(descriptor, source)
        failpoint.at("blob.synced")
        source.rename(target)  # under the lock: whoever waits for it finds the name gone
        failpoint.at("blob.renamed")
        sync_folder(target.parent)
        return key

    def _make_shard(self, shard: Path) -> None:
        if shard in self._shards:
            return
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
                length = await pump(descriptor, 0, body, hasher)
                if hasher.hexdigest() != digest.hex:
                    raise HubError(Kind.DIGEST_INVALID, f"{key}: its bytes have the digest {hasher.hexdigest()}")
                await self.keep(descriptor, draft, length, key)
            finally:
                os.close(descriptor)
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


class _OwnedFile(GrowingFile):
    """An upload's file under its owner's lock: the Growing port."""

    held = ""

    def __init__(self, descriptor: int, path: Path, store: FileBlobStore) -> None:
        super().__init__(descriptor)
        self._path, self._store = path, store

    @property
    def size(self) -> int:
        """Bytes held."""
        return os.fstat(self._descriptor).st_size

    def undo(self) -> None:
        """Unlink a file that owning it made."""
        if self.size == 0:
            with disk_faults():
                self._path.unlink(missing_ok=True)

    async def commit(self, algorithm: str, encoded: str) -> str:
        """Keep the file that is open."""
        key = f"{algorithm}/{encoded[:2]}/{encoded}-{self._path.name}"
        with disk_faults():
            return await self._store.keep(self._descriptor, self._path, self.size, key)
