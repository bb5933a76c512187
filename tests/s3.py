"""Servers of buckets for tests: versitygw where Go can build it, moto's server always, Azurite where node can run it.

Each is one process of a session.

A store gets a bucket and prefix of its own, so nothing is seen of what others left.
"""

import atexit
import ctypes
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from entrepot.config import Settings
from entrepot.store.blobs_remote import RemoteBlobStore
from entrepot.store.db_sqlite import SqliteDatabase
from entrepot.store.leases import RowLeases
from entrepot.store.migrate import migrate_sqlite
from entrepot.store.remote import Remote
from entrepot.store.remote_s3 import S3Bucket
from entrepot.store.sql import collect as collect_sql
from tests import azure
from tests.conftest import BUCKETS, free_port

GATEWAY = ("github.com/versity/versitygw", "cmd/versitygw", "v1.8.0")
"""The module, the command inside it, the version."""
KEYS = {"AWS_ACCESS_KEY_ID": "test-access", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_DEFAULT_REGION": "us-east-1"}
BUCKET = "hub"
PART = 5 * 1024 * 1024
"""The least that servers take for a part that is not the last one."""


class Server(NamedTuple):
    """A running server with an empty bucket."""

    kind: str
    url: str
    process: subprocess.Popen[bytes]
    start: Callable[[], subprocess.Popen[bytes]]


def gateway() -> str | None:
    """The path of versitygw, built once on this machine; None without Go."""
    from tests.clients import gotools

    if not shutil.which("go"):
        return None
    gotools.TOOLS.setdefault("versitygw", GATEWAY)
    return gotools.tool("versitygw")


def start(kind: str, folder: Path, host: str = "127.0.0.1") -> Server:
    """Start a server of a kind in a folder, and make the bucket. What is started later has the keys, if of S3."""
    os.environ.update(KEYS)
    port = free_port()
    environ = {**os.environ, **KEYS, "ROOT_ACCESS_KEY": KEYS["AWS_ACCESS_KEY_ID"], **azure.SERVER}
    environ["ROOT_SECRET_KEY"] = KEYS["AWS_SECRET_ACCESS_KEY"]
    if kind == "azurite":
        words = azure.command(folder, host, port)
    elif kind == "versitygw":
        program = gateway()
        if program is None:
            pytest.skip("no Go toolchain on this machine to build versitygw")
        (folder / "objects" / BUCKET).mkdir(parents=True)
        words = [program, "--quiet", "--port", f"{host}:{port}", "posix", str(folder / "objects")]
    else:
        words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", host, "-p", str(port)]

    def run() -> subprocess.Popen[bytes]:
        with (folder / f"{kind}.log").open("ab") as log:
            process = subprocess.Popen(
                words, stdout=log, stderr=subprocess.STDOUT, env=environ, preexec_fn=_die_with_parent
            )
        _wait((host, port), process, folder / f"{kind}.log")
        return process

    server = Server(kind, f"http://{host}:{port}", run(), run)
    if kind == "moto":
        _make_bucket(server.url)
    if kind == "azurite":
        azure.make_container(server.url, BUCKET)
    return server


def _die_with_parent() -> None:
    """Tests that are killed leave no server."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def _wait(address: tuple[str, int], process: subprocess.Popen[bytes], log: Path) -> None:
    import socket

    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex(address) == 0:
                return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def _make_bucket(url: str) -> None:
    import asyncio

    async def make() -> None:
        async with raw(url) as client:
            await client.create_bucket(Bucket=BUCKET)

    asyncio.run(make())


def raw(url: str) -> Any:
    """A client of the server as anybody has one."""
    from aiobotocore.session import get_session

    return get_session().create_client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


class Bucket:
    """What is below a prefix of a bucket, as anybody sees it who has the keys."""

    def __init__(self, url: str, name: str, prefix: str) -> None:
        self._url, self._name, self._prefix = url, name, prefix

    async def _ask(self, verb: str, key: str, **given: Any) -> Any:
        async with raw(self._url) as client:
            answer = await getattr(client, verb)(Bucket=self._name, Key=self._prefix + key, **given)
            return await answer["Body"].read() if "Body" in answer else answer

    async def get(self, key: str) -> bytes:
        content: bytes = await self._ask("get_object", key)
        return content

    async def put(self, key: str, content: bytes) -> None:
        await self._ask("put_object", key, Body=content)

    async def delete(self, key: str) -> None:
        await self._ask("delete_object", key)

    async def sizes(self) -> dict[str, int]:
        """Every object."""
        found = {}
        async with raw(self._url) as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=self._prefix)
            async for page in pages:
                found |= {one["Key"].removeprefix(self._prefix): one["Size"] for one in page.get("Contents", ())}
        return found

    async def unfinished(self) -> list[str]:
        """The targets of multipart uploads that the server keeps."""
        async with raw(self._url) as client:
            page = await client.list_multipart_uploads(Bucket=self._name, Prefix=self._prefix)
        return [one["Key"].removeprefix(self._prefix) for one in page.get("Uploads", ())]


def behind(settings: Settings) -> "Bucket | azure.Container":
    """What a hub keeps in its bucket, seen from behind its back."""
    scheme, _, place = settings.blobs_url.partition("://")
    name, _, prefix = place.partition("/")
    if scheme == "az":
        return azure.Container(os.environ[azure.VARIABLE], name, f"{prefix}/")
    return Bucket(settings.s3_endpoint, name, f"{prefix}/")


def stop(server: Server) -> None:
    """End it."""
    server.process.kill()
    server.process.wait()


def best() -> str:
    """The kind that is most like real ones."""
    return "versitygw" if gateway() else "moto"


def new_prefix() -> str:
    """One that nobody used."""
    return f"t{uuid.uuid4().hex[:12]}/"


@functools.cache
def session_server() -> Server:
    """The server of all hubs of this process: the one that the run names, or versitygw where it can be built."""
    folder = Path(tempfile.mkdtemp(prefix="entrepot-s3-"))
    made = start(BUCKETS if BUCKETS in {"versitygw", "moto", "azurite"} else best(), folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(stop, made)
    if made.kind == "azurite":
        os.environ.update(azure.credentials(made.url))
    return made


def settings_of(folder: Path) -> dict[str, str]:
    """The settings of a hub in a folder, the same ones each time."""
    prefix = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    return settings_at(session_server(), prefix)


def settings_at(server: Server, prefix: str) -> dict[str, str]:
    """The settings of a hub whose bytes are in a server."""
    if server.kind == "azurite":
        return {"blobs_url": f"az://{BUCKET}/{prefix}"}
    return {"blobs_url": f"s3://{BUCKET}/{prefix}", "s3_endpoint": server.url, "s3_region": "us-east-1"}


def through(gate: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings that lead a hub of this process to the session's server by another address."""
    if session_server().kind != "azurite":
        return {"s3_endpoint": gate}
    for name, value in azure.credentials(gate).items():
        monkeypatch.setenv(name, value)
    return {}


class Nodes:
    """Stores over one prefix and one database, as several nodes of a hub have them."""

    def __init__(self, server: Server, folder: Path, prefix: str | None = None) -> None:
        self.server, self.folder, self.prefix = server, folder, prefix or new_prefix()
        folder.mkdir(parents=True, exist_ok=True)
        migrate_sqlite(folder / "hub.db")
        self.db = SqliteDatabase(folder / "hub.db")
        self.now = time.time()
        self._stores: list[RemoteBlobStore] = []

    def remote(self) -> Remote:
        if self.server.kind == "azurite":
            return azure.remote(self.server.url, BUCKET, self.prefix)
        return S3Bucket(BUCKET, self.prefix, self.server.url, "us-east-1")

    def node(self, name: str = "one") -> RemoteBlobStore:
        async def unknown(keys: list[str]) -> list[str]:
            return await self.db.read(collect_sql.unknown_keys, keys)

        leases = RowLeases(self.db, name, lambda: self.now, time.monotonic)
        made = RemoteBlobStore(self.remote(), self.folder / name, leases, unknown, part=PART)
        self._stores.append(made)
        return made

    async def close(self) -> None:
        for one in self._stores:
            await one.close()
        await self.db.close()

    @property
    def inside(self) -> "Bucket | azure.Container":
        """What they keep, seen from behind their backs."""
        if self.server.kind == "azurite":
            return azure.Container(azure.connection(self.server.url), BUCKET, self.prefix)
        return Bucket(self.server.url, BUCKET, self.prefix)

    async def names(self) -> list[str]:
        """Every object below the prefix."""
        return sorted(await self.inside.sizes())

    async def unfinished(self) -> int:
        """How many multipart uploads the server keeps below the prefix."""
        return len(await self.inside.unfinished())
