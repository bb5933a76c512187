"""backup and restore: the whole hub into a folder, and back."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from entrepot.cli.opened import check_arrived, json_option, with_hub
from entrepot.cli.people import table
from entrepot.cli.progress import shown, size
from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub

if TYPE_CHECKING:
    from entrepot.ops.backup import Report
    from entrepot.ops.restore import Report as Restored
    from entrepot.store.backup_folder import BackupFolder


@click.command()
@click.argument("folders", nargs=-1, metavar="[DATA] TARGET", required=True)
@click.option("--keep", type=click.IntRange(min=1), metavar="N", help="Keep the newest N backups, remove older ones.")
@click.option("--without-key", is_flag=True, help="Leave out hub.key; a restore then asks for it.")
@click.option("--verify", is_flag=True, help="Read every byte in TARGET and compare digests; see above.")
@click.option("--list", "is_list", is_flag=True, help="List the backups in TARGET.")
@json_option
def backup(
    folders: tuple[str, ...], keep: int | None, without_key: bool, verify: bool, is_list: bool, as_json: bool
) -> None:
    """Back up the hub in DATA into the folder TARGET while it goes on.

    Only what is not in TARGET yet is copied. Each run makes one more backup there, and `entrepot restore` brings any of
    them back. A run that was stopped leaves the others as they were; run it again. The key file hub.key, which opens
    every stored secret, comes along with mode 0600: guard TARGET as you guard DATA.

    With --verify and DATA, objects that are damaged in TARGET are copied anew. With --verify and TARGET alone, every
    backup in it is checked. Exit code 0: all is well, 1: something is damaged and was named.
    """
    if verify and len(folders) == 1:
        _verify(_folder(folders[0]), as_json=as_json)
    elif is_list and len(folders) == 1:
        _list(_folder(folders[0]), as_json=as_json)
    elif len(folders) == 2 and not is_list:
        _check_apart(*folders)
        _back_up(folders[0], _folder(folders[1]), keep, without_key, verify, as_json=as_json)
    else:
        raise HubError(Kind.BAD_PARAM, "write `backup DATA TARGET`, `backup --verify TARGET` or `backup --list TARGET`")


def _folder(name: str) -> "BackupFolder":
    from entrepot.store.backup_folder import BackupFolder

    return BackupFolder(Path(name))


def _check_apart(one: str, other: str) -> None:
    first, second = Path(one).resolve(), Path(other).resolve()
    if first.is_relative_to(second) or second.is_relative_to(first):
        raise HubError(Kind.BAD_PARAM, f"{one} and {other}: one is inside the other; a backup belongs on another disk")


def _back_up(
    data: str, folder: "BackupFolder", keep: int | None, without_key: bool, verify: bool, *, as_json: bool
) -> None:
    from entrepot.ops import backup

    with shown(quiet=as_json) as progress:

        async def work(hub: Hub) -> "Report":
            return await backup.backup(
                hub, folder, with_key=not without_key, keep=keep, verify=verify, progress=progress
            )

        report = with_hub(data, work)
    if as_json:
        _print(report)
    else:
        counts = report.counts
        click.echo(
            f"Backup {report.generation}: {counts.buckets} buckets, {counts.manifests} manifests, {counts.tags} tags,"
            f" {counts.blobs} blobs; {report.copied} objects ({size(report.copied_bytes)}) were new,"
            f" rows take {size(report.rows_bytes)}."
        )
        if report.dropped:
            click.echo(f"Removed {len(report.dropped)} older backups and {report.pruned} objects.")
        if report.has_key:
            click.echo("hub.key is in it: whoever can read this folder can open the hub's secrets.")
        else:
            click.echo("hub.key is not in it: keep a copy elsewhere, a restore needs it.")
        for digest in report.damaged:
            click.echo(f"damaged in the hub: blob {digest} is left out; `entrepot fsck --deep` tells more")
    if report.damaged:
        sys.exit(1)


def _verify(folder: "BackupFolder", *, as_json: bool) -> None:
    import json

    from entrepot.ops import backup

    with shown(quiet=as_json) as progress:
        found = asyncio.run(backup.verify(folder, None, progress))
    if as_json:
        click.echo(json.dumps([one._asdict() for one in found]))
    else:
        for one in found:
            click.echo(f"{one.generation}: {one.what}")
        advice = "`entrepot backup --verify DATA TARGET` copies objects anew that the hub still has"
        click.echo(f"{len(found)} findings; {advice}." if found else "Every backup is whole.")
    if found:
        sys.exit(1)


def _list(folder: "BackupFolder", *, as_json: bool) -> None:
    with folder.reading():
        told = [(name, folder.about(name)) for name in folder.generations()]
    rows = [
        [
            name,
            about.counts.buckets,
            about.counts.manifests,
            about.counts.blobs,
            about.counts.object_bytes + about.rows_bytes,
            about.has_key,
            len(about.damaged),
        ]
        for name, about in told
    ]
    table(["Name", "Buckets", "Manifests", "Blobs", "Bytes", "Key", "Damaged"], rows, as_json=as_json)


@click.command()
@click.argument("target")
@click.argument("data")
@click.option("--name", help="Which backup; `entrepot backup --list TARGET` lists them. The newest when not given.")
@click.option("--key", "key_file", metavar="FILE", help="The hub's hub.key, for a backup made --without-key.")
@click.option("--accept-losses", is_flag=True, help="Finish although the backup has lost objects; they are named.")
@json_option
def restore(target: str, data: str, name: str | None, key_file: str | None, accept_losses: bool, as_json: bool) -> None:
    """Bring a hub back from the backups in TARGET into the empty folder DATA.

    Rows go into an empty database where database_url is set, bytes into the bucket of blobs_url, the key where key_file
    says; the hub that was backed up may have had them elsewhere. Every byte is compared with its digest, and the hub is
    checked, before it can be served. A run that was stopped is run again and goes on.
    Exit code 0: the hub is as it was, 1: something is damaged and was named.
    """
    from entrepot import config, wiring
    from entrepot.ops import arrival
    from entrepot.ops import restore as ops

    _check_apart(target, data)
    key = _read_key(key_file)
    settings, folder = config.load(data=data), _folder(target)

    async def work() -> "tuple[Restored, list[str]]":
        rows = wiring.rows_place(settings)
        with shown(quiet=as_json) as progress, ops.into(settings.data_dir, rows, folder, name) as generation:
            to = arrival.Places(rows, wiring.objects_of(settings), settings.key_path)
            try:
                report = await ops.restore(folder, generation, settings.data_dir, to, key=key, progress=progress)
            finally:
                await to.blobs.close()
            if report.lost and not accept_losses:
                return report, []
            found = await check_arrived(settings, progress)
            arrival.finish(settings.data_dir)
            return report, [f"{one.kind}: {one.what}" for one in found]

    report, found = asyncio.run(work())
    _tell_restored(report, found, data, accept_losses=accept_losses, as_json=as_json)
    if report.lost or report.damaged or found:
        sys.exit(1)


def _tell_restored(report: "Restored", found: list[str], data: str, *, accept_losses: bool, as_json: bool) -> None:
    is_done = accept_losses or not report.lost
    if as_json:
        _print({"generation": report.generation, "counts": report.about.counts, "damaged": report.damaged,
                "lost": report.lost, "found": found, "done": is_done})  # fmt: skip
        return
    for what in report.lost:
        click.echo(f"lost in the backup: {what}")
    for what in report.damaged:
        click.echo(f"damaged in the hub when it was backed up: {what}")
    for what in found:
        click.echo(what)
    if not is_done:
        click.echo(
            f"{len(report.lost)} objects are lost. {data} is not open yet: mend TARGET and run this again, or open the"
            " hub without them by --accept-losses."
        )
        return
    counts = report.about.counts
    click.echo(
        f"Restored {report.generation}: {counts.accounts} accounts, {counts.buckets} buckets, {counts.manifests}"
        f" manifests, {counts.tags} tags, {counts.blobs} blobs. Next: entrepot serve --data {data}"
    )


def _read_key(name: str | None) -> bytes | None:
    if name is None:
        return None
    try:
        return Path(name).read_bytes()
    except OSError as fault:
        raise HubError(Kind.CONFIG_INVALID, f"--key {name}: {fault.strerror}") from fault


def _print(value: object) -> None:
    import json

    import msgspec

    click.echo(json.dumps(msgspec.to_builtins(value)))
