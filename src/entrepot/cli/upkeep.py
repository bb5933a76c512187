"""gc and fsck: keep a data folder small and sound. Both work beside a running server."""

import sys

import click

from entrepot.cli.opened import data_option, json_option, with_hub
from entrepot.ops.context import Hub


def size(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


@click.command()
@data_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@json_option
def gc(data: str, dry_run: bool, as_json: bool) -> None:
    """Collect now what nothing needs any more. A running server does this by itself, a little every minute."""
    import dataclasses
    import json

    from entrepot.ops import collect

    report = with_hub(data, collect.preview if dry_run else collect.collect)
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    verb = "Would remove" if dry_run else "Removed"
    click.echo(
        f"{verb} {report.deleted} deleted and {report.manifests} untagged manifests, {report.links} links,"
        f" {report.blobs} blobs"
        f" ({size(report.blob_bytes)}), {report.objects} stored objects, {report.orphans} orphans."
    )


@click.command()
@data_option
@click.option("--deep", is_flag=True, help="Also read every byte and compare digests.")
@click.option("--repair", is_flag=True, help="Set counters right.")
@json_option
def fsck(data: str, deep: bool, repair: bool, as_json: bool) -> None:
    """Check rows against bytes and counters against rows. Exit code 0: clean, 1: something was found."""
    import json

    from rich.console import Console
    from rich.progress import Progress

    from entrepot.ops import check

    async def work(hub: Hub) -> list[check.Finding]:
        with Progress(console=Console(stderr=True), transient=True) as progress:
            task = progress.add_task("checking", total=None)

            def told(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            return await check.check(hub, deep=deep, repair=repair, progress=told)

    found = with_hub(data, work)
    if as_json:
        click.echo(json.dumps([one._asdict() for one in found]))
    else:
        for one in found:
            click.echo(f"{one.kind}: {one.what}{' (repaired)' if one.is_repaired else ''}")
        click.echo(f"{len(found)} findings." if found else "Clean.")
    if any(not one.is_repaired for one in found):
        sys.exit(1)
