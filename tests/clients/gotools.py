"""Registry clients written in Go, each built once from a pinned module and kept in the machine's temporary folder.

And what watches them: ``Wire`` notes what a client asks the hub, ``Report`` what it was seen to do.
"""

import fcntl
import hashlib
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import pytest

from entrepot.client.actions import ActionError, ActionsClient
from tests.clients.conftest import MAIN, READER, STRANGER, bad, good, run
from tests.clients.held import holds
from tests.conftest import Live

TOOLS = {
    "crane": ("github.com/google/go-containerregistry", "cmd/crane", "v0.22.1"),
    "regctl": ("github.com/regclient/regclient", "cmd/regctl", "v0.11.7"),
    "oras": ("oras.land/oras", "cmd/oras", "v1.3.6"),
    "helm": ("helm.sh/helm/v3", "cmd/helm", "v3.22.0"),
    "cosign": ("github.com/sigstore/cosign/v3", "cmd/cosign", "v3.1.3"),
}
"""Client -> its Go module, the command inside it, the version."""

FIRST, SECOND = "go-first", "go-second"
TAKEN = 43022
CACHE = Path(tempfile.gettempdir()) / "entrepot-clients"


@contextmanager
def alone() -> Iterator[None]:
    """One build at a time, over all processes of the machine."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def go(*words: str, folder: Path) -> None:
    done = subprocess.run(["go", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"go {' '.join(words)}\n{done.stderr[-2000:]}"


def tool(name: str) -> str:
    """The path of a client; no Go is a skip, a build that fails is a failure."""
    module, command, version = TOOLS[name]
    folder = CACHE / f"go-{name}-{version}"
    made = folder / name
    if made.exists():
        return str(made)
    if not shutil.which("go"):
        pytest.skip("no Go toolchain on this machine")
    with alone():
        if not made.exists():
            shutil.rmtree(folder, ignore_errors=True)
            (folder / "module").mkdir(parents=True)
            (folder / "module" / "go.mod").write_text("module example.com/clients\n\ngo 1.26\n")
            go("get", "-tool", f"{module}/{command}@{version}", folder=folder / "module")
            fresh = folder / f"{name}.new"
            go("build", "-p", "2", "-trimpath", "-o", str(fresh), f"{module}/{command}", folder=folder / "module")
            fresh.rename(made)
    return str(made)


class Report:
    """What a client was seen to do."""

    def __init__(self, client: str, version: str) -> None:
        self.client, self.version = client, version

    def holds(self, capability: str) -> None:
        holds(self.client, self.version, capability)


class Wire:
    """A relay before the hub that passes every byte on as it is, notes the requests, and breaks one when told to.

    ``seen`` holds (method, path, status); the status of a request that was broken is 0. After ``cut("PATCH", n)`` the
    next PATCH ends after n bytes of its body; after ``cut("GET", n)`` the next blob's answer does.
    """

    def __init__(self, hub_port: int) -> None:
        self.hub_port = hub_port
        self.seen: list[tuple[str, str, int]] = []
        self._cut: tuple[str, int] | None = None
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])
        self.host = f"127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def cut(self, method: str, after: int) -> None:
        self._cut = method, after

    def mark(self) -> int:
        return len(self.seen)

    def mounts(self, mark: int) -> int:
        """Blobs that were mounted since ``mark``; none may have been sent, none fallen back."""
        new = self.seen[mark:]
        assert not [one for one in new if one[0] in {"PATCH", "PUT"} and "/blobs/" in one[1]], new
        started = [one for one in new if one[0] == "POST" and "/blobs/" in one[1]]
        assert all("mount=" in path and status == 201 for _, path, status in started), new
        return len(started)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self.hub_port)) as hub:
            for end in (client, hub):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ask, answer = client.makefile("rb"), hub.makefile("rb")
            with suppress(OSError, EOFError, ValueError):
                while self._one(client, hub, ask, answer):
                    pass
            for end in (client, hub):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def _one(self, client: socket.socket, hub: socket.socket, ask: BinaryIO, answer: BinaryIO) -> bool:
        """One request and its answer; whether the connection goes on."""
        first, headers, head = read_head(ask)
        method, path, _ = first.split(" ", 2)
        hub.sendall(head)
        if self._is_cut(method, path, "PATCH"):
            self._copy(ask, hub, headers)
            self.seen.append((method, path, 0))
            return False
        with suppress(OSError):  # a hub that refused may not have read all of it
            copy_body(ask, hub, headers, has_body=True)
        first, headers, head = read_head(answer)
        status = int(first.split(" ", 2)[1])
        broken = status == 200 and "/blobs/" in path and self._is_cut(method, path, "GET")
        self.seen.append((method, path, 0 if broken else status))
        client.sendall(head)
        if broken:
            self._copy(answer, client, headers)
            return False
        copy_body(answer, client, headers, has_body=method != "HEAD" and status not in {204, 304})
        return headers.get("connection", "").lower() != "close"

    def _is_cut(self, method: str, path: str, kind: str) -> bool:
        return self._cut is not None and self._cut[0] == kind == method

    def _copy(self, source: BinaryIO, target: socket.socket, headers: dict[str, str]) -> None:
        assert self._cut is not None
        length, self._cut = self._cut[1], None
        assert length < int(headers["content-length"])
        target.sendall(source.read(length))


def read_head(source: BinaryIO) -> tuple[str, dict[str, str], bytes]:
    """(first line, headers with names in lower case, the bytes of both)."""
    lines = [source.readline()]
    if not lines[0]:
        raise EOFError
    while lines[-1] not in {b"\r\n", b""}:
        lines.append(source.readline())
    pairs = (line.decode("latin-1").partition(":") for line in lines[1:-1])
    return lines[0].decode("latin-1").strip(), {n.lower(): v.strip() for n, _, v in pairs}, b"".join(lines)


def copy_body(source: BinaryIO, target: socket.socket, headers: dict[str, str], *, has_body: bool) -> None:
    """Pass a body on: as long as announced, or chunk by chunk."""
    if not has_body:
        return
    if "chunked" in headers.get("transfer-encoding", ""):
        size = -1
        while size:
            line = source.readline()
            size = int(line.partition(b";")[0], 16)
            target.sendall(line + source.read(size + 2))
        return
    left = int(headers.get("content-length", 0))
    while left:
        piece = source.read1(min(left, 65_536))  # type: ignore[attr-defined]
        if not piece:
            raise EOFError
        target.sendall(piece)
        left -= len(piece)


class Client:
    """A client with a home of its own for each person."""

    def __init__(self, name: str, home: Path, wire: Wire) -> None:
        self.binary, self.home, self.wire = tool(name), home, wire
        self.report = Report(name, TOOLS[name][2])

    def environ(self, who: str) -> dict[str, str]:
        home = self.home / who
        home.mkdir(exist_ok=True)
        return {
            "HOME": str(home),
            "DOCKER_CONFIG": str(home),
            "XDG_CONFIG_HOME": str(home),
            "XDG_CACHE_HOME": str(home),
        }

    def __call__(self, *words: str, who: str = "main", **given: object) -> str:
        return good(self.binary, *words, env=self.environ(who), **given)

    def told(self, *words: str, **given: object) -> str:
        """What a client that must succeed wrote to both streams."""
        done = run(self.binary, *words, env=self.environ("main"), **given)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def fails(self, *words: str, who: str = "main", **given: object) -> str:
        return bad(self.binary, *words, env=self.environ(who), **given).lower()

    def logs_in(self, *words: str, then: tuple[str, ...] = ()) -> None:
        """Three people log in; a wrong password is told, by ``then`` where login only keeps what it is given."""
        for who, (name, password) in {"main": MAIN, "reader": READER, "stranger": STRANGER}.items():
            self(*words, "-u", name, "-p", password, who=who)
        if then:
            self(*then)
        self.report.holds("login")
        wrong = (*words, "-u", MAIN[0], "-p", "wrong")
        if then:
            self(*wrong, who="wrong")
        said = self.fails(*(then or wrong), who="wrong")
        assert "unauthorized" in said or "401" in said, said
        self.report.holds("a wrong password is refused")

    def refused(self, *words: str, who: str, says: str, **given: object) -> None:
        said = self.fails(*words, who=who, **given)
        assert says in said, said


def blobs(folder: Path) -> set[str]:
    """The names of a layout's blobs, each checked."""
    found = {path.name for path in (folder / "blobs" / "sha256").iterdir()}
    for name in found:
        assert hashlib.sha256((folder / "blobs" / "sha256" / name).read_bytes()).hexdigest() == name
    return found


def wired(live: Live) -> Wire:
    """A relay before the hub; the two buckets of these tests are there."""
    actions = ActionsClient(live.url + "/", live.public_key, live.private_key)
    for bucket in (FIRST, SECOND):
        try:
            actions.call("CreateDockerImageBucket", Region="cn-bj2", BucketName=bucket)
        except ActionError as fault:
            if fault.ret_code != TAKEN:
                raise
    return Wire(live.port)
