"""An upload while it grows in a bucket: full parts of a multipart upload, and what is not a full part as an object.

What is not in ``Held`` was acknowledged by nobody. Acknowledged parts are never written again; ``Held`` has one digest
of their ETags, so parts that somebody overwrote who was not to are found out.

    u/ab/<session>_<word>   the target of the multipart upload, decided when it begins: nothing is copied at the end
    u/ab/<session>_<word>   the tail, a small object; of an upload without a full part it is the stored object itself
"""

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, NamedTuple

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.store.blobs import Broken, Sink, Unreadable
from entrepot.store.growing_file import GrowingFile
from entrepot.store.remote import Gone, Remote
from entrepot.store.remote_held import BLOBS, Held, chain, new_key, part_size, parts_size
from entrepot.store.remote_spool import Body, Spool

SLOTS = 3
"""Parts of one upload on the local disk: one fills while two are on their way."""
GUESSES = 64
"""Choices among parts of one number that are tried; a service that keeps one has no choice."""


class Progress(NamedTuple):
    """Where sending parts came to: the ETags of the full ones, and the open file with the bytes after them."""

    etags: list[str]
    descriptor: int
    rest: int


class Sender:
    """Receives a body and sends its full parts on. ``check`` raises when the upload is not the caller's any more."""

    def __init__(
        self, remote: Remote, spool: Spool, first: int, key: str, *, id: str = "", etags: list[str] | None = None,  # noqa: A002
        check: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._remote, self._first, self._check = remote, first, check
        self.key, self.id = key, id
        self._etags = list(etags or ())
        self._spool = spool
        self._slots = [spool.new_part()]  # the others when a part is full: most uploads have none
        self._busy: list[asyncio.Task[str] | None] = [None] * SLOTS
        self._sent: list[asyncio.Task[str]] = []
        self._slot = 0
        self._filled = 0
        self.accepted = 0

    async def __aenter__(self) -> "Sender":
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._sent:
            task.cancel()
        await asyncio.gather(*self._sent, return_exceptions=True)
        for slot in self._slots:
            os.close(slot)

    async def bring_back(self, tail: str, size: int) -> None:
        """Begin with the bytes of a tail. Raises UPLOAD_UNKNOWN when they are gone."""
        at = 0
        async for piece in self._remote.read(BLOBS + tail, 0, size):
            await asyncio.to_thread(os.pwrite, self._slots[0], piece, at)
            at += len(piece)
        self._filled = size

    async def send_again(self, held: Held) -> str:
        """Make the last part of the tail; its ETag."""
        await self.bring_back(held.tail, held.rest)
        body = Body(self._slots[0], held.rest)
        return await self._remote.put_part(BLOBS + self.key, self.id, held.count + 1, body)

    async def receive(self, body: AsyncIterator[bytes], sink: Sink) -> None:
        """Take the whole body; full parts are sent meanwhile. Broken goes on, with what is kept taken into account."""
        intake = _Intake(body)
        while not intake.is_over:
            number = len(self._etags) + len(self._sent) + 1
            size = part_size(number, self._first)
            file = GrowingFile(self._slots[self._slot])
            try:
                taken = await file.append(self._filled, intake.take(size - self._filled), sink)
            except Broken as broken:
                self._count(broken.written)
                if self._filled == size:
                    await self._send(number)
                raise
            self._count(taken)
            if self._filled == size:
                await self._send(number)

    def _count(self, taken: int) -> None:
        self.accepted += taken
        self._filled += taken

    async def _send(self, number: int) -> None:
        """Begin to send the part that is full; the next slot is free then."""
        self._check()
        if not self.id:
            self.id = await self._remote.begin(BLOBS + self.key)
            failpoint.at("remote.begun")
        body = Body(self._slots[self._slot], self._filled)
        task = asyncio.create_task(self._put(number, body))
        self._sent.append(task)
        self._busy[self._slot] = task
        self._slot, self._filled = (self._slot + 1) % SLOTS, 0
        if self._slot == len(self._slots):
            self._slots.append(self._spool.new_part())
        if (before := self._busy[self._slot]) is not None:
            await asyncio.shield(before)

    async def _put(self, number: int, body: Body) -> str:
        etag = await self._remote.put_part(BLOBS + self.key, self.id, number, body)
        failpoint.at("remote.part-sent")
        return etag

    async def settle(self) -> Progress:
        """Wait until every full part has arrived."""
        self._check()
        etags = self._etags + list(await asyncio.gather(*self._sent))
        self._check()
        return Progress(etags, self._slots[self._slot], self._filled)

    async def finish(self, done: Progress) -> None:
        """Make an object of all that came."""
        body, etags = Body(done.descriptor, done.rest), list(done.etags)
        if not etags:
            await self._remote.put(BLOBS + self.key, body)
            return
        if done.rest:
            etags.append(await self._remote.put_part(BLOBS + self.key, self.id, len(etags) + 1, body))
        await self._remote.complete(BLOBS + self.key, self.id, etags)


class _Intake:
    """A body cut into parts, wherever its chunks end."""

    def __init__(self, body: AsyncIterator[bytes]) -> None:
        self._body = body
        self._over = b""
        self.is_over = False

    async def take(self, most: int) -> AsyncIterator[bytes]:
        """The next bytes, at most so many."""
        left = most
        while left:
            try:
                chunk = self._over or await anext(self._body)
            except StopAsyncIteration:
                self.is_over = True
                return
            self._over = chunk[left:] if len(chunk) > left else b""
            piece = chunk[:left] if len(chunk) > left else chunk
            left -= len(piece)
            yield piece


class GrowingParts:
    """The Growing port over a bucket."""

    def __init__(
        self, remote: Remote, spool: Spool, upload: str, held: Held, known: list[str] | None, check: Callable[[], None],
        *, is_one_request: bool,
    ) -> None:  # fmt: skip
        self._remote, self._spool, self._upload, self._check = remote, spool, upload, check
        self._is_one_request = is_one_request
        self.now = held
        self.etags = known
        self.left = ""
        """A tail that is needed until the row says what came after it."""

    @property
    def size(self) -> int:
        """Bytes held."""
        return self.now.size

    @property
    def held(self) -> str:
        """As the row keeps it."""
        return self.now.text()

    def undo(self) -> None:
        """Nothing is made before there are bytes."""

    async def append(self, offset: int, body: AsyncIterator[bytes], sink: Sink) -> int:
        """Send full parts while more comes, and what is left at the end as a tail; see the port."""
        before = self.now
        if offset != before.size:
            raise HubError(Kind.RANGE_INVALID, f"the next byte is {before.size}, not {offset}")
        with upload_faults(self._upload):
            etags = self.etags if self.etags is not None else await acknowledged(self._remote, before)
            sender = Sender(
                self._remote, self._spool, before.first, before.key or new_key(self._upload),
                id=before.id, etags=etags[: before.count], check=self._check,
            )  # fmt: skip
            async with sender:
                if before.rest:
                    await sender.bring_back(before.tail, before.rest)
                broken = False
                try:
                    await sender.receive(body, sink)
                except Broken:
                    broken = True
                if sender.accepted:
                    await self._keep(sender, await sender.settle(), is_end=self._is_one_request and not broken)
                if broken:
                    raise Broken(sender.accepted)
                return sender.accepted

    async def commit(self, algorithm: str, encoded: str) -> str:
        """As the store does, with what was sent by this very writer."""
        del algorithm, encoded
        with upload_faults(self._upload):
            key = await store(self._remote, self._spool, self._upload, self.now, self.etags)
        self.etags = None
        return key

    async def _keep(self, sender: Sender, done: Progress, *, is_end: bool) -> None:
        """Make what is left after the full parts safe: as a tail, and as the last part, should this be the end."""
        before = self.now
        tail = last = ""
        if done.rest:
            sending: list[Coroutine[Any, Any, Any]] = []
            if done.etags:
                body, number = Body(done.descriptor, done.rest), len(done.etags) + 1
                sending.append(self._remote.put_part(BLOBS + sender.key, sender.id, number, body))
            if not (done.etags and is_end):
                tail = new_key(self._upload)
                sending.append(self._remote.put(BLOBS + tail, Body(done.descriptor, done.rest)))
            sent = await _at_once(sending)
            last = sent[0] if done.etags else ""
            failpoint.at("remote.tail-sent")
        size = parts_size(len(done.etags), before.first) + done.rest
        key = sender.key if done.etags else ""
        self.etags = done.etags + ([last] if last else [])
        self.now = Held(
            before.first, size, key, sender.id, len(done.etags), chain(done.etags) if done.etags else "", last, tail
        )
        self.left = before.tail


async def _at_once(requests: list[Coroutine[Any, Any, Any]]) -> list[Any]:
    """Do all at once; none goes on when this ends."""
    tasks = [asyncio.ensure_future(one) for one in requests]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def acknowledged(remote: Remote, held: Held) -> list[str]:
    """The ETags of the full parts that were acknowledged, and of the last one if it is there, from the server.

    Raises Gone when they are not what was acknowledged: somebody wrote who was not to, or the bucket's lifecycle rules
    removed them.
    """
    if not held.count:
        return []
    found = await remote.parts(BLOBS + held.key, held.id)
    # Where a service keeps several of one number: tails are smaller, and of full ones the digest tells.
    same: list[list[str]] = [[] for _ in range(held.count)]
    for one in found:
        if one.number <= held.count and one.size == part_size(one.number, held.first):
            same[one.number - 1].append(one.etag)
    for etags in itertools.islice(itertools.product(*same), GUESSES):
        if chain(list(etags)) == held.etags:
            is_last = held.last and any((one.number, one.etag) == (held.count + 1, held.last) for one in found)
            return [*etags, *([held.last] if is_last else [])]
    raise Gone("its parts are others")


async def store(remote: Remote, spool: Spool, upload: str, held: Held, known: list[str] | None) -> str:
    """Make all that is held a stored object; its key. Raises Gone when it is not there (any more).

    ``known``: the ETags of its parts (none for a tail only) where this process sent them a short while ago.
    """
    if not held.size:
        key = new_key(upload)
        await remote.put(BLOBS + key, Body(-1, 0))
        return key
    if not held.count:  # the tail is the stored object already
        if known is None:
            found = await remote.head(BLOBS + held.tail)
            if found is None or found.size != held.size:
                raise Gone(upload)
        return held.tail
    await complete(remote, spool, held, known)
    if held.tail:
        with contextlib.suppress(HubError):  # the sweep takes it otherwise
            await remote.delete(BLOBS + held.tail)
        failpoint.at("remote.tail-gone")
    return held.key


async def complete(remote: Remote, spool: Spool, held: Held, known: list[str] | None) -> None:
    """Make the stored object of what was acknowledged. Raises Gone when it is not there; harmless to repeat.

    ``known``: the ETags where this process sent the parts itself. Complete may have been done before: its answer was
    lost, or the process that waited for it was killed.
    """
    try:
        await _complete(remote, spool, held, known)
    except Gone:
        stored = await remote.head(BLOBS + held.key)
        if stored is not None and stored.size == held.size:
            return
        if known is None:
            raise
        await _complete(remote, spool, held, None)


async def _complete(remote: Remote, spool: Spool, held: Held, known: list[str] | None) -> None:
    etags = known if known is not None else await acknowledged(remote, held)
    if held.rest and len(etags) == held.count:
        # A writer that was refused, or was killed, wrote its own last part over the one that was acknowledged.
        async with Sender(remote, spool, held.first, held.key, id=held.id) as sender:
            etags = [*etags, await sender.send_again(held)]
    await remote.complete(BLOBS + held.key, held.id, etags)
    failpoint.at("remote.completed")


@contextlib.contextmanager
def upload_faults(upload: str) -> Iterator[None]:
    """What is not there (any more) ends the upload."""
    try:
        yield
    except (Gone, Unreadable) as fault:
        raise HubError(Kind.UPLOAD_UNKNOWN, upload[:64]) from fault
