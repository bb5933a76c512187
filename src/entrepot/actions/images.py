"""Handlers of api/images.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.declare import ACTIONS, Response
from entrepot.api.images import (
    DELETE_MOST,
    TAGS_MOST,
    AllImages,
    DeleteImage,
    DockerImages,
    DockerImageSet,
    GetAllImages,
    GetDockerImageList,
    TagSet,
)
from entrepot.errors import HubError, Kind
from entrepot.model import names, policy
from entrepot.model.policy import Target
from entrepot.ops import manifests, permits
from entrepot.store.db import Rows
from entrepot.store.sql import listing as sql


@handles(GetDockerImageList)
async def get_docker_image_list(call: Call, request: GetDockerImageList) -> DockerImages:
    """Images of an own bucket, or of anybody's public one."""

    def page(rows: Rows) -> DockerImages:
        bucket = permits.readable(call.ctx, rows, request.bucket_name, Kind.BUCKET_UNKNOWN)
        images = sql.images(rows, bucket.id, request.limit, request.offset) if request.limit else []
        tags = sql.tags_of(rows, images, TAGS_MOST)
        return DockerImages(
            total_count=bucket.image_count,
            image_set=[
                DockerImageSet(
                    image_name=f"{call.host}/{bucket.name}/{image.name}",
                    bucket_name=bucket.name,
                    tag_set=[TagSet(tag_name=name, create_time=made) for name, made in tags.get(image.id, [])],
                    update_time=image.updated_at,
                    resource_id=f"image-{image.id}",
                    org_id=bucket.project_id,
                )
                for image in images
            ],
        )

    return await call.ctx.hub.db.read(page)


@handles(GetAllImages)
async def get_all_images(call: Call, request: GetAllImages) -> AllImages:
    """Every tag of the account's own buckets in the region."""
    found = await call.ctx.hub.db.read(
        sql.references, call.ctx.who.account_id, request.region, TAGS_MOST, call.projects
    )
    who, action = call.ctx.who, ACTIONS["GetAllImages"].policy_name
    if permits.denied_in_lists(who, action):

        def is_shown(project_id: str, bucket: str, image: str) -> bool:
            urn = f"ucs:uhub:{request.region}:{who.account_id}:repo/{bucket}"
            return policy.decide(who.policies, action, Target((urn, f"{urn}/{image}"), project_id)) is not False

        found = [row for row in found if is_shown(*row[:3])]
    listed = [f"{bucket}/{image}:{tag}" for _, bucket, image, tag in found]
    return AllImages(total_count=len(listed), image_set=listed)


@handles(DeleteImage)
async def delete_image(call: Call, request: DeleteImage) -> Response:
    """Check what the UGC error table names, then delete all tags or none."""
    if not request.image_name:
        raise HubError(Kind.DELETE_NO_IMAGE)
    if not request.tag or not all(request.tag):
        raise HubError(Kind.DELETE_NO_TAG)
    if len(request.tag) > DELETE_MOST:
        raise HubError(Kind.DELETE_TOO_MANY, f"at most {DELETE_MOST} tags in a call")
    names.image(request.image_name)
    await manifests.delete_tags(call.ctx, request.bucket_name, request.image_name, request.tag)
    return Response()
