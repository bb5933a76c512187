"""Triggers: a workflow is run by what happens to a bucket, once for each event, or by the clock, once for each time."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import HubError
from entrepot.model import schedule
from entrepot.ops import dispatch
from tests.conftest import Loop, TestHub
from tests.events.conftest import LOCAL, Busy, wait_for
from tests.flows.conftest import World
from tests.model.flow.kit import start, step
from tests.model.flow.kit import template as made
from tests.registry.kit import push_image

INPUTS = [{"Name": name, "Type": "STRING", "Value": ""} for name in ("Kind", "BucketName", "ImageName", "TagName")]


def api(name: str, then: str, action: str, **params: Any) -> dict[str, Any]:
    body = {"Action": action, **params}
    return step(name, "UHttpActivity", then, {"url": "https://api.ucloud.cn", "method": "POST", "body": body})


def tell(world: World) -> dict[str, Any]:
    """Posts what it was given."""
    told = {name["Name"]: f"${{workflow.input.{name['Name']}}}" for name in INPUTS}
    post = step("post", "HttpActivity", "end", {"url": world.url + "/run", "method": "POST", "body": told})
    return {**made(start("post"), post), "Input": INPUTS}


def push(busy: Busy, tag: str = "v1", name: str = "depot/app") -> str:
    return push_image(busy.hub, name, tag, busy.hub.main)[0]


def trigger(busy: Busy, workflow: str, **more: Any) -> str:
    given = {"TriggerKind": "Event", **more}
    return str(busy.ok("CreateSFTrigger", WorkflowId=workflow, **given)["TriggerId"])


def only(busy: Busy, workflow: str) -> dict[str, Any]:
    [found] = busy.ok("ListSFTriggers", WorkflowId=workflow)["TriggerSet"]
    return dict(found)


def runs(busy: Busy, workflow: str) -> list[dict[str, Any]]:
    return list(busy.ok("ListSFInstances", WorkflowId=workflow, Limit=1000)["InstanceSet"])


def test_an_event_is_the_input_of_a_run(busy: Busy, world: World) -> None:
    workflow = busy.save(tell(world))
    trigger(busy, workflow, Event=["image.pushed"], Match=["app:v*"], Bucket="de*")
    push(busy, "v1")
    push(busy, "latest")
    push(busy, "v1", "depot/other")
    busy.hub.bucket("elsewhere")
    push(busy, "v1", "elsewhere/app")
    wait_for(lambda: world.calls)
    found = busy.ended(wait_for(lambda: runs(busy, workflow))[0]["InstanceId"])
    assert (found["Instance"]["Cause"], found["Instance"]["State"]) == ("Event depot/1", "Success"), found
    [(*_, body)] = world.calls
    assert json.loads(body) == {"Kind": "image.pushed", "BucketName": "depot", "ImageName": "app", "TagName": "v1"}
    one = only(busy, workflow)
    assert (one["LastInstanceId"], one["LastFault"], one["WaitingCount"]) == (found["Instance"]["InstanceId"], "", 0)
    assert len(runs(busy, workflow)) == 1


def test_a_run_moves_a_tag(busy: Busy) -> None:
    """What the issue shows, at the API: a push starts a run that checks the image and moves a tag."""
    place = {"BucketName": "${workflow.input.BucketName}", "ImageName": "${workflow.input.ImageName}"}
    workflow = busy.save({
        **made(
            start("look"),
            api("look", "move", "DescribeManifest", **place, Reference="${workflow.input.TagName}"),
            api("move", "end", "TagImage", **place, TagName="stable", Source="${look.output.Digest}"),
        ),
        "Input": INPUTS,
    })  # fmt: skip
    trigger(busy, workflow, Event=["image.pushed", "image.moved"], Match=["app:v*"])
    for tag in ("v1", "v2"):
        digest = push(busy, tag)
        wait_for(lambda digest=digest: _digest(busy, "stable") == digest)
    moved = busy.events("depot", Kind="image.moved")
    assert [one["TagName"] for one in moved] == ["stable"]


def _digest(busy: Busy, tag: str) -> str:
    return busy.hub.request("HEAD", f"/v2/depot/app/manifests/{tag}", login=busy.hub.main).headers.get(
        "docker-content-digest", ""
    )


def test_a_circle_ends(busy: Busy) -> None:
    """A run whose own tag starts the next run, that starts the next one."""
    place = {"BucketName": "${workflow.input.BucketName}", "ImageName": "${workflow.input.ImageName}"}
    name = '@func("strings#concat", ${workflow.input.TagName}, "x")'
    more = api("more", "end", "TagImage", **place, TagName=name, Source="${workflow.input.TagName}")
    workflow = busy.save({
        **made(start("more"), more),
        "Input": INPUTS,
    })  # fmt: skip
    trigger(busy, workflow, Event=["image.pushed"])
    push(busy, "v")
    wait_for(lambda: "circle" in only(busy, workflow)["LastFault"], 60)
    assert len(runs(busy, workflow)) == 8
    assert [one["TagName"] for one in busy.events("depot")] == ["v" + "x" * times for times in range(9)]


def test_who_may_not_pull_hears_nothing(busy: Busy, world: World) -> None:
    """The rights of whoever saved the version, at that moment."""
    hub = busy.hub
    keys = hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Active")
    worker = (keys["AccessKeyID"], keys["AccessKeySecret"])
    document = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["stepflow:*"], "Resource": ["*"]}]}
    urn = hub.call("CreateIAMPolicy", PolicyName="flows", Document=json.dumps(document))["PolicyURN"]
    assert hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn])["RetCode"] == 0
    import base64

    text = base64.b64encode(json.dumps(tell(world)).encode()).decode()
    saved = hub.call_as(
        worker, "CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=busy.namespace, WorkflowName="his",
        Workflow=text,
    )  # fmt: skip
    assert saved["RetCode"] == 0, saved
    workflow = f"{busy.namespace}.his"
    busy.ok("PublishSFWorkflow", WorkflowId=workflow)
    trigger(busy, workflow, Event=["image.pushed"])
    push(busy, "v1")
    wait_for(lambda: "may not pull" in only(busy, workflow)["LastFault"])
    assert runs(busy, workflow) == []
    pull = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["uhub:Pull*"], "Resource": ["*"]}]}
    urn = hub.call("CreateIAMPolicy", PolicyName="pulls", Document=json.dumps(pull))["PolicyURN"]
    assert hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn])["RetCode"] == 0
    push(busy, "v2")
    wait_for(lambda: runs(busy, workflow))
    assert only(busy, workflow)["LastFault"] == ""


def test_no_event_of_another_account(busy: Busy, world: World) -> None:
    from entrepot.ops import people

    workflow = busy.save(tell(world))
    trigger(busy, workflow)
    hub = busy.hub
    other = hub.run(
        people.add_user(hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    keys = (other.public_key, other.private_key)
    assert hub.call_as(keys, "CreateRepo", RepoName="theirs", IsShared="true")["RetCode"] == 0
    push_image(hub, "theirs/app", "v1", ("other@example.com", "battery staple"))
    busy.hub.bucket("ours")
    wait_for(lambda: world.calls)
    assert {json.loads(body)["BucketName"] for *_, body in world.calls} == {"ours"}
    assert hub.call("ListEvents", BucketName="theirs")["RetCode"] == 43023
    assert hub.call_as(keys, "ListEvents", BucketName="theirs")["EventSet"] == [], "nobody of theirs listens"


def test_what_cannot_run_says_why_and_the_next_one_runs(busy: Busy, world: World) -> None:
    workflow = busy.save(tell(world))
    named = trigger(busy, workflow, Event=["image.pushed"], Input='{"Odd": 1}')
    push(busy, "v1")
    wait_for(lambda: "'Odd'" in only(busy, workflow)["LastFault"])
    busy.ok("UpdateSFTrigger", TriggerId=named, Input='{"TagName": "mine"}')
    push(busy, "v2")
    wait_for(lambda: world.calls)
    assert json.loads(world.calls[0][3])["TagName"] == "mine"
    busy.ok("UpdateSFTrigger", TriggerId=named, Enabled="false")
    push(busy, "v3")
    busy.ok("UpdateSFTrigger", TriggerId=named, Enabled="true", AllEvents="true")
    busy.ok("UpdateRepo", RepoName="depot", IsShared="true")
    wait_for(lambda: len(world.calls) == 2)
    assert json.loads(world.calls[1][3])["Kind"] == "bucket.shared"
    busy.ok("DeleteSFTrigger", TriggerId=named)
    push(busy, "v4")
    assert busy.ok("ListSFTriggers", WorkflowId=workflow)["TriggerSet"] == []


def test_events_wait_for_room(busy: Busy, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrepot.ops.flows.MOST_OPEN", 2)
    workflow = busy.save(tell(world))
    trigger(busy, workflow, Event=["image.pushed"])
    for number in range(12):
        push(busy, f"v{number}")
    wait_for(lambda: len(world.calls) == 12, 60)
    assert sorted(json.loads(body)["TagName"] for *_, body in world.calls) == sorted(f"v{n}" for n in range(12))
    assert len(runs(busy, workflow)) == 12


def test_a_step_done_again_starts_nothing_again(busy: Busy, world: World) -> None:
    """As after a restore of rows: the event is not filed, the run is there."""
    workflow = busy.save(tell(world))
    trigger(busy, workflow, Event=["image.pushed"])
    push(busy)
    wait_for(lambda: world.calls)

    def undo(rows: Any) -> None:
        rows.run("UPDATE event SET is_filed = 0")
        rows.run("UPDATE flow_firing SET state = 'Waiting'")

    busy.hub.run(busy.hub.hub.db.write(undo))
    busy.hub.hub.told.set()
    waiting = "SELECT COUNT(*) FROM flow_firing WHERE state = 'Waiting'"
    wait_for(lambda: busy.hub.run(busy.hub.hub.db.read(lambda rows: rows.one(waiting))) == (0,))
    busy.hub.run(dispatch.step(busy.hub.hub))
    assert len(runs(busy, workflow)) == 1


def test_cron(loop: Loop, tmp_path: Path, world: World) -> None:
    """Due, missed while the hub was down, and by clocks that jump: each time once."""
    hub = TestHub(loop, tmp_path / "data", outbound_networks=LOCAL)
    busy = Busy(hub)
    at = datetime(2027, 5, 3, 2, 0, tzinfo=UTC).timestamp()
    hub.hub.clock = lambda: at
    template = {**made(start("end")), "Input": [{"Name": "X", "Type": "INT64", "Value": ""}]}
    workflow = busy.save(template)
    named = trigger(busy, workflow, TriggerKind="Cron", Cron="30 3  * * *", TimeZone="Asia/Shanghai", Input='{"X": 1}')

    def go(when: datetime) -> int:
        hub.hub.clock = when.timestamp
        hub.run(dispatch.step(hub.hub))
        hub.run(dispatch.step(hub.hub))
        return len(runs(busy, workflow))

    half_past = datetime(2027, 5, 3, 19, 30, tzinfo=UTC)
    assert only(busy, workflow)["NextTime"] == half_past.timestamp()
    assert only(busy, workflow)["Cron"] == "30 3 * * *"
    assert go(datetime(2027, 5, 3, 19, 29, 59, tzinfo=UTC)) == 0
    assert go(half_past) == 1
    assert go(datetime(2027, 5, 3, 19, 31, tzinfo=UTC)) == 1
    assert go(datetime(2027, 5, 7, 0, 0, tzinfo=UTC)) == 2, "three were missed: one makes up for them"
    assert go(datetime(2028, 5, 7, 0, 0, tzinfo=UTC)) == 3, "a clock that jumped ahead is believed"
    assert go(datetime(2027, 5, 7, 0, 1, tzinfo=UTC)) == 3, "and back"
    assert only(busy, workflow)["NextTime"] == datetime(2027, 5, 7, 19, 30, tzinfo=UTC).timestamp()
    assert go(datetime(2027, 5, 7, 19, 30, tzinfo=UTC)) == 3, "this time has fired, by the clock that was ahead"
    assert go(datetime(2027, 5, 8, 19, 30, tzinfo=UTC)) == 4
    busy.ok("UpdateSFTrigger", TriggerId=named, Enabled="false")
    assert go(datetime(2027, 6, 1, tzinfo=UTC)) == 4
    busy.ok("UpdateSFTrigger", TriggerId=named, Enabled="true", TimeZone="UTC")
    assert only(busy, workflow)["NextTime"] == datetime(2027, 6, 1, 3, 30, tzinfo=UTC).timestamp()
    assert go(datetime(2027, 6, 1, 3, 30, tzinfo=UTC)) == 5
    assert {one["Cause"] for one in runs(busy, workflow)} == {"Cron"}
    hub.close()


@pytest.mark.parametrize(
    ("cron", "zone"),
    [("* * * *", "UTC"), ("* * * * * *", "UTC"), ("60 * * * *", "UTC"), ("0 0 31 2 *", "UTC"), ("@daily", "UTC"),
     ("R * * * *", "UTC"), ("H * * * *", "UTC"), ("0 0 * * *", "Mars/Olympus"), ("0 0 * * *", "../../etc/passwd"),
     ("0 0 * * *", ""), ("", "UTC"), ("a b c d e", "UTC"), ("*/0 * * * *", "UTC")],
)  # fmt: skip
def test_what_is_no_time(cron: str, zone: str) -> None:
    with pytest.raises(HubError):
        schedule.check(cron, zone)


def _local(cron: str, zone: str, day: datetime, times: int) -> list[str]:
    found, at = [], int(day.replace(tzinfo=ZoneInfo(zone)).timestamp())
    for _ in range(times):
        at = schedule.next_after(cron, zone, at)
        found.append(datetime.fromtimestamp(at, ZoneInfo(zone)).strftime("%d %H:%M%z"))
    return found


def test_summer_time() -> None:
    berlin = "Europe/Berlin"
    assert _local("30 2 * * *", berlin, datetime(2027, 3, 27, 12), 2) == ["28 03:00+0200", "29 02:30+0200"]
    assert _local("30 2 * * *", berlin, datetime(2027, 10, 30, 12), 2) == ["31 02:30+0200", "01 02:30+0100"]
    hourly = _local("0 * * * *", berlin, datetime(2027, 10, 31, 1, 30), 3)
    assert hourly == ["31 02:00+0200", "31 02:00+0100", "31 03:00+0100"]


@given(
    st.sampled_from(["0 3 * * *", "*/5 * * * *", "30 2 * * *", "0 0 29 2 *", "15 1,2,3 * * 0", "0 12 l * *"]),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(1_790_000_000, 2_000_000_000),
)
def test_time_only_goes_on(cron: str, zone: str, after: int) -> None:
    due = schedule.next_after(cron, zone, after)
    assert due > after
    assert schedule.next_after(cron, zone, due) > due
    assert schedule.next_after(cron, zone, (after + due) // 2) == due


def test_bounds(hub: TestHub, world: World) -> None:
    busy = Busy(hub)
    workflow = busy.save(tell(world))
    for wrong in ({"Bucket": "[a]"}, {"Bucket": "a:b"}, {"Input": "[]"}, {"Match": ["?"]}, {"Event": ["eaten"]}):
        given = {"WorkflowId": workflow, "TriggerKind": "Event", **wrong}
        assert hub.call("CreateSFTrigger", **given)["RetCode"] == 230, wrong
    assert hub.call("CreateSFTrigger", WorkflowId="no.no", TriggerKind="Event")["RetCode"] == 1050
    for _ in range(20):
        trigger(busy, workflow)
    assert hub.call("CreateSFTrigger", WorkflowId=workflow, TriggerKind="Event")["RetCode"] == 1040
    assert hub.call("DeleteSFWorkflow", WorkflowId=workflow)["RetCode"] == 0
    listens = hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT MAX(listens) FROM account")))
    assert listens == (0,)
