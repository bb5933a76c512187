"""Azurite, Microsoft's own server of Azure Blob Storage for tests: installed once by npm, and what is in it."""

import base64
import contextlib
import functools
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from entrepot.store.remote_azure import AzureContainer

VERSION = "3.37.0"
OLDEST = 20
"""The oldest node that runs it."""
VARIABLE = "AZURE_STORAGE_CONNECTION_STRING"
ACCOUNT, KEY = "hub", base64.b64encode(b"no secret, a key of tests").decode()
SERVER = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
"""What Azurite reads from its environment."""


@functools.cache
def lacking() -> str:
    """Why this machine cannot run it; nothing where it can."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "no node with npm on this machine to run Azurite"
    found = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return "" if int(found.strip().lstrip("v").partition(".")[0]) >= OLDEST else f"Azurite needs node {OLDEST} or later"


def program() -> Path:
    """The script to run, installed once on this machine; no node is a skip, a failed installation a failure."""
    from tests.clients import gotools

    if why := lacking():
        pytest.skip(why)
    folder = gotools.CACHE / f"azurite-{VERSION}"
    with gotools.alone():
        if not folder.exists():
            fresh = folder.with_name(f"{folder.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            words = ["npm", "install", "--prefix", str(fresh), "--no-audit", "--no-fund", f"azurite@{VERSION}"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr[-2000:]
            fresh.rename(folder)
    return folder / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"


def command(folder: Path, host: str, port: int) -> list[str]:
    """How to start it with its files in a folder; the client may be of a newer age than what it knows."""
    place = ["--blobHost", host, "--blobPort", str(port), "--location", str(folder / "azurite")]
    return ["node", str(program()), *place, "--silent", "--disableTelemetry", "--skipApiVersionCheck"]


def connection(url: str) -> str:
    """The connection string of the account at a server."""
    return f"AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={url}/{ACCOUNT}"


def credentials(url: str) -> dict[str, str]:
    """What leads a hub there, as variables of the environment."""
    return {VARIABLE: connection(url)}


def remote(url: str, name: str, prefix: str) -> AzureContainer:
    return AzureContainer(name, prefix, connection(url))


def make_container(url: str, name: str) -> None:
    from azure.storage.blob import ContainerClient

    with ContainerClient.from_connection_string(connection(url), name) as client:
        client.create_container()


class Container:
    """What is below a prefix of a container, as anybody sees it who has the key."""

    def __init__(self, connection: str, name: str, prefix: str) -> None:
        self.connection, self._name, self._prefix = connection, name, prefix

    @contextlib.asynccontextmanager
    async def client(self) -> Any:
        from azure.storage.blob.aio import ContainerClient

        # aiohttp warns of more bytes at once.
        sizes = {"max_single_put_size": 1024 * 1024, "max_block_size": 1024 * 1024}
        async with ContainerClient.from_connection_string(self.connection, self._name, **sizes) as made:
            yield made

    async def get(self, key: str) -> bytes:
        async with self.client() as client:
            content: bytes = await (await client.download_blob(self._prefix + key)).readall()
        return content

    async def put(self, key: str, content: bytes) -> None:
        async with self.client() as client:
            await client.upload_blob(self._prefix + key, content, overwrite=True)

    async def delete(self, key: str) -> None:
        async with self.client() as client:
            await client.delete_blob(self._prefix + key)

    async def sizes(self) -> dict[str, int]:
        """Every object."""
        async with self.client() as client:
            listed = client.list_blobs(name_starts_with=self._prefix)
            return {one.name.removeprefix(self._prefix): one.size async for one in listed}

    async def unfinished(self) -> list[str]:
        """Names to which blocks were sent and nothing is committed."""
        async with self.client() as client:
            listed = client.list_blobs(name_starts_with=self._prefix, include=["uncommittedblobs"])
            found = [one.name.removeprefix(self._prefix) async for one in listed]
        return sorted(set(found) - set(await self.sizes()))
