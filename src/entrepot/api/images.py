"""Images (UGC): GetDockerImageList, GetAllImages, DeleteImage."""

from typing import Annotated, ClassVar

from entrepot.api.common import BucketName, Limit, Offset, OrderBy, Region
from entrepot.api.declare import Model, Request, Response, action, doc

DELETE_MOST = 100
TAGS_MOST = 20_000
"""Most tags in one answer of GetDockerImageList or GetAllImages; the registry's own tag list pages without end."""


class TagSet(Model, frozen=True):
    """A tag."""

    tag_name: Annotated[str, doc("Name of the tag", "镜像标签名称", eg="v1")]
    create_time: Annotated[
        int, doc("When it was first pushed, in Unix seconds", "创建时间，Unix 时间戳（秒）", eg=1700000000)
    ]


class DockerImageSet(Model, frozen=True):
    """An image with its tags."""

    image_name: Annotated[
        str, doc("Full reference without a tag", "镜像完整名称，不含标签", eg="hub.example.com/helloworld/app")
    ]
    bucket_name: Annotated[str, doc("Bucket that holds it", "所在镜像仓库名称", eg="helloworld")]
    tag_set: Annotated[list[TagSet], doc("Its tags by name", "标签列表，按名称排序")]
    update_time: Annotated[
        int, doc("When it last changed, in Unix seconds", "更新时间，Unix 时间戳（秒）", eg=1700000000)
    ]
    resource_id: Annotated[str, doc("Id of the image in this hub", "资源 ID", eg="image-1")]
    org_id: Annotated[str, doc("Project that the bucket belongs to", "所属项目 ID", eg="org-1a2b3c4d")]


class DockerImages(Response, frozen=True):
    """Answer of GetDockerImageList."""

    total_count: Annotated[int, doc("Images in the bucket, before Limit and Offset", "镜像总数", eg=1)]
    image_set: Annotated[list[DockerImageSet], doc("The images by name", "镜像列表，按名称排序")]


@action(group="UGC", needs="pull", safe=True, title="获取镜像列表", zh="列出一个镜像仓库中的镜像及其标签。")
class GetDockerImageList(Request, frozen=True):
    """List the images of a bucket with their tags."""

    region: Region
    bucket_name: BucketName
    order_by: OrderBy = "Default"
    limit: Limit = 20
    offset: Offset = 0
    returns: ClassVar = DockerImages


class AllImages(Response, frozen=True):
    """Answer of GetAllImages."""

    total_count: Annotated[int, doc("How many references follow", "返回的镜像个数", eg=1)]
    image_set: Annotated[
        list[str],
        doc("bucket/image:tag of each, without the host", "镜像列表，格式为 仓库/镜像:标签", eg="helloworld/app:v1"),
    ]


@action(
    group="UGC",
    needs="pull",
    safe=True,
    by_project=True,
    title="获取全部镜像",
    zh=f"列出自己的镜像仓库在该地域内的全部镜像标签，最多 {TAGS_MOST} 个。",
)
class GetAllImages(Request, frozen=True):
    """List every image tag of your own buckets in a region, at most 20000."""

    region: Region
    returns: ClassVar = AllImages


@action(
    group="UGC",
    needs="delete",
    safe=False,
    title="删除镜像",
    zh="删除自己仓库中一个镜像的若干标签，一次最多 100 个；全部删除或一个也不删除。",
)
class DeleteImage(Request, frozen=True):
    """Delete tags of an image of yours, at most 100 in a call: all of them, or none."""

    region: Region
    bucket_name: BucketName
    image_name: Annotated[str, doc("Name of the image inside the bucket", "镜像名称，不含仓库名", eg="app")]
    tag: Annotated[list[str], doc("Tags to delete, Tag.0 to Tag.99", "要删除的标签，Tag.0 至 Tag.99", eg="v1")]
    returns: ClassVar = Response
