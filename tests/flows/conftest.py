"""A hub whose workflow engine is at work, and a server of the world that its steps call."""

import asyncio
import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Loop, TestHub


class World(ThreadingHTTPServer):
    """Answers {"n": how often it was called, "got": the body}; ``say`` gives other answers by path."""

    daemon_threads = True

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.calls: list[tuple[str, str, dict[str, str], bytes]] = []
        self.say: dict[str, Any] = {}
        super().__init__((host, 0), _Handler)

    @property
    def url(self) -> str:
        return f"http://{self.server_address[0]}:{self.server_address[1]}"

    def paths(self) -> list[str]:
        return [call[1] for call in self.calls]


class _Handler(BaseHTTPRequestHandler):
    server: World

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.calls.append((self.command, self.path, dict(self.headers.items()), body))
        answer = self.server.say.get(self.path)
        if callable(answer):
            answer = answer()
        if not isinstance(answer, tuple):  # it only waited
            answer = None
        status, headers, content = answer or (200, {}, json.dumps({"n": len(self.server.calls)}).encode())
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST  # noqa: N815 - the base class looks for this name

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def world() -> Iterator[World]:
    server = World()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


class Flows:
    """A namespace of a hub, and short ways to save and run workflows in it."""

    def __init__(self, hub: TestHub) -> None:
        self.hub = hub
        self.namespace = self.ok("CreateSFNamespace", Namespace="test")["NamespaceId"]
        self.engine: Any = None

    def ok(self, action: str, **params: Any) -> dict[str, Any]:
        answer = self.hub.call(action, **params)
        assert answer["RetCode"] == 0, answer
        return answer

    def start(self) -> None:
        async def begin() -> Any:
            return asyncio.create_task(self.hub.hub.engine.run())

        self.engine = self.hub.run(begin())

    def stop(self) -> None:
        async def end() -> None:
            self.engine.cancel()
            await asyncio.gather(self.engine, return_exceptions=True)

        if self.engine is not None:
            self.hub.run(end())
        self.engine = None

    def save(self, value: dict[str, Any], name: str = "flow") -> str:
        text = base64.b64encode(json.dumps(value).encode()).decode()
        self.ok(
            "CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=self.namespace, WorkflowName=name, Workflow=text
        )
        self.ok("PublishSFWorkflow", WorkflowId=f"{self.namespace}.{name}")
        return f"{self.namespace}.{name}"

    def ask(self, value: dict[str, Any], **given: Any) -> str:
        asked = self.ok("RunSFWorkflow", WorkflowId=self.save(value), Input=json.dumps(given))
        return str(asked["InstanceId"])

    def run(self, value: dict[str, Any], **given: Any) -> dict[str, Any]:
        return self.ended(self.ask(value, **given))

    def ended(self, instance_id: str) -> dict[str, Any]:
        return self.until(instance_id, lambda found: found["Instance"]["EndTime"])

    def until(self, instance_id: str, is_there: Any) -> dict[str, Any]:
        for _ in range(1000):
            found = self.ok("GetSFInstance", InstanceId=instance_id)
            if is_there(found):
                return found
            time.sleep(0.03)
        raise AssertionError(found)


@pytest.fixture
def flows(loop: Loop, tmp_path: Path) -> Iterator[Flows]:
    hub = TestHub(loop, tmp_path / "data", outbound_networks="127.0.0.0/8")
    made = Flows(hub)
    made.start()
    yield made
    made.stop()
    hub.close()
