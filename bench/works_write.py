"""The writing works: a large blob, small images, manifests into a crowded repository."""

from functools import partial

from bench.content import BIG
from bench.course import FEW, MANY, MANY_TAGS, Course, few_tags
from bench.load import MIB, drive
from bench.results import BASE, Bar, Row, in_turn
from bench.servers import BUCKET, DISTRIBUTION, NGINX, ON_POSTGRESQL, OURS, SECOND, ZOT, Hub, Server

SYNCED = "distribution, synced"
STYLES = {
    "whole": "POST and PUT",
    "stream": "one chunked PATCH",
    "chunks": "PATCHes of 5 MiB",
}
FEW_TAGS = 10


def _with_synced(values: dict[str, list[float]], work: str, unit: str, bars: list[Bar]) -> list[Row]:
    """The row as measured, and one beside a distribution whose folders are on disk too."""
    synced = values.pop(SYNCED, None)
    rows = [Row(work, unit, values, bars)]
    if synced:
        both = {OURS: values[OURS], DISTRIBUTION: synced}
        note = "distribution's file system is synced after each, on the clock, because it does not fsync folders"
        rows.append(Row(f"{work}; distribution fully synced", unit, both, [], note))
    return rows


def blob_put(course: Course) -> list[Row]:
    """A blob of 100 MiB in each of the three styles."""

    def put(server: Server, style: str, durable: bool) -> float:
        told = drive(server, "blob", repos=f"{BUCKET}/put", style=style, size=BIG, durable=durable)
        return BIG / MIB / float(told["medians"][style])

    rows = []
    for style, words in STYLES.items():
        contestants = {one.name: partial(put, one, style, False) for one in course.registries}
        for one in course.registries:
            if one.name == DISTRIBUTION:
                contestants[SYNCED] = partial(put, one, style, True)
        values = in_turn(course.tell, f"PUT blob, {words}", "MiB/s", course.pace.rounds, contestants)
        rows += _with_synced(values, f"PUT blob of 100 MiB, {words}", "MiB/s", [Bar(DISTRIBUTION, 3)])
    return rows


def small_pushes(course: Course) -> list[Row]:
    """Eight clients push small images."""

    def push(server: Server, durable: bool) -> float:
        told = drive(server, "push", repos=f"{BUCKET}/push", count=course.pace.images, clients=8, durable=durable)
        return float(told["per_second"]["push"])

    peers = [one for one in course.all if one.name != NGINX]
    contestants = {one.name: partial(push, one, False) for one in peers}
    for one in course.registries:
        if one.name == DISTRIBUTION:
            contestants[SYNCED] = partial(push, one, True)
    values = in_turn(course.tell, "small pushes", "images/s", course.pace.rounds, contestants)
    on_postgresql = values.pop(ON_POSTGRESQL, [])
    bars = [Bar(DISTRIBUTION, 3), Bar(ZOT, 1.5)]
    rows = _with_synced(values, "push of small images, 8 clients", "images/s", bars)
    if on_postgresql:
        both = {OURS: on_postgresql, DISTRIBUTION: values.get(DISTRIBUTION, [])}
        rows.append(Row("push of small images, 8 clients, rows on PostgreSQL", "images/s", both))
    return rows


def manifest_put(course: Course) -> list[Row]:
    """A new manifest under a new tag, in turn into a repository with very many tags and one with ten."""
    course.tags()
    at_few: dict[str, list[float]] = {}
    rounds = dict.fromkeys((one.name for one in course.servers), 0)

    def put(server: Server) -> float:
        rounds[server.name] += 1
        few = f"{FEW}-{rounds[server.name]}"
        few_tags(server, few, [f"v{place}" for place in range(FEW_TAGS)])
        told = drive(server, "manifests", repos=f"{MANY},{few}", count=course.pace.manifests)
        at_few.setdefault(server.name, []).append(1000 * told["medians"][few])
        return 1000 * float(told["medians"][MANY])

    peers = course.of(Hub) + [one for one in course.servers if one.name == DISTRIBUTION]
    contestants = {one.name: partial(put, one) for one in peers if one.name != SECOND}
    values = in_turn(course.tell, "manifest PUT, many tags", "ms", course.pace.rounds, contestants)
    base = f"at {FEW_TAGS} tags"
    note = "; ".join(f"{name} {base}: {Row('', '', {OURS: few}).spread(OURS)} ms" for name, few in at_few.items())
    values[BASE] = at_few[OURS]
    work = f"PUT manifest, new tag, into {course.pace.tags:,} tags, one client"
    bars = [Bar(BASE, at_most=1.1)] if course.pace.tags == MANY_TAGS else []
    return [Row(work, "ms", values, bars, note, base)]
