"""The classes of test_hostile.py that need a real server: bytes that no client library would send."""

import base64
import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import entrepot, free_port, serve
from tests.registry.kit import OCI_MANIFEST

MAIN = ("main@example.com", "correct-horse-battery")
APP = "wire-depot/app"
IDLE = 2


@dataclass
class Server:
    """A server that gives up silent clients soon."""

    port: int
    data: Path
    public_key: str
    private_key: str

    def connect(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return made

    def raw(self, sent: bytes) -> bytes:
        """All that comes back until the server closes."""
        with self.connect() as connection:
            # A server that has refused already may have closed its end.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(sent)
            return drained(connection)

    def status(self, sent: bytes) -> int:
        return code(self.raw(sent))

    def log(self) -> str:
        return (self.data.parent / f"serve-{self.port}.log").read_text()


def drained(connection: socket.socket) -> bytes:
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65_536):
            got += piece
    return got


def code(answer: bytes) -> int:
    """The status of the first answer; 0 where there is none."""
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0


def head(method: str, target: str | bytes, *headers: str, login: tuple[str, str] | None = MAIN) -> bytes:
    path = target if isinstance(target, bytes) else target.encode()
    lines = [f"{method} ".encode() + path + b" HTTP/1.1", b"Host: hub.test", b"Connection: close"]
    if login:
        lines.append(b"Authorization: Basic " + base64.b64encode(":".join(login).encode()))
    return b"\r\n".join([*lines, *(one.encode("latin-1") for one in headers)]) + b"\r\n\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("wire") / "data"
    made = entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1], "--json")
    secrets = json.loads(made.stdout)
    assert entrepot("bucket", "create", "wire-depot", "--data", str(data)).returncode == 0
    port = free_port()
    process = serve(data, port, log_level="debug", idle_seconds=str(IDLE))
    yield Server(port, data, secrets["PublicKey"], secrets["PrivateKey"])
    process.terminate()
    assert process.wait(30) == 0


@pytest.fixture(autouse=True)
def _still_well(server: Server) -> Iterator[None]:
    """After each attack the server answers, and made no file that it should not have."""
    yield
    assert server.status(head("GET", "/v2/")) == 200
    assert {one.name.partition(".")[0] for one in server.data.iterdir()} <= {"hub", "blobs", "uploads"}


TARGETS = [
    b"/v2/../../../etc/passwd", b"/v2/%2e%2e/%2e%2e/%2e%2e/etc/passwd", b"/v2/..%2f..%2fhub.key/manifests/v1",
    b"/v2/..%252f..%252fhub.key/manifests/v1", b"/v2/..\\..\\hub.key/blobs/x", b"/v2/%5c..%5chub.key/tags/list",
    b"/v2//etc/passwd", b"//etc/passwd", b"/v2/wire-depot/app/blobs/uploads/../../../../hub.key",
    b"/v2/wire-depot/app/blobs/uploads/..%2f..%2fhub.key", b"/v2/wire-depot/app/manifests/v1%00.json",
    b"/v2/wire-depot/app/manifests/\xff\xfe", b"/v2/wire-depot/%c0%ae%c0%ae/tags/list", b"/console/../hub.key",
    b"/console/%2e%2e/hub.key", b"/console/..%2fhub.key", b"/hub.key", b"/hub.db", b"/%2e%2e/hub.key",
    b"http://127.0.0.1/v2/../hub.key", b"http://169.254.169.254/latest/meta-data", b"file:///etc/passwd", b"*",
    b"/v2/wire-depot/app/tags/list?n=1#/../hub.key", b"/v2/wire-depot/app/tags/list;/../hub.key",
]  # fmt: skip


