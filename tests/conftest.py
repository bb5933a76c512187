"""One fixture for the whole product: a real hub in a temporary folder, called in process through its ASGI app.

``hub`` is fresh for each test; ``live`` is a real server process, shared by a session.
"""

import asyncio
import base64
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode

import pytest
from hypothesis import HealthCheck, settings

from entrepot import config, wiring
from entrepot.model import signing
from entrepot.ops import buckets, people
from entrepot.ops.context import Ctx, Hub
from entrepot.ops.people import Secrets
from tests import postgres

T = TypeVar("T")
BUCKETS = os.environ.get("ENTREPOT_TEST_BLOBS", "")
"""Whose buckets the hubs of this run keep their bytes in; empty: files.

versitygw, moto, s3 for the better one that can be had, or azurite.
"""

settings.register_profile(
    "hub",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("hub")


@dataclass
class Reply:
    """What came back; header names in lower case, the last one of a name wins."""

    status: int
    headers: dict[str, str]
    body: bytes
    path: str = ""
    all_headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The OCI error code of a refusal."""
        return str(self.json["errors"][0]["code"])


class Loop:
    """An event loop in a thread of its own, so that tests stay plain functions."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()


def places(folder: Path) -> dict[str, str]:
    """Where rows and bytes of the hub in this folder are, when this run keeps them elsewhere than in it."""
    is_restored = (folder / "hub.db").exists()
    found = {"database_url": postgres.url_of(folder)} if postgres.WANTED and not is_restored else {}
    return found | blobs_place(folder)


def blobs_place(folder: Path) -> dict[str, str]:
    """Where the bytes of the hub in this folder are, when this run keeps them in a bucket."""
    if not BUCKETS:
        return {}
    from tests import s3

    return s3.settings_of(folder)


def in_environment(given: dict[str, str]) -> dict[str, str]:
    """Settings as variables of the environment."""
    return {f"ENTREPOT_{name.upper()}": value for name, value in given.items()}


class TestHub:
    """A hub, its app and its first account."""

    __test__ = False

    def __init__(self, loop: Loop, folder: Path, **given: Any) -> None:
        self.loop = loop
        # Quotas have tests of their own; elsewhere a project holds as many buckets as a test likes.
        own = {"project_buckets": 0, **places(folder)}
        self.settings = config.load(environ={}, data=str(folder), **{**own, **given})
        self.open(create=True)
        self.secrets: Secrets = self.run(
            people.first_account(self.hub, email="main@example.com", password="correct horse")
        )
        self.email, self.password = self.secrets.email, self.secrets.password
        self.public_key, self.private_key = self.secrets.public_key, self.secrets.private_key
        self.project_id = self.secrets.project_id

    def open(self, *, create: bool = False) -> None:
        async def start() -> Hub:
            return await wiring.open_hub(self.settings, create=create)

        self.hub = self.run(start())
        self.app = wiring.build_app(self.hub)

    def close(self) -> None:
        self.run(wiring.close_hub(self.hub))

    def reopen(self) -> None:
        self.close()
        self.open()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run(work)

    def queries(self) -> int:
        """Statements that were run so far."""
        return int(self.hub.db.statements)  # type: ignore[attr-defined]

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | list[bytes] = b"",
        login: tuple[str, str] | str | None = None,
        broken: bool = False,
    ) -> Reply:
        """One request in process.

        ``login``: (name, secret) for Basic, a string for Bearer. ``broken``: the client leaves before the end.
        """
        return self.run(self.ask(method, path, headers=headers, body=body, login=login, broken=broken))

    async def ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | list[bytes] = b"",
        login: tuple[str, str] | str | None = None,
        broken: bool = False,
    ) -> Reply:
        chunks = [body] if isinstance(body, bytes) else body
        sent = {"host": "hub.test", **{name.lower(): value for name, value in (headers or {}).items()}}
        if isinstance(body, bytes) and (body or method in {"POST", "PUT", "PATCH"}):
            sent.setdefault("content-length", str(len(body)))
        elif not isinstance(body, bytes) and "content-length" not in sent:
            sent["transfer-encoding"] = "chunked"
        if isinstance(login, tuple):
            sent["authorization"] = "Basic " + base64.b64encode(":".join(login).encode()).decode()
        elif login:
            sent["authorization"] = f"Bearer {login}"
        messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        if broken:
            messages.append({"type": "http.disconnect"})
        else:
            messages[-1]["more_body"] = False
        got: dict[str, Any] = {"body": b"", "path": ""}

        async def receive() -> dict[str, Any]:
            await asyncio.sleep(0)
            return messages.pop(0) if messages else {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                got["start"] = message
            elif message["type"] == "http.response.pathsend":
                got["path"] = message["path"]
                got["body"] = Path(message["path"]).read_bytes()
            else:
                got["body"] += message.get("body", b"")

        raw_path, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(raw_path),
            "raw_path": raw_path.encode(),
            "query_string": query.encode("ascii"),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            "client": ("127.0.0.9", 5),
            "server": ("127.0.0.1", 5000),
            "scheme": "http",
            "http_version": "1.1",
            "root_path": "",
            "extensions": {"http.response.pathsend": {}},
        }
        await self.app(scope, receive, send)
        if "start" not in got:
            return Reply(0, {}, b"")  # the client had left
        listed = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in got["start"]["headers"]]
        return Reply(got["start"]["status"], dict(listed), got["body"], got["path"], listed)

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        """A signed POST form of the main user."""
        return self.call_as((self.public_key, self.private_key), action, **params)

    def call_as(self, keys: tuple[str, ...], action: str, **params: Any) -> dict[str, Any]:
        """A signed POST form; ``keys``: public key, private key and, of a temporary key, its token."""
        flat = {"Action": action, "PublicKey": keys[0], **({"SecurityToken": keys[2]} if len(keys) > 2 else {})}
        for name, value in params.items():
            if isinstance(value, list):
                flat.update({f"{name}.{place}": str(one) for place, one in enumerate(value)})
            else:
                flat[name] = str(value)
        flat["Signature"] = signing.sign(flat, keys[1])
        reply = self.request(
            "POST",
            "/",
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode(flat).encode(),
        )
        assert reply.status == 200
        answer: dict[str, Any] = reply.json
        return answer

    @property
    def main(self) -> tuple[str, str]:
        return self.email, self.password

    def bucket(self, name: str, *, is_public: bool = False, email: str | None = None) -> str:
        async def make() -> None:
            who = await people.operator(self.hub, email)
            await buckets.create(Ctx(self.hub, who), name, region="cn-bj2", is_public=is_public)

        self.run(make())
        return name

    def user(self, email: str, *rights: str, other_account: bool = False) -> tuple[str, str]:
        """A person of the first account with these rights, or the main user of another account; its login."""
        made = self.run(
            people.add_user(
                self.hub,
                email,
                password="battery staple",
                rights=frozenset(rights),
                account_of=None if other_account else self.email,
            )
        )
        return made.email, made.password

    def token(self, login: tuple[str, str] | None, *scopes: str) -> str:
        query = urlencode([("service", "entrepot"), *(("scope", scope) for scope in scopes)])
        reply = self.request("GET", f"/token?{query}", login=login)
        assert reply.status == 200, reply.body
        return str(reply.json["token"])


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _databases(request: pytest.FixtureRequest) -> Iterator[None]:
    """What a test's hubs kept outside of its folder goes with it."""
    folder = request.getfixturevalue("tmp_path") if postgres.WANTED and "tmp_path" in request.fixturenames else None
    yield
    if folder is not None:
        postgres.drop_below(folder)


