"""Write an OCI image layout: a folder that an earlier export is brought up to date in, or a new tar.

`index.json` comes last. Until then a folder shows what it showed before, and a tar has no name yet.
"""

import asyncio
import contextlib
import fcntl
import os
import secrets
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import layout
from entrepot.model.digest import Digest
from entrepot.store.disk import sync_folder, write_faults
from entrepot.store.layout_read import blob_name

BEGUN = ".exporting"
BLOCK = tarfile.BLOCKSIZE


class Writer(Protocol):
    """A layout that is being written."""

    def has(self, digest: Digest, size: int) -> bool:
        """Whether the blob is in it already."""
        ...

    async def put(self, digest: Digest, size: int, body: AsyncIterator[bytes]) -> None:
        """Add a blob. Raises DIGEST_INVALID when the bytes have another digest or length."""
        ...

    def finish(self, index: bytes) -> None:
        """Add `index.json` and let the layout be seen."""
        ...


@contextlib.contextmanager
def opened(target: Path, scope: str) -> Iterator[Writer]:
    """A tar when the name ends in .tar, else a folder: an empty one, or an earlier export of the same ``scope``.

    Raises EXISTS for a target that holds anything else, UNAVAILABLE for a full disk.
    """
    with write_faults(target), _new_tar(target) if target.suffix == ".tar" else _owned_folder(target, scope) as writer:
        yield writer


@contextlib.contextmanager
def _owned_folder(target: Path, scope: str) -> Iterator["_Folder"]:
    target.mkdir(parents=True, exist_ok=True)
    failpoint.at("export.folder-made")
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _check_owned(target, scope)
        yield _Folder(target)
    except BlockingIOError as fault:
        raise HubError(Kind.UNAVAILABLE, f"another export into {target} is running") from fault
    finally:
        os.close(descriptor)


def _check_owned(target: Path, scope: str) -> None:
    index = target / layout.INDEX
    begun = target / BEGUN
    held = layout.exported(index.read_bytes()) if index.is_file() else None
    if held is None and begun.is_file():
        held = begun.read_text("utf-8")
    if held != scope and any(target.iterdir()):
        raise HubError(Kind.EXISTS, f"{target} holds {held or 'something else'}; name an empty folder, or a .tar")
    if held is None:
        begun.write_text(scope, "utf-8")  # the next run may go on after a kill


@contextlib.contextmanager
def _new_tar(target: Path) -> Iterator["_Tar"]:
    if target.exists():
        raise HubError(Kind.EXISTS, f"{target}; remove it first, or give another name")
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        with draft.open("xb") as file:
            yield _Tar(file, draft, target)
    finally:
        draft.unlink(missing_ok=True)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()
        self._drafts = folder / ".drafts"
        self._drafts.mkdir(exist_ok=True)
        failpoint.at("export.begun")

    def has(self, digest: Digest, size: int) -> bool:
        """By name and size: a blob gets its name when it is whole."""
        name = blob_name(digest)
        self._kept.add(name)
        try:
            return (self._folder / name).stat().st_size == size
        except FileNotFoundError:
            return False

    async def put(self, digest: Digest, size: int, body: AsyncIterator[bytes]) -> None:
        """Write beside, then rename."""
        path = self._folder / blob_name(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        failpoint.at("export.place-made")
        draft = self._drafts / secrets.token_hex(8)
        try:
            with draft.open("xb") as file:
                await _fill(file, digest, size, body)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            failpoint.at("export.synced")
            draft.rename(path)
            failpoint.at("export.named")
        finally:
            draft.unlink(missing_ok=True)

    def finish(self, index: bytes) -> None:
        """Show the new index, then remove what it does not name any more."""
        (self._folder / "blobs").mkdir(exist_ok=True)
        for folder in (self._folder / "blobs").iterdir():
            sync_folder(folder)
            failpoint.at("export.place-synced")
        for name, content in ((layout.LAYOUT, layout.VERSION), (layout.INDEX, index)):
            draft = self._drafts / name
            with draft.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            failpoint.at("export.index-synced")
            draft.rename(self._folder / name)
            failpoint.at("export.index-named")
        sync_folder(self._folder)  # a power cut must not bring the old index back when its blobs are gone
        failpoint.at("export.index-durable")
        for path in list((self._folder / "blobs").glob("*/*")):
            if str(path.relative_to(self._folder)) not in self._kept:
                path.unlink()
                failpoint.at("export.old-gone")
        for path in self._drafts.iterdir():
            path.unlink()
            failpoint.at("export.draft-gone")
        self._drafts.rmdir()
        failpoint.at("export.drafts-gone")
        (self._folder / BEGUN).unlink(missing_ok=True)
        failpoint.at("export.shown")
        sync_folder(self._folder)
        failpoint.at("export.durable")


class _Tar:
    def __init__(self, file: BinaryIO, draft: Path, target: Path) -> None:
        self._file = file
        self._draft = draft
        self._target = target
        self._kept: set[str] = set()
        self._add(layout.LAYOUT, layout.VERSION)

    def has(self, digest: Digest, size: int) -> bool:
        """By name: it is written as soon as it was asked for."""
        del size
        return blob_name(digest) in self._kept

    async def put(self, digest: Digest, size: int, body: AsyncIterator[bytes]) -> None:
        """A header, the bytes, zeros up to the next block."""
        name = blob_name(digest)
        self._head(name, size)
        await _fill(self._file, digest, size, body)
        self._file.write(bytes(-size % BLOCK))
        self._kept.add(name)

    def _head(self, name: str, size: int) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        self._file.write(member.tobuf(tarfile.PAX_FORMAT))

    def _add(self, name: str, content: bytes) -> None:
        self._head(name, len(content))
        self._file.write(content + bytes(-len(content) % BLOCK))

    def finish(self, index: bytes) -> None:
        """The index, two empty blocks, then the name."""
        self._add(layout.INDEX, index)
        self._file.write(bytes(2 * BLOCK))
        self._file.flush()
        os.fsync(self._file.fileno())
        os.link(self._draft, self._target)  # and not rename: nothing that came meanwhile is written over
        sync_folder(self._target.parent)


async def _fill(file: BinaryIO, digest: Digest, size: int, body: AsyncIterator[bytes]) -> None:
    hasher = digests.hasher(digest.algorithm)
    written = 0
    async for piece in body:
        file.write(piece)
        hasher.update(piece)
        written += len(piece)
    if written != size or hasher.hexdigest() != digest.hex:
        raise HubError(Kind.DIGEST_INVALID, f"the bytes of {digest} have another digest")
