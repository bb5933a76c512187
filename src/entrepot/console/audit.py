"""The audit trail."""

from entrepot.console.pages import Nav, page
from entrepot.console.visit import Shown, Visit
from entrepot.errors import Kind

ROWS = 50


@page("/console/audit", nav=Nav("Audit", "审计", "list", 80))
async def show(visit: Visit) -> Shown:
    """The newest lines, or those before one."""
    before = visit.number("before")
    listed = await visit.run("ListAuditRecords", Limit=str(ROWS), Before=str(before))
    meanings = {kind.row.ret_code: kind for kind in reversed(Kind)}
    return Shown("audit.html", {"lines": listed.audit_set, "rows": ROWS, "before": before, "meanings": meanings})
