"""Hold off the removal of stored objects while somebody copies what the rows of one moment name.

A hold is a row with an end: when its owner is killed, collection goes on by itself. It must be taken before the rows
are read. What was dead by then is named by no row of that moment, so a collector at work already does no harm.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from entrepot.errors import HubError
from entrepot.ops.context import Hub
from entrepot.store.sql import holds as sql

SECONDS = 3600
RENEWAL = 60.0
"""A holder that was stopped for nearly an hour, or could not write for so long, still has its hold."""


@contextlib.asynccontextmanager
async def hold(hub: Hub) -> AsyncIterator[None]:
    """Inside this block no stored object is removed; it is renewed in the background."""
    name = hub.new_id()

    async def take() -> None:
        now = int(hub.clock())
        await hub.db.note(sql.take, name, now, now + SECONDS)

    async def renew() -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            with contextlib.suppress(HubError):
                await take()

    await take()
    renewing = asyncio.create_task(renew())
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with contextlib.suppress(HubError):  # it ends by itself
            await hub.db.note(sql.release, name)
