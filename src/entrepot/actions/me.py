"""Handlers of api/me.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.me import AccountSummary, DayModel, GetAccountSummary, PasswordKind, SetPassword
from entrepot.ops import visitors
from entrepot.store.db import Rows
from entrepot.store.sql import activity as sql


@handles(GetAccountSummary)
async def get_account_summary(call: Call, request: GetAccountSummary) -> AccountSummary:
    """Two statements; a day on which nothing happened is told as such."""
    account_id = call.ctx.who.account_id
    today = call.ctx.now - call.ctx.now % sql.DAY
    first = today - (request.days - 1) * sql.DAY

    def load(rows: Rows) -> tuple[sql.Totals, dict[int, tuple[int, int]]]:
        return sql.totals(rows, account_id), sql.days(rows, account_id, first)

    totals, counted = await call.ctx.hub.db.read(load)
    days = range(first, today + 1, sql.DAY)
    return AccountSummary(
        bucket_count=totals.buckets,
        public_count=totals.public,
        image_count=totals.images,
        bytes_held=totals.bytes,
        day_set=[
            DayModel(day=day, pushes=pushes, pulls=pulls)
            for day, (pushes, pulls) in ((day, counted.get(day, (0, 0))) for day in days)
        ],
    )


@handles(SetPassword)
async def set_password(call: Call, request: SetPassword) -> Response:
    """Only the own one, and only with the console password."""
    await visitors.set_password(
        call.ctx, request.current_password, request.new_password, registry=request.kind is PasswordKind.REGISTRY
    )
    return Response()
