"""StepFlow: workflows as UCloud types them, and the actions around them that only this hub has."""

from typing import Annotated, Any, ClassVar

import msgspec

from entrepot.api.common import Limit, Offset, Region
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN

NamespaceId = Annotated[str, doc("Id of a namespace", "命名空间ID", eg="test001-sa4DdE")]
WorkflowId = Annotated[
    str,
    doc("Id of a workflow: <namespace id>.<name>", "工作流ID，格式为 <命名空间ID>.<名称>", eg="test001-sa4DdE.test"),
]
ProjectId = Annotated[str, doc("Project of the namespace", "项目ID", eg="org-abcdef")]
Name = Annotated[
    str,
    doc(
        "1 to 16 lower-case letters, digits, - and _; a letter or digit at both ends",
        "1 到 16 个小写字母、数字、-、_，首尾为字母或数字",
        eg="test",
    ),
]
Version = Annotated[int, doc("Version", "版本号", eg=1, ge=0, le=2**53)]
Time = Annotated[int, doc("In Unix seconds", "Unix 时间戳（秒）", eg=1700000000)]
GROUP = "StepFlow"


class SavedWorkflow(Response, frozen=True):
    """Answer of CreateSFWorkflowFromTemplate."""

    version: Annotated[int, doc("Number of the new version", "新版本号", eg=1)]


@action(
    group=GROUP,
    needs="admin",
    safe=False,
    title="导入工作流",
    zh="用模板创建工作流；名称已存在时增加一个新版本。保存前会检查定义，一次返回全部错误。工作流以保存者当时的权限运行。",
)
class CreateSFWorkflowFromTemplate(Request, frozen=True, kw_only=True):
    """Make a workflow of a template, or a new version where the name exists.

    The definition is checked first; every fault is told at once. A version runs with the rights of whoever saved it.
    """

    region: Region
    project_id: ProjectId | None = None
    namespace: NamespaceId
    workflow_name: Name
    workflow: Annotated[str, doc("The template: base64 of its JSON", "工作流定义，JSON 的 base64 编码", eg="eyJ9")]
    returns: ClassVar = SavedWorkflow


class TemplateParam(Model, frozen=True, kw_only=True):
    """A parameter in a template."""

    name: Annotated[str, doc("Name", "名称", eg="Region")]
    type: Annotated[str, doc("Type, such as INT64 or STRING", "类型", eg="STRING")]
    value: Annotated[Any, doc("Value or expression, any JSON", "值或表达式，任意 JSON", eg="cn-bj2")]
    constrain: Annotated[Any, doc("Kept as it was given", "原样保存", eg="")] = None


class TemplateActivity(Model, frozen=True, kw_only=True):
    """A step in a template."""

    name: Annotated[str, doc("Name", "名称", eg="start")]
    type: Annotated[str, doc("Type", "类型", eg="StartActivity")]
    next: Annotated[str, doc("The step that follows", "下一步骤名称", eg="end")]
    retry_times: Annotated[int, doc("Tries after the first", "重试次数", eg=0)]
    timeout: Annotated[int, doc("In milliseconds; 0: ten minutes", "超时时间，单位毫秒，0 表示 10 分钟", eg=0)]
    input: Annotated[Any, doc("Input of the step, an object or null", "步骤输入", eg="")]
    output: Annotated[Any, doc("Declared outputs, a list or null", "步骤输出", eg="")]


class TemplateModel(Model, frozen=True, kw_only=True):
    """A template."""

    input: Annotated[list[TemplateParam], doc("What the workflow takes", "工作流输入")]
    output: Annotated[list[TemplateParam], doc("What it answers", "工作流输出")]
    activities: Annotated[list[TemplateActivity], doc("Its steps", "步骤列表")]
    activites: Annotated[
        list[TemplateActivity], doc("The same under the name that SDKs read", "同 Activities，SDK 使用的名称")
    ]


class WorkflowTemplate(Response, frozen=True, kw_only=True):
    """Answer of GetSFWorkflowTemplate."""

    workflow_id: WorkflowId
    version: Version
    workflow: Annotated[TemplateModel, doc("The template", "工作流定义")]


@action(group=GROUP, needs="admin", safe=True, title="导出工作流", zh="返回工作流一个版本的模板，默认为已发布的版本。")
class GetSFWorkflowTemplate(Request, frozen=True, kw_only=True):
    """Get the template of a version of a workflow, by default of the published one."""

    region: Region
    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    workflow_version: Annotated[int, doc("Version", "版本号", eg=1, ge=1, le=2**53)] | None = None
    returns: ClassVar = WorkflowTemplate


class MadeNamespace(Response, frozen=True):
    """Answer of CreateSFNamespace."""

    namespace_id: NamespaceId


