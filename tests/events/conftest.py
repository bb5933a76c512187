"""A hub whose dispatcher, sender and workflow engine are at work, and receivers of the world."""

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.ops import dispatch
from tests.conftest import Loop, TestHub
from tests.flows.conftest import Flows, world

__all__ = ["world"]
LOCAL = "127.0.0.0/8"


class Busy(Flows):
    """A hub with all its chores about events; ``hooks`` are made and waited for in a few words."""

    def __init__(self, hub: TestHub) -> None:
        super().__init__(hub)
        self.chores: list[asyncio.Task[None]] = []

    def start(self) -> None:
        async def begin() -> list[asyncio.Task[None]]:
            hub = self.hub.hub
            return [asyncio.create_task(one) for one in (hub.engine.run(), hub.sender.run(), dispatch.run(hub))]

        self.chores = self.hub.run(begin())

    def stop(self) -> None:
        async def end() -> None:
            for one in self.chores:
                one.cancel()
            await asyncio.gather(*self.chores, return_exceptions=True)

        self.hub.run(end())
        self.chores = []

    def hook(self, bucket: str, url: str, **more: Any) -> str:
        return str(self.ok("CreateBucketWebhook", BucketName=bucket, Url=url, **more)["WebhookId"])

    def deliveries(self, bucket: str, hook: str, **more: Any) -> list[dict[str, Any]]:
        listed = self.ok("ListWebhookDeliveries", BucketName=bucket, WebhookId=hook, Limit=1000, **more)
        return list(listed["DeliverySet"])

    def events(self, bucket: str, **more: Any) -> list[dict[str, Any]]:
        return list(self.ok("ListEvents", BucketName=bucket, Limit=1000, **more)["EventSet"])

    def later(self, seconds: float) -> None:
        """The clock goes on, and who sleeps until then wakes up."""
        now = self.hub.hub.clock
        self.hub.hub.clock = lambda: now() + seconds
        self.hub.hub.sender.wake()
        self.hub.hub.told.set()


def wait_for(is_there: Callable[[], Any], seconds: float = 20) -> Any:
    until = time.monotonic() + seconds
    while not (found := is_there()):
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.02)
    return found


@pytest.fixture
def busy(loop: Loop, tmp_path: Path) -> Iterator[Busy]:
    hub = TestHub(loop, tmp_path / "data", outbound_networks=LOCAL)
    made = Busy(hub)
    hub.bucket("depot")
    made.start()
    yield made
    made.stop()
    hub.close()


class Rude(threading.Thread):
    """A receiver that takes connections and then does what it was made with."""

    def __init__(self, does: Callable[[socket.socket], None]) -> None:
        super().__init__(daemon=True)
        self._does = does
        self._server = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.met = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.getsockname()[1]}/"

    def run(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            self.met += 1
            self._open.append(client)
            client.settimeout(5)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            self._does(client)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        for client in self._open:
            client.close()
        self.join(5)
