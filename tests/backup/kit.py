"""Backups and restores of a hub in process, and what two hubs have in common."""

import asyncio
from pathlib import Path
from typing import Any

from entrepot import config, wiring
from entrepot.ops import arrival, backup, check, restore
from entrepot.ops.backup import Report
from entrepot.ops.context import Hub
from entrepot.store.backup_folder import BackupFolder
from tests.conftest import Loop, TestHub, blobs_place

LEFT_OUT = {"upload", "hold", "dead_object", "sqlite_sequence"}


def back_up(hub: Hub, target: Path, **given: Any) -> Any:
    wanted = {"with_key": True, "keep": None, "verify": False, "progress": lambda *_: None, **given}
    return backup.backup(hub, BackupFolder(target), **wanted)


async def bring_back(target: Path, data: Path, *, name: str | None = None, key: bytes | None = None,
                     accept: bool = False, **given: str) -> restore.Report:  # fmt: skip
    """As the command does it; ``given``: settings."""
    settings, folder = config.load(environ={}, data=str(data), **{**blobs_place(data), **given}), BackupFolder(target)
    rows = wiring.rows_place(settings)
    with restore.into(data, rows, folder, name) as generation:
        to = arrival.Places(rows, wiring.objects_of(settings), settings.key_path)
        try:
            report = await restore.restore(folder, generation, data, to, key=key, progress=lambda *_: None)
        finally:
            await to.blobs.close()
        if not report.lost or accept:
            arrival.finish(data)
        return report


class Restored(TestHub):
    """A hub over a restored folder."""

    def __init__(self, loop: Loop, data: Path, like: TestHub, **given: str) -> None:
        self.loop = loop
        own = {**blobs_place(data), **given}
        self.settings = config.load(environ={}, data=str(data), project_buckets=0, **own)
        self.open()
        self.email, self.password = like.email, like.password
        self.public_key, self.private_key = like.public_key, like.private_key


async def findings(hub: Hub) -> list[Any]:
    return await check.check(hub, deep=True, repair=False, progress=lambda *_: None)


def tables_of(hub: Hub) -> str:
    """The statement that names a hub's tables; not those of the engine alone."""
    if hub.settings.database_url:
        return (
            "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
            " AND tablename NOT IN ('schema_migration', 'commit_mark') ORDER BY 1"
        )
    return "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"


async def everything(hub: Hub) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, and the bytes of every stored object."""

    def read(rows: Any) -> dict[str, list[tuple[Any, ...]]]:
        tables = [row[0] for row in rows.all(tables_of(hub))]
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
