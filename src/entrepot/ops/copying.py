"""Copy stored objects from one place to another, several at a time, and tell of those that have no right bytes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeVar

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.store.blobs import Objects, Unreadable
from entrepot.store.sql.backup import Object

T = TypeVar("T")
LANES = 4
"""How many objects are copied at a time: most are small, and each waits for the disk twice."""
Progress = Callable[[str, int, int], None]
"""Told what is going on, and how many bytes of how many are done."""


def teller(what: str, total: int, progress: Progress) -> Callable[[int], None]:
    """Adds up bytes as they are done, and tells."""
    done = 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        progress(what, done, total)

    return told


class Source(Protocol):
    """Where objects are read from."""

    async def stored_size(self, key: str) -> int | None:
        """Bytes of an object; None when it is not there."""
        ...

    def stream(self, key: str, start: int, length: int) -> AsyncIterator[bytes]:
        """Bytes of an object."""
        ...


async def copy(source: Source, target: Objects, one: Object, told: Callable[[int], None]) -> str | None:
    """Copy one object; what is wrong with it where that cannot be. ``told``: how many bytes were done since.

    Raises UNAVAILABLE when the target cannot be written.
    """
    try:
        held = await source.stored_size(one.key)
        if held is None:
            return "its bytes are not there"
        if held != one.size:
            return f"{held} bytes are there, {one.size} were pushed"
        failpoint.at("copy.begun")
        await target.put(one.key, digests.parse(one.digest), _read(source, one, told))
        failpoint.at("copy.done")
    except Unreadable as fault:
        return f"its bytes are {fault.fault}"
    except HubError as fault:
        if fault.kind is not Kind.DIGEST_INVALID:
            raise
        return "its bytes have another digest"
    return None


async def wrong(source: Source, one: Object, told: Callable[[int], None]) -> str | None:
    """Read an object to its end; what is wrong with it, None when it is as its row says."""
    digest = digests.parse(one.digest)
    hasher = digests.hasher(digest.algorithm)
    try:
        held = await source.stored_size(one.key)
        if held is None:
            return "its bytes are not there"
        async for piece in _read(source, one, told):
            await asyncio.to_thread(hasher.update, piece)
    except Unreadable as fault:
        return f"its bytes are {fault.fault}"
    return None if held == one.size and hasher.hexdigest() == digest.hex else "its bytes have another digest"


async def _read(source: Source, one: Object, told: Callable[[int], None]) -> AsyncIterator[bytes]:
    """The bytes; what keeps them from being read must not look like the target's fault."""
    try:
        async for piece in source.stream(one.key, 0, one.size):
            yield piece
            told(len(piece))
    except OSError as fault:
        raise Unreadable("unreadable") from fault


async def in_lanes(items: Iterator[T], work: Callable[[T], Awaitable[Any]]) -> None:
    """Do ``work`` for each item, LANES of them at a time. The first refusal ends all."""

    async def lane() -> None:
        for item in items:
            await work(item)

    lanes = [asyncio.create_task(lane()) for _ in range(LANES)]
    try:
        await asyncio.gather(*lanes)
    finally:
        for one in lanes:
            one.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)
