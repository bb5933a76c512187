"""A hub in a folder of its own, and reading its metrics as Prometheus does."""

import base64
import http.client
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import TestHub, entrepot, free_port

LOGIN = ("main@example.com", "correct horse")
BASIC = "Basic " + base64.b64encode(":".join(LOGIN).encode()).decode()


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
