"""Events, webhooks, deliveries and triggers by their pages, with a dispatcher, a sender and a receiver at work."""

# ruff: noqa: F811 - fixtures of other files are imported, then asked for by name
import html
import re
from typing import Any

import pytest

from entrepot.api.events import EventKind
from entrepot.console import faults
from entrepot.console.events import KINDS
from entrepot.errors import HubError, Kind
from entrepot.model.events import OFFERED
from tests.conftest import Reply, TestHub
from tests.console.kit import Surfer, digest_of, furnish, signed_in
from tests.events.conftest import Busy, busy, wait_for, world  # noqa: F401 - fixtures
from tests.events.test_triggers import INPUTS, push, tell
from tests.flows.conftest import World

HOOKS = "/console/bucket/webhooks?name=depot"
DEPOT = {"BucketName": "depot"}


def text(reply: Reply) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", reply.body.decode())))


def checked(reply: Reply) -> list[str]:
    return re.findall(r'<input type="checkbox" name="Event\.\d+" value="([a-z.]+)" checked>', reply.body.decode())


def made(surfer: Surfer, url: str, **more: str) -> tuple[str, str]:
    """(page, secret) of a new webhook."""
    reply = surfer.post(HOOKS, {"do": "CreateBucketWebhook", **DEPOT, "Url": url, "Match": "", **more})
    [secret] = re.findall(r'data-copy="([0-9a-f]{64})"', reply.body.decode())
    [page] = re.findall(r'href="(/console/bucket/webhook\?[^"]+)"', reply.body.decode())
    return html.unescape(page), secret


def of(page: str) -> dict[str, str]:
    return {**DEPOT, "WebhookId": page.partition("&id=")[2]}


def test_each_kind_has_its_words() -> None:
    assert set(KINDS) == {one.value for one in EventKind}


def test_a_webhook_from_its_making_to_its_end(busy: Busy, world: World) -> None:
    surfer = signed_in(busy.hub, busy.hub.main)
    page, secret = made(
        surfer, world.url, **{"Event.0": "image.pushed", "Event.2": "image.deleted", "Match": "app:v*\nw*"}
    )
    [hook] = busy.hub.call("ListBucketWebhooks", **DEPOT)["WebhookSet"]
    assert (hook["Event"], hook["Match"]) == (["image.pushed", "image.deleted"], ["app:v*", "w*"])
    shown = surfer.get(page)
    assert (checked(shown), secret in shown.body.decode()) == (["image.pushed", "image.deleted"], False)
    assert secret not in surfer.get(HOOKS).body.decode()
    assert '<input type="hidden" name="Event" value="">' in shown.body.decode(), "none ticked is said too"

    tried = text(surfer.post(page, {"do": "TestBucketWebhook", **of(page)}))
    assert "The receiver took the test" in tried
    world.say["/"] = (500, {}, b"out of order")
    tried = text(surfer.post(page, {"do": "TestBucketWebhook", **of(page)}))
    assert re.search(r"did not take the test 500 \d+ ms out of order", tried)

    every = {"do": "UpdateBucketWebhook", **of(page), "Url": world.url, "Event": "", "Match": "", "Secret": ""}
    assert surfer.post(page, every).status == 303
    [hook] = busy.hub.call("ListBucketWebhooks", **DEPOT)["WebhookSet"]
    assert (hook["Event"], hook["Match"], hook["Enabled"]) == ([], [], True)
    wrong = surfer.post(page, {**every, "Url": "ftp://x", "Event.1": "image.moved", "Match": "v1"})
    assert (wrong.status, checked(wrong), 'value="ftp://x"' in wrong.body.decode()) == (400, ["image.moved"], True)
    assert "v1</textarea>" in wrong.body.decode()
    off = {"do": "UpdateBucketWebhook", **of(page), "Enabled": "false"}
    assert surfer.post(HOOKS, off).status == 303
    [hook] = busy.hub.call("ListBucketWebhooks", **DEPOT)["WebhookSet"]
    assert (hook["Enabled"], hook["Url"]) == (False, world.url)
    gone = surfer.post(page, {"do": "DeleteBucketWebhook", **of(page)})
    assert gone.headers["location"] == f"{HOOKS}&done=DeleteBucketWebhook"
    assert surfer.get(page).status == 404


