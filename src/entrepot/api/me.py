"""The own account at a glance, and the own passwords: actions of this hub, UCloud has none for them."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN

Password = Annotated[str, doc("8 to 1024 characters", "8 到 1024 个字符", eg="correct horse", blank="refused")]


class DayModel(Model, frozen=True):
    """What happened on one day, UTC."""

    day: Annotated[int, doc("Unix time of its first second", "当天零点的 Unix 时间戳（秒）", eg=1699920000)]
    pushes: Annotated[int, doc("Manifests that were pushed", "推送的清单数", eg=3)]
    pulls: Annotated[int, doc("Manifests that were pulled", "拉取的清单数", eg=12)]


class AccountSummary(Response, frozen=True, kw_only=True):
    """Answer of GetAccountSummary."""

    bucket_count: Annotated[int, doc("Buckets of the account", "镜像仓库数", eg=3)]
    public_count: Annotated[int, doc("Public ones among them", "其中公有的个数", eg=1)]
    image_count: Annotated[int, doc("Images in them", "镜像数", eg=10)]
    bytes_held: Annotated[int, doc("Bytes in them; a blob counts once in each bucket", "占用字节数", eg=4096)]
    day_set: Annotated[list[DayModel], doc("Each of the days, the oldest first", "每日统计，最早的在前")]


@action(
    group="Entrepot", needs="pull", safe=True, title="获取账户概览", zh=f"返回账户的用量和每日推送、拉取次数。{OWN}"
)
class GetAccountSummary(Request, frozen=True):
    """Tell what the account holds, and its pushes and pulls by day. An action of this hub.

    Pulls and pushes are counted about a second late; a server that is killed may miss its last second.
    """

    days: Annotated[
        int, doc("How many days, 30 by default, at most 365", "天数，默认 30，最大 365", eg=30, ge=1, le=365)
    ] = 30
    returns: ClassVar = AccountSummary


class PasswordKind(enum.Enum):
    """Which password."""

    CONSOLE = "Console"
    REGISTRY = "Registry"


@action(
    group="Entrepot",
    needs="",
    safe=False,
    title="设置密码",
    zh=f"修改自己的控制台密码，或设置独立的镜像登录密码；都需要当前的控制台密码。修改控制台密码会结束所有控制台会话。{OWN}",
)
class SetPassword(Request, frozen=True, kw_only=True):
    """Change your console password, or set a registry password beside it; both ask for the console password.

    A new console password ends every session at the console. An action of this hub.
    """

    kind: Annotated[
        PasswordKind,
        doc(
            "Console: to sign in, and to log in with registry clients; Registry: one for registry clients alone",
            "Console：控制台密码，也可用于镜像客户端登录；Registry：仅用于镜像客户端登录",
            eg="Registry",
        ),
    ] = PasswordKind.REGISTRY
    current_password: Annotated[
        str, doc("The console password as it is now", "当前的控制台密码", eg="battery staple", blank="refused")
    ]
    new_password: Password
    returns: ClassVar = Response
