"""Back up a hub that goes on meanwhile, and check what was backed up.

Order: a hold on stored objects, the rows of one moment, every object that they name, then the name of the generation.
A kill or a full disk anywhere leaves the generations before as they were, and objects that the next backup finds there.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.ops import copying, vault
from entrepot.ops.context import Hub
from entrepot.ops.copying import Progress
from entrepot.ops.holds import hold
from entrepot.ops.vault import Vault
from entrepot.store import backup_folder, rows_file
from entrepot.store.backup_folder import KEY, ROWS, About, BackupFolder
from entrepot.store.blobs import check_key
from entrepot.store.db import Rows
from entrepot.store.sql import backup as sql
from entrepot.store.sql import check as check_sql
from entrepot.store.sql.backup import Counts, Object


@dataclass(slots=True)
class Report:
    """What a backup did. ``copied``: objects that were not in the folder yet; ``dropped``: older generations."""

    generation: str = ""
    counts: Counts = field(default_factory=Counts)
    copied: int = 0
    copied_bytes: int = 0
    rows_bytes: int = 0
    has_key: bool = False
    damaged: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    pruned: int = 0


async def backup(
    hub: Hub, folder: BackupFolder, *, with_key: bool, keep: int | None, verify: bool, progress: Progress
) -> Report:
    """Make one more generation, then drop all but the newest ``keep`` ones (None: drop none).

    ``verify``: also read the objects that are in the folder already, and copy anew what is not as it should be. A blob
    that the hub itself has no right bytes of is told in the report and left out. Raises as ``BackupFolder.writing``.
    """
    report = Report(has_key=with_key)
    key = vault.read_key_file(hub.settings.key_path) if with_key else None
    with folder.writing(hub.vault.fingerprint) as draft:
        async with hold(hub):
            made_at = int(hub.clock())
            progress("rows", 0, 0)
            await _snapshot(hub, draft / ROWS)
            with rows_file.reading(draft / ROWS) as rows:
                report.counts = sql.counts(rows)
                await _copy(hub, folder, rows, report, verify=verify, progress=progress)
        report.rows_bytes = (draft / ROWS).stat().st_size
        about = About(
            format=backup_folder.FORMAT,
            hub=hub.vault.fingerprint,
            made_at=made_at,
            schema=rows_file.schema(draft / ROWS),
            rows_bytes=report.rows_bytes,
            rows_sha256=backup_folder.sha256(draft / ROWS),
            has_key=with_key,
            counts=report.counts,
            damaged=report.damaged,
        )
        report.generation = folder.publish(about, key)
        if keep is not None:
            report.dropped = folder.generations()[:-keep]
            for name in report.dropped:
                folder.drop(name)
            report.pruned = _prune(folder)
    return report


async def _snapshot(hub: Hub, path: Path) -> None:
    try:
        await hub.db.snapshot(path)
        failpoint.at("backup.rows-copied")
        rows_file.change(path, sql.trim)
        failpoint.at("backup.rows-trimmed")
    except HubError as fault:  # the database does not say which disk is full
        raise HubError(fault.kind, f"the rows cannot be copied to {path}: {fault.detail}") from fault


async def _copy(
    hub: Hub, folder: BackupFolder, rows: Rows, report: Report, *, verify: bool, progress: Progress
) -> None:
    target = folder.objects
    tell = copying.teller("objects", report.counts.object_bytes, progress)

    async def one(blob: Object) -> None:
        if await target.stored_size(blob.key) == blob.size and not (
            verify and await copying.wrong(target, blob, lambda _: None)
        ):
            tell(blob.size)
            return
        fault = await copying.copy(hub.blobs, target, blob, tell)
        if fault is None:
            report.copied += 1
            report.copied_bytes += blob.size
        elif await hub.db.read(check_sql.is_there, blob.id, blob.key):
            report.damaged.append(blob.digest)
        else:
            raise HubError(
                Kind.UNAVAILABLE,
                "an object was collected before it was copied: the backup was stopped for longer than it holds them;"
                " run it again, it goes on where it is",
            )

    await copying.in_lanes(sql.objects(rows), one)
    report.damaged.sort()


def _prune(folder: BackupFolder) -> int:
    """Remove the objects that no generation names; how many."""
    gone = 0
    with contextlib.ExitStack() as opened:
        kept = [
            opened.enter_context(rows_file.reading(folder.path(name, ROWS))) for name in reversed(folder.generations())
        ]
        for key in folder.stored():
            if not any(sql.names_object(rows, key) for rows in kept):
                folder.remove(key)
                gone += 1
    return gone


class Finding(NamedTuple):
    """Something in a generation that is not as it was backed up."""

    generation: str
    what: str


async def verify(folder: BackupFolder, name: str | None, progress: Progress) -> list[Finding]:
    """Read every byte of a generation, or of all; each object once."""
    found: list[Finding] = []
    with folder.reading(), contextlib.ExitStack() as opened:
        newer: list[Rows] = []
        for generation in [folder.find(name)] if name else reversed(folder.generations()):
            try:
                rows = opened.enter_context(open_rows(folder, generation))
                found += [Finding(generation, what) for what in inside(rows)]
                known = frozenset(folder.about(generation).damaged)
                found += [Finding(generation, what) for what in await _objects(folder, rows, newer, known, progress)]
            except HubError as fault:
                found.append(Finding(generation, fault.message))
            else:
                newer.append(rows)
    return found


async def _objects(
    folder: BackupFolder, rows: Rows, newer: list[Rows], known: frozenset[str], progress: Progress
) -> list[str]:
    found: list[str] = []
    objects = folder.objects
    tell = copying.teller("checking", sql.counts(rows).object_bytes, progress)

    async def one(blob: Object) -> None:
        check_key(blob.key)
        if blob.digest in known or any(sql.names_object(other, blob.key) for other in newer):
            tell(blob.size)
            return
        fault = await copying.wrong(objects, blob, tell)
        if fault is not None:
            found.append(f"blob {blob.digest}: {fault} ({objects.path(blob.key)})")

    await copying.in_lanes(sql.objects(rows), one)
    return sorted(found)


@contextlib.contextmanager
def open_rows(folder: BackupFolder, name: str) -> Iterator[Rows]:
    """The rows of a generation, when file and key are as they were written. Raises BACKUP_DAMAGED."""
    about = folder.about(name)
    path = folder.path(name, ROWS)
    try:
        digest = backup_folder.sha256(path)
    except OSError as fault:
        raise HubError(Kind.BACKUP_DAMAGED, f"{path}: {fault.strerror}") from fault
    if digest != about.rows_sha256:
        raise HubError(Kind.BACKUP_DAMAGED, f"{path} is not as it was written; another generation may be whole")
    _check_key_file(folder.key(name) if about.has_key else None, about, folder.path(name, KEY))
    with rows_file.reading(path) as rows:
        yield rows


def _check_key_file(key: bytes | None, about: About, path: Path) -> None:
    """Raise BACKUP_DAMAGED unless a key file belongs to the hub that was backed up (None where it was left out)."""
    if (key is None and about.has_key) or (key is not None and Vault(key).fingerprint != about.hub):
        raise HubError(Kind.BACKUP_DAMAGED, f"{path} is not the key file of the hub that was backed up")


def inside(rows: Rows) -> Iterator[str]:
    """What is wrong with the bytes of manifests and small blobs."""
    for what, digest, content in sql.inside(rows):
        if digests.of(content, digests.parse(digest).algorithm) != digest:
            yield f"{what} {digest}: its bytes have another digest"
