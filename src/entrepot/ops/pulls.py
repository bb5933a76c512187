"""Count pulls beside the hot path: in memory, and into the rows every second. A kill loses at most that second.

Two things are kept: how often an image was pulled, and when each manifest was last pulled, which retention asks for.
Who asks for a manifest and hears that it has it already (HEAD, 304) has not pulled it, but uses it.
"""

import asyncio

import structlog

from entrepot.errors import HubError
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import repos as repos_sql
from entrepot.store.sql import retention as retention_sql

PERIOD = 1.0
log = structlog.get_logger("pulls")


def use(hub: Hub, manifest_id: int) -> None:
    """A manifest was pulled, or asked for by who has it already."""
    hub.used.add(manifest_id)


def count(hub: Hub, image_id: int) -> None:
    """A manifest of the image was pulled."""
    hub.pulls[image_id] = hub.pulls.get(image_id, 0) + 1


def _store(rows: Rows, pulls: dict[int, int], used: list[int], now: int) -> None:
    repos_sql.add_pulls(rows, pulls, now)
    retention_sql.add_pulls(rows, used, now)


async def flush(hub: Hub) -> None:
    """Move what was counted into the rows; when that fails, it stays counted for the next time."""
    async with hub.flushing:
        taken, used = dict(hub.pulls), list(hub.used)
        if not (taken or used):
            return
        await hub.db.note(_store, taken, used, int(hub.clock()))
        hub.used.difference_update(used)
        for image_id, pulled in taken.items():
            left = hub.pulls[image_id] - pulled
            if left:
                hub.pulls[image_id] = left
            else:
                del hub.pulls[image_id]


async def run(hub: Hub) -> None:
    """Until cancelled, and once more then."""
    while True:
        try:
            await asyncio.sleep(PERIOD)
            await flush(hub)
        except HubError as fault:
            log.warning("pulls not stored yet", reason=fault.message)
        except asyncio.CancelledError:
            await flush(hub)
            raise
