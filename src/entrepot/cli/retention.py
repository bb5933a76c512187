"""retention and immutable: which tags go and which never change, for the operator on the spot."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from entrepot.cli.opened import data_option, json_option, with_hub
from entrepot.cli.people import owner_option, table
from entrepot.errors import HubError, Kind
from entrepot.ops.context import Ctx, Hub

if TYPE_CHECKING:
    from entrepot.model.retention import Rule
    from entrepot.ops.retention import Leaving

T = TypeVar("T")
SHOWN = 20
"""How many tags `set` and `run` show before they ask or go on."""


def _as(data: str, email: str | None, verb: Callable[[Ctx], Awaitable[T]]) -> T:
    from entrepot.ops import people

    async def act(hub: Hub) -> T:
        return await verb(Ctx(hub, await people.operator(hub, email), "operator"))

    return with_hub(data, act)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M") if seconds else "never"


def _tell(leaving: "list[Leaving]", total: int, *, as_json: bool) -> None:
    rows = [
        [f"{one.image}:{one.tag.name}", _time(one.tag.pushed_at), _time(one.tag.pulled_at), one.why] for one in leaving
    ]
    if rows or as_json:
        table(["Tag", "Pushed", "Pulled", "Why"], rows, as_json=as_json)
    if total > len(rows) and not as_json:
        click.echo(f"... and {total - len(rows)} more; `entrepot retention preview --limit` shows them.")


@click.group()
def retention() -> None:
    """Set and show which tags of a bucket go, see what would go, and apply it now."""


bucket_argument = click.argument("bucket")
image_option = click.option("--image", metavar="NAME", help="Only this image of the bucket.")
rule_options = [
    click.option("--match", multiple=True, metavar="GLOB", help="Tags the rule is about: TAG or IMAGE:TAG; * is any."),
    click.option("--except", "exceptions", multiple=True, metavar="GLOB", help="Tags it is not about."),
    click.option("--newest", type=click.IntRange(1), help="Keep so many of them in each image."),
    click.option("--pushed", type=click.IntRange(1), metavar="DAYS", help="Keep what was pushed in so many days."),
    click.option("--pulled", type=click.IntRange(1), metavar="DAYS", help="Keep what was pulled in so many days."),
    click.option("--rules", type=click.File("r"), help="Read several rules from a JSON file, - for stdin."),
    click.option("--preset", type=click.Choice(["uhub"]), help="uhub: newest 800, and what was pulled in 30 days."),
]


def with_rules(command: Callable[..., None]) -> Callable[..., None]:
    """The options that say rules."""
    for option in reversed(rule_options):
        command = option(command)
    return command


def _rules(
    match: tuple[str, ...],
    exceptions: tuple[str, ...],
    newest: int | None,
    pushed: int | None,
    pulled: int | None,
    rules: TextIO | None,
    preset: str | None,
) -> "tuple[Rule, ...] | None":
    """The rules that the options say; None when they say none. Raises BAD_PARAM."""
    from entrepot.model import retention as model

    keeps = {"KeepNewest": newest, "KeepPushedDays": pushed, "KeepPulledDays": pulled}
    one: dict[str, Any] = {name: days for name, days in keeps.items() if days is not None}
    if match or exceptions or one:
        one |= {"Match": list(match) or ["*"]}
        one |= {"Except": list(exceptions)} if exceptions else {}
    if sum(map(bool, (one, rules, preset))) > 1:
        raise HubError(Kind.BAD_PARAM, "give one rule by options, or --rules, or --preset")
    if rules is not None:
        return model.parse(rules.read(model.DOCUMENT_LENGTH + 1))
    if preset is not None:
        return model.parse(model.UHUB)
    return model.parse(json.dumps([one])) if one else None


@retention.command("set")
@bucket_argument
@data_option
@with_rules
@click.option("--off", is_flag=True, help="No rules: no tag goes any more.")
@owner_option
def retention_set(bucket: str, data: str, off: bool, email: str | None, **given: Any) -> None:
    """Set the rules of BUCKET; they are applied a day later at the earliest, then daily.

    A tag goes if a rule is about it and no rule keeps it.
    """
    from entrepot.ops import retention

    wanted = _rules(**given)
    if off == (wanted is not None):
        raise HubError(Kind.MISSING_PARAM, "a rule, --rules, --preset or --off, one of them")

    async def change(ctx: Ctx) -> retention.Preview:
        await retention.set_rules(ctx, bucket, wanted or ())
        return await retention.preview(ctx, bucket, wanted or (), image=None, limit=SHOWN, offset=0)

    found = _as(data, email, change)
    if off:
        click.echo(f"No tag of {bucket} goes any more.")
        return
    click.echo(f"The rules of {bucket} are set. Applied now, they would take {found.total} tags.")
    _tell(found.page, found.total, as_json=False)


@retention.command("show")
@bucket_argument
@data_option
@owner_option
@json_option
def retention_show(bucket: str, data: str, email: str | None, as_json: bool) -> None:
    """Show the rules of BUCKET and when they are applied."""
    from entrepot.ops import retention
    from entrepot.store.sql.retention import Policy

    async def load(ctx: Ctx) -> Policy:
        return await ctx.hub.db.read(lambda rows: retention.show(ctx, rows, bucket))

    held = _as(data, email, load)
    if as_json:
        times = {"NextRunTime": held.next_run_at, "LastRunTime": held.last_run_at}
        click.echo(json.dumps({"Rules": json.loads(held.rules), **times}))
        return
    click.echo(f"Rules  {held.rules}\nNext   {_time(held.next_run_at)}\nLast   {_time(held.last_run_at)}")


@retention.command("preview")
@bucket_argument
@data_option
@with_rules
@image_option
@click.option("--limit", type=click.IntRange(0), default=100, show_default=True, help="How many tags to show.")
@owner_option
@json_option
def retention_preview(
    bucket: str, data: str, image: str | None, limit: int, email: str | None, as_json: bool, **given: Any
) -> None:
    """Show which tags of BUCKET would go now, and why: by its rules, or by rules to try. Nothing is changed."""
    from entrepot.ops import retention

    wanted = _rules(**given)
    found = _as(data, email, lambda ctx: retention.preview(ctx, bucket, wanted, image=image, limit=limit, offset=0))
    _tell(found.page, found.total, as_json=as_json)
    if not as_json:
        click.echo(f"{found.total} tags would go.")


@retention.command("run")
@bucket_argument
@data_option
@image_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@owner_option
def retention_run(bucket: str, data: str, image: str | None, yes: bool, email: str | None) -> None:
    """Apply the rules of BUCKET now: show what goes, ask, and delete it. A running server may go on."""
    from entrepot.ops import retention

    found = _as(data, email, lambda ctx: retention.preview(ctx, bucket, None, image=image, limit=SHOWN, offset=0))
    if not found.total:
        click.echo("Nothing goes.")
        return
    _tell(found.page, found.total, as_json=False)
    if not yes:
        click.confirm(f"Delete {found.total} tags of {bucket}?", abort=True)
    report = _as(data, email, lambda ctx: retention.apply(ctx, bucket, image=image, most=found.total))
    click.echo(f"{len(report.gone)} tags are deleted.")


@click.group()
def immutable() -> None:
    """Set and show which tags of a bucket can be neither moved nor deleted."""


@immutable.command("set")
@bucket_argument
@data_option
@click.option("--tag", "tags", multiple=True, metavar="GLOB", help="TAG or IMAGE:TAG; * is any.")
@click.option("--except", "exceptions", multiple=True, metavar="GLOB", help="Tags that may change all the same.")
@click.option("--off", is_flag=True, help="None: every tag may change.")
@owner_option
def immutable_set(
    bucket: str, data: str, tags: tuple[str, ...], exceptions: tuple[str, ...], off: bool, email: str | None
) -> None:
    """Set the immutable tags of BUCKET, in place of what was set before."""
    from entrepot.ops import buckets

    if off == bool(tags):
        raise HubError(Kind.MISSING_PARAM, "either --tag or --off")
    _as(data, email, lambda ctx: buckets.set_immutable_tags(ctx, bucket, list(tags), list(exceptions)))
    click.echo(f"The immutable tags of {bucket} are set." if tags else f"Every tag of {bucket} may change.")


@immutable.command("show")
@bucket_argument
@data_option
@owner_option
@json_option
def immutable_show(bucket: str, data: str, email: str | None, as_json: bool) -> None:
    """Show the immutable tags of BUCKET."""
    from entrepot.model import globs
    from entrepot.ops import retention
    from entrepot.store.sql.retention import Policy

    async def load(ctx: Ctx) -> Policy:
        return await ctx.hub.db.read(lambda rows: retention.show(ctx, rows, bucket))

    found = globs.selection(_as(data, email, load).immutable)
    rows = [[one, "immutable"] for one in found.patterns] + [[one, "may change"] for one in found.exceptions]
    table(["Tags", "What holds"], rows, as_json=as_json)
