"""The command `entrepot`. Heavy imports happen inside the commands: `serve` must answer in under a second."""

import sys

import click

from entrepot import __version__
from entrepot.cli import (
    backup,
    bench,
    completion,
    layouts,
    moving,
    people,
    quota,
    remote,
    retention,
    robots,
    server,
    upkeep,
)
from entrepot.errors import HubError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="entrepot")
def entrepot() -> None:
    """Run a container image hub: OCI distribution for Docker and its kin, UCloud's OpenAPI for everything else.

    First steps: `entrepot serve --data DIR` makes a hub in an empty folder, prints its secrets once, and serves it.
    """


for command in (
    server.init,
    server.serve,
    people.user,
    people.key,
    people.bucket,
    quota.quota,
    retention.retention,
    retention.immutable,
    upkeep.gc,
    upkeep.fsck,
    backup.backup,
    backup.restore,
    moving.migrate_data,
    layouts.export_,
    layouts.import_,
    remote.api,
    bench.bench,
    completion.completion,
):
    entrepot.add_command(command)
people.bucket.add_command(robots.robot)


def main() -> None:
    """Run the command line; a refusal is one line on stderr and the exit code of its error table row."""
    try:
        entrepot.main(standalone_mode=False)
    except HubError as fault:
        click.echo(f"entrepot: {fault.message}", err=True)
        sys.exit(fault.kind.row.exit)
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    except click.exceptions.Exit as fault:
        sys.exit(fault.exit_code)


if __name__ == "__main__":
    main()
