"""One node of several writes to an upload at a time: a lease in the rows, renewed while it writes.

Which of a node's own processes writes is not told here; files' locks do that, and end by themselves with the process.
Rows decide in the end (an acknowledgement counts only from where the upload was), so a lease that ran out unnoticed
costs an upload at worst, never its bytes.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from entrepot.errors import HubError
from entrepot.store.db import Database
from entrepot.store.remote_spool import taken
from entrepot.store.sql import leases as sql

SECONDS = 20
"""How long a node that died keeps others from its uploads."""


class RowLeases:
    """Leases of one node."""

    def __init__(self, db: Database, node: str, clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._db, self._node, self._clock, self._monotonic = db, node, clock, monotonic

    @contextlib.asynccontextmanager
    async def holding(self, upload: str) -> AsyncIterator[Callable[[], None]]:
        """Hold a lease; what is given raises RANGE_INVALID once it may be another node's.

        Raises RANGE_INVALID while another node holds it.
        """
        until = [await self._claim(upload)]

        def check() -> None:
            if self._monotonic() >= until[0]:
                raise taken()

        async def renew() -> None:
            while True:
                await asyncio.sleep(SECONDS / 4)
                with contextlib.suppress(HubError):  # a busy database passes; the lease tells when it did not
                    until[0] = await self._claim(upload)

        renewing = asyncio.create_task(renew())
        try:
            yield check
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)
            with contextlib.suppress(HubError):
                await self._db.note(sql.release, upload, self._node)

    async def _claim(self, upload: str) -> float:
        asked, now = self._monotonic(), int(self._clock())
        if not await self._db.note(sql.claim, upload, self._node, now, now + SECONDS):
            raise taken()
        return asked + SECONDS - 2  # clocks of nodes differ a little
