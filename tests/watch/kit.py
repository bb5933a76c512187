"""A hub in a folder of its own, and reading its metrics as Prometheus does."""

import base64
import http.client
import socket
import ssl
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import TestHub, entrepot, free_port
from tests.registry.kit import digest

LOGIN = ("main@example.com", "correct horse")
BASIC = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()
BODY = b"z" * 300_000


def hub_in(folder: Path) -> tuple[Path, int]:
    """A data folder with a public bucket, helloworld, and a port to serve it on."""
    data = folder / "data"
    made = entrepot("init", "--data", str(data), "--email", LOGIN[0], "--password", LOGIN[1])
    assert made.returncode == 0, made.stderr
    made = entrepot("bucket", "create", "helloworld", "--data", str(data), "--public")
    assert made.returncode == 0, made.stderr
    return data, free_port()


class Numbers:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.samples: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
        for family in text_string_to_metric_families(text):
            for one in family.samples:
                key = (one.name, tuple(sorted(one.labels.items())))
                assert key not in self.samples, key
                self.samples[key] = one.value

    def __call__(self, name: str, **labels: str) -> float:
        """The sum over all samples of a name that have these labels; 0 without any."""
        wanted = set(labels.items())
        return sum(value for (found, has), value in self.samples.items() if found == name and wanted <= set(has))

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}


def scrape(hub: TestHub, headers: Mapping[str, str] | None = None) -> Numbers:
    reply = hub.request("GET", "/metrics", headers=dict(headers or {}))
    assert reply.status == 200, reply.body
    return Numbers(reply.body.decode())


def fetch(url: str) -> Numbers:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{url}/metrics", timeout=10) as reply:
        return Numbers(reply.read().decode())


def ask(port: int, path: str) -> int:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    status = connection.getresponse().status
    connection.close()
    return status


class Upload:
    """Half a blob, on its way."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None, traceparent: str = "") -> None:
        plain = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket = tls.wrap_socket(plain) if tls else plain
        path = f"/v2/helloworld/app/blobs/uploads/?digest={digest(BODY)}"
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {BASIC}\r\ncontent-length: {len(BODY)}\r\n"
        head += f"traceparent: {traceparent}\r\n\r\n" if traceparent else "\r\n"
        self.socket.sendall(head.encode() + BODY[: len(BODY) // 2])

    def end(self) -> bytes:
        """Send the rest; the answer's first line."""
        self.socket.sendall(BODY[len(BODY) // 2 :])
        answer = http.client.HTTPResponse(self.socket)
        answer.begin()
        answer.read()
        self.socket.close()
        return str(answer.status).encode()


def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def answers(port: int) -> bool:
    """Whether a server on this port is ready."""
    try:
        return ask(port, "/readyz") == 200
    except OSError:
        return False
