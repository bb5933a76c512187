"""Policies, roles and temporary keys (UCloud's IAM and STS)."""

from typing import Annotated, ClassVar

import msgspec

from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.iam import Count, Seconds, Start, UserName

DOCUMENT = '{"Version":"1","Statement":[{"Effect":"Allow","Action":["uhub:*"],"Resource":["*"]}]}'
TRUST = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"ucs:iam::1:root"}]}'

PolicyName = Annotated[
    str, doc("Name of the policy: letters, digits and _ . @ -", "策略名称：字母、数字和 _ . @ -", eg="ci-push")
]
PolicyUrn = Annotated[str, doc("URN of the policy", "策略 URN", eg="ucs:iam::1:policy/ci-push", blank="refused")]
Document = Annotated[
    str,
    doc(
        "The policy as JSON: Version, Statement with Effect (Allow, Deny), Action (product:Name, * for any) and "
        "Resource (* or URNs such as ucs:uhub:*:*:repo/web-*). Registry clients need uhub:PullImage, uhub:PushImage, "
        "uhub:DeleteImage",
        "策略内容（JSON）：Version、Statement，含 Effect（Allow、Deny）、Action（产品:接口名，* 表示任意）和 Resource"
        "（* 或 URN，例如 ucs:uhub:*:*:repo/web-*）。镜像客户端对应 uhub:PullImage、uhub:PushImage、uhub:DeleteImage",
        eg=DOCUMENT,
        blank="refused",
    ),
]
Description = Annotated[str, doc("Free text of at most 200 characters", "描述，最多 200 个字符", eg="", max_length=200)]
ScopeType = Annotated[
    str,
    doc(
        "Where it may be attached. ScopeRequired: in projects; ScopeEmpty: everywhere; ScopeUnrestricted: both",
        "策略作用域类型。ScopeRequired：项目级，ScopeEmpty：全局级，ScopeUnrestricted：项目级/全局级",
        eg="ScopeUnrestricted",
    ),
]
Scope = Annotated[
    str,
    doc(
        "Specified: in the project of ProjectID; All: everywhere in the account",
        "应用范围。Specified：ProjectID 指定的项目，All：全部项目",
        eg="All",
    ),
]
ProjectID = Annotated[
    str, doc("Project id; needed with Scope=Specified", "项目 ID，Scope=Specified 时必填", eg="org-1a2b3c4d")
]
RoleName = Annotated[
    str,
    doc(
        "Name of the role: letters, digits and _ . @ -", "角色名称：字母、数字和 _ . @ -", eg="deploy", blank="refused"
    ),
]
RoleUrn = Annotated[str, doc("URN of the role", "角色 URN", eg="ucs:iam::1:role/deploy", blank="refused")]


class IAMPolicy(Model, frozen=True, kw_only=True):
    """A policy."""

    policy_name: PolicyName
    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")
    description: Description
    document: Document
    scope_type: ScopeType
    created_at: Seconds
    updated_at: Seconds


class NewPolicy(Response, frozen=True, kw_only=True):
    """Answer of CreateIAMPolicy."""

    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")


@action(group="IAM", needs="admin", safe=False, title="创建策略", zh="在账户中创建自定义策略。")
class CreateIAMPolicy(Request, frozen=True):
    """Create a policy in the account."""

    policy_name: PolicyName
    document: Document
    description: Description = ""
    scope_type: ScopeType = "ScopeUnrestricted"
    returns: ClassVar = NewPolicy


class OnePolicy(Response, frozen=True):
    """Answer of GetIAMPolicy."""

    policy: Annotated[IAMPolicy, doc("The policy", "策略信息")]


@action(group="IAM", needs="admin", safe=True, title="获取策略", zh="返回一个策略的内容，可以是系统策略。")
class GetIAMPolicy(Request, frozen=True, kw_only=True):
    """Tell about a policy of the account or one that comes with the hub."""

    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")
    returns: ClassVar = OnePolicy


class Policies(Response, frozen=True):
    """Answer of ListPolicies."""

    total_count: Annotated[int, doc("How many there are", "策略总数", eg=1)]
    policies: Annotated[list[IAMPolicy], doc("The policies", "策略列表")]


@action(group="IAM", needs="admin", safe=True, title="获取策略列表", zh="列出系统策略和自定义策略。")
class ListPolicies(Request, frozen=True):
    """List the policies that come with the hub and those of the account."""

    owner: Annotated[
        str,
        doc("System, User or All", "策略所有者：System（系统策略）、User（自定义策略）或 All（全部）", eg="All"),
    ] = "All"
    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = Policies


@action(group="IAM", needs="admin", safe=False, title="更新策略", zh="修改策略内容，对所有已绑定的用户立即生效。")
class UpdateIAMPolicy(Request, frozen=True, kw_only=True):
    """Change the text of a policy; it holds at once for everybody who has it."""

    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")
    document: Document
    description: Description | None = None
    returns: ClassVar = Response


