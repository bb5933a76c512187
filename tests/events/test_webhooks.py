"""Webhooks at the door: signed events, whatever the receiver does; nothing lost, nothing leaked, nobody held up."""

import hashlib
import hmac
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from entrepot.flows.deliveries import PAUSES, SPAN, sign
from entrepot.ops import dispatch
from tests.conftest import Loop, TestHub
from tests.events.conftest import LOCAL, Busy, Rude, wait_for
from tests.flows.conftest import World
from tests.registry.kit import push_image


def push(busy: Busy, tag: str = "v1", bucket: str = "depot") -> str:
    return push_image(busy.hub, f"{bucket}/app", tag, busy.hub.main)[0]


def settled(busy: Busy, hook: str, tries: int = 1) -> dict[str, Any]:
    """The one delivery, once it was tried so often."""
    return dict(wait_for(lambda: [one for one in busy.deliveries("depot", hook) if one["Tries"] >= tries], 30)[0])


def test_an_event_comes_signed(busy: Busy, world: World) -> None:
    hook = busy.hook("depot", world.url + "/hook", Secret="a secret of sixteen", Event=["image.pushed"])
    digest = push(busy)
    wait_for(lambda: world.calls)
    method, path, headers, body = world.calls[0]
    assert (method, path, headers["Content-Type"]) == ("POST", "/hook", "application/cloudevents+json")
    told = json.loads(body)
    assert (told["type"], told["subject"], told["data"]["Digest"]) == ("entrepot.image.pushed", "app:v1", digest)
    at, _, signature = headers["X-Entrepot-Signature"].removeprefix("t=").partition(",v1=")
    assert abs(int(at) - time.time()) < 60
    right = hmac.new(b"a secret of sixteen", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signature, right)
    one = settled(busy, hook)
    assert (one["State"], one["Status"], one["Number"], one["NextTime"]) == ("Delivered", 200, 1, 0)
    assert one["Answer"] == '{"n": 1}'


def test_the_signature_by_hand() -> None:
    made = sign("key", 12, b"{}")
    assert made == "t=12,v1=" + hmac.new(b"key", b"12.{}", hashlib.sha256).hexdigest()


def test_secrets_are_shown_once_and_kept_sealed(busy: Busy) -> None:
    made = busy.ok("CreateBucketWebhook", BucketName="depot", Url="https://example.com/")
    given = busy.ok("CreateBucketWebhook", BucketName="depot", Url="https://example.com/", Secret="x" * 16)
    assert (len(made["Secret"]), given["Secret"]) == (64, "x" * 16)
    assert made["Secret"] not in json.dumps(busy.ok("ListBucketWebhooks", BucketName="depot"))
    rows = busy.hub.run(busy.hub.hub.db.read(lambda rows: rows.all("SELECT * FROM webhook")))
    assert made["Secret"] not in str(rows)
    assert "x" * 16 not in str(rows)
    audit = busy.hub.run(busy.hub.hub.db.read(lambda rows: rows.all("SELECT * FROM audit")))
    assert made["Secret"] not in str(audit)
    assert "x" * 16 not in str(audit)


def test_only_what_is_wanted_comes(busy: Busy, world: World) -> None:
    busy.hook("depot", world.url + "/tags", Match=["app:v*"], Event=["image.pushed"])
    busy.hook("depot", world.url + "/all")
    busy.hook("depot", world.url + "/off", Enabled="false")
    for tag in ("v1", "latest"):
        push(busy, tag)
    busy.ok("UpdateRepo", RepoName="depot", IsShared="true")
    wait_for(lambda: world.paths().count("/all") == 3)
    assert world.paths().count("/tags") == 1
    assert world.paths().count("/off") == 0