@action(group=GROUP, needs="admin", safe=False, title="创建命名空间", zh=f"创建工作流的命名空间。{OWN}")
class CreateSFNamespace(Request, frozen=True, kw_only=True):
    """Make a namespace for workflows. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: Name
    remark: Annotated[str, doc("A note", "备注", eg="nightly", max_length=255)] = ""
    returns: ClassVar = MadeNamespace


class Namespace(Model, frozen=True, kw_only=True):
    """A namespace."""

    namespace_id: NamespaceId
    project_id: ProjectId
    name: Name
    remark: Annotated[str, doc("A note", "备注", eg="nightly")]
    create_time: Time


class Namespaces(Response, frozen=True):
    """Answer of ListSFNamespaces."""

    namespace_set: Annotated[list[Namespace], doc("The namespaces by id", "命名空间列表")]


@action(group=GROUP, needs="admin", safe=True, title="获取命名空间列表", zh=f"列出工作流的命名空间。{OWN}")
class ListSFNamespaces(Request, frozen=True):
    """List the namespaces of workflows. An action of this hub."""

    project_id: ProjectId | None = None
    offset: Offset = 0
    limit: Limit = 20
    returns: ClassVar = Namespaces


@action(group=GROUP, needs="admin", safe=False, title="修改命名空间备注", zh=f"修改命名空间的备注。{OWN}")
class UpdateSFNamespace(Request, frozen=True, kw_only=True):
    """Change the note of a namespace. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    remark: Annotated[str, doc("A note", "备注", eg="nightly", max_length=255, blank="kept")] = ""
    returns: ClassVar = Response


@action(group=GROUP, needs="admin", safe=False, title="删除命名空间", zh=f"删除没有工作流的命名空间。{OWN}")
class DeleteSFNamespace(Request, frozen=True, kw_only=True):
    """Delete a namespace that holds no workflows. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    returns: ClassVar = Response


@action(group=GROUP, needs="admin", safe=False, title="设置全局变量", zh=f"用一个 JSON 对象替换全部全局变量。{OWN}")
class SetSFGlobals(Request, frozen=True, kw_only=True):
    """Replace the global variables of a namespace by those of a JSON object. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    globals: Annotated[str, doc("A JSON object", "JSON 对象", eg='{"Bucket":"helloworld"}')]
    returns: ClassVar = Response


class GlobalsAnswer(Response, frozen=True):
    """Answer of GetSFGlobals."""

    globals: Annotated[Any, doc("The variables, a JSON object", "全局变量，JSON 对象", eg="")]


@action(group=GROUP, needs="admin", safe=True, title="获取全局变量", zh=f"返回命名空间的全局变量。{OWN}")
class GetSFGlobals(Request, frozen=True, kw_only=True):
    """Get the global variables of a namespace. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    returns: ClassVar = GlobalsAnswer


Endpoint = Annotated[
    str, doc("The endpoint that the keys are for: scheme and host", "密钥对应的接口地址", eg="https://api.ucloud.cn")
]


@action(
    group=GROUP, needs="admin", safe=False, title="保存接口密钥", zh=f"保存调用其他接口时签名用的密钥，加密存放。{OWN}"
)
class SetSFCredential(Request, frozen=True, kw_only=True):
    """Keep the keys that steps sign calls to an endpoint elsewhere with; they are encrypted. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    endpoint: Endpoint
    # PublicKey is the parameter that signs this very call.
    endpoint_public_key: Annotated[str, doc("Public key", "公钥", eg="key", min_length=1, max_length=255)]
    endpoint_private_key: Annotated[str, doc("Private key", "私钥", eg="secret", min_length=1, max_length=255)]
    returns: ClassVar = Response


@action(group=GROUP, needs="admin", safe=False, title="删除接口密钥", zh=f"删除为一个接口保存的密钥。{OWN}")
class DeleteSFCredential(Request, frozen=True, kw_only=True):
    """Delete the keys that are kept for an endpoint. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    endpoint: Endpoint
    returns: ClassVar = Response


class Credential(Model, frozen=True, kw_only=True):
    """Keys for an endpoint; the private one is not shown."""

    endpoint: Endpoint
    endpoint_public_key: Annotated[str, doc("Public key", "公钥", eg="key")]


class Credentials(Response, frozen=True):
    """Answer of ListSFCredentials."""

    credential_set: Annotated[list[Credential], doc("The endpoints", "接口列表")]


@action(group=GROUP, needs="admin", safe=True, title="获取接口密钥列表", zh=f"列出保存了密钥的接口，不返回私钥。{OWN}")
class ListSFCredentials(Request, frozen=True, kw_only=True):
    """List the endpoints that keys are kept for, without the private keys. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    returns: ClassVar = Credentials


class Workflow(Model, frozen=True, kw_only=True):
    """A workflow."""

    workflow_id: WorkflowId
    name: Name
    newest_version: Version
    published_version: Annotated[int, doc("Published version; 0: none", "已发布的版本，0 表示没有", eg=1)]
    has_token: Annotated[bool, doc("Whether it can be run by its URL", "是否可以通过 URL 调用", eg=False)]
    create_time: Time
    update_time: Time
    last_state: Annotated[
        str, doc("State of the newest run, empty without any", "最近一次运行的状态，没有则为空", eg="Success")
    ] = ""
    last_run_time: Annotated[
        int, doc("When the newest run was asked for; 0: never", "最近一次运行的时间，0 表示从未运行", eg=1700000000)
    ] = 0
    last_instance_id: Annotated[str, doc("Id of the newest run", "最近一次运行的实例ID", eg="")] = ""