@action(group="IAM", needs="admin", safe=False, title="删除策略", zh="删除没有绑定到任何用户或角色的自定义策略。")
class DeleteIAMPolicy(Request, frozen=True, kw_only=True):
    """Delete a policy that nobody has."""

    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")
    returns: ClassVar = Response


PolicyUrns = Annotated[list[str], doc("URN of a policy", "策略 URN", eg="ucs:iam::ucs:policy/UHubFullAccess")]


@action(group="IAM", needs="admin", safe=False, title="为用户绑定策略", zh="为子用户绑定策略。")
class AttachPoliciesToUser(Request, frozen=True, kw_only=True):
    """Give policies to a sub-user."""

    user_name: UserName
    policy_urns: PolicyUrns = msgspec.field(name="PolicyURNs")
    scope: Scope = "All"
    project_id: ProjectID | None = msgspec.field(name="ProjectID", default=None)
    returns: ClassVar = Response


@action(group="IAM", needs="admin", safe=False, title="为用户解绑策略", zh="解除子用户绑定的策略。")
class DetachPoliciesFromUser(Request, frozen=True, kw_only=True):
    """Take policies back from a sub-user."""

    user_name: UserName
    policy_urns: PolicyUrns = msgspec.field(name="PolicyURNs")
    scope: Scope = "All"
    project_id: ProjectID | None = msgspec.field(name="ProjectID", default=None)
    returns: ClassVar = Response


class AttachedPolicy(Model, frozen=True, kw_only=True):
    """A policy somebody has."""

    policy_name: PolicyName
    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")
    scope: Scope
    attached_at: Seconds
    description: Description
    project_name: Annotated[str, doc("Name of the project", "项目名称", eg="")]
    project_id: ProjectID = msgspec.field(name="ProjectID")


class AttachedPolicies(Response, frozen=True):
    """Answer of ListPoliciesForUser and ListPoliciesForRole."""

    total_count: Annotated[int, doc("How many there are", "策略总数", eg=1)]
    policies: Annotated[list[AttachedPolicy], doc("The policies", "策略列表")]


@action(group="IAM", needs="admin", safe=True, title="获取用户的策略列表", zh="列出子用户绑定的策略。")
class ListPoliciesForUser(Request, frozen=True, kw_only=True):
    """List the policies of a sub-user."""

    user_name: UserName
    project_id: ProjectID | None = msgspec.field(name="ProjectID", default=None)
    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = AttachedPolicies


class Entity(Model, frozen=True):
    """Somebody who has a policy."""

    entity_name: Annotated[str, doc("Name of the user or role", "实体名称", eg="alice")]
    entity_kind: Annotated[str, doc("User or Role", "实体类型：User 或 Role", eg="User")]
    attached_at: Seconds
    display_name: Annotated[str, doc("Name for people", "显示名称", eg="Alice")]
    scope: Annotated[str, doc("Project id; empty for everywhere", "生效的项目 ID，空表示全部", eg="")]


class Entities(Response, frozen=True):
    """Answer of ListEntitiesForPolicy."""

    total_count: Annotated[int, doc("How many there are", "总数", eg=1)]
    entities: Annotated[list[Entity], doc("Those who have it", "引用实体列表")]


@action(group="IAM", needs="admin", safe=True, title="获取策略的引用列表", zh="列出绑定了一个策略的用户和角色。")
class ListEntitiesForPolicy(Request, frozen=True, kw_only=True):
    """List the users and roles that have a policy."""

    policy_urn: PolicyUrn = msgspec.field(name="PolicyURN")
    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = Entities


class RoleModel(Model, frozen=True, kw_only=True):
    """A role."""

    role_name: RoleName
    role_urn: RoleUrn = msgspec.field(name="RoleURN")
    description: Description
    role_policy_document: Annotated[str, doc("Who may take it on, as JSON", "角色信任策略文本", eg=TRUST)]
    max_session_duration: Annotated[int, doc("Longest session in seconds", "最大会话时间（秒）", eg=3600)]
    is_editable: Annotated[bool, doc("Always true here", "是否可编辑，本系统恒为 true", eg=True)] = True
    created_at: Seconds
    updated_at: Seconds


class OneRole(Response, frozen=True):
    """Answer of CreateRole and GetRole."""

    role: Annotated[RoleModel, doc("The role", "角色信息")]


@action(group="IAM", needs="admin", safe=False, title="创建角色", zh="创建角色。角色没有密钥，由受信任的用户扮演。")
class CreateRole(Request, frozen=True):
    """Create a role: it has no key of its own, people it trusts act in it with AssumeRole."""

    role_name: RoleName
    role_policy_document: Annotated[
        str,
        doc(
            "Who may take it on, as JSON: statements with Effect Allow, Action sts:AssumeRole and Principal "
            "ucs:iam::<CompanyID>:root or ucs:iam::<CompanyID>:user/<UserName>",
            "角色信任策略（JSON）：Effect 为 Allow，Action 为 sts:AssumeRole，Principal 为 ucs:iam::<CompanyID>:root"
            " 或 ucs:iam::<CompanyID>:user/<用户名>",
            eg=TRUST,
            blank="refused",
        ),
    ]
    description: Description = ""
    max_session_duration: Annotated[
        int, doc("Longest session in seconds, 900 to 43200", "最大会话时间（秒），900 到 43200", eg=3600)
    ] = 3600
    returns: ClassVar = OneRole


