"""One image: its tags, and what they pointed to before."""

from entrepot.console.pages import page, stay, to
from entrepot.console.visit import Shown, Visit

ROWS = 25
SECTION = "/console/buckets"


@page(
    "/console/image",
    section=SECTION,
    does={"DeleteImage": stay, "DeleteRepoImage": to("/console/bucket", name="RepoName")},
)
async def show_tags(visit: Visit) -> Shown:
    """The tags, the newest first or by name."""
    bucket, image = visit.query.get("bucket", ""), visit.query.get("name", "")
    order = "Name" if visit.query.get("order") == "Name" else "Newest"
    offset = visit.number("offset")
    described = (await visit.run("DescribeBucket", BucketName=bucket)).bucket
    listed = await visit.run(
        "ListTags",
        BucketName=bucket,
        ImageName=image,
        Prefix=visit.query.get("q", "")[:200],
        OrderBy=order,
        Limit=str(ROWS),
        Offset=str(offset),
    )
    quotas = await visit.tried("ListQuotas", BucketName=bucket, ImageName=image) if described.is_own else None
    return Shown(
        "image.html",
        {
            "bucket": described,
            "image": image,
            "tab": "tags",
            "tags": listed.tag_set,
            "total": listed.total_count,
            "offset": offset,
            "rows": ROWS,
            "order": order,
            "quotas": [one for one in quotas.quota_set if one.kind == "tags" and one.most] if quotas else [],
        },
    )


@page("/console/image/history", section=SECTION, does={"RestoreTag": stay})
async def show_history(visit: Visit) -> Shown:
    """What was set and deleted; what is still held can be brought back."""
    bucket, image = visit.query.get("bucket", ""), visit.query.get("name", "")
    tag = visit.query.get("tag", "")
    described = (await visit.run("DescribeBucket", BucketName=bucket)).bucket
    lines = await visit.run(
        "ListTagHistory",
        {"TagName": tag} if tag else {},
        BucketName=bucket,
        ImageName=image,
        Limit=str(ROWS),
        Before=str(visit.number("before")),
    )
    found = lines.tag_history_set
    newest = {} if visit.number("before") else {one.tag_name: one for one in reversed(found)}
    return Shown(
        "history.html",
        {
            "current": {one.id for one in newest.values() if one.event == "Set"},
            "bucket": described,
            "image": image,
            "tab": "history",
            "tag": tag,
            "lines": found,
            "rows": ROWS,
        },
    )
