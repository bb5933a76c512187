"""Bring a hub back from a backup, into an empty folder.

The folder holds a marker from the first byte to the last, and no hub opens there meanwhile. A restore that was killed
is run again and goes on; what it finds is read again before it counts.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import msgspec

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.ops import backup, copying, vault
from entrepot.ops.copying import Progress
from entrepot.ops.vault import Vault
from entrepot.store import backup_folder, rows_file
from entrepot.store.backup_folder import ROWS, About, BackupFolder
from entrepot.store.blobs import Objects, check_key
from entrepot.store.db import Rows, RowsPlace
from entrepot.store.disk import sync_folder
from entrepot.store.sql import backup as sql
from entrepot.store.sql.backup import Object

MARKER = "restoring.json"
DRAFT = ".hub.db"
"""Rows on their way."""


class _Marker(msgspec.Struct):
    hub: str
    generation: str


class Places(NamedTuple):
    """Where a hub gets what it consists of."""

    rows: RowsPlace
    blobs: Objects
    key: Path


@dataclass(slots=True)
class Report:
    """What a restore did. ``damaged``: what the hub had no right bytes of; ``lost``: what the backup has none of."""

    generation: str
    about: About
    damaged: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def is_unfinished(data: Path) -> bool:
    """Whether a restore into this folder has not ended."""
    return (data / MARKER).exists()


@contextlib.contextmanager
def into(data: Path, rows: RowsPlace, folder: BackupFolder, generation: str | None) -> Iterator[str]:
    """Own an empty folder, or one with a restore that was killed; the name of the generation it is for.

    Raises EXISTS for a folder that holds anything else, or where ``rows`` has a hub, UNAVAILABLE while another restore
    works on it.
    """
    with folder.reading(), _faults(data):
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        failpoint.at("restore.folder-made")
        with _alone(data):
            yield _begin(data, rows, folder, generation)


def _begin(data: Path, rows: RowsPlace, folder: BackupFolder, generation: str | None) -> str:
    marker = data / MARKER
    if not marker.exists():
        others = sorted(one.name for one in data.iterdir() if one.name not in {"lost+found", f".{MARKER}"})
        if others:
            raise HubError(
                Kind.EXISTS,
                f"{data} is not empty; restore into a new folder, or move this one away first: mv {data} {data}.old",
            )
        wanted = folder.find(generation)
        rows.check_empty()
        backup_folder.replace(marker, msgspec.json.encode(_Marker(folder.about(wanted).hub, wanted)))
    begun = msgspec.json.decode(marker.read_bytes(), type=_Marker)
    if begun.generation not in folder.generations():
        raise HubError(
            Kind.EXISTS, f"{begun.generation}, which a restore into {data} began with, is gone; remove {data} first"
        )
    if generation not in {None, begun.generation} or folder.about(begun.generation).hub != begun.hub:
        raise HubError(
            Kind.EXISTS,
            f"a restore of {begun.generation} into {data} has not ended; run that one again, or remove {data} first",
        )
    return begun.generation


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    descriptor = os.open(data, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as fault:
        os.close(descriptor)
        raise HubError(Kind.UNAVAILABLE, f"another restore into {data} is running") from fault
    try:
        yield
    finally:
        os.close(descriptor)


async def restore(
    folder: BackupFolder,
    name: str,
    data: Path,
    to: Places,
    *,
    key: bytes | None,
    progress: Progress,
) -> Report:
    """Bring everything where it belongs, for a folder that is owned (``into``): objects, rows, then the key file.

    Each byte is compared with its digest. ``key``: the key file, for a backup without it.
    Raises BACKUP_DAMAGED when the rows or the key file are not as they were written, CONFIG_INVALID for a key file that
    is missing or another hub's, UNSUPPORTED for rows of a newer version,
    BAD_REQUEST for hostile rows.
    """
    about = folder.about(name)
    if about.schema > rows_file.newest():
        raise HubError(
            Kind.UNSUPPORTED, f"{name} was made by a newer version (schema {about.schema}); upgrade entrepot first"
        )
    report = Report(name, about, damaged=list(about.damaged))
    with backup.open_rows(folder, name) as rows:
        key = _key(folder, name, about, key)
        report.damaged += backup.inside(rows)
        await _objects(folder, rows, to.blobs, report, progress)
    progress("rows", 0, 0)
    await asyncio.to_thread(_put_rows, folder.path(name, ROWS), data, to.rows, about)
    put_key(to.key, key)
    return report


def put_key(path: Path, key: bytes) -> None:
    """Make the key file; one with the same key may be there. Raises EXISTS for another hub's."""
    for draft in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 8}"):  # a killed run's
        draft.unlink(missing_ok=True)
    failpoint.at("restore.key-cleared")
    if not path.exists():
        vault.create_key_file(path, key)
    elif path.read_bytes() != key:
        raise HubError(Kind.EXISTS, f"{path} is the key file of another hub; move it away, or set another key_file")


def finish(data: Path) -> None:
    """Open the folder for the hub."""
    (data / MARKER).unlink()
    failpoint.at("restore.opened")
    sync_folder(data)
    failpoint.at("restore.durable")


def _key(folder: BackupFolder, name: str, about: About, given: bytes | None) -> bytes:
    key = given or folder.key(name)
    if key is None:
        raise HubError(Kind.CONFIG_INVALID, f"{name} was made --without-key; give --key with the hub's hub.key")
    if Vault(key).fingerprint != about.hub:
        raise HubError(Kind.CONFIG_INVALID, "--key is not the key file of the hub that was backed up")
    return key


async def _objects(folder: BackupFolder, rows: Rows, blobs: Objects, report: Report, progress: Progress) -> None:
    source = folder.objects
    known = frozenset(report.about.damaged)
    tell = copying.teller("objects", sql.counts(rows).object_bytes, progress)

    async def one(blob: Object) -> None:
        check_key(blob.key)
        if blob.digest in known:
            tell(blob.size)
            return
        is_here = await blobs.stored_size(blob.key) == blob.size and not await copying.wrong(
            blobs, blob, lambda _: None
        )
        fault = None if is_here else await copying.copy(source, blobs, blob, tell)
        if is_here:
            tell(blob.size)
        if fault is not None:
            report.lost.append(f"blob {blob.digest}: {fault} ({source.path(blob.key)})")

    await copying.in_lanes(sql.objects(rows), one)
    report.lost.sort()


def _put_rows(source: Path, data: Path, place: RowsPlace, about: About) -> None:
    draft = data / DRAFT
    for old in data.glob(f"{DRAFT}*"):  # a killed restore's, and its journal
        old.unlink()
    failpoint.at("restore.draft-cleared")
    if backup_folder.copy_rows(source, draft) != about.rows_sha256:
        raise HubError(Kind.BACKUP_DAMAGED, f"{source} changed while it was read")
    failpoint.at("restore.rows-copied")
    rows_file.change(draft, sql.trim)
    failpoint.at("restore.rows-trimmed")
    rows_file.change(draft, rows_file.skip_ids)
    failpoint.at("restore.ids-skipped")
    place.put(draft)


@contextlib.contextmanager
def _faults(data: Path) -> Iterator[None]:
    try:
        yield
    except OSError as fault:
        raise HubError(Kind.UNAVAILABLE, f"{data} cannot be written: {fault.strerror}") from fault
