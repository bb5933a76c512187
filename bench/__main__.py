"""`python -m bench`: measure, print, and write the page."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, tools, works_big, works_elsewhere, works_read, works_write
from bench.course import Course
from bench.load import Pace
from bench.procs import Trouble
from bench.report import Report
from bench.results import Row

WORKS: dict[str, Callable[[Course], list[Row]]] = {
    "manifest-get": works_read.manifest_get,
    "head": works_read.heads,
    "blob-get": works_read.blob_get,
    "blob-put": works_write.blob_put,
    "push": works_write.small_pushes,
    "tags": works_read.tag_lists,
    "manifest-put": works_write.manifest_put,
    "s3": works_elsewhere.bytes_on_s3,
    "start": works_big.starts,
    "large": works_big.large_pushes,
    "lists": works_elsewhere.bucket_lists,
}


def tell(line: str) -> None:
    """A line of progress."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure this hub beside other registries.")
    parser.add_argument("--only", nargs="+", choices=list(WORKS), metavar="NAME", help=f"of {', '.join(WORKS)}")
    parser.add_argument("--quick", action="store_true", help="short rounds: to see that all works, not for numbers")
    parser.add_argument(
        "--big", action="store_true", help="also a million manifests and buckets, and 32 pushes of 1 GiB"
    )
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="also measure a hub with N workers")
    parser.add_argument("--rounds", type=int, metavar="N", help="how many rounds")
    parser.add_argument("--folder", metavar="DIR", help="where data goes; default: the folder for temporary files")
    parser.add_argument("--write", metavar="FILE", help="write the page, for example docs/benchmarks.md")
    return parser.parse_args(words)


def _pace(given: argparse.Namespace) -> Pace:
    pace = Pace.quick() if given.quick else Pace()
    return Pace(**{**vars(pace), "rounds": given.rounds}) if given.rounds else pace


def _measure(given: argparse.Namespace, folder: Path) -> Report:
    pace = _pace(given)
    with Course(folder, pace, tell, given.workers, given.big) as course:
        course.open()
        report = Report(
            datetime.now(UTC).strftime("%Y-%m-%d"),
            pace,
            machine.describe(folder),
            course.versions,
            course.missing,
            given.quick,
            given.workers,
        )
        for name in given.only or WORKS:
            try:
                report.rows += WORKS[name](course)
            except (Trouble, OSError) as fault:
                report.skipped.append(f"{name}: {fault}")
                tell(report.skipped[-1])
        return report


def main(words: list[str] | None = None) -> int:
    """Everything that was started has ended when this returns, whatever happens."""
    given = _arguments(words)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        tools.wrk()
        tools.driver()
        with tempfile.TemporaryDirectory(
            prefix="entrepot-bench-", dir=given.folder, ignore_cleanup_errors=True
        ) as made:
            report = _measure(given, Path(made))
    except Trouble as fault:
        tell(f"bench: {fault}")
        return 1
    except KeyboardInterrupt:
        tell("bench: stopped; every server has ended")
        return 130
    tell("\n" + report.table())
    for line in report.skipped:
        tell(line)
    if given.write:
        Path(given.write).write_text(report.page(), "utf-8")
        tell(f"written: {given.write}")
    return 1 if any("skipped:" not in line for line in report.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
