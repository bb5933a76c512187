"""Robots, credentials of one bucket for machines: actions of this hub, UCloud has none for it."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.common import BucketName
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.iam import Seconds, Switch
from entrepot.api.own import OWN


class RobotRight(enum.Enum):
    """What a robot may do in its bucket; none implies another."""

    PULL = "Pull"
    PUSH = "Push"
    DELETE = "Delete"


RobotName = Annotated[
    str,
    doc(
        "Name of the robot in its bucket: lower-case letters, digits and single . _ - between them, at most 64",
        "机器人账号在仓库内的名称：小写字母、数字，中间可用单个 . _ -，最长 64 个字符",
        eg="ci",
        blank="refused",
    ),
]
LoginName = Annotated[
    str,
    doc(
        "Name to log in with; in a shell put it in single quotes, or write + in place of $",
        "登录名；在命令行中请用单引号括起来，或用 + 代替 $",
        eg="robot$helloworld+ci",
    ),
]
ExpireTime = Annotated[
    int,
    doc(
        "When it ends, in Unix seconds to come; 0 for never",
        "到期时间，Unix 时间戳（秒），0 表示永不过期",
        eg=0,
        ge=0,
        le=2**53,
    ),
]
_RIGHTS = doc("What it may do: Pull, Push, Delete; none implies another", "权限：Pull、Push、Delete", eg="Pull")


class NewRobot(Response, frozen=True):
    """Answer of CreateBucketRobot. The secret in it is shown once."""

    robot_name: RobotName
    login_name: LoginName
    secret: Annotated[str, doc("Password to log in with, shown once", "登录密码，仅返回一次", eg="9f86d081...")]


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="创建机器人账号",
    zh=f"为一个镜像仓库创建供程序使用的登录账号，只能访问该仓库，不能调用 API。密码仅返回一次。{OWN}",
)
class CreateBucketRobot(Request, frozen=True, kw_only=True):
    """Make a robot: a login for machines that sees one bucket only. An action of this hub.

    Its secret is shown once. It cannot call the API, and gets no right that its maker has not got in all of the bucket.
    """

    bucket_name: BucketName
    robot_name: RobotName
    permission: Annotated[list[RobotRight], _RIGHTS]
    expire_time: ExpireTime = 0
    returns: ClassVar = NewRobot


class BucketRobot(Model, frozen=True, kw_only=True):
    """A robot of a bucket."""

    robot_name: RobotName
    login_name: LoginName
    permission: Annotated[list[str], _RIGHTS]
    status: Annotated[str, doc("Active, Inactive or Expired", "状态：Active、Inactive 或 Expired", eg="Active")]
    expire_time: ExpireTime
    create_time: Seconds


class BucketRobots(Response, frozen=True):
    """Answer of ListBucketRobots."""

    robot_set: Annotated[list[BucketRobot], doc("The robots by name", "机器人账号列表，按名称排序")]


@action(group="Entrepot", needs="admin", safe=True, title="获取机器人账号列表", zh=f"列出镜像仓库的机器人账号。{OWN}")
class ListBucketRobots(Request, frozen=True):
    """List the robots of a bucket, without their secrets. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = BucketRobots


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="更新机器人账号",
    zh=f"启用或停用机器人账号，修改权限或到期时间；没有填写的参数保持不变，已发放的令牌立即失效。{OWN}",
)
class UpdateBucketRobot(Request, frozen=True):
    """Enable or disable a robot, set its rights or its end; what is not sent stays. An action of this hub.

    A change holds at once: tokens that it was given before are no longer good.
    """

    bucket_name: BucketName
    robot_name: RobotName
    status: Annotated[Switch, doc("Active or Inactive", "状态：Active 或 Inactive", eg="Active")] | None = None
    permission: Annotated[list[RobotRight], _RIGHTS] | None = None
    expire_time: ExpireTime | None = None
    returns: ClassVar = Response


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="删除机器人账号",
    zh=f"删除机器人账号，已发放的令牌立即失效；它推送的镜像保留。{OWN}",
)
class DeleteBucketRobot(Request, frozen=True):
    """Delete a robot; it is out at once, and what it pushed stays. An action of this hub."""

    bucket_name: BucketName
    robot_name: RobotName
    returns: ClassVar = Response
