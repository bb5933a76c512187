"""Webhooks of buckets: actions of this hub, UCloud has none for it."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.common import BucketName, Limit
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.events import Globs, Kinds
from entrepot.api.iam import Seconds
from entrepot.api.own import OWN

WebhookId = Annotated[
    str, doc("Id of a webhook", "Webhook ID", eg="5f0c2c0e-8a39-4e1e-9c9f-0a4e1f6a7b10", blank="refused")
]
Url = Annotated[
    str,
    doc(
        "Where events are posted: http or https, at an address that is public or in outbound_networks",
        "接收事件的地址：http 或 https，公网地址或 outbound_networks 中的地址",
        eg="https://example.com/hook",
        max_length=2000,
    ),
]
Secret = Annotated[
    str,
    doc(
        "Key of the signature, 16 to 200 characters; without one it is made up",
        "签名密钥，16 到 200 个字符；不填则自动生成",
        eg="9f86d081884c7d65",
        max_length=200,
    ),
]
Enabled = Annotated[bool, doc("Whether it is used", "是否启用", eg=True)]


class DeliveryState(enum.Enum):
    """Where a delivery stands."""

    WAITING = "Waiting"
    DELIVERED = "Delivered"
    DEAD = "Dead"


class NewWebhook(Response, frozen=True):
    """Answer of CreateBucketWebhook. The secret in it is shown once."""

    webhook_id: WebhookId
    secret: Annotated[str, doc("Key of the signature, shown once", "签名密钥，仅返回一次", eg="9f86d081...")]


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="创建 Webhook",
    zh="把镜像仓库的事件以 CloudEvents 1.0 格式 POST 到一个地址。请求头 X-Entrepot-Signature 为 "
    "t=<Unix 秒>,v1=<十六进制>，v1 是以密钥对“t 的值、英文句点、请求体”计算的 HMAC-SHA256；请比较签名并拒绝过旧的 t。"
    "2xx 之外的响应会以逐渐加长的间隔重试，约一天后进入死信列表。每个事件至少投递一次，可能重复，"
    f"请用 id 去重、用 Number 排序。{OWN}",
)
class CreateBucketWebhook(Request, frozen=True, kw_only=True):
    """Have the events of a bucket posted to a URL, as CloudEvents 1.0 in JSON. An action of this hub.

    The header `X-Entrepot-Signature` is `t=<unix seconds>,v1=<hex>`: v1 is HMAC-SHA256, under the secret, of the value
    of t, a full stop and the body as it came. To check it, work v1 out again, compare in constant time, and refuse a t
    that is old. Any answer but 2xx, redirects too, is tried again after growing pauses, for about a day; what was not
    taken by then is dead, and RedeliverWebhook sends it again. An event comes at least once, perhaps twice and not
    always in order: tell doubles by the `id`, and order by `Number`.
    """

    bucket_name: BucketName
    url: Url
    event: Kinds = []
    match: Globs = []
    secret: Secret = ""
    enabled: Enabled = True
    returns: ClassVar = NewWebhook


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="更新 Webhook",
    zh=f"修改 Webhook；没有填写的参数保持不变。AllEvents、AllTags 取消相应的限制。{OWN}",
)
class UpdateBucketWebhook(Request, frozen=True, kw_only=True):
    """Change a webhook; what is not sent stays. An action of this hub."""

    bucket_name: BucketName
    webhook_id: WebhookId
    url: Url | None = None
    event: Kinds | None = None
    all_events: Annotated[bool, doc("Send events of every kind", "接收全部类型的事件", eg=False)] = False
    match: Globs | None = None
    all_tags: Annotated[bool, doc("Send events of every tag", "接收全部标签的事件", eg=False)] = False
    secret: Secret | None = None
    enabled: Enabled | None = None
    returns: ClassVar = Response


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="删除 Webhook",
    zh=f"删除 Webhook 及其投递记录；未投递的事件不再发送。{OWN}",
)
class DeleteBucketWebhook(Request, frozen=True):
    """Delete a webhook with its deliveries; what waits is not sent any more. An action of this hub."""

    bucket_name: BucketName
    webhook_id: WebhookId
    returns: ClassVar = Response


class Webhook(Model, frozen=True, kw_only=True):
    """A webhook of a bucket; its secret is not shown."""

    webhook_id: WebhookId
    url: Url
    event: Annotated[list[str], doc("Kinds of events; none: all", "事件类型，空表示全部", eg="image.pushed")]
    match: Annotated[list[str], doc("Globs over tags; none: all", "标签通配符，空表示全部", eg="app:v*")]
    enabled: Enabled
    failures: Annotated[
        int, doc("How often it has failed since it last took something", "自上次成功以来的失败次数", eg=0)
    ]
    waiting_count: Annotated[
        int, doc("Deliveries that wait; at most 1000 are counted", "等待投递的数量，最多计到 1000", eg=0)
    ]
    dead_count: Annotated[
        int, doc("Deliveries that were given up; at most 1000 are counted", "死信数量，最多计到 1000", eg=0)
    ]
    create_time: Seconds


class Webhooks(Response, frozen=True):
    """Answer of ListBucketWebhooks."""

    webhook_set: Annotated[list[Webhook], doc("The webhooks, oldest first", "Webhook 列表，最早的在前")]


@action(group="Entrepot", needs="admin", safe=True, title="获取 Webhook 列表", zh=f"列出镜像仓库的 Webhook。{OWN}")
class ListBucketWebhooks(Request, frozen=True):
    """List the webhooks of a bucket, without their secrets. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = Webhooks


