"""Make a hub big, for measuring: buckets and images as rows that pushes would have left, without the pushes.

Blobs are not made: the manifests name none. Names are scattered, so that every index is met in random order.
"""

import hashlib
from collections.abc import AsyncIterator

from entrepot.model.manifest import OCI_INDEX
from entrepot.ops.context import Hub
from entrepot.store.sql import seed as sql

BATCH = 5000


async def seed(hub: Hub, *, buckets: int, images: int, region: str) -> AsyncIterator[int]:
    """Add buckets (every second one public, spread over the accounts there are) with their share of the images.

    Yields how many buckets are there after each batch.
    """
    accounts = await hub.db.read(sql.accounts)
    now = int(hub.clock())
    for start in range(0, buckets, BATCH):
        batch = []
        for number in range(start, min(start + BATCH, buckets)):
            account_id, project_id = accounts[number % len(accounts)]
            here = images * (number + 1) // buckets - images * number // buckets
            scatter = hashlib.sha256(str(number).encode()).hexdigest()[:12]
            batch.append(sql.Seed(f"seed-{scatter}", account_id, project_id, bool(number // len(accounts) % 2), here))
        await hub.db.note(sql.add, batch, region, OCI_INDEX, now)
        yield start + len(batch)
