"""Stored bytes are read again and again, slowly, and compared with their digests: what has rotted is found before it is
needed. A pass goes by id, so what was checked (or pushed) longest ago comes next; its position is a row, so a restart
goes on. One process of a hub works on a table at a time.
"""

import asyncio
import contextlib

import structlog

from entrepot.errors import HubError
from entrepot.ops import damage, events
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import damage as sql
from entrepot.store.sql.damage import Pass

BATCH = 50
STEP = 16 * 1024 * 1024
"""Bytes after which a step ends, so that its position is kept."""
ROUND = 7 * 86_400
"""Seconds from the start of a pass to the earliest start of the next one."""
HOLD = 600
"""Seconds that a process holds a table without a word."""
IDLE = 10.0
URGENT = 16 * 1024 * 1024
"""Bytes per second at which suspects are read where the scrub is off."""
log = structlog.get_logger("scrub")


class Pace:
    """Waits so that reading stays at its rate, and says that this process is still at work."""

    def __init__(self, hub: Hub, me: str) -> None:
        self._hub = hub
        self._me = me
        self._told = hub.monotonic()
        self.read = 0

    async def __call__(self, read: int) -> None:
        """Wait as long as reading so many bytes may take."""
        self.read += read
        await asyncio.sleep(read / (self._hub.settings.scrub_bytes_per_second or URGENT))
        if self._hub.monotonic() - self._told > HOLD / 4:
            self._told = self._hub.monotonic()
            await self._hub.db.note(sql.renew, self._me, int(self._hub.clock()) + HOLD)


async def step(hub: Hub, me: str) -> bool:
    """Suspects, then the next few of each table; whether there may be more to do at once."""
    found = await hub.db.read(sql.suspects, BATCH)
    for blob in found:
        await damage.mark(hub, blob, await damage.examine(hub, blob, Pace(hub, me)))
        await hub.db.note(sql.cleared, [blob.id])
    more = len(found) == BATCH
    if hub.settings.scrub_bytes_per_second:
        for name in ("blob", "manifest"):
            more |= await _go_on(hub, me, name)
    return more


async def _go_on(hub: Hub, me: str, name: str) -> bool:
    now = int(hub.clock())
    if not await hub.db.read(sql.is_due, name, now, ROUND):
        return False
    where = await hub.db.note(sql.hold, name, me, now, now + HOLD)
    if where is None:
        return False
    started = where.started_at if where.position else now
    look = _blobs if name == "blob" else _manifests
    last = await look(hub, where.position, Pace(hub, me))

    def go_on(rows: Rows) -> None:
        sql.advance(rows, name, me, Pass(last, started))
        if not last:
            events.tell_scanned(rows, name, now)

    await hub.db.note(go_on)
    return last > 0


async def _blobs(hub: Hub, after: int, pace: Pace) -> int:
    """Check the next blobs; the id of the last one, 0 at the end of the pass."""
    page = await hub.db.read(sql.blobs, after, BATCH)
    for blob in page:
        await damage.mark(hub, blob, await damage.examine(hub, blob, pace))
        if pace.read >= STEP:
            return blob.id
    return page[-1].id if len(page) == BATCH else 0


async def _manifests(hub: Hub, after: int, pace: Pace) -> int:
    page = await hub.db.read(sql.manifests, after, BATCH)
    for manifest in page:
        await damage.mark_manifest(hub, manifest, await damage.examine_manifest(hub, manifest, pace))
        if pace.read >= STEP:
            return manifest.id
    return page[-1].id if len(page) == BATCH else 0


async def run(hub: Hub) -> None:
    """Until cancelled."""
    me = hub.new_id()
    try:
        while True:
            more = False
            try:
                more = await step(hub, me)
                hub.did("scrub")
            except HubError as fault:  # a busy database or a volume that is away passes; the scrub stays
                log.warning("scrub step failed", reason=fault.message)
            except Exception:
                log.exception("scrub step failed; `entrepot fsck --deep` may tell why")
            await asyncio.sleep(0.05 if more else IDLE)
    finally:
        with contextlib.suppress(HubError):
            await hub.db.note(sql.let_go, me)
