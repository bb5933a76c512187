"""One bucket of an S3 server under one prefix: the requests of the Remote port, and what their refusals mean."""

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Iterator
from datetime import datetime
from typing import Any

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from entrepot.errors import HubError, Kind
from entrepot.store.blobs import Unreadable
from entrepot.store.remote import MARK, PIECE, Gone, Part, Stored, Unfinished, steadily
from entrepot.store.remote_spool import Body

COPIED_AT_ONCE = 1024**3
"""Bytes of one request that copies; a whole object can be copied by one request up to five times as much."""
CONNECTIONS = 64
_MISSING = frozenset({"NoSuchKey", "NotFound", "404"})
_RETRIES = 3


_session = functools.cache(get_session)
"""One of a process: it reads the descriptions of services and finds the credentials once."""


class S3Bucket:
    """The Remote port. The client is opened with the first request, in the loop that makes it."""

    def __init__(self, name: str, prefix: str, endpoint: str, region: str) -> None:
        self._name, self._prefix = name, prefix
        self._endpoint, self._region = endpoint, region
        self._stack = contextlib.AsyncExitStack()
        self._opening = asyncio.Lock()
        self._client: Any = None

    async def _open(self) -> Any:
        async with self._opening:
            if self._client is None:
                config = AioConfig(
                    signature_version="s3v4",
                    connect_timeout=5,
                    read_timeout=60,
                    max_pool_connections=CONNECTIONS,
                    retries={"mode": "standard", "total_max_attempts": _RETRIES},
                    # Parts carry their MD5, which every server checks; the newer checksums not all of them know.
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                    s3={"addressing_style": "path" if self._endpoint else "auto", "payload_signing_enabled": False},
                )
                made = _session().create_client(
                    "s3", region_name=self._region or None, endpoint_url=self._endpoint or None, config=config
                )
                self._client = await self._stack.enter_async_context(made)
        return self._client

    async def close(self) -> None:
        """Let go of connections; a later request opens it again."""
        self._client = None
        await self._stack.aclose()

    async def _ask(self, verb: str, name: str | None = None, **given: Any) -> Any:
        """One request. Raises Gone, UNAVAILABLE."""
        if name is not None:
            given["Key"] = self._prefix + name
        with plain_faults():
            client = self._client or await self._open()
            return await getattr(client, verb)(Bucket=self._name, **given)

    async def mark(self) -> None:
        """Say that this is the place."""
        await self._ask("put_object", MARK, Body=b"")

    async def require_mark(self) -> None:
        """Raise UNAVAILABLE where this is not the place: what is missing here is not lost."""
        try:
            await self._ask("head_object", MARK)
        except Gone as fault:
            raise HubError(
                Kind.UNAVAILABLE, f"s3://{self._name}/{self._prefix} holds no objects of a hub; is it the right place?"
            ) from fault

    async def put(self, name: str, body: Body) -> None:
        """Store an object."""
        await self._ask("put_object", name, Body=body, ContentMD5=await body.md5())

    async def head(self, name: str) -> Stored | None:
        """What is known of an object; None when it is not there. Raises UNAVAILABLE."""
        try:
            found = await self._ask("head_object", name)
        except Gone:
            await self.require_mark()
            return None
        return Stored(name, found["ContentLength"], _seconds(found["LastModified"]))

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
        try:
            found = await self._ask("get_object", name, Range=f"bytes={start}-{start + length - 1}")
        except _OutOfRange as fault:
            raise Unreadable("short") from fault
        if found["ContentLength"] < length:
            found["Body"].close()
            raise Unreadable("short")
        async with found["Body"] as body:
            while True:
                with plain_faults():
                    piece = await body.read(PIECE)
                if not piece:
                    return
                yield piece

    async def delete(self, name: str) -> None:
        """Remove an object; no error when there is none."""
        with contextlib.suppress(Gone):
            await self._ask("delete_object", name)

    async def below(self, prefix: str) -> AsyncGenerator[Stored, None]:
        """The objects below a prefix."""
        more: dict[str, Any] = {}
        while True:
            page = await self._ask("list_objects_v2", Prefix=self._prefix + prefix, **more)
            for one in page.get("Contents", ()):
                yield Stored(one["Key"].removeprefix(self._prefix), one["Size"], _seconds(one["LastModified"]))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    async def has_any(self, prefix: str) -> bool:
        """Whether there is an object below a prefix."""
        page = await self._ask("list_objects_v2", Prefix=self._prefix + prefix, MaxKeys=1)
        return bool(page.get("Contents"))

    async def begin(self, name: str) -> str:
        """Begin a multipart upload; its id."""
        found = await self._ask("create_multipart_upload", name, ContentType="application/octet-stream")
        return str(found["UploadId"])

    async def put_part(self, name: str, upload: str, number: int, body: Body) -> str:
        """Store a part, in place of one of this number; its ETag. Raises Gone."""
        found = await self._ask(
            "upload_part", name, UploadId=upload, PartNumber=number, Body=body, ContentMD5=await body.md5()
        )
        return _plain_etag(found["ETag"])

    async def parts(self, name: str, upload: str) -> list[Part]:
        """The parts that the server has, in their order. Raises Gone."""
        found: list[Part] = []
        more: dict[str, Any] = {}
        while True:
            page = await self._ask("list_parts", name, UploadId=upload, **more)
            found += [Part(one["PartNumber"], one["Size"], _plain_etag(one["ETag"])) for one in page.get("Parts", ())]
            if not page.get("IsTruncated"):
                return found
            more = {"PartNumberMarker": page["NextPartNumberMarker"]}

    async def complete(self, name: str, upload: str, etags: list[str]) -> None:
        """Make an object of parts 1, 2 and so on. Raises Gone: when it was completed before, too."""
        listed = [{"PartNumber": number, "ETag": f'"{etag}"'} for number, etag in enumerate(etags, 1)]
        # An answer of 200 with an error in it is an error to the client as well.
        await self._ask("complete_multipart_upload", name, UploadId=upload, MultipartUpload={"Parts": listed})

    async def abort(self, name: str, upload: str) -> None:
        """Forget a multipart upload and its parts; no error when there is none."""
        with contextlib.suppress(Gone):
            await self._ask("abort_multipart_upload", name, UploadId=upload)

    async def unfinished(self, prefix: str) -> AsyncGenerator[Unfinished, None]:
        """The multipart uploads to names below a prefix."""
        more: dict[str, Any] = {}
        while True:
            page = await self._ask("list_multipart_uploads", Prefix=self._prefix + prefix, **more)
            for one in page.get("Uploads", ()):
                yield Unfinished(one["Key"].removeprefix(self._prefix), one["UploadId"], _seconds(one["Initiated"]))
            if not page.get("IsTruncated"):
                return
            more = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page.get("NextUploadIdMarker", "")}

    async def copy(self, source: str, target: str, size: int) -> None:
        """Copy an object inside the server. Raises Gone."""
        origin = {"Bucket": self._name, "Key": self._prefix + source}
        if size <= COPIED_AT_ONCE:
            await self._ask("copy_object", target, CopySource=origin)
            return
        upload = await self.begin(target)
        try:
            etags = []
            for number, start in enumerate(range(0, size, COPIED_AT_ONCE), 1):
                span = f"bytes={start}-{min(start + COPIED_AT_ONCE, size) - 1}"
                made = await self._ask(
                    "upload_part_copy", target, UploadId=upload, PartNumber=number, CopySource=origin,
                    CopySourceRange=span,
                )  # fmt: skip
                etags.append(_plain_etag(made["CopyPartResult"]["ETag"]))
            await self.complete(target, upload, etags)
        except BaseException:
            await self.abort(target, upload)
            raise

    async def address(self, name: str, seconds: int) -> str:
        """An address at which anybody can read an object for so long, and nothing else."""
        with plain_faults():
            client = self._client or await self._open()
            params = {
                "Bucket": self._name,
                "Key": self._prefix + name,
                "ResponseContentType": "application/octet-stream",
            }
            return str(await client.generate_presigned_url("get_object", Params=params, ExpiresIn=seconds))


class _OutOfRange(Exception):
    """The object ends before the first byte that was asked for."""


@contextlib.contextmanager
def plain_faults() -> Iterator[None]:
    """Turn what the client raises into Gone or UNAVAILABLE. No text of it holds a key or a signature."""
    try:
        yield
    except ClientError as fault:
        code = str(fault.response.get("Error", {}).get("Code", ""))
        if code in _MISSING or code == "NoSuchUpload":
            raise Gone(code) from fault
        if code in {"InvalidRange", "416"}:
            raise _OutOfRange from fault
        if code in {"InvalidPart", "InvalidPartOrder"}:
            raise Gone(code) from fault
        raise HubError(Kind.UNAVAILABLE, f"the bucket of blobs answers {code or 'with an error'}") from fault
    except (BotoCoreError, aiohttp.ClientError, TimeoutError, ConnectionError) as fault:
        raise HubError(Kind.UNAVAILABLE, f"the bucket of blobs cannot be reached ({type(fault).__name__})") from fault


def _plain_etag(text: str) -> str:
    return text.strip('"')


def _seconds(moment: datetime) -> float:
    return moment.timestamp()
