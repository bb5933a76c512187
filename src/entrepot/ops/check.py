"""Check a hub: rows against bytes, counters against rows. Runs beside a server that goes on."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import check as sql
from entrepot.store.sql import collect as collect_sql
from entrepot.store.sql.check import BlobRow

PAGE = 500
Progress = Callable[[int, int], None]


class Finding(NamedTuple):
    """Something that is not as it should be."""

    kind: str
    what: str
    is_repaired: bool = False


async def check(hub: Hub, *, deep: bool, repair: bool, progress: Progress) -> list[Finding]:
    """Everything that is found; with ``repair`` counters are set to what their rows say."""
    found: list[Finding] = []
    total = await hub.db.read(sql.blob_count) + hub.blobs.shards
    done, after = 0, 0
    while page := await hub.db.read(sql.blobs, after, PAGE):
        for blob in page:
            wrong = await _blob(hub, blob, deep=deep)
            # It may have been collected between the two looks; then nothing is wrong.
            still: bool = wrong is not None and await hub.db.read(sql.is_there, blob.id)
            if wrong is not None and still:
                found.append(wrong)
        after = page[-1].id
        done += len(page)
        progress(done, total)
    for shard in range(hub.blobs.shards):
        keys = await hub.blobs.old_objects(shard, hub.clock() - hub.settings.upload_seconds)
        unknown = await hub.db.read(collect_sql.unknown_keys, keys)
        found += [Finding("orphan", f"{key}: bytes that no row knows; `entrepot gc` removes them") for key in unknown]
        progress(done + shard + 1, total)
    if deep:
        found += await _manifests(hub)
    found += [
        Finding("dangling", f"manifest {digest} of {image} names a blob that is not linked there")
        for image, digest in await hub.db.read(sql.unlinked)
    ]
    return found + await _counters(hub, repair=repair)


async def _blob(hub: Hub, blob: BlobRow, *, deep: bool) -> Finding | None:
    algorithm, _, encoded = blob.digest.partition(":")
    hasher = hashlib.new(algorithm)
    if blob.inside is not None:
        if blob.inside != blob.size:
            return Finding("damaged", f"blob {blob.digest}: {blob.inside} bytes in its row, {blob.size} were pushed")
        if deep:
            hasher.update(await hub.db.read(sql.content, blob.id))
    else:
        held = await hub.blobs.stored_size(blob.key)
        if held is None:
            return Finding("missing", f"blob {blob.digest}: its bytes ({blob.key}) are not there")
        if held != blob.size:
            return Finding("damaged", f"blob {blob.digest}: {held} bytes are there, {blob.size} were pushed")
        if deep:
            async for piece in hub.blobs.stream(blob.key, 0, blob.size):
                hasher.update(piece)
    if deep and hasher.hexdigest() != encoded:
        return Finding("damaged", f"blob {blob.digest}: its bytes have another digest; push it again")
    return None


async def _manifests(hub: Hub) -> list[Finding]:
    found, after = [], 0
    while page := await hub.db.read(sql.manifests, after, PAGE):
        for manifest_id, digest, content in page:
            algorithm, _, encoded = digest.partition(":")
            if hashlib.new(algorithm, content).hexdigest() != encoded:
                found.append(Finding("damaged", f"manifest {digest}: its bytes have another digest; push it again"))
            after = manifest_id
    return found


async def _counters(hub: Hub, *, repair: bool) -> list[Finding]:
    """Each counter is compared, and set, in one transaction: pushes go on meanwhile."""

    def compare(rows: Rows) -> list[Finding]:
        return [
            Finding("counter", f"{counter.name} of {what}: {kept} is kept, {counted} is right", repair)
            for counter in sql.COUNTERS
            for what, kept, counted in sql.wrong(rows, counter)
        ]

    def mend(rows: Rows) -> list[Finding]:
        found = compare(rows)
        if found:
            for counter in sql.COUNTERS:
                sql.mend(rows, counter)
        return found

    return await (hub.db.write(mend) if repair else hub.db.read(compare))
