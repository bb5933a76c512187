"""Handler of api/audit.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.audit import AuditRecord, AuditRecords, ListAuditRecords
from entrepot.store.sql import audit as sql


@handles(ListAuditRecords)
async def list_audit_records(call: Call, request: ListAuditRecords) -> AuditRecords:
    """One page of the own account's trail."""
    before = request.before or 2**53
    found = await call.ctx.hub.db.read(sql.page, call.ctx.who.account_id, before, request.limit)
    return AuditRecords(
        audit_set=[
            AuditRecord(
                id=number,
                time=line.at,
                user=line.who,
                action=line.action,
                target=line.target,
                address=line.address,
                result=line.ret_code,
            )
            for number, line in found
        ]
    )
