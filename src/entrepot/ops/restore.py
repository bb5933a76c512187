"""Bring a hub back from a backup, into an empty folder.

A restore that was killed is run again and goes on (``arrival``); what it finds is read again before it counts.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.ops import arrival, backup, copying
from entrepot.ops.arrival import DRAFT, Marker, Places
from entrepot.ops.copying import Progress
from entrepot.ops.vault import Vault
from entrepot.store import backup_folder, rows_file
from entrepot.store.backup_folder import ROWS, About, BackupFolder
from entrepot.store.blobs import Objects, check_key
from entrepot.store.db import Rows, RowsPlace
from entrepot.store.sql import backup as sql
from entrepot.store.sql.backup import Object


@dataclass(slots=True)
class Report:
    """What a restore did. ``damaged``: what the hub had no right bytes of; ``lost``: what the backup has none of."""

    generation: str
    about: About
    damaged: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@contextlib.contextmanager
def into(data: Path, rows: RowsPlace, folder: BackupFolder, generation: str | None) -> Iterator[str]:
    """Own an empty folder, or one with a restore that was killed; the name of the generation it is for.

    Raises as ``arrival.owned`` and ``arrival.begin``, and EXISTS where something else was begun.
    """

    def first() -> Marker:
        wanted = folder.find(generation)
        return Marker(folder.about(wanted).hub, wanted)

    with folder.reading(), arrival.owned(data):
        begun = arrival.begin(data, rows, first)
        _check_same(data, begun, folder, generation)
        yield begun.generation


def _check_same(data: Path, begun: Marker, folder: BackupFolder, generation: str | None) -> None:
    if not begun.generation:
        raise HubError(Kind.EXISTS, f"a hub is moving into {data}; `entrepot migrate-data` goes on, or remove it first")
    if begun.generation not in folder.generations():
        raise HubError(
            Kind.EXISTS, f"{begun.generation}, which a restore into {data} began with, is gone; remove {data} first"
        )
    if generation not in {None, begun.generation} or folder.about(begun.generation).hub != begun.hub:
        raise HubError(
            Kind.EXISTS,
            f"a restore of {begun.generation} into {data} has not ended; run that one again, or remove {data} first",
        )


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
    arrival.put_key(to.key, key)
    return report


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
    arrival.clear_drafts(data)
    if backup_folder.copy_rows(source, draft) != about.rows_sha256:
        raise HubError(Kind.BACKUP_DAMAGED, f"{source} changed while it was read")
    failpoint.at("restore.rows-copied")
    rows_file.change(draft, sql.trim)
    failpoint.at("restore.rows-trimmed")
    rows_file.change(draft, rows_file.skip_ids)
    failpoint.at("restore.ids-skipped")
    place.put(draft)
