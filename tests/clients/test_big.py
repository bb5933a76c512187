"""Big layers, many pushes at once, slow readers: the server's memory stays flat."""

import hashlib
import http.client
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN, make_bucket
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live, entrepot, free_port, serve

pytestmark = [pytest.mark.slow]
MIB = 1024 * 1024
LIMIT = 200 * MIB


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Live]:
    """A server of its own, so that its peak is this test's peak."""
    data = tmp_path / "data"
    entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1])
    port = free_port()
    process = serve(data, port)
    yield Live(f"http://127.0.0.1:{port}", port, data, *MAIN, "", "", "", process)
    process.terminate()
    assert process.wait(30) == 0


def peak(live: Live, field: str = "VmHWM") -> int:
    """Resident memory of the server in bytes: its peak, or what it is now (VmRSS)."""
    for line in Path(f"/proc/{live.process.pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    raise AssertionError("no such process")


def noise(size: int, seed: int) -> Iterator[bytes]:
    """Bytes that do not compress, the same for a seed, a MiB at a time."""
    source = random.Random(seed)
    for start in range(0, size, MIB):
        yield source.randbytes(min(MIB, size - start))


def test_a_layer_of_two_gib_goes_in_and_out_under_200_mib(fresh: Live) -> None:
    make_bucket(fresh, "big-layer")
    size, sent = 2048 * MIB, hashlib.sha256()

    def body() -> Iterator[bytes]:
        for piece in noise(size, 1):
            sent.update(piece)
            yield piece

    with Pusher(fresh.port, MAIN) as hub:
        place = hub.start("big-layer/app")
        assert hub.ask("PATCH", place, body=body()).status == 202
        name = f"sha256:{sent.hexdigest()}"
        assert hub.ask("PUT", f"{place}?digest={name}", headers={"Content-Length": "0"}).status == 201
        got = hashlib.sha256()
        reply = hub.open("GET", f"/v2/big-layer/app/blobs/{name}")
        assert reply.getheader("content-length") == str(size)
        while piece := reply.read(MIB):
            got.update(piece)
    assert got.hexdigest() == sent.hexdigest()
    assert peak(fresh) < LIMIT, f"peak {peak(fresh) / MIB:.0f} MiB"


def test_64_pushes_at_once(fresh: Live) -> None:
    make_bucket(fresh, "many-pushes")
    failed: list[str] = []

    def push(place: int) -> None:
        try:
            with Pusher(fresh.port, MAIN) as hub:
                layer = random.Random(place).randbytes(4 * MIB)
                name, content = push_image(hub, f"many-pushes/app{place % 8}", f"v{place}", layer)
                assert hub.ask("GET", f"/v2/many-pushes/app{place % 8}/manifests/{name}").body == content
        except (AssertionError, OSError) as fault:
            failed.append(f"{place}: {fault!r}")

    threads = [threading.Thread(target=push, args=(place,)) for place in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert peak(fresh) < LIMIT, f"peak {peak(fresh) / MIB:.0f} MiB"


def test_slow_readers_do_not_grow_memory(fresh: Live) -> None:
    make_bucket(fresh, "slow-reader")
    content = os.urandom(100 * MIB)
    with Pusher(fresh.port, MAIN) as hub:
        name = hub.blob("slow-reader/app", content)
        before = peak(fresh, "VmRSS")
        clients = []
        for headers in ({}, {"Range": "bytes=1-"}, {}, {"Range": "bytes=5-"}):
            client = http.client.HTTPConnection("127.0.0.1", fresh.port, timeout=60)
            client.request("GET", f"/v2/slow-reader/app/blobs/{name}", headers={**hub.headers, **headers})
            clients.append((client, client.getresponse()))
        for _ in range(20):
            for _, reply in clients:
                assert reply.read(1000)
            time.sleep(0.1)
        grown = peak(fresh, "VmRSS") - before
        for client, reply in clients:
            reply.close()
            client.close()
    assert grown < 32 * MIB, f"grew {grown / MIB:.0f} MiB"
