"""What the console's lists show and UCloud has no action for: buckets in every region, images and tags with more.

They belong to UHub as policies see it: whom a policy gives uhub:* finds the same in the console.
"""

import enum
from typing import Annotated, ClassVar

from entrepot.api.buckets import BucketScope
from entrepot.api.common import BucketName, Limit, Offset
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.history import ImageName
from entrepot.api.own import OWN

Bytes = Annotated[int, doc("Bytes", "字节数", eg=4096)]
When = Annotated[int, doc("Unix seconds; 0 for never", "Unix 时间戳（秒），0 表示从未", eg=1700000000)]
Prefix = Annotated[
    str,
    doc(
        "Only names that begin with this; they are counted up to 1000",
        "只返回以此开头的名称，此时总数最多统计到 1000",
        eg="hello",
        max_length=200,
    ),
]
Digest = Annotated[str, doc("Digest of the manifest", "清单摘要", eg="sha256:...")]
MediaType = Annotated[str, doc("Media type", "媒体类型", eg="application/vnd.oci.image.manifest.v1+json")]
Kind = Annotated[str, doc("Type of the artifact; empty for most images", "制品类型，普通镜像多为空", eg="")]


class BucketModel(Model, frozen=True, kw_only=True):
    """A bucket."""

    bucket_name: BucketName
    region: Annotated[str, doc("Region of the bucket", "所在地域", eg="cn-bj2")]
    project_id: Annotated[
        str, doc("Project of the bucket; empty for another account's", "所属项目 ID，其他账户的为空", eg="org-1a2b3c4d")
    ]
    bucket_type: Annotated[str, doc("Private or Public", "Private：私有，Public：公有", eg="Private")]
    is_own: Annotated[bool, doc("Whether it belongs to your account", "是否属于当前账户", eg=True)]
    description: Annotated[str, doc("Free text", "描述", eg="demo")]
    image_count: Annotated[int, doc("Images in it", "镜像个数", eg=10)]
    bytes_held: Annotated[int, doc("Bytes in it; 0 for another account's", "占用字节数，其他账户的为 0", eg=4096)]
    create_time: When
    update_time: When


class BucketPage(Response, frozen=True):
    """Answer of ListBuckets."""

    total_count: Annotated[int, doc("Buckets that match, before Limit and Offset", "满足条件的仓库总数", eg=1)]
    bucket_set: Annotated[list[BucketModel], doc("The buckets by name", "镜像仓库列表，按名称排序")]


@action(
    group="UHub",
    needs="pull",
    safe=True,
    by_project=True,
    title="列出镜像仓库",
    zh=f"列出当前用户可以使用的镜像仓库，可跨地域，含描述和用量。{OWN}",
)
class ListBuckets(Request, frozen=True, kw_only=True):
    """List the buckets that you can use, in one region or in all, with description and size. An action of this hub."""

    region: Annotated[str, doc("Region; every one when absent", "地域，不填则为全部地域", eg="cn-bj2")] | None = None
    bucket_type: Annotated[
        BucketScope,
        doc(
            "All: every bucket you can see; User: your own; Share: public ones of others. All by default",
            "All：可见的全部仓库，User：自己的仓库，Share：他人公开的仓库，默认值：All",
            eg="All",
        ),
    ] = BucketScope.ALL
    prefix: Prefix = ""
    limit: Limit = 20
    offset: Offset = 0
    returns: ClassVar = BucketPage


class OneBucket(Response, frozen=True):
    """Answer of DescribeBucket."""

    bucket: Annotated[BucketModel, doc("The bucket", "镜像仓库信息")]


