"""`entrepot api ACTION --Param value`: a signing client whose commands are the declarations."""

import difflib
import json
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from entrepot.errors import HubError, Kind

URL = "http://127.0.0.1:5000"


class Actions(click.Group):
    """One command for each declared action, made when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every action by name."""
        del ctx
        return sorted(_declared())

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The actions under the product they belong to."""
        del ctx
        declared = _declared()
        for group in dict.fromkeys(action.group for action in declared.values()):
            rows = [
                (name, action.en.partition("\n")[0])
                for name, action in sorted(declared.items())
                if action.group == group
            ]
            with formatter.section(group):
                formatter.write_dl(rows)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of an action; a near miss is named."""
        del ctx
        declared = _declared()
        if cmd_name not in declared:
            near = difflib.get_close_matches(cmd_name, declared, 1)
            hint = f"did you mean {near[0]}?" if near else "`entrepot api --help` lists them"
            raise HubError(Kind.UNKNOWN_ACTION, f"{cmd_name}; {hint}")
        return _command(cmd_name)


def _declared() -> dict[str, Any]:
    from entrepot.api.everything import ACTIONS

    return ACTIONS


def _command(name: str) -> click.Command:
    from entrepot.api.declare import fields

    action = _declared()[name]
    params: list[click.Parameter] = []
    for field in fields(action.request):
        text = field.en + (f" [{', '.join(field.choices)}]" if field.choices else "")
        text += f" (default {getattr(field.default, 'value', field.default)})" if field.default is not None else ""
        params.append(
            click.Option(
                [f"--{field.name}"],
                multiple=field.is_list,
                required=field.required,
                metavar="VALUE",
                help=text,
                shell_complete=_values(field.name, field.choices),
            )
        )

    params += [
        click.Option(["--url"], metavar="URL", help=f"URL of the hub; ENTREPOT_URL (default {URL})"),
        click.Option(["--public-key"], metavar="KEY", help="ENTREPOT_PUBLIC_KEY, or UCLOUD_PUBLIC_KEY"),
        click.Option(["--private-key"], metavar="KEY", help="ENTREPOT_PRIVATE_KEY, or UCLOUD_PRIVATE_KEY"),
    ]

    def call(url: str | None, public_key: str | None, private_key: str | None, **values: Any) -> None:
        # click lowers option names; the wire wants them as declared.
        by_lower = {field.name.lower(): field.name for field in fields(action.request)}
        given = {by_lower[key]: value for key, value in values.items() if value not in (None, ())}
        _send(name, {"url": url, "public_key": public_key, "private_key": private_key}, given)

    return click.Command(name, params=params, callback=call, help=action.en, short_help=action.en.partition("\n")[0])


def _values(name: str, choices: tuple[str, ...]) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """What the shell offers for a parameter."""

    def offer(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
        from entrepot.config import REGIONS

        del ctx, param
        known = REGIONS.split() if name == "Region" else choices
        return [one for one in known if one.startswith(incomplete)]

    return offer


def _send(name: str, client: dict[str, str | None], params: dict[str, Any]) -> None:
    from entrepot.client.actions import ActionError, ActionsClient

    url = client["url"] or _env("ENTREPOT_URL") or URL
    public_key = client["public_key"] or _env("ENTREPOT_PUBLIC_KEY", "UCLOUD_PUBLIC_KEY")
    private_key = client["private_key"] or _env("ENTREPOT_PRIVATE_KEY", "UCLOUD_PRIVATE_KEY")
    if not public_key or not private_key:
        raise HubError(
            Kind.CONFIG_INVALID,
            "set ENTREPOT_PUBLIC_KEY and ENTREPOT_PRIVATE_KEY, or give --public-key and --private-key",
        )
    try:
        answer = ActionsClient(url, public_key, private_key).call(name, **params)
    except ActionError as fault:
        click.echo(f"entrepot: {fault}", err=True)
        sys.exit(1)
    click.echo(json.dumps(answer, indent=2, ensure_ascii=False))


def _env(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


@click.group(cls=Actions)
def api() -> None:
    """Call an action of a hub, here or anywhere, and print its answer as JSON."""
