"""Backups and restores of a hub in process, and what two hubs have in common."""

import asyncio
from pathlib import Path
from typing import Any

from entrepot import config, wiring
from entrepot.ops import backup, check, restore
from entrepot.ops.backup import Report
from entrepot.ops.context import Hub
from entrepot.store.backup_folder import BackupFolder
from tests.conftest import Loop, TestHub, blobs_place

LEFT_OUT = {"upload", "hold", "dead_object", "sqlite_sequence"}


def back_up(hub: Hub, target: Path, **given: Any) -> Any:
    wanted = {"with_key": True, "keep": None, "verify": False, "progress": lambda *_: None, **given}
    return backup.backup(hub, BackupFolder(target), **wanted)


async def bring_back(target: Path, data: Path, *, name: str | None = None, key: bytes | None = None,
                     accept: bool = False) -> restore.Report:  # fmt: skip
    """As the command does it."""
    settings, folder = config.load(environ={}, data=str(data), **blobs_place(data)), BackupFolder(target)
    with restore.into(data, folder, name) as generation:
        objects = wiring.objects_of(settings)
        try:
            report = await restore.restore(folder, generation, data, objects, key=key, progress=lambda *_: None)
        finally:
            await objects.close()
        if not report.lost or accept:
            restore.finish(data)
        return report


class Restored(TestHub):
    """A hub over a restored folder."""

    def __init__(self, loop: Loop, data: Path, like: TestHub) -> None:
        self.loop = loop
        self.settings = config.load(environ={}, data=str(data), project_buckets=0, **blobs_place(data))
        self.open()
        self.email, self.password = like.email, like.password
        self.public_key, self.private_key = like.public_key, like.private_key


async def findings(hub: Hub) -> list[Any]:
    return await check.check(hub, deep=True, repair=False, progress=lambda *_: None)


async def everything(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, and the bytes of every stored object."""

    def read(rows: Any) -> dict[str, list[tuple[Any, ...]]]:
        tables = [row[0] for row in rows.all("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]
        return {one: sorted(rows.all(f"SELECT * FROM {one}"), key=repr) for one in tables if one not in LEFT_OUT}

    found = await hub.db.read(read)
    sizes = await hub.db.read(lambda rows: rows.all("SELECT storage_key, size FROM blob WHERE content IS NULL"))
    found["objects"] = [
        (key, b"".join([piece async for piece in hub.blobs.stream(key, 0, size)])) for key, size in sorted(sizes)
    ]
    return found


def verified(target: Path) -> list[Any]:
    return asyncio.run(backup.verify(BackupFolder(target), None, lambda *_: None))


__all__ = ["BackupFolder", "Report", "Restored", "back_up", "bring_back", "everything", "findings", "verified"]
