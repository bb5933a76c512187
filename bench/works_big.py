"""Starting on much data, and many large pushes at once. The large sizes come with --big only."""

import shutil
import time
from functools import partial

from bench import procs
from bench.course import Course, skipped
from bench.load import MIB, drive
from bench.results import Bar, Row, in_turn
from bench.servers import BUCKET, DISTRIBUTION, OURS, Distribution, Hub, Server

GIB = 1024 * MIB
PUSHES = 32
BUCKETS = 1000


def starts(course: Course) -> list[Row]:
    """From the start of the process to the first 200."""
    images = 1_000_000 if course.big else 10_000
    hub = Hub(course.folder / "hub-start")
    course.servers.append(hub)
    course.tell(f"seeding {images:,} manifests")
    hub.cli("bench", "seed", "--buckets", str(BUCKETS), "--images", str(images), seconds=3600)
    contestants = {OURS: partial(_start, hub)}
    if Distribution.binary:
        peer = Distribution(course.folder / "distribution-start")
        course.servers.append(peer)
        contestants[DISTRIBUTION] = partial(_start, peer)
    values = in_turn(course.tell, "start to ready", "s", course.pace.starts, contestants)
    note = "distribution starts empty: it reads nothing at its start"
    bars = [Bar(at_most=1)] if course.big else []
    if not course.big:
        note += "; the bar is about 1,000,000 manifests: --big"
    return [Row(f"start to ready, {images:,} manifests", "s", values, bars, note)]


def _start(server: Server) -> float:
    began = time.perf_counter()
    server.start()
    took = time.perf_counter() - began
    server.stop()
    return took


def large_pushes(course: Course) -> list[Row]:
    """Pushes of 1 GiB at once; the most memory that the hub's processes had, added up. Once, not in rounds."""
    if not course.big:
        raise skipped(f"{PUSHES} pushes of 1 GiB at once come with --big")
    if not course.room_for(PUSHES * GIB):
        raise skipped(f"{PUSHES} GiB do not fit on this disk")
    hub = Hub(course.folder / "hub-large")
    course.add(hub)
    assert hub.process is not None
    idle = procs.peak(hub.process.pid) / MIB
    told = drive(hub, "big", repos=f"{BUCKET}/large", size=GIB, clients=PUSHES, verify=2)
    most = procs.peak(hub.process.pid) / MIB
    took = float(told["medians"]["big"])
    hub.stop()
    shutil.rmtree(hub.folder, ignore_errors=True)
    course.tell(f"{PUSHES} pushes of 1 GiB: {most:.0f} MiB at most, {took:.0f} s")
    note = f"idle {idle:.0f} MiB; all took {took:.0f} s, {PUSHES * 1024 / took:.0f} MiB/s; 2 blobs read back"
    return [Row(f"memory for {PUSHES} pushes of 1 GiB at once", "MiB", {OURS: [most]}, [Bar(at_most=250)], note)]
