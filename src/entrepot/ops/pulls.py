"""Count pulls beside the hot path: in memory, and into the rows every second. A kill loses at most that second."""

import asyncio

import structlog

from entrepot.errors import HubError
from entrepot.ops.context import Hub
from entrepot.store.sql import repos as sql

PERIOD = 1.0
log = structlog.get_logger("pulls")


def count(hub: Hub, image_id: int) -> None:
    """A manifest of the image was pulled."""
    hub.pulls[image_id] = hub.pulls.get(image_id, 0) + 1


async def flush(hub: Hub) -> None:
    """Move what was counted into the rows; when that fails, it stays counted for the next time."""
    taken = dict(hub.pulls)
    if not taken:
        return
    await hub.db.note(sql.add_pulls, taken, int(hub.clock()))
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
