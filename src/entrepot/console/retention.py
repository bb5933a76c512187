"""What goes from a bucket by itself and what never changes: retention with its dry run, immutable tags."""

import json

from entrepot.console.pages import page, show_answer, stay
from entrepot.console.visit import Moved, Shown, Visit, listed

ROWS = 25
EXAMPLE = [{"Match": ["*"], "Except": ["latest"], "KeepNewest": 10, "KeepPulledDays": 90}]


async def _lists(visit: Visit) -> Shown | Moved | None:
    """One text of patterns in the form, one parameter each on the wire; a dry run changes nothing and is shown."""
    action = visit.form.get("do", "")
    if action == "PreviewBucketRetention":
        return await show(visit)
    if action != "SetBucketImmutableTags":
        return None
    params = {"BucketName": visit.form.get("BucketName", "")}
    for wire, name in (("Tag", "Tags"), ("ExceptTag", "ExceptTags")):
        params |= listed(wire, visit.form.get(name, ""))
    await visit.run(action, {"Tag.0": "", **params})
    return Moved(stay(visit))


@page(
    "/console/bucket/retention",
    section="/console/buckets",
    post=_lists,
    does={"SetBucketRetention": stay, "RunBucketRetention": show_answer},
)
async def show(visit: Visit) -> Shown:
    """The rules, what they would take now and why, and which tags nobody may change."""
    name = visit.query.get("name", "")
    bucket = (await visit.run("DescribeBucket", BucketName=name)).bucket
    rules = await visit.run("GetBucketRetention", BucketName=name)
    immutable = await visit.run("GetBucketImmutableTags", BucketName=name)
    offset = visit.number("offset")
    tried = visit.form.get("Rules", "") if visit.form.get("do") == "PreviewBucketRetention" else ""
    preview = None
    # A dry run reads every tag of the bucket, so it is made when somebody asks for it.
    if tried or (visit.query.get("preview") and visit.fault is None):
        trial = {"Rules": tried} if tried else {}
        preview = await visit.tried(
            "PreviewBucketRetention", trial, BucketName=name, Limit=str(ROWS), Offset=str(offset)
        )
    return Shown(
        "retention.html",
        {
            "bucket": bucket,
            "tab": "retention",
            "rules": rules,
            "written": visit.form.get("Rules") or _spread(rules.rules),
            "immutable": immutable,
            "preview": preview,
            "is_trial": bool(tried),
            "gone": visit.answer.tag_set if visit.answer is not None else None,
            "offset": offset,
            "rows": ROWS,
            "form": visit.form,
        },
    )


def _spread(rules: str) -> str:
    """Rules over several lines; without any, an example to start from."""
    listed = json.loads(rules) or EXAMPLE
    return "[\n" + ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in listed) + "\n]"
