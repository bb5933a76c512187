"""Runs on DBOS: its records make a run go on where it was killed; what a run does next, the interpreter says.

DBOS lives in a thread with a loop of its own, so that its database never holds up the hub's. It is imported and started
when there is a run to be done, or a trigger, in the one process that holds the lock of the data folder.
"""

import asyncio
import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import flow_runs as runs_sql
from entrepot.store.sql import triggers as triggers_sql

if TYPE_CHECKING:
    from dbos import DBOSClient

    from entrepot.flows.durable import Durable

T = TypeVar("T")
LOCK = "flow.lock"
CHORE = "flows"
PERIOD = 1.0
"""Seconds between looks at what other processes asked for."""
BATCH = 50
MOST_AT_ONCE = 100
"""Most runs that are at work at once, those that are steps of others not counted."""
FORGET_PERIOD = 600.0

log = structlog.get_logger("flows")


def _is_needed(rows: Rows) -> bool:
    """Whether there is a run to be done, or a trigger that may ask for one: starting takes seconds, an event cannot."""
    return runs_sql.has_open(rows) or triggers_sql.any_enabled(rows)


class FlowEngine:
    """The engine of a hub (ops.flows.Engine). ``run`` is its chore."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._woken = asyncio.Event()
        self._durable: Durable | None = None
        self._lock: int | None = None
        self._nodes: contextlib.AsyncExitStack | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread
        self._client: DBOSClient | None = None
        self._forgotten_at = 0.0

    def wake(self) -> None:
        """Look for what was asked for."""
        self._woken.set()

    async def steps(self, instance_id: str) -> list[dict[str, Any]]:
        """The recorded steps of a run; also where another process runs it."""
        from entrepot.flows import records

        if not records.are_there(self._hub):
            return []
        if self._client is None:
            self._client = records.open_client(self._hub)
        try:
            return await asyncio.to_thread(records.steps, self._client, instance_id)
        except records.Unreadable as fault:
            raise HubError(Kind.UNAVAILABLE, "the records of steps are being opened") from fault

    async def run(self) -> None:
        """Until cancelled: start and stop what is asked for."""
        try:
            while True:
                self._woken.clear()
                try:
                    await self._step()
                    self._hub.did("workflows")
                except HubError as fault:  # a full disk or a busy database passes; the engine stays
                    log.warning("workflow step failed", reason=fault.message)
                except Exception:
                    log.exception("workflow engine failed; it tries again")
                # Not wait_for: that may lose a cancellation that comes with what it waits for.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(PERIOD):
                        await self._woken.wait()
        finally:
            await self._stop()

    async def _step(self) -> None:
        if await self._hub.db.is_read_only():  # what waits is done where the hub has moved to
            await self._stop()
            return
        if self._durable is not None and not await self._hub.db.still_alone(CHORE):
            await self._stop()  # another node may run them by now
        if self._durable is None:
            if not await self._hub.db.read(_is_needed) or not await self._is_mine():
                return
            await self._start()
        assert self._durable is not None
        for instance in await self._hub.db.read(runs_sql.in_state, "Cancelling", BATCH):
            await self._elsewhere(self._durable.cancel(instance.id))
            await self._hub.db.write(self._ended, instance.id, "Cancelled", "", "cancelled")
        for instance in await self._hub.db.read(runs_sql.in_state, "Waiting", 10 * BATCH):
            if instance.depth or len(self._durable.at_work) < MOST_AT_ONCE:
                # Started first, noted afterwards: a kill between the two starts the same run again, which is one run.
                await self._elsewhere(self._durable.begin(instance.id, instance.forked_from, instance.from_step))
                await self._hub.db.write(runs_sql.begin, instance.id)
        if time.monotonic() - self._forgotten_at > FORGET_PERIOD:
            self._forgotten_at = time.monotonic()
            await self._forget()

    async def _is_mine(self) -> bool:
        """Whether this process is the one that runs workflows: the first one that asks, of all nodes, until it ends."""
        if not self._locked():
            return False
        if self._nodes is None:
            nodes = contextlib.AsyncExitStack()
            if not await nodes.enter_async_context(self._hub.db.alone(CHORE)):
                await nodes.aclose()
                return False
            self._nodes = nodes
        return True

    def _locked(self) -> bool:
        if self._lock is None:
            descriptor = os.open(self._hub.settings.data_dir / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(descriptor)
                return False
            self._lock = descriptor
        return True

    async def _start(self) -> None:
        from entrepot.flows.durable import Durable  # importing DBOS takes longer than starting a hub

        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="workflows", daemon=True)
        self._thread.start()
        self._durable = durable = Durable(self._hub, asyncio.get_running_loop())
        try:
            await self._elsewhere(durable.launch())
        except Exception:
            await self._stop()
            raise
        # A run whose records were lost cannot go on: nobody knows what it did.
        for instance in await self._hub.db.read(runs_sql.in_state, "Running", 100_000):
            gone = await self._elsewhere(durable.why_gone(instance.id))
            if gone:
                await self._hub.db.write(self._ended, instance.id, "Failure", "", gone)

    async def _forget(self) -> None:
        before = int(self._hub.clock()) - self._hub.settings.flow_days * 86_400
        assert self._durable is not None
        while ids := await self._hub.db.read(runs_sql.ended_before, before, BATCH):
            await self._elsewhere(self._durable.forget(ids))
            await self._hub.db.write(runs_sql.forget, ids)

    def _ended(self, rows: Rows, instance_id: str, state: str, output: str, fault: str) -> None:
        runs_sql.end(rows, instance_id, state, output, fault, int(self._hub.clock()))

    async def _elsewhere(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))

    async def _stop(self) -> None:
        if self._durable is not None and self._loop is not None:
            with contextlib.suppress(Exception):
                await asyncio.shield(self._elsewhere(self._durable.stop()))
            self._loop.call_soon_threadsafe(self._loop.stop)
            await asyncio.to_thread(self._thread.join)
            self._loop.close()
        self._durable = None
        if self._client is not None:
            await asyncio.to_thread(self._client.destroy)
            self._client = None
        if self._nodes is not None:
            await self._nodes.aclose()
            self._nodes = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
