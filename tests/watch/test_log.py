"""The log: a line for each request that tells what happened and no secret; nobody can forge one."""

import base64
import http.client
import json
from pathlib import Path
from typing import Any

import structlog
from hypothesis import given
from hypothesis import strategies as st

from entrepot.watch import log
from tests.conftest import serve
from tests.registry.kit import digest
from tests.watch.kit import BASIC, LOGIN, hub_in

BODY = b"z" * 200_000
BLOB = f"/v2/helloworld/app/blobs/{digest(BODY)}"
Line = dict[str, Any]


class Logged:
    """A server with an access log."""

    def __init__(self, folder: Path, **given: str) -> None:
        self.data, self.port = hub_in(folder)
        self.process = serve(self.data, self.port, access_log="on", **given)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        reply.read()
        connection.close()
        return reply

    def ended(self) -> str:
        """All that was logged, once the server has ended."""
        self.process.terminate()
        assert self.process.wait(20) == 0
        return (self.data.parent / f"serve-{self.port}.log").read_text()


def lines(text: str, route: str) -> list[Line]:
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    return [one for one in found if one.get("route") == route]


def test_a_line_says_who_what_and_how_it_went(tmp_path: Path) -> None:
    server = Logged(tmp_path, log_format="json", row_bytes="0", trusted_proxies="127.0.0.0/8")
    push = f"/v2/helloworld/app/blobs/uploads/?digest={digest(BODY)}"
    made = server.ask("POST", push, BODY, authorization=BASIC, x_request_id="mine-1")
    assert made.status == 201
    assert made.headers["x-request-id"] == "mine-1"
    assert server.ask("GET", BLOB, x_forwarded_for="203.0.113.7").status == 200
    assert server.ask("GET", BLOB, range="bytes=0-99").status == 206
    assert server.ask("HEAD", BLOB).status == 200
    assert server.ask("GET", "/v2/helloworld/app/manifests/none").status == 404
    named = server.ask("GET", "/?Action=GetImageBucketList")
    assert server.ask("GET", "/console/login").status == 200
    text = server.ended()
    (line,) = lines(text, "upload")
    assert line.pop("timestamp")
    assert line.pop("ms") > 0
    assert line == {
        "event": "request",
        "level": "info",
        "door": "registry",
        "route": "upload",
        "method": "POST",
        "status": 201,
        "bytes_in": len(BODY),
        "bytes_out": 0,
        "who": LOGIN[0],
        "address": "127.0.0.1",
        "request_id": "mine-1",
        "repository": "helloworld/app",
    }
    whole, part, head = lines(text, "blob")
    assert (whole["bytes_out"], whole["address"], whole["who"]) == (len(BODY), "203.0.113.7", "-")
    assert (part["bytes_out"], part["status"]) == (100, 206)
    assert (head["bytes_out"], head["method"], head["reference"]) == (0, "HEAD", digest(BODY))
    assert [one["status"] for one in lines(text, "manifest")] == [404]
    (call,) = lines(text, "call")
    assert call["request_id"] == named.headers["x-request-id"] == named.headers["x-ucloud-request-uuid"]
    (page,) = lines(text, "page")
    assert page["page"] == "/console/login"


def test_no_secret_is_ever_in_it(tmp_path: Path) -> None:
    server = Logged(tmp_path, log_format="json", log_level="debug")
    start = server.ask("POST", "/v2/helloworld/app/blobs/uploads/", authorization=BASIC)
    session = start.headers["location"]
    server.ask("PATCH", session, b"hush in a body", authorization=BASIC)
    server.ask("DELETE", session, authorization=BASIC)
    for method, path, headers in [
        ("GET", "/token?account=x&password=hush&scope=hush", {"authorization": BASIC}),
        ("GET", "/v2/", {"authorization": "Bearer hush"}),
        ("GET", "/v2/", {"authorization": "Basic aHVzaDpodXNo"}),
        ("GET", "/?Action=GetImageBucketList&PublicKey=hush&Signature=hush&Password=hush&SecurityToken=hush", {}),
        ("GET", "/?Action=hush", {}),
        ("GET", "/console?hush=hush", {"cookie": "entrepot-session=hush", "referer": "http://hush/"}),
        ("GET", "/console/hush", {}),
        ("GET", "/metrics", {"authorization": "Bearer hush"}),
        ("GET", "/v2/", {"x-request-id": "hush hush\thush"}),
        ("GET", "/v2/", {"x-forwarded-for": "hush"}),
    ]:
        server.ask(method, path, **headers)
    form = {"content_type": "application/x-www-form-urlencoded"}
    server.ask("POST", "/token", b"grant_type=password&username=hush&password=hush&refresh_token=hush", **form)
    server.ask("POST", "/", b"Action=CreateUser&Password=hush&PrivateKey=hush&Signature=hush", **form)
    server.ask("POST", "/console/login", b"email=hush&password=hush&token=hush", **form)
    server.ask("POST", "/namespace/one/workflow/two/version/0?cid=hush&token=hush", b'{"a": "hush"}')
    text = server.ended()
    told = [line for line in text.splitlines() if "hush" in line]
    # What was asked for under the name of an action is no secret, and debug tells it.
    assert [line for line in told if '"event": "call"' not in line] == []
    assert all(json.loads(line)["action"] == "hush" for line in told)
    assert session.rpartition("/")[2] not in text
    assert base64.b64encode(b"hush:hush").decode() not in text
    assert BASIC.partition(" ")[2] not in text
    assert LOGIN[1] not in text
    assert len(lines(text, "session")) == 2
    assert lines(text, "run")


def test_lines_cannot_be_forged(tmp_path: Path) -> None:
    server = Logged(tmp_path)
    evil = "%0Atimestamp=2026-01-01%20event=request%20status=200%0D%0A%1B%5B2J"
    assert server.ask("GET", f"/v2/helloworld/app/manifests/{evil}").status in {400, 404}
    assert server.ask("GET", f"/v2/helloworld/{evil}/manifests/x").status in {400, 404}
    text = server.ended()
    found = [line for line in text.splitlines() if "event=request" in line]
    assert all(line.startswith("timestamp=20") and " level=info event=request " in line for line in found)
    assert "\x1b" not in text
    assert len([line for line in found if "route=manifest" in line]) == 2


@given(st.dictionaries(st.from_regex("[a-z]{1,8}", fullmatch=True), st.text() | st.integers() | st.none()))
def test_an_event_is_one_line_whatever_it_holds(event: dict[str, Any]) -> None:
    for form in ("text", "json"):
        log.configure("info", form)
        found: Any = dict(event)
        for processor in structlog.get_config()["processors"][-2:]:
            found = processor(None, "info", found)
        assert len(found.splitlines()) <= 1
        assert found.isprintable() or found == ""
    structlog.reset_defaults()


def test_what_is_long_is_cut() -> None:
    assert log.plain_values(None, "", {"who": "x" * 5000})["who"] == "x" * log.MOST + "..."
