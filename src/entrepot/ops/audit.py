"""The audit trail: a line for every change and every login, written with the change where there is one."""

from entrepot.errors import HubError
from entrepot.ops.context import Ctx, Who
from entrepot.store.sql import audit as sql
from entrepot.store.sql.audit import Entry

TARGET_LENGTH = 300


def entry(ctx: Ctx, action: str, target: str, ret_code: int = 0, who: Who | None = None) -> Entry:
    """A line about the caller, or about ``who`` when the caller is only now becoming somebody."""
    person = who or ctx.who
    name = person.email or (f"user {person.person_id}" if person.person_id else "")
    return Entry(ctx.now, person.account_id, name, action, target[:TARGET_LENGTH], ctx.address, ret_code)


async def record(ctx: Ctx, action: str, target: str, ret_code: int = 0, who: Who | None = None) -> None:
    """Write a line by itself: for what changed nothing in the rows, or changed them already."""
    await ctx.hub.db.note(sql.add, entry(ctx, action, target, ret_code, who))


async def record_refusal(ctx: Ctx, action: str, target: str, fault: HubError) -> None:
    """A change that was refused to somebody who is known."""
    if not ctx.who.is_anonymous:
        await record(ctx, action, target, fault.kind.row.ret_code)
