"""Members, access keys and projects (UCloud's IAM and UAccount), and what of rights UCloud has no action for."""

import enum
from typing import Annotated, ClassVar

import msgspec

from entrepot.api.declare import Model, Request, Response, action, doc

UserName = Annotated[str, doc("Name of the user inside the account", "用户名，账户内唯一", eg="alice", blank="refused")]
DisplayName = Annotated[str, doc("Name for people", "显示名称", eg="Alice")]
Seconds = Annotated[int, doc("Unix seconds; 0 for never", "Unix 时间戳（秒），0 表示无", eg=1700000000)]
Count = Annotated[
    int, doc("How many to return, 10 by default, at most 100", "返回数量，默认 10，最大 100", eg=10, ge=0, le=100)
]
Start = Annotated[int, doc("How many to skip, 0 by default", "偏移量，默认 0", eg=0, ge=0, le=2**53)]
ProjectId = Annotated[str, doc("Project id", "项目 ID", eg="org-1a2b3c4d", blank="refused")]
ProjectName = Annotated[str, doc("Name of the project", "项目名称", eg="web", blank="refused")]
Status = Annotated[str, doc("Active or Inactive", "状态：Active 或 Inactive", eg="Active")]


class Switch(enum.Enum):
    """On or off, in IAM's words."""

    ACTIVE = "Active"
    INACTIVE = "Inactive"


class NewUser(Response, frozen=True, kw_only=True):
    """Answer of CreateUser. The secrets in it are shown once."""

    access_key_id: Annotated[str, doc("Public key; empty without one", "公钥，未创建时为空", eg="")] = msgspec.field(
        name="AccessKeyID"
    )
    access_key_secret: Annotated[str, doc("Private key, shown once", "私钥，仅返回一次", eg="")]
    company_id: Annotated[int, doc("Account id", "账户 ID", eg=1)] = msgspec.field(name="CompanyID")
    user_name: UserName
    display_name: DisplayName
    email: Annotated[str, doc("Name to log in with", "登录名", eg="alice@1")]
    password: Annotated[str, doc("Password when one was made, shown once", "系统生成的密码，仅返回一次", eg="")]
    console_access: Annotated[bool, doc("May log in with a password", "是否允许使用密码登录", eg=True)]
    api_access: Annotated[bool, doc("Has an active key", "是否有可用的密钥", eg=True)] = msgspec.field(name="APIAccess")


@action(
    group="IAM",
    needs="admin",
    safe=False,
    title="创建用户",
    zh="在账户中创建子用户。新用户没有任何权限，用 SetUserRights 授予。",
)
class CreateUser(Request, frozen=True, kw_only=True):
    """Create a sub-user of the account. It holds no right until SetUserRights gives it some."""

    user_name: UserName
    access_key_status: Annotated[Switch, doc("Active makes a key", "Active 时创建密钥", eg="Active")]
    login_profile_status: Annotated[
        Switch, doc("Active allows logging in with a password", "Active 时允许使用密码登录", eg="Active")
    ]
    display_name: DisplayName = ""
    email: Annotated[
        str,
        doc(
            "E-mail to log in with; <UserName>@<CompanyID> when absent", "登录邮箱，不填则为 用户名@账户ID", eg="a@b.c"
        ),
    ] = ""
    password: Annotated[str | None, doc("Password; made when absent", "密码，不填则自动生成", eg="correct horse")] = (
        None
    )
    returns: ClassVar = NewUser


class UserModel(Model, frozen=True, kw_only=True):
    """A user of the account."""

    email: Annotated[str, doc("Name to log in with", "登录名", eg="alice@1")]
    user_name: UserName
    display_name: DisplayName
    status: Annotated[
        str, doc("Active, ConsoleInactive or Inactive", "状态：Active、ConsoleInactive 或 Inactive", eg="Active")
    ]
    created_at: Seconds
    console_access: Annotated[bool, doc("May log in with a password", "是否允许使用密码登录", eg=True)]
    api_access: Annotated[bool, doc("Has an active key", "是否有可用的密钥", eg=True)] = msgspec.field(name="APIAccess")
    rights: Annotated[
        list[str], doc("What it may do in the account; see SetUserRights", "账户内的权限，见 SetUserRights", eg="pull")
    ]
    is_main: Annotated[bool, doc("Whether it is the account's main user", "是否为主账号", eg=False)]


class OneUser(Response, frozen=True):
    """Answer of GetUser."""

    user: Annotated[UserModel, doc("The user", "用户信息")]


@action(group="IAM", needs="admin", safe=True, title="获取用户", zh="返回账户中一个用户的信息。")
class GetUser(Request, frozen=True):
    """Tell about one user of the account."""

    user_name: UserName
    returns: ClassVar = OneUser


class Users(Response, frozen=True):
    """Answer of ListUsers."""

    total_count: Annotated[int, doc("Users of the account", "用户总数", eg=1)]
    users: Annotated[list[UserModel], doc("The users by name", "用户列表，按用户名排序")]


@action(group="IAM", needs="admin", safe=True, title="获取用户列表", zh="列出账户中的用户。")
class ListUsers(Request, frozen=True):
    """List the users of the account."""

    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = Users


@action(
    group="IAM", needs="admin", safe=False, title="更新用户", zh="修改用户名、显示名称或状态；没有填写的参数保持不变。"
)
class UpdateUser(Request, frozen=True):
    """Change a user's name, display name or status; what is not sent stays as it is."""

    user_name: UserName
    new_user_name: Annotated[str | None, doc("Its new name", "新用户名", eg="bob")] = None
    display_name: DisplayName | None = None
    status: Annotated[Switch | None, doc("Active or Inactive", "状态：Active 或 Inactive", eg="Inactive")] = None
    returns: ClassVar = Response


