"""Buckets: the list, one bucket with its images, and its settings."""

from entrepot.console.pages import Nav, page, stay, to
from entrepot.console.visit import Moved, Shown, Visit, listed

ROWS = 25
SECTION = "/console/buckets"
SCOPES = ("All", "User", "Share")


async def _create(visit: Visit) -> Moved | None:
    """UHub's action makes buckets in the default region; in another one UGC's makes it, and UHub's describes it."""
    form = visit.form
    if form.get("do") != "CreateRepo" or form.get("Region", "") in {"", visit.hub.settings.default_region}:
        return None
    name = form.get("RepoName", "")
    await visit.run("CreateDockerImageBucket", Region=form["Region"], BucketName=name)
    change = {part: form[part] for part in ("Description", "IsShared") if form.get(part)}
    if change:
        await visit.run("UpdateRepo", change, RepoName=name)
    return Moved(_OPEN(visit) or SECTION)


_OPEN = to("/console/bucket", name="RepoName")


@page(SECTION, post=_create, does={"CreateRepo": _OPEN}, nav=Nav("Buckets", "镜像仓库", "bucket", 20))
async def show_all(visit: Visit) -> Shown:
    """Everything the person can see, by name, in every region or one."""
    scope = visit.query.get("scope", "")
    scope = scope if scope in SCOPES else "All"
    region = visit.query.get("region", "")
    where = {"Region": region} if region in visit.hub.settings.region_ids else {}
    offset = visit.number("offset")
    found = await visit.run(
        "ListBuckets",
        where,
        BucketType=scope,
        Prefix=visit.query.get("q", "")[:200],
        Limit=str(ROWS),
        Offset=str(offset),
    )
    projects = await visit.run("GetProjectList")
    quotas = await visit.tried("ListQuotas")
    return Shown(
        "buckets.html",
        {
            "buckets": found.bucket_set,
            "total": found.total_count,
            "offset": offset,
            "rows": ROWS,
            "scope": scope,
            "region": where.get("Region", ""),
            "regions": visit.hub.settings.region_ids,
            "default_region": visit.hub.settings.default_region,
            "projects": projects.project_set,
            "quotas": quotas.quota_set if quotas else [],
            "form": visit.form,
        },
    )


@page("/console/bucket", section=SECTION)
async def show_one(visit: Visit) -> Shown:
    """The images of a bucket."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    offset = visit.number("offset")
    found = await visit.run(
        "ListImages", BucketName=name, Prefix=visit.query.get("q", "")[:200], Limit=str(ROWS), Offset=str(offset)
    )
    quotas = await visit.tried("ListQuotas", BucketName=name) if bucket.is_own else None
    return Shown(
        "bucket.html",
        {
            "bucket": bucket,
            "tab": "images",
            "images": found.image_set,
            "total": found.total_count,
            "offset": offset,
            "rows": ROWS,
            "quotas": quotas.quota_set if quotas else [],
        },
    )


async def _networks(visit: Visit) -> Moved | None:
    """One text of networks in the form, one parameter each on the wire."""
    if visit.form.get("do") != "SetBucketNetworkPolicy":
        return None
    params = listed("Network", visit.form.get("Networks", "")) or {"Network.0": ""}
    outside = "true" if visit.form.get("IsOutSide") else "false"
    await visit.run("SetBucketNetworkPolicy", params, BucketName=visit.form.get("BucketName", ""), IsOutSide=outside)
    return Moved(stay(visit))


@page(
    "/console/bucket/settings",
    section=SECTION,
    post=_networks,
    does={"UpdateRepo": stay, "GrantBucket": stay, "RevokeBucketGrant": stay, "DeleteRepo": to(SECTION)},
)
async def show_settings(visit: Visit) -> Shown:
    """Who may use an own bucket, from where, and its end."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    quotas = await visit.tried("ListQuotas", BucketName=name)
    grants = await visit.tried("ListBucketGrants", BucketName=name)
    networks = await visit.tried("GetBucketNetworkPolicy", BucketName=name)
    return Shown(
        "bucket_settings.html",
        {
            "bucket": bucket,
            "tab": "settings",
            "quotas": quotas.quota_set if quotas else [],
            "grants": grants.grant_set if grants else None,
            "networks": networks,
            "form": visit.form,
        },
    )
