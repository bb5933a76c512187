"""StepFlow: runs of workflows. UCloud has no actions for them."""

import enum
from typing import Annotated, Any, ClassVar

from entrepot.api.common import Limit, Offset
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN
from entrepot.api.stepflow import GROUP, ProjectId, Time, Version, WorkflowId

InstanceId = Annotated[str, doc("Id of a run", "运行实例ID", eg="0a4e2c1e-5c9f-4e1e-8a39-4d2f1f6a7b10")]


class RunFrom(enum.Enum):
    """From where a run is run again."""

    START = "Start"
    FAILED = "FailedStep"


class State(enum.Enum):
    """Where a run stands."""

    WAITING = "Waiting"
    RUNNING = "Running"
    CANCELLING = "Cancelling"
    SUCCESS = "Success"
    FAILURE = "Failure"
    CANCELLED = "Cancelled"


class AskedRun(Response, frozen=True):
    """Answer of RunSFWorkflow and RerunSFInstance."""

    instance_id: InstanceId


@action(group=GROUP, needs="admin", safe=False, title="运行工作流", zh=f"运行工作流，默认运行已发布的版本。{OWN}")
class RunSFWorkflow(Request, frozen=True, kw_only=True):
    """Run a workflow, by default its published version; the answer does not wait for it. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    workflow_version: Version = 0
    input: Annotated[str, doc("The input: a JSON object", "工作流输入，JSON 对象", eg='{"User":"root"}')] = "{}"
    returns: ClassVar = AskedRun


class Instance(Model, frozen=True, kw_only=True):
    """A run."""

    instance_id: InstanceId
    workflow_id: WorkflowId
    version: Version
    state: Annotated[
        str,
        doc(
            "Waiting, Running, Cancelling, Success, Failure or Cancelled",
            "状态：Waiting、Running、Cancelling、Success、Failure 或 Cancelled",
            eg="Success",
        ),
    ]
    cause: Annotated[
        str,
        doc(
            "What started it: Hand, Url, Rerun, Cron, Event <bucket>/<Number>, Step <name>",
            "触发方式：Hand、Url、Rerun、Cron、Event <仓库>/<编号>、Step <步骤>",
            eg="Event helloworld/7",
        ),
    ]
    user: Annotated[str, doc("Who started it", "触发者", eg="main@example.com")]
    fault: Annotated[str, doc("Why it failed", "失败原因", eg="")]
    parent: Annotated[str, doc("The run that this one is a step of", "上级实例ID", eg="")]
    create_time: Time
    end_time: Annotated[int, doc("In Unix seconds; 0: not yet", "结束时间，0 表示未结束", eg=1700000001)]


class Instances(Response, frozen=True):
    """Answer of ListSFInstances."""

    instance_set: Annotated[list[Instance], doc("The runs, newest first", "运行实例，最新的在前")]


@action(group=GROUP, needs="admin", safe=True, title="获取运行实例列表", zh=f"列出工作流的运行实例。{OWN}")
class ListSFInstances(Request, frozen=True, kw_only=True):
    """List the runs of a workflow. An action of this hub."""

    project_id: ProjectId | None = None
    workflow_id: WorkflowId
    state: Annotated[State, doc("Only runs in this state", "只返回该状态的实例", eg="Failure")] | None = None
    offset: Offset = 0
    limit: Limit = 20
    returns: ClassVar = Instances


class TrackStep(Model, frozen=True, kw_only=True):
    """A step on the way of a run."""

    name: Annotated[str, doc("Name of the step", "步骤名称", eg="start")]
    type: Annotated[str, doc("Its type", "步骤类型", eg="StartActivity")]
    state: Annotated[str, doc("Running, Success or Failure", "状态：Running、Success 或 Failure", eg="Success")]
    fault: Annotated[str, doc("Why it failed", "失败原因", eg="")]
    input: Annotated[Any, doc("What went in, any JSON", "步骤输入，任意 JSON", eg="")]
    output: Annotated[Any, doc("What came out, any JSON", "步骤输出，任意 JSON", eg="")]
    response: Annotated[Any, doc("The whole answer to a call, any JSON", "调用的完整响应，任意 JSON", eg="")]
    begin_time: Annotated[float, doc("In Unix seconds; 0 for decisions", "开始时间", eg=1700000000.5)]
    end_time: Annotated[float, doc("In Unix seconds; 0: not yet", "结束时间", eg=1700000000.7)]


class InstanceDetail(Response, frozen=True, kw_only=True):
    """Answer of GetSFInstance."""

    instance: Annotated[Instance, doc("The run", "运行实例")]
    input: Annotated[Any, doc("Its input, a JSON object", "工作流输入，JSON 对象", eg="")]
    output: Annotated[Any, doc("Its result, a JSON object or null", "工作流结果，JSON 对象或 null", eg="")]
    step_set: Annotated[list[TrackStep], doc("Its way so far, step by step", "运行轨迹")]


@action(
    group=GROUP, needs="admin", safe=True, title="获取运行实例", zh=f"返回运行实例的状态、结果和每个步骤的数据。{OWN}"
)
class GetSFInstance(Request, frozen=True, kw_only=True):
    """Get a run: its state, its result, its way with the data of each step. An action of this hub."""

    project_id: ProjectId | None = None
    instance_id: InstanceId
    returns: ClassVar = InstanceDetail


@action(group=GROUP, needs="admin", safe=False, title="取消运行实例", zh=f"取消正在运行的实例。{OWN}")
class CancelSFInstance(Request, frozen=True, kw_only=True):
    """Cancel a run; the step that it is at is ended. An action of this hub."""

    project_id: ProjectId | None = None
    instance_id: InstanceId
    returns: ClassVar = Response


@action(
    group=GROUP,
    needs="admin",
    safe=False,
    title="重新运行实例",
    zh=f"用同样的版本和输入重新运行：从头开始，或者从失败的步骤继续（之前步骤的结果保留）。{OWN}",
)
class RerunSFInstance(Request, frozen=True, kw_only=True):
    """Run again with the same version and input, from the start or from the failed step. An action of this hub.

    From the failed step, what the steps before it did is kept and not done again.
    """

    project_id: ProjectId | None = None
    instance_id: InstanceId
    run_from: Annotated[RunFrom, doc("Start or FailedStep", "Start 或 FailedStep", eg="Start")] = RunFrom.START
    returns: ClassVar = AskedRun
