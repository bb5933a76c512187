"""Buckets (UGC): GetImageBucketList, the page that the hub starts from, and CreateDockerImageBucket."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.common import BucketName, Limit, Offset, OrderBy, Region
from entrepot.api.declare import Model, Request, Response, action, doc


class BucketScope(enum.Enum):
    """Whose buckets."""

    ALL = "All"
    USER = "User"
    SHARE = "Share"


class ImageBucketListSet(Model, frozen=True):
    """A bucket of the list."""

    bucket_name: Annotated[str | None, doc("Name of the bucket", "Docker 镜像仓库名称", eg="helloworld")] = None
    bucket_type: Annotated[
        str | None, doc("Private, or Public: anybody may pull", "Private：私有，Public：公有", eg="Public")
    ] = None
    image_count: Annotated[int | None, doc("Images in the bucket", "仓库中含有的镜像个数", eg=10)] = None
    create_time: Annotated[
        int | None, doc("When it was made, in Unix seconds", "创建时间，Unix 时间戳（秒）", eg=1700000000)
    ] = None


class ImageBuckets(Response, frozen=True):
    """Answer of GetImageBucketList."""

    total_count: Annotated[
        int | None, doc("Buckets that match, before Limit and Offset", "满足条件的仓库总数", eg=1)
    ] = None
    image_set: Annotated[list[ImageBucketListSet] | None, doc("The buckets by name", "镜像仓库列表，按名称排序")] = None


@action(
    group="UGC",
    needs="pull",
    safe=True,
    by_project=True,
    title="获取可用的镜像仓库列表",
    zh="列出当前用户可以使用的 Docker 镜像仓库，私有和公有的都包括在内。",
)
class GetImageBucketList(Request, frozen=True):
    """List the Docker image buckets that you can use, private and public."""

    region: Region
    bucket_name: Annotated[
        str | None,
        doc(
            "Only the bucket of exactly this name; all without it",
            "Docker 镜像仓库名称，不填则返回全部",
            eg="helloworld",
        ),
    ] = None
    bucket_type: Annotated[
        BucketScope,
        doc(
            "All: every bucket you can see; User: your own; Share: public ones of others. All by default",
            "All：可见的全部仓库，User：自己创建的仓库，Share：他人公开的仓库，默认值：All",
            eg="All",
        ),
    ] = BucketScope.ALL
    order_by: OrderBy = "Default"
    limit: Limit = 20
    offset: Offset = 0
    returns: ClassVar = ImageBuckets


@action(
    group="UGC",
    needs="push",
    safe=False,
    title="创建镜像仓库",
    zh="创建一个私有的 Docker 镜像仓库。名称全局唯一：4 到 30 个小写字母、数字，中间可用单个 _ . -。",
)
class CreateDockerImageBucket(Request, frozen=True):
    """Create a private image bucket.

    Its name is global: 4 to 30 lower-case letters and digits, with single _ . - between them.
    """

    region: Region
    bucket_name: BucketName
    returns: ClassVar = Response