@pytest.fixture
def hub(loop: Loop, tmp_path: Path) -> Iterator[TestHub]:
    made = TestHub(loop, tmp_path / "data")
    yield made
    made.close()


@dataclass
class Live:
    """A real server process and its first account."""

    url: str
    port: int
    data: Path
    email: str
    password: str
    public_key: str
    private_key: str
    project_id: str
    process: subprocess.Popen[bytes]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def entrepot(*words: str, **given: Any) -> "subprocess.CompletedProcess[str]":
    """Run the command line as its own process; the data folder in it says where rows and bytes are, too."""
    there = in_environment(_places_of(words))  # which may start a server, and puts its keys into the environment
    given["env"] = {**(given.get("env") or os.environ), **there}
    return subprocess.run(
        [sys.executable, "-m", "entrepot.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **given,
    )


_DATA = {"backup": 1, "export": 1, "import": 1, "migrate-data": 1}
"""Commands -> where their words name the data folder, if not after ``--data``."""


def _places_of(words: tuple[str, ...]) -> dict[str, str]:
    if "--data" in words:
        return places(Path(words[words.index("--data") + 1]))
    if words[0] == "restore":  # it makes the rows itself
        return blobs_place(Path(words[2]))
    return places(Path(words[_DATA[words[0]]])) if words[0] in _DATA else {}


def serve(data: Path, port: int, *words: str, **given: str) -> "subprocess.Popen[bytes]":
    """Start a server and wait until it answers; ``given`` are settings."""
    there = in_environment({**places(data), **given})
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ENTREPOT_")} | there
    with (data.parent / f"serve-{port}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "entrepot.cli.main", "serve", "--data", str(data), "--port", str(port), *words],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    scheme = "https" if "tls_cert" in given else "http"
    trusting = urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), trusting)
    for _ in range(300):
        try:
            with opener.open(f"{scheme}://127.0.0.1:{port}/healthz", timeout=2) as reply:
                if reply.status == 200:
                    return process
        except OSError:
            pass
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    raise AssertionError((data.parent / f"serve-{port}.log").read_text())


def workers_of(pid: int) -> list[int]:
    """The processes of a server of several."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in children if b"resource_tracker" not in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.fixture(scope="session")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    data = tmp_path_factory.mktemp("live") / "data"
    made = entrepot("init", "--data", str(data), "--email", "main@example.com", "--password", "correct horse", "--json")
    assert made.returncode == 0, made.stderr
    secrets = json.loads(made.stdout)
    # Many tests share the project. The command line must know too, so it is no setting of the server alone.
    entrepot("quota", "set", "--data", str(data), "--project", secrets["ProjectId"], "--buckets", "none")
    port = free_port()
    # debug: the log tells which client called which action.
    # Workflows of tests call servers of the tests.
    process = serve(data, port, log_level="debug", outbound_networks="127.0.0.0/8")
    yield Live(
        f"http://127.0.0.1:{port}",
        port,
        data,
        secrets["Email"],
        secrets["Password"],
        secrets["PublicKey"],
        secrets["PrivateKey"],
        secrets["ProjectId"],
        process,
    )
    process.terminate()
    assert process.wait(30) == 0
