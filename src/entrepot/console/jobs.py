"""What the hub does by itself, and how far it is; the page renews itself."""

from typing import NamedTuple

from entrepot.console.pages import Nav, page
from entrepot.console.visit import Shown, Visit


class Title(NamedTuple):
    """What a kind of job is called."""

    en: str
    zh: str


KINDS = {
    "Collection": Title("Collection of what nothing needs", "垃圾回收"),
    "Scrub": Title("Scrub: stored bytes against their digests", "数据校验"),
    "Backup": Title("Backup", "备份"),
    "Retention": Title("Retention", "标签保留"),
}


@page("/console/jobs", nav=Nav("Jobs", "任务", "check", 75))
async def show(visit: Visit) -> Shown:
    """The jobs that concern the account; those of the whole hub for the account that was made first."""
    return Shown("jobs.html", {"jobs": (await visit.run("ListJobs")).job_set, "kinds": KINDS})
