"""Whether the wall clock may end things. Ages are counted by it, and it can be wrong: a machine that starts without the
time, a typing error, a time server gone mad. Whatever removes what nobody asked to remove asks here first.

A jump against the monotonic clock, or against the newest time that was seen before a restart, stops that for a while.
"""

import structlog

from entrepot.ops.context import Hub
from entrepot.store.sql import clocks as sql

TOLERANCE = 120
"""Seconds between the clocks that are no jump."""
LONG = 86_400
"""Seconds after which a stop is long enough to doubt the clock at the start after it."""
START = 3600
"""Most seconds of doubt after a long stop: time servers are asked by then."""
WRITE = 60
log = structlog.get_logger("clock")


async def is_steady(hub: Hub) -> bool:
    """Whether what is old may be removed now; to be asked before each step, at least every ten minutes or so.

    False for ``grace_seconds`` after a jump, counted by the monotonic clock and over restarts.
    """
    wall, monotonic = hub.clock(), hub.monotonic()
    if hub.seen is None:
        stored = await hub.db.read(sql.seen)
        at, hold = stored or (int(wall), 0)
        jump = wall - at
        is_jump = jump < -TOLERANCE or jump > LONG
        doubt = hub.settings.grace_seconds if jump < 0 else min(START, hub.settings.grace_seconds)
        hold = max(hold, doubt if is_jump else 0)
    else:
        seen_wall, seen_monotonic, hold_before = hub.seen
        passed = monotonic - seen_monotonic
        jump = wall - seen_wall - passed
        is_jump = abs(jump) > TOLERANCE
        hold = max(0, int(hold_before - passed), hub.settings.grace_seconds if is_jump else 0)
    hub.seen = (wall, monotonic, hold)
    if is_jump:
        log.error(
            "the clock jumped; nothing is removed for a while. Is the system's time right?", by=int(jump), wait=hold
        )
    if is_jump and jump < 0:
        await hub.db.note(sql.come_back, int(wall), hub.settings.grace_seconds, hub.settings.untagged_after)
    await hub.db.note(sql.see, int(wall), int(hold), WRITE)
    return hold == 0
