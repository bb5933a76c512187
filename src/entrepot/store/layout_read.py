"""Read an OCI image layout, a folder or a tar. Nothing is unpacked and no link is followed.

Only three kinds of names are ever looked at: `oci-layout`, `index.json` and `blobs/<algorithm>/<hex>`; whatever else a
hostile layout holds has no effect. Bytes are handed out in pieces; who takes them compares digests.
"""

import contextlib
import io
import os
import re
import stat
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from entrepot.errors import HubError, Kind
from entrepot.model import layout
from entrepot.model.digest import Digest

PIECE = 1024 * 1024
MEMBERS = 200_000
"""Most files in a tar: where each is stays in memory. A folder has no such bound."""
_OURS = re.compile(r"(?:\./)?(oci-layout|index\.json|blobs/(?:sha256/[0-9a-f]{64}|sha512/[0-9a-f]{128}))")


class Layout(Protocol):
    """An open layout."""

    def find(self, name: str) -> tuple[BinaryIO, int] | None:
        """A file by its name inside the layout, at its first byte, and how many bytes it has; None without it.

        The caller closes it.
        """
        ...


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Layout]:
    """The layout in a folder or tar. Raises LAYOUT_INVALID."""
    try:
        if path.is_dir():
            found: Layout = _Folder(path)
            _check(found, path)
            yield found
            return
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise HubError(Kind.LAYOUT_INVALID, f"{path} is neither a folder nor a file; save it to a file first")
            found = _Tar(file)
            _check(found, path)
            yield found
    except OSError as fault:
        raise HubError(Kind.LAYOUT_INVALID, f"{path}: {fault.strerror}") from fault


def _check(found: Layout, path: Path) -> None:
    if b"imageLayoutVersion" not in small(found, layout.LAYOUT, 4096):
        raise HubError(Kind.LAYOUT_INVALID, f"{path}: oci-layout has no imageLayoutVersion")


def blob_name(digest: Digest) -> str:
    """Where a blob is inside a layout."""
    return f"blobs/{digest.algorithm}/{digest.hex}"


def small(source: Layout, name: str, most: int) -> bytes:
    """A whole file of at most ``most`` bytes. Raises LAYOUT_INVALID when it is missing or longer."""
    found = source.find(name)
    if found is None:
        raise HubError(Kind.LAYOUT_INVALID, f"{name} is missing")
    file, size = found
    with file:
        if size > most:
            raise HubError(Kind.LAYOUT_INVALID, f"{name} has {size} bytes, at most {most} can be read")
        return file.read(size)


async def pieces(file: BinaryIO, size: int) -> AsyncIterator[bytes]:
    """The next ``size`` bytes of a file, in pieces of at most 1 MiB."""
    left = size
    while left > 0 and (piece := file.read(min(PIECE, left))):
        left -= len(piece)
        yield piece


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> tuple[BinaryIO, int] | None:
        """Open without following a link or waiting for a pipe."""
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as fault:
            raise HubError(Kind.LAYOUT_INVALID, f"{self._folder / name}: {fault.strerror}") from fault
        told = os.fstat(descriptor)
        if not stat.S_ISREG(told.st_mode):
            os.close(descriptor)
            raise HubError(Kind.LAYOUT_INVALID, f"{self._folder / name} is no file")
        return os.fdopen(descriptor, "rb"), told.st_size


class _Bounded(io.RawIOBase):
    """What the tar reader sees of the file: it reads extended headers whole, however long they say they are."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= PIECE:
            raise HubError(Kind.LAYOUT_INVALID, f"a header in the tar says that it has {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class _Tar:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._length = os.fstat(file.fileno()).st_size
        if file.read(2) == b"\x1f\x8b":
            raise HubError(Kind.LAYOUT_INVALID, "it is compressed; unpack it first: gunzip FILE")
        file.seek(0)
        try:
            self._places = dict(self._scan())
        except (tarfile.TarError, ValueError, OverflowError, EOFError, MemoryError, IndexError) as fault:
            raise HubError(Kind.LAYOUT_INVALID, f"it is no tar that can be read: {fault}") from fault

    def _scan(self) -> Iterator[tuple[str, tuple[int, int]]]:
        with tarfile.open(fileobj=_Bounded(self._file), mode="r:", errorlevel=1) as tar:
            for _ in range(MEMBERS):
                member = tar.next()
                if member is None:
                    return
                tar.members.clear()  # type: ignore[attr-defined]  # the reader would keep them all
                if member.size < 0 or member.offset_data + member.size > self._length:
                    raise HubError(Kind.LAYOUT_INVALID, f"the tar ends inside {member.name[:100]!r}")
                match = _OURS.fullmatch(member.name)
                if match is not None and member.isreg() and not member.issparse():
                    yield match[1], (member.offset_data, member.size)
        raise HubError(Kind.LAYOUT_INVALID, f"more than {MEMBERS} files; unpack it into a folder and name that")

    def find(self, name: str) -> tuple[BinaryIO, int] | None:
        """A window of the file, on a descriptor of its own."""
        if name not in self._places:
            return None
        start, size = self._places[name]
        file = Path(self._file.name).open("rb")  # noqa: SIM115 - the caller closes it
        file.seek(start)
        return file, size