@action(group="IAM", needs="admin", safe=True, title="获取角色", zh="返回一个角色的信息。")
class GetRole(Request, frozen=True):
    """Tell about a role."""

    role_name: RoleName
    returns: ClassVar = OneRole


class Roles(Response, frozen=True):
    """Answer of ListRoles."""

    total_count: Annotated[int, doc("Roles of the account", "角色总数", eg=1)]
    roles: Annotated[list[RoleModel], doc("The roles by name", "角色列表")]


@action(group="IAM", needs="admin", safe=True, title="获取角色列表", zh="列出账户中的角色。")
class ListRoles(Request, frozen=True):
    """List the roles of the account."""

    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = Roles


@action(group="IAM", needs="admin", safe=False, title="删除角色", zh="删除角色，其全部临时密钥立即失效。")
class DeleteRole(Request, frozen=True):
    """Delete a role; its temporary keys are dead at once."""

    role_name: RoleName
    returns: ClassVar = Response


@action(group="IAM", needs="admin", safe=False, title="为角色绑定策略", zh="为角色绑定策略。")
class AttachPoliciesToRole(Request, frozen=True, kw_only=True):
    """Give policies to a role."""

    role_name: RoleName
    policy_urns: PolicyUrns = msgspec.field(name="PolicyURNs")
    scope: Scope = "All"
    project_id: ProjectID | None = msgspec.field(name="ProjectID", default=None)
    returns: ClassVar = Response


@action(group="IAM", needs="admin", safe=False, title="为角色解绑策略", zh="解除角色绑定的策略。")
class DetachPoliciesFromRole(Request, frozen=True, kw_only=True):
    """Take policies back from a role."""

    role_name: RoleName
    policy_urns: PolicyUrns = msgspec.field(name="PolicyURNs")
    scope: Scope = "All"
    project_id: ProjectID | None = msgspec.field(name="ProjectID", default=None)
    returns: ClassVar = Response


@action(group="IAM", needs="admin", safe=True, title="获取角色的策略列表", zh="列出角色绑定的策略。")
class ListPoliciesForRole(Request, frozen=True, kw_only=True):
    """List the policies of a role."""

    role_name: RoleName
    project_id: ProjectID | None = msgspec.field(name="ProjectID", default=None)
    limit: Count = 10
    offset: Start = 0
    returns: ClassVar = AttachedPolicies


class CredentialsModel(Model, frozen=True):
    """A temporary key; all three parts go into every call."""

    access_key_id: Annotated[str, doc("Public key", "临时公钥", eg="STS.4e1f...")]
    access_key_secret: Annotated[str, doc("Private key, shown once", "临时私钥，仅返回一次", eg="9c01...")]
    security_token: Annotated[
        str, doc("To be sent, and signed, as SecurityToken", "安全令牌，作为 SecurityToken 参数参与签名", eg="Zk3q...")
    ]
    expiration: Annotated[str, doc("When it ends, UTC", "失效时间（UTC）", eg="2026-01-01T00:00:00Z")]


class Assumed(Response, frozen=True):
    """Answer of AssumeRole."""

    credentials: Annotated[CredentialsModel, doc("The temporary key", "临时访问凭证")]


@action(
    group="STS",
    needs="",
    safe=False,
    title="获取扮演角色的临时身份凭证",
    zh="扮演一个角色，返回临时密钥。主账号之外的用户需要对该角色的 sts:AssumeRole 权限。",
)
class AssumeRole(Request, frozen=True):
    """Act in a role: get a temporary key. A sub-user needs sts:AssumeRole on the role."""

    role_urn: RoleUrn
    role_session_name: Annotated[
        str,
        doc("A name for the session: 1 to 64 letters, digits and _ . -", "会话名称：1-64 位字母、数字、_ . -", eg="ci"),
    ]
    duration_seconds: (
        Annotated[
            int,
            doc(
                "Seconds until it ends, 900 to the role's longest; an hour when absent",
                "有效期（秒），最小 900，最大为角色的最大会话时间，默认一小时",
                eg=3600,
            ),
        ]
        | None
    ) = None
    policy: Annotated[
        str,
        doc(
            "A policy that narrows what the key may do further; at most 2048 characters",
            "进一步限制临时密钥权限的策略，最长 2048 个字符",
            eg=DOCUMENT,
        ),
    ] = ""
    returns: ClassVar = Assumed
