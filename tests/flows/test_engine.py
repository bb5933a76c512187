"""Runs as their users see them: through the API, with a world to call."""

import base64
import json
import threading
import time
from typing import Any

import pytest

from tests.flows.conftest import Flows, World
from tests.model.flow.kit import param, start, step
from tests.model.flow.kit import template as made
from tests.registry.kit import push_image


def call(world: World, name: str, next_: str, path: str = "", output: Any = None, **more: Any) -> dict[str, Any]:
    return step(name, "HttpActivity", next_, {"url": f"{world.url}/{path or name}", "method": "POST",
                                              "body": {"From": name}}, output, **more)  # fmt: skip


def api(name: str, next_: str, action: str, output: Any = None, **params: Any) -> dict[str, Any]:
    return step(name, "UHttpActivity", next_, {"url": "https://api.ucloud.cn", "method": "POST",
                                               "body": {"Action": action, **params}}, output)  # fmt: skip


def test_a_run_and_its_track(flows: Flows, world: World) -> None:
    got = [param("N", "INT64", "${n}")]
    total = '@func("number#plus", ${one.output.N}, ${two.output.N})'
    found = flows.run(made(start("one"), call(world, "one", "two", output=got), call(world, "two", "end", output=got),
                           outputs=[param("Sum", "INT64", total)]))  # fmt: skip
    assert (found["Instance"]["State"], found["Output"]) == ("Success", {"Sum": 3})
    assert [(one["Name"], one["State"]) for one in found["StepSet"]] == [
        ("start", "Success"), ("one", "Success"), ("two", "Success"), ("end", "Success")]  # fmt: skip
    assert found["StepSet"][1]["Response"] == {"n": 1}
    assert found["StepSet"][1]["EndTime"] >= found["StepSet"][1]["BeginTime"] > 0


def test_a_failed_step_is_told_and_the_run_goes_on_from_it(flows: Flows, world: World) -> None:
    world.say["/two"] = (500, {}, b"down")
    found = flows.run(made(start("one"), call(world, "one", "two"), call(world, "two", "end", RetryTimes=1)))
    assert found["Instance"]["State"] == "Failure"
    assert "two: status 500: down" in found["Instance"]["Fault"]
    assert (found["StepSet"][-1]["Name"], found["StepSet"][-1]["State"]) == ("two", "Failure")
    assert world.paths() == ["/one", "/two", "/two"]
    del world.say["/two"]
    again = flows.ok("RerunSFInstance", InstanceId=found["Instance"]["InstanceId"], RunFrom="FailedStep")
    assert flows.ended(again["InstanceId"])["Instance"]["State"] == "Success"
    assert world.paths() == ["/one", "/two", "/two", "/two"]
    whole = flows.ok("RerunSFInstance", InstanceId=again["InstanceId"])
    assert flows.ended(whole["InstanceId"])["Instance"]["State"] == "Success"
    assert world.paths()[4:] == ["/one", "/two"]


def test_actions_run_as_whoever_saved_the_workflow(flows: Flows) -> None:
    hub = flows.hub
    hub.bucket("owned")
    push_image(hub, "owned/app", "v1", hub.main)
    value = made(
        start("ask"),
        api("ask", "which", "GetImageTag", RepoName="owned", ImageName="app"),
        step("which", "BoolDecision", "", {"express": {"left": {"name": "RetCode", "type": "INT64",
             "value": "${ask.output.RetCode}"}, "operation": "EQ", "right": 0}, "true": "drop", "false": "end"}),
        api("drop", "end", "DeleteImage", Region="cn-bj2", BucketName="owned", ImageName="app",
            Tag=["${ask.output.TagSet.0.TagName}"]),
        outputs=[param("Code", "INT64", "${ask.output.RetCode}"), param("Dropped", "INT64", "${drop.output.RetCode}")],
    )  # fmt: skip
    assert flows.run(value)["Output"] == {"Code": 0, "Dropped": 0}
    trail = flows.ok("ListAuditRecords", Limit=50)["AuditSet"]
    assert ("DeleteImage", hub.email) in [(one["Action"], one["User"]) for one in trail]


def test_the_right_of_this_moment_decides(flows: Flows) -> None:
    hub = flows.hub
    keys = hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Active")
    hub.call("SetUserRights", UserName="worker", Right=["pull", "admin"])
    value = made(start("ask"), api("ask", "end", "CreateRepo", RepoName="of-worker"),
                 outputs=[param("Code", "INT64", "${ask.output.RetCode}")])  # fmt: skip
    text = base64.b64encode(json.dumps(value).encode()).decode()
    secrets = (keys["AccessKeyID"], keys["AccessKeySecret"])
    saved = hub.call_as(secrets, "CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=flows.namespace,
                        WorkflowName="his", Workflow=text)  # fmt: skip
    assert saved["RetCode"] == 0, saved
    flow = f"{flows.namespace}.his"

    def run() -> dict[str, Any]:
        return flows.ended(flows.ok("RunSFWorkflow", WorkflowId=flow, WorkflowVersion=1)["InstanceId"])

    assert run()["Output"] == {"Code": 299}
    hub.call("SetUserRights", UserName="worker", Right=["pull", "push", "admin"])
    assert run()["Output"]["Code"] in {0, 299}
    hub.call("DeleteUser", UserName="worker")
    assert "not active" in run()["Instance"]["Fault"]