def states(surfer: Surfer, page: str, state: str = "") -> list[str]:
    shown = surfer.get(f"{page}&state={state}").body.decode()
    return re.findall(r'data-l="State"><span class="badge [a-z]+">([a-z]+)<', shown)


def test_deliveries_that_wait_die_and_are_sent_again(busy: Busy, world: World) -> None:
    surfer = signed_in(busy.hub, busy.hub.main)
    world.say["/"] = (503, {}, b"closed for lunch")
    page, _ = made(surfer, world.url, **{"Event.0": "image.pushed"})
    push(busy, "v1")
    wait_for(lambda: "closed for lunch" in text(surfer.get(page)))
    assert (states(surfer, page), states(surfer, page, "Delivered")) == (["waiting"], [])
    push(busy, "v2")
    busy.later(90_000)
    surfer = signed_in(busy.hub, busy.hub.main)  # the session has ended
    wait_for(lambda: states(surfer, page) == ["dead", "dead"])
    assert "2 dead" in text(surfer.get(HOOKS))
    assert "2 were given up" in text(surfer.get(page))

    world.say["/"] = (200, {}, b"thanks")
    assert surfer.post(page, {"do": "RedeliverWebhook", **of(page)}).status == 303
    wait_for(lambda: states(surfer, page) == ["delivered", "delivered"])
    sent, one = len(world.calls), re.search(r'name="DeliveryId" value="(\d+)"', surfer.get(page).body.decode())
    assert one
    assert surfer.post(page, {"do": "RedeliverWebhook", **of(page), "DeliveryId": one[1]}).status == 303
    wait_for(lambda: len(world.calls) > sent)
    link = "/console/manifest?bucket=depot&amp;image=app&amp;reference=v2"
    assert link in surfer.get(page).body.decode()


def test_events_newest_first_page_by_page(hub: TestHub) -> None:
    paths = furnish(hub)
    surfer = signed_in(hub, hub.main)
    page = paths["/console/bucket/events"]
    for number in range(30):
        tag = {"BucketName": "owned", "ImageName": "app", "TagName": f"n{number:02}", "Source": "v1"}
        assert hub.call("TagImage", **tag)["RetCode"] == 0
    first = surfer.get(page).body.decode()
    assert re.findall(r"reference=(n\d+)", first) == [f"n{number:02}" for number in range(29, 4, -1)]
    digest = digest_of(hub, "owned/app", "v1")
    assert f"reference={digest.replace(':', '%3A')}" in first
    assert hub.email in first
    [older] = re.findall(r'rel="next" href="([^"]+)"', first)
    rest = surfer.get(html.unescape(older)).body.decode()
    assert re.findall(r"reference=(n\d+)", rest) == [f"n{number:02}" for number in range(4, -1, -1)]
    deleted = surfer.get(f"{page}&kind=image.deleted").body.decode()
    assert set(re.findall(r'class="badge ">([a-z ]+)<', deleted)) == {"tag or image deleted"}


@pytest.fixture
def flow(busy: Busy, world: World) -> tuple[Surfer, str]:
    """Somebody at the page of the triggers of a workflow."""
    page = f"/stepflow/manage/triggers?id={busy.save(tell(world))}"
    return signed_in(busy.hub, busy.hub.main), page


def triggers(busy: Busy) -> list[dict[str, Any]]:
    return list(busy.ok("ListSFTriggers", WorkflowId=f"{busy.namespace}.flow")["TriggerSet"])


