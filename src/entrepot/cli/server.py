"""init and serve."""

import asyncio
import contextlib
import ctypes
import json
import socket
from typing import Any

import click

from entrepot import config
from entrepot.cli.lines import first_steps
from entrepot.cli.opened import json_option
from entrepot.config import Settings
from entrepot.errors import HubError, Kind
from entrepot.ops.people import Secrets

EMAIL = "admin@entrepot.local"
_M_ARENA_MAX = -8


@click.command()
@click.option("--data", required=True, envvar="ENTREPOT_DATA", metavar="DIR", help="Where to make the hub.")
@click.option("--email", default=EMAIL, show_default=True, help="E-mail of the first account's main user.")
@click.option("--password", help="Its console password; made and shown when not given.")
@json_option
def init(data: str, email: str, password: str | None, as_json: bool) -> None:
    """Make a hub in a folder and show its secrets once. A second time it fails and changes nothing."""
    from entrepot.cli.opened import with_hub
    from entrepot.ops import people

    made = with_hub(data, lambda hub: people.first_account(hub, email=email, password=password), create=True)
    if as_json:
        click.echo(json.dumps(secrets_object(made)))
        return
    _show(made)
    click.echo(f"\nNext: entrepot serve --data {data}")


def secrets_object(made: Secrets) -> dict[str, str]:
    """The five secrets under their wire names."""
    return {
        "Email": made.email,
        "Password": made.password,
        "PublicKey": made.public_key,
        "PrivateKey": made.private_key,
        "ProjectId": made.project_id,
    }


def _show(made: Secrets) -> None:
    click.echo("A new hub. These secrets are shown once; keep them:\n")
    for name, value in secrets_object(made).items():
        click.echo(f"  {name:<11} {value}")


@click.command()
@click.option("--data", metavar="DIR", help="The data folder; an empty one becomes a new hub.  [default: data]")
@click.option("--host", metavar="H", help="Address to listen on.  [default: 127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Port to listen on; 0 takes a free one.  [default: 5000]")
@click.option("--workers", type=int, metavar="N", help="How many processes serve.  [default: 1]")
@click.option("--tls-cert", metavar="FILE", help="Serve HTTPS with this certificate chain (PEM).")
@click.option("--tls-key", metavar="FILE", help="Its private key (PEM).")
@click.option("--config", "config_file", metavar="FILE", help="TOML file of settings; see docs/settings.md.")
def serve(**given: Any) -> None:
    """Serve the hub until SIGTERM; running requests finish. Every setting is also ENTREPOT_<NAME>."""
    from entrepot.watch import log

    _share_arenas()
    settings = config.load(given.pop("config_file"), **given)
    log.configure(settings.log_level, settings.log_format)
    settings = _with_port(settings)
    made = asyncio.run(_prepare(settings))
    lines = first_steps(settings, made)
    if made is not None:
        _show(made)
    # The server takes a while to load, and `init` shares this module.
    from entrepot.cli import one_process, processes

    run = one_process.serve if settings.workers == 1 else processes.serve
    run(settings, lines)


def _share_arenas() -> None:
    """Let all threads share two heaps; it must be said before the first thread begins.

    glibc's habit is eight for each core, and what uploads leave free in one of them is of no use to the others: 100 MiB
    of 300, with 32 uploads to a bucket at once.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library: its own habits
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def _with_port(settings: Settings) -> Settings:
    """Settings with a real port. Raises UNAVAILABLE when it cannot be had, before anything is made."""
    import msgspec

    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as fault:
            where = f"{settings.host}:{settings.port}"
            raise HubError(Kind.UNAVAILABLE, f"cannot listen on {where}: {fault.strerror}; try --port 0") from fault
        return msgspec.structs.replace(settings, port=probe.getsockname()[1])


async def _prepare(settings: Settings) -> Secrets | None:
    """Bring the folder to the newest schema; the secrets when a first account had to be made."""
    import structlog

    from entrepot import wiring
    from entrepot.ops import people

    hub = await wiring.open_hub(settings, create=True)
    try:
        if await hub.db.is_read_only():
            structlog.get_logger("serve").warning(
                "this hub has moved: it is read only here, and pulls go on",
                undo=f"entrepot migrate-data {settings.data} --undo",
            )
        return await people.first_account(hub, email=EMAIL, password=None)
    except HubError as fault:
        if fault.kind is not Kind.ALREADY_INITIALISED:
            raise
        return None
    finally:
        await wiring.close_hub(hub)
