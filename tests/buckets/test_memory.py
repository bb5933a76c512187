"""Memory stays flat while many uploads go to a bucket at once: parts wait on the disk."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import s3
from tests.clients.conftest import MAIN, make_bucket
from tests.clients.pushing import Pusher
from tests.clients.test_big import MIB, noise, peak
from tests.conftest import Live, entrepot, free_port, in_environment, serve

pytestmark = [pytest.mark.slow]
UPLOADS, SIZE = 32, 40 * MIB
LIMIT = 250 * MIB


@pytest.fixture
def fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    """A server of its own, so that its peak is this test's peak."""
    data = tmp_path / "data"
    settings = s3.settings_of(data)
    for name, value in in_environment(settings).items():
        monkeypatch.setenv(name, value)
    entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1])
    port = free_port()
    process = serve(data, port, **settings)
    yield Live(f"http://127.0.0.1:{port}", port, data, *MAIN, "", "", "", process)
    process.terminate()
    assert process.wait(30) == 0


def test_32_uploads_at_once(fresh: Live) -> None:
    make_bucket(fresh, "many-uploads")
    failed: list[str] = []

    def push(place: int) -> None:
        sent = hashlib.sha256()

        def body() -> Iterator[bytes]:
            for piece in noise(SIZE, place):
                sent.update(piece)
                yield piece

        try:
            with Pusher(fresh.port, MAIN) as hub:
                session = hub.start("many-uploads/app")
                assert hub.ask("PATCH", session, body=body()).status == 202
                name = f"sha256:{sent.hexdigest()}"
                done = hub.ask("PUT", f"{session}?digest={name}", headers={"Content-Length": "0"})
                assert done.status == 201, done.body
        except (AssertionError, OSError) as fault:
            failed.append(f"{place}: {fault!r}")

    threads = [threading.Thread(target=push, args=(place,)) for place in range(UPLOADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert peak(fresh) < LIMIT, f"peak {peak(fresh) / MIB:.0f} MiB"
