"""One container of Azure Blob Storage under one prefix: the requests of the Remote port, and what their refusals mean.

Azure knows no multipart uploads, but blocks: sent to a name, they are nothing until a list of them is committed. So an
upload id is chosen here, and a block's id is made of it, the part's number and the MD5 of its bytes. Other bytes for
the same number are another block, and what was sent before stays beside it until the commit.
"""

import asyncio
import base64
import binascii
import contextlib
import math
import re
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

import aiohttp
import yarl
from azure.core import MatchConditions
from azure.core.exceptions import AzureError, HttpResponseError
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob import BlobBlock, BlobSasPermissions, generate_blob_sas
from azure.storage.blob.aio import ContainerClient, LinearRetry

from entrepot.errors import HubError, Kind
from entrepot.store.blobs import Unreadable
from entrepot.store.remote import MARK, PIECE, Gone, Part, Stored, Unfinished, steadily
from entrepot.store.remote_spool import Body

CONNECTIONS = 64
_RETRIES = 3
_PAGE = 500
"""Names of one answer: a larger one keeps everybody waiting while it is read."""
_READ_SECONDS = 3600
"""How long the address is good by which the hub itself begins a read; clocks need not agree better than that."""
_COPY_SECONDS = 600
_NAME = re.compile(r"[a-z0-9](-?[a-z0-9]){2,62}")
_STAMP, _UPLOAD, _NUMBER = 8, 24, 5
"""Characters of a block's id: the time at the begin of its upload in hex, the whole upload id, the part's number."""


def connection_of(environ: Mapping[str, str]) -> str:
    """The connection string that the environment has, or that its account and key make. Raises CONFIG_INVALID."""
    text = environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
    if not text:
        account, key = environ.get("AZURE_STORAGE_ACCOUNT", ""), environ.get("AZURE_STORAGE_KEY", "")
        if not account or not key:
            raise HubError(
                Kind.CONFIG_INVALID,
                "blobs_url: set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY; the"
                " storage account's page in Azure has them under `Access keys`",
            )
        text = f"AccountName={account};AccountKey={key}"
    found = {name.lower(): value for name, _, value in (one.partition("=") for one in text.split(";"))}
    if found.get("usedevelopmentstorage") == "true":
        return text
    with contextlib.suppress(binascii.Error):
        if found.get("accountname") and base64.b64decode(found.get("accountkey", ""), validate=True):
            return text
    raise HubError(
        Kind.CONFIG_INVALID,
        "blobs_url: the connection string or key of the storage account is not whole; it must have AccountName and"
        " AccountKey (a shared access signature is not enough), copied as `Access keys` shows them",
    )


class _Client(NamedTuple):
    container: ContainerClient
    session: aiohttp.ClientSession


