"""What was deleted and can be brought back: of a bucket, and of the whole account with its deleted buckets."""

from entrepot.console.pages import Nav, page, stay
from entrepot.console.visit import Shown, Visit

ROWS = 25


async def _listed(visit: Visit, **where: str) -> dict[str, object]:
    before = visit.number("before")
    answer = await visit.run("ListDeleted", where, Limit=str(ROWS), Before=str(before))
    return {"deletions": answer.deleted_set, "rows": ROWS, "before": before, "form": visit.form}


@page(
    "/console/bucket/trash",
    section="/console/buckets",
    does={"RestoreDeleted": stay, "PurgeDeleted": stay, "SetUndeleteWindow": stay},
)
async def show_of_bucket(visit: Visit) -> Shown:
    """Deleted images and manifests of a bucket, and for how long they stay."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    return Shown("trash.html", {"bucket": bucket, "tab": "trash", **await _listed(visit, BucketName=name)})


@page(
    "/console/trash",
    does={"RestoreDeleted": stay, "PurgeDeleted": stay},
    nav=Nav("Trash", "回收站", "trash", 25),
)
async def show_all(visit: Visit) -> Shown:
    """Everything that was deleted in the account, newest first."""
    return Shown("trash.html", {"bucket": None, "tab": "", **await _listed(visit)})
