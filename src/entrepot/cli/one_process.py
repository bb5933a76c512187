"""Serve in this process; see ``listening.py`` for what signals do."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable

import click
import uvloop
from granian.server.embed import Server

from entrepot import wiring
from entrepot.cli import listening
from entrepot.cli.certificate import LOOK_SECONDS, Certificate
from entrepot.cli.draining import Draining
from entrepot.cli.listening import log
from entrepot.config import Settings
from entrepot.tally import Tally


def serve(settings: Settings, lines: str) -> None:
    """Serve until a signal."""
    tally = Tally()
    certificate = listening.certificate_of(settings, tally)

    def begin(app: Draining) -> Server:
        server = Server(app, **listening.options(settings))
        listening.show(server, certificate)
        return server

    async def run() -> None:
        app = Draining(wiring.app_for(settings, tally))
        app.when_ready(lambda: click.echo(lines))
        servers = Servers(app, begin)
        signals = Signals()
        watching = asyncio.create_task(_watch(certificate, servers, signals))
        await servers.while_serving(signals.stop)
        watching.cancel()
        if servers.is_serving:
            tally.drain()
            await _pause(signals.cut, settings.drain_seconds)
            if not await servers.stop(settings.stop_seconds):
                await _give_up(app)

    uvloop.run(run())


class Signals:
    """What this process was told."""

    def __init__(self) -> None:
        self.stop, self.cut, self.look = asyncio.Event(), asyncio.Event(), asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._ask)
        loop.add_signal_handler(signal.SIGHUP, self.look.set)

    def _ask(self) -> None:
        (self.cut if self.stop.is_set() else self.stop).set()


class Servers:
    """A server for each certificate: the newest one listens, the others finish what they began."""

    def __init__(self, app: Draining, begin: Callable[[Draining], Server]) -> None:
        self._app = app
        self._begin = begin
        self._leaving: set[asyncio.Task[None]] = set()
        self._server, self._task = self._start()

    def _start(self) -> tuple[Server, "asyncio.Task[None]"]:
        server = self._begin(self._app)
        return server, asyncio.get_running_loop().create_task(server.serve())

    @property
    def is_serving(self) -> bool:
        """Whether the newest one goes on."""
        return not self._task.done()

    async def while_serving(self, stop: asyncio.Event) -> None:
        """Until somebody wants it to stop, or it ended by itself."""
        stopping = asyncio.create_task(stop.wait())
        while self.is_serving and not stopping.done():
            await asyncio.wait([self._task, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    async def replace(self) -> None:
        """Let a new one listen on the same port, then end the old one, if the new one could begin."""
        server, task = self._start()
        await asyncio.sleep(listening.OVERLAP_SECONDS)
        if task.done():
            log.error("no server could begin with the new certificate; the old one goes on")
            return
        self._server.stop()  # type: ignore[no-untyped-call]
        self._leaving.add(self._task)
        self._task.add_done_callback(self._leaving.discard)
        self._server, self._task = server, task

    async def stop(self, seconds: float) -> bool:
        """Accept nothing more; whether all that ran has ended within this time."""
        self._server.stop()  # type: ignore[no-untyped-call]
        _, running = await asyncio.wait([self._task, *self._leaving], timeout=seconds)
        return not running


async def _watch(certificate: Certificate | None, servers: Servers, signals: Signals) -> None:
    """Take a renewed certificate when its files change, or when told to look."""
    while True:
        await _pause(signals.look, LOOK_SECONDS if certificate else None)
        signals.look.clear()
        if certificate is not None and certificate.renew():
            await servers.replace()


async def _pause(end: asyncio.Event, seconds: float | None) -> None:
    try:
        await asyncio.wait_for(end.wait(), seconds)
    except TimeoutError:
        return


async def _give_up(app: Draining) -> None:
    """Time is up for somebody who neither sends nor takes: the server's threads would wait for ever."""
    log.warning("requests were cut off at the stop; stop_seconds is how long they may take", running=app.running)
    await app.close()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