class AzureContainer:
    """The Remote port. The client is opened with the first request, in the loop that makes it."""

    def __init__(self, name: str, prefix: str, connection: str) -> None:
        if not _NAME.fullmatch(name):
            raise HubError(
                Kind.CONFIG_INVALID, f"blobs_url: {name}: a container has 3 to 63 of a-z, 0-9 and single hyphens"
            )
        self._name, self._prefix, self._connection = name, prefix, connection
        self._client: _Client | None = None

    def _open(self) -> _Client:
        if self._client is None:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=CONNECTIONS),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(sock_connect=5, sock_read=60),
                auto_decompress=False,
                trust_env=True,
            )
            container = ContainerClient.from_connection_string(
                self._connection,
                self._name,
                transport=AioHttpTransport(session=session, session_owner=False, connection_timeout=5, read_timeout=60),
                # At random within two seconds; what is left to itself begins with a quarter of a minute.
                retry_policy=LinearRetry(backoff=1, random_jitter_range=1, retry_total=_RETRIES - 1),
            )
            self._client = _Client(container, session)
        return self._client

    async def close(self) -> None:
        """Let go of connections; a later request opens them again."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.container.close()
            await client.session.close()

    async def _ask(self, verb: str, name: str, *words: Any, **given: Any) -> Any:
        """One request. Raises Gone, UNAVAILABLE."""
        with plain_faults():
            blob = self._open().container.get_blob_client(self._prefix + name)
            return await getattr(blob, verb)(*words, **given)

    async def mark(self) -> None:
        """Say that this is the place."""
        await self._ask("upload_blob", MARK, b"", overwrite=True)

    async def require_mark(self) -> None:
        """Raise UNAVAILABLE where this is not the place: what is missing here is not lost."""
        try:
            await self._ask("get_blob_properties", MARK)
        except Gone as fault:
            raise HubError(
                Kind.UNAVAILABLE, f"az://{self._name}/{self._prefix} holds no objects of a hub; is it the right place?"
            ) from fault

    async def put(self, name: str, body: Body) -> None:
        """Store an object. A large one is sent as a block: the client takes what it sends at once into memory."""
        headers = {"Content-MD5": await body.md5()}
        if body.size <= PIECE:
            content = await asyncio.to_thread(body.readall)
            await self._ask("upload_blob", name, content, overwrite=True, headers=headers)
            return
        upload = await self.begin(name)
        etag = await self.put_part(name, upload, 1, body)
        try:
            await self.complete(name, upload, [etag])
        except Gone as fault:
            raise HubError(Kind.UNAVAILABLE, "somebody else stored an object of the same name") from fault

    async def head(self, name: str) -> Stored | None:
        """What is known of an object; None when it is not there. Raises UNAVAILABLE."""
        try:
            found = await self._ask("get_blob_properties", name)
        except Gone:
            await self.require_mark()
            return None
        return Stored(name, found.size, found.last_modified.timestamp())

    async def read(self, name: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Bytes of an object, in pieces of at most 1 MiB. Raises Unreadable, UNAVAILABLE.

        What breaks off on the way is asked for again from there.
        """
        try:
            async with contextlib.aclosing(
                steadily(lambda at, left: self._read(name, at, left), start, length)
            ) as pieces:
                async for piece in pieces:
                    yield piece
        except Gone as why:
            await self.require_mark()
            raise Unreadable("missing") from why

    async def _read(self, name: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """By an address: the client itself keeps each answer in memory before it gives out a byte."""
        url = yarl.URL(await self.address(name, _READ_SECONDS), encoded=True)
        headers = {"Range": f"bytes={start}-{start + length - 1}"}
        with plain_faults():
            found = await self._open().session.get(url, headers=headers, allow_redirects=False)
        async with found:
            if found.status == 416:
                raise Unreadable("short")
            if found.status != 206:
                raise _meaning(found.status, found.headers.get("x-ms-error-code", ""))
            if (found.content_length or 0) < length:
                found.close()
                raise Unreadable("short")
            while True:
                with plain_faults():
                    piece = await found.content.read(PIECE)
                if not piece:
                    return
                yield piece

    async def delete(self, name: str) -> None:
        """Remove an object; no error when there is none."""
        with contextlib.suppress(Gone):
            await self._ask("delete_blob", name, delete_snapshots="include")

    async def below(self, prefix: str) -> AsyncGenerator[Stored, None]:
        """The objects below a prefix."""
        async with contextlib.aclosing(self._listed(prefix)) as found:
            async for one in found:
                yield Stored(one.name.removeprefix(self._prefix), one.size, one.last_modified.timestamp())

    async def _listed(self, prefix: str, **given: Any) -> AsyncGenerator[Any, None]:
        with plain_faults():
            container = self._open().container
            pages = container.list_blobs(name_starts_with=self._prefix + prefix, results_per_page=_PAGE, **given)
            numbered = pages.by_page()
        while (page := await _next_page(numbered)) is not None:
            for one in page:
                yield one

    async def has_any(self, prefix: str) -> bool:
        """Whether there is an object below a prefix."""
        async with contextlib.aclosing(self.below(prefix)) as found:
            async for _ in found:
                return True
        return False

    async def begin(self, name: str) -> str:
        """Choose the id of an upload. Azure hears of it with the first part."""
        del name
        return f"{int(time.time()):0{_STAMP}x}{secrets.token_hex((_UPLOAD - _STAMP) // 2)}"

    async def put_part(self, name: str, upload: str, number: int, body: Body) -> str:
        """Store a part, beside others of this number; the MD5 of its bytes."""
        md5 = await body.md5()
        etag = base64.b64decode(md5).hex()
        await self._ask(
            "stage_block", name, _block(upload, number, etag), body, length=body.size, headers={"Content-MD5": md5}
        )
        return etag

    async def parts(self, name: str, upload: str) -> list[Part]:
        """The parts that the container has, by number. Raises Gone."""
        found = sorted(part for id_, part in await self._blocks(name) if id_ == upload)
        if not found:
            raise Gone(upload)
        return found

    async def _blocks(self, name: str) -> list[tuple[str, Part]]:
        """Upload ids and parts that are not committed; blocks that the hub did not send are nobody's."""
        try:
            _, found = await self._ask("get_block_list", name, "uncommitted")
        except Gone:
            return []
        end = _UPLOAD + _NUMBER
        return [
            (one.id[:_UPLOAD], Part(int(one.id[_UPLOAD:end]), one.size, one.id[end:]))
            for one in found
            if re.fullmatch(rf"[0-9a-f]{{{_UPLOAD}}}[0-9]{{{_NUMBER}}}[0-9a-f]{{32}}", one.id)
        ]

    async def complete(self, name: str, upload: str, etags: list[str]) -> None:
        """Make an object of parts 1, 2 and so on. Raises Gone.

        Blocks may be uncommitted, or the object's own: their ids tell their bytes, and what was done before is done
        again to the same effect. Once the object is deleted they are nowhere.
        """
        blocks = [BlobBlock(_block(upload, number, etag)) for number, etag in enumerate(etags, 1)]
        await self._ask("commit_block_list", name, blocks)

    async def abort(self, name: str, upload: str) -> None:
        """Forget an upload and its parts; no error when there is none.

        Azure has no such request. A commit of nothing forgets every block of the name, and is made only where no object
        is; the empty object is deleted then, unless it became another one. A kill between the two leaves an object that
        no row knows. Blocks that were sent to the name of an object stay: Azure forgets them after a week.
        """
        if all(id_ != upload for id_, _ in await self._blocks(name)):
            return
        with contextlib.suppress(Gone, _Taken):
            made = await self._ask("commit_block_list", name, [], match_condition=MatchConditions.IfMissing)
            await self._ask("delete_blob", name, etag=made["etag"], match_condition=MatchConditions.IfNotModified)

    async def unfinished(self, prefix: str) -> AsyncGenerator[Unfinished, None]:
        """The uploads to names below a prefix.

        What has blocks alone is listed among the objects, as one without bytes; its blocks tell of what upload.
        """
        async with contextlib.aclosing(self._listed(prefix, include=["uncommittedblobs"])) as found:
            async for one in found:
                if not one.size:
                    name = one.name.removeprefix(self._prefix)
                    for id_ in sorted({id_ for id_, _ in await self._blocks(name)}):
                        yield Unfinished(name, id_, int(id_[:_STAMP], 16))

    async def copy(self, source: str, target: str, size: int) -> None:
        """Copy an object inside the account, which is done at once as a rule. Raises Gone."""
        del size
        origin = self._open().container.get_blob_client(self._prefix + source).url
        status = (await self._ask("start_copy_from_url", target, origin))["copy_status"]
        for _ in range(_COPY_SECONDS):
            if status != "pending":
                break
            await asyncio.sleep(1)
            status = (await self._ask("get_blob_properties", target)).copy.status
        if status != "success":
            raise HubError(Kind.UNAVAILABLE, f"the container of blobs does not copy ({status})")

    async def address(self, name: str, seconds: int) -> str:
        """An address at which anybody can read an object for so long, and nothing else."""
        blob = self._open().container.get_blob_client(self._prefix + name)
        signature = generate_blob_sas(
            str(blob.account_name),
            self._name,
            self._prefix + name,
            account_key=blob.credential.account_key,
            permission=BlobSasPermissions(read=True),
            expiry=datetime.fromtimestamp(math.ceil(time.time() + seconds), UTC),
            protocol="https" if blob.scheme == "https" else None,
            content_type="application/octet-stream",
        )
        return f"{blob.url}?{signature}"


def _block(upload: str, number: int, etag: str) -> str:
    """The id of a block; those of one name must be equally long."""
    return f"{upload}{number:0{_NUMBER}}{etag}"


async def _next_page(pages: AsyncIterator[Any]) -> list[Any] | None:
    with plain_faults():
        try:
            return [one async for one in await anext(pages)]
        except StopAsyncIteration:
            return None


class _Taken(Exception):
    """An object is where a request wanted none, or another one than it named."""


@contextlib.contextmanager
def plain_faults() -> Iterator[None]:
    """Turn what the client raises into Gone or UNAVAILABLE. No text of it holds a key or a signature."""
    try:
        yield
    except HttpResponseError as fault:
        status = fault.status_code or 0
        raise _meaning(status, getattr(fault.response, "headers", {}).get("x-ms-error-code", "")) from fault
    except (AzureError, aiohttp.ClientError, TimeoutError, ConnectionError) as fault:
        raise HubError(
            Kind.UNAVAILABLE, f"the container of blobs cannot be reached ({type(fault).__name__})"
        ) from fault


def _meaning(status: int, code: str) -> Exception:
    if code in {"BlobAlreadyExists", "ConditionNotMet"}:
        return _Taken(code)
    if code in {"BlobNotFound", "CannotVerifyCopySource", "InvalidBlockList"} or (status == 404 and not code):
        return Gone(code)
    return HubError(Kind.UNAVAILABLE, f"the container of blobs answers {code or status or 'with an error'}")