def test_a_workflow_in_a_workflow(flows: Flows, world: World) -> None:
    flows.save(made(start("one"), call(world, "one", "end", output=[param("N", "INT64", "${n}")]),
                    inputs=[param("X")], outputs=[param("N", "INT64", "${one.output.N}")]), "inner")  # fmt: skip
    inner = step("sub", "WorkflowActivity", "end", {"workflow": "inner", "input": {"X": "a"}})
    found = flows.run(made(start("sub"), inner, outputs=[param("N", "INT64", "${sub.output.N}")]))
    assert found["Output"] == {"N": 1}
    endless = step("sub", "WorkflowActivity", "end", {"workflow": "flow"})
    assert "deeper" in flows.run(made(start("sub"), endless))["Instance"]["Fault"]


def test_branches_run_side_by_side_and_are_recorded_in_their_order(flows: Flows, world: World) -> None:
    world.say["/slow"] = lambda: time.sleep(0.5)
    value = made(
        start("split"),
        step("split", "SplitDecision", "", {"branches": ["slow", "fast"]}),
        call(world, "slow", "join"),
        call(world, "fast", "more"),
        call(world, "more", "join"),
        step("join", "MergeDecision", "end", {"Pass": 2}),
    )
    found = flows.run(value)
    assert found["Instance"]["State"] == "Success", found
    assert {one["Name"]: one["State"] for one in found["StepSet"]}["more"] == "Success"
    assert world.paths().index("/more") > world.paths().index("/fast")


def test_a_wait_is_cancelled(flows: Flows) -> None:
    asked = flows.ask(made(start("wait"), step("wait", "WaitDecision", "end", {"delay": 600})))
    flows.until(asked, lambda found: [one["State"] for one in found["StepSet"]] == ["Success", "Running"])
    flows.ok("CancelSFInstance", InstanceId=asked)
    assert flows.ended(asked)["Instance"]["State"] == "Cancelled"
    assert flows.hub.call("CancelSFInstance", InstanceId=asked)["RetCode"] == 1029
    again = flows.ok("RerunSFInstance", InstanceId=asked)["InstanceId"]
    flows.ok("CancelSFInstance", InstanceId=again)
    flows.ended(again)


def test_a_call_is_ended_by_its_timeout_and_by_cancelling(flows: Flows, world: World) -> None:
    over = threading.Event()
    world.say["/hang"] = lambda: over.wait(60)
    found = flows.run(made(start("hang"), call(world, "hang", "end", Timeout=200)))
    assert found["Instance"]["State"] == "Failure"
    asked = flows.ask(made(start("hang"), call(world, "hang", "end")))
    flows.until(asked, lambda found: len(world.calls) == 2)
    flows.ok("CancelSFInstance", InstanceId=asked)
    assert flows.ended(asked)["Instance"]["State"] == "Cancelled"
    over.set()


def test_a_run_goes_on_in_the_next_hub(flows: Flows, world: World) -> None:
    world.say["/two"] = lambda: time.sleep(1.0)
    asked = flows.ask(made(start("one"), call(world, "one", "two"), call(world, "two", "three"),
                           call(world, "three", "end")))  # fmt: skip
    flows.until(asked, lambda found: "/two" in world.paths())
    flows.stop()
    flows.hub.reopen()
    del world.say["/two"]
    flows.start()
    assert flows.ended(asked)["Instance"]["State"] == "Success"
    assert (world.paths().count("/one"), world.paths().count("/three")) == (1, 1)


def test_the_url_of_a_workflow(flows: Flows, world: World) -> None:
    flow = flows.save(made(start("one"), call(world, "one", "end"), inputs=[param("Who")],
                           outputs=[param("Hello", "STRING", "hi ${workflow.Input.Who.value}")]))  # fmt: skip
    path = flows.ok("CreateSFWorkflowToken", WorkflowId=flow)["Path"]
    hub = flows.hub
    reply = hub.request("POST", path, body=b'{"Who": "me"}')
    assert (reply.status, reply.json["Output"]) == (200, {"Hello": "hi me"})
    asked = hub.request("POST", f"{path}&isAsync=true", body=b"{}").json["InstanceId"]
    assert flows.ended(asked)["Instance"]["Cause"] == "Url"
    assert hub.request("POST", path, body=b'{"Odd": 1}').json["RetCode"] == 230
    assert hub.request("POST", path, body=b"[").status == 400
    assert hub.request("GET", path).status == 405
    for wrong in (path[:-1] + "x", path.replace("cid=1", "cid=2"), path.replace("/flow/", "/none/"), path[:-40]):
        assert hub.request("POST", wrong, body=b"{}").json["RetCode"] == 174, wrong
    flows.ok("CreateSFWorkflowToken", WorkflowId=flow)
    assert hub.request("POST", path, body=b"{}").status == 401


@pytest.mark.parametrize("delay", [0, 0.05])
def test_stopping_right_after_the_start_loses_no_run(flows: Flows, world: World, delay: float) -> None:
    asked = flows.ask(made(start("one"), call(world, "one", "end")))
    time.sleep(delay)
    flows.stop()
    flows.start()
    assert flows.ended(asked)["Instance"]["State"] == "Success"