@pytest.mark.parametrize("status", [500, 404, 301, 307, 429])
def test_a_receiver_that_refuses_hears_of_it_again_and_at_last_no_more(busy: Busy, world: World, status: int) -> None:
    world.say["/hook"] = (status, {"Location": "http://169.254.169.254/secret"}, b"no")
    hook = busy.hook("depot", world.url + "/hook", Event=["image.pushed"])
    push(busy)
    for tries in range(1, len(PAUSES) + 1):
        one = settled(busy, hook, tries)
        assert (one["State"], one["Status"], one["Tries"]) == ("Waiting", status, tries)
        pause = one["NextTime"] - one["LastTime"]
        assert 0.75 * PAUSES[tries - 1] <= pause <= 1.25 * PAUSES[tries - 1]
        busy.later(pause + 1)
    one = settled(busy, hook, len(PAUSES) + 1)
    assert (one["State"], one["NextTime"]) == ("Dead", 0)
    assert "no" in one["Answer"]
    assert set(world.paths()) == {"/hook"}, "no redirect is followed"
    [listed] = busy.ok("ListBucketWebhooks", BucketName="depot")["WebhookSet"]
    assert (listed["DeadCount"], listed["WaitingCount"]) == (1, 0)
    world.say.clear()
    assert busy.ok("RedeliverWebhook", BucketName="depot", WebhookId=hook)["Count"] == 1
    wait_for(lambda: busy.deliveries("depot", hook, State="Delivered"))
    assert busy.ok("RedeliverWebhook", BucketName="depot", WebhookId=hook)["Count"] == 0
    one = settled(busy, hook)
    assert busy.ok("RedeliverWebhook", BucketName="depot", WebhookId=hook, DeliveryId=one["DeliveryId"])["Count"] == 1
    wait_for(lambda: settled(busy, hook)["State"] == "Delivered" and len(world.calls) == len(PAUSES) + 3)


def test_a_receiver_that_was_down_gets_everything(busy: Busy, world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = busy.hook("depot", f"http://127.0.0.1:{port}/", Event=["image.pushed"])
    for number in range(12):
        push(busy, f"v{number}")
    settled(busy, hook, 1)
    its = {"BucketName": "depot", "WebhookId": hook}
    busy.ok("UpdateBucketWebhook", **its, Url=world.url + "/up", Enabled="false")
    busy.later(60)  # those that failed are due again, like those that were not tried yet
    busy.ok("UpdateBucketWebhook", **its, Enabled="true")
    wait_for(lambda: len(busy.deliveries("depot", hook, State="Delivered")) == 12)
    numbers = [json.loads(body)["data"]["Number"] for _, path, _, body in world.calls if path == "/up"]
    assert sorted(numbers) == list(range(1, 13))


def test_what_fails_for_a_day_is_given_up_tried_or_not(busy: Busy, world: World) -> None:
    world.say["/hook"] = (503, {}, b"")
    hook = busy.hook("depot", world.url + "/hook", Event=["image.pushed"])
    for number in range(3):
        push(busy, f"v{number}")
    settled(busy, hook, 1)
    busy.later(SPAN + 10)
    wait_for(lambda: len(busy.deliveries("depot", hook, State="Dead")) == 3)
    assert busy.deliveries("depot", hook, State="Waiting") == []


def hangs(client: socket.socket) -> None:
    client.recv(10_000)
    time.sleep(4)


def breaks_off(client: socket.socket) -> None:
    client.recv(10_000)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    client.close()


def no_http(client: socket.socket) -> None:
    client.recv(10_000)
    client.sendall(b"hello\r\n\r\n")
    client.close()


def huge(client: socket.socket) -> None:
    client.recv(10_000)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n")
    for _ in range(1000):
        client.sendall(b"x" * 100_000)


def drips(client: socket.socket) -> None:
    client.recv(10_000)
    client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 400\r\n\r\n")
    for _ in range(40):
        client.sendall(b"x")
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("does", "state", "word"),
    [
        (hangs, "Waiting", "no answer within"), (breaks_off, "Waiting", ""), (no_http, "Waiting", ""),
        (huge, "Delivered", "xxx"), (drips, "Waiting", "no answer within"),
    ],
)  # fmt: skip
def test_receivers_without_manners(
    busy: Busy, monkeypatch: pytest.MonkeyPatch, does: Any, state: str, word: str
) -> None:
    monkeypatch.setattr("entrepot.flows.deliveries.SECONDS", 1.0)
    rude = Rude(does)
    hook = busy.hook("depot", rude.url, Event=["image.pushed"])
    push(busy)
    one = settled(busy, hook)
    assert one["State"] == state, one
    assert word in one["Answer"]
    assert len(one["Answer"]) <= 500
    rude.close()


def test_a_slow_receiver_holds_up_nobody(busy: Busy, world: World) -> None:
    rude = Rude(hangs)
    busy.hub.bucket("other")
    for _ in range(6):  # more than an account has places at one host
        busy.hook("depot", rude.url, Event=["image.pushed"])
    push(busy)
    wait_for(lambda: rude.met >= 4)
    account = busy.hub.run(_second_account(busy.hub))
    busy.hub.call_as(account, "CreateDockerImageBucket", BucketName="theirs", Region="cn-bj2")
    made = busy.hub.call_as(account, "CreateBucketWebhook", BucketName="theirs", Url=world.url + "/theirs")
    assert made["RetCode"] == 0, made
    assert busy.hub.call_as(account, "UpdateRepo", RepoName="theirs", IsShared="true")["RetCode"] == 0
    wait_for(lambda: "/theirs" in world.paths(), 3)
    assert rude.met == 4
    rude.close()


