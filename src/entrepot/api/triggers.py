"""StepFlow: what starts workflows by itself, events of buckets and the clock. UCloud has no actions for it."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.common import Limit, Offset
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.events import Globs, Kinds
from entrepot.api.own import OWN
from entrepot.api.stepflow import GROUP, ProjectId, Time, WorkflowId
from entrepot.api.stepflow_runs import InstanceId
from entrepot.api.webhooks import Enabled

TriggerId = Annotated[
    str, doc("Id of a trigger", "触发器ID", eg="7b10a39c-4e1e-4d2f-8a39-0a4e2c1e5c9f", blank="refused")
]
# Not BucketName: policies would take it for the bucket that the call acts on.
Bucket = Annotated[
    str,
    doc(
        "Only events of buckets of the account with this name; * stands for any text",
        "只接收账户中名称匹配的镜像仓库的事件，* 表示任意文本",
        eg="hello*",
        max_length=100,
    ),
]
Cron = Annotated[
    str,
    doc(
        "Minute, hour, day of month, month, day of week, as crontab writes them",
        "分 时 日 月 周，crontab 格式",
        eg="30 3 * * 1-5",
        max_length=100,
    ),
]
TimeZone = Annotated[
    str,
    doc("Time zone that Cron is written in, by its IANA name", "Cron 所用的时区", eg="Asia/Shanghai", max_length=60),
]
Input = Annotated[
    str,
    doc(
        "Inputs of the run, a JSON object; with an event they come on top of it",
        "运行的输入，JSON 对象；事件触发时覆盖事件中的同名字段",
        eg='{"Target":"stable"}',
    ),
]


class TriggerKind(enum.Enum):
    """What fires a trigger."""

    EVENT = "Event"
    CRON = "Cron"


class NewTrigger(Response, frozen=True):
    """Answer of CreateSFTrigger."""

    trigger_id: TriggerId


@action(
    group=GROUP,
    needs="admin",
    safe=False,
    title="创建触发器",
    zh="让工作流由镜像仓库的事件或定时启动，运行已发布的版本，以保存该版本的用户当时的权限运行；该用户须能拉取事件涉及的"
    "镜像。事件的字段（Kind、Number、BucketName、ImageName、TagName、Digest、OldDigest、User、Time、Event）按名称填入"
    "工作流声明的输入。停机期间错过的定时任务在启动后补一次。同一事件或时刻只触发一次；工作流引起的事件最多连续 8 层。"
    f"{OWN}",
)
class CreateSFTrigger(Request, frozen=True, kw_only=True):
    """Have a workflow run by events of buckets, or by the clock. An action of this hub.

    It runs the published version, with the rights that whoever saved it has at that moment; to hear of an image they
    must be allowed to pull it. Of an event the workflow gets what it declares as inputs: Kind, Number, BucketName,
    ImageName, TagName, Digest, OldDigest, User, Time, and Event, the whole CloudEvent. Times that were missed while the
    hub was down are made up for once. An event or a time fires once; events that workflows cause lead to one another
    at most 8 deep.
    """

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    trigger_kind: Annotated[TriggerKind, doc("Event or Cron", "Event：事件，Cron：定时", eg="Event")]
    bucket: Bucket = "*"
    event: Kinds = []
    match: Globs = []
    cron: Cron = ""
    time_zone: TimeZone = "UTC"
    input: Input = "{}"
    enabled: Enabled = True
    returns: ClassVar = NewTrigger


@action(
    group=GROUP,
    needs="admin",
    safe=False,
    title="更新触发器",
    zh=f"修改触发器；没有填写的参数保持不变。AllEvents、AllTags 取消相应的限制。{OWN}",
)
class UpdateSFTrigger(Request, frozen=True, kw_only=True):
    """Change a trigger; what is not sent stays. An action of this hub."""

    project_id: ProjectId | None = None
    trigger_id: TriggerId
    bucket: Bucket | None = None
    event: Kinds | None = None
    all_events: Annotated[bool, doc("Fire on events of every kind", "接收全部类型的事件", eg=False)] = False
    match: Globs | None = None
    all_tags: Annotated[bool, doc("Fire on events of every tag", "接收全部标签的事件", eg=False)] = False
    cron: Cron | None = None
    time_zone: TimeZone | None = None
    input: Input | None = None
    enabled: Enabled | None = None
    returns: ClassVar = Response


@action(group=GROUP, needs="admin", safe=False, title="删除触发器", zh=f"删除触发器；它启动的运行不受影响。{OWN}")
class DeleteSFTrigger(Request, frozen=True, kw_only=True):
    """Delete a trigger; runs that it started go on. An action of this hub."""

    project_id: ProjectId | None = None
    trigger_id: TriggerId
    returns: ClassVar = Response


class Trigger(Model, frozen=True, kw_only=True):
    """What runs a workflow by itself."""

    trigger_id: TriggerId
    workflow_id: WorkflowId
    trigger_kind: Annotated[str, doc("Event or Cron", "Event：事件，Cron：定时", eg="Event")]
    bucket: Bucket
    event: Annotated[list[str], doc("Kinds of events; none: all", "事件类型，空表示全部", eg="image.pushed")]
    match: Annotated[list[str], doc("Globs over tags; none: all", "标签通配符，空表示全部", eg="app:v*")]
    cron: Cron
    time_zone: TimeZone
    input: Input
    enabled: Enabled
    waiting_count: Annotated[
        int,
        doc(
            "Firings whose run was not asked for yet; at most 1000 are counted",
            "等待启动的次数，最多计到 1000",
            eg=0,
        ),
    ]
    next_time: Annotated[int, doc("When a Cron fires next; 0: not", "下次定时触发的时间，0 表示没有", eg=1700000000)]
    last_time: Annotated[int, doc("When it fired last; 0: never", "上次触发的时间，0 表示从未", eg=1700000000)]
    last_instance_id: InstanceId
    last_fault: Annotated[
        str, doc("Why the last firing started no run; empty when it did", "上次未能启动运行的原因，成功则为空", eg="")
    ]
    create_time: Time


class Triggers(Response, frozen=True):
    """Answer of ListSFTriggers."""

    trigger_set: Annotated[list[Trigger], doc("The triggers, oldest first", "触发器列表，最早的在前")]


@action(group=GROUP, needs="admin", safe=True, title="获取触发器列表", zh=f"列出工作流的触发器。{OWN}")
class ListSFTriggers(Request, frozen=True, kw_only=True):
    """List the triggers of a workflow: when they fire next, and how they fired last. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    offset: Offset = 0
    limit: Limit = 20
    returns: ClassVar = Triggers
