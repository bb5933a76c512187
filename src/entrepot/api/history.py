"""What tags pointed to, and how to bring one back: actions of this hub, UCloud has none for it."""

from typing import Annotated, ClassVar

from entrepot.api.common import BucketName, Limit
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN

ImageName = Annotated[str, doc("Image in the bucket", "镜像名称", eg="app", blank="refused")]


class TagEvent(Model, frozen=True):
    """A line of a tag's history."""

    id: Annotated[int, doc("Number of the line", "记录编号", eg=7)]
    tag_name: Annotated[str, doc("Tag", "标签名称", eg="v1")]
    digest: Annotated[str, doc("Digest that it was set to, or deleted from", "摘要", eg="sha256:...")]
    event: Annotated[str, doc("Set or Deleted", "Set：设置，Deleted：删除", eg="Set")]
    user: Annotated[str, doc("Who", "操作者", eg="main@example.com")]
    time: Annotated[int, doc("When, in Unix seconds", "时间，Unix 时间戳（秒）", eg=1700000000)]
    can_restore: Annotated[
        bool, doc("Whether the manifest is still there, so that RestoreTag can bring it back", "是否可以恢复", eg=True)
    ]


class TagHistory(Response, frozen=True):
    """Answer of ListTagHistory."""

    tag_history_set: Annotated[list[TagEvent], doc("The lines, newest first", "历史记录，最新的在前")]


@action(group="Entrepot", needs="pull", safe=True, title="获取标签历史", zh=f"列出标签曾经指向的摘要和删除记录。{OWN}")
class ListTagHistory(Request, frozen=True):
    """List what the tags of an image pointed to and when, newest first. An action of this hub."""

    bucket_name: BucketName
    image_name: ImageName
    tag_name: Annotated[str, doc("Only this tag", "只返回该标签", eg="v1")] | None = None
    limit: Limit = 20
    before: Annotated[int, doc("Only lines with a smaller Id", "只返回编号小于该值的记录", eg=0, ge=0, le=2**53)] = 0
    returns: ClassVar = TagHistory


class RestoredTag(Response, frozen=True):
    """Answer of RestoreTag."""

    digest: Annotated[str, doc("Digest that the tag points to now", "标签现在指向的摘要", eg="sha256:...")]


@action(
    group="Entrepot",
    needs="push",
    safe=False,
    title="恢复标签",
    zh=f"恢复被删除或被覆盖的标签。清单在失去最后一个标签后保留一段时间（untagged_seconds）。{OWN}",
)
class RestoreTag(Request, frozen=True):
    """Bring a deleted or overwritten tag back, as long as its manifest is there (untagged_seconds). An own action."""

    bucket_name: BucketName
    image_name: ImageName
    tag_name: Annotated[str, doc("Tag", "标签名称", eg="v1", blank="refused")]
    digest: Annotated[
        str,
        doc(
            "Digest to point it to, out of its history; without one, what it pointed to before",
            "恢复到的摘要，不填则为上一个",
            eg="sha256:...",
        ),
    ] = ""
    returns: ClassVar = RestoredTag


class TaggedImage(Response, frozen=True):
    """Answer of TagImage."""

    digest: Annotated[str, doc("Digest that the tag points to now", "标签现在指向的摘要", eg="sha256:...")]


@action(
    group="Entrepot",
    needs="push",
    safe=False,
    title="设置标签",
    zh=f"让标签指向同一镜像中已有的摘要或另一标签的摘要，标签可新建或移动。不可变标签不能移动。{OWN}",
)
class TagImage(Request, frozen=True):
    """Point a tag, new or not, at what the image holds already: a digest, or what another tag points to. An own action.

    As a push of the same manifest under that tag would; an immutable tag is not moved.
    """

    bucket_name: BucketName
    image_name: ImageName
    tag_name: Annotated[str, doc("Tag to set", "要设置的标签", eg="stable", blank="refused")]
    source: Annotated[str, doc("Digest or tag of the image", "镜像的摘要或标签", eg="v1", blank="refused")]
    returns: ClassVar = TaggedImage
