"""/metrics: right over several processes, readable by whom it is for, bounded in labels and in what a scrape costs."""

import os
import re
import signal
import time
from pathlib import Path

import pytest

from entrepot import tally
from entrepot.config import load
from entrepot.errors import HubError
from entrepot.store.sql import gauges
from entrepot.tally import Tally
from tests.conftest import Loop, TestHub, entrepot, free_port, serve, workers_of
from tests.failures.test_database import spoil
from tests.registry.kit import digest
from tests.watch.kit import ask, fetch, scrape

BODY = b"x" * 200_000


def pushed(hub: TestHub, bucket: str = "helloworld") -> str:
    """A blob in a public bucket; its path."""
    hub.bucket(bucket, is_public=True)
    name = digest(BODY)
    reply = hub.request("POST", f"/v2/{bucket}/app/blobs/uploads/?digest={name}", body=BODY, login=hub.main)
    assert reply.status == 201, reply.body
    return f"/v2/{bucket}/app/blobs/{name}"


def test_requests_bytes_and_calls_are_counted(hub: TestHub) -> None:
    path = pushed(hub)
    assert hub.request("GET", path).status == 200
    assert hub.request("GET", path, headers={"range": "bytes=0-99"}).status == 206
    assert hub.request("HEAD", path).status == 200
    assert hub.request("GET", "/v2/helloworld/app/manifests/none").status == 404
    hub.call("GetImageBucketList", Region="cn-bj2")
    hub.call("GetImageBucketList", Region="nowhere")
    hub.request("GET", "/console/login")
    found = scrape(hub)
    requests = "entrepot_requests_total"
    assert found(requests, door="registry", route="upload", method="POST", status="2xx") == 1
    assert found(requests, door="registry", route="blob", method="GET", status="2xx") == 2
    assert found(requests, door="registry", route="blob", method="HEAD") == 1
    assert found(requests, door="registry", route="manifest", status="4xx") == 1
    assert found(requests, door="actions", route="call") == 2
    assert found(requests, door="console", route="page") == 1
    assert found("entrepot_request_seconds_count", route="blob") == 3
    assert found("entrepot_request_seconds_bucket", route="blob", le="+Inf") == 3
    assert found("entrepot_blob_bytes_in_total") == len(BODY)
    assert found("entrepot_blob_bytes_out_total") == len(BODY) + 100
    assert found("entrepot_calls_total", action="GetImageBucketList", result="ok") == 1
    assert found("entrepot_calls_total", action="GetImageBucketList", result="refused") == 1
    assert found("entrepot_database_writes_total") >= found("entrepot_database_commits_total") > 0


def test_nothing_of_a_request_becomes_a_label(hub: TestHub) -> None:
    for method, path in [
        ("GET", "/v2/secretbucket/secretimage/manifests/secrettag"),
        ("SECRETMETHOD", "/v2/secretbucket/secretimage/manifests/secrettag"),
        ("GET", "/v2/secretpath"),
        ("GET", "/?Action=SecretAction"),
        ("GET", "/secretpage"),
        ("GET", "/console/static/secretfile.js"),
        ("POST", "/namespace/secret/workflow/secret/version/0?token=secret"),
    ]:
        hub.request(method, path, headers={"host": "secret.example.com", "x-request-id": "secret"})
    found = scrape(hub)
    assert "secret" not in found.text.lower()
    assert found("entrepot_requests_total", method="other", route="manifest") == 1
    assert found("entrepot_requests_total", route="none") == 1
    assert found("entrepot_calls_total", action="unknown", result="refused") == 1
    assert all(re.fullmatch(r"entrepot_[a-z_]+", name) for name in found.names())


def test_a_scrape_is_one_statement(hub: TestHub) -> None:
    pushed(hub)
    scrape(hub)
    before = hub.queries()
    scrape(hub)
    assert hub.queries() - before == 1


def test_what_waits_is_told(hub: TestHub) -> None:
    pushed(hub)
    start = hub.request("POST", "/v2/helloworld/app/blobs/uploads/", login=hub.main)
    hub.request("PATCH", start.headers["location"], body=b"abc", login=hub.main)
    found = scrape(hub)
    assert found("entrepot_uploads_open") == 1
    assert found("entrepot_collect_waiting", kind="link") == 1
    assert found("entrepot_collect_late_seconds") == 0
    now = hub.hub.clock()
    hub.hub.clock = lambda: now + hub.settings.grace_seconds + 1000
    assert 990 < scrape(hub)("entrepot_collect_late_seconds") < 1010