class Workflows(Response, frozen=True):
    """Answer of ListSFWorkflows."""

    total_count: Annotated[int, doc("How many there are", "总数", eg=1)]
    workflow_set: Annotated[list[Workflow], doc("The workflows by id", "工作流列表")]


@action(group=GROUP, needs="admin", safe=True, title="获取工作流列表", zh=f"列出命名空间中的工作流。{OWN}")
class ListSFWorkflows(Request, frozen=True, kw_only=True):
    """List the workflows of a namespace. An action of this hub."""

    project_id: ProjectId | None = None
    namespace: NamespaceId
    offset: Offset = 0
    limit: Limit = 20
    returns: ClassVar = Workflows


class DescribedWorkflow(Response, frozen=True):
    """Answer of DescribeSFWorkflow."""

    workflow: Annotated[Workflow, doc("The workflow", "工作流")]


@action(group=GROUP, needs="admin", safe=True, title="获取工作流", zh=f"返回一个工作流的版本和最近一次运行。{OWN}")
class DescribeSFWorkflow(Request, frozen=True, kw_only=True):
    """Tell of one workflow: its versions and its newest run. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    returns: ClassVar = DescribedWorkflow


class WorkflowVersion(Model, frozen=True, kw_only=True):
    """A version of a workflow."""

    version: Version
    user: Annotated[str, doc("Who saved it; it runs with this user's rights", "保存者", eg="main@example.com")]
    create_time: Time


class WorkflowVersions(Response, frozen=True):
    """Answer of ListSFWorkflowVersions."""

    version_set: Annotated[list[WorkflowVersion], doc("The versions, newest first", "版本列表，最新的在前")]


@action(group=GROUP, needs="admin", safe=True, title="获取工作流版本列表", zh=f"列出工作流的版本。{OWN}")
class ListSFWorkflowVersions(Request, frozen=True, kw_only=True):
    """List the versions of a workflow. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    before: Annotated[int, doc("Only versions below this one", "只返回小于该值的版本", eg=0, ge=0, le=2**53)] = 0
    limit: Limit = 20
    returns: ClassVar = WorkflowVersions


class Published(Response, frozen=True):
    """Answer of PublishSFWorkflow."""

    version: Version


@action(group=GROUP, needs="admin", safe=False, title="发布工作流", zh=f"发布一个版本，不填则发布最新版本。{OWN}")
class PublishSFWorkflow(Request, frozen=True, kw_only=True):
    """Publish a version, by default the newest: it is run where none is named. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    workflow_version: Version = 0
    returns: ClassVar = Published


@action(group=GROUP, needs="admin", safe=False, title="删除工作流", zh=f"删除工作流及其版本和运行记录。{OWN}")
class DeleteSFWorkflow(Request, frozen=True, kw_only=True):
    """Delete a workflow with its versions and run records; none of them may be running. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    returns: ClassVar = Response


class CallUrl(Response, frozen=True, kw_only=True):
    """Answer of CreateSFWorkflowToken."""

    path: Annotated[
        str,
        doc(
            "Path and query to POST the input to; add isAsync=true not to wait",
            "调用路径，POST 工作流输入；加 isAsync=true 则不等待结果",
            eg="/namespace/test001-sa4DdE/workflow/test/version/0?cid=1&token=...",
        ),
    ]
    token: Annotated[str, doc("The token, shown only now", "令牌，只显示这一次", eg="0123456789abcdef")]


@action(
    group=GROUP, needs="admin", safe=False, title="创建工作流调用令牌", zh=f"创建调用 URL 的令牌，旧令牌失效。{OWN}"
)
class CreateSFWorkflowToken(Request, frozen=True, kw_only=True):
    """Make the token of a workflow's URL; an older one ends. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    returns: ClassVar = CallUrl


class CheckedFault(Model, frozen=True, kw_only=True):
    """One thing that is wrong with a template."""

    activity: Annotated[str, doc("Step, empty for the template", "步骤名称，为空表示模板本身", eg="start")]
    field: Annotated[str, doc("Field", "字段", eg="Next")]
    message: Annotated[str, doc("What would be right", "说明", eg="name the step that follows")] = msgspec.field(
        name="Reason"
    )


class CheckedTemplate(Response, frozen=True):
    """Answer of CheckSFWorkflowTemplate."""

    fault_set: Annotated[list[CheckedFault], doc("Everything that is wrong", "全部错误")]


@action(group=GROUP, needs="admin", safe=True, title="检查工作流定义", zh=f"检查模板，返回全部错误，不保存。{OWN}")
class CheckSFWorkflowTemplate(Request, frozen=True, kw_only=True):
    """Check a template without saving it. An action of this hub."""

    workflow: Annotated[str, doc("The template: base64 of its JSON", "工作流定义，JSON 的 base64 编码", eg="eyJ9")]
    returns: ClassVar = CheckedTemplate
