"""One hub, asked in two ways: in this process, where its steps can be watched, and over HTTP, where it can die."""

import base64
import contextlib
import http.client
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from entrepot import config
from entrepot.cli.moving import move
from entrepot.client.actions import ActionsClient
from entrepot.ops import collect, dispatch, exports, imports, janitor, people
from entrepot.ops.context import Ctx
from entrepot.store import layout_read, layout_write
from tests.backup.kit import BackupFolder, Restored, back_up, bring_back, verified
from tests.conftest import Reply, TestHub, free_port, serve

SETTINGS = {
    "row_bytes": 1000, "grace_seconds": 4 * 86_400, "project_buckets": 0, "outbound_networks": "127.0.0.0/8",
    "event_days": 1000,
}  # fmt: skip
"""Blobs of more than a thousand bytes are files. What is three days old may wait, but HEAD renews its lease."""
KILLED = (OSError, http.client.HTTPException)
"""What a client sees of a server that dies."""


EXPORTED = "depot"
"""The bucket that is exported, and imported into."""


def is_open(data: Path) -> bool:
    """Whether a hub that came into a folder may be served."""
    return (data / "hub.key").exists() and not (data / "restoring.json").exists()


class Beside:
    """What is made of a hub beside its folder: backups, a hub brought back, a hub that moved, a layout."""

    def __init__(self, data: Path) -> None:
        self.target, self.restored = data.with_name("backups"), data.with_name("restored")
        self.layout, self.moved = data.with_name("layout"), data.with_name("moved")

    @property
    def is_restored(self) -> bool:
        """Whether the hub that was brought back is open."""
        return is_open(self.restored)

    def generations(self) -> list[str]:
        """The backups that have a name; each must be whole, whatever was killed."""
        assert not (self.target / "about.json").exists() or verified(self.target) == []
        return BackupFolder(self.target).generations()