@action(group="UHub", needs="pull", safe=True, title="获取镜像仓库信息", zh=f"返回一个镜像仓库的信息。{OWN}")
class DescribeBucket(Request, frozen=True):
    """Tell about one bucket that you can use. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = OneBucket


class ImageModel(Model, frozen=True, kw_only=True):
    """An image of a bucket."""

    image_name: ImageName
    tag_count: Annotated[int, doc("Its tags", "标签个数", eg=3)]
    pull_count: Annotated[int, doc("How often a manifest of it was pulled", "镜像被拉取的次数", eg=3)]
    latest_tag: Annotated[str, doc("The tag that was pushed last", "最近一次推送的标签", eg="v1")]
    create_time: When
    update_time: When
    pull_time: When


class ImagePage(Response, frozen=True):
    """Answer of ListImages."""

    total_count: Annotated[int, doc("Images that match, before Limit and Offset", "满足条件的镜像总数", eg=1)]
    image_set: Annotated[list[ImageModel], doc("The images by name", "镜像列表，按名称排序")]


@action(group="UHub", needs="pull", safe=True, title="列出镜像", zh=f"列出一个镜像仓库中的镜像及其用量。{OWN}")
class ListImages(Request, frozen=True, kw_only=True):
    """List the images of a bucket with their counts. An action of this hub."""

    bucket_name: BucketName
    prefix: Prefix = ""
    limit: Limit = 20
    offset: Offset = 0
    returns: ClassVar = ImagePage


class TagOrder(enum.Enum):
    """How tags are sorted."""

    NEWEST = "Newest"
    NAME = "Name"


class TagModel(Model, frozen=True, kw_only=True):
    """A tag with what it points to."""

    tag_name: Annotated[str, doc("Name of the tag", "标签名称", eg="v1")]
    digest: Digest
    media_type: MediaType
    artifact_type: Kind
    platform: Annotated[
        list[str],
        doc(
            "Platforms, as far as they are told by what a list reads",
            "平台，仅列出可直接读取的部分",
            eg="linux/amd64",
        ),
    ]
    size: Annotated[
        int,
        doc(
            "Bytes of config and layers, of all platforms together; 0 where a list does not tell",
            "配置和各层的字节数（多平台为合计），无法得知时为 0",
            eg=4096,
        ),
    ]
    create_time: When
    update_time: When
    pull_time: When


class TagPage(Response, frozen=True):
    """Answer of ListTags."""

    total_count: Annotated[int, doc("Tags that match, before Limit and Offset", "满足条件的标签总数", eg=1)]
    tag_set: Annotated[list[TagModel], doc("The tags", "标签列表")]


@action(
    group="UHub",
    needs="pull",
    safe=True,
    title="列出标签",
    zh=f"列出一个镜像的标签，含平台、大小和拉取时间，默认最新的在前。{OWN}",
)
class ListTags(Request, frozen=True, kw_only=True):
    """List the tags of an image with platforms, size and times, the newest first. An action of this hub."""

    bucket_name: BucketName
    image_name: ImageName
    prefix: Prefix = ""
    order_by: Annotated[TagOrder, doc("Newest or Name", "Newest：最新在前，Name：按名称", eg="Newest")] = (
        TagOrder.NEWEST
    )
    limit: Annotated[
        int, doc("How many to return, 20 by default, at most 100", "返回数量，默认 20，最大 100", eg=20, ge=0, le=100)
    ] = 20
    offset: Offset = 0
    returns: ClassVar = TagPage


class NamedValue(Model, frozen=True):
    """A label or an annotation."""

    name: Annotated[str, doc("Name", "名称", eg="org.opencontainers.image.title")]
    value: Annotated[str, doc("Value", "值", eg="demo")]


class LayerModel(Model, frozen=True):
    """A layer."""

    digest: Annotated[str, doc("Digest of the layer", "层摘要", eg="sha256:...")]
    media_type: MediaType
    size: Bytes


class StepModel(Model, frozen=True):
    """A line of the build history."""

    created_by: Annotated[str, doc("Command that made it", "构建命令", eg="RUN make")]
    created: Annotated[str, doc("When, as the image tells it", "时间，以镜像所述为准", eg="2024-05-08T12:17:43Z")]
    comment: Annotated[str, doc("Comment", "备注", eg="")]
    is_empty: Annotated[bool, doc("Whether it made no layer", "是否没有产生层", eg=False)]


class ConfigModel(Model, frozen=True, kw_only=True):
    """What a container of the image starts with."""

    platform: Annotated[str, doc("Platform", "平台", eg="linux/amd64")]
    created: Annotated[str, doc("When it was built, as the image tells it", "构建时间", eg="2024-05-08T12:17:43Z")]
    author: Annotated[str, doc("Author", "作者", eg="")]
    user: Annotated[str, doc("User that it runs as", "运行用户", eg="")]
    working_dir: Annotated[str, doc("Working directory", "工作目录", eg="/")]
    entrypoint: Annotated[list[str], doc("Entrypoint", "入口命令", eg="/bin/app")]
    command: Annotated[list[str], doc("Default command", "默认命令", eg="--help")]
    environment: Annotated[list[str], doc("Environment", "环境变量", eg="PATH=/bin")]
    port: Annotated[list[str], doc("Ports", "端口", eg="80/tcp")]
    label: Annotated[list[NamedValue], doc("Labels", "标签（Label）")]
    history: Annotated[list[StepModel], doc("Build history", "构建历史")]


class PlatformModel(Model, frozen=True, kw_only=True):
    """A manifest of an index."""

    digest: Digest
    media_type: MediaType
    artifact_type: Kind
    platform: Annotated[str, doc("Platform", "平台", eg="linux/amd64")]
    size: Annotated[int, doc("Bytes of config and layers; 0 where it is not told", "配置和各层的字节数", eg=4096)]
    is_held: Annotated[bool, doc("Whether it is in this hub", "是否存在于本系统", eg=True)]


class ReferrerModel(Model, frozen=True, kw_only=True):
    """A manifest that names this one as its subject: a signature, an SBOM."""

    digest: Digest
    media_type: MediaType
    artifact_type: Kind
    size: Annotated[int, doc("Bytes of config and layers", "配置和各层的字节数", eg=4096)]
    create_time: When


class ManifestDetail(Response, frozen=True, kw_only=True):
    """Answer of DescribeManifest. At most 500 entries of each list are told."""

    digest: Digest
    media_type: MediaType
    artifact_type: Kind
    subject: Annotated[str, doc("Digest of the manifest that it is about", "所针对的清单摘要", eg="")]
    size: Annotated[int, doc("Bytes of config and layers", "配置和各层的字节数", eg=4096)]
    create_time: When
    pull_time: When
    tag: Annotated[list[str], doc("Tags that point to it", "指向它的标签", eg="v1")]
    config_digest: Annotated[str, doc("Digest of the config; empty without one", "配置摘要", eg="sha256:...")]
    config_set: Annotated[list[ConfigModel], doc("The config, where it is one of an image", "镜像配置")]
    layer_set: Annotated[list[LayerModel], doc("The layers, the lowest first", "各层，自下而上")]
    platform_set: Annotated[list[PlatformModel], doc("What an index holds", "索引包含的清单")]
    annotation_set: Annotated[list[NamedValue], doc("Annotations", "注解")]
    referrer_set: Annotated[list[ReferrerModel], doc("Signatures, SBOMs and the like", "签名、SBOM 等引用者")]
    content: Annotated[
        str, doc("The manifest as it was pushed, up to 65536 bytes", "清单原文，最多 65536 字节", eg="{}")
    ]


@action(
    group="UHub",
    needs="pull",
    safe=True,
    title="获取清单详情",
    zh=f"返回一个标签或摘要的各层、配置、构建历史、平台、注解和引用者；需要拉取该镜像的权限。{OWN}",
)
class DescribeManifest(Request, frozen=True):
    """Tell all about a tag or digest: layers, config, history, platforms, annotations, referrers. An own action.

    It takes the right to pull the image.
    """

    bucket_name: BucketName
    image_name: ImageName
    reference: Annotated[str, doc("Tag or digest", "标签或摘要", eg="v1", blank="refused", max_length=200)]
    returns: ClassVar = ManifestDetail
