"""bucket robot: for the operator on the spot."""

import json
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TypeVar

import click

from entrepot.cli.opened import data_option, json_option, with_hub
from entrepot.cli.people import owner_option, table
from entrepot.errors import HubError, Kind
from entrepot.model.names import RobotName
from entrepot.ops.context import Ctx, Hub

T = TypeVar("T")
DAY = 86_400
DAYS = click.IntRange(0, 36_500)


def _act(data: str, email: str | None, verb: Callable[[Ctx], Awaitable[T]]) -> T:
    """Run a verb as the main user of the first account, or as ``email``."""
    from entrepot.ops import people

    async def act(hub: Hub) -> T:
        return await verb(Ctx(hub, await people.operator(hub, email), "operator"))

    return with_hub(data, act)


def _words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def _end(days: int) -> int:
    return int(time.time()) + days * DAY if days else 0


@click.group()
def robot() -> None:
    """Make, change, delete robots: logins for machines that see one bucket only."""


rights_help = "Words out of: pull push delete."


@robot.command("create")
@click.argument("bucket")
@click.argument("name")
@data_option
@click.option("--rights", default="pull", show_default=True, help=rights_help)
@click.option("--days", type=DAYS, default=0, help="Days until it expires; 0, the default: never.")
@owner_option
@json_option
def robot_create(bucket: str, name: str, data: str, rights: str, days: int, email: str | None, as_json: bool) -> None:
    """Make the robot NAME of BUCKET; its secret is shown once."""
    from entrepot.ops import robots

    login = str(RobotName(bucket, name))
    secret = _act(data, email, lambda ctx: robots.create(ctx, bucket, name, _words(rights), _end(days)))
    if as_json:
        click.echo(json.dumps({"LoginName": login, "Secret": secret}))
        return
    click.echo(f"LoginName   {login}\nSecret      {secret}")
    click.echo(f"\nNext, with the single quotes: docker login HOST -u '{login}'")


@robot.command("list")
@click.argument("bucket")
@data_option
@owner_option
@json_option
def robot_list(bucket: str, data: str, email: str | None, as_json: bool) -> None:
    """List the robots of BUCKET."""
    from entrepot.ops import robots

    rows = [
        [
            one.name,
            str(RobotName(bucket, one.name)),
            one.rights,
            robots.status(one, int(time.time())),
            _until(one.expires_at),
        ]
        for one in _act(data, email, lambda ctx: robots.list_all(ctx, bucket))
    ]
    table(["Name", "LoginName", "Rights", "Status", "Expires"], rows, as_json=as_json)


def _until(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "never"


@robot.command("update")
@click.argument("bucket")
@click.argument("name")
@data_option
@click.option("--rights", help=rights_help)
@click.option("--days", type=DAYS, help="Days from now until it expires; 0: never.")
@click.option("--enable/--disable", "active", default=None, help="Whether it may log in.")
@owner_option
def robot_update(
    bucket: str, name: str, data: str, rights: str | None, days: int | None, active: bool | None, email: str | None
) -> None:
    """Change the robot NAME of BUCKET; its tokens end at once, and it logs in anew."""
    from entrepot.ops import robots

    if rights is None and days is None and active is None:
        raise HubError(Kind.MISSING_PARAM, "--rights, --days, --enable or --disable")
    given = None if rights is None else _words(rights)
    until = None if days is None else _end(days)
    _act(data, email, lambda ctx: robots.update(ctx, bucket, name, rights=given, active=active, expires_at=until))
    click.echo(f"{RobotName(bucket, name)} is changed.")


@robot.command("delete")
@click.argument("bucket")
@click.argument("name")
@data_option
@owner_option
def robot_delete(bucket: str, name: str, data: str, email: str | None) -> None:
    """Delete the robot NAME of BUCKET; it is out at once, and what it pushed stays."""
    from entrepot.ops import robots

    _act(data, email, lambda ctx: robots.delete(ctx, bucket, name))
    click.echo(f"{RobotName(bucket, name)} is deleted.")
