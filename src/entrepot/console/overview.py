"""The front page: what the account holds, what happened lately, and first steps where nothing did yet."""

from entrepot.console.charts import bars
from entrepot.console.pages import Nav, page
from entrepot.console.visit import Shown, Visit

DAYS = (7, 30, 90, 365)


@page("/console", nav=Nav("Overview", "概览", "home", 10))
async def show(visit: Visit) -> Shown:
    """What the person may not see is left out."""
    asked = visit.number("days")
    days = asked if asked in DAYS else 30
    summary = await visit.tried("GetAccountSummary", Days=str(days))
    quotas = await visit.tried("ListQuotas")
    trail = await visit.tried("ListAuditRecords", Limit="8")
    charts = []
    if summary is not None:
        for name, en, zh in (("pushes", "Pushes", "推送"), ("pulls", "Pulls", "拉取")):
            values = [(one.day, getattr(one, name)) for one in summary.day_set]
            charts.append({"title": visit.say(en, zh), "total": sum(n for _, n in values), "chart": bars(values)})
    return Shown(
        "overview.html",
        {
            "summary": summary,
            "quotas": quotas.quota_set if quotas else [],
            "trail": trail.audit_set if trail else [],
            "charts": charts,
            "days": days,
            "choices": DAYS,
        },
    )
