"""What was deleted, and how to bring it back: actions of this hub, UCloud has none for it."""

from typing import Annotated, ClassVar

from entrepot.api.common import BucketName, Limit
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN

DeletionId = Annotated[
    int, doc("Id of the deletion, from ListDeleted", "删除记录的编号，见 ListDeleted", eg=7, ge=1, le=2**53)
]


class Deleted(Model, frozen=True):
    """Something that was deleted and can be brought back."""

    deletion_id: DeletionId
    kind: Annotated[str, doc("Bucket, Image or Manifest", "类型：Bucket、Image 或 Manifest", eg="Image")]
    bucket_name: BucketName
    image_name: Annotated[str, doc("Image, empty for a bucket", "镜像名称，仓库时为空", eg="app")]
    digest: Annotated[str, doc("Digest of a manifest, else empty", "清单的摘要，其他类型为空", eg="sha256:...")]
    manifests: Annotated[int, doc("How many manifests come back", "可恢复的清单数量", eg=3)]
    bytes: Annotated[int, doc("Bytes that it holds", "占用的字节数", eg=1048576)]
    user: Annotated[str, doc("Who deleted it", "操作者", eg="main@example.com")]
    delete_time: Annotated[int, doc("When, in Unix seconds", "删除时间，Unix 时间戳（秒）", eg=1700000000)]
    expire_time: Annotated[
        int,
        doc("Until when it can be brought back, in Unix seconds", "可恢复的截止时间，Unix 时间戳（秒）", eg=1700604800),
    ]


class DeletedList(Response, frozen=True):
    """Answer of ListDeleted."""

    deleted_set: Annotated[list[Deleted], doc("The deletions, newest first", "删除记录，最新的在前")]


@action(
    group="Entrepot",
    needs="pull",
    safe=True,
    title="获取已删除的资源",
    zh=f"列出已删除、仍可恢复的镜像仓库、镜像和清单。标签见 ListTagHistory。{OWN}",
)
class ListDeleted(Request, frozen=True):
    """List what was deleted and can be brought back: buckets, images, manifests. For tags see ListTagHistory."""

    bucket_name: Annotated[str, doc("Only this bucket", "只返回该镜像仓库", eg="helloworld")] | None = None
    limit: Limit = 20
    before: Annotated[
        int, doc("Only deletions with a smaller DeletionId", "只返回编号小于该值的记录", eg=0, ge=0, le=2**53)
    ] = 0
    returns: ClassVar = DeletedList


class RestoredThing(Response, frozen=True):
    """Answer of RestoreDeleted."""

    manifests: Annotated[int, doc("Manifests that came back", "恢复的清单数量", eg=3)]
    tags: Annotated[int, doc("Tags that came back", "恢复的标签数量", eg=2)]
    skipped_tags: Annotated[
        list[str],
        doc(
            "Tags that point to something else by now and were left alone",
            "现已指向其他清单、未恢复的标签",
            eg="latest",
        ),
    ]


@action(
    group="Entrepot",
    needs="push",
    safe=False,
    title="恢复已删除的资源",
    zh=f"恢复被删除的镜像仓库、镜像或清单及其标签。{OWN}",
)
class RestoreDeleted(Request, frozen=True, kw_only=True):
    """Bring a deleted bucket, image or manifest back, with its tags. An action of this hub."""

    bucket_name: BucketName
    deletion_id: DeletionId
    returns: ClassVar = RestoredThing


@action(
    group="Entrepot",
    needs="delete",
    safe=False,
    title="彻底删除",
    zh=f"立即放弃一条删除记录，释放其占用的空间，之后无法恢复。{OWN}",
)
class PurgeDeleted(Request, frozen=True, kw_only=True):
    """Give a deletion up for good, so that its space is freed now. An action of this hub."""

    bucket_name: BucketName
    deletion_id: DeletionId
    returns: ClassVar = Response


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="设置可恢复时间",
    zh=f"设置一个镜像仓库中删除的内容可以恢复多少天；不填天数则恢复为系统设置。{OWN}",
)
class SetUndeleteWindow(Request, frozen=True, kw_only=True):
    """Set for how many days what is deleted in a bucket can be brought back; without Days, what the hub's setting says.

    It holds for what is deleted from then on, and for tags. An action of this hub.
    """

    bucket_name: BucketName
    days: Annotated[int, doc("Days; 0: not at all", "天数，0 表示不保留", eg=7, ge=0, le=3650)] | None = None
    returns: ClassVar = Response
