"""A tag or digest: what is in it."""

import json

from entrepot.console.pages import page
from entrepot.console.visit import Shown, Visit

SECTION = "/console/buckets"


@page("/console/manifest", section=SECTION)
async def show(visit: Visit) -> Shown:
    """Layers, config, history, platforms, annotations, referrers."""
    bucket, image = visit.query.get("bucket", ""), visit.query.get("image", "")
    reference = visit.query.get("reference", "")
    described = (await visit.run("DescribeBucket", BucketName=bucket)).bucket
    detail = await visit.run("DescribeManifest", BucketName=bucket, ImageName=image, Reference=reference)
    return Shown(
        "manifest.html",
        {
            "bucket": described,
            "image": image,
            "reference": reference,
            "detail": detail,
            "config": detail.config_set[0] if detail.config_set else None,
            "steps": _steps(detail),
            "source": _indented(detail.content),
        },
    )


def _steps(detail: object) -> list[tuple[object, object]]:
    """(line of the build history, its layer or None): layers belong to the lines that are not empty, in order."""
    config_set = getattr(detail, "config_set", [])
    if not config_set:
        return []
    left = list(getattr(detail, "layer_set", []))
    return [(line, left.pop(0) if left and not line.is_empty else None) for line in config_set[0].history]


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