def test_a_trigger_by_an_event_begins_a_run_that_names_it(busy: Busy, world: World, flow: tuple[Surfer, str]) -> None:
    surfer, page = flow
    assert "The event fills in Kind BucketName ImageName TagName" in text(surfer.get(page)).replace(": ", " ")
    form = {"do": "CreateSFTrigger", "WorkflowId": f"{busy.namespace}.flow", "TriggerKind": "Event", "Bucket": "de*"}
    assert surfer.post(page, {**form, "Event.0": "image.pushed", "Match": "v*", "Input": "{}"}).status == 303
    push(busy, "v1")
    wait_for(lambda: world.calls)
    [one] = triggers(busy)
    run = busy.ended(one["LastInstanceId"])["Instance"]
    assert run["Cause"] == "Event depot/1"
    assert f"/stepflow/manage/run?id={run['InstanceId']}" in surfer.get(page).body.decode()
    for shown in (f"runs?id={run['WorkflowId']}", f"run?id={run['InstanceId']}"):
        [event] = re.findall(
            r'by event\s+<a href="([^"]+)">depot #1<', surfer.get(f"/stepflow/manage/{shown}").body.decode()
        )
        assert "reference=v1" in surfer.get(html.unescape(event)).body.decode()


def test_a_trigger_by_the_clock_is_made_changed_and_deleted(busy: Busy, flow: tuple[Surfer, str]) -> None:
    surfer, page = flow
    form = {
        "do": "CreateSFTrigger",
        "WorkflowId": f"{busy.namespace}.flow",
        "TriggerKind": "Cron",
        "Input": '{"Kind": "x"}',
    }
    wrong = surfer.post(page, {**form, "Cron": "61 * * * *", "TimeZone": "Asia/Shanghai"})
    assert (wrong.status, 'value="61 * * * *"' in wrong.body.decode()) == (400, True)
    assert 'value="Asia/Shanghai"' in wrong.body.decode()
    assert surfer.post(page, {**form, "Cron": "30 3 * * *", "TimeZone": "Asia/Shanghai"}).status == 303
    [one] = triggers(busy)
    opened = f"{page}&trigger={one['TriggerId']}"
    assert 'value="30 3 * * *"' in surfer.get(opened).body.decode()
    its = {"TriggerId": one["TriggerId"]}
    change = {"do": "UpdateSFTrigger", **its, "Cron": "0 4 * * *", "TimeZone": "UTC", "Input": "{}"}
    assert surfer.post(opened, change).status == 303
    assert surfer.post(opened, {"do": "UpdateSFTrigger", **its, "Enabled": "false"}).status == 303
    [one] = triggers(busy)
    assert (one["Cron"], one["TimeZone"], one["Input"], one["Enabled"], one["NextTime"]) == (
        "0 4 * * *",
        "UTC",
        "{}",
        False,
        0,
    )
    gone = surfer.post(opened, {"do": "DeleteSFTrigger", **its})
    assert (gone.headers["location"], triggers(busy)) == (f"{page}&done=DeleteSFTrigger", [])


def test_what_kept_a_trigger_from_its_run_is_told_in_chinese(
    busy: Busy, world: World, flow: tuple[Surfer, str]
) -> None:
    _, page = flow
    busy.save({**tell(world), "Input": [*INPUTS, {"Name": "Time", "Type": "ARRAY", "Value": []}]})
    busy.ok("CreateSFTrigger", WorkflowId=f"{busy.namespace}.flow", TriggerKind="Event")
    push(busy, "v1")
    wait_for(lambda: triggers(busy)[0]["LastFault"])
    assert "Params [" in triggers(busy)[0]["LastFault"]
    assert "参数值不可用：" in text(signed_in(busy.hub, busy.hub.main, "zh").get(page))


def test_a_written_down_refusal() -> None:
    fault = HubError(Kind.UNSUPPORTED, "the trigger was switched off meanwhile")
    assert faults.told(fault.message, "zh") == "不支持该操作：触发器已停用"
    assert faults.told(fault.message, "en") == fault.message
    assert faults.told("somebody's own words", "zh") == "somebody's own words"


def test_what_every_event_offers(busy: Busy, world: World) -> None:
    from entrepot.ops import events
    from entrepot.store.sql import events as sql

    busy.hook("depot", world.url)
    push(busy)
    [event] = busy.hub.run(busy.hub.hub.db.read(lambda rows: [sql.find(rows, 1)]))
    assert event is not None
    assert set(events.inputs(event)) == set(OFFERED)
