"""Handlers of api/damage.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.damage import Damage, Damages, ListDamaged
from entrepot.ops import buckets
from entrepot.store.db import Rows
from entrepot.store.sql import damage as sql


@handles(ListDamaged)
async def list_damaged(call: Call, request: ListDamaged) -> Damages:
    """Of the caller's account, or one bucket of it."""

    def load(rows: Rows) -> tuple[int, list[sql.Damage]]:
        name = buckets.own(call.ctx, rows, request.bucket_name).name if request.bucket_name else ""
        return sql.of_account(rows, call.ctx.who.account_id, name, request.offset, request.limit)

    total, listed = await call.ctx.hub.db.read(load)
    return Damages(
        total_count=total,
        damaged_set=[
            Damage(
                bucket_name=one.bucket,
                image_name=one.image,
                kind=one.kind,
                digest=one.digest,
                size=one.size,
                fault=one.fault,
                time=one.at,
            )
            for one in listed
        ],
    )
