"""What a process knows of itself: once a second into its place of the tally, where whichever is scraped finds it.

What the rows know is asked when somebody scrapes (``store/sql/gauges.py``).
"""

import asyncio
import os
import resource
from pathlib import Path

from entrepot import tally
from entrepot.ops.context import Hub
from entrepot.store.db import Watched

PERIOD = 1.0

WAITING_WRITES = tally.cell(
    "entrepot_database_waiting_writes", "gauge", "Writes that wait for their turn at the database."
)
COMMITS = tally.cell("entrepot_database_commits", "counter", "Commits of the database, each of a group of writes.")
WRITES = tally.cell("entrepot_database_writes", "counter", "Writes in those commits; by commits, the size of a group.")
PASSWORDS = tally.cell("entrepot_password_checks", "gauge", "Password checks that run or wait.")
UNSTORED = tally.cell("entrepot_pulls_unstored", "gauge", "Pulls and pushes that are counted and not yet in the rows.")
MEMORY = tally.cell("entrepot_resident_bytes", "gauge", "Memory that the serving processes hold.")
FILES = tally.cell("entrepot_open_files", "gauge", "Files and connections that the serving processes have open.")


class Gauges:
    """Of one process."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._commits = self._writes = 0

    def refresh(self) -> None:
        """Put everything where the others see it."""
        hub, numbers = self._hub, self._hub.tally
        numbers.put(PASSWORDS, hub.checking)
        numbers.put(UNSTORED, sum(hub.pulls.values()) + sum(hub.pushes.values()))
        numbers.put(MEMORY, _resident())
        numbers.put(FILES, sum(1 for _ in Path("/proc/self/fd").iterdir()))
        if isinstance(hub.db, Watched):
            numbers.put(WAITING_WRITES, hub.db.waiting)
            commits, writes = hub.db.commits, hub.db.writes
            numbers.add(COMMITS, commits - self._commits)
            numbers.add(WRITES, writes - self._writes)
            self._commits, self._writes = commits, writes

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.refresh()
            await asyncio.sleep(PERIOD)


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def disk(hub: Hub) -> tuple[int, int]:
    """(free for us, size) in bytes of the file system that the data folder is on."""
    found = os.statvfs(hub.settings.data_dir)
    return found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
