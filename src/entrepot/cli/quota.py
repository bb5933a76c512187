"""quota: for the operator on the spot."""

import re
from typing import Any

import click

from entrepot.cli.opened import data_option, json_option, with_hub
from entrepot.cli.people import table
from entrepot.errors import HubError, Kind
from entrepot.ops.context import Ctx, Hub

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE = re.compile(r"(\d{1,15})([KMGT]?)(?:I?B)?", re.IGNORECASE)


class Most(click.ParamType):  # type: ignore[type-arg]
    """A number, with K, M, G or T for powers of 1024; ``none`` for no limit, ``default`` for what the settings say."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """An int (0: no limit), or "default"."""
        text = str(value)
        if text == "default":
            return text
        if text == "none":
            return 0
        match = _SIZE.fullmatch(text)
        if match is None:
            self.fail(f"{text!r} is no number; write 20, 500M, 2G, none or default", param, ctx)
        return int(match[1]) * UNITS[match[2].upper()]


@click.group()
def quota() -> None:
    """Set and show how much projects and buckets may hold."""


project_option = click.option("--project", metavar="ID", help="A project, such as org-1a2b3c4d.")
bucket_option = click.option("--bucket", metavar="NAME", help="A bucket.")


@quota.command("set")
@data_option
@project_option
@bucket_option
@click.option("--buckets", type=Most(), help="How many buckets the project may hold.")
@click.option("--bytes", type=Most(), help="How many bytes it may hold: 500M, 2G.")
@click.option("--tags", type=Most(), help="How many tags each of its images may hold.")
def quota_set(data: str, project: str | None, bucket: str | None, **given: Any) -> None:
    """Set quotas of one project or one bucket; `none` lifts a limit, `default` goes back to the settings."""
    from entrepot.ops import quotas

    if (project is None) == (bucket is None):
        raise HubError(Kind.BAD_PARAM, "give either --project or --bucket")
    wanted = {kind: None if most == "default" else most for kind, most in given.items() if most is not None}
    if not wanted:
        raise HubError(Kind.MISSING_PARAM, "--buckets, --bytes or --tags")
    with_hub(data, lambda hub: quotas.set_quota(hub, project=project, bucket=bucket, wanted=wanted))
    click.echo(f"The quotas of {project or bucket} are set.")


@quota.command("show")
@data_option
@project_option
@bucket_option
@json_option
def quota_show(data: str, project: str | None, bucket: str | None, as_json: bool) -> None:
    """Show the quotas of a project (the first account's default one) or a bucket, and what is used of them."""
    from entrepot.ops import people, quotas

    async def show(hub: Hub) -> list[quotas.Shown]:
        owner = await people.operator(hub)
        return await hub.db.read(lambda rows: quotas.show_any(Ctx(hub, owner), rows, project, bucket or ""))

    rows = [[one.scope, one.kind, one.most or "none", one.used] for one in with_hub(data, show)]
    table(["Scope", "Kind", "Most", "Used"], rows, as_json=as_json)
