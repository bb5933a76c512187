"""Leftovers: uploads that nobody goes on with. Bounded work per step; safe to run in several processes."""

import asyncio

import structlog

from entrepot import failpoint
from entrepot.errors import HubError
from entrepot.ops import clocks
from entrepot.ops.context import Hub
from entrepot.ops.sessions import NEW_SECONDS
from entrepot.ops.visitors import IDLE_SECONDS
from entrepot.store.sql import activity as activity_sql
from entrepot.store.sql import audit as audit_sql
from entrepot.store.sql import blobs as sql
from entrepot.store.sql import events as events_sql
from entrepot.store.sql import history as history_sql
from entrepot.store.sql import leases as leases_sql
from entrepot.store.sql import logins as logins_sql
from entrepot.store.sql import policies as policies_sql
from entrepot.store.sql import triggers as triggers_sql
from entrepot.store.sql import webhooks as webhooks_sql

BATCH = 200
PERIOD = 600.0
MOST_DAYS = 366
"""How many days of counts are kept."""

log = structlog.get_logger("janitor")


async def drop_idle_uploads(hub: Hub) -> int:
    """End at most one batch of sessions idle for longer than the setting; how many."""
    before = int(hub.clock()) - hub.settings.upload_seconds
    sessions = await hub.db.read(sql.idle_uploads, before, BATCH)
    for session in sessions:
        # Row first, bytes later: a crash between leaves an orphan file, never a session without bytes.
        ended = await hub.db.note(sql.end_upload, session, int(hub.clock()))
        failpoint.at("expire.ended")
        hub.running.pop(session, None)
        if ended:
            await hub.blobs.drop_upload(session)
        failpoint.at("expire.dropped")
    return len(sessions)


async def forget_ended_uploads(hub: Hub) -> int:
    """Forget at most one batch of ended sessions whose ids are no longer good for a start; how many."""
    return await hub.db.note(sql.forget_ended, int(hub.clock()) - NEW_SECONDS, BATCH)


async def drop_orphan_uploads(hub: Hub) -> int:
    """Remove at most one batch of upload bytes that no row knows: left by a kill in the middle, or a deleted bucket."""
    old = await hub.blobs.old_uploads(hub.clock() - hub.settings.upload_seconds, BATCH)
    orphans = await hub.db.read(sql.without_row, old)
    for session in orphans:
        await hub.blobs.drop_upload(session)
        failpoint.at("expire.orphan-gone")
    return len(orphans)


async def forget_audit(hub: Hub) -> int:
    """Delete at most one batch of audit lines that are older than the setting; how many."""
    return await hub.db.note(audit_sql.forget, int(hub.clock()) - hub.settings.audit_days * 86_400, BATCH)


async def forget_history(hub: Hub) -> int:
    """Delete at most one batch of tag history that is as old as audit lines may be; how many."""
    return await hub.db.note(history_sql.forget, int(hub.clock()) - hub.settings.audit_days * 86_400, BATCH)


async def forget_sessions(hub: Hub) -> int:
    """Delete at most one batch of temporary keys that have ended; how many."""
    return await hub.db.note(policies_sql.forget_sessions, int(hub.clock()), BATCH)


async def drop_quarantined(hub: Hub) -> int:
    """Remove at most one batch of damaged objects that were set aside longer ago than the setting; how many."""
    return await hub.blobs.drop_quarantined(hub.clock() - hub.settings.quarantine_days * 86_400, BATCH)


async def forget_leases(hub: Hub) -> int:
    """Forget at most one batch of leases on uploads that nobody renewed; how many."""
    return await hub.db.note(leases_sql.forget, int(hub.clock()) - NEW_SECONDS, BATCH)


async def forget_logins(hub: Hub) -> int:
    """Delete at most one batch of sign-ins at the console that nobody uses any more; how many."""
    return await hub.db.note(logins_sql.forget, int(hub.clock()) - IDLE_SECONDS, BATCH)


async def forget_activity(hub: Hub) -> int:
    """Delete at most one batch of daily counts that are older than the charts show; how many."""
    return await hub.db.note(activity_sql.forget, int(hub.clock()) - (MOST_DAYS + 1) * activity_sql.DAY, BATCH)


async def forget_events(hub: Hub) -> int:
    """Delete at most one batch of old events, deliveries and firings that nobody waits for; the most of one kind."""
    before = int(hub.clock()) - hub.settings.event_days * 86_400
    forgetting = (webhooks_sql.forget, triggers_sql.forget, events_sql.forget)
    return max([await hub.db.note(forget, before, BATCH) for forget in forgetting])


STEPS = (
    drop_idle_uploads,
    forget_ended_uploads,
    drop_orphan_uploads,
    forget_audit,
    forget_history,
    forget_sessions,
    drop_quarantined,
    forget_leases,
    forget_logins,
    forget_activity,
    forget_events,
)


async def run(hub: Hub) -> None:
    """Until cancelled: a step every ten minutes, the next one at once while there is more."""
    while True:
        dropped = 0
        try:
            async with hub.db.alone("janitor") as is_mine:
                if is_mine and await clocks.is_steady(hub):
                    dropped = max([await step(hub) for step in STEPS])
                    hub.did("janitor")
        except HubError as fault:  # a full disk or a busy database passes; the janitor stays
            log.warning("janitor step failed", reason=fault.message)
        except Exception:
            log.exception("janitor step failed")
        await asyncio.sleep(0 if dropped == BATCH else PERIOD)