class Door(Protocol):
    """How a client asks; the rest is what the hub does by itself, or an operator with its folder."""

    @property
    def hub(self) -> TestHub: ...

    @property
    def beside(self) -> Beside: ...

    def ask(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply: ...

    def call(self, action: str, **params: Any) -> dict[str, Any]: ...

    def collect(self) -> None: ...

    def expire(self) -> None: ...

    def tell(self) -> None: ...

    def back_up(self) -> None: ...

    def bring_back(self) -> None: ...

    def move(self) -> None: ...

    def stay(self) -> None: ...

    def export(self) -> None: ...

    def load(self) -> None: ...


class InProcess:
    """The app called in process."""

    def __init__(self, hub: TestHub) -> None:
        self.hub = hub
        self.beside = Beside(hub.settings.data_dir)

    def ask(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        return self.hub.request(method, path, body=body, headers=headers, login=self.hub.main)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.hub.call(action, **params)

    def collect(self) -> None:
        self.hub.run(collect.collect(self.hub.hub))

    def expire(self) -> None:
        self.hub.run(janitor.drop_idle_uploads(self.hub.hub))
        self.hub.run(janitor.drop_orphan_uploads(self.hub.hub))

    def tell(self) -> None:
        """One step of who files events, and one of who sends them."""
        self.hub.run(dispatch.step(self.hub.hub))
        self.hub.run(self.hub.hub.sender.send_due())

    def back_up(self) -> None:
        self.hub.run(back_up(self.hub.hub, self.beside.target, keep=1))

    def bring_back(self) -> None:
        self.hub.run(bring_back(self.beside.target, self.beside.restored))

    def move(self) -> None:
        target = config.load(environ={}, data=str(self.beside.moved))
        done = self.hub.run(move(self.hub.hub, target, switch=True, accept_losses=False, progress=lambda *_: None))
        assert done[2], done

    def stay(self) -> None:
        self.hub.run(self.hub.hub.db.set_read_only(False))

    def export(self) -> None:
        with layout_write.opened(self.beside.layout, EXPORTED) as writer:
            self.hub.run(exports.export(self.hub.hub, EXPORTED, None, writer, lambda *_: None))

    def load(self) -> None:
        async def work() -> None:
            ctx = Ctx(self.hub.hub, await people.operator(self.hub.hub, None), "operator")
            with layout_read.opened(self.beside.layout) as layout:
                await imports.load(ctx, EXPORTED, None, layout, lambda *_: None)

        self.hub.run(work())


WAITING = (
    "SELECT (SELECT COUNT(*) FROM event WHERE is_filed = 0)"
    " + (SELECT COUNT(*) FROM webhook_delivery WHERE state = 'Waiting')"
    " + (SELECT COUNT(*) FROM webhook WHERE due_at > 0)"
    " + (SELECT COUNT(*) FROM flow_firing WHERE state = 'Waiting')"
)


class Processes:
    """Real processes on the data folder of a hub that is closed; ``path``: the failpoints after which one dies."""

    def __init__(self, hub: TestHub, path: str = "") -> None:
        self.hub = hub
        self.data = hub.settings.data_dir
        self.beside = Beside(self.data)
        self.keys = (hub.public_key, hub.private_key)
        self.headers = {"Authorization": "Basic " + base64.b64encode(":".join(hub.main).encode()).decode()}
        self.given = {name: str(value) for name, value in SETTINGS.items()}
        self.given |= {name: getattr(hub.settings, name) for name in ("blobs_url", "s3_endpoint", "s3_region")}
        if path:
            self.given |= {"failpoint": path, "crash_test": "1"}
        self.server: subprocess.Popen[bytes] | None = None
        self.port = 0

    def start(self) -> None:
        self.port = free_port()
        self.server = serve(self.data, self.port, **self.given)

    def kill(self) -> None:
        if self.server is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()

    def has_died(self) -> bool:
        """Whether a failpoint killed the server."""
        return self.server is None or self.server.wait(10) == -signal.SIGKILL

    def ask(self, method: str, path: str, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Reply:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            length = {"Content-Length": str(len(body))}
            client.request(method, path, body or None, {**self.headers, **length, **(headers or {})})
            got = client.getresponse()
            return Reply(got.status, {name.lower(): value for name, value in got.getheaders()}, got.read())
        finally:
            client.close()

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        form = ActionsClient("", *self.keys).signed(action, **params)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer: dict[str, Any] = self.ask("POST", "/", body=urlencode(form).encode(), headers=kind).json
        return answer

    def collect(self) -> None:
        """``entrepot gc``. Raises ConnectionError when a failpoint kills it."""
        self.run("gc", "--data", str(self.data))

    def expire(self) -> None:
        """A server ends idle uploads as soon as it is there; bytes that a kill left of one wait for their day.

        Raises ConnectionError when a failpoint kills it.
        """
        self._serve_until("SELECT COUNT(*) FROM upload WHERE received >= 0")

    def tell(self) -> None:
        """A server tells who listens. Raises ConnectionError when a failpoint kills it."""
        self._serve_until(WAITING)

    def _serve_until(self, left: str) -> None:
        """Serve until a count is zero, or a failpoint kills."""
        try:
            process = serve(self.data, free_port(), **self.given)
        except AssertionError as fault:
            raise ConnectionError(str(fault)) from fault
        with contextlib.closing(sqlite3.connect(self.data / "hub.db")) as rows:

            def is_busy() -> bool:
                return "failpoint" in self.given or rows.execute(left).fetchone() != (0,)

            until = time.monotonic() + 60
            while process.poll() is None and is_busy() and time.monotonic() < until:
                time.sleep(0.02)
            process.terminate()
            if process.wait(30) == -signal.SIGKILL:
                raise ConnectionError("killed")
            assert not is_busy()

    def back_up(self) -> None:
        self.run("backup", str(self.data), str(self.beside.target), "--keep", "1")

    def bring_back(self) -> None:
        if not self.beside.is_restored:
            self.run("restore", str(self.beside.target), str(self.beside.restored))

    def move(self) -> None:
        if not is_open(self.beside.moved):
            file = self.beside.moved.with_suffix(".toml")
            file.touch()
            self.run("migrate-data", str(self.data), str(self.beside.moved), "--to", str(file), "--switch")

    def stay(self) -> None:
        self.run("migrate-data", str(self.data), "--undo")

    def export(self) -> None:
        self.run("export", str(self.data), EXPORTED, str(self.beside.layout))

    def load(self) -> None:
        self.run("import", str(self.data), EXPORTED, str(self.beside.layout))

    def run(self, *words: str) -> str:
        """A command of ``entrepot``, to its end; what it printed. Raises ConnectionError when it was killed."""
        environ = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")}
        environ |= {f"ENTREPOT_{name.upper()}": value for name, value in self.given.items()}
        command = [sys.executable, "-m", "entrepot.cli.main", *words]
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=120, check=False)
        if done.returncode == -signal.SIGKILL:
            raise ConnectionError(done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@contextlib.contextmanager
def arrived(door: Door, data: Path) -> Iterator[InProcess]:
    """The hub that was restored or moved beside another one, with the same people."""
    hub = Restored(door.hub.loop, data, door.hub)
    try:
        yield InProcess(hub)
    finally:
        hub.close()
