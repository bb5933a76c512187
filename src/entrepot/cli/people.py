"""user, key and bucket: for the operator on the spot, straight at the data folder."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import click

from entrepot.cli.opened import data_option, json_option, with_hub
from entrepot.ops.context import RIGHTS, Ctx, Hub


def table(headings: list[str], rows: list[list[Any]], *, as_json: bool) -> None:
    """Print rows for people, or for scripts."""
    if as_json:
        click.echo(json.dumps([dict(zip(headings, row, strict=True)) for row in rows]))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*headings, box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(("yes" if cell else "no") if isinstance(cell, bool) else str(cell) for cell in row))
    Console().print(table)


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


@click.group()
def user() -> None:
    """Add, list, disable people; set their passwords."""


@user.command("add")
@click.argument("email")
@data_option
@click.option("--password", help="Console password; made and shown when not given.")
@click.option("--rights", default="pull", show_default=True, help=f"Words out of: {' '.join(RIGHTS)}.")
@click.option("--new-account", is_flag=True, help="Main user of an account of its own, with every right in it.")
@json_option
def user_add(email: str, data: str, password: str | None, rights: str, new_account: bool, as_json: bool) -> None:
    """Add EMAIL to the first account, or with --new-account to a new one; its secrets are shown once."""
    from entrepot.cli.server import secrets_object
    from entrepot.ops import people
    from entrepot.ops.people import Secrets

    async def add(hub: Hub) -> Secrets:
        owner = await people.operator(hub)
        account_of = None if new_account else owner.email
        wanted = frozenset(rights.replace(",", " ").split())
        return await people.add_user(hub, email, password=password, rights=wanted, account_of=account_of)

    made = secrets_object(with_hub(data, add))
    if as_json:
        click.echo(json.dumps(made))
        return
    for name, value in made.items():
        click.echo(f"{name:<11} {value}")


@user.command("list")
@data_option
@json_option
def user_list(data: str, as_json: bool) -> None:
    """List everybody, oldest first."""
    from entrepot.ops import people

    rows = [
        [one.email, one.account_id, bool(one.is_main), bool(one.is_active), "all" if one.is_main else one.rights]
        for one in with_hub(data, people.list_users)
    ]
    table(["Email", "Account", "Main", "Active", "Rights"], rows, as_json=as_json)


@user.command("password")
@click.argument("email")
@data_option
@click.option("--registry", is_flag=True, help="Set the independent registry password instead.")
@click.option("--password", prompt=True, hide_input=True, confirmation_prompt=True, help="The new password.")
def user_password(email: str, data: str, registry: bool, password: str) -> None:
    """Set the console password of EMAIL."""
    from entrepot.ops import people

    with_hub(data, lambda hub: people.set_password(hub, email, password, registry=registry))
    click.echo(f"The {'registry' if registry else 'console'} password of {email} is set.")


def _set_active(email: str, data: str, active: bool) -> None:
    from entrepot.ops import people

    with_hub(data, lambda hub: people.set_active(hub, email, active=active))
    click.echo(f"{email} is {'enabled' if active else 'disabled'}.")


@user.command("disable")
@click.argument("email")
@data_option
def user_disable(email: str, data: str) -> None:
    """Lock EMAIL out: passwords and keys at once, registry tokens within minutes."""
    _set_active(email, data, active=False)


@user.command("enable")
@click.argument("email")
@data_option
def user_enable(email: str, data: str) -> None:
    """Let EMAIL in again."""
    _set_active(email, data, active=True)


@click.group()
def key() -> None:
    """Create, list, delete the API keys of people."""


@key.command("create")
@click.argument("email")
@data_option
@json_option
def key_create(email: str, data: str, as_json: bool) -> None:
    """Make one more key for EMAIL; the private key is shown once."""
    from entrepot.ops import people

    made = with_hub(data, lambda hub: people.create_key(hub, email))
    pair = {"PublicKey": made.public_key, "PrivateKey": made.private_key}
    if as_json:
        click.echo(json.dumps(pair))
        return
    for name, value in pair.items():
        click.echo(f"{name:<11} {value}")


@key.command("list")
@click.argument("email")
@data_option
@json_option
def key_list(email: str, data: str, as_json: bool) -> None:
    """List the keys of EMAIL."""
    from entrepot.ops import people

    found = with_hub(data, lambda hub: people.list_keys(hub, email))
    rows = [[public_key, bool(active), _day(made)] for public_key, active, made in found]
    table(["PublicKey", "Active", "Created"], rows, as_json=as_json)


@key.command("delete")
@click.argument("public_key")
@data_option
def key_delete(public_key: str, data: str) -> None:
    """Forget PUBLIC_KEY for good."""
    from entrepot.ops import people

    with_hub(data, lambda hub: people.delete_key(hub, public_key))
    click.echo("The key is deleted.")


@click.group()
def bucket() -> None:
    """Create, list, share, delete buckets."""


def _act(data: str, email: str | None, verb: Callable[[Ctx], Awaitable[None]]) -> None:
    """Run a bucket verb as the main user of the first account, or as ``email``."""
    from entrepot.ops import people

    async def act(hub: Hub) -> None:
        await verb(Ctx(hub, await people.operator(hub, email), "operator"))

    with_hub(data, act)


owner_option = click.option("--email", help="Act as this user instead of the first account's main user.")


@bucket.command("create")
@click.argument("name")
@data_option
@click.option("--public", is_flag=True, help="Anybody may pull from it.")
@click.option("--region", help="Region; the default one when not given.")
@owner_option
def bucket_create(name: str, data: str, public: bool, region: str | None, email: str | None) -> None:
    """Create the bucket NAME."""
    from entrepot.ops import buckets

    def create(ctx: Ctx) -> Awaitable[None]:
        where = region or ctx.hub.settings.default_region
        return buckets.create(ctx, name, region=where, is_public=public)

    _act(data, email, create)
    click.echo(f"The bucket {name} is there; images are named {name}/<image>.")


@bucket.command("list")
@data_option
@json_option
def bucket_list(data: str, as_json: bool) -> None:
    """List every bucket of every account."""
    from entrepot.ops import buckets

    rows = [
        [one.name, one.account_id, one.region, bool(one.is_public), one.image_count, _day(one.created_at)]
        for one in with_hub(data, buckets.list_all)
    ]
    table(["Name", "Account", "Region", "Public", "Images", "Created"], rows, as_json=as_json)


@bucket.command("delete")
@click.argument("name")
@data_option
@owner_option
def bucket_delete(name: str, data: str, email: str | None) -> None:
    """Delete the bucket NAME; it must hold no image."""
    from entrepot.ops import buckets

    _act(data, email, lambda ctx: buckets.delete(ctx, name))
    click.echo(f"The bucket {name} is deleted.")


@bucket.command("share")
@click.argument("name")
@data_option
@click.option("--public/--private", required=True, help="Who may pull: anybody, or the account.")
@owner_option
def bucket_share(name: str, data: str, public: bool, email: str | None) -> None:
    """Share the bucket NAME with everybody, or with its account only."""
    from entrepot.ops import buckets

    _act(data, email, lambda ctx: buckets.update(ctx, name, is_public=public, description=None))
    click.echo(f"The bucket {name} is {'public' if public else 'private'}.")
