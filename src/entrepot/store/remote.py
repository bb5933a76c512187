"""The Remote port: one bucket of an object storage service under one prefix, and the requests that are made to it.

Names here are below the prefix. Nothing here knows of uploads, keys of rows, or digests. ``remote_s3`` speaks to S3
servers and ``remote_azure`` to Azure; what is built of these requests is in ``blobs_remote`` and ``remote_uploads``.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple, Protocol

from entrepot.errors import HubError, Kind
from entrepot.store.remote_spool import Body

PIECE = 1024 * 1024
_TRIES = 3
MARK = "entrepot"
"""An object that says this is the place: where it is missing, all is missing because the place is another one."""


class Stored(NamedTuple):
    """An object, its bytes, and when it was stored (Unix seconds)."""

    name: str
    size: int
    modified: float


class Unfinished(NamedTuple):
    """A multipart upload that was not completed."""

    name: str
    id: str
    begun: float


class Part(NamedTuple):
    """A part that the server has of one."""

    number: int
    size: int
    etag: str


class Gone(Exception):
    """The multipart upload, or the object, is not there."""


class Remote(Protocol):
    """Each request raises UNAVAILABLE when the service cannot be asked, or refuses for a reason of its own."""

    async def close(self) -> None:
        """Let go of connections; a later request opens them again."""
        ...

    async def mark(self) -> None:
        """Say that this is the place."""
        ...

    async def put(self, name: str, body: Body) -> None:
        """Store an object."""
        ...

    async def head(self, name: str) -> Stored | None:
        """What is known of an object; None when it is not there. Raises UNAVAILABLE where this is not the place."""
        ...

    def read(self, name: str, start: int, length: int) -> AsyncGenerator[bytes, None]:
        """Bytes of an object, in pieces of at most 1 MiB. Raises Unreadable, UNAVAILABLE.

        What breaks off on the way is asked for again from there.
        """
        ...

    async def delete(self, name: str) -> None:
        """Remove an object; no error when there is none."""
        ...

    def below(self, prefix: str) -> AsyncGenerator[Stored, None]:
        """The objects below a prefix."""
        ...

    async def has_any(self, prefix: str) -> bool:
        """Whether there is an object below a prefix."""
        ...

    async def begin(self, name: str) -> str:
        """Begin a multipart upload; its id."""
        ...

    async def put_part(self, name: str, upload: str, number: int, body: Body) -> str:
        """Store a part, in place of one of this number or beside it; its ETag, which tells its bytes from others.

        Raises Gone, if the service knows that the upload has ended.
        """
        ...

    async def parts(self, name: str, upload: str) -> list[Part]:
        """The parts that the service has, by their numbers; several of one where it keeps them. Raises Gone."""
        ...

    async def complete(self, name: str, upload: str, etags: list[str]) -> None:
        """Make an object of parts 1, 2 and so on. Raises Gone.

        When it was completed before, the object stays as it is: some services raise Gone, others do the same again.
        """
        ...

    async def abort(self, name: str, upload: str) -> None:
        """Forget a multipart upload and its parts; no error when there is none."""
        ...

    def unfinished(self, prefix: str) -> AsyncGenerator[Unfinished, None]:
        """The multipart uploads to names below a prefix."""
        ...

    async def copy(self, source: str, target: str, size: int) -> None:
        """Copy an object inside the service. Raises Gone."""
        ...

    async def address(self, name: str, seconds: int) -> str:
        """An address at which anybody can read an object for so long, and nothing else."""
        ...


async def steadily(
    read: Callable[[int, int], AsyncGenerator[bytes, None]], start: int, length: int
) -> AsyncGenerator[bytes, None]:
    """So many bytes from a place on. What breaks off on the way is read again from there.

    ``read`` gives bytes from a place on, at most so many. Raises UNAVAILABLE when it comes no further.
    """
    done, tries = 0, 0
    while done < length:
        before, fault = done, None
        try:
            async with contextlib.aclosing(read(start + done, length - done)) as pieces:
                async for piece in pieces:
                    done += len(piece)
                    yield piece
        except HubError as why:
            fault = why
        tries = tries + 1 if done == before else 0
        if done < length and tries == _TRIES:
            raise fault or HubError(Kind.UNAVAILABLE, "the bucket of blobs sends less than it says")
        await asyncio.sleep(tries / 4)
