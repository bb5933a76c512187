"""Count pulls and pushes beside the hot path: in memory, and into the rows every second. A kill loses that second.

Kept are how often an image was pulled, what an account pushed and pulled on each day, and when each manifest was last
pulled, which retention asks for. Who asks for a manifest and hears that it has it already (HEAD, 304) has not pulled
it, but uses it.
"""

import asyncio

import structlog

from entrepot.errors import HubError
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import activity
from entrepot.store.sql import events as events_sql
from entrepot.store.sql import repos as repos_sql
from entrepot.store.sql import retention as retention_sql

PERIOD = 1.0
log = structlog.get_logger("pulls")


def use(hub: Hub, manifest_id: int) -> None:
    """A manifest was pulled, or asked for by who has it already."""
    hub.used.add(manifest_id)


def count(hub: Hub, image_id: int, manifest_id: int | None) -> None:
    """A manifest of the image was pulled."""
    hub.pulls[image_id] = hub.pulls.get(image_id, 0) + 1
    if manifest_id is not None:
        hub.pulled[manifest_id] = hub.pulled.get(manifest_id, 0) + 1


def count_push(hub: Hub, account_id: int) -> None:
    """A manifest was pushed into a bucket of the account."""
    hub.pushes[account_id] = hub.pushes.get(account_id, 0) + 1


async def flush(hub: Hub) -> None:
    """Move what was counted into the rows; when that fails, it stays counted for the next time."""
    async with hub.flushing:
        pulls, pushes, used, pulled = dict(hub.pulls), dict(hub.pushes), list(hub.used), dict(hub.pulled)
        if not (pulls or pushes or used):
            return
        now = int(hub.clock())

        def store(rows: Rows) -> None:
            repos_sql.add_pulls(rows, pulls, now)
            activity.add_pulls(rows, pulls, now)
            activity.add_pushes(rows, pushes, now)
            retention_sql.add_pulls(rows, used, now)
            events_sql.note_pulls(rows, pulled, now)

        await hub.db.note(store)
        hub.used.difference_update(used)
        _take(hub.pulls, pulls)
        _take(hub.pushes, pushes)
        _take(hub.pulled, pulled)


def _take(counted: dict[int, int], stored: dict[int, int]) -> None:
    for key, number in stored.items():
        left = counted[key] - number
        if left:
            counted[key] = left
        else:
            del counted[key]


async def run(hub: Hub) -> None:
    """Until cancelled, and once more then."""
    told = ""
    while True:
        try:
            await asyncio.sleep(PERIOD)
            await flush(hub)
            hub.did("pulls")
            told = ""
        except HubError as fault:
            if fault.message != told:  # it may last: once is enough
                told = fault.message
                log.warning("pulls not stored yet", reason=told)
        except asyncio.CancelledError:
            await flush(hub)
            raise
