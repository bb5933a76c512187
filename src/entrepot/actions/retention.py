"""Handlers of api/retention.py."""

from collections.abc import Iterable

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.retention import (
    BucketImmutableTags,
    BucketRetention,
    GetBucketImmutableTags,
    GetBucketRetention,
    LeavingTag,
    PreviewBucketRetention,
    RetentionPreview,
    RetentionRun,
    RunBucketRetention,
    SetBucketImmutableTags,
    SetBucketRetention,
)
from entrepot.errors import HubError, Kind
from entrepot.model import globs
from entrepot.model import retention as rules
from entrepot.ops import buckets, retention


def _wanted(request: SetBucketRetention | PreviewBucketRetention) -> tuple[rules.Rule, ...] | None:
    """The rules that a request gives, in whichever form; raises BAD_PARAM for both forms at once."""
    if request.rules is not None and request.preset is not None:
        raise HubError(Kind.BAD_PARAM, "Preset: give either Rules or Preset")
    text = request.rules if request.preset is None else rules.UHUB
    return None if text is None else rules.parse(text)


def _set(leaving: Iterable[retention.Leaving]) -> list[LeavingTag]:
    return [
        LeavingTag(
            image_name=one.image,
            tag_name=one.tag.name,
            digest=one.tag.digest,
            push_time=one.tag.pushed_at,
            pull_time=one.tag.pulled_at,
            reason=one.why,
        )
        for one in leaving
    ]


@handles(SetBucketRetention)
async def set_bucket_retention(call: Call, request: SetBucketRetention) -> Response:
    """In place of what was set before."""
    wanted = _wanted(request)
    if wanted is None:
        raise HubError(Kind.MISSING_PARAM, "Rules")
    await retention.set_rules(call.ctx, request.bucket_name, wanted)
    return Response()


@handles(GetBucketRetention)
async def get_bucket_retention(call: Call, request: GetBucketRetention) -> BucketRetention:
    """Of an own bucket."""
    held = await call.ctx.hub.db.read(lambda rows: retention.show(call.ctx, rows, request.bucket_name))
    return BucketRetention(rules=held.rules, next_run_time=held.next_run_at, last_run_time=held.last_run_at)


@handles(PreviewBucketRetention)
async def preview_bucket_retention(call: Call, request: PreviewBucketRetention) -> RetentionPreview:
    """As it stands now; a run a moment later may see other pulls."""
    found = await retention.preview(
        call.ctx,
        request.bucket_name,
        _wanted(request),
        image=request.image_name,
        limit=request.limit,
        offset=request.offset,
    )
    return RetentionPreview(total_count=found.total, tag_set=_set(found.page))


@handles(RunBucketRetention)
async def run_bucket_retention(call: Call, request: RunBucketRetention) -> RetentionRun:
    """What went, each tag with its reason."""
    report = await retention.apply(call.ctx, request.bucket_name, image=request.image_name, most=request.limit)
    return RetentionRun(tag_set=_set(report.gone), is_finished=report.is_finished)


@handles(SetBucketImmutableTags)
async def set_bucket_immutable_tags(call: Call, request: SetBucketImmutableTags) -> Response:
    """In place of what was set before."""
    tags = [one for one in request.tag if one]
    await buckets.set_immutable_tags(call.ctx, request.bucket_name, tags, request.except_tag or [])
    return Response()


@handles(GetBucketImmutableTags)
async def get_bucket_immutable_tags(call: Call, request: GetBucketImmutableTags) -> BucketImmutableTags:
    """Of an own bucket."""
    held = await call.ctx.hub.db.read(lambda rows: retention.show(call.ctx, rows, request.bucket_name))
    found = globs.selection(held.immutable)
    return BucketImmutableTags(tag_set=list(found.patterns), except_tag_set=list(found.exceptions))
