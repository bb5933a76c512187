"""Handlers of api/repos.py. A repository is a bucket: the verbs are the same, the words of refusal are UHub's."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.repos import (
    CreateRepo,
    DeleteRepo,
    DeleteRepoImage,
    GetImageTag,
    GetRepo,
    GetRepoImage,
    ImageSet,
    ImageTags,
    ImageTagSet,
    RepoImages,
    Repos,
    RepoScope,
    RepoSet,
    UpdateRepo,
)
from entrepot.errors import HubError, Kind
from entrepot.ops import buckets, manifests, permits
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql import repos as sql

# The UGC codes are documented for buckets only, and SDKs repeat what is answered 2000 and above.
_WORDS = {
    Kind.BUCKET_UNKNOWN: Kind.REPO_UNKNOWN,
    Kind.BUCKET_TAKEN: Kind.REPO_TAKEN,
    Kind.BUCKET_NAME_INVALID: Kind.REPO_NAME_INVALID,
    Kind.DELETE_UNKNOWN: Kind.IMAGE_UNKNOWN,
}


@contextmanager
def _as_repo() -> Iterator[None]:
    try:
        yield
    except HubError as fault:
        raise HubError(_WORDS.get(fault.kind, fault.kind), fault.detail) from fault


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _flag(text: str) -> bool:
    """IsShared comes as text: true, True and 1 from different SDKs. Raises BAD_PARAM."""
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if text.lower() not in known:
        raise HubError(Kind.BAD_PARAM, "IsShared")
    return known[text.lower()]


@handles(CreateRepo)
async def create_repo(call: Call, request: CreateRepo) -> Response:
    """Make a bucket in the default region: UHub knows no regions."""
    with _as_repo():
        await buckets.create(
            call.ctx,
            request.repo_name,
            region=call.ctx.hub.settings.default_region,
            project_id=request.project_id,
            is_public=request.is_shared,
            description=request.description,
        )
    return Response()


@handles(DeleteRepo)
async def delete_repo(call: Call, request: DeleteRepo) -> Response:
    """Only an empty one."""
    with _as_repo():
        await buckets.delete(call.ctx, request.repo_name)
    return Response()


@handles(UpdateRepo)
async def update_repo(call: Call, request: UpdateRepo) -> Response:
    """Absent parameters change nothing, whatever the documented default says: a new description must not unshare."""
    shared = None if request.is_shared is None else _flag(request.is_shared)
    with _as_repo():
        await buckets.update(call.ctx, request.repo_name, is_public=shared, description=request.description)
    return Response()


@handles(GetRepo)
async def get_repo(call: Call, request: GetRepo) -> Repos:
    """Every shared repository, or the project's private ones."""

    def page(rows: Rows) -> Repos:
        project_id = None
        if request.type is RepoScope.PRIVATE:
            project_id = request.project_id or people_sql.default_project(rows, call.ctx.who.account_id) or ""
        total, found = sql.repos(rows, project_id=project_id, limit=request.limit, offset=request.offset)
        return Repos(
            total_count=total,
            repo_set=[
                RepoSet(
                    repo_name=row.name,
                    create_time=_time(row.created_at),
                    update_time=_time(row.updated_at),
                    description=row.description,
                    is_shared="true" if row.is_public else "false",
                    is_out_side="true" if row.is_outside else "false",
                )
                for row in found
            ],
        )

    return await call.ctx.hub.db.read(page)


@handles(GetRepoImage)
async def get_repo_image(call: Call, request: GetRepoImage) -> RepoImages:
    """Images of an own repository, or of anybody's shared one."""
    pending = call.ctx.hub.pulls

    def page(rows: Rows) -> RepoImages:
        bucket = permits.readable(call.ctx, rows, request.repo_name, Kind.REPO_UNKNOWN)
        return RepoImages(
            total_count=bucket.image_count,
            image_set=[
                ImageSet(
                    image_name=row.name,
                    pull_count=row.pull_count + pending.get(row.id, 0),
                    create_time=_time(row.created_at),
                    update_time=_time(row.updated_at),
                    latest_tag=row.latest_tag,
                    repo_name=bucket.name,
                )
                for row in sql.images(rows, bucket.id, request.limit, request.offset)
            ],
        )

    return await call.ctx.hub.db.read(page)


@handles(GetImageTag)
async def get_image_tag(call: Call, request: GetImageTag) -> ImageTags:
    """Tags of an image with the digests they point to."""

    def page(rows: Rows) -> ImageTags:
        bucket = permits.readable(call.ctx, rows, request.repo_name, Kind.REPO_UNKNOWN)
        image_id = buckets_sql.find_image(rows, bucket.id, request.image_name)
        if image_id is None:
            raise HubError(Kind.IMAGE_UNKNOWN, request.image_name)
        total, found = sql.tags(rows, image_id, request.tag_name, request.limit, request.offset)
        return ImageTags(
            total_count=total,
            tag_set=[
                ImageTagSet(update_time=_time(updated), tag_name=name, digest=digest) for name, updated, digest in found
            ],
        )

    return await call.ctx.hub.db.read(page)


@handles(DeleteRepoImage)
async def delete_repo_image(call: Call, request: DeleteRepoImage) -> Response:
    """One tag, or the image with all its tags and manifests."""
    with _as_repo():
        if request.tag_name is None:
            await manifests.delete_image(call.ctx, request.repo_name, request.image_name)
        else:
            await manifests.delete_tags(call.ctx, request.repo_name, request.image_name, [request.tag_name])
    return Response()
