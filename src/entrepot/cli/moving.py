"""migrate-data: a hub moves to other rows and other bytes while it serves."""

import sys
import time
from typing import TYPE_CHECKING

import click

from entrepot.cli.opened import check_arrived, json_option, with_hub
from entrepot.cli.progress import shown, size
from entrepot.config import Settings
from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub

if TYPE_CHECKING:
    from entrepot.ops.copying import Progress
    from entrepot.ops.moving import Report


@click.command("migrate-data")
@click.argument("data")
@click.argument("new", required=False)
@click.option("--to", "file", metavar="FILE", help="TOML file of the settings that the hub is to have in NEW.")
@click.option("--switch", is_flag=True, help="Also move: DATA takes no more changes, NEW gets all rows and is checked.")
@click.option("--accept-losses", is_flag=True, help="Move although the hub has lost objects; they are named.")
@click.option("--undo", is_flag=True, help="Let DATA take changes again; what NEW got since is not in it.")
@json_option
def migrate_data(
    data: str, new: str | None, file: str | None, switch: bool, accept_losses: bool, undo: bool, as_json: bool
) -> None:
    """Move the hub in DATA into the new folder NEW, with the settings of FILE, while it serves.

    FILE says where NEW has its rows and bytes (database_url, blobs_url, s3_endpoint ...); the environment says where
    DATA has them. Any place may move to any other, so the way back is the same command.

    Without --switch stored objects are copied, and nothing changes in DATA: repeat it as often as you like, only what
    is new is copied. With --switch the same is done first. Then DATA refuses every change, whichever process is asked,
    while pulls go on there; the rest is copied, rows are compared, the hub in NEW is checked, and it can be served. A
    run that was stopped is run again and goes on.

    Exit code 0: all is well, 1: something is damaged and was named.
    """
    if undo and new is None and file is None and not switch:
        _undo(data, as_json=as_json)
    elif not undo and new is not None and file is not None:
        _move(data, new, file, switch=switch, accept_losses=accept_losses, as_json=as_json)
    else:
        raise HubError(
            Kind.CONFIG_INVALID, "write `migrate-data DATA NEW --to FILE [--switch]` or `migrate-data DATA --undo`"
        )


async def move(
    hub: Hub, target: Settings, *, switch: bool, accept_losses: bool, progress: "Progress"
) -> "tuple[Report, list[str], bool]":
    """Copy or move; what was done, what the check at the end found, and whether the new place is open."""
    from entrepot import wiring
    from entrepot.ops import arrival, moving

    moving.check_apart(hub.settings, target)
    data, rows = target.data_dir, wiring.rows_place(target)
    with arrival.owned(data):
        moving.check_not_there(hub, data)
        if not arrival.unfinished(data):
            await wiring.check_bucket(target)
        moving.begin(hub, data, rows)
        to = arrival.Places(rows, wiring.objects_of(target), target.key_path)
        try:
            if not switch:
                return await moving.copy(hub, data, to, progress), [], False
            report = await moving.switch(hub, data, to, accept_losses=accept_losses, progress=progress)
        finally:
            await to.blobs.close()
        if not report.has_rows:
            return report, [], False
        found = await check_arrived(target, progress)
        told = [f"{one.kind}: {one.what}" for one in found]
        if any(one.kind == "missing" for one in found) and not accept_losses:
            return report, told, False
        await moving.finish(hub, data)
        return report, told, True


def _move(data: str, new: str, file: str, *, switch: bool, accept_losses: bool, as_json: bool) -> None:
    from entrepot import config
    from entrepot.ops import arrival

    target = config.load(config=file, environ={}, data=new)

    async def work(hub: Hub) -> "tuple[Report, list[str], bool]":
        with shown(quiet=as_json) as progress:
            try:
                return await move(hub, target, switch=switch, accept_losses=accept_losses, progress=progress)
            except HubError:
                if switch and arrival.unfinished(target.data_dir) and await hub.db.is_read_only():
                    click.echo(_STANDS.format(data=data), err=True)
                raise

    report, found, is_done = with_hub(data, work)
    seconds = time.monotonic() - report.refused_since if report.refused_since is not None else None
    if as_json:
        _print(report, found, seconds, is_done=is_done)
    else:
        _tell(report, found, seconds, is_done=is_done, words=f"{data} {new} --to {file}", data=data, new=new, file=file)
    if report.damaged or found or (switch and not is_done):
        sys.exit(1)


_STANDS = (
    "{data} takes no changes until the move has ended: run the same command again, it goes on; or go back with"
    " `entrepot migrate-data {data} --undo`."
)


def _tell(report: "Report", found: list[str], seconds: float | None, *, is_done: bool, words: str, data: str, new: str,
          file: str) -> None:  # fmt: skip
    for what in report.damaged:
        click.echo(f"damaged in the hub: {what}; it is left out")
    for what in found:
        click.echo(what)
    counts = report.counts
    held = (
        f"{counts.accounts} accounts, {counts.buckets} buckets, {counts.manifests} manifests, {counts.tags} tags,"
        f" {counts.blobs} blobs; {report.copied} objects ({size(report.copied_bytes)}) were new there"
    )
    if is_done and seconds is not None:
        click.echo(f"Moved: {held}. Nothing could be pushed for {seconds:.1f} seconds.")
        click.echo(f"Next: entrepot serve --config {file} --data {new}, and lead the clients there.")
        click.echo(
            f"{data} is read only now. Should {new} be given up, `entrepot migrate-data {data} --undo` lets it take"
            " changes again."
        )
        return
    if seconds is not None:
        click.echo(_STANDS.format(data=data))
    click.echo(f"Copied, not moved: {held}.")
    more = " --accept-losses" if report.damaged or found else ""
    click.echo(f"Next: entrepot migrate-data {words} --switch{more}")


def _print(report: "Report", found: list[str], seconds: float | None, *, is_done: bool) -> None:
    import json

    import msgspec

    told = msgspec.to_builtins(report)
    del told["has_rows"], told["refused_since"]
    click.echo(json.dumps({**told, "switch_seconds": seconds, "found": found, "done": is_done}))


def _undo(data: str, *, as_json: bool) -> None:
    import json

    async def work(hub: Hub) -> bool:
        was = await hub.db.is_read_only()
        await hub.db.set_read_only(False)
        return was

    was = with_hub(data, work)
    if as_json:
        click.echo(json.dumps({"was_read_only": was}))
    elif was:
        click.echo(f"{data} takes changes again. What was pushed or changed at the new place meanwhile is not in it.")
    else:
        click.echo(f"{data} took changes already; nothing was undone.")
