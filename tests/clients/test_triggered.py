"""A push by Docker starts a workflow, which looks at the image through the API and moves a tag to it."""

import base64
import json
import statistics
import time
from pathlib import Path
from typing import Any

import pytest

from entrepot.client.actions import ActionsClient
from tests.clients.conftest import MAIN, Docker, good, make_bucket
from tests.conftest import Live
from tests.model.flow.kit import param, start, step
from tests.model.flow.kit import template as made

pytestmark = pytest.mark.clients
PUSHES = 5
WHERE = {"BucketName": "${workflow.input.BucketName}", "ImageName": "${workflow.input.ImageName}"}


def call(name: str, next_: str, **body: Any) -> dict[str, Any]:
    return step(name, "UHttpActivity", next_, {"url": "https://api.ucloud.cn", "method": "POST", "body": body})


def promote() -> dict[str, Any]:
    """What was pushed becomes ``stable`` when the hub can tell what is in it."""
    told = {
        "left": {"name": "value", "type": "INT64", "value": "${look.output.RetCode}"},
        "operation": "EQ",
        "right": 0,
    }
    return made(
        start("look"),
        call("look", "whole", Action="DescribeManifest", Reference="${workflow.input.Digest}", **WHERE),
        step("whole", "BoolDecision", "", {"express": told, "true": "move", "false": "end"}),
        call("move", "end", Action="TagImage", TagName="stable", Source="${workflow.input.Digest}", **WHERE),
        inputs=[param(name) for name in ("BucketName", "ImageName", "Digest")],
    )


def test_a_push_by_docker_moves_a_tag(people: Live, docker: Docker, tmp_path: Path) -> None:
    hub = ActionsClient(people.url, people.public_key, people.private_key)
    bucket = make_bucket(people, "triggered")
    namespace = hub.call("CreateSFNamespace", Namespace="triggered")["NamespaceId"]
    text = base64.b64encode(json.dumps(promote()).encode()).decode()
    hub.call(
        "CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=namespace, WorkflowName="promote", Workflow=text
    )
    workflow = f"{namespace}.promote"
    hub.call("PublishSFWorkflow", WorkflowId=workflow)
    listens = {"Event": ["image.pushed", "image.moved"], "Match": ["app:v*"]}
    hub.call("CreateSFTrigger", WorkflowId=workflow, TriggerKind="Event", Bucket=bucket, **listens)
    place = f"127.0.0.1:{people.port}"
    good(*docker.words("login", place, "-u", MAIN[0], "-p", MAIN[1]))
    took = []
    for number in range(PUSHES):
        image = f"{place}/{bucket}/app:v{number}"
        (tmp_path / "file").write_bytes(number.to_bytes(4, "big") * 1000)
        good("tar", "-C", str(tmp_path), "-cf", str(tmp_path / "layer.tar"), "file")
        good(*docker.words("import", str(tmp_path / "layer.tar"), image))
        pushed = good(*docker.words("push", image)).rpartition("digest: ")[2].split()[0]
        begun = time.monotonic()
        runs = ended(hub, workflow, number + 1)
        took.append(time.monotonic() - begun)
        assert {(one["State"], one["Cause"].partition("/")[0]) for one in runs} == {("Success", f"Event {bucket}")}
        tags = hub.call("ListTags", BucketName=bucket, ImageName="app")["TagSet"]
        assert {one["TagName"]: one["Digest"] for one in tags}["stable"] == pushed
    print(
        f"from the end of docker push to the end of the run: {statistics.median(took):.2f} s, at most {max(took):.2f}"
    )


def ended(hub: ActionsClient, workflow: str, count: int) -> list[dict[str, Any]]:
    """The runs, when there are so many and all have ended."""
    until = time.monotonic() + 60
    while True:
        runs = hub.call("ListSFInstances", WorkflowId=workflow)["InstanceSet"]
        if len(runs) == count and all(one["EndTime"] for one in runs):
            return list(runs)
        assert time.monotonic() < until, runs
        time.sleep(0.05)
