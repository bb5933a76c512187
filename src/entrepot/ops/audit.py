"""The audit trail: a line for every change and every login, written with the change where there is one."""

import structlog

from entrepot.errors import HubError
from entrepot.ops.context import Ctx, Who
from entrepot.store import moved
from entrepot.store.db import Rows
from entrepot.store.sql import audit as sql
from entrepot.store.sql.audit import Entry

log = structlog.get_logger("audit")
TARGET_LENGTH = 16_384
"""Room for a hundred tags of a push or delete: what is cut off would go unseen."""


def entry(
    ctx: Ctx, action: str, target: str, ret_code: int = 0, who: Who | None = None, account_id: int | None = None
) -> Entry:
    """A line about the caller, or about ``who`` when the caller is only now becoming somebody.

    ``account_id``: whose trail it stands in, when that is not the caller's.
    """
    person = who or ctx.who
    name = person.email or (f"user {person.person_id}" if person.person_id else "")
    return Entry(ctx.now, account_id or person.account_id, name, action, target[:TARGET_LENGTH], ctx.address, ret_code)


def write(rows: Rows, ctx: Ctx, action: str, target: str, owner: int) -> None:
    """A line in the transaction of the change; also in the trail of the account that owns what was changed."""
    sql.add(rows, entry(ctx, action, target))
    if owner != ctx.who.account_id:
        sql.add(rows, entry(ctx, action, target, account_id=owner))


async def record(ctx: Ctx, action: str, target: str, ret_code: int = 0, who: Who | None = None) -> None:
    """Write a line by itself: for what changed nothing in the rows, or changed them already."""
    line = entry(ctx, action, target, ret_code, who)
    try:
        await ctx.hub.db.note(sql.add, line)
    except HubError as fault:
        if not moved.is_refusal(fault):
            raise
        # Pulls go on at a place that the hub has left, and whoever logs in for one must not fail; its trail has moved.
        log.info("not in the audit trail", who=line.who, action=action, ret_code=ret_code, address=ctx.address)


async def record_refusal(ctx: Ctx, action: str, target: str, fault: HubError) -> None:
    """A change that was refused to somebody who is known."""
    if not ctx.who.is_anonymous:
        await record(ctx, action, target, fault.kind.row.ret_code)
