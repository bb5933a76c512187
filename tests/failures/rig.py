"""A real server on a disk that fails, and a ledger of what it acknowledged."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from entrepot.client.actions import ActionsClient
from tests.clients.pushing import Got, Pusher, push_image
from tests.conftest import entrepot, free_port, serve

MAIN = ("main@example.com", "correct horse")
NAME = "hard/app"
SHIM = Path(__file__).with_name("shim.c")


def compiled(folder: Path) -> Path:
    """The failing file calls as a library; skips where no compiler is."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler (cc): failing file calls cannot be made")
    made = folder / "shim.so"
    done = subprocess.run(
        ["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(SHIM), "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return made


class Rig:
    """A hub in ``folder/data``, its server process, and every image that was acknowledged."""

    def __init__(self, folder: Path, environ: dict[str, str] | None = None, **settings: str) -> None:
        self.data = folder / "data"
        made = entrepot("init", "--data", str(self.data), "--email", MAIN[0], "--password", MAIN[1], "--json")
        assert made.returncode == 0, made.stderr
        self.secrets = json.loads(made.stdout)
        assert entrepot("bucket", "create", "hard", "--data", str(self.data)).returncode == 0
        self.port = free_port()
        self.environ, self.settings = environ or {}, settings
        self.images: dict[str, tuple[str, bytes]] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                patch.setenv(name, value)
            self.process = serve(self.data, self.port, **self.settings)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            assert self.process.wait(40) == 0
        self.process = None

    def ask(self, method: str, path: str, **more: Any) -> Got:
        with Pusher(self.port, MAIN) as hub:
            return hub.ask(method, path, **more)

    def push(self, tag: str, size: int = 300_000) -> None:
        """A push that must be taken."""
        with Pusher(self.port, MAIN) as hub:
            self.images[tag] = push_image(hub, NAME, tag, os.urandom(size))

    def blob(self, content: bytes) -> Got:
        """A blob in one request, whatever comes of it."""
        name = "sha256:" + hashlib.sha256(content).hexdigest()
        return self.ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={name}", body=content)

    def retag(self, tag: str, new: str) -> Got:
        """Only rows are written by this."""
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        return self.ask("PUT", f"/v2/{NAME}/manifests/{new}", body=self.images[tag][1], headers=kind)

    def assert_whole(self) -> None:
        """Everything that was acknowledged is there, bit for bit."""
        with Pusher(self.port, MAIN) as hub:
            for tag, (digest, content) in self.images.items():
                for reference in (tag, digest):
                    got = hub.ask("GET", f"/v2/{NAME}/manifests/{reference}")
                    assert (got.status, got.body) == (200, content), (tag, got.body)
                document = json.loads(content)
                for one in [document["config"], *document["layers"]]:
                    assert hub.ask("HEAD", f"/v2/{NAME}/blobs/{one['digest']}").status == 200
                    body = hub.ask("GET", f"/v2/{NAME}/blobs/{one['digest']}").body
                    assert "sha256:" + hashlib.sha256(body).hexdigest() == one["digest"]

    def assert_clean(self) -> None:
        found = self.fsck("--deep")
        assert (found.returncode, found.stdout) == (0, "Clean.\n"), found.stdout + found.stderr

    def fsck(self, *words: str) -> "subprocess.CompletedProcess[str]":
        return entrepot("fsck", "--data", str(self.data), *words)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        client = ActionsClient(f"http://127.0.0.1:{self.port}", self.secrets["PublicKey"], self.secrets["PrivateKey"])
        return client.call(action, **params)

    @property
    def log(self) -> str:
        return (self.data.parent / f"serve-{self.port}.log").read_text()

    def assert_no_storm(self) -> None:
        """Faults of the disk are told in lines, never in traces of our own code."""
        assert "Traceback" not in self.log, self.log[-5000:]


def refused(got: Got, status: int, *words: str) -> None:
    """A refusal that says what is wrong and what to do."""
    assert got.status == status, (got.status, got.body)
    [error] = json.loads(got.body)["errors"]
    assert error["code"] == "UNAVAILABLE"
    for word in words:
        assert word in error["message"], error["message"]
