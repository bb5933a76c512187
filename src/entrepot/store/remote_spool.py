"""What an upload to a bucket needs of the local disk: parts on their way, which must not fill the memory, and a lock.

A part waits in a file without a name, so nothing is left of it after a kill.
"""

import asyncio
import base64
import contextlib
import errno
import fcntl
import hashlib
import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from entrepot.errors import HubError, Kind
from entrepot.store.disk import disk_faults, old_names

READ = 256 * 1024
"""Most bytes of a part that a connection gets at a time, whatever it asks for."""
_HASHED = 1024 * 1024
INLINE = 64 * 1024
"""A body this small is hashed where it is."""


class Body(io.RawIOBase):
    """The first bytes of an open file, for a request that may be sent again."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self.size = size
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte comes from."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        """As of any file."""
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes, at most READ of them."""
        left = self.size - self._at
        if left <= 0:
            return b""
        piece = os.pread(self._descriptor, min(READ, left if size < 0 else min(size, left)), self._at)
        self._at += len(piece)
        return piece

    async def md5(self) -> str:
        """What a request says its body's MD5 is; read in a thread, where it is worth the way there."""
        return self._md5() if self.size <= INLINE else await asyncio.to_thread(self._md5)

    def _md5(self) -> str:
        hasher, at = hashlib.md5(usedforsecurity=False), 0
        while at < self.size:
            piece = os.pread(self._descriptor, min(_HASHED, self.size - at), at)
            if not piece:
                raise OSError(errno.EIO, "a part on its way is shorter than it was")
            hasher.update(piece)
            at += len(piece)
        return base64.b64encode(hasher.digest()).decode()


class Spool:
    """A folder for what is on its way."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new_part(self) -> int:
        """A descriptor of an empty file without a name; the caller closes it."""
        with disk_faults():
            self._folder.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(OSError):  # not every file system has these
                return os.open(self._folder, os.O_TMPFILE | os.O_RDWR, 0o600)
            descriptor, path = tempfile.mkstemp(dir=self._folder, prefix="part.")
            Path(path).unlink()
            return descriptor

    @contextlib.contextmanager
    def owned(self, upload: str) -> Iterator[None]:
        """Own an upload among all processes that share the folder. Raises RANGE_INVALID while another one does."""
        path = self._folder / upload
        with disk_faults():
            self._folder.mkdir(parents=True, exist_ok=True)
            descriptor = _lock(path)
        try:
            yield
        finally:
            path.unlink(
                missing_ok=True
            )  # under the lock: whoever waits for it finds the name gone, and makes a new one
            os.close(descriptor)

    def names(self, before: float, limit: int) -> list[str]:
        """Locks that a kill left."""
        try:
            return old_names(self._folder, before, limit)
        except FileNotFoundError:
            return []

    def drop(self, upload: str) -> None:
        """Remove a lock that a kill left."""
        with disk_faults():
            (self._folder / upload).unlink(missing_ok=True)


def _lock(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(descriptor)
            raise taken() from fault
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return descriptor
        os.close(descriptor)


def taken() -> HubError:
    """The refusal of an upload that somebody else writes to."""
    return HubError(Kind.RANGE_INVALID, "another request is writing to this upload; ask its status, then go on")