def test_queues_are_not_counted_without_end(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed(hub)
    monkeypatch.setattr(gauges, "MOST", 1)
    for name in "ab":
        start = hub.request("POST", "/v2/helloworld/app/blobs/uploads/", login=hub.main)
        hub.request("PATCH", start.headers["location"], body=name.encode(), login=hub.main)
    assert scrape(hub)("entrepot_uploads_open") == 1


def test_who_may_read(loop: Loop, tmp_path: Path) -> None:
    def status(hub: TestHub, **headers: str) -> int:
        return hub.request("GET", "/metrics", headers={k.replace("_", "-"): v for k, v in headers.items()}).status

    open_ = TestHub(loop, tmp_path / "a", metrics_token="let me in")
    assert status(open_) == 200
    # A proxy on this machine that we were not told of brings the whole world along as 127.0.0.1.
    assert status(open_, x_forwarded_for="127.0.0.1") == 403
    assert status(open_, forwarded="for=127.0.0.1") == 403
    assert status(open_, x_forwarded_for="8.8.8.8", authorization="Bearer let me in") == 200
    assert status(open_, x_forwarded_for="8.8.8.8", authorization="Bearer let me") == 403
    open_.close()
    proxied = TestHub(loop, tmp_path / "b", trusted_proxies="127.0.0.9", metrics_networks="10.0.0.0/8")
    assert status(proxied) == 403
    assert status(proxied, x_forwarded_for="10.1.2.3") == 200
    assert status(proxied, x_forwarded_for="10.1.2.3, 8.8.8.8") == 403
    assert status(proxied, authorization="Bearer ") == 403
    assert proxied.request("POST", "/metrics").status == 405
    proxied.close()
    with pytest.raises(HubError, match="metrics_networks"):
        load(environ={}, metrics_networks="everywhere")


def test_metrics_outlive_a_table(hub: TestHub) -> None:
    assert scrape(hub)("entrepot_rows_reachable") == 1
    hub.close()
    spoil(hub.settings.data_dir, "dead_object")
    hub.open()
    found = scrape(hub)
    assert found("entrepot_rows_reachable") == 0
    assert found("entrepot_processes") == 1
    assert "entrepot_uploads_open" not in found.names()


def test_openmetrics_for_who_asks(hub: TestHub) -> None:
    reply = hub.request("GET", "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")


def test_a_place_is_handed_on_with_its_numbers() -> None:
    numbers = Tally(2)
    one = next(cell for cell in tally.CELLS if cell.name == "entrepot_blob_bytes_in")
    gauge = next(cell for cell in tally.CELLS if cell.name == "entrepot_password_checks")
    for _ in range(20):
        child = os.fork()
        if child == 0:
            numbers.join()
            numbers.add(one.place, 5)
            numbers.put(gauge.place, 7)
            os._exit(0)
        os.waitpid(child, 0)
    numbers.add(one.place)
    assert numbers.number(one) == 101
    assert numbers.number(gauge) == 0
    assert numbers.processes() == 1


def test_several_processes_are_one_number(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    made = entrepot("init", "--data", str(data))
    assert made.returncode == 0, made.stderr
    process = serve(data, port, "--workers", "2")
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(60):
            assert ask(port, "/v2/") == 401
        counts = {fetch(url)("entrepot_requests_total", route="base", status="4xx") for _ in range(20)}
        assert counts == {60}
        assert fetch(url)("entrepot_processes") == 2
        workers = workers_of(process.pid)
        os.kill(workers[0], signal.SIGKILL)
        end = time.monotonic() + 30
        while time.monotonic() < end and not _again_two(url, process.pid, workers[0]):
            time.sleep(0.05)
        found = fetch(url)
        assert found("entrepot_processes") == 2
        assert found("entrepot_requests_total", route="base", status="4xx") == 60
    finally:
        process.terminate()
        assert process.wait(30) == 0


def _again_two(url: str, supervisor: int, dead: int) -> bool:
    """Not before all threads of the dead one have ended: one may hold a connection that the system gave it."""
    workers = workers_of(supervisor)
    if dead in workers or len(workers) != 2:
        return False
    try:
        return fetch(url)("entrepot_processes") == 2
    except OSError:
        return False
