"""The audit trail of the account: an action of this hub, UCloud has none for it."""

from typing import Annotated, ClassVar

from entrepot.api.common import Limit
from entrepot.api.declare import Model, Request, Response, action, doc


class AuditRecord(Model, frozen=True):
    """One line of the trail."""

    id: Annotated[int, doc("Number of the line", "记录编号", eg=42)]
    time: Annotated[int, doc("When, in Unix seconds", "时间，Unix 时间戳（秒）", eg=1700000000)]
    user: Annotated[str, doc("Who", "操作者", eg="main@example.com")]
    action: Annotated[
        str,
        doc("API action, or Login, PushManifest, DeleteManifest, DeleteBlob", "API 指令或操作名称", eg="CreateRepo"),
    ]
    target: Annotated[str, doc("On what", "操作对象", eg="helloworld")]
    address: Annotated[str, doc("From which address", "来源地址", eg="127.0.0.1")]
    result: Annotated[int, doc("RetCode; 0 is success", "返回码，0 为成功", eg=0)]


class AuditRecords(Response, frozen=True):
    """Answer of ListAuditRecords."""

    audit_set: Annotated[list[AuditRecord], doc("The lines, newest first", "审计记录，最新的在前")]


@action(
    group="Entrepot",
    needs="admin",
    safe=True,
    title="获取审计记录",
    zh="列出账户内的变更和登录记录，最新的在前。本接口为本系统特有，UCloud 没有对应接口。",
)
class ListAuditRecords(Request, frozen=True):
    """List changes and logins of the account, newest first. An action of this hub: UCloud has none for it."""

    limit: Limit = 20
    before: Annotated[
        int,
        doc(
            "Only lines with a smaller Id: the last Id of the page before",
            "只返回编号小于该值的记录",
            eg=0,
            ge=0,
            le=2**53,
        ),
    ] = 0
    returns: ClassVar = AuditRecords
