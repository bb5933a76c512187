"""Kills a backup, a restore or an export at one place after another, in children of a process that has no threads.

Each name in the file system that is opened, made, renamed or removed below the folder is a place. After each kill
everything that has a name must be whole, and the next run must come to its end.
"""

import asyncio
import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from entrepot import config, wiring
from entrepot.errors import HubError
from entrepot.ops import exports
from entrepot.ops.context import Hub
from entrepot.store import layout_write
from tests.backup.kit import BackupFolder, back_up, bring_back, everything, findings, verified

EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "sqlite3.connect", "shutil.rmtree"}


def die_at(place: int, below: Path) -> None:
    left = place

    def watch(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        if event in EVENTS and any(str(below) in str(one) for one in args):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)


def in_child(work: Callable[[], Coroutine[Any, Any, Any]], place: int, below: Path) -> bool:
    """Whether the work came to its end before that place."""
    pid = os.fork()
    if pid == 0:
        die_at(place, below)
        asyncio.run(work())
        os._exit(0)
    status = os.waitpid(pid, 0)[1]
    assert status == 0 or os.WTERMSIG(status) == signal.SIGKILL, status
    return status == 0


async def with_hub(data: Path, work: Callable[[Hub], Coroutine[Any, Any, Any]]) -> Any:
    hub = await wiring.open_hub(config.load(environ={}, data=str(data)))
    try:
        return await work(hub)
    finally:
        await wiring.close_hub(hub)


def backups(data: Path, target: Path, scratch: Path) -> int:
    """``target`` holds two backups; a third one that removes the first is killed everywhere."""
    before = BackupFolder(target).generations()
    place = 0
    while True:
        copy = scratch / "target"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(target, copy)
        is_done = in_child(lambda to=copy: with_hub(data, lambda hub: back_up(hub, to, keep=2)), place, copy)
        names = BackupFolder(copy).generations()
        assert set(names) >= set(before[1:]), (place, names)
        assert verified(copy) == [], place
        assert all((copy / "generations" / name / "hub.key").exists() for name in names), place
        if is_done:
            return place
        asyncio.run(with_hub(data, lambda hub, to=copy: back_up(hub, to, keep=2)))
        assert len(BackupFolder(copy).generations()) == 2
        assert verified(copy) == [], place
        assert not (copy / "drafts").exists()
        place += 1


def is_refused(data: Path) -> bool:
    try:
        asyncio.run(with_hub(data, everything))
    except HubError as fault:
        return "has not ended" in fault.message
    return False


def restores(target: Path, scratch: Path) -> int:
    """A restore is killed everywhere: no hub opens before it has ended, and the next run ends it."""
    wanted: Any = None
    place = 0
    while True:
        data = scratch / "data"
        shutil.rmtree(data, ignore_errors=True)
        is_done = in_child(lambda to=data: bring_back(target, to), place, data)
        is_marked = (data / "restoring.json").exists()
        if not is_done:
            assert is_marked == is_refused(data) or not (data / "hub.key").exists(), place
            if is_marked or not (data / "hub.db").exists():
                asyncio.run(bring_back(target, data))
        found = asyncio.run(with_hub(data, everything))
        wanted = wanted or found
        assert found == wanted, place
        assert asyncio.run(with_hub(data, findings)) == [], place
        if is_done:
            return place
        place += 1


async def export(data: Path, target: Path) -> None:
    async def work(hub: Hub) -> None:
        with layout_write.opened(target, "depot") as writer:
            await exports.export(hub, "depot", None, writer, lambda *_: None)

    await with_hub(data, work)


def layouts(data: Path, scratch: Path) -> int:
    """An export that brings an earlier one up to date is killed everywhere: what is shown is whole."""
    first, place = scratch / "first", 0
    asyncio.run(export(data, first))
    for one in list((first / "blobs").glob("*/*"))[:2]:
        one.unlink()
    while True:
        copy = scratch / "layout"
        shutil.rmtree(copy, ignore_errors=True)
        if place % 2:
            shutil.copytree(first, copy)
        is_done = in_child(lambda to=copy: export(data, to), place // 2, copy)
        if not is_done:
            asyncio.run(export(data, copy))
        assert sorted(one.name for one in copy.iterdir()) == ["blobs", "index.json", "oci-layout"], place
        wanted = {one["digest"] for one in json.loads((copy / "index.json").read_text())["manifests"]}
        for path in (copy / "blobs").glob("*/*"):
            assert hashlib.new(path.parent.name, path.read_bytes()).hexdigest() == path.name, place
            wanted.discard(f"{path.parent.name}:{path.name}")
        assert not wanted, place
        if is_done and place % 2:
            return place
        place += 1


if __name__ == "__main__":
    data, target, scratch = (Path(one) for one in sys.argv[1:4])
    scratch.mkdir()
    print(backups(data, target, scratch), restores(target, scratch), layouts(data, scratch))
