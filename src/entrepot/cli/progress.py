"""How far a long command is: a bar on a terminal, a line now and then elsewhere. Always on stderr."""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator

import click

PERIOD = 10.0
"""Seconds between lines."""


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


@contextlib.contextmanager
def shown(*, quiet: bool = False) -> Iterator[Callable[[str, int, int], None]]:
    """A function that is told what goes on, and how many bytes of how many are done (0 of 0: not known)."""
    if quiet:
        yield lambda *_: None
    elif sys.stderr.isatty():
        yield from _bar()
    else:
        yield _lines()


def _bar() -> Iterator[Callable[[str, int, int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(binary_units=True),
        TransferSpeedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=None)
        last = ""

        def told(what: str, done: int, total: int) -> None:
            nonlocal last, task
            if what != last:  # another stage has another speed
                progress.remove_task(task)
                task, last = progress.add_task(what, total=None), what
            progress.update(task, completed=done, total=total or None)

        yield told


def _lines() -> Callable[[str, int, int], None]:
    last, due = "", 0.0

    def told(what: str, done: int, total: int) -> None:
        nonlocal last, due
        if what == last and time.monotonic() < due:
            return
        last, due = what, time.monotonic() + PERIOD
        click.echo(f"{what}: {size(done)} of {size(total)}" if total else what, err=True)

    return told
