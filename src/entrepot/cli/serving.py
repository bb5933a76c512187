"""Serve until a signal, and leave without cutting anybody off: not ready first, then no new connections, then the rest.

SIGTERM, SIGINT   /readyz says 503 for drain_seconds, while everything is still served; a second one ends this pause
then              nothing new is accepted; what runs has stop_seconds to finish
then              the hub is closed and the process ends
"""

import asyncio
import logging
import os
import signal
import sys
import threading
from typing import Any

import click
import structlog

from entrepot.cli.draining import Draining
from entrepot.config import Settings
from entrepot.tally import Tally

log = structlog.get_logger("server")


def _shared(settings: Settings) -> dict[str, Any]:
    """What both servers of granian are told."""
    from granian.constants import Interfaces
    from granian.http import HTTP1Settings

    logging.getLogger("_granian").addFilter(lambda record: "experimental" not in record.getMessage())
    return {
        "address": settings.host,
        "port": settings.port,
        "interface": Interfaces.ASGI,
        "log_level": "warning",
        "backlog": 1024 * settings.workers,
        "websockets": False,
        "http1_settings": HTTP1Settings(header_read_timeout=30_000),
    }


def serve_here(settings: Settings, lines: str) -> None:
    """Serve in this process."""
    import uvloop

    uvloop.run(_serve_here(settings, lines))


async def _serve_here(settings: Settings, lines: str) -> None:
    from granian.server.embed import Server

    from entrepot import wiring

    tally = Tally()
    app = Draining(wiring.app_for(settings, tally))
    server = Server(app, **_shared(settings))
    app.when_ready(lambda: click.echo(lines))
    asked = [asyncio.Event(), asyncio.Event()]

    def stop() -> None:
        asked[1 if asked[0].is_set() else 0].set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    serving = loop.create_task(server.serve())
    waiting = loop.create_task(asked[0].wait())
    await asyncio.wait([serving, waiting], return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if not serving.done():
        tally.drain()
        await _pause(asked[1], settings.drain_seconds)
        server.stop()  # type: ignore[no-untyped-call]
        done, _ = await asyncio.wait([serving], timeout=settings.stop_seconds)
        if not done:
            await _give_up(app)
    await serving


async def _pause(cut: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(cut.wait(), seconds)
    except TimeoutError:
        return


async def _give_up(app: Draining) -> None:
    """Time is up for somebody who neither sends nor takes: the server's threads would wait for ever."""
    log.warning("requests were cut off at the stop; stop_seconds is how long they may take", running=app.running)
    await app.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def serve_in_processes(settings: Settings, lines: str) -> None:
    """Serve in ``workers`` processes, under this one."""
    from granian.server.mp import MPServer

    from entrepot import wiring

    tally = Tally(settings.workers)
    tally.leave()

    class Server(MPServer):
        """Waits between the signal and the stop."""

        def signal_handler_interrupt(self, *_: Any, **__: Any) -> None:
            if tally.is_draining:
                super().signal_handler_interrupt()  # type: ignore[no-untyped-call]
                return
            tally.drain()
            timer = threading.Timer(settings.drain_seconds, super().signal_handler_interrupt)
            timer.daemon = True
            timer.start()

    server = Server(
        "entrepot",
        **_shared(settings),
        workers=settings.workers,
        respawn_failed_workers=True,
        workers_kill_timeout=settings.stop_seconds,
    )
    server.on_startup(lambda: click.echo(lines))
    server.serve(target_loader=lambda *_: wiring.app_for(settings, tally), wrap_loader=False)