@pytest.mark.parametrize("target", TARGETS)
def test_class_14_paths_as_they_come(server: Server, target: bytes) -> None:
    key = (server.data / "hub.key").read_bytes()
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = server.raw(head(method, target, "Content-Length: 1") + b"x")
        assert code(answer) in {0, 302, 400, 404, 405}, answer[:200]
        assert key not in answer
        assert b"root:x:" not in answer
        assert b"SQLite format" not in answer


@pytest.mark.parametrize(
    "extra",
    ["A: " + "x" * 2_000_000, "\r\n".join(f"X-{place}: y" for place in range(20_000)), "Cookie: " + "a=b; " * 300_000],
)
def test_class_15_headers_without_measure(server: Server, extra: str) -> None:
    assert server.status(head("GET", "/v2/", extra)) in {0, 400, 413, 431}


def test_class_15_a_line_without_end(server: Server) -> None:
    assert server.status(b"GET /v2/" + b"a" * 3_000_000) in {0, 400, 404, 414, 431}
    assert server.status(head("GET", "/v2/_catalog?last=" + "a" * 60_000)) in {200, 400, 414, 431}


def test_class_15_many_that_begin_and_never_go_on(server: Server) -> None:
    """Half a request each: the others are served all the same."""
    with contextlib.ExitStack() as stack:
        for place in range(200):
            one = stack.enter_context(server.connect())
            one.sendall([b"GET /v2/ HT", head("GET", "/v2/")[:-2], b"\x16\x03\x01", b"PRI * HTTP/2"][place % 4])
        for _ in range(20):
            assert server.status(head("GET", "/v2/")) == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/token", 408), ("POST", "/", 200), ("POST", "/api", 200), ("PUT", f"/v2/{APP}/manifests/v1", 408)],
)
@pytest.mark.parametrize("framing", ["Content-Length: 50", "Transfer-Encoding: chunked"])
def test_class_15_a_body_that_stops(server: Server, method: str, path: str, status: int, framing: str) -> None:
    """Also from nobody: whoever holds a connection so is let go of."""
    begun = b"Action=x" if "Length" in framing else b"8\r\nAction=x\r\n"
    with server.connect() as connection:
        connection.sendall(head(method, path, framing, f"Content-Type: {OCI_MANIFEST}") + begun)
        answer = drained(connection)
    assert code(answer) == status
    assert status == 408 or b'"RetCode":241' in answer


