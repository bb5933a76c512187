"""What collection costs those who push: 16 clients push while a hub collects, and while it has nothing to collect.

    python -m bench.collecting [--blobs N] [--rounds N] [--images N] [--clients N]

The rounds alternate. Half of the garbage is files, half lives in rows. Printed: the 99th percentile of a push of five
requests (three layers, config, manifest) in both, their ratio, how much was collected in which time, and the memory.
"""

import argparse
import asyncio
import hashlib
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench import procs, tools
from bench.load import MIB, drive
from bench.servers import BUCKET, Hub
from entrepot import config, wiring
from entrepot.store.db import Rows
from entrepot.store.sql import blobs as blobs_sql
from entrepot.store.sql import collect as collect_sql

SIZE = 4096
NEVER = 2**40
BATCH = 1000


def tell(line: str) -> None:
    """A line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def litter(hub: Hub, count: int) -> None:
    """Blobs that nothing links, candidates whose time never comes; ``due`` brings it."""
    opened = await wiring.open_hub(config.load(environ={}, data=str(hub.data)))
    folder = hub.data / "blobs"

    def add(rows: Rows, made: list[tuple[str, str, bytes | None]]) -> None:
        for digest, key, content in made:
            blob, _ = blobs_sql.keep(rows, digest=digest, size=SIZE, key=key, now=0, content=content)
            collect_sql.watch_blob(rows, blob, NEVER)

    for start in range(0, count, BATCH):
        made: list[tuple[str, str, bytes | None]] = []
        for number in range(start, min(start + BATCH, count)):
            content = os.urandom(SIZE)
            name = hashlib.sha256(content).hexdigest()
            if number % 2:
                made.append((f"sha256:{name}", f"row:{name}", content))
                continue
            key = f"sha256/{name[:2]}/{name}-litter"
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            (folder / key).write_bytes(content)
            made.append((f"sha256:{name}", key, None))
        await opened.db.note(add, made)
    await wiring.close_hub(opened)


def candidates(hub: Hub, *, due: bool) -> int:
    """How many blobs are or are not due."""
    sign = "<=" if due else ">"
    with sqlite3.connect(hub.data / "hub.db") as rows:
        [count] = rows.execute(f"SELECT COUNT(*) FROM gc_blob WHERE review_after {sign} 0").fetchone()
    rows.close()
    return int(count)


def bring_time(hub: Hub, count: int) -> None:
    """So many candidates are due now."""
    with sqlite3.connect(hub.data / "hub.db") as rows:
        rows.execute(
            "UPDATE gc_blob SET review_after = 0 WHERE blob_id IN"
            " (SELECT blob_id FROM gc_blob WHERE review_after > 0 LIMIT ?)",
            (count,),
        )
    rows.close()


def one_round(hub: Hub, given: argparse.Namespace, due: int) -> tuple[list[float], float, float]:
    """(seconds of each push, blobs collected a second meanwhile, MiB resident at most)."""
    bring_time(hub, due)
    hub.start()
    assert hub.process is not None
    began = time.perf_counter()
    told = drive(hub, "push", repos=f"{BUCKET}/busy", count=given.images, clients=given.clients, verify=0)
    took, left = time.perf_counter() - began, candidates(hub, due=True)
    memory = procs.peak(hub.process.pid) / MIB
    while due and candidates(hub, due=True):
        time.sleep(0.2)
    hub.stop()
    return list(told["seconds"]["push"]), (due - left) / took, memory


def main() -> int:
    """Print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m bench.collecting", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--blobs", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=800)
    parser.add_argument("--clients", type=int, default=16)
    given = parser.parse_args()
    tools.driver()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-", ignore_cleanup_errors=True) as folder:
        hub = Hub(Path(folder) / "hub")
        tell(f"making {given.blobs:,} blobs that nothing links")
        asyncio.run(litter(hub, given.blobs))
        ratios, share = [], given.blobs // given.rounds
        for number in range(given.rounds):
            off, _, idle = one_round(hub, given, 0)
            on, rate, busy = one_round(hub, given, share)
            p99 = [statistics.quantiles(one, n=100)[98] * 1000 for one in (off, on)]
            ratios.append(p99[1] / p99[0])
            tell(
                f"round {number + 1}: p99 of a push {p99[0]:.0f} ms without, {p99[1]:.0f} ms with collection"
                f" ({ratios[-1]:.2f} x); {rate:,.0f} blobs collected a second; {idle:.0f} and {busy:.0f} MiB"
            )
        left = candidates(hub, due=False) + candidates(hub, due=True)
        tell(f"median ratio {statistics.median(ratios):.2f}; {given.blobs - left:,} blobs collected, {left:,} left")
    return 0


if __name__ == "__main__":
    sys.exit(main())
