"""A stop cuts nobody off: not ready first, served meanwhile, then no new connections, then the end of what runs."""

import http.client
import socket
import threading
import time
from pathlib import Path

import pytest

from tests import stored
from tests.conftest import serve
from tests.registry.kit import digest
from tests.watch.kit import BODY, Upload, ask, hub_in, until


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("workers", ["1", "2"])
def test_what_was_begun_ends_well(tmp_path: Path, workers: str) -> None:
    data, port = hub_in(tmp_path)
    process = serve(data, port, "--workers", workers, drain_seconds="2", stop_seconds="20")
    upload = Upload(port)
    assert ask(port, "/readyz") == 200
    process.terminate()
    until(lambda: ask(port, "/readyz") == 503)
    assert ask(port, "/healthz") == 200
    assert ask(port, "/v2/") == 401  # whoever comes anyway is served
    until(lambda: refuses(port))
    assert process.poll() is None
    assert upload.end() == b"201"
    assert process.wait(20) == 0
    process = serve(data, port)
    assert ask(port, f"/v2/helloworld/app/blobs/{digest(BODY)}") == 200
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_second_signal_ends_the_pause(tmp_path: Path, workers: str) -> None:
    data, port = hub_in(tmp_path)
    process = serve(data, port, "--workers", workers, drain_seconds="600")
    process.terminate()
    until(lambda: ask(port, "/readyz") == 503)
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_who_never_ends_is_cut_off(tmp_path: Path, workers: str) -> None:
    stored.only_files()  # they show what has begun to arrive
    data, port = hub_in(tmp_path)
    process = serve(data, port, "--workers", workers, stop_seconds="1")
    upload = Upload(port)
    until(lambda: list((data / "uploads").iterdir()))
    process.terminate()
    assert process.wait(20) == 0
    upload.socket.close()
    process = serve(data, port)
    assert ask(port, "/readyz") == 200
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("workers", ["1", "2"])
def test_under_load_no_answer_is_cut_and_none_fails_before_the_pause_is_over(tmp_path: Path, workers: str) -> None:
    data, port = hub_in(tmp_path)
    pause = 1.0
    process = serve(data, port, "--workers", workers, drain_seconds=str(int(pause)), row_bytes="0")
    assert Upload(port).end() == b"201"
    done: list[int] = []
    failed: list[tuple[float, str]] = []

    def pull() -> None:
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            try:
                connection.request("GET", f"/v2/helloworld/app/blobs/{digest(BODY)}")
                answer = connection.getresponse()
            except OSError as fault:
                failed.append((time.monotonic(), type(fault).__name__))
                connection.close()
                return
            assert answer.read() == BODY  # http.client.IncompleteRead where an answer is cut
            connection.close()
            done.append(answer.status)

    threads = [threading.Thread(target=pull) for _ in range(6)]
    for thread in threads:
        thread.start()
    until(lambda: len(done) > 20)
    asked = time.monotonic()
    process.terminate()
    assert process.wait(30) == 0
    for thread in threads:
        thread.join(30)
    assert set(done) == {200}
    assert len(failed) == len(threads)
    assert min(at for at, _ in failed) > asked + pause
