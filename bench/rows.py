"""What a push costs in the rows: statements, bytes of log, bytes by table and index. The numbers of docs/scale.md.

    python -m bench.rows [--images N] [--pushes N]

A team's pushes, played through the verbs: each build of an image has a new config, two new layers and four that its
predecessor had, and moves `latest` beside a tag of its own. Layers are stored objects, so no bytes of them are counted.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import sqlite3
import sys
import tempfile
from pathlib import Path

from entrepot import config, wiring
from entrepot.model.manifest import OCI_MANIFEST
from entrepot.model.names import Repository
from entrepot.ops import buckets, manifests, people
from entrepot.ops.context import Ctx, Hub
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import buckets as buckets_sql

LAYER, CONFIG = "application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.oci.image.config.v1+json"
NEW, KEPT = 2, 4


def _digest(*parts: object) -> str:
    return "sha256:" + hashlib.sha256(repr(parts).encode()).hexdigest()


def _descriptor(kind: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest, "size": size}


async def _push(hub: Hub, ctx: Ctx, bucket_id: int, image: int, build: int) -> None:
    """One build: what is new of it is stored and linked, then manifest and tags."""
    layers = [_digest(image, max(0, build - age), age % NEW) for age in range(NEW + KEPT)]
    blobs = [_digest(image, build, "config"), *layers]
    name = f"team-{image % 40}/service-{image}"

    def store(rows: Rows) -> None:
        image_id = buckets_sql.image_for_push(rows, bucket_id, name, ctx.now)
        for digest in blobs:
            plain = digest.partition(":")[2]
            key = f"sha256/{plain[:2]}/{plain}-{hub.new_id()}"
            blob_id, _ = blobs_sql.keep(rows, digest=digest, size=30_000_000, key=key, now=ctx.now)
            blobs_sql.link(rows, image_id, blob_id, ctx.now, hub.settings.grace_seconds)

    await hub.db.note(store)
    content = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": _descriptor(CONFIG, blobs[0], 8_000),
            "layers": [_descriptor(LAYER, one, 30_000_000) for one in layers],
        }
    ).encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    repository = Repository("rows-measured", name)
    await manifests.put(ctx, bucket_id, repository, digest, content, OCI_MANIFEST, [f"build-{build}", "latest"])


async def _play(folder: Path, images: int, pushes: int) -> str:
    """Play the pushes; what the last round of them, one at a time, cost in statements and in the database's log."""
    hub = await wiring.open_hub(config.load(environ={}, data=str(folder)), create=True)
    await people.first_account(hub, email="rows@example.com", password=hub.new_id())
    ctx = Ctx(hub, await people.operator(hub))
    await buckets.create(ctx, "rows-measured", region=hub.settings.default_region)
    place = await hub.db.read(buckets_sql.by_name, "rows-measured")
    assert place is not None
    for build in range(pushes - 1):
        for image in range(images):
            await _push(hub, ctx, place.id, image, build)
    with contextlib.closing(sqlite3.connect(folder / "hub.db", isolation_level=None)) as reader:
        reader.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # As long as somebody reads an old state, the log is not begun anew: its size tells what was written.
        reader.execute("BEGIN")
        reader.execute("SELECT COUNT(*) FROM account").fetchall()
        before = hub.db.statements  # type: ignore[attr-defined]
        for image in range(images):
            await _push(hub, ctx, place.id, image, pushes - 1)
        statements = (hub.db.statements - before) / images  # type: ignore[attr-defined]
        log = (folder / "hub.db-wal").stat().st_size / images
    await wiring.close_hub(hub)
    return f"{statements:.0f} statements and {log:,.0f} bytes of log a push, one at a time"


def _print(folder: Path, count: int) -> None:
    rows = sqlite3.connect(folder / "hub.db")
    sizes = rows.execute("SELECT name, SUM(pgsize) FROM dbstat GROUP BY name ORDER BY 2 DESC").fetchall()
    [[blobs]] = rows.execute("SELECT COUNT(*) FROM blob").fetchall()
    rows.close()
    total = sum(size for _, size in sizes)
    sys.stdout.write(f"{count:,} pushes, {blobs:,} blobs, {total / count:,.0f} bytes of rows a push\n")
    for name, size in sizes:
        if size / count >= 1:
            sys.stdout.write(f"{size / count:9,.0f}  {name}\n")


def main() -> int:
    """Print bytes a push, in all and by table and index."""
    parser = argparse.ArgumentParser(prog="python -m bench.rows", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--pushes", type=int, default=40)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-") as folder:
        cost = asyncio.run(_play(Path(folder), given.images, given.pushes))
        _print(Path(folder), given.images * given.pushes)
        sys.stdout.write(f"{cost}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
