"""Events of a bucket, newest first; what each kind is called, and the filter that those who listen fill in."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from entrepot.console.pages import page
from entrepot.console.visit import Shown, Visit, listed

ROWS = 25
KINDS = {
    "image.pushed": ("tag pushed", "推送新标签"),
    "image.moved": ("tag moved", "标签移动"),
    "image.deleted": ("tag or image deleted", "删除标签或镜像"),
    "image.restored": ("tag or image restored", "恢复标签或镜像"),
    "image.pulled": ("image pulled", "拉取镜像"),
    "bucket.created": ("bucket created", "创建仓库"),
    "bucket.shared": ("bucket shared", "公开或授权仓库"),
    "bucket.unshared": ("sharing ended", "取消公开或授权"),
    "bucket.deleted": ("bucket deleted", "删除仓库"),
    "bucket.restored": ("bucket brought back", "恢复仓库"),
    "quota.near": ("quota nearly used", "配额将满"),
    "quota.reached": ("quota used up", "配额用尽"),
    "collection.done": ("collection done", "垃圾回收完成"),
    "scan.done": ("scrub done", "数据校验完成"),
    "damage.found": ("damage found", "发现损坏"),
    "damage.healed": ("damage healed", "损坏已修复"),
}
"""What each kind is called, English and Chinese."""


class Wanted(NamedTuple):
    """What somebody wants to hear of, as a form shows it: kinds of events (none: all) and globs, one a line."""

    events: tuple[str, ...]
    match: str


def wanted(form: Mapping[str, str], kept: Any = None) -> Wanted:
    """What was filled in, or else what a webhook or trigger has."""
    if "Match" in form:
        return Wanted(tuple(value for name, value in form.items() if name.startswith("Event.")), form["Match"])
    return Wanted(tuple(kept.event), "\n".join(kept.match)) if kept else Wanted((), "")


async def spread_globs(visit: Visit) -> None:
    """One text of globs in the form, one parameter each on the wire."""
    visit.form |= listed("Match", visit.form.get("Match", ""))


@page("/console/bucket/events", section="/console/buckets")
async def show(visit: Visit) -> Shown:
    """Events of every kind or one, for those who may see who did what."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    kind = visit.query.get("kind", "")
    only = {"Kind": kind} if kind in KINDS else {}
    before = visit.number("before")
    found = await visit.run("ListEvents", only, BucketName=name, OrderBy="Newest", Limit=str(ROWS), Before=str(before))
    return Shown(
        "events.html",
        {
            "bucket": bucket,
            "tab": "events",
            "events": found.event_set,
            "kinds": KINDS,
            "kind": only.get("Kind", ""),
            "before": before,
            "rows": ROWS,
        },
    )
