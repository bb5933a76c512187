"""Rows and bytes elsewhere: blobs on an S3 server, and lists of very many buckets on both engines."""

import asyncio

from bench import listing, s3
from bench.course import Course, skipped
from bench.load import MIB
from bench.procs import Trouble
from bench.results import BASE, Bar, Row
from bench.servers import OURS, Hub

SIZE, IMAGES = 100 * MIB, 50
FEW = 1_000
CALLS = 1000
TITLES = {
    "All": "all",
    "User": "the caller's",
    "Share": "those of others",
    "BucketName": "by name",
    "last page": "last page of all",
    "middle page": "a page in the middle of all",
}


def bytes_on_s3(course: Course) -> list[Row]:
    """What a hub on a bucket takes beside the S3 server itself."""
    try:
        seen = s3.rounds(course.folder / "s3", SIZE, IMAGES, course.pace.rounds, course.tell)
    except Trouble as fault:
        raise skipped(str(fault)) from fault
    rows = []
    for what, work, bars, note in (
        ("push", "push of 100 MiB through S3, one PATCH", [Bar(BASE, at_most=1.25)], s3.cpu_words(seen)),
        ("pull", "pull of 100 MiB from S3 through the hub", [], "with blobs_redirect_networks it is the server's own"),
        ("images", f"push of {IMAGES} small images through S3, one client", [Bar(BASE, at_most=1.25)], ""),
    ):
        values = {OURS: seen[what][s3.ON_BUCKET], BASE: seen[what][s3.PLAIN]}
        base = f"the S3 server itself ({_middle(values[BASE]):.3g} s)"
        on_files = f"on files {_middle(seen[what][s3.ON_FILES]):.3g} s"
        rows.append(Row(work, "s", values, bars, f"{on_files}; {note}" if note else on_files, base))
    return rows


def bucket_lists(course: Course) -> list[Row]:
    """GetImageBucketList at a thousand and at a million buckets, half of them public, of two accounts."""
    many = course.pace.buckets
    if not course.big:
        raise skipped(f"lists of {many:,} buckets come with --big")
    engines = {"rows in SQLite": [""] * 2}
    if course.on_postgresql:
        engines["rows on PostgreSQL"] = [course.database(), course.database()]
    places = []
    for engine, urls in engines.items():
        for count, url in zip((FEW, many), urls, strict=True):
            course.tell(f"seeding {count:,} buckets, {engine}")
            hub = Hub(course.folder / f"lists-{len(places)}", database=url)
            hub.cli("user", "add", "other@example.com", "--new-account")
            hub.cli("bench", "seed", "--buckets", str(count), "--images", str(count), seconds=3600)
            places.append(f"{hub.data},{url}")
    listing.quiet()
    course.tell("calling GetImageBucketList")
    found = asyncio.run(listing.measure(places, course.pace.rounds, CALLS))
    return [
        _list_row(f"of {many:,} buckets, {TITLES[title]}, {engine}", hubs[2 * place], hubs[2 * place + 1])
        for place, engine in enumerate(engines)
        for title, hubs in found.items()
    ]


def _list_row(what: str, few: list[tuple[float, float]], many: list[tuple[float, float]]) -> Row:
    values = {OURS: [most / 1000 for _, most in many], BASE: [most / 1000 for _, most in few]}
    # The page in the middle walks to its offset, at any size: a client that wants it all goes from page to page.
    bars = [] if TITLES["middle page"] in what else [Bar(BASE, at_most=1.25)]
    note = f"median {_middle([half for half, _ in many]) / 1000:.3g} ms; at {FEW:,} buckets"
    note += f" {_middle([half for half, _ in few]) / 1000:.3g} ms, p99 {_middle(values[BASE]):.3g} ms"
    return Row(f"GetImageBucketList {what}: p99", "ms", values, bars, note, f"at {FEW:,} buckets")


def _middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]