class TestedWebhook(Response, frozen=True, kw_only=True):
    """Answer of TestBucketWebhook."""

    delivered: Annotated[bool, doc("Whether the receiver answered with 2xx", "接收方是否返回 2xx", eg=True)]
    status: Annotated[int, doc("HTTP status; 0: no answer", "HTTP 状态码，0 表示没有响应", eg=200)]
    latency: Annotated[int, doc("In milliseconds", "耗时，单位毫秒", eg=35)]
    answer: Annotated[str, doc("Begin of the answer, or why there is none", "响应的开头，或失败原因", eg="ok")]


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="测试 Webhook",
    zh=f"立即向 Webhook 发送一个 webhook.test 事件并返回结果，不重试。{OWN}",
)
class TestBucketWebhook(Request, frozen=True):
    """Post an event `webhook.test` to a webhook now, once, and tell what came back. An action of this hub."""

    bucket_name: BucketName
    webhook_id: WebhookId
    returns: ClassVar = TestedWebhook


class WebhookDelivery(Model, frozen=True, kw_only=True):
    """An event on its way to a webhook."""

    delivery_id: Annotated[int, doc("Id of the delivery", "投递ID", eg=12)]
    number: Annotated[int, doc("Number of the event in the bucket", "事件编号", eg=7)]
    kind: Annotated[str, doc("Kind of the event", "事件类型", eg="image.pushed")]
    image_name: Annotated[str, doc("Image of the event", "镜像", eg="app")]
    tag_name: Annotated[str, doc("Tag of the event", "标签", eg="v1")]
    state: Annotated[
        str, doc("Waiting, Delivered or Dead", "Waiting：等待，Delivered：已投递，Dead：已放弃", eg="Delivered")
    ]
    tries: Annotated[int, doc("How often it was tried", "尝试次数", eg=1)]
    status: Annotated[int, doc("HTTP status of the last try; 0: no answer", "最近一次的状态码，0 表示没有响应", eg=200)]
    latency: Annotated[int, doc("Of the last try, in milliseconds", "最近一次的耗时，单位毫秒", eg=35)]
    answer: Annotated[str, doc("Begin of the last answer, or why there is none", "最近一次响应的开头或原因", eg="ok")]
    event_time: Seconds
    last_time: Annotated[int, doc("When it was tried last; 0: not yet", "最近一次尝试的时间", eg=1700000001)]
    next_time: Annotated[int, doc("When it is tried next; 0: not any more", "下次尝试的时间", eg=0)]


class WebhookDeliveries(Response, frozen=True):
    """Answer of ListWebhookDeliveries."""

    delivery_set: Annotated[list[WebhookDelivery], doc("The deliveries, newest first", "投递列表，最新的在前")]


@action(
    group="Entrepot",
    needs="admin",
    safe=True,
    title="获取 Webhook 投递列表",
    zh=f"列出 Webhook 的投递：状态、状态码、耗时和响应的开头。State=Dead 即死信列表。{OWN}",
)
class ListWebhookDeliveries(Request, frozen=True, kw_only=True):
    """List the deliveries of a webhook, newest first; those with State Dead were given up. An action of this hub."""

    bucket_name: BucketName
    webhook_id: WebhookId
    state: Annotated[DeliveryState, doc("Only those in this state", "只返回该状态", eg="Dead")] | None = None
    before: Annotated[int, doc("Only deliveries with a smaller id", "只返回ID小于该值的投递", eg=0, ge=0, le=2**53)] = 0
    limit: Limit = 20
    returns: ClassVar = WebhookDeliveries


class Redelivered(Response, frozen=True):
    """Answer of RedeliverWebhook."""

    count: Annotated[int, doc("How many are sent again; at most 1000 in a call", "重新投递的数量，一次最多 1000", eg=1)]


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="重新投递",
    zh=f"重新投递一个事件，或者不填 DeliveryId 时重新投递全部死信。{OWN}",
)
class RedeliverWebhook(Request, frozen=True, kw_only=True):
    """Send one delivery again, or without an id all that are dead. An action of this hub."""

    bucket_name: BucketName
    webhook_id: WebhookId
    delivery_id: Annotated[int, doc("Only this one", "只重新投递该投递", eg=12, ge=1, le=2**53)] | None = None
    returns: ClassVar = Redelivered
