"""Move a hub to another place while it serves: other rows (SQLite, PostgreSQL), other bytes (files, a bucket), or both.

Order: the objects that the rows of one moment name; then the old rows refuse every change (``store.moved``), for good;
then the rest of the objects, all rows, and a check. From the refusal on nobody changes what moves: a run that was
killed is run again and goes on, and whatever was acknowledged is in the rows that arrive.
"""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from entrepot import failpoint
from entrepot.config import Settings
from entrepot.errors import HubError, Kind
from entrepot.ops import arrival, copying, vault
from entrepot.ops.arrival import DRAFT, Marker, Places
from entrepot.ops.context import Hub
from entrepot.ops.copying import Progress
from entrepot.ops.holds import hold
from entrepot.ops.vault import KEY_FILE, Vault
from entrepot.store import rows_file
from entrepot.store.db import Rows, RowsPlace
from entrepot.store.sql import backup as sql
from entrepot.store.sql import check as check_sql
from entrepot.store.sql import tries as tries_sql
from entrepot.store.sql.backup import Counts, Object

BEFORE = f"{DRAFT}.before"
"""The rows of a moment before the switch."""


@dataclass(slots=True)
class Report:
    """What a run did. ``copied``: objects that were not there yet; ``damaged``: what the hub has no right bytes of.

    ``refused_since``: when pushes were refused, by the monotonic clock; None where they are not.
    """

    counts: Counts = field(default_factory=Counts)
    copied: int = 0
    copied_bytes: int = 0
    damaged: list[str] = field(default_factory=list)
    refused_since: float | None = None
    has_rows: bool = False


def check_apart(source: Settings, target: Settings) -> None:
    """Raise CONFIG_INVALID for two places that share something: each of two hubs would take the other's for its own."""
    one, other = source.data_dir.resolve(), target.data_dir.resolve()
    if one.is_relative_to(other) or other.is_relative_to(one):
        raise HubError(Kind.CONFIG_INVALID, f"{source.data} and {target.data}: one is inside the other")
    if source.database_url and source.database_url == target.database_url:
        raise HubError(
            Kind.CONFIG_INVALID, "database_url is the same at both places; give the new one an empty database"
        )
    if source.blobs_url and _bucket(source) == _bucket(target):
        raise HubError(
            Kind.CONFIG_INVALID, "blobs_url is the same at both places; give the new one a prefix of its own"
        )


def _bucket(settings: Settings) -> tuple[str, str]:
    return settings.blobs_url.rstrip("/"), settings.s3_endpoint.rstrip("/")


def check_not_there(hub: Hub, data: Path) -> None:
    """Raise EXISTS for a folder in which this hub has arrived."""
    key = data / KEY_FILE
    if not arrival.unfinished(data) and key.exists() and Vault(key.read_bytes()).fingerprint == hub.vault.fingerprint:
        raise HubError(Kind.EXISTS, f"{data} holds this hub already; serve it, or name a new folder")


def begin(hub: Hub, data: Path, rows: RowsPlace) -> None:
    """Begin in an owned folder that is empty, or go on with a move of this hub.

    Raises EXISTS for one that holds anything else.
    """
    mine = Marker(hub.vault.fingerprint, "")
    begun = arrival.begin(data, rows, lambda: mine)
    if begun != mine:
        what = "a restore" if begun.generation else "a move of another hub"
        raise HubError(Kind.EXISTS, f"{what} into {data} has not ended; run that one again, or remove {data} first")


async def copy(hub: Hub, data: Path, to: Places, progress: Progress) -> Report:
    """Copy the objects that are not there yet. Changes nothing where the hub is, and may be repeated."""
    report = Report()
    async with _before(hub, data, to, report, progress):
        pass
    arrival.clear_drafts(data)
    return report


async def switch(hub: Hub, data: Path, to: Places, *, accept_losses: bool, progress: Progress) -> Report:
    """Copy the same, refuse changes from then on, and bring the rest and the rows.

    Ends early where an object has no right bytes, unless losses are accepted: ``has_rows`` tells. Whatever can be found
    out before the hub refuses changes is raised before.
    """
    report = Report()
    if not await hub.db.is_read_only():  # else a run that was killed may have put its rows there
        await asyncio.to_thread(to.rows.check_empty)
    async with _before(hub, data, to, report, progress) as before:
        if report.damaged and not accept_losses:
            return report
        arrival.put_key(to.key, vault.read_key_file(hub.settings.key_path))
        report.refused_since = time.monotonic()
        await hub.db.set_read_only(True)
        failpoint.at("move.refusing")
        await _read_rows(hub, data / DRAFT, progress)
        with rows_file.reading(data / DRAFT) as rows:
            report.counts = sql.counts(rows)
            await _copy(hub, rows, before, to, report, progress)
    if report.damaged and not accept_losses:
        return report
    rows_file.change(data / DRAFT, _leave_out)
    failpoint.at("move.rows-trimmed")
    progress("rows", 0, 0)
    await asyncio.to_thread(to.rows.put, data / DRAFT)
    failpoint.at("move.rows-put")
    report.has_rows = True
    return report


async def finish(hub: Hub, data: Path) -> None:
    """Open the new place. Raises EXISTS where the old one took changes again meanwhile, which are not here."""
    if not await hub.db.is_read_only():
        raise HubError(
            Kind.EXISTS, f"the move was undone before it ended; remove {data}, its database and its objects, begin anew"
        )
    arrival.clear_drafts(data)
    arrival.finish(data)


@contextlib.asynccontextmanager
async def _before(hub: Hub, data: Path, to: Places, report: Report, progress: Progress) -> AsyncIterator[Rows]:
    """Bring what is there by now; inside, no object is removed, and these are the rows of that moment."""
    arrival.clear_drafts(data)
    async with hold(hub):
        await _read_rows(hub, data / BEFORE, progress)
        await asyncio.to_thread(to.rows.check_fit, data / BEFORE)
        with rows_file.reading(data / BEFORE) as rows:
            report.counts = sql.counts(rows)
            await _copy(hub, rows, None, to, report, progress)
            yield rows


async def _read_rows(hub: Hub, path: Path, progress: Progress) -> None:
    """A file for the owner alone: sealed secrets are in it."""
    progress("rows", 0, 0)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        await hub.db.snapshot(path)
    except HubError as fault:  # the database does not say which disk is full
        raise HubError(fault.kind, f"the rows cannot be copied to {path}: {fault.detail}") from fault
    failpoint.at("move.rows-read")


async def _copy(hub: Hub, rows: Rows, before: Rows | None, to: Places, report: Report, progress: Progress) -> None:
    """Every object that these rows name, those ``before`` did not, and the new place lacks."""
    tell = copying.teller("objects", report.counts.object_bytes, progress)

    async def one(blob: Object) -> None:
        is_known = before is not None and sql.names_object(before, blob.key)
        if is_known or await to.blobs.stored_size(blob.key) == blob.size:
            tell(blob.size)
            return
        fault = await copying.copy(hub.blobs, to.blobs, blob, tell)
        if fault is None:
            report.copied += 1
            report.copied_bytes += blob.size
        elif await hub.db.read(check_sql.is_there, blob.id, blob.key):  # else it went since, and the rows tell later
            report.damaged.append(f"blob {blob.digest}: {fault}")

    await copying.in_lanes(sql.objects(rows), one)
    report.damaged.sort()


def _leave_out(rows: Rows) -> None:
    """What is true only where it was, what may still change there, and ids that tokens there may name."""
    sql.trim(rows)
    tries_sql.forget_all(rows)
    rows_file.skip_ids(rows)
