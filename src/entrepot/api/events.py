"""Events of buckets, told to webhooks: actions of this hub, UCloud has none for it."""

import enum
from typing import Annotated, Any, ClassVar

from entrepot.api.common import BucketName, Limit
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.iam import Seconds
from entrepot.api.own import OWN


class EventKind(enum.Enum):
    """What can happen to a bucket."""

    PUSHED = "image.pushed"
    MOVED = "image.moved"
    DELETED = "image.deleted"
    RESTORED = "image.restored"
    PULLED = "image.pulled"
    CREATED = "bucket.created"
    SHARED = "bucket.shared"
    UNSHARED = "bucket.unshared"
    GONE = "bucket.deleted"
    BACK = "bucket.restored"
    NEAR = "quota.near"
    QUOTA = "quota.reached"
    COLLECTED = "collection.done"
    SCANNED = "scan.done"
    DAMAGED = "damage.found"
    HEALED = "damage.healed"


Kinds = Annotated[
    list[EventKind],
    doc(
        "Kinds of events, without any all of them; image.pushed: a tag is new, image.moved: it points elsewhere "
        "now, quota.near: 90 % are used, quota.reached: a push was refused",
        "事件类型，不填表示全部；image.pushed：新标签，image.moved：标签指向了其他摘要，"
        "quota.near：用量达到 90 %，quota.reached：推送因配额被拒绝",
        eg="image.pushed",
    ),
]
Globs = Annotated[
    list[str],
    doc(
        "Only events of these tags: <tag glob> or <image glob>:<tag glob>; without any all. Events of the whole bucket "
        "pass",
        "只接收这些标签的事件：<标签通配符> 或 <镜像通配符>:<标签通配符>，不填表示全部；仓库级事件不受限制",
        eg="app:v*",
    ),
]


class Event(Model, frozen=True, kw_only=True):
    """Something that happened to a bucket."""

    number: Annotated[int, doc("Its number in the bucket, without gaps", "在仓库中的编号，连续递增", eg=7)]
    kind: Annotated[str, doc("Its kind", "事件类型", eg="image.pushed")]
    image_name: Annotated[str, doc("Image, empty where it is about the bucket", "镜像，仓库级事件为空", eg="app")]
    tag_name: Annotated[str, doc("Tag, if there is one", "标签", eg="v1")]
    digest: Annotated[str, doc("Digest, if there is one", "摘要", eg="sha256:...")]
    detail: Annotated[
        Any,
        doc(
            "What is special about this kind, a JSON object: OldDigest of a tag that moved, Tags of what was deleted, "
            "Count of pulls, Percent of a quota",
            "该类型特有的数据，JSON 对象，例如 OldDigest、Tags、Count、Percent",
            eg="",
        ),
    ]
    user: Annotated[str, doc("Who, empty for the hub itself", "操作者，系统自身为空", eg="main@example.com")]
    time: Seconds


class EventOrder(enum.Enum):
    """How events are sorted."""

    OLDEST = "Oldest"
    NEWEST = "Newest"


class Events(Response, frozen=True):
    """Answer of ListEvents."""

    event_set: Annotated[list[Event], doc("The events in the order that was asked for", "事件列表，按要求的顺序")]


@action(
    group="Entrepot",
    needs="admin",
    safe=True,
    title="获取事件列表",
    zh=f"按编号列出镜像仓库的事件，保留 event_days 天。仅在有 Webhook 或触发器时记录事件。{OWN}",
)
class ListEvents(Request, frozen=True, kw_only=True):
    """List what happened to a bucket, by number, the oldest first or the newest. An action of this hub.

    Events are written while somebody listens: a webhook of the bucket, or a trigger of a workflow of the account.
    They are kept for `event_days`.
    """

    bucket_name: BucketName
    kind: Annotated[EventKind, doc("Only this kind", "只返回该类型", eg="image.pushed")] | None = None
    after: Annotated[
        int, doc("Only events with a greater Number", "只返回编号大于该值的事件", eg=0, ge=0, le=2**53)
    ] = 0
    before: Annotated[
        int,
        doc("Only events with a smaller Number; 0: all", "只返回编号小于该值的事件，0 表示不限", eg=0, ge=0, le=2**53),
    ] = 0
    order_by: Annotated[EventOrder, doc("Oldest or Newest", "Oldest：最早的在前，Newest：最新的在前", eg="Newest")] = (
        EventOrder.OLDEST
    )
    limit: Limit = 20
    returns: ClassVar = Events