async def _second_account(hub: TestHub) -> tuple[str, str]:
    from entrepot.ops import people

    made = await people.add_user(
        hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None
    )
    return made.public_key, made.private_key


def test_no_address_inside_is_called(loop: Loop, tmp_path: Path, world: World) -> None:
    hub = TestHub(loop, tmp_path / "closed")
    closed = Busy(hub)
    hub.bucket("depot")
    closed.start()
    hooks = [
        closed.hook("depot", world.url.replace("127.0.0.1", host) + "/in", Event=["image.pushed"])
        for host in ("127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]")
    ]
    push(closed)
    for hook in hooks:
        one = settled(closed, hook)
        assert (one["State"], one["Status"]) == ("Waiting", 0)
        assert "outbound_networks" in one["Answer"]
    tested = closed.ok("TestBucketWebhook", BucketName="depot", WebhookId=hooks[0])
    assert (tested["Delivered"], tested["Status"]) == (False, 0)
    assert world.calls == []
    closed.stop()
    hub.close()


@pytest.mark.parametrize(
    "url", ["ftp://example.com/", "http://", "example.com", "http://a:b@example.com/", "http://example.com/ x",
            "http://example.com:0/", "http://example.com:99999/", "file:///etc/passwd", "http://é.test/", "http://[::1"],
)  # fmt: skip
def test_what_is_no_url(hub: TestHub, url: str) -> None:
    hub.bucket("depot")
    assert hub.call("CreateBucketWebhook", BucketName="depot", Url=url)["RetCode"] == 230


def test_what_else_is_refused(hub: TestHub) -> None:
    hub.bucket("depot")
    good = {"BucketName": "depot", "Url": "https://example.com/"}
    for wrong in ({"Secret": "short"}, {"Match": ["[a-z]"]}, {"Event": ["image.eaten"]}, {"Secret": "é" * 20}):
        assert hub.call("CreateBucketWebhook", **good, **wrong)["RetCode"] == 230, wrong
    assert hub.call("DeleteBucketWebhook", BucketName="depot", WebhookId="x")["RetCode"] == 1042
    for _ in range(20):
        assert hub.call("CreateBucketWebhook", **good)["RetCode"] == 0
    assert hub.call("CreateBucketWebhook", **good)["RetCode"] == 1040


def test_a_test_is_sent_at_once(busy: Busy, world: World) -> None:
    hook = busy.hook("depot", world.url + "/hook")
    tested = busy.ok("TestBucketWebhook", BucketName="depot", WebhookId=hook)
    assert (tested["Delivered"], tested["Status"], tested["Answer"]) == (True, 200, '{"n": 1}')
    assert json.loads(world.calls[0][3])["type"] == "entrepot.webhook.test"
    assert busy.deliveries("depot", hook) == []


def test_two_dispatchers_and_two_senders_at_once_do_it_once(busy: Busy, world: World) -> None:
    """As two processes would: nothing in memory is shared but the rows."""
    from entrepot.flows.deliveries import WebhookSender

    hub = busy.hub.hub

    async def more() -> list[Any]:
        import asyncio

        return [asyncio.create_task(one) for one in (WebhookSender(hub).run(), dispatch.run(hub))]

    busy.chores += busy.hub.run(more())
    hook = busy.hook("depot", world.url + "/hook", Event=["image.pushed"])
    for number in range(30):
        push(busy, f"v{number}")
    wait_for(lambda: len(busy.deliveries("depot", hook, State="Delivered")) == 30, 40)
    numbers = [json.loads(body)["data"]["Number"] for *_, body in world.calls]
    assert sorted(numbers) == list(range(1, 31))


def test_after_a_restart_what_was_being_sent_is_sent(loop: Loop, tmp_path: Path, world: World) -> None:
    hub = TestHub(loop, tmp_path / "data", outbound_networks=LOCAL)
    busy = Busy(hub)
    hub.bucket("depot")
    hook = busy.hook("depot", world.url + "/hook", Event=["image.pushed"])
    for number in range(3):
        push(busy, f"v{number}")
    hub.run(dispatch.step(hub.hub))
    hub.reopen()
    busy.start()
    wait_for(lambda: len(busy.deliveries("depot", hook, State="Delivered")) == 3)
    assert len(world.calls) == 3
    busy.stop()
    hub.close()
