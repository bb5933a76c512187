"""How a long check tells what it finds and how far it is: a bar on a terminal, plain lines elsewhere."""

import contextlib
import json
from collections.abc import Callable, Iterator

import click

from entrepot.ops.check import Finding


class Told:
    """Prints findings as they come, as lines or as one JSON list; ``left``: how many are not repaired."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._count = 0
        self.left = 0

    def tell(self, one: Finding) -> None:
        """Print one."""
        if self._as_json:
            click.echo(("[" if not self._count else ",") + json.dumps(one._asdict()))
        else:
            done = " (repaired)" if one.is_repaired else ""
            click.echo(f"{one.kind}: {one.what}{done}" + (f"\n    {one.next}" if one.next else ""))
        self._count += 1
        self.left += not one.is_repaired

    def close(self, *, is_whole: bool) -> None:
        """Print the end; a check that broke off says nothing about what it did not see."""
        if self._as_json:
            click.echo("]" if self._count else "[]")
        elif not is_whole:
            return
        elif not self._count:
            click.echo("Clean.")
        else:
            click.echo(f"{self._count} findings, {self._count - self.left} repaired.")


@contextlib.contextmanager
def telling() -> Iterator[Callable[[int, int], None]]:
    """Where a check tells how far it is; on stderr, so that findings can be piped."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield _lines()
        return
    shown = (TextColumn("checking"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*shown, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def _lines() -> Callable[[int, int], None]:
    tenth = 0

    def tell(done: int, total: int) -> None:
        nonlocal tenth
        if done * 10 // total > tenth:
            tenth = done * 10 // total
            click.echo(f"checked {done} of {total}", err=True)

    return tell
