"""What workflows may call: no address inside, however it is written; bounded answers; redirects looked at again."""

from typing import Any

import pytest

from entrepot.flows.outbound import MOST_BYTES, Answer, CallFailed, ask_json, call
from entrepot.model.addresses import may_call
from tests.conftest import Loop
from tests.flows.conftest import World

LOCAL = "127.0.0.0/8"


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::1", "::127.0.0.1", "2001:db8::1", "x", "",
        "198.18.0.1", "240.0.0.1", "fe80::1%eth0",
    ],
)  # fmt: skip
def test_inside(address: str) -> None:
    assert not may_call(address, "")


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_outside(address: str) -> None:
    assert may_call(address, "")


def test_the_operator_opens_networks_and_only_those() -> None:
    assert may_call("10.1.2.3", "10.1.0.0/16")
    assert may_call("::ffff:10.1.2.3", "10.1.0.0/16")
    assert not may_call("10.2.2.3", "10.1.0.0/16")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_no_spelling_reaches_a_server_inside(loop: Loop, world: World, host: str) -> None:
    url = world.url.replace("127.0.0.1", host)
    with pytest.raises(CallFailed, match="outbound_networks"):
        loop.run(call("", "GET", url))
    assert world.calls == []


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://a.test/", "//a.test", "http://", "http://a:b@127.0.0.1/", "http://[::1", "a",
            "http://127.0.0.1:99999/", "http://127.0.0.1/\r\nX: y", "http://127.0.0.1/é"],
)  # fmt: skip
def test_what_is_no_url(loop: Loop, url: str) -> None:
    with pytest.raises(CallFailed):
        loop.run(call(LOCAL, "GET", url))


def test_a_redirect_to_an_address_inside_is_not_followed(loop: Loop, world: World) -> None:
    world.say["/away"] = (302, {"Location": world.url.replace("127.0.0.1", "[::1]") + "/secret"}, b"")
    with pytest.raises(CallFailed, match="::1"):
        loop.run(call(LOCAL, "GET", world.url + "/away"))
    world.say["/round"] = (307, {"Location": "/round"}, b"")
    with pytest.raises(CallFailed, match="redirects"):
        loop.run(call(LOCAL, "POST", world.url + "/round", {}, b"x"))
    assert len(world.calls) == 7


def test_another_origin_gets_no_headers_and_no_body(loop: Loop, world: World) -> None:
    other = world.url.replace("127.0.0.1", "127.0.0.2")
    world.say["/away"] = (307, {"Location": other.replace("127.0.0.2", "localhost") + "/there"}, b"")
    try:
        loop.run(call(LOCAL + " ::1", "POST", world.url + "/away", {"Authorization": "secret"}, b"secret"))
    except CallFailed as fault:
        pytest.fail(str(fault))
    sent = world.calls[-1]
    assert sent[1] == "/there"
    assert "secret" not in str(sent)


@pytest.mark.parametrize(
    ("answer", "word"),
    [
        ((200, {}, b"x" * (MOST_BYTES + 1)), "bytes"), ((200, {}, b"<html>"), "no JSON"),
        ((200, {}, b"NaN"), "no JSON"), ((200, {}, b"[" * 100 + b"]" * 100), "nested"),
        ((404, {}, b"none"), "status 404"),
    ],
)  # fmt: skip
def test_answers_that_are_refused(loop: Loop, world: World, answer: Any, word: str) -> None:
    world.say["/"] = answer
    with pytest.raises(CallFailed, match=word):
        loop.run(ask_json(LOCAL, {"url": world.url + "/", "method": "GET"}))


def test_a_request_as_the_activity_describes_it(loop: Loop, world: World) -> None:
    given = {"url": f"{world.url}/a?b=1", "method": "post", "query": {"c": 2}, "body": {"x": "é"},
             "header": {"ContentType": "application/json", "Host": "evil", "X-Y": 1}}  # fmt: skip
    assert loop.run(ask_json(LOCAL, given)) == {"n": 1}
    method, path, headers, body = world.calls[0]
    assert (method, path, body) == ("POST", "/a?b=1&c=2", b'{"x": "\\u00e9"}')
    assert headers["Host"] == world.url.removeprefix("http://")
    assert headers["X-Y"] == "1"
    with pytest.raises(CallFailed):
        loop.run(ask_json(LOCAL, {"url": world.url, "method": "GET", "header": {"X": "a\r\nY: b"}}))
    assert isinstance(loop.run(call(LOCAL, "GET", world.url)), Answer)
