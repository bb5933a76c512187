"""Every template of the gallery is saved, published and run against a hub, to its end."""

# ruff: noqa: F811 - fixtures of other files are imported, then asked for by name
import json
import re
from typing import Any

import pytest

from entrepot.console.gallery import samples
from entrepot.model.flow import template as templates
from entrepot.model.flow.check import check
from tests.console.kit import config_of, push_whole
from tests.events.conftest import Busy, busy, wait_for  # noqa: F401 - fixtures
from tests.flows.conftest import Flows, World, flows, world  # noqa: F401 - fixtures
from tests.registry.kit import push_image

CJK = re.compile("[一-鿿]")


def run(flows: Flows, sample: str, **given: Any) -> dict[str, Any]:
    found = samples()[sample]
    name = flows.save(found.template, found.name)
    asked = flows.ok("RunSFWorkflow", WorkflowId=name, Input=json.dumps(given))
    return flows.ended(asked["InstanceId"])


def bodies(world: World) -> list[dict[str, Any]]:
    return [json.loads(call[3]) for call in world.calls if call[0] == "POST"]


def stocked(flows: Flows) -> str:
    flows.hub.bucket("from")
    return push_whole(flows.hub, "from/app", "v1", config_of(), flows.hub.main)


@pytest.mark.parametrize("sample", samples().values(), ids=samples())
def test_the_data_is_whole(sample: Any) -> None:
    assert check(templates.parse(sample.text)) == []
    assert set(sample.inputs) == {one["Name"] for one in sample.template["Input"]}
    for en, zh in (sample.title, sample.about, *sample.inputs.values()):
        assert en
        assert not CJK.search(en)
        assert CJK.search(zh)


def test_promotion_waits_for_the_approval_and_for_the_digest(flows: Flows, world: World) -> None:
    asked = stocked(flows)
    flows.hub.bucket("stable")
    answers = [b'{"State": "open"}', b'{"State": "approved"}']
    world.say["/approve"] = lambda: (200, {}, b"{}")

    def copy() -> Any:
        push_whole(flows.hub, "stable/app", "v1", config_of(), flows.hub.main)
        return 200, {}, b"{}"

    world.say[f"/approve?Digest={asked.replace(':', '%3A')}"] = lambda: (200, {}, answers.pop(0))
    world.say["/copy"] = copy
    found = run(flows, "promote", BucketName="from", ImageName="app", TagName="v1", TargetBucket="stable",
                ApprovalUrl=f"{world.url}/approve", CopierUrl=f"{world.url}/copy", Delay=5)  # fmt: skip
    assert found["Instance"]["State"] == "Success", found["Instance"]
    assert found["Output"] == {"State": "approved", "Digest": asked, "Arrived": asked}
    assert bodies(world)[1] == {"From": f"from/app@{asked}", "To": "stable/app:v1"}
    assert not answers


def test_a_refused_promotion_orders_nothing(flows: Flows, world: World) -> None:
    asked = stocked(flows)
    world.say[f"/a?Digest={asked.replace(':', '%3A')}"] = (200, {}, b'{"State": "refused"}')
    found = run(flows, "promote", BucketName="from", ImageName="app", TagName="v1", TargetBucket="stable",
                ApprovalUrl=f"{world.url}/a", CopierUrl=f"{world.url}/copy")  # fmt: skip
    assert (found["Instance"]["State"], found["Output"]["State"]) == ("Success", "refused")
    assert "/copy" not in world.paths()
    none = run(flows, "promote", BucketName="from", ImageName="app", TagName="none", ApprovalUrl=f"{world.url}/a")
    assert none["Instance"]["State"] == "Failure"
    assert "no such tag" in none["Instance"]["Fault"]