@action(group="IAM", needs="admin", safe=False, title="删除用户", zh="删除子用户及其密钥；已推送的镜像不受影响。")
class DeleteUser(Request, frozen=True):
    """Delete a sub-user and its keys; images it pushed stay."""

    user_name: UserName
    returns: ClassVar = Response


@action(
    group="IAM",
    needs="admin",
    safe=False,
    title="设置用户权限",
    zh="设置子用户在账户内的权限。本接口为本系统特有，UCloud 没有对应接口。",
)
class SetUserRights(Request, frozen=True):
    """Set what a sub-user may do in the account. An action of this hub: UCloud has none for it."""

    user_name: UserName
    right: Annotated[
        list[str],
        doc("Out of pull, push, delete, admin; one empty value for none", "pull、push、delete、admin", eg="pull"),
    ]
    returns: ClassVar = Response


class AccessKey(Model, frozen=True, kw_only=True):
    """An access key."""

    access_key_id: Annotated[str, doc("Public key", "公钥", eg="4e1f...")] = msgspec.field(name="AccessKeyID")
    access_key_secret: Annotated[str, doc("Private key; only right after it was made", "私钥，仅创建时返回", eg="")]
    user_id: Annotated[int, doc("Id of the user", "用户 ID", eg=2)]
    description: Annotated[str, doc("Free text", "描述", eg="")]
    status: Status
    created_at: Seconds
    expired_at: Seconds
    updated_at: Seconds
    deleted_at: Seconds


class OneKey(Response, frozen=True):
    """Answer of CreateAccessKey."""

    access_key: Annotated[AccessKey, doc("The new key with its secret", "新密钥，含私钥")]


@action(
    group="IAM", needs="", safe=False, title="创建密钥", zh="为自己创建密钥；管理员可以为任何用户创建。私钥只返回一次。"
)
class CreateAccessKey(Request, frozen=True):
    """Make a key for yourself; an administrator makes them for any user. The private key is shown once."""

    user_name: UserName
    returns: ClassVar = OneKey


class Keys(Response, frozen=True):
    """Answer of ListAccessKeys."""

    access_key: Annotated[list[AccessKey], doc("The keys, without their secrets", "密钥列表，不含私钥")]


@action(group="IAM", needs="", safe=True, title="获取密钥列表", zh="列出自己的密钥；管理员可以列出任何用户的密钥。")
class ListAccessKeys(Request, frozen=True):
    """List your keys; an administrator lists those of any user."""

    user_name: UserName
    returns: ClassVar = Keys


KeyId = Annotated[str, doc("Public key", "公钥", eg="4e1f...", blank="refused")]


@action(group="IAM", needs="", safe=False, title="更新密钥", zh="启用、停用密钥或修改描述；没有填写的参数保持不变。")
class UpdateAccessKey(Request, frozen=True, kw_only=True):
    """Switch a key on or off, or describe it; what is not sent stays as it is."""

    access_key_id: KeyId = msgspec.field(name="AccessKeyID")
    status: Annotated[Switch | None, doc("Active or Inactive", "状态：Active 或 Inactive", eg="Inactive")] = None
    description: Annotated[str, doc("Free text of at most 200 characters", "描述", eg="ci", max_length=200)] | None = (
        None
    )
    returns: ClassVar = Response


@action(group="IAM", needs="", safe=False, title="删除密钥", zh="删除密钥，立即失效。")
class DeleteAccessKey(Request, frozen=True, kw_only=True):
    """Delete a key; it is dead at once."""

    access_key_id: KeyId = msgspec.field(name="AccessKeyID")
    returns: ClassVar = Response


class NewProject(Response, frozen=True):
    """Answer of CreateProject."""

    project_id: ProjectId


@action(group="UAccount", needs="admin", safe=False, title="创建项目", zh="在账户中创建项目。")
class CreateProject(Request, frozen=True):
    """Create a project in the account."""

    project_name: ProjectName
    returns: ClassVar = NewProject


@action(group="UAccount", needs="admin", safe=False, title="修改项目", zh="修改项目名称。")
class ModifyProject(Request, frozen=True):
    """Rename a project."""

    project_id: ProjectId
    project_name: ProjectName
    returns: ClassVar = Response


@action(group="UAccount", needs="admin", safe=False, title="删除项目", zh="删除空项目；默认项目不能删除。")
class TerminateProject(Request, frozen=True):
    """Delete an empty project; the default one stays."""

    project_id: ProjectId
    returns: ClassVar = Response


class ProjectModel(Model, frozen=True, kw_only=True):
    """A project."""

    project_id: ProjectId = msgspec.field(name="ProjectID")
    project_name: ProjectName
    user_count: Annotated[int, doc("Users of the account", "用户数", eg=1)]
    created_at: Seconds


class ProjectPage(Response, frozen=True):
    """Answer of ListProjects."""

    total_count: Annotated[int, doc("Projects of the account", "项目总数", eg=1)]
    projects: Annotated[list[ProjectModel], doc("The projects", "项目列表")]


@action(group="IAM", needs="", safe=True, title="获取项目列表", zh="分页列出账户的项目。")
class ListProjects(Request, frozen=True):
    """List the projects of the account, page by page."""

    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = ProjectPage
