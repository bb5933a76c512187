"""Open a data folder for one command on the spot. A running server may go on: both use the same file safely."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click

from entrepot import config, wiring
from entrepot.config import Settings
from entrepot.ops.context import Hub

if TYPE_CHECKING:
    from entrepot.ops.check import Finding
    from entrepot.ops.copying import Progress

T = TypeVar("T")

data_option = click.option(
    "--data", required=True, envvar="ENTREPOT_DATA", metavar="DIR", help="The data folder of the hub."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for scripts.")


def with_hub(data: str, work: Callable[[Hub], Awaitable[T]], *, create: bool = False) -> T:
    """Open the hub, do the work, close it. Raises NOT_INITIALISED and what the work raises."""

    async def session() -> T:
        hub = await wiring.open_hub(config.load(data=data), create=create)
        try:
            return await work(hub)
        finally:
            await wiring.close_hub(hub)

    return asyncio.run(session())


async def check_arrived(settings: Settings, progress: "Progress") -> "list[Finding]":
    """What is wrong with a hub that a restore or a move brought and has not opened yet."""
    from entrepot.ops import check

    hub = await wiring.open_hub(settings, arriving=True)
    try:
        return await check.check(hub, deep=False, repair=False, progress=lambda *_: progress("checking", 0, 0))
    finally:
        await wiring.close_hub(hub)