def test_class_15_lengths_that_lie(server: Server) -> None:
    put = f"/v2/{APP}/manifests/v1"
    kind = f"Content-Type: {OCI_MANIFEST}"
    for sent in (
        head("PUT", put, kind, "Content-Length: 100") + b"{}",  # and then the end
        head("PUT", put, kind, "Content-Length: -1") + b"{}",
        head("PUT", put, kind, "Content-Length: 99999999999999999999") + b"{}",
        head("PUT", put, kind, "Content-Length: 2", "Content-Length: 40") + b"{}",
        head("PUT", put, kind, "Content-Length: 2, 40") + b"{}",
        head("PUT", put, kind, "Content-Length: +2") + b"{}",
        head("PUT", put, kind, "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
        head("PUT", put, kind, "Transfer-Encoding: chunked") + b"ffffffffffffffffff\r\n{}\r\n",
        head("PUT", put, kind, "Transfer-Encoding: chunked") + b"-2\r\n{}\r\n0\r\n\r\n",
        head("PUT", put, kind, "Transfer-Encoding: xchunked") + b"2\r\n{}\r\n0\r\n\r\n",
        head("PUT", put, kind, "Transfer-Encoding: gzip, chunked", "Content-Length: 2") + b"{}",
        head("PUT", put, kind, "Expect: 200-maybe", "Content-Length: 2") + b"{}",
    ):
        assert server.status(sent) in {0, 400, 408, 411, 413, 417, 501}, sent[-90:]
    assert server.status(head("GET", put)) == 404
    assert server.status(head("POST", "/", "Transfer-Encoding: chunked") + b"zz\r\n") == 200, "a refusal of the API"
    # Of a body that goes on for ever, no more is taken than it may hold.
    for path, refusal in (("/token", 413), (put, 413), ("/", 200)):
        with server.connect() as connection:
            connection.sendall(head("POST" if path != put else "PUT", path, kind, "Transfer-Encoding: chunked"))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                for _ in range(2000):
                    connection.sendall(b"10000\r\n" + bytes(65_536) + b"\r\n")
            with contextlib.suppress(ConnectionResetError):
                answer = connection.recv(65_536)
                assert code(answer) in {0, refusal}, answer


def test_class_15_two_requests_in_one(server: Server) -> None:
    """What hides behind a body that two servers would end in two places is never taken for a request of its own."""
    hidden = head("DELETE", f"/v2/{APP}/manifests/v1", login=None)
    for framing in (
        "Transfer-Encoding: chunked\r\nContent-Length: 5",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding : chunked\r\nContent-Length: 5",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\nContent-Length: 5",
        "Content-Length: 5\r\nContent-Length: 6",
        "Content-Length: 5\r\n Transfer-Encoding: chunked",
    ):
        sent = head("POST", "/token", framing).replace(b"Connection: close", b"Connection: keep-alive")
        answer = server.raw(sent + b"0\r\n\r\n" + hidden)
        # The first is refused, or ends where chunks end; then what follows is the client's own next request.
        assert answer.count(b"HTTP/1.1 ") <= 2
        assert b" 202 " not in answer
        assert code(answer) in {0, 400, 413}, (framing, answer[:100])


@pytest.mark.slow
def test_class_15_headers_letter_by_letter(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: hub")
        assert code(drained(connection)) in {0, 408}, "the server closes it, after half a minute"


def test_class_15_an_upload_that_stops_goes_on_later(server: Server) -> None:
    started = server.raw(head("POST", f"/v2/{APP}/blobs/uploads/", "Content-Length: 0"))
    place = next(line for line in started.split(b"\r\n") if line.lower().startswith(b"location: ")).split(b" ")[1]
    with server.connect() as connection:
        connection.sendall(head("PATCH", place, "Content-Length: 1000000") + os.urandom(200_000))
        assert code(drained(connection)) == 408
    answer = server.raw(head("GET", place))
    assert b"range: 0-199999" in answer.lower()
    assert server.status(head("DELETE", place)) == 204


def test_class_28_the_log_keeps_no_secret(server: Server) -> None:
    """At its most talkative, after logins right and wrong, calls and faults."""
    created = entrepot("bucket", "robot", "create", "wire-depot", "ci", "--data", str(server.data), "--json")
    robot = json.loads(created.stdout)
    wrong = "telling-but-wrong"
    for name, secret in (
        MAIN, (robot["LoginName"], robot["Secret"]), (server.public_key, server.private_key), (MAIN[0], wrong),
    ):  # fmt: skip
        form = f"grant_type=password&username={name}&password={secret}".replace("+", "%2B").replace("$", "%24").encode()
        assert server.status(head("GET", "/token", login=(name, secret))) in {200, 401}
        assert server.status(head("POST", "/token", f"Content-Length: {len(form)}", login=None) + form) in {200, 401}
        assert server.status(head("GET", "/v2/no", login=(name, secret))) == 404
        for query in (f"/?Action=GetRegion&PublicKey={name}&Signature={secret}", f"/?Action=X&Password={secret}"):
            assert server.status(head("GET", query.replace("$", "%24"), login=None)) == 200
    token = json.loads(server.raw(head("GET", "/token")).partition(b"\r\n\r\n")[2])["token"]
    bearer = head("GET", "/v2/_catalog", f"Authorization: Bearer {token}", login=None)
    assert server.status(bearer) == 401
    text = server.log()
    assert "action=GetRegion" in text
    for secret in (MAIN[1], robot["Secret"], server.private_key, wrong, token):
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode().rstrip("=") not in text
