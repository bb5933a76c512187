"""Robots of a bucket: make one (its secret is shown this once), change its rights, switch it off, delete it."""

from entrepot.console.pages import page, show_answer, stay
from entrepot.console.visit import Moved, Shown, Visit

DAY = 86_400
LIFETIMES = (30, 90, 365, 0)
"""Days that the form offers; 0: for ever."""


async def _ends(visit: Visit) -> Shown | Moved | None:
    """The form speaks of days from now, the action of a time."""
    days = visit.form.pop("Days", "")
    if visit.form.get("do") == "CreateBucketRobot" and days.isascii() and days.isdigit() and len(days) < 6:
        visit.form["ExpireTime"] = str(int(visit.hub.clock()) + int(days) * DAY if int(days) else 0)
    return None


@page(
    "/console/bucket/robots",
    section="/console/buckets",
    post=_ends,
    does={"CreateBucketRobot": show_answer, "UpdateBucketRobot": stay, "DeleteBucketRobot": stay},
)
async def show(visit: Visit) -> Shown:
    """Logins for machines that see one bucket only."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    listed = await visit.run("ListBucketRobots", BucketName=name)
    return Shown(
        "robots.html",
        {
            "bucket": bucket,
            "tab": "robots",
            "robots": listed.robot_set,
            "made": visit.answer,
            "lifetimes": LIFETIMES,
            "form": {} if visit.answer is not None else visit.form,
        },
    )