def test_a_copy_is_asked_for_until_it_is_done(flows: Flows, world: World) -> None:
    digest = stocked(flows)
    world.say[f"/pull?Digest={digest.replace(':', '%3A')}"] = (200, {}, b'{"State": "done"}')
    given = {"BucketName": "from", "ImageName": "app", "TagName": "v1", "Target": "abroad/app:v1"}
    found = run(flows, "copy", PullerUrl=f"{world.url}/pull", **given)
    assert found["Output"] == {"State": "done", "Digest": digest}, found["Instance"]
    assert bodies(world) == [{"From": "from/app:v1", "To": "abroad/app:v1", "Digest": digest}]
    world.say[f"/pull?Digest={digest.replace(':', '%3A')}"] = (200, {}, b'{"State": "failed"}')
    assert run(flows, "copy", PullerUrl=f"{world.url}/pull", **given)["Instance"]["State"] == "Failure"


def test_a_push_starts_a_copy(busy: Busy, world: World) -> None:
    found = samples()["copy"]
    workflow = busy.save(found.template, found.name)
    world.say["/pull"] = (200, {}, b'{"State": "done"}')
    given = {"PullerUrl": f"{world.url}/pull", "Target": "abroad/app:v1"}
    busy.ok("CreateSFTrigger", WorkflowId=workflow, TriggerKind="Event", Event=["image.pushed"], Match=["app:v*"],
            Input=json.dumps(given))  # fmt: skip
    digest, _ = push_image(busy.hub, "depot/app", "v1", busy.hub.main)
    world.say[f"/pull?Digest={digest.replace(':', '%3A')}"] = (200, {}, b'{"State": "done"}')
    [trigger] = wait_for(lambda: [one for one in busy.ok("ListSFTriggers", WorkflowId=workflow)["TriggerSet"]
                                  if one["LastInstanceId"]])  # fmt: skip
    assert busy.ended(trigger["LastInstanceId"])["Instance"]["State"] == "Success"
    assert bodies(world) == [{"From": "depot/app:v1", "To": "abroad/app:v1", "Digest": digest}]


def test_pruning_reports_first_and_deletes_when_told(flows: Flows, world: World) -> None:
    stocked(flows)
    push_image(flows.hub, "from/app", "v2", flows.hub.main)
    flows.ok("SetBucketRetention", BucketName="from", Rules='[{"Match": ["*"], "KeepNewest": 1}]')
    found = run(flows, "prune", BucketName="from", ReportUrl=f"{world.url}/report")
    assert found["Output"] == {"Planned": 1, "Gone": None}, found["Instance"]
    assert [one["TagName"] for one in bodies(world)[0]["Tags"]] == ["v1"]
    done = run(flows, "prune", BucketName="from", ReportUrl=f"{world.url}/report", Apply=True)
    assert [one["TagName"] for one in done["Output"]["Gone"]] == ["v1"], done["Instance"]
    assert [one["Event"] for one in bodies(world)] == ["planned", "planned", "deleted"]
    assert flows.ok("ListTags", BucketName="from", ImageName="app")["TotalCount"] == 1


def test_a_quota_is_told_of_from_its_percentage_on(flows: Flows, world: World) -> None:
    stocked(flows)
    hub = flows.hub
    # What an operator does with `entrepot quota`: the project may hold one bucket, and holds it.
    hub.run(
        hub.hub.db.write(
            lambda rows: rows.run(
                "INSERT INTO quota (scope, kind, most) VALUES (:scope, 'buckets', 1)", scope=f"project {hub.project_id}"
            )
        )
    )
    found = run(flows, "quota", ProjectId=hub.project_id, NotifyUrl=f"{world.url}/notify")
    assert found["Instance"]["State"] == "Success", found["Instance"]
    assert [(one["Kind"], one["Used"], one["Most"]) for one in bodies(world)] == [("buckets", 1, 1)]


def test_a_mirror_is_told_of_each_image(flows: Flows, world: World) -> None:
    stocked(flows)
    push_image(flows.hub, "from/other", "v9", flows.hub.main)
    found = run(flows, "mirror", BucketName="from", MirrorUrl=f"{world.url}/pull")
    assert found["Output"] == {"Images": 2}, found["Instance"]
    assert [(one["Image"], one["Tag"]) for one in bodies(world)] == [("from/app", "v1"), ("from/other", "v9")]
    assert all(one["Digest"].startswith("sha256:") for one in bodies(world))
