"""gc and fsck: keep a data folder small and sound. Both work beside a running server."""

import sys

import click

from entrepot.cli.opened import data_option, json_option, with_hub
from entrepot.cli.progress import size
from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub


@click.command()
@data_option
@click.option("--dry-run", is_flag=True, help="Only tell what would be removed.")
@click.option("--trust-clock", is_flag=True, help="Go by the system's time though it has jumped.")
@json_option
def gc(data: str, dry_run: bool, trust_clock: bool, as_json: bool) -> None:
    """Collect now what nothing needs any more. A running server does this by itself, a little every minute."""
    import dataclasses
    import json

    from entrepot.ops import clocks, collect

    async def work(hub: Hub) -> collect.Report:
        if dry_run:
            return await collect.preview(hub)
        if not (trust_clock or await clocks.is_steady(hub)):
            raise HubError(
                Kind.UNAVAILABLE, "the system's time has jumped; look at `date`, and if it is right add --trust-clock"
            )
        return await collect.collect(hub)

    report = with_hub(data, work)
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
@click.option("--repair", is_flag=True, help="Set right what can be, mark what is damaged; a push of it heals it.")
@json_option
def fsck(data: str, deep: bool, repair: bool, as_json: bool) -> None:
    """Check rows against bytes, links and counters; a running server may go on.

    Exit code 0: clean, or everything repaired. 1: something is left to do, each line says what. 2: it could not run.
    """
    from entrepot.cli.checking import Told, telling

    told = Told(as_json=as_json)

    async def work(hub: Hub) -> None:
        from entrepot.ops import check

        with telling() as progress:
            async for one in check.walk(hub, deep=deep, repair=repair, progress=progress):
                told.tell(one)

    try:
        with_hub(data, work)
    except HubError as fault:
        told.close(is_whole=False)
        click.echo(f"entrepot: the check could not run to its end: {fault.message}", err=True)
        sys.exit(2)
    told.close(is_whole=True)
    sys.exit(1 if told.left else 0)
